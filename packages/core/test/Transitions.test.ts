/**
 * A decision holds at the instant of its commit: whatever it was made on may change in between, and then it is made
 * again (docs/spec/lifecycle.md, section 5).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import type { AuditChain } from "../src/AuditChain.ts"
import type { Step } from "../src/Step.ts"
import { Store } from "../src/Store.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import {
  actionsOf,
  ana,
  ask,
  ben,
  cleo,
  clock,
  engine,
  inWorld,
  judge,
  log,
  origin,
  pass,
  refusalOf,
  rules,
  stoppedAt,
  stored,
  work,
  world,
  type Process
} from "./support/EngineWorld.ts"

/** A store in which something else is committed just before a step of this kind, once. */
const racing = () => {
  let when: (step: Step) => boolean = () => false
  let first: Effect.Effect<unknown> = Effect.void
  let lost = 0
  const layer = Layer.effect(
    Store,
    Effect.map(Store, (store) =>
      Store.of({
        ...store,
        commit: (step) =>
          Effect.suspend(() => {
            if (!when(step)) return store.commit(step)
            when = () => false
            lost += 1
            return Effect.andThen(first, store.commit(step))
          })
      })
    )
  )
  return {
    layer,
    lost: () => lost,
    before: (kind: (step: Step) => boolean, act: Effect.Effect<unknown, unknown>) => {
      when = kind
      first = Effect.orDie(act)
    }
  }
}

const writesRequest = (state: string) => (step: Step) =>
  step.writes.some((write) => write.kind === "request" && write.next.state === state)

const records = (action: string) => (step: Step) => step.entries.some((entry) => entry.payload.includes(`"${action}"`))

const inRace = (
  body: (parts: {
    readonly raced: Process
    readonly other: Process
    readonly race: ReturnType<typeof racing>
    readonly made: ReturnType<typeof world>
    readonly policy: { allowed: boolean; routing: typeof rules.routing }
  }) => Effect.Effect<void, unknown, Store | AuditChain>
) => {
  const policy = { allowed: true, routing: rules.routing }
  const race = racing()
  const made = world({
    rules: {
      eligibility: () => ({ allowed: policy.allowed, reasons: ["frozen"] }),
      routing: (input) => policy.routing(input)
    }
  })
  return inWorld(made, (other) =>
    Effect.gen(function* () {
      const raced = yield* engine().pipe(Effect.provide(race.layer))
      yield* body({ raced, other, race, made, policy })
      assert.strictEqual(race.lost(), 1, "there was no race")
      yield* log
    })
  )
}

const yes = (digest: string) => ({ comment: "", digest })

const newPolicies = (process: Process) =>
  Effect.flatMap(process.policyAdmin.current, ({ revision }) =>
    process.policyAdmin.replace(cleo, revision.number, [
      Fixtures.policy("p", { hash: `${revision.number}`.repeat(64) })
    ])
  )

describe("an approval", () => {
  it.effect("does not pass a lock that came in between", () =>
    inRace(({ made, other, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(writesRequest("APPROVED"), other.principals.lock(cleo, { kind: "everything" }, "incident"))
        assert.strictEqual(yield* refusalOf(raced.elevations.approve(ben, asked.id, yes(asked.digest))), "locked")
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
        assert.strictEqual(made.platform.grants().length, 0)
      })
    )
  )

  it.effect("is made on the policy that is in force when it is committed", () =>
    inRace(({ made, other, policy, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(
          writesRequest("APPROVED"),
          Effect.andThen(
            Effect.sync(() => {
              policy.allowed = false
            }),
            newPolicies(other)
          )
        )
        const after = yield* raced.elevations.approve(ben, asked.id, yes(asked.digest))
        assert.strictEqual(after.state, "REJECTED")
        assert.strictEqual(after.routing.policyRevision, 1)
        assert.strictEqual(made.platform.grants().length, 0)
      })
    )
  )

  it.effect("does not count when the approver lost the group in between", () =>
    inRace(({ other, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(writesRequest("APPROVED"), other.principals.signIn({ ...ben, groups: [] }))
        assert.strictEqual(yield* refusalOf(raced.elevations.approve(ben, asked.id, yes(asked.digest))), "not_found")
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
      })
    )
  )

  it.effect("does not count when the approver joined the requester's side in between", () =>
    inRace(({ other, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(writesRequest("APPROVED"), other.principals.signIn({ ...ana, email: ben.email }))
        assert.strictEqual(
          yield* refusalOf(raced.elevations.approve(ben, asked.id, yes(asked.digest))),
          "self_decision"
        )
      })
    )
  )

  it.effect("comes too late for what was withdrawn in between", () =>
    inRace(({ other, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(writesRequest("APPROVED"), other.elevations.cancel(ana, asked.id, "no"))
        assert.strictEqual(yield* refusalOf(raced.elevations.approve(ben, asked.id, yes(asked.digest))), "wrong_state")
        assert.strictEqual((yield* stored(asked.id)).state, "CANCELLED")
      })
    )
  )

  it.effect("by an agent does not pass a change of policy", () =>
    inRace(({ other, policy, race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("open"), origin)
        race.before(
          writesRequest("APPROVED"),
          Effect.andThen(
            Effect.sync(() => {
              policy.routing = () => ({ tier: "human" })
            }),
            newPolicies(other)
          )
        )
        const answer = {
          verdict: "approve" as const,
          reasoning: "it reads only, and nothing else is touched",
          confidence: 1,
          risk: "low",
          model: "m",
          digest: asked.digest,
          version: asked.version
        }
        assert.strictEqual(yield* refusalOf(raced.elevations.aiDecide(judge, asked.id, answer)), "agent_not_allowed")
        assert.strictEqual((yield* stored(asked.id)).routing.tier, "human")
      })
    )
  )
})

