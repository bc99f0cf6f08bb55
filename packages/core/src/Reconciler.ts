/**
 * Compares what carries our mark at a provider with what we think is live.
 *
 * - A grant at the provider that no live request of ours knows is an orphan: it is taken back once it was seen for the
 *   grace period (a grant in flight is not yet an orphan).
 * - An ACTIVE request whose grant the provider no longer has, though it was there long enough to be seen, was removed
 *   behind our back: it is reported and ended.
 * - A request that waits for somebody's sign-in is looked at again, in case the sign-in's own look was lost.
 * Idempotent, and safe on several instances at once: what changes state is a step, what ends is a job, and one provider
 * that does not answer keeps no other from being compared.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Result from "effect/Result"
import type { AuditRecord } from "./AuditRecord.ts"
import type { ElevationError } from "./ElevationError.ts"
import { Unavailable } from "./ElevationError.ts"
import { Elevations } from "./Elevations.ts"
import { Granter } from "./Granter.ts"
import type { NewJob } from "./Job.ts"
import { Providers, type Provider, type ProviderError, type Tagged } from "./Provider.ts"
import * as Records from "./Records.ts"
import type { Request } from "./Request.ts"
import { Settings } from "./Settings.ts"
import { Store } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"
import { storeTrouble, Transitions, type Prepared } from "./Transitions.ts"
import { orphanJob, resourceKeyOf } from "./Work.ts"

export interface Difference {
  readonly provider: string
  /** At the provider, unknown or over here. */
  readonly orphans: ReadonlyArray<Tagged>
  /** ACTIVE here, gone at the provider. */
  readonly removed: ReadonlyArray<string>
}

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** What differs now, changing nothing. */
    readonly difference: (provider: string) => Effect.Effect<Difference, ElevationError>
    /** Act on the difference of every provider that can list. Fails with the first trouble after all were looked at. */
    readonly run: Effect.Effect<ReadonlyArray<Difference>, ElevationError>
  }
>()("@jitsudo/core/Reconciler") {}

const trouble = (error: ProviderError): Unavailable =>
  new Unavailable({ what: "provider", message: error.message, retryAfterSeconds: error.retryAfterSeconds ?? 30 })

