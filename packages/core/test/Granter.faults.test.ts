/**
 * Whatever breaks between asking the provider and knowing what it did, the state says no more than is known, and in the
 * end it says what is true at the provider (docs/spec/lifecycle.md, sections 2 and 4).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { crashPoints, type CrashPoint } from "../src/CrashPoints.ts"
import { ProviderError, Providers } from "../src/Provider.ts"
import { make } from "../src/Providers.ts"
import type { Request } from "../src/Request.ts"
import * as Times from "../src/Time.ts"
import { jobId, sweepJob } from "../src/Work.ts"
import {
  actionsOf,
  ana,
  ask,
  ben,
  cleo,
  clock,
  engine,
  Faults,
  inWorld,
  Jobs,
  killedAt,
  log,
  origin,
  pass,
  refusalOf,
  start,
  stoppedAt,
  Store,
  stored,
  until,
  work,
  workWhileHanging,
  world,
  type Process
} from "./support/EngineWorld.ts"

const refusal = (
  effect: "none" | "unknown",
  retryable: boolean,
  more: { readonly retryAfterSeconds?: number } = {}
) => ({
  kind: "failBefore" as const,
  error: new ProviderError({
    provider: "memory",
    reason: "ProviderUnavailable",
    retryable,
    effect,
    message: "the platform said no",
    hint: "",
    ...more
  })
})

/** Ana's request for a role that one lead approves, approved by Ben. */
const approvedBy = (process: Process, by = ben) =>
  Effect.gen(function* () {
    const asked = yield* process.elevations.request(ana, ask("admin"), origin)
    return yield* process.elevations.approve(by, asked.id, { comment: "ok", digest: asked.digest })
  })

/** The provider's truth and the state agree. */
const agrees = (made: ReturnType<typeof world>, request: Request, now: Times.Time) => {
  const alive = made.platform.live(now).some((one) => one.requestId === request.id)
  assert.strictEqual(alive, request.state === "ACTIVE", `it is ${request.state}, and at the provider alive: ${alive}`)
  assert.deepStrictEqual(made.platform.overlaps(), [])
}

describe("a process that dies", () => {
  const granting: ReadonlyArray<CrashPoint> = crashPoints.filter((point) => point.startsWith("grant."))
  for (const point of granting) {
    it.effect(`at ${point} leaves a grant that another one finishes`, () => {
      const made = world()
      return inWorld(made, (other) =>
        Effect.gen(function* () {
          const killed = killedAt(point)
          const first = yield* engine(killed.at)
          yield* Effect.forkDetach(approvedBy(first), { startImmediately: true })
          yield* killed.reached
          const [before] = (yield* other.elevations.list(ana, { filter: {}, limit: 1 })).items
          assert.isDefined(before)
          assert.strictEqual(yield* work(other).pipe(Effect.map((n) => n > 0)), true)
          // While the lease lives nobody else touches it.
          assert.strictEqual((yield* stored(before.id)).state, point === "grant.recorded" ? "ACTIVE" : "APPROVED")
          yield* pass(other, 120)
          const after = yield* stored(before.id)
          assert.strictEqual(after.state, "ACTIVE")
          assert.strictEqual(made.platform.grants().length, 1)
          agrees(made, after, yield* clock)
          const credentials = yield* other.elevations.credentials(ana, after.id)
          assert.isAbove(Object.keys(credentials.values).length, 0)
          // In the end nothing is left, and where an attempt was repeated it is ended twice.
          yield* pass(other, 2 * 3600)
          const over = yield* stored(before.id)
          assert.strictEqual(over.state, "EXPIRED")
          agrees(made, over, yield* clock)
          const repeated = (over.grant?.attempts ?? 0) > 1
          assert.strictEqual((yield* actionsOf(over.id)).includes("grant.closed"), repeated)
        })
      )
    })
  }

  const ending: ReadonlyArray<CrashPoint> = crashPoints.filter((point) => point.startsWith("end."))
  for (const point of ending) {
    it.effect(`at ${point} leaves an ending that another one finishes`, () => {
      const made = world()
      return inWorld(made, (other) =>
        Effect.gen(function* () {
          const killed = killedAt(point)
          const first = yield* engine(killed.at)
          const active = yield* approvedBy(other)
          assert.strictEqual(active.state, "ACTIVE")
          yield* Effect.forkDetach(first.elevations.revoke(ana, active.id, "done"), { startImmediately: true })
          yield* killed.reached
          const during = yield* stored(active.id)
          assert.strictEqual(during.state, point === "end.recorded" ? "REVOKED" : "ENDING")
          assert.notStrictEqual(yield* refusalOf(other.elevations.credentials(ana, active.id)), "")
          yield* pass(other, 120)
          const after = yield* stored(active.id)
          assert.strictEqual(after.state, "REVOKED")
          agrees(made, after, yield* clock)
          assert.strictEqual((yield* actionsOf(after.id)).filter((action) => action === "grant.revoked").length, 1)
        })
      )
    })
  }

  it.effect("after it was revoked leaves nothing granted", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const killed = killedAt("grant.after_call")
        const first = yield* engine(killed.at)
        yield* Effect.forkDetach(approvedBy(first), { startImmediately: true })
        yield* killed.reached
        const [request] = (yield* other.elevations.list(ana, { filter: {}, limit: 1 })).items
        assert.isDefined(request)
        const revoked = yield* other.elevations.revoke(ana, request.id, "stop")
        // The grant's lease still holds the resource: the ending waits for it.
        assert.strictEqual(revoked.state, "ENDING")
        yield* pass(other, 300)
        const after = yield* stored(request.id)
        assert.strictEqual(after.state, "REVOKED")
        agrees(made, after, yield* clock)
        assert.isTrue((yield* actionsOf(after.id)).includes("grant.closed"), "no second ending")
      })
    )
  })
})

