/**
 * One way to change anything: read, decide, commit; and again when the commit lost a race.
 *
 * A step guards every fact that the decision was made on, so what was true when it was decided is true at the instant
 * of the commit, without a long transaction and without a lock held while policy is evaluated.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { Actor as AuditActor, AuditRecord } from "./AuditRecord.ts"
import { draft } from "./AuditRecord.ts"
import type { Actor, Command } from "./Elevation.ts"
import { decide } from "./Elevation.ts"
import type { ElevationError } from "./ElevationError.ts"
import { type Refused, Unavailable } from "./ElevationError.ts"
import type { Event } from "./Event.ts"
import { apply } from "./Event.ts"
import * as Ids from "./Ids.ts"
import type { Job, NewJob } from "./Job.ts"
import { keyOf, partyOf, type Principal, type PrincipalKey } from "./Principal.ts"
import * as Records from "./Records.ts"
import type { Request, RequestId } from "./Request.ts"
import { Settings } from "./Settings.ts"
import type { Conflict, Guard, Receipt, Step, Write } from "./Step.ts"
import { Store, type FactsQuery, type StepConflict, type StoredFacts, type StoreError } from "./Store.ts"
import { workOf } from "./Work.ts"

/** Trouble with the store, as a caller may hear it. */
export const storeTrouble = (error: StoreError): Unavailable =>
  new Unavailable({
    what: error.reason === "overloaded" ? "overload" : "store",
    message: error.reason === "overloaded" ? "too much is being written at once" : "the store is not available",
    retryAfterSeconds: 1
  })

/** Somebody with their party, from facts; undefined when nobody has seen them. */
export const actorIn = (facts: StoredFacts, key: PrincipalKey): Actor | undefined => {
  const principal = facts.principals.get(keyOf(key))
  if (principal === undefined) return undefined
  const owners: Array<Principal> = []
  const seen = new Set([keyOf(principal)])
  for (let owner = principal.owner; owner !== null && !seen.has(keyOf(owner));) {
    seen.add(keyOf(owner))
    const next = facts.principals.get(keyOf(owner))
    if (next === undefined) break
    owners.push(next)
    owner = next.owner
  }
  return { principal, party: partyOf(principal, owners) }
}

/** The guards for everybody whom a decision looked at; an owner whom nobody has seen yet is a fact, too. */
const principalGuards = (facts: StoredFacts): ReadonlyArray<Guard> => {
  const versions = new Map<string, { readonly key: PrincipalKey; readonly version: number }>()
  for (const { issuer, owner, subject, version } of facts.principals.values()) {
    versions.set(keyOf({ issuer, subject }), { key: { issuer, subject }, version })
    if (owner !== null && !facts.principals.has(keyOf(owner))) versions.set(keyOf(owner), { key: owner, version: 0 })
  }
  return [...versions.values()].map((one) => ({ kind: "principal", ...one }))
}

export interface Prepared {
  readonly command: Command
  /** Which facts the decision rests on, besides the request itself. */
  readonly rests: { readonly policy: boolean; readonly principals: boolean; readonly locks: boolean }
  /** Further writes and guards of the same step, given the request after it. */
  readonly also?: (
    after: Request,
    events: ReadonlyArray<Event>
  ) => {
    readonly writes: ReadonlyArray<Write>
    readonly guards: ReadonlyArray<Guard>
    readonly jobs?: ReadonlyArray<NewJob>
    readonly records?: ReadonlyArray<AuditRecord>
  }
}

export interface Transition {
  readonly query: FactsQuery
  readonly resourceKey: (request: Request) => string
  /** The job in whose name this happens: its lease is a guard, and it is settled where `settles` says so. */
  readonly job?: { readonly job: Job; readonly settles: (after: Request, events: ReadonlyArray<Event>) => boolean }
  /**
   * Reads what else the decision needs and says the command; runs again after a lost race. `instead` says that this
   * was done before, by that request.
   */
  readonly prepare: (facts: StoredFacts) => Effect.Effect<Prepared | { readonly instead: RequestId }, ElevationError>
}

