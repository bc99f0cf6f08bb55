/**
 * The real engine over a lane's provider: memory ports, everything approved, and one clock. The engine's is a test clock
 * that goes on with the platform's.
 */
import {
  type AuditChain,
  Engine,
  Job,
  Labels,
  Notification,
  type Provider,
  Providers,
  Principals,
  Scheduler,
  Sealer,
  Settings,
  Time
} from "@jitsudo/core"
import { MemoryStore, StaticPolicy } from "@jitsudo/core/memory"
import type { ProviderFixture } from "@jitsudo/providers/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"

/** A turn of the loop of events; a longer one where nothing happened for long. */
const turn = (idle: number) =>
  Effect.promise(
    () => new Promise<void>((resolve) => void (idle < 200 ? setImmediate(resolve) : setTimeout(resolve, 1)))
  )

export const origin = { channel: "embedded", sourceIp: "" }

const ports = (provider: Provider.Provider, installation: string) =>
  Layer.mergeAll(
    MemoryStore.layer,
    StaticPolicy.layer({ eligibility: () => ({ allowed: true }), routing: () => ({ tier: "auto" }) }),
    Providers.layerOf([provider]),
    Labels.layerTable([]),
    Settings.layer({ installation, orphanGraceSeconds: 60 }),
    Sealer.layerMemory,
    Notification.layerNone
  )

/** An engine of the installation of this word, with nothing in its store. */
export const engineOver = (
  provider: Provider.Provider,
  installation = "matrix"
): Layer.Layer<Engine.Services | Engine.Ports | AuditChain.AuditChain> =>
  Engine.layer().pipe(Layer.provideMerge(ports(provider, installation)), Layer.provideMerge(TestClock.layer()))

/** Moves both clocks, and lets what waits for them go on. */
const clocks = (fixture: ProviderFixture, calls: () => number) => {
  const advance = fixture.advance ?? (() => Effect.void)
  /** The platform's time goes on by itself where it stands on this machine's; the engine's follows it. */
  const follow = Effect.gen(function* () {
    const [ours, theirs] = [yield* Clock.currentTimeMillis, yield* fixture.now]
    if (theirs > ours) yield* TestClock.setTime(theirs)
  })
  const moveTo = Effect.fnUntraced(function* (at: number) {
    yield* advance(Math.max(0, at - (yield* fixture.now)) / 1000)
    yield* follow
    if ((yield* Clock.currentTimeMillis) < at) yield* TestClock.setTime(at)
  })
  /**
   * Runs it to its end. A call in flight makes the loop of events turn; where it turned for long and nothing was called,
   * something waits for time alone (a back-off, a poll), and a little of it passes. More passes slowly: what takes that
   * long may be the machine (a module that loads), and must not meet a time limit.
   */
  const drive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function* () {
      yield* follow
      const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
      let [heard, idle, passed] = [calls(), 0, 0]
      while (fiber.pollUnsafe() === undefined) {
        yield* turn(idle)
        if (heard !== calls()) [heard, idle, passed] = [calls(), 0, 0]
        else idle += 1
        if (idle < 230) continue
        yield* moveTo((yield* Clock.currentTimeMillis) + 250)
        passed += 250
        idle -= passed < 5000 ? 4 : 40
      }
      return yield* Fiber.join(fiber)
    })
  return { drive, moveTo }
}

/** What a test does with the engine of its context: let time pass, and have the lane's grantee sign in. */
export const handling = Effect.fnUntraced(function* (fixture: ProviderFixture, calls: () => number) {
  const jobs = yield* Job.Jobs
  const principals = yield* Principals.Principals
  const scheduler = yield* Scheduler.Scheduler
  const { grantee } = fixture
  const { drive, moveTo } = clocks(fixture, calls)
  yield* TestClock.setTime(yield* fixture.now)
  const signIn = Effect.gen(function* () {
    const now = Time.make(yield* Clock.currentTimeMillis)
    yield* Effect.orDie(
      principals.signIn({
        ...grantee,
        groups: [],
        groupsReadAt: now,
        kind: "human",
        owner: null,
        authTime: now,
        amr: []
      })
    )
  })
  const work = Effect.gen(function* () {
    while ((yield* scheduler.tick) > 0);
  })
  /** From one due job to the next. */
  const pass = Effect.fnUntraced(function* (seconds: number) {
    const until = (yield* Clock.currentTimeMillis) + seconds * 1000
    for (;;) {
      yield* drive(work)
      const now = yield* Clock.currentTimeMillis
      const next = yield* Effect.orDie(jobs.nextDue)
      if (next === null || next > until) break
      yield* moveTo(Math.max(next, now + 1))
    }
    yield* moveTo(until)
    yield* drive(work)
  })
  return { drive, pass, signIn }
})