describe("a process that sleeps past its lease", () => {
  for (const point of ["grant.before_call", "grant.after_call"] as const) {
    it.effect(`at ${point} has its late grant taken back when another one granted meanwhile`, () => {
      const made = world()
      return inWorld(made, (other) =>
        Effect.gen(function* () {
          const stopped = stoppedAt(point)
          const first = yield* engine(stopped.at)
          const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
          yield* stopped.reached
          yield* pass(other, 90)
          const [meanwhile] = (yield* other.elevations.list(ana, { filter: {}, limit: 1 })).items
          assert.strictEqual(meanwhile?.state, "ACTIVE")
          yield* stopped.wake
          const seen = yield* Fiber.join(fiber)
          yield* pass(other, 300)
          const after = yield* stored(seen.id)
          assert.strictEqual(after.state, "REVOKED")
          assert.strictEqual(after.ending?.why, "unknown_outcome")
          agrees(made, after, yield* clock)
          assert.isTrue((yield* actionsOf(after.id)).includes("grant.taken_back"))
        })
      )
    })

    it.effect(`at ${point} has its late grant taken back when all was over`, () => {
      const made = world()
      return inWorld(made, (other) =>
        Effect.gen(function* () {
          const stopped = stoppedAt(point)
          const first = yield* engine(stopped.at)
          const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
          yield* stopped.reached
          const [request] = (yield* other.elevations.list(ana, { filter: {}, limit: 1 })).items
          assert.isDefined(request)
          yield* other.elevations.revoke(ana, request.id, "stop")
          // Past the lease, the ending, and the second ending.
          yield* pass(other, 600)
          assert.strictEqual((yield* stored(request.id)).state, "REVOKED")
          assert.strictEqual(made.platform.live(yield* clock).length, 0)
          yield* stopped.wake
          yield* Fiber.join(fiber)
          yield* pass(other, 60)
          const after = yield* stored(request.id)
          assert.strictEqual(after.state, "REVOKED")
          agrees(made, after, yield* clock)
          const lives = made.platform.grants().map((one) => one.lives)
          assert.deepStrictEqual(lives, [1])
        })
      )
    })
  }

  it.effect("and wakes while the store is down takes back as soon as it can write", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        const stopped = stoppedAt("grant.after_call")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
        yield* stopped.reached
        const [request] = (yield* other.elevations.list(ana, { filter: {}, limit: 1 })).items
        assert.isDefined(request)
        yield* other.elevations.revoke(ana, request.id, "stop")
        yield* pass(other, 600)
        // The first commit finds the lease gone, the next ones find no store.
        for (let i = 0; i < 4; i++) yield* faults.next("commit", "failBefore", (step) => step.guards.length === 0)
        yield* stopped.wake
        for (let i = 0; i < 60 && (yield* faults.waiting).length > 0; i++) {
          yield* until(() => true)
          yield* TestClock.adjust("1 second")
        }
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* faults.waiting, [])
        yield* pass(other, 60)
        agrees(made, yield* stored(request.id), yield* clock)
      })
    )
  })

  it.effect("with a refusal that promises no effect leaves the other one's grant alone", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        made.platform.inject("grant", refusal("none", true))
        const stopped = stoppedAt("grant.after_call")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
        yield* stopped.reached
        yield* pass(other, 90)
        yield* stopped.wake
        const seen = yield* Fiber.join(fiber)
        yield* pass(other, 60)
        const after = yield* stored(seen.id)
        assert.strictEqual(after.state, "ACTIVE")
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("with an ending that was confirmed late confirms once", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(other)
        const stopped = stoppedAt("end.after_call")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(first.elevations.revoke(ana, active.id, "x"), { startImmediately: true })
        yield* stopped.reached
        yield* pass(other, 120)
        assert.strictEqual((yield* stored(active.id)).state, "REVOKED")
        yield* stopped.wake
        yield* Fiber.join(fiber)
        yield* pass(other, 120)
        const after = yield* stored(active.id)
        assert.strictEqual(after.state, "REVOKED")
        assert.strictEqual((yield* actionsOf(after.id)).filter((action) => action === "grant.revoked").length, 1)
        agrees(made, after, yield* clock)
      })
    )
  })
})

