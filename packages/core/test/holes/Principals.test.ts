/** Who somebody is, and what may be made of them: holes D-12 and D-16 of docs/spec/closed-holes.md. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { keyOf, operator, system } from "../../src/Principal.ts"
import type { PolicyInput } from "../../src/Policy.ts"
import { ana, ask, ben, carl, cleo, inWorld, log, origin, refusalOf, rules, world } from "../support/EngineWorld.ts"

describe("the daemon's own names", () => {
  it.effect("are nobody's: no token signs in under them", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        for (const own of [system, operator]) {
          assert.strictEqual(yield* refusalOf(process.principals.signIn({ ...ana, ...own })), "not_permitted")
        }
        // The same words at another issuer are somebody else, and no entry can be taken for the daemon's.
        const namesake = yield* process.principals.signIn({ ...ana, subject: "system", email: null, kind: "agent" })
        assert.notStrictEqual(keyOf(namesake), keyOf(system))
        const line = (yield* log).at(-1)
        assert.deepStrictEqual([line?.actor.subject, line?.actor.kind], ["system", "agent"])
      })
    )
  )
})

describe("a trust tier", () => {
  it.effect("is changed by an administrator for others, with an entry that says from what to what, and why", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const changed = yield* process.principals.setTrust(cleo, ben, { tier: 3, notes: "knows the runbook" })
        assert.deepStrictEqual([changed.trustTier, changed.trustNotes], [3, "knows the runbook"])
        const line = (yield* log).at(-1)
        assert.deepStrictEqual(
          [line?.action, line?.actor.subject, line?.details["before"], line?.details["after"], line?.texts],
          ["principal.trust_changed", cleo.subject, 0, 3, ["knows the runbook"]]
        )
        const page = yield* process.principals.list(cleo, { limit: 100 })
        assert.strictEqual(page.items.find((one) => keyOf(one) === keyOf(ben))?.trustTier, 3)
      })
    )
  )

  it.effect("is nobody's to raise for themselves, and nobody's without being an administrator", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const trust = { tier: 4, notes: "" }
        assert.strictEqual(yield* refusalOf(process.principals.setTrust(cleo, cleo, trust)), "self_decision")
        assert.strictEqual(yield* refusalOf(process.principals.setTrust(ben, ana, trust)), "not_admin")
        assert.strictEqual(
          yield* refusalOf(process.principals.setTrust(carl, ana, { ...trust, tier: 5 })),
          "invalid_input"
        )
        const refused = (yield* log).filter((line) => line.action === "principal.refused")
        assert.deepStrictEqual(
          refused.map((line) => line.actor.subject),
          [cleo.subject, ben.subject]
        )
      })
    )
  )

  it.effect("has the effect that policy gives it, on the one who asks and on the one who decides", () => {
    const seen: Array<PolicyInput> = []
    const made = world({
      rules: {
        eligibility: (input) => ({ allowed: input.context.requester_trust_tier >= 2, reasons: ["tier 2 is needed"] }),
        admission: (input) => {
          seen.push(input)
          return rules.admission(input)
        }
      }
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusalOf(process.elevations.request(ana, ask("admin"), origin)), "not_eligible")
        yield* process.principals.setTrust(cleo, ana, { tier: 2, notes: "" })
        yield* process.principals.setTrust(cleo, ben, { tier: 1, notes: "" })
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest })
        const last = seen.at(-1)
        assert.deepStrictEqual([last?.context.trust_tier, last?.context.requester_trust_tier], [1, 2])
        assert.deepStrictEqual([last?.user.subject, last?.requester.subject], [ben.subject, ana.subject])
      })
    )
  })
})
