/** Holes of asking, deciding and ending that no other suite shows (docs/spec/closed-holes.md). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import type { PolicyInput } from "../../src/Policy.ts"
import type { GrantRequest } from "../../src/Provider.ts"
import {
  ana,
  amy,
  ask,
  ben,
  clock,
  dave,
  Faults,
  inWorld,
  log,
  olga,
  origin,
  refusalOf,
  rules,
  stored,
  until,
  work,
  world
} from "../support/EngineWorld.ts"

describe("what somebody asks for besides the right", () => {
  it.effect("reaches policy and the provider as it was asked", () => {
    const policySaw: Array<PolicyInput> = []
    const providerSaw: Array<GrantRequest> = []
    const made = world({
      rules: {
        eligibility: (input) => {
          policySaw.push(input)
          return rules.eligibility(input)
        }
      },
      wrap: (provider) => ({
        ...provider,
        grant: (request) => {
          providerSaw.push(request)
          return provider.grant(request)
        }
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const metadata = { ticket: "CHG-7", "cost.centre": "42" }
        yield* process.elevations.request(ana, ask("reader", { metadata, reason: "disk full" }), origin)
        assert.deepStrictEqual(policySaw[0]?.request.metadata, metadata)
        assert.deepStrictEqual([policySaw[0]?.request.reason, policySaw[0]?.request.break_glass], ["disk full", false])
        assert.deepStrictEqual([providerSaw[0]?.metadata, providerSaw[0]?.reason], [metadata, "disk full"])
      })
    )
  })

  it.effect("is refused when too much of it waits already, and only then", () =>
    inWorld(world({ settings: { maxPendingPerPrincipal: 3 } }), (process) =>
      Effect.gen(function* () {
        const all = yield* Effect.forEach([1, 2, 3], () => process.elevations.request(ana, ask("admin"), origin))
        assert.strictEqual(yield* refusalOf(process.elevations.request(ana, ask("admin"), origin)), "too_many_pending")
        // What needs nobody's decision adds nothing for anybody to decide, and others are not counted.
        assert.strictEqual((yield* process.elevations.request(ana, ask("reader"), origin)).state, "ACTIVE")
        assert.strictEqual((yield* process.elevations.request(amy, ask("admin"), origin)).state, "PENDING")
        const first = all[0]
        assert.isDefined(first)
        yield* process.elevations.approve(ben, first.id, { comment: "", digest: first.digest })
        assert.strictEqual((yield* process.elevations.request(ana, ask("admin"), origin)).state, "PENDING")
      })
    )
  )
})

describe("a decision that is refused", () => {
  it.effect("leaves nothing on the request, and an entry with who tried it", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const decision = { comment: "mine", digest: asked.digest }
        for (const verdict of ["approve", "deny"] as const) {
          assert.strictEqual(yield* refusalOf(process.elevations[verdict](olga, asked.id, decision)), "not_approver")
          assert.strictEqual(yield* refusalOf(process.elevations[verdict](ana, asked.id, decision)), "self_decision")
          assert.strictEqual(yield* refusalOf(process.elevations[verdict](dave, asked.id, decision)), "not_found")
        }
        assert.deepStrictEqual(yield* stored(asked.id), asked)
        const refused = (yield* log).filter((line) => line.outcome === "refused" && line.requestId === asked.id)
        assert.deepStrictEqual(
          refused.map((line) => [line.action, line.actor.subject]),
          [
            ["request.approval_refused", olga.subject],
            ["request.approval_refused", ana.subject],
            ["request.deny_refused", olga.subject],
            ["request.deny_refused", ana.subject]
          ]
        )
      })
    )
  )
})

describe("a step that was committed", () => {
  it.effect("is shown as it was committed when the request cannot be read again", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        // The first reading is for the decision, the second for the answer.
        yield* faults.next("request", "twice")
        yield* faults.next("request", "failBefore")
        const denied = yield* process.elevations.deny(ben, asked.id, { comment: "no", digest: asked.digest })
        assert.deepStrictEqual([denied.state, yield* faults.waiting], ["REJECTED", []])
        assert.deepStrictEqual(denied, yield* stored(asked.id))
      })
    )
  )
})

describe("a provider that hangs while it takes one grant back", () => {
  it.effect("holds up no other", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const stuck = yield* process.elevations.request(ana, ask("reader", { resourceScope: "a" }), origin)
        const held = made.platform.hold("end", "onRelease")
        const revoking = yield* Effect.forkChild(process.elevations.revoke(ana, stuck.id, "done"), {
          startImmediately: true
        })
        yield* held.reached
        const other = yield* process.elevations.request(amy, ask("reader", { resourceScope: "b" }), origin)
        assert.strictEqual((yield* process.elevations.revoke(amy, other.id, "done")).state, "REVOKED")
        const third = yield* process.elevations.request(
          amy,
          ask("reader", { resourceScope: "c", durationSeconds: 60 }),
          origin
        )
        assert.strictEqual((yield* stored(stuck.id)).state, "ENDING")
        // A call that takes longer than it may is cut off, and tried again.
        yield* TestClock.adjust("31 seconds")
        assert.strictEqual((yield* Fiber.join(revoking)).state, "ENDING")
        yield* held.release
        yield* TestClock.adjust("1 minute")
        yield* until(() => true)
        yield* work(process)
        assert.strictEqual((yield* stored(third.id)).state, "EXPIRED")
        assert.strictEqual((yield* stored(stuck.id)).state, "REVOKED")
        assert.deepStrictEqual(made.platform.live(yield* clock), [])
      })
    )
  })
})