describe("a lease", () => {
  it.effect("that was lost before the call is noticed: the provider is not asked", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const stopped = stoppedAt("grant.started")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
        yield* stopped.reached
        yield* TestClock.adjust("61 seconds")
        yield* stopped.wake
        const seen = yield* Fiber.join(fiber)
        assert.deepStrictEqual([seen.state, made.platform.grants().length], ["APPROVED", 0])
        yield* pass(other, 60)
        agrees(made, yield* stored(seen.id), yield* clock)
        assert.strictEqual((yield* stored(seen.id)).state, "ACTIVE")
      })
    )
  })

  it.effect("is whole again when the call begins, however long the reading took", () => {
    const made = world()
    return inWorld(made, (other) =>
      Effect.gen(function* () {
        const stopped = stoppedAt("grant.started")
        const first = yield* engine(stopped.at)
        const fiber = yield* Effect.forkChild(approvedBy(first), { startImmediately: true })
        yield* stopped.reached
        yield* TestClock.adjust("50 seconds")
        const call = made.platform.hold("grant", "onRelease")
        yield* stopped.wake
        yield* call.reached
        yield* TestClock.adjust("29 seconds")
        yield* work(other)
        yield* call.release
        assert.strictEqual((yield* Fiber.join(fiber)).state, "ACTIVE")
        assert.strictEqual(made.platform.journal().filter((one) => one.operation === "grant").length, 1)
      })
    )
  })
})

