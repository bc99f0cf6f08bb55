/** Policy is replaced as a whole, by those who may, on the revision that they looked at. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { changesBetween } from "../src/PolicyAdmin.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import { ana, carl, cleo, Faults, inWorld, log, olga, refusalOf, scout, work, world } from "./support/EngineWorld.ts"

const one = (name: string, hash = "a", more = {}) =>
  Fixtures.policy(name, { id: `pol_${name}`, hash: hash.repeat(64), ...more })

describe("replacing policy", () => {
  it.effect("raises the revision by one, with an entry for each change and an alert", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const first = yield* process.policyAdmin.replace(cleo, 0, [one("a"), one("b")])
        assert.strictEqual(first.revision.number, 1)
        const second = yield* process.policyAdmin.replace(cleo, 1, [one("a", "c"), one("d")])
        assert.deepStrictEqual(
          second.changes.map((change) => [change.name, change.change]),
          [
            ["a", "changed"],
            ["d", "added"],
            ["b", "deleted"]
          ]
        )
        const lines = (yield* log).filter((line) => line.action.startsWith("policy."))
        assert.deepStrictEqual(
          lines.map((line) => [line.action, line.details["policy"], line.details["revision"]]),
          [
            ["policy.applied", "a", 1],
            ["policy.applied", "b", 1],
            ["policy.applied", "a", 2],
            ["policy.applied", "d", 2],
            ["policy.deleted", "b", 2]
          ]
        )
        assert.strictEqual(lines[2]?.details["before"], "a".repeat(64))
        yield* work(process)
        assert.strictEqual(made.channel.told.filter((told) => told.event === "policy_changed").length, 2)
      })
    )
  })

  it.effect("by the same set changes nothing", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* process.policyAdmin.replace(cleo, 0, [one("a")])
        const again = yield* process.policyAdmin.replace(cleo, 1, [one("a")])
        assert.deepStrictEqual([again.revision.number, again.changes], [1, []])
      })
    )
  )

  it.effect("of a revision that is not current any more is refused, on record, and changes nothing", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* process.policyAdmin.replace(cleo, 0, [one("a")])
        assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(carl, 0, [one("b")])), "changed_meanwhile")
        assert.strictEqual((yield* log).at(-1)?.details["code"], "changed_meanwhile")
        assert.deepStrictEqual(
          (yield* process.policyAdmin.current).policies.map((policy) => policy.name),
          ["a"]
        )
      })
    )
  )

  it.effect("twice at once succeeds once", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const outcomes = yield* Effect.forEach(
          ["a", "b", "c"],
          (name) => Effect.exit(process.policyAdmin.replace(cleo, 0, [one(name)])),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(outcomes.filter((outcome) => outcome._tag === "Success").length, 1)
        assert.strictEqual((yield* process.policyAdmin.current).revision.number, 1)
      })
    )
  )

  it.effect("goes on after a lost race about something else", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        yield* faults.next("commit", "conflict", (step) => step.writes.some((write) => write.kind === "policies"))
        assert.strictEqual((yield* process.policyAdmin.replace(cleo, 0, [one("a")])).revision.number, 1)
        assert.deepStrictEqual(yield* faults.waiting, [])
      })
    )
  )

  for (const by of [ana, olga, scout]) {
    it.effect(`is refused to ${by.subject}, on record`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(by, 0, [one("a")])), "not_admin")
          assert.strictEqual(yield* refusalOf(process.policyAdmin.mayChange(by)), "not_admin")
          const refused = (yield* log).filter((line) => line.action === "policy.refused")
          assert.deepStrictEqual(
            refused.map((line) => line.actor.subject),
            [by.subject, by.subject]
          )
          assert.strictEqual((yield* process.policyAdmin.current).revision.number, 0)
        })
      )
    )
  }

  it.effect("is refused to somebody whom nobody has seen", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const nobody = { issuer: "https://idp.test", subject: "nobody" }
        assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(nobody, 0, [one("a")])), "not_admin")
      })
    )
  )

  it.effect("by the host itself is the system's act", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* process.policyAdmin.replace(null, 0, [one("a")])
        assert.strictEqual((yield* log).at(-1)?.actor.kind, "system")
        assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(null, 0, [one("b")])), "changed_meanwhile")
      })
    )
  )

  it.effect("by two policies of one name is refused", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const twins = [one("a"), one("a", "b", { id: "pol_other" })]
        assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(cleo, 0, twins)), "policy_rejected")
      })
    )
  )
})

describe("the hash of a revision", () => {
  it.effect("does not depend on the order, and covers what is switched off", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const first = yield* process.policyAdmin.replace(cleo, 0, [one("a"), one("b")])
        const second = yield* process.policyAdmin.replace(cleo, 1, [one("b"), one("a", "a", { enabled: false })])
        const third = yield* process.policyAdmin.replace(cleo, 2, [one("b"), one("a")])
        assert.strictEqual(third.revision.hash, first.revision.hash)
        assert.notStrictEqual(second.revision.hash, first.revision.hash)
      })
    )
  )
})

describe("changesBetween", () => {
  it("sees what was added, changed, switched and deleted", () => {
    const before = [one("kept"), one("changed"), one("off"), one("gone"), one("said")]
    const after = [
      one("kept"),
      one("changed", "b"),
      one("off", "a", { enabled: false }),
      one("said", "a", { description: "new words" }),
      one("new")
    ]
    assert.deepStrictEqual(
      changesBetween(before, after).map((change) => `${change.change} ${change.name}`),
      ["changed changed", "changed off", "changed said", "added new", "deleted gone"]
    )
  })
})
