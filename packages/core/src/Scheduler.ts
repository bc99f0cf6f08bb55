/**
 * Finds due work and hands it to the granter. No logic of its own, and nobody is leader: a tick claims due jobs in one
 * short transaction and holds nothing but their leases.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { Scope } from "effect/Scope"
import * as Stream from "effect/Stream"
import { Granter } from "./Granter.ts"
import { Jobs, type Job } from "./Job.ts"
import { Settings } from "./Settings.ts"
import { Store } from "./Store.ts"

export class Scheduler extends Context.Service<
  Scheduler,
  {
    /** One tick: claims what is due and does it. The number of jobs done. */
    readonly tick: Effect.Effect<number>
    /** Tick until the scope ends: when work is announced, and at every poll. What runs then, runs to its end. */
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
  /**
   * How long after an announcement it claims: whoever commits does at once what that caused, and its caller waits for
   * it (`Granter.settle`), so others let it go first. Default 0.
   */
  readonly headStartMillis?: number
}

const make = (options: SchedulerOptions) =>
  Effect.gen(function* () {
    const jobs = yield* Jobs
    const granter = yield* Granter
    const store = yield* Store
    const settings = yield* Settings
    const holder = globalThis.crypto.randomUUID()
    const headStart = options.headStartMillis ?? 0
    const running = yield* Ref.make(0)
    const draining = yield* Ref.make(false)

    const claim = Effect.gen(function* () {
      if (yield* Ref.get(draining)) return []
      const free = options.concurrency - (yield* Ref.get(running))
      if (free <= 0) return []
      const claimed = yield* jobs.claim({ holder, limit: free, leaseSeconds: settings.leaseSeconds })
      // Counted as soon as they are claimed: the next claim must not take what this one has no room for.
      yield* Ref.update(running, (count) => count + claimed.length)
      return claimed
    }).pipe(
      Effect.uninterruptible,
      Effect.catch((error) => Effect.as(Effect.logWarning(`the scheduler could not claim work: ${error.message}`), []))
    )

    const one = (job: Job) =>
      Effect.ensuring(
        granter.work(job),
        Ref.update(running, (count) => count - 1)
      ).pipe(Effect.uninterruptible)

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
        yield* Effect.forEach(claimed, (job) => Effect.forkIn(one(job), scope, { startImmediately: true }), {
          discard: true
        })
        return claimed.length
      }).pipe(Effect.uninterruptible)
      const loop = Effect.gen(function* () {
        // As long as there is more, do not wait.
        while ((yield* step) > 0) yield* Effect.yieldNow
        yield* Effect.raceFirst(Effect.sleep(options.pollMillis), nextChange)
      })
      // Nothing else would claim in this process: what breaks the loop is reported, and the loop goes on.
      const supervised = Effect.catchDefect(loop, (defect) =>
        Effect.andThen(Effect.logError("the scheduler broke and goes on", defect), Effect.sleep(options.pollMillis))
      )
      yield* Effect.forkIn(Effect.forever(supervised), scope)
    })

    // Announcements that end (a lost connection) leave the poll.
    const nextChange = store.changes.pipe(
      Stream.filter((change) => change.jobs),
      Stream.runHead,
      Effect.flatMap((found) =>
        Option.isNone(found) ? Effect.never : headStart === 0 ? Effect.void : Effect.sleep(headStart)
      )
    )

    return Scheduler.of({ tick, start, busy: Ref.get(running), drain: Ref.set(draining, true) })
  })

export const layer = (
  options: SchedulerOptions = { concurrency: 32, pollMillis: 500 }
): Layer.Layer<Scheduler, never, Jobs | Granter | Store | Settings> => Layer.effect(Scheduler, make(options))
