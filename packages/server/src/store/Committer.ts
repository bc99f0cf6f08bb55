/**
 * The one writer of a process: takes the steps that wait, commits them together, answers each when it is durable.
 *
 * 1. No timer: a lone step goes at once; under load, what waited while the last batch was written is the next batch.
 * 2. The queue is bounded. Beyond it a step is refused with `overloaded` before anything happened.
 * 3. A caller that goes away does not withdraw its step.
 * 4. An answer means durable: the driver answers after the server's commit, never before.
 * 5. A lost reply is run again under the same step ids: the database answers a step that it knows with its first
 *    receipt. Only when no connection comes back in time is the outcome `unknown`.
 * 6. A statement that fails is run again step by step, so that only the faulty step fails.
 *
 * It decides nothing: guards, order and hashes are the database function's.
 */
import type { Step } from "@jitsudo/core"
import { StepShape, Store } from "@jitsudo/core"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { isSqlError, type SqlError } from "effect/sql/SqlError"
import { Database } from "./Database.ts"
import { isContention, isLost, storeError } from "./SqlFailure.ts"
import {
  conflictOf,
  fits,
  type Footprint,
  footprintOf,
  parameters,
  receiptOf,
  type Row,
  statement,
  whyUnsendable
} from "./StepBatch.ts"

export interface Options {
  /** Steps that may wait. Default 1,024. */
  readonly capacity?: number
  /** Steps in one statement. Default 128. */
  readonly batchSize?: number
}

export interface Committer {
  readonly commit: (step: Step.Step) => Effect.Effect<Step.Receipt, Store.StepConflict | Store.StoreError>
  /** Steps that wait and statements that were sent, for metrics. */
  readonly load: () => { readonly waiting: number; readonly batches: number; readonly steps: number }
}

interface Waiting {
  readonly step: Step.Step
  readonly footprint: Footprint
  readonly answer: Deferred.Deferred<Step.Receipt, Store.StepConflict | Store.StoreError>
}

/** How often a batch is tried over, and how long it may wait for the first and the last retry, in milliseconds. */
const retries = { lost: 8, contention: 6, first: 20, longest: 1_000 } as const

/** Beyond the server's own time-out for a statement: then the connection itself is dead. */
const replyTimeout = "13 seconds"

/** The connection gave no answer in time. */
const silent = Symbol("no reply")

type Attempt =
  | { readonly kind: "answered"; readonly rows: ReadonlyArray<Row> }
  | { readonly kind: "unreachable" | "failed"; readonly error: SqlError }
  | { readonly kind: "lost"; readonly error: SqlError | typeof silent }

