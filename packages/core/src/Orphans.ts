/**
 * What carries our mark at a provider and belongs to no grant here: looked at again, then taken back.
 *
 * 1. The first sighting, by whichever instance, is a job that is due when the grace period is over. There is one for a
 *    mark, however many instances see it and however often; a restart forgets nothing.
 * 2. What was only passing (a grant in flight, a list that lags behind) is gone or known by then, and leaves no trace.
 * 3. The finding is one step under the lease of that job: its entry, its alert, and the job that ends it. So each finding
 *    is recorded once, and one instance takes it back.
 * 4. An `end` that is refused is tried until the provider confirms. Like every ending it has no maximum age.
 * 5. A grant that is live here is never ended here: its state is read again under the key on which its own calls wait.
 *
 * Whose a mark is, and what may be taken back without being asked, is the `Reconciler`'s to say.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Actor, AuditRecord } from "./AuditRecord.ts"
import type { ElevationError } from "./ElevationError.ts"
import type { Job, Jobs, NewJob } from "./Job.ts"
import type { JsonObject } from "./Json.ts"
import { endOfTagged, type EndRequest, type Provider, type ProviderError, type Tagged } from "./Provider.ts"
import * as Records from "./Records.ts"
import { terminal, type Request } from "./Request.ts"
import { attentionAttempts, endRetrySeconds } from "./rules/Ending.ts"
import type { DomainSettings } from "./Settings.ts"
import type { Store, StoreError } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"
import type { Transitions } from "./Transitions.ts"
import { orphanJob } from "./Work.ts"

const Mark = Schema.Struct({
  provider: Schema.String,
  tagged: Schema.Struct({
    requestId: Schema.String,
    resourceKey: Schema.String,
    reference: Schema.Record(Schema.String, Schema.Json),
    notAfter: Schema.NullOr(Times.Stored),
    installation: Schema.NullOr(Schema.String),
    canonical: Schema.optionalKey(
      Schema.Struct({ role: Schema.String, resourceScope: Schema.String, durationSeconds: Schema.Finite })
    ),
    grantee: Schema.optionalKey(
      Schema.Struct({ issuer: Schema.String, subject: Schema.String, email: Schema.NullOr(Schema.String) })
    ),
    checked: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json))
  })
})

const markOf = Schema.decodeUnknownEffect(Mark)

const payloadOf = (provider: string, tagged: Tagged): JsonObject => {
  const { canonical, checked, grantee, installation, notAfter, reference, requestId, resourceKey } = tagged
  return {
    provider,
    tagged: {
      requestId,
      resourceKey,
      reference,
      notAfter,
      installation: installation ?? null,
      ...(canonical === undefined ? {} : { canonical: { ...canonical } }),
      ...(grantee === undefined
        ? {}
        : { grantee: { issuer: grantee.issuer, subject: grantee.subject, email: grantee.email } }),
      ...(checked === undefined ? {} : { checked })
    }
  }
}

const lookId = (provider: string, requestId: string): string => `orphan:${provider}:${requestId}:look`
const endId = (provider: string, requestId: string): string => `orphan:${provider}:${requestId}:end`

/** Live here: the engine grants, holds or ends it, and nothing of it is an orphan. */
export const isLive = ({ state }: Request): boolean => state === "APPROVED" || state === "ACTIVE" || state === "ENDING"

/** Look at it again at `at`; nothing more where that is planned already. */
export const lookJob = (provider: string, tagged: Tagged, at: Time): NewJob => ({
  id: lookId(provider, tagged.requestId),
  kind: "end",
  requestId: null,
  serialKey: null,
  runAt: at,
  after: null,
  payload: payloadOf(provider, tagged)
})

const record = (
  provider: string,
  tagged: Tagged,
  known: Request | undefined,
  actor: Actor,
  action: "grant.orphan_found" | "grant.taken_back" | "grant.needs_attention",
  outcome: "success" | "failure",
  more: JsonObject = {}
): AuditRecord => {
  const { installation, reference, requestId } = tagged
  const details = { provider, orphan: requestId, installation: installation ?? null, reference, ...more }
  return known === undefined
    ? { ...Records.plain(actor, action, outcome, details), provider }
    : Records.about(known, actor, action, outcome, details)
}

const tell = (provider: string, tagged: Tagged, id: string, event: "orphan_found" | "needs_attention", now: Time) => ({
  id,
  kind: "notify" as const,
  requestId: null,
  serialKey: null,
  runAt: now,
  after: null,
  payload: {
    event,
    facts: {
      provider,
      orphan: tagged.requestId,
      resourceKey: tagged.resourceKey,
      installation: tagged.installation ?? null
    }
  }
})

/** What the finding leaves in one step, and the job that ends it. Who found it is the system, or who gave the word. */
export const found = (
  provider: string,
  tagged: Tagged,
  known: Request | undefined,
  keyFor: (request: Request) => string,
  by: Actor,
  now: Time
): { readonly records: ReadonlyArray<AuditRecord>; readonly jobs: ReadonlyArray<NewJob>; readonly end: string } => {
  const end: NewJob =
    known !== undefined && terminal.has(known.state) && known.grant !== null
      ? orphanJob(known, now, keyFor(known))
      : {
          ...lookJob(provider, tagged, now),
          id: endId(provider, tagged.requestId),
          serialKey: known === undefined ? `${provider}:${tagged.resourceKey}` : keyFor(known)
        }
  const alert = tell(provider, tagged, `orphan:${provider}:${tagged.requestId}:${now}:notify`, "orphan_found", now)
  return {
    records: [record(provider, tagged, known, by, "grant.orphan_found", "success")],
    jobs: [alert, end],
    end: end.id
  }
}