describe("an answer of the provider", () => {
  it.effect("that is lost is asked for again, gives the same right, and is ended twice", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", { kind: "loseAnswer" })
        const first = yield* approvedBy(process)
        assert.strictEqual(first.state, "APPROVED")
        assert.strictEqual(made.platform.live(yield* clock).length, 1)
        yield* pass(process, 10)
        const active = yield* stored(first.id)
        assert.strictEqual(active.state, "ACTIVE")
        assert.strictEqual(made.platform.grants().length, 1)
        yield* process.elevations.revoke(ana, active.id, "done")
        assert.isNotNull((yield* stored(active.id)).grant?.sweepAgainAt ?? null)
        yield* pass(process, 300)
        const after = yield* stored(active.id)
        assert.strictEqual(after.grant?.sweepAgainAt, null)
        assert.strictEqual(
          made.platform.journal().filter((call) => call.operation === "end" && call.requestId === active.id).length,
          2
        )
      })
    )
  })

  it.effect("that never comes is cut off, and tried three times before it is taken back", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const grants = () => made.platform.journal().filter((call) => call.operation === "grant").length
        made.platform.inject("grant", { kind: "hang" }, { kind: "hang" }, { kind: "hang" })
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const approving = yield* Effect.forkChild(
          process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest }),
          { startImmediately: true }
        )
        yield* until(() => grants() === 1)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual((yield* Fiber.join(approving)).state, "APPROVED")
        for (const n of [2, 3]) {
          yield* TestClock.adjust("1 minute")
          yield* workWhileHanging(process, () => grants() === n)
        }
        const ending = yield* stored(asked.id)
        assert.include(["ENDING", "FAILED"], ending.state)
        yield* pass(process, 600)
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, "FAILED")
        assert.strictEqual(after.ending?.why, "unknown_outcome")
        agrees(made, after, yield* clock)
        assert.isTrue((yield* actionsOf(after.id)).includes("grant.closed"))
      })
    )
  })

  it.effect("that was lost is said to the next attempt, with when the first began, and to no first one", () => {
    const told: Array<number | null> = []
    const made = world({
      wrap: (provider) => ({
        ...provider,
        grant: (request) => {
          told.push(request.unknownSince ?? null)
          return provider.grant(request)
        }
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", refusal("none", true), { kind: "loseAnswer" })
        const first = yield* approvedBy(process)
        yield* pass(process, 30)
        const after = yield* stored(first.id)
        assert.strictEqual(after.state, "ACTIVE")
        // An attempt that promised no effect leaves nothing to know of.
        assert.deepStrictEqual(told, [null, null, after.grant?.startedAt ?? 0])
      })
    )
  })

  it.effect("that never came to be is said to its ending, and one that may have is not", () => {
    const told: Array<readonly [boolean, boolean]> = []
    const made = world({
      wrap: (provider) => ({
        ...provider,
        end: (request) => {
          told.push([request.neverGranted === true, request.reference === null])
          return provider.end(request)
        }
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", refusal("none", true))
        const refused = yield* approvedBy(process)
        assert.strictEqual(refused.state, "APPROVED")
        yield* process.elevations.revoke(ana, refused.id, "no longer")
        made.platform.inject("grant", { kind: "loseAnswer" })
        const lost = yield* approvedBy(process)
        assert.strictEqual(lost.state, "APPROVED")
        yield* process.elevations.revoke(ana, lost.id, "no longer")
        const granted = yield* approvedBy(process)
        yield* process.elevations.revoke(ana, granted.id, "no longer")
        assert.deepStrictEqual(told, [
          [true, true],
          [false, true],
          [false, false]
        ])
      })
    )
  })

  it.effect("that refuses without effect fails at once, and no ending is needed", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", refusal("none", false))
        const after = yield* approvedBy(process)
        assert.strictEqual(after.state, "FAILED")
        assert.strictEqual(after.ending, null)
        yield* pass(process, 3600)
        assert.strictEqual(made.platform.journal().filter((call) => call.operation === "end").length, 0)
        assert.deepStrictEqual((yield* actionsOf(after.id)).slice(-2), ["grant.attempt_failed", "grant.failed"])
      })
    )
  })

  it.effect("that refuses for good after an unknown one goes through ENDING", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", { kind: "loseAnswer" }, refusal("none", false))
        const first = yield* approvedBy(process)
        yield* pass(process, 10)
        const after = yield* stored(first.id)
        assert.strictEqual(after.state, "FAILED")
        assert.strictEqual(after.ending?.why, "unknown_outcome")
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("that asks for patience is retried later and later", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", ...Array.from({ length: 5 }, () => refusal("none", true)))
        const first = yield* approvedBy(process)
        assert.strictEqual(first.state, "APPROVED")
        const tries: Array<number> = []
        let seen = 0
        while ((yield* stored(first.id)).state === "APPROVED") {
          yield* pass(process, 1)
          const attempts = (yield* stored(first.id)).grant?.attempts ?? 0
          if (attempts !== seen) tries.push((yield* clock) - start)
          seen = attempts
        }
        assert.strictEqual((yield* stored(first.id)).state, "ACTIVE")
        const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))
        assert.isAbove(gaps.at(-1) ?? 0, (gaps[0] ?? 0) * 3, `gaps: ${gaps.join(", ")}`)
      })
    )
  })

  it.effect("that names a time is asked again after it", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", { kind: "throttle", retryAfterSeconds: 120 })
        const first = yield* approvedBy(process)
        yield* pass(process, 119)
        assert.strictEqual((yield* stored(first.id)).state, "APPROVED")
        yield* pass(process, 1)
        assert.strictEqual((yield* stored(first.id)).state, "ACTIVE")
      })
    )
  })

  it.effect("that grants for longer than approved is ended when what was approved is over", () => {
    const made = world({
      wrap: (provider) => ({
        ...provider,
        grant: (request) =>
          Effect.map(provider.grant(request), (granted) => ({
            ...granted,
            notAfter: Times.plusSeconds(granted.notAfter, 3600)
          }))
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        assert.strictEqual(active.grant?.notAfter, Times.plusSeconds(start, 3600))
        assert.strictEqual(active.grant?.providerNotAfter, Times.plusSeconds(start, 7200))
        yield* pass(process, 3600)
        const after = yield* stored(active.id)
        assert.strictEqual(after.state, "EXPIRED")
        assert.isTrue(made.platform.journal().some((call) => call.operation === "end"))
      })
    )
  })

  it.effect("that throws is an unknown outcome, not a lost request", () => {
    let thrown = false
    const made = world({
      wrap: (provider) => ({
        ...provider,
        grant: (request) => {
          if (thrown) return provider.grant(request)
          thrown = true
          return Effect.die(new TypeError("a bug of the provider"))
        }
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const first = yield* approvedBy(process)
        assert.strictEqual(first.state, "APPROVED")
        assert.isTrue(first.grant?.outcomeUnknown)
        yield* pass(process, 60)
        assert.strictEqual((yield* stored(first.id)).state, "ACTIVE")
      })
    )
  })
})