const make = Effect.gen(function* () {
  const store = yield* Store
  const providers = yield* Providers
  const transitions = yield* Transitions
  const granter = yield* Granter
  const elevations = yield* Elevations
  const settings = yield* Settings
  /** Since when this process has seen each orphan. */
  const seen = yield* Ref.make<ReadonlyMap<string, Time>>(new Map())

  const liveOf = Effect.fnUntraced(function* (provider: string) {
    const live = new Map<string, Request>()
    let cursor: string | undefined
    do {
      const page = yield* Effect.mapError(
        store.live({ provider, limit: 500, ...(cursor === undefined ? {} : { cursor }) }),
        storeTrouble
      )
      for (const request of page.items) live.set(request.id, request)
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    return live
  })

  /** A provider call that can neither hang nor break the caller. */
  const call = <A>(provider: Provider, effect: Effect.Effect<A, ProviderError>): Effect.Effect<A, Unavailable> => {
    const unavailable = (message: string) =>
      new Unavailable({ what: "provider", message: `${provider.name} ${message}`, retryAfterSeconds: 30 })
    return Effect.mapError(effect, trouble).pipe(
      Effect.timeoutOrElse({
        duration: settings.callTimeoutSeconds * 1000,
        orElse: () => Effect.fail(unavailable("did not answer in time"))
      }),
      Effect.catchDefect((defect) =>
        Effect.andThen(Effect.logError(`provider ${provider.name} threw`, defect), Effect.fail(unavailable("broke")))
      )
    )
  }

  /**
   * Not in the list, although it was granted long enough ago to be in it and its time is not over; and the platform,
   * asked about this one where it can be, says that it has ended.
   */
  const isRemoved = Effect.fnUntraced(function* (provider: Provider, request: Request, now: Time) {
    const { grant } = request
    if (grant === null || grant.issuedAt === null || grant.notAfter === null) return false
    if (now >= grant.notAfter || Times.secondsBetween(grant.attemptedAt, now) < settings.orphanGraceSeconds)
      return false
    if (!provider.capabilities.inspection) return true
    const liveness = yield* call(
      provider,
      provider.inspect({
        requestId: request.id,
        grantee: request.requester,
        canonical: request.asked,
        checked: request.checked,
        reference: grant.reference,
        notAfter: grant.latestEnd,
        why: "early",
        now,
        neighbours: yield* Effect.mapError(store.neighbours(grant.resourceKey, request.id), storeTrouble)
      })
    )
    return liveness === "ended"
  })

  const compare = Effect.fnUntraced(function* (provider: Provider) {
    // What is live is read before the provider is listed: a grant that appears in between is not an orphan.
    const before = yield* liveOf(provider.name)
    const tagged = provider.capabilities.listing ? yield* call(provider, provider.list()) : []
    const after = yield* liveOf(provider.name)
    const orphans = tagged.filter((one) => !before.has(one.requestId) && !after.has(one.requestId))
    const there = new Set(tagged.map((one) => one.requestId))
    const { now } = yield* transitions.facts({})
    const missing = provider.capabilities.listing
      ? [...before.values()].filter(
          (request) => request.state === "ACTIVE" && after.get(request.id)?.state === "ACTIVE" && !there.has(request.id)
        )
      : []
    const removed = (yield* Effect.filter(missing, (request) => isRemoved(provider, request, now))).map(({ id }) => id)
    return { provider: provider.name, orphans, removed } satisfies Difference
  })

  /** Found at the provider: the entry and the alert come first, and where we know the request, its `end` is a job. */
  const takeBack = Effect.fnUntraced(function* (provider: Provider, orphan: Tagged, now: Time) {
    const found = yield* Effect.mapError(store.request(orphan.requestId), storeTrouble)
    const known = Option.getOrUndefined(found)
    const details = { provider: provider.name, orphan: orphan.requestId, reference: orphan.reference }
    const record = (action: "grant.orphan_found" | "grant.taken_back", outcome: "success" | "failure", more = {}) =>
      known === undefined
        ? { ...Records.plain(Records.systemActor, action, outcome, { ...details, ...more }), provider: provider.name }
        : Records.about(known, Records.systemActor, action, outcome, { ...details, ...more })
    const alert: NewJob = {
      id: `orphan:${orphan.requestId}:${now}:notify`,
      kind: "notify",
      requestId: null,
      serialKey: null,
      runAt: now,
      after: null,
      payload: { event: "orphan_found", facts: { orphan: orphan.requestId, resourceKey: orphan.resourceKey } }
    }
    if (known !== undefined) {
      const end = orphanJob(known, now, resourceKeyOf(provider, known))
      yield* commit(now, record("grant.orphan_found", "success"), [alert, end])
      return
    }
    yield* commit(now, record("grant.orphan_found", "success"), [alert])
    // Nothing is known of it but its mark: no job can stand for it, and the next look repeats what fails here.
    const ended = yield* Effect.result(
      call(
        provider,
        provider.end({
          requestId: orphan.requestId,
          grantee: { issuer: "", subject: "", email: null },
          canonical: { role: "", resourceScope: "", durationSeconds: 0 },
          checked: {},
          reference: orphan.reference,
          notAfter: orphan.notAfter ?? Times.plusSeconds(now, settings.maxDurationSeconds),
          why: "early",
          now,
          neighbours: yield* Effect.mapError(
            store.neighbours(`${provider.name}:${orphan.resourceKey}`, orphan.requestId),
            storeTrouble
          )
        })
      )
    )
    const { now: then } = yield* transitions.facts({})
    yield* Result.isSuccess(ended)
      ? commit(then, record("grant.taken_back", "success", { error: null }), [])
      : commit(then, record("grant.taken_back", "failure", { error: ended.failure.message }), [])
  })

  const commit = (now: Time, record: AuditRecord, jobs: ReadonlyArray<NewJob>) =>
    Effect.catchTag(transitions.commit({ now, records: [record], jobs }), "StepConflict", (conflict) =>
      Effect.fail(
        new Unavailable({ what: "contention", message: `the ${conflict.conflict.kind} moved`, retryAfterSeconds: 1 })
      )
    )

  const act = Effect.fnUntraced(function* (provider: Provider) {
    const difference = yield* compare(provider)
    const { now } = yield* transitions.facts({})
    const since = yield* Ref.get(seen)
    const still = new Map<string, Time>()
    for (const orphan of difference.orphans) {
      const mark = `${provider.name}:${orphan.requestId}`
      const first = since.get(mark) ?? now
      if (Times.secondsBetween(first, now) >= settings.orphanGraceSeconds) yield* takeBack(provider, orphan, now)
      else still.set(mark, first)
    }
    yield* Ref.update(
      seen,
      (all) => new Map([...[...all].filter(([mark]) => !mark.startsWith(`${provider.name}:`)), ...still])
    )
    for (const id of difference.removed) {
      const outcome = yield* transitions
        .run({
          query: { requestId: id },
          resourceKey: (request) => resourceKeyOf(provider, request),
          prepare: () =>
            Effect.succeed({
              command: { type: "RemovedExternally" },
              rests: { policy: false, principals: false, locks: false }
            } satisfies Prepared)
        })
        .pipe(Effect.catchTag("LeaseLost", (lost) => Effect.die(lost)))
      yield* granter.settle(outcome.request)
    }
    return difference
  })

  const listing = (name: string): ReadonlyArray<Provider> => {
    const provider = providers.get(name)
    return provider !== undefined && provider.capabilities.listing ? [provider] : []
  }

  return Reconciler.of({
    difference: Effect.fn("Reconciler.difference")(function* (name) {
      const provider = providers.get(name)
      return provider === undefined ? { provider: name, orphans: [], removed: [] } : yield* compare(provider)
    }),
    run: Effect.gen(function* () {
      const results = yield* Effect.forEach(providers.names.flatMap(listing), (provider) =>
        Effect.result(
          Effect.tapError(act(provider), (error) => Effect.logWarning(`${provider.name}: ${error.message}`))
        )
      )
      yield* elevations.recheckWaiting(null)
      return yield* Effect.forEach(results, (result) => Effect.fromResult(result))
    })
  })
})

export const layer: Layer.Layer<Reconciler, never, Store | Providers | Transitions | Granter | Elevations | Settings> =
  Layer.effect(Reconciler, make)