export interface Handlers {
  /** Does one claimed job of `lookJob` or `found`. */
  readonly work: (job: Job) => Effect.Effect<void, ElevationError | StoreError>
}

export const handlers = (engine: {
  readonly store: Store["Service"]
  readonly jobs: Jobs["Service"]
  readonly settings: DomainSettings
  readonly transitions: Transitions["Service"]
  readonly providerOf: (name: string) => Provider | undefined
  readonly call: <A>(
    provider: Provider,
    effect: Effect.Effect<A, ProviderError>
  ) => Effect.Effect<Result.Result<A, ProviderError>>
  readonly keyFor: (request: Request) => string
  readonly later: (job: Job, error: string) => Effect.Effect<void>
  readonly runNow: (id: string) => Effect.Effect<void>
}): Handlers => {
  const { call, jobs, keyFor, later, providerOf, runNow, settings, store, transitions } = engine

  const lease = (job: Job) => ({ kind: "lease" as const, jobId: job.id, lease: job.lease })

  /** A step under the job's lease. Who lost the lease has nothing to say: another holds the job. */
  const commit = (
    job: Job,
    parts: Omit<Parameters<Transitions["Service"]["commit"]>[0], "guards" | "writes">,
    settles: boolean
  ) =>
    transitions
      .commit({
        ...parts,
        guards: [lease(job)],
        writes: settles ? [{ kind: "settle", jobId: job.id }] : []
      })
      .pipe(
        Effect.as(true),
        Effect.catchTag("StepConflict", () => Effect.succeed(false))
      )

  const endOf = Effect.fnUntraced(function* (
    provider: Provider,
    tagged: Tagged,
    known: Request | undefined,
    now: Time
  ): Effect.fn.Return<EndRequest, StoreError> {
    const key = known === undefined ? `${provider.name}:${tagged.resourceKey}` : keyFor(known)
    const end = endOfTagged(tagged, {
      now,
      notAfter: tagged.notAfter ?? Times.plusSeconds(now, settings.maxDurationSeconds),
      neighbours: yield* store.neighbours(key, tagged.requestId)
    })
    return known === undefined
      ? end
      : { ...end, grantee: known.requester, canonical: known.asked, checked: known.checked }
  })

  /** Whether the platform still has it; an error where it could not be asked. */
  const isThere = Effect.fnUntraced(function* (provider: Provider, what: EndRequest) {
    if (provider.capabilities.inspection) {
      return Result.map(yield* call(provider, provider.inspect(what)), (seen) => seen !== "ended")
    }
    const listed = yield* call(provider, provider.list())
    return Result.map(listed, (all) => all.some((one) => one.requestId === what.requestId))
  })

  const look = Effect.fnUntraced(function* (job: Job, provider: Provider, tagged: Tagged) {
    const { now, request: known } = yield* transitions.facts({ requestId: tagged.requestId })
    if (known !== undefined && isLive(known)) return yield* commit(job, { now, records: [] }, true)
    const what = yield* endOf(provider, tagged, known, now)
    if (!(yield* jobs.renew(job, settings.leaseSeconds))) return
    const there = yield* isThere(provider, what)
    if (Result.isFailure(there)) return yield* later(job, there.failure.message)
    const { now: then } = yield* transitions.facts({})
    if (!there.success) return yield* commit(job, { now: then, records: [] }, true)
    const { end, records, jobs: more } = found(provider.name, tagged, known, keyFor, Records.systemActor, then)
    if (yield* commit(job, { now: then, records, jobs: more }, true)) yield* runNow(end)
  })

  const end = Effect.fnUntraced(function* (job: Job, provider: Provider, tagged: Tagged) {
    const { now, request: known } = yield* transitions.facts({ requestId: tagged.requestId })
    if (known !== undefined && isLive(known)) return yield* commit(job, { now, records: [] }, true)
    const what = yield* endOf(provider, tagged, known, now)
    if (!(yield* jobs.renew(job, settings.leaseSeconds))) return
    const answer = yield* call(provider, provider.end(what))
    const { now: then } = yield* transitions.facts({})
    const said = (
      action: "grant.taken_back" | "grant.needs_attention",
      outcome: "success" | "failure",
      more: JsonObject
    ) => record(provider.name, tagged, known, Records.systemActor, action, outcome, more)
    if (Result.isSuccess(answer) || answer.failure.reason === "AlreadyGone") {
      const note = Result.isSuccess(answer) ? answer.success.note : "already gone"
      return yield* commit(job, { now: then, records: [said("grant.taken_back", "success", { note })] }, true)
    }
    const error = answer.failure
    const attention = job.attempts % attentionAttempts === 0
    if (attention || job.attempts === 1) {
      const failed = said(attention ? "grant.needs_attention" : "grant.taken_back", "failure", {
        attempt: job.attempts,
        error: error.message
      })
      const alert = tell(provider.name, tagged, `${job.id}:notify:${job.attempts}`, "needs_attention", then)
      yield* commit(job, { now: then, records: [failed], jobs: attention ? [alert] : [] }, false)
    }
    yield* jobs.release(job, { inSeconds: endRetrySeconds(Math.max(0, job.attempts - 1), error), error: error.message })
  })

  const work = Effect.fnUntraced(function* (job: Job) {
    const { provider: name, tagged } = yield* Effect.orDie(markOf(job.payload))
    const provider = providerOf(name)
    if (provider === undefined) return yield* later(job, `provider ${name} is not configured here`)
    yield* job.id === lookId(name, tagged.requestId) ? look(job, provider, tagged) : end(job, provider, tagged)
  })

  return { work }
}