describe("while it is granted", () => {
  const held = (body: (process: Process, request: Request) => Effect.Effect<unknown, unknown, Store>, into: string) => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const call = made.platform.hold("grant", "onRelease")
        const approving = yield* Effect.forkChild(
          process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest }),
          { startImmediately: true }
        )
        yield* call.reached
        yield* body(process, yield* stored(asked.id))
        yield* work(process)
        assert.strictEqual((yield* stored(asked.id)).state, "ENDING")
        yield* call.release
        yield* Fiber.join(approving)
        yield* pass(process, 120)
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, into)
        agrees(made, after, yield* clock)
        assert.isTrue((yield* actionsOf(after.id)).includes("grant.taken_back"))
      })
    )
  }

  it.effect("a revocation wins: what the provider then gives is taken back", () =>
    held((process, request) => process.elevations.revoke(ana, request.id, "stop"), "REVOKED")
  )

  it.effect("a lock wins", () =>
    held((process) => process.principals.lock(cleo, { kind: "everything" }, "incident"), "REVOKED")
  )

  it.effect("a caller that goes away cancels nothing", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const call = made.platform.hold("grant", "onRelease")
        const approving = yield* Effect.forkChild(
          process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest }),
          { startImmediately: true }
        )
        yield* call.reached
        approving.interruptUnsafe()
        yield* call.release
        yield* Fiber.await(approving)
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, "ACTIVE")
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("nobody gets it started after its deadline: it goes through ENDING to FAILED", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject(
          "grant",
          ...Array.from({ length: 40 }, () => refusal("none", true, { retryAfterSeconds: 60 }))
        )
        const first = yield* approvedBy(process)
        yield* pass(process, 899)
        assert.strictEqual((yield* stored(first.id)).state, "APPROVED")
        yield* pass(process, 1)
        const after = yield* stored(first.id)
        assert.strictEqual(after.state, "FAILED")
        assert.strictEqual(after.ending?.why, "start_deadline")
        assert.isTrue((yield* actionsOf(after.id)).includes("grant.ending"))
        agrees(made, after, yield* clock)
      })
    )
  })
})

