/**
 * Store, Jobs and AuditChain over one state in this process, with one clock: the guarantees of the SQL store without
 * a database. For tests, examples and embedders that need no memory beyond the process.
 *
 * 1. Commits run one after the other; state changes in one turn of the event loop, so nobody sees half a step.
 * 2. The database's clock is Effect's `Clock`: `TestClock` drives it.
 * 3. Values are copied and frozen when they are written; what is read cannot be changed.
 * 4. Louder than a real store: a step that breaks the engine's own rules (`objectionTo`) is a defect.
 *
 * A caller that goes away does not withdraw its step: commits cannot be interrupted.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { AuditChain } from "../AuditChain.ts"
import * as ChainHasher from "../ChainHasher.ts"
import { Jobs } from "../Job.ts"
import { keyOf } from "../Principal.ts"
import { whyMalformed } from "../StepShape.ts"
import type { Step } from "../Step.ts"
import { type Change, StepConflict, Store, StoreError } from "../Store.ts"
import * as Times from "../Time.ts"
import * as MemoryChain from "./MemoryChain.ts"
import { apply, conflictIn, objectionTo } from "./MemoryCommit.ts"
import * as MemoryJobs from "./MemoryJobs.ts"
import * as Queries from "./MemoryQueries.ts"
import { empty, frozen, type MemoryState } from "./MemoryState.ts"

/** A step that breaks a rule which the engine keeps: a bug, in words for the programmer. */
export class MemoryStoreObjection extends Error {
  override readonly name = "MemoryStoreObjection"
}

const invalid = (message: string): StoreError =>
  new StoreError({ outcome: "none", retryable: false, reason: "invalid", message })

/** The store's clock, in whole milliseconds. */
const now: Effect.Effect<Times.Time> = Effect.map(Clock.currentTimeMillis, (millis) => Times.make(Math.floor(millis)))

/** A read at one instant. What it was asked wrongly is `invalid`. */
const reading = <A>(read: (now: Times.Time) => A): Effect.Effect<A, StoreError> =>
  Effect.flatMap(now, (at) => {
    try {
      return Effect.succeed(read(at))
    } catch (cause) {
      if (cause instanceof Queries.InvalidQuery) return Effect.fail(invalid(cause.message))
      throw cause
    }
  })

/** Bookkeeping. It waits for a commit that is under way: what its guards looked at stands until it is done. */
const writing = <A>(oneByOne: Semaphore.Semaphore, write: (now: Times.Time) => A): Effect.Effect<A> =>
  Effect.uninterruptible(oneByOne.withPermits(1)(Effect.map(now, write)))

const changeOf = (step: Step): Change => ({
  requestIds: step.writes.flatMap((write) => (write.kind === "request" ? [write.next.id] : [])),
  policy: step.writes.some((write) => write.kind === "policies"),
  jobs: step.jobs.length > 0 || step.writes.some((write) => write.kind === "reschedule")
})

const storeOver = (
  state: MemoryState,
  changes: PubSub.PubSub<Change>,
  oneByOne: Semaphore.Semaphore,
  hasher: ChainHasher.ChainHasher["Service"]
) => {
  const commit = Effect.fn("Store.commit")(function* (step: Step) {
    const malformed = whyMalformed(step)
    if (malformed !== null) return yield* invalid(`step ${step.id}: ${malformed}`)
    const committed = state.receipts.get(step.id)
    if (committed !== undefined) return committed
    const at = yield* now
    const conflict = conflictIn(state, step, at)
    if (conflict !== null) return yield* new StepConflict({ conflict })
    const objection = objectionTo(state, step) ?? MemoryChain.objectionTo(state, step.entries)
    if (objection !== null) return yield* Effect.die(new MemoryStoreObjection(`step ${step.id}: ${objection}`))
    const appended = yield* MemoryChain.link(state, step.entries, hasher)
    const receipt = apply(state, step, appended, at)
    yield* PubSub.publish(changes, changeOf(step))
    return receipt
  })
  return Store.of({
    facts: (query) => reading((at) => Queries.facts(state, query, at)),
    commit: (step) => Effect.uninterruptible(oneByOne.withPermits(1)(commit(step))),
    request: (id) => Effect.sync(() => Option.fromUndefinedOr(state.requests.get(id))),
    requests: (options) => reading(() => Queries.requests(state, options)),
    neighbours: (resourceKey, except) => reading((at) => Queries.neighbours(state, resourceKey, except, at)),
    live: (options) => reading(() => Queries.live(state, options)),
    credentials: (id) => Effect.sync(() => Option.fromUndefinedOr(state.credentials.get(id))),
    principal: (key) => Effect.sync(() => Option.fromUndefinedOr(state.principals.get(keyOf(key)))),
    principals: (options) => reading(() => Queries.principals(state, options)),
    locks: Effect.sync(() => state.locks),
    policies: (revision) => reading(() => Queries.policies(state, revision)),
    touchPrincipal: (key, { groupsReadAt, authTime, amr }) =>
      writing(oneByOne, () => {
        const before = state.principals.get(keyOf(key))
        if (before === undefined) return
        const seen = { ...before, groupsReadAt: Times.max(before.groupsReadAt, groupsReadAt), authTime, amr }
        state.principals.set(keyOf(key), frozen(seen))
      }),
    changes: Stream.fromPubSub(changes)
  })
}

const jobsOver = (state: MemoryState, oneByOne: Semaphore.Semaphore) => {
  return Jobs.of({
    claim: (options) => writing(oneByOne, (at) => MemoryJobs.claim(state, options, at)),
    renew: (job, leaseSeconds) => writing(oneByOne, (at) => MemoryJobs.renew(state, job, leaseSeconds, at)),
    release: (job, retry) => Effect.asVoid(writing(oneByOne, (at) => MemoryJobs.release(state, job, retry, at))),
    giveUp: (job, error) =>
      job.kind === "end"
        ? Effect.fail(
            invalid(`job ${job.id} takes a right back: it is tried until the provider confirms, never given up`)
          )
        : Effect.asVoid(writing(oneByOne, (at) => MemoryJobs.giveUp(state, job, error, at))),
    nextDue: Effect.map(now, (at) => MemoryJobs.nextDue(state, at)),
    counts: Effect.map(now, (at) => MemoryJobs.counts(state, at))
  })
}

/** An empty store: nobody, no policies, no locks, no entries. Each build of this layer is a store of its own. */
export const layerNoDeps: Layer.Layer<Store | Jobs | AuditChain, never, ChainHasher.ChainHasher> = Layer.effectContext(
  Effect.gen(function* () {
    const hasher = yield* ChainHasher.ChainHasher
    const state = empty()
    const changes = yield* PubSub.unbounded<Change>()
    const oneByOne = yield* Semaphore.make(1)
    return Context.make(Store, storeOver(state, changes, oneByOne, hasher)).pipe(
      Context.add(Jobs, jobsOver(state, oneByOne)),
      Context.add(AuditChain, MemoryChain.chainOver(state))
    )
  })
)

/** The same, hashing by WebCrypto. */
export const layer: Layer.Layer<Store | Jobs | AuditChain> = Layer.provide(layerNoDeps, ChainHasher.layer)
