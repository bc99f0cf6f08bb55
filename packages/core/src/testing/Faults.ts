/**
 * Trouble on demand: a store whose next calls fail, hang or repeat as a test says.
 *
 * Every fault has two sides. `failBefore` and `hangBefore` change nothing; `failAfter`, `hangAfter` and `twice` do the
 * work first, so that the caller faces an answer that was lost. A fault is used up by the call that it hits.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Jobs } from "../Job.ts"
import { keyOf } from "../Principal.ts"
import type { Conflict, Step } from "../Step.ts"
import { StepConflict, Store, StoreError } from "../Store.ts"

export type Fault =
  /** `StoreError` with outcome `none`; nothing happened. */
  | "failBefore"
  /** `StoreError` after the work was done; outcome `unknown` for `commit`, `none` for what only reads. */
  | "failAfter"
  /** Never answers, and did nothing. */
  | "hangBefore"
  /** Never answers, but did its work. */
  | "hangAfter"
  /** `commit` only: loses by the step's first guard, as if somebody had been faster. */
  | "conflict"
  /** Delivered twice; the second answer counts. */
  | "twice"

/** The methods of Store and Jobs that can be hit. */
export type Method = Exclude<keyof Store["Service"], "changes"> | keyof Jobs["Service"]

export class Faults extends Context.Service<
  Faults,
  {
    /** The next call of this method (for `commit`: with a step of which `when` holds) is hit. Faults queue up. */
    readonly next: (method: Method, fault: Fault, when?: (step: Step) => boolean) => Effect.Effect<void>
    /** While true every call of every method fails as by `failBefore`. */
    readonly down: (down: boolean) => Effect.Effect<void>
    /** Faults that no call has met yet: a test that expects them all ends with none. */
    readonly waiting: Effect.Effect<ReadonlyArray<{ readonly method: Method; readonly fault: Fault }>>
  }
>()("@jitsudo/core/testing/Faults") {}

interface Waiting {
  readonly method: Method
  readonly fault: Fault
  readonly when: (step: Step) => boolean
}

const trouble = (method: Method, outcome: StoreError["outcome"]): StoreError =>
  new StoreError({
    outcome,
    retryable: true,
    reason: "unavailable",
    message: `${method}: ${outcome === "none" ? "no connection" : "the connection was lost before the answer came"}`
  })

/** A conflict that this step could have met. */
const plausible = (step: Step): Conflict => {
  const guard = step.guards[0]
  switch (guard?.kind) {
    case "request":
      return { kind: "request", id: guard.id }
    case "principal":
      return { kind: "principal", id: keyOf(guard.key) }
    case "policy":
    case "locks":
      return { kind: guard.kind, id: guard.kind }
    case "lease":
      return { kind: "lease", id: guard.jobId }
    case undefined: {
      const write = step.writes.find((one) => one.kind === "request")
      return write === undefined ? { kind: "clock", id: "clock" } : { kind: "request", id: write.next.id }
    }
  }
}

const make = (store: Store["Service"], jobs: Jobs["Service"]) => {
  let waiting: ReadonlyArray<Waiting> = []
  let down = false

  const hit = (method: Method, step?: Step): Fault | undefined => {
    if (down) return "failBefore"
    const found = waiting.find((one) => one.method === method && (step === undefined || one.when(step)))
    waiting = waiting.filter((one) => one !== found)
    return found?.fault
  }

  const under = <A, E>(
    fault: Fault | undefined,
    method: Method,
    call: Effect.Effect<A, E | StoreError>
  ): Effect.Effect<A, E | StoreError> => {
    switch (fault) {
      case undefined:
        return call
      case "failBefore":
        return Effect.fail(trouble(method, "none"))
      case "failAfter":
        return Effect.andThen(call, Effect.fail(trouble(method, method === "commit" ? "unknown" : "none")))
      case "hangBefore":
        return Effect.never
      case "hangAfter":
        return Effect.andThen(call, Effect.never)
      case "twice":
        return Effect.andThen(call, call)
      case "conflict":
        return Effect.die(new TypeError(`${method} cannot lose a race: only commit can`))
    }
  }

  const through = <A>(method: Method, call: Effect.Effect<A, StoreError>): Effect.Effect<A, StoreError> =>
    Effect.suspend(() => under(hit(method), method, call))

  const faulty = Store.of({
    facts: (query) => through("facts", store.facts(query)),
    commit: (step) =>
      Effect.suspend(() => {
        const fault = hit("commit", step)
        return fault === "conflict"
          ? Effect.fail(new StepConflict({ conflict: plausible(step) }))
          : under(fault, "commit", store.commit(step))
      }),
    request: (id) => through("request", store.request(id)),
    requests: (options) => through("requests", store.requests(options)),
    neighbours: (key, except) => through("neighbours", store.neighbours(key, except)),
    live: (options) => through("live", store.live(options)),
    credentials: (id) => through("credentials", store.credentials(id)),
    principal: (key) => through("principal", store.principal(key)),
    principals: (options) => through("principals", store.principals(options)),
    locks: through("locks", store.locks),
    policies: (revision) => through("policies", store.policies(revision)),
    touchPrincipal: (key, seen) => through("touchPrincipal", store.touchPrincipal(key, seen)),
    changes: store.changes
  })

  const faultyJobs = Jobs.of({
    claim: (options) => through("claim", jobs.claim(options)),
    renew: (job, seconds) => through("renew", jobs.renew(job, seconds)),
    release: (job, retry) => through("release", jobs.release(job, retry)),
    giveUp: (job, error) => through("giveUp", jobs.giveUp(job, error)),
    nextDue: through("nextDue", jobs.nextDue),
    counts: through("counts", jobs.counts)
  })

  const faults = Faults.of({
    next: (method, fault, when = () => true) =>
      Effect.sync(() => {
        waiting = [...waiting, { method, fault, when }]
      }),
    down: (next) =>
      Effect.sync(() => {
        down = next
      }),
    waiting: Effect.sync(() => waiting.map(({ method, fault }) => ({ method, fault })))
  })

  return Context.make(Faults, faults).pipe(Context.add(Store, faulty), Context.add(Jobs, faultyJobs))
}

/** The store behind this layer, and the faults that its callers meet. What else the layer gives is left as it is. */
export const over = <A, E, R>(
  sound: Layer.Layer<A | Store | Jobs, E, R>
): Layer.Layer<A | Store | Jobs | Faults, E, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      return make(yield* Store, yield* Jobs)
    })
  ).pipe(Layer.provideMerge(sound))
