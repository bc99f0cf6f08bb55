/** The scheduler claims what is due, never more than it has room for, and leaves nothing half done when it stops. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Granter } from "../src/Granter.ts"
import { Jobs, type Job } from "../src/Job.ts"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import * as Scheduler from "../src/Scheduler.ts"
import * as Settings from "../src/Settings.ts"
import type { Step } from "../src/Step.ts"
import { Store } from "../src/Store.ts"
import { Faults, over } from "../src/testing/Faults.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import * as Times from "../src/Time.ts"
import { until } from "./support/EngineWorld.ts"

const start = Fixtures.monday

let steps = 0
const put = (...ids: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const store = yield* Store
    const step: Step = {
      id: Fixtures.id("stp", ++steps),
      now: start,
      guards: [],
      writes: [],
      entries: [],
      jobs: ids.map((id) => Fixtures.job(id, start))
    }
    yield* store.commit(step)
  })

/** A granter that notes what it is given, and waits until it is let go. */
const noting = (settles = true) => {
  const given: Array<string> = []
  const gate = Deferred.makeUnsafe<void>()
  const granter = Layer.effect(
    Granter,
    Effect.gen(function* () {
      const store = yield* Store
      return Granter.of({
        hurry: () => Effect.void,
        settle: () => Effect.void,
        work: (job: Job) =>
          Effect.gen(function* () {
            given.push(job.id)
            yield* Deferred.await(gate)
            if (settles) {
              yield* store.commit({
                id: `stp_${job.id}_${job.lease}`,
                now: Times.make(yield* Effect.clockWith((clock) => clock.currentTimeMillis)),
                guards: [{ kind: "lease", jobId: job.id, lease: job.lease }],
                writes: [{ kind: "settle", jobId: job.id }],
                entries: [],
                jobs: []
              })
            }
          }).pipe(Effect.orDie)
      })
    })
  )
  return { given, open: Deferred.succeed(gate, undefined), granter }
}

const running = (granter: ReturnType<typeof noting>, options: Scheduler.SchedulerOptions) =>
  Scheduler.layer(options).pipe(
    Layer.provideMerge(granter.granter),
    Layer.provideMerge(Layer.merge(over(MemoryStore.layer), Settings.layer()))
  )

describe("the scheduler", () => {
  it.effect("does in a tick what is due, and says how much", () => {
    const granter = noting()
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* granter.open
      const scheduler = yield* Scheduler.Scheduler
      yield* put("a", "b", "c")
      assert.strictEqual(yield* scheduler.tick, 3)
      assert.deepStrictEqual([...granter.given].sort(), ["a", "b", "c"])
      assert.strictEqual(yield* scheduler.tick, 0)
      assert.strictEqual(yield* scheduler.busy, 0)
    }).pipe(Effect.provide(running(granter, { concurrency: 8, pollMillis: 500 })))
  })

  it.effect("never has more at work than it may, and takes up the rest as there is room", () => {
    const granter = noting()
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const scheduler = yield* Scheduler.Scheduler
      yield* put(...Array.from({ length: 10 }, (_, n) => `job-${n}`))
      const scope = yield* Scope.make()
      yield* Scope.provide(scheduler.start, scope)
      yield* until(() => granter.given.length >= 3)
      for (let i = 0; i < 50; i++) yield* Effect.yieldNow
      assert.strictEqual(granter.given.length, 3)
      assert.strictEqual(yield* scheduler.busy, 3)
      yield* granter.open
      for (let i = 0; granter.given.length < 10 && i < 50; i++) yield* TestClock.adjust("500 millis")
      assert.strictEqual(granter.given.length, 10)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* scheduler.busy, 0)
    }).pipe(Effect.provide(running(granter, { concurrency: 3, pollMillis: 500 })))
  })

  it.effect("begins at once with what is announced, without waiting for the poll", () => {
    const granter = noting()
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* granter.open
      const scheduler = yield* Scheduler.Scheduler
      const scope = yield* Scope.make()
      yield* Scope.provide(scheduler.start, scope)
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      yield* put("now")
      yield* until(() => granter.given.length === 1)
      assert.deepStrictEqual(granter.given, ["now"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(running(granter, { concurrency: 3, pollMillis: 3_600_000 })))
  })

  it.effect("polls for what nobody announced, also when announcements end", () => {
    const granter = noting()
    const silent = Layer.effect(
      Store,
      Effect.map(Store, (store) => Store.of({ ...store, changes: Stream.empty }))
    )
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* granter.open
      const scheduler = yield* Scheduler.Scheduler
      const scope = yield* Scope.make()
      yield* Scope.provide(scheduler.start, scope)
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      yield* put("quiet")
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.deepStrictEqual(granter.given, [])
      for (let i = 0; granter.given.length === 0 && i < 10; i++) yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(granter.given, ["quiet"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(
      Effect.provide(
        Scheduler.layer({ concurrency: 3, pollMillis: 500 }).pipe(
          Layer.provideMerge(granter.granter),
          Layer.provideMerge(silent),
          Layer.provideMerge(Layer.merge(over(MemoryStore.layer), Settings.layer()))
        )
      )
    )
  })

  it.effect("outlives a store that is down, and one that breaks", () => {
    const granter = noting()
    let breaks = false
    const breaking = Layer.effect(
      Jobs,
      Effect.map(Jobs, (jobs) =>
        Jobs.of({
          ...jobs,
          claim: (options) =>
            Effect.suspend(() => (breaks ? Effect.die(new TypeError("a bug in the store")) : jobs.claim(options)))
        })
      )
    )
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      yield* granter.open
      const faults = yield* Faults
      const scheduler = yield* Scheduler.Scheduler
      const scope = yield* Scope.make()
      yield* put("late")
      yield* faults.down(true)
      assert.strictEqual(yield* scheduler.tick, 0)
      breaks = true
      yield* faults.down(false)
      yield* Scope.provide(scheduler.start, scope)
      for (let i = 0; i < 5; i++) yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(granter.given, [])
      breaks = false
      for (let i = 0; granter.given.length === 0 && i < 10; i++) yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(granter.given, ["late"])
      yield* Scope.close(scope, Exit.void)
    }).pipe(
      Effect.provide(
        Scheduler.layer({ concurrency: 3, pollMillis: 500 }).pipe(
          Layer.provideMerge(granter.granter),
          Layer.provideMerge(breaking),
          Layer.provideMerge(Layer.merge(over(MemoryStore.layer), Settings.layer()))
        )
      )
    )
  })

  it.effect("draining claims nothing more and lets what runs run to its end", () => {
    const granter = noting()
    return Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const scheduler = yield* Scheduler.Scheduler
      const scope = yield* Scope.make()
      yield* put("running")
      yield* Scope.provide(scheduler.start, scope)
      yield* until(() => granter.given.length === 1)
      yield* scheduler.drain
      yield* put("later")
      for (let i = 0; i < 5; i++) yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(granter.given, ["running"])
      assert.strictEqual(yield* scheduler.busy, 1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      for (let i = 0; i < 20; i++) yield* Effect.yieldNow
      assert.isUndefined(closing.pollUnsafe(), "it stopped in the middle of a job")
      yield* granter.open
      yield* until(() => closing.pollUnsafe() !== undefined)
      const jobs = yield* Jobs
      const left = yield* jobs.claim({ holder: "x", limit: 10, leaseSeconds: 60 })
      assert.deepStrictEqual(
        left.map((job) => job.id),
        ["later"]
      )
    }).pipe(Effect.provide(running(granter, { concurrency: 3, pollMillis: 500 })))
  })
})