export interface Outcome {
  readonly request: Request
  readonly events: ReadonlyArray<Event>
  /** Undefined when nothing had to be committed. */
  readonly receipt: Receipt | undefined
}

/** The lease under which this was done is another's now. */
export class LeaseLost extends Data.TaggedError("LeaseLost")<{ readonly jobId: string }> {}

const attempts = 12

export class Transitions extends Context.Service<
  Transitions,
  {
    /** Fails with what `decide` refused (recorded where it concerns rights), or with trouble. */
    readonly run: (transition: Transition) => Effect.Effect<Outcome, ElevationError | LeaseLost>
    /** A step of records, writes and guards without a request's command. */
    readonly commit: (parts: {
      readonly now: Step["now"]
      readonly guards?: ReadonlyArray<Guard>
      readonly writes?: ReadonlyArray<Write>
      readonly records: ReadonlyArray<AuditRecord>
      readonly jobs?: ReadonlyArray<NewJob>
    }) => Effect.Effect<Receipt, StepConflict | Unavailable>
    /**
     * A step that guards nothing and changes nothing: it says what was. Only the clock can refuse it, when it waited
     * for longer than a step may (`Step.now`): then it is said with a later instant. `now` where one was read already.
     */
    readonly state: (records: ReadonlyArray<AuditRecord>, now?: Step["now"]) => Effect.Effect<Receipt, Unavailable>
    readonly facts: (query: FactsQuery) => Effect.Effect<StoredFacts, Unavailable>
  }
>()("@jitsudo/core/Transitions") {}

const actorFor = (command: Command): AuditActor =>
  "by" in command ? Records.actorOf({ ...command.by.principal }) : Records.systemActor

const refusalRecord = (command: Command, request: Request | undefined, refusal: Refused): AuditRecord | undefined => {
  if (!(command.type in Records.refusedAction)) return undefined
  const action = Records.refusedAction[command.type as keyof typeof Records.refusedAction]
  const details = Records.refusalDetails(refusal)
  if (command.type === "Submit") {
    const target = { id: command.id, asked: command.asked }
    return Records.about(
      target,
      actorFor(command),
      action,
      "refused",
      { ...details, digest: command.digest, breakGlass: command.asked.breakGlass },
      { reason: command.asked.reason }
    )
  }
  return request === undefined
    ? Records.plain(actorFor(command), action, "refused", details)
    : Records.about(request, actorFor(command), action, "refused", details)
}