export const make = Effect.fnUntraced(function* (options: Options = {}) {
  const capacity = options.capacity ?? 1_024
  const batchSize = options.batchSize ?? 128
  const database = yield* Database
  const waiting: Array<Waiting> = []
  const work = Latch.makeUnsafe(false)
  const idle = Latch.makeUnsafe(true)
  let closed = false
  let batches = 0
  let steps = 0

  // ---- the session: opened when needed, thrown away when it fails

  let session: { readonly sql: PgClient; readonly scope: Scope.Closeable } | undefined

  const open = Effect.gen(function* () {
    if (session !== undefined) return session
    const scope = yield* Scope.make()
    const sql = yield* database.connect.pipe(
      Scope.provide(scope),
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    session = { sql, scope }
    return session
  })

  /** Closing a dead connection may take long: nobody waits for it. */
  const drop = Effect.suspend(() => {
    const dropped = session
    session = undefined
    return dropped === undefined ? Effect.void : Effect.forkDetach(Scope.close(dropped.scope, Exit.void))
  })

  const attempt = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>): Effect.fn.Return<Attempt> {
    const opened = yield* Effect.exit(open)
    if (Exit.isFailure(opened)) {
      const error = Cause.squash(opened.cause)
      if (isSqlError(error)) return { kind: "unreachable", error }
      return yield* Effect.die(error)
    }
    const { sql, scope } = opened.value
    const call = sql.unsafe<Row>(statement, parameters(batch.map((one) => one.step)))
    // In the session's scope, so that giving up on a silent server does not wait for it.
    const running = yield* Effect.forkIn(call, scope, { startImmediately: true })
    const exit = yield* Effect.timeoutOption(Fiber.await(running), replyTimeout)
    if (Option.isNone(exit)) {
      yield* drop
      return { kind: "lost", error: silent }
    }
    if (Exit.isSuccess(exit.value)) return { kind: "answered", rows: exit.value.value }
    const error = Cause.squash(exit.value.cause)
    if (!isSqlError(error)) return yield* Effect.die(error)
    if (!isLost(error)) return { kind: "failed", error }
    yield* drop
    return { kind: "lost", error }
  })

  // ---- one batch

  const answer = (one: Waiting, row: Row | undefined): void => {
    if (row === undefined) {
      Deferred.doneUnsafe(one.answer, Exit.die(new Error(`commit_steps gave no answer for step ${one.step.id}`)))
    } else if (row.outcome === "conflict") {
      Deferred.doneUnsafe(one.answer, Exit.fail(new Store.StepConflict({ conflict: conflictOf(row) })))
    } else {
      Deferred.doneUnsafe(one.answer, Exit.succeed(receiptOf(one.step, row)))
    }
  }

  const refuse = (batch: ReadonlyArray<Waiting>, error: Store.StoreError): void => {
    for (const one of batch) Deferred.doneUnsafe(one.answer, Exit.fail(error))
  }

  const failure = (error: SqlError | typeof silent, outcome: "none" | "unknown"): Store.StoreError =>
    error === silent
      ? new Store.StoreError({
          outcome,
          reason: "unavailable",
          retryable: true,
          message: "commit: the database did not answer in time"
        })
      : storeError("commit", outcome)(error)

  const backoff = (attempt: number) =>
    Effect.flatMap(Random.next, (part) =>
      Effect.sleep(Math.min(retries.longest, retries.first * 2 ** attempt) * (0.5 + part / 2))
    )

  const run = Effect.fnUntraced(function* (batch: ReadonlyArray<Waiting>): Effect.fn.Return<void> {
    // Something of this batch may have reached the database without an answer.
    let sent = false
    let last: SqlError | typeof silent = silent
    for (let lost = 0, contended = 0; lost < retries.lost && contended < retries.contention;) {
      const result = yield* attempt(batch)
      switch (result.kind) {
        case "answered": {
          batches += 1
          steps += batch.length
          for (const [index, one] of batch.entries()) answer(one, result.rows[index])
          return
        }
        case "lost":
          sent = true
          last = result.error
          yield* backoff(lost++)
          break
        case "unreachable":
          last = result.error
          if (!isLost(result.error)) return refuse(batch, failure(result.error, sent ? "unknown" : "none"))
          yield* backoff(lost++)
          break
        case "failed":
          last = result.error
          if (isContention(result.error)) {
            yield* backoff(contended++)
            break
          }
          if (batch.length === 1) return refuse(batch, failure(result.error, sent ? "unknown" : "none"))
          for (const one of batch) yield* run([one])
          return
      }
    }
    refuse(batch, failure(last, sent ? "unknown" : "none"))
  })

  /** What waits longest, and everything behind it that may share its statement. */
  const take = (): ReadonlyArray<Waiting> => {
    const batch: Array<Waiting> = []
    const reads = new Set<string>()
    const writes = new Set<string>()
    let kept = 0
    for (const [index, one] of waiting.entries()) {
      if (batch.length < batchSize && fits({ reads, writes }, one.footprint)) {
        batch.push(one)
        for (const name of one.footprint.reads) reads.add(name)
        for (const name of one.footprint.writes) writes.add(name)
      } else {
        waiting[kept++] = waiting[index] ?? one
      }
    }
    waiting.length = kept
    return batch
  }

  let inFlight: ReadonlyArray<Waiting> = []
  let crowded = false

  const loop = Effect.gen(function* () {
    yield* work.await
    idle.closeUnsafe()
    // Not a timer: under load whoever can run now hands in first, such as those whom the last batch just answered.
    if (crowded) yield* Effect.yieldNow
    inFlight = take()
    crowded = inFlight.length > 1
    if (waiting.length === 0) work.closeUnsafe()
    yield* Effect.catchDefect(run(inFlight), (defect) =>
      Effect.sync(() => {
        for (const one of inFlight) Deferred.doneUnsafe(one.answer, Exit.die(defect))
      })
    )
    inFlight = []
    if (waiting.length === 0) idle.openUnsafe()
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      const stopped = new Store.StoreError({
        outcome: "unknown",
        reason: "unavailable",
        retryable: true,
        message: "commit: the store was closed"
      })
      refuse(inFlight, stopped)
      refuse(
        waiting,
        new Store.StoreError({
          outcome: "none",
          reason: "unavailable",
          retryable: true,
          message: "commit: the store was closed"
        })
      )
    }).pipe(Effect.andThen(drop))
  )
  yield* Effect.forkScoped(Effect.forever(loop))
  // Runs first when the scope closes: what was taken is finished, nothing new is taken.
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      return Effect.timeoutOption(idle.await, "10 seconds")
    })
  )

  const commit = (step: Step.Step): Effect.Effect<Step.Receipt, Store.StepConflict | Store.StoreError> =>
    Effect.suspend(() => {
      const malformed = StepShape.whyMalformed(step) ?? whyUnsendable(step)
      if (malformed !== null) {
        return Effect.fail(
          new Store.StoreError({
            outcome: "none",
            reason: "invalid",
            retryable: false,
            message: `step ${step.id}: ${malformed}`
          })
        )
      }
      if (closed) {
        return Effect.fail(
          new Store.StoreError({
            outcome: "none",
            reason: "unavailable",
            retryable: true,
            message: "commit: the store is closing"
          })
        )
      }
      if (waiting.length >= capacity) {
        return Effect.fail(
          new Store.StoreError({
            outcome: "none",
            reason: "overloaded",
            retryable: true,
            message: `commit: ${capacity} changes are waiting already; try again in a moment`
          })
        )
      }
      const one: Waiting = { step, footprint: footprintOf(step), answer: Deferred.makeUnsafe() }
      waiting.push(one)
      idle.closeUnsafe()
      work.openUnsafe()
      return Deferred.await(one.answer)
    })

  return { commit, load: () => ({ waiting: waiting.length, batches, steps }) } satisfies Committer
})