describe("an ending", () => {
  it.effect("that is refused goes on for ever, and needs attention after a while: a flag, an entry, an alert", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        made.platform.inject("end", ...Array.from({ length: 30 }, () => refusal("none", false)))
        const revoked = yield* process.elevations.revoke(ana, active.id, "done")
        assert.strictEqual(revoked.state, "ENDING")
        yield* pass(process, 400)
        assert.strictEqual((yield* stored(active.id)).ending?.needsAttention, false)
        // The tenth try is due by then, whatever the jitter.
        yield* pass(process, 800)
        const waiting = yield* stored(active.id)
        assert.strictEqual(waiting.state, "ENDING")
        assert.isTrue(waiting.ending?.needsAttention)
        assert.isTrue((yield* actionsOf(active.id)).includes("grant.needs_attention"))
        const alerts = () => made.channel.told.filter((one) => one.event === "needs_attention").length
        const first = alerts()
        assert.isAtLeast(first, 1)
        yield* pass(process, 24 * 3600)
        const after = yield* stored(active.id)
        assert.strictEqual(after.state, "REVOKED")
        assert.isAbove(after.ending?.attempts ?? 0, 20)
        assert.isAbove(alerts(), first)
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("that takes long between tries alerts when it crosses the threshold, not at the tenth try", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        made.platform.inject(
          "end",
          ...Array.from({ length: 4 }, () => refusal("none", true, { retryAfterSeconds: 650 }))
        )
        yield* process.elevations.revoke(ana, active.id, "done")
        yield* pass(process, 900)
        assert.strictEqual(made.channel.told.filter((one) => one.event === "needs_attention").length, 1)
      })
    )
  })

  it.effect("of a provider that is not configured any more is never called done", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        const bare = yield* engine().pipe(Effect.provideService(Providers, make([])))
        yield* bare.elevations.revoke(ana, active.id, "done")
        yield* pass(bare, 3600)
        const waiting = yield* stored(active.id)
        assert.strictEqual(waiting.state, "ENDING")
        assert.isTrue(waiting.ending?.needsAttention)
        assert.include(waiting.ending?.lastError, "not configured")
        yield* pass(process, 600)
        const after = yield* stored(active.id)
        assert.strictEqual(after.state, "REVOKED")
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("that the provider calls gone already is confirmed", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        made.platform.remove(active.id)
        made.platform.inject("end", {
          kind: "failBefore",
          error: new ProviderError({
            provider: "memory",
            reason: "AlreadyGone",
            retryable: false,
            effect: "none",
            message: "gone",
            hint: ""
          })
        })
        assert.strictEqual((yield* process.elevations.revoke(ana, active.id, "x")).state, "REVOKED")
      })
    )
  })

  it.effect("for the second time needs attention too when it does not come about", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.inject("grant", { kind: "loseAnswer" })
        const first = yield* approvedBy(process)
        yield* pass(process, 10)
        yield* process.elevations.revoke(ana, first.id, "done")
        made.platform.inject("end", ...Array.from({ length: 12 }, () => refusal("none", true)))
        yield* pass(process, 3600)
        const after = yield* stored(first.id)
        assert.strictEqual(after.state, "REVOKED")
        assert.strictEqual(after.grant?.sweepAgainAt, null)
        const actions = yield* actionsOf(first.id)
        assert.strictEqual(actions.filter((action) => action === "grant.needs_attention").length, 1)
        assert.strictEqual(actions.at(-1), "grant.closed")
      })
    )
  })
})

