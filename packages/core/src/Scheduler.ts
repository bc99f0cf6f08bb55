/**
 * Finds due work and hands it to the granter. No logic of its own, and nobody is leader: a tick claims due jobs in one
 * short transaction and holds nothing but their leases.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type { Scope } from "effect/Scope"
import * as Stream from "effect/Stream"
import { Granter } from "./Granter.ts"
import { Jobs } from "./Job.ts"
import { Settings } from "./Settings.ts"
import { Store } from "./Store.ts"

export class Scheduler extends Context.Service<
  Scheduler,
  {
    /** One tick: claims what is due and does it. The number of jobs done. */
    readonly tick: Effect.Effect<number>
    /** Tick until the scope ends: when something is committed, when the next job is due, and at least every second. */
    readonly start: Effect.Effect<void, never, Scope>
    /** Jobs that this process is doing now; draining waits for 0. */
    readonly busy: Effect.Effect<number>
    /** Claim nothing more; what runs, runs to its end. */
    readonly drain: Effect.Effect<void>
  }
>()("@jitsudo/core/Scheduler") {}

export interface SchedulerOptions {
  /** Jobs at once in this process. */
  readonly concurrency: number
  /** The poll behind the announcements, in milliseconds. */
  readonly pollMillis: number
}

const make = (options: SchedulerOptions) =>
  Effect.gen(function* () {
    const jobs = yield* Jobs
    const granter = yield* Granter
    const store = yield* Store
    const settings = yield* Settings
    const holder = globalThis.crypto.randomUUID()
    const running = yield* Ref.make(0)
    const draining = yield* Ref.make(false)

    const claim = Effect.gen(function* () {
      if (yield* Ref.get(draining)) return []
      const free = options.concurrency - (yield* Ref.get(running))
      if (free <= 0) return []
      return yield* jobs.claim({ holder, limit: free, leaseSeconds: settings.leaseSeconds })
    }).pipe(
      Effect.catch((error) => Effect.as(Effect.logWarning(`the scheduler could not claim work: ${error.message}`), []))
    )

    const one = (job: Parameters<typeof granter.work>[0]) =>
      Effect.acquireUseRelease(
        Ref.update(running, (count) => count + 1),
        () => granter.work(job),
        () => Ref.update(running, (count) => count - 1)
      )

    const tick = Effect.gen(function* () {
      const claimed = yield* claim
      yield* Effect.forEach(claimed, one, { concurrency: "unbounded", discard: true })
      return claimed.length
    })

    // Work is forked, so that one slow provider never holds up the next tick.
    const start = Effect.gen(function* () {
      const scope = yield* Effect.scope
      const step = Effect.gen(function* () {
        const claimed = yield* claim
        yield* Effect.forEach(claimed, (job) => Effect.forkIn(one(job), scope), { discard: true })
        return claimed.length
      })
      const loop = Effect.gen(function* () {
        // As long as there is more, do not wait.
        while ((yield* step) > 0) yield* Effect.yieldNow
        yield* Effect.raceFirst(Effect.sleep(options.pollMillis), nextChange)
      })
      yield* Effect.forkIn(Effect.forever(loop), scope)
    })

    const nextChange = store.changes.pipe(
      Stream.filter((change) => change.jobs),
      Stream.take(1),
      Stream.runDrain
    )

    return Scheduler.of({ tick, start, busy: Ref.get(running), drain: Ref.set(draining, true) })
  })

export const layer = (
  options: SchedulerOptions = { concurrency: 32, pollMillis: 500 }
): Layer.Layer<Scheduler, never, Jobs | Granter | Store | Settings> => Layer.effect(Scheduler, make(options))