describe("a request that passes by itself", () => {
  it.effect("does not pass a lock that came in between", () =>
    inRace(({ made, other, race, raced }) =>
      Effect.gen(function* () {
        race.before(
          writesRequest("APPROVED"),
          other.principals.lock(cleo, { kind: "principal", principal: ana }, "laptop lost")
        )
        assert.strictEqual(yield* refusalOf(raced.elevations.request(ana, ask("reader"), origin)), "locked")
        assert.strictEqual(made.platform.grants().length, 0)
      })
    )
  )

  it.effect("is not granted on a policy that is not in force any more", () =>
    inRace(({ other, policy, race, raced }) =>
      Effect.gen(function* () {
        race.before(
          writesRequest("APPROVED"),
          Effect.andThen(
            Effect.sync(() => {
              policy.allowed = false
            }),
            newPolicies(other)
          )
        )
        assert.strictEqual(yield* refusalOf(raced.elevations.request(ana, ask("reader"), origin)), "not_eligible")
      })
    )
  )
})

describe("an attempt to grant", () => {
  it.effect("is not begun when a lock came in between", () =>
    inRace(({ made, other, race, raced }) =>
      Effect.gen(function* () {
        race.before(records("grant.started"), other.principals.lock(cleo, { kind: "everything" }, "incident"))
        const after = yield* raced.elevations.request(ana, ask("reader"), origin)
        yield* work(other)
        assert.strictEqual((yield* stored(after.id)).state, "REVOKED")
        assert.strictEqual(made.platform.journal().filter((call) => call.operation === "grant").length, 0)
        assert.isFalse((yield* actionsOf(after.id)).includes("grant.started"))
      })
    )
  )

  it.effect("is not begun for an agent whose owner was locked in between", () =>
    inRace(({ made, other, race, raced }) =>
      Effect.gen(function* () {
        race.before(
          records("grant.started"),
          Effect.andThen(
            other.principals.lock(cleo, { kind: "principal", principal: ben }, "x"),
            other.principals.signIn({ ...judge, owner: ben })
          )
        )
        const after = yield* raced.elevations.request(judge, ask("reader"), origin)
        yield* work(other)
        assert.strictEqual((yield* stored(after.id)).state, "REVOKED")
        assert.strictEqual(made.platform.journal().filter((call) => call.operation === "grant").length, 0)
      })
    )
  )
})

describe("an answer of the provider", () => {
  it.effect("counts only under the lease that asked, also while nobody else has asked yet", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const stopped = stoppedAt("grant.after_call")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(first.elevations.request(ana, ask("reader"), origin), {
          startImmediately: true
        })
        yield* stopped.reached
        yield* TestClock.adjust("61 seconds")
        yield* stopped.wake
        const seen = yield* Fiber.join(fiber)
        assert.notStrictEqual(seen.state, "ACTIVE")
        assert.isFalse((yield* actionsOf(seen.id)).includes("grant.issued"))
        yield* pass(other, 300)
        assert.strictEqual((yield* stored(seen.id)).state, "FAILED")
        assert.deepStrictEqual(made.platform.live(yield* clock), [])
      })
    )
  })
})

describe("handing out credentials", () => {
  const raced = (name: string, act: (other: Process, id: string) => Effect.Effect<unknown, unknown>, code: string) =>
    it.effect(`does not pass ${name} in between, and then leaves no entry of a reading`, () =>
      inRace(({ other, race, raced: process }) =>
        Effect.gen(function* () {
          const active = yield* process.elevations.request(ana, ask("reader"), origin)
          race.before(records("credentials.read"), act(other, active.id))
          assert.strictEqual(yield* refusalOf(process.elevations.credentials(ana, active.id)), code)
          assert.isFalse((yield* actionsOf(active.id)).includes("credentials.read"))
        })
      )
    )

  raced("a revocation", (other, id) => other.elevations.revoke(ana, id, "done"), "wrong_state")
  raced("a lock", (other) => other.principals.lock(cleo, { kind: "provider", provider: "memory" }, "x"), "locked")
  raced("the end of its time", () => TestClock.adjust("1 hour"), "grant_over")
})

describe("a step", () => {
  it.effect("that took longer than five seconds to decide is decided again on the time that it is now", () =>
    inRace(({ race, raced }) =>
      Effect.gen(function* () {
        race.before(writesRequest("APPROVED"), TestClock.adjust("10 seconds"))
        const active = yield* raced.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(active.state, "ACTIVE")
        assert.strictEqual(active.createdAt, yield* clock)
      })
    )
  )

  it.effect("that only says what was refused is said with a later instant when it waited for too long", () =>
    inRace(({ race, raced }) =>
      Effect.gen(function* () {
        const asked = yield* raced.elevations.request(ana, ask("admin"), origin)
        race.before(records("request.approval_refused"), TestClock.adjust("10 seconds"))
        const approval = raced.elevations.approve(ana, asked.id, yes(asked.digest))
        assert.strictEqual(yield* refusalOf(approval), "self_decision")
        assert.include(yield* actionsOf(asked.id), "request.approval_refused")
      })
    )
  )
})