describe("a grant that is active", () => {
  it.effect("ends although the clock was set back when its expiry came", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        const jobs = yield* Jobs
        yield* TestClock.adjust("1 hour")
        const [job] = yield* jobs.claim({ holder: "t", limit: 1, leaseSeconds: 60, id: jobId.expire(active.id) })
        assert.isDefined(job)
        yield* TestClock.setTime(start + 3_590_000)
        yield* process.granter.work(job)
        assert.strictEqual((yield* stored(active.id)).state, "ACTIVE")
        yield* pass(process, 60)
        const after = yield* stored(active.id)
        assert.strictEqual(after.state, "EXPIRED")
        agrees(made, after, yield* clock)
      })
    )
  })

  it.effect("is not cut off by a second ending that comes for whatever reason", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        const { now } = yield* process.transitions.facts({})
        yield* process.transitions.commit({ now, records: [], jobs: [sweepJob(active, now, "memory:x")] })
        yield* work(process)
        assert.strictEqual((yield* stored(active.id)).state, "ACTIVE")
        agrees(made, yield* stored(active.id), yield* clock)
      })
    )
  })

  it.effect("keeps its credentials sealed, and loses them with its end", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* approvedBy(process)
        const store = yield* Store
        const sealed = yield* store.credentials(active.id)
        assert.strictEqual(sealed._tag, "Some")
        const { values } = yield* process.elevations.credentials(ana, active.id)
        const secret = values["MEMORY_TOKEN"] ?? ""
        assert.isAbove(secret.length, 0)
        assert.notInclude(JSON.stringify(sealed), secret)
        yield* process.elevations.revoke(ana, active.id, "done")
        assert.strictEqual((yield* store.credentials(active.id))._tag, "None")
        for (const line of yield* log) assert.notInclude(JSON.stringify(line), secret)
        assert.notInclude(JSON.stringify(yield* stored(active.id)), secret)
        assert.notInclude(JSON.stringify(made.channel.told), secret)
      })
    )
  })
})

describe("break-glass", () => {
  for (const mode of ["fails", "breaks", "hangs"] as const) {
    it.effect(`is granted although the channel ${mode}, and the alert was claimed first and is tried again`, () => {
      const made = world()
      return inWorld(made, (process) =>
        Effect.gen(function* () {
          made.channel.mode = mode
          const broken = yield* process.elevations.request(ana, ask("admin", { breakGlass: true }), origin)
          assert.strictEqual(broken.state, "ACTIVE")
          assert.deepStrictEqual(
            made.channel.told.map((one) => one.event),
            ["break_glass"]
          )
          const alert = jobId.notify(broken.id, "break_glass", 1)
          if (mode === "hangs") {
            yield* until(() => true)
            yield* TestClock.adjust("31 seconds")
          }
          made.channel.mode = "takes"
          yield* pass(process, 120)
          assert.isAtLeast(made.channel.told.filter((one) => one.id === alert).length, 2)
          agrees(made, yield* stored(broken.id), yield* clock)
        })
      )
    })
  }

  it.effect("is not granted before its alert was claimed, whoever claims first", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const jobs = yield* Jobs
        const faults = yield* Faults
        // The request path dies right after the commit.
        yield* faults.next("claim", "failBefore")
        yield* faults.next("claim", "failBefore")
        const broken = yield* process.elevations.request(ana, ask("admin", { breakGlass: true }), origin)
        assert.strictEqual(broken.state, "APPROVED")
        const early = yield* jobs.claim({ holder: "x", limit: 1, leaseSeconds: 60, id: jobId.grant(broken.id) })
        assert.deepStrictEqual(early, [])
        yield* pass(process, 5)
        assert.strictEqual((yield* stored(broken.id)).state, "ACTIVE")
        assert.strictEqual(made.channel.told[0]?.event, "break_glass")
      })
    )
  })

  it.effect("is reminded of until its review is closed", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const broken = yield* process.elevations.request(ana, ask("admin", { breakGlass: true }), origin)
        const reminders = () => made.channel.told.filter((one) => one.event === "break_glass_review").length
        yield* pass(process, 72 * 3600 - 1)
        assert.strictEqual(reminders(), 0)
        yield* pass(process, 1)
        assert.strictEqual(reminders(), 1)
        yield* pass(process, 72 * 3600)
        assert.strictEqual(reminders(), 2)
        yield* process.principals.signIn({ ...cleo, groupsReadAt: yield* clock })
        yield* process.elevations.closeReview(cleo, broken.id, "it was an incident")
        yield* pass(process, 10 * 72 * 3600)
        assert.strictEqual(reminders(), 2)
      })
    )
  })
})