export const layer: Layer.Layer<Transitions, never, Store | Settings> = Layer.effect(
  Transitions,
  Effect.gen(function* () {
    const store = yield* Store
    const settings = yield* Settings
    const random = yield* Ids.RandomBytes

    const facts = (query: FactsQuery) => Effect.mapError(store.facts(query), storeTrouble)

    /** The same step may be given again after a lost answer: it commits once. */
    const commitStep = (step: Step) =>
      store.commit(step).pipe(
        Effect.retry({
          times: 3,
          while: (error) =>
            error._tag === "StoreError" &&
            (error.outcome === "unknown" || (error.retryable && error.reason !== "overloaded"))
        }),
        Effect.mapError((error) => (error._tag === "StoreError" ? storeTrouble(error) : error))
      )

    const commit: Transitions["Service"]["commit"] = Effect.fn("Transitions.commit")(function* (parts) {
      const entries = yield* Effect.forEach(parts.records, (record) => draft(record, parts.now))
      return yield* commitStep({
        id: Ids.make("stp", parts.now, random),
        now: parts.now,
        guards: parts.guards ?? [],
        writes: parts.writes ?? [],
        entries,
        jobs: parts.jobs ?? []
      })
    })

    const state: Transitions["Service"]["state"] = Effect.fn("Transitions.state")(function* (records, read) {
      let now = read ?? (yield* facts({})).now
      for (let tries = 1; tries < attempts; tries++) {
        const result = yield* Effect.result(commit({ now, records }))
        if (Result.isSuccess(result)) return result.success
        if (result.failure._tag !== "StepConflict") return yield* result.failure
        now = (yield* facts({})).now
      }
      return yield* new Unavailable({
        what: "contention",
        message: "the store takes too long to write; nothing was done",
        retryAfterSeconds: 1
      })
    })

    const attempt = Effect.fnUntraced(function* (transition: Transition) {
      const read = yield* facts(transition.query)
      const { now } = read
      const before = read.request
      const prepared = yield* transition.prepare(read)
      if ("instead" in prepared) {
        const earlier = (yield* facts({ requestId: prepared.instead })).request
        if (earlier === undefined)
          return yield* Effect.die(new Error(`an idempotency key names ${prepared.instead}, which is gone`))
        return { request: earlier, events: [], receipt: undefined }
      }
      const { also, command, rests } = prepared
      const decided = decide(before, command, { now, locks: read.locks, settings })
      const job = transition.job
      const lease: ReadonlyArray<Guard> =
        job === undefined ? [] : [{ kind: "lease", jobId: job.job.id, lease: job.job.lease }]

      if (Result.isFailure(decided)) {
        const refusal = decided.failure
        const entry = refusal.audited ? refusalRecord(command, before, refusal) : undefined
        if (entry !== undefined) yield* state([entry], now)
        return yield* refusal
      }

      const { events, refused } = decided.success
      const settles = (after: Request): ReadonlyArray<Write> =>
        job !== undefined && job.settles(after, events) ? [{ kind: "settle", jobId: job.job.id }] : []

      if (events.length === 0 && before !== undefined) {
        const writes = settles(before)
        if (writes.length === 0) return { request: before, events, receipt: undefined }
        const receipt = yield* commit({ now, guards: lease, writes, records: [] })
        return { request: before, events, receipt }
      }

      const after = apply(before, events, now)
      const actor = actorFor(command)
      const work = events.map((event) => workOf(event, after, now, transition.resourceKey(after)))
      const more = also?.(after, events)
      const readOnly = before !== undefined && events.every((event) => event.type === "CredentialsRead")
      const records = [
        ...events.flatMap((event) => Records.recordsOf(event, after, actor)),
        ...(refused === undefined ? [] : [refusalRecord(command, before, refused)].filter((one) => one !== undefined)),
        ...(more?.records ?? [])
      ]
      const receipt = yield* commit({
        now,
        guards: [
          ...(readOnly ? [{ kind: "request" as const, id: before.id, version: before.version }] : []),
          ...(rests.locks ? [{ kind: "locks" as const, revision: read.locks.revision }] : []),
          ...(rests.policy ? [{ kind: "policy" as const, revision: read.policy.number }] : []),
          ...(rests.principals ? principalGuards(read) : []),
          ...lease,
          ...(more?.guards ?? [])
        ],
        writes: [
          ...(readOnly ? [] : [{ kind: "request" as const, expect: before?.version ?? 0, next: after }]),
          ...work.flatMap((one) => one.writes),
          ...settles(after),
          ...(more?.writes ?? [])
        ],
        records,
        jobs: [...work.flatMap((one) => one.jobs), ...(more?.jobs ?? [])]
      })
      if (refused !== undefined) return yield* refused
      return { request: readOnly ? before : after, events, receipt }
    })

    const run = Effect.fn("Transitions.run")(function* (
      transition: Transition
    ): Effect.fn.Return<Outcome, ElevationError | LeaseLost> {
      let last: Conflict | undefined
      for (let tries = 0; tries < attempts; tries++) {
        const result = yield* Effect.result(attempt(transition))
        if (Result.isSuccess(result)) return result.success
        const error = result.failure
        if (error._tag !== "StepConflict") return yield* error
        last = error.conflict
        if (last.kind === "lease") return yield* new LeaseLost({ jobId: last.id })
      }
      return yield* new Unavailable({
        what: "contention",
        message: `${last?.kind ?? "something"} ${last?.id ?? ""} keeps changing; nothing was done`,
        retryAfterSeconds: 1
      })
    })

    return Transitions.of({ run, commit, state, facts })
  })
)

/** The query for a decision on a request by somebody. */
export const about = (requestId: RequestId, ...principals: ReadonlyArray<PrincipalKey>): FactsQuery => ({
  requestId,
  principals
})