describe("telling somebody", () => {
  it.effect("is tried for a day, then is an entry and a dead letter, and nothing else suffers", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.channel.mode = "fails"
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* pass(process, 23 * 3600)
        const dead = Effect.flatMap(Jobs, (jobs) =>
          Effect.map(jobs.counts, (all) => all.find((one) => one.kind === "notify")?.dead ?? 0)
        )
        assert.strictEqual(yield* dead, 0)
        assert.isAbove(made.channel.told.length, 50)
        yield* pass(process, 2 * 3600)
        assert.strictEqual(yield* dead, 1)
        const line = (yield* log).find((one) => one.action === "notification.failed")
        assert.include(line?.details, { event: "request_created", channel: "pager" })
        assert.strictEqual((yield* stored(asked.id)).state, "LAPSED")
      })
    )
  })
})

describe("a store in trouble", () => {
  it.effect("that loses the answer of a commit makes nothing happen twice", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        for (let i = 0; i < 3; i++) yield* faults.next("commit", "failAfter")
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(active.state, "ACTIVE")
        assert.deepStrictEqual(yield* actionsOf(active.id), [
          "request.created",
          "request.routed",
          "request.auto_approved",
          "grant.started",
          "grant.issued"
        ])
        assert.strictEqual(made.platform.grants().length, 1)
      })
    )
  })

  it.effect("that is down when the provider has answered gives the job to the next", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const call = made.platform.hold("grant", "atOnce")
        const approving = yield* Effect.forkChild(
          Effect.exit(process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest })),
          { startImmediately: true }
        )
        yield* call.reached
        yield* faults.down(true)
        yield* call.release
        yield* Fiber.join(approving)
        yield* faults.down(false)
        assert.strictEqual((yield* stored(asked.id)).state, "APPROVED")
        yield* pass(process, 120)
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, "ACTIVE")
        assert.strictEqual(made.platform.grants().length, 1)
        agrees(made, after, yield* clock)
        yield* process.elevations.revoke(ana, after.id, "x")
        yield* pass(process, 300)
        assert.isTrue((yield* actionsOf(after.id)).includes("grant.closed"))
      })
    )
  })

  it.effect("that loses every race ends in contention, and nothing is done", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        for (let i = 0; i < 12; i++) yield* faults.next("commit", "conflict", (step) => step.writes.length > 0)
        const before = (yield* log).length
        assert.strictEqual(
          yield* refusalOf(process.elevations.request(ana, ask("reader"), origin)),
          "unavailable: contention"
        )
        assert.strictEqual((yield* log).length, before)
        assert.deepStrictEqual(yield* faults.waiting, [])
        assert.strictEqual((yield* process.elevations.request(ana, ask("reader"), origin)).state, "ACTIVE")
      })
    )
  })

  it.effect("that is down refuses with trouble, not with a refusal", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        yield* faults.down(true)
        assert.strictEqual(
          yield* refusalOf(process.elevations.request(ana, ask("reader"), origin)),
          "unavailable: store"
        )
        assert.strictEqual(yield* refusalOf(process.principals.get(ana, ana)), "unavailable: store")
        yield* faults.down(false)
        assert.strictEqual(made.platform.grants().length, 0)
      })
    )
  })
})
