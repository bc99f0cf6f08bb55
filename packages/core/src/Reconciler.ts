/**
 * Compares what carries our mark at a provider with what we think is live.
 *
 * - A grant at the provider that no live request of ours knows is an orphan: it is taken back once it was seen for the
 *   grace period (a grant in flight is not yet an orphan).
 * - An ACTIVE request whose grant the provider no longer has was removed behind our back: it is reported and ended.
 * Idempotent, and safe on several instances at once: what changes state is a step, `end` may be repeated.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { ElevationError } from "./ElevationError.ts"
import { Unavailable } from "./ElevationError.ts"
import { Granter } from "./Granter.ts"
import { Providers, type Provider, type ProviderError, type Tagged } from "./Provider.ts"
import * as Records from "./Records.ts"
import type { Request } from "./Request.ts"
import { Settings } from "./Settings.ts"
import { Store } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"
import { storeTrouble, Transitions, type Prepared } from "./Transitions.ts"

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
    /** Act on the difference of every provider that can list. */
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

  const compare = Effect.fnUntraced(function* (provider: Provider) {
    // What is live is read before the provider is listed: a grant that appears in between is not an orphan.
    const before = yield* liveOf(provider.name)
    const tagged = provider.capabilities.listing ? yield* Effect.mapError(provider.list(), trouble) : []
    const after = yield* liveOf(provider.name)
    const orphans = tagged.filter((one) => !before.has(one.requestId) && !after.has(one.requestId))
    const there = new Set(tagged.map((one) => one.requestId))
    const removed = provider.capabilities.listing
      ? [...before.values()].flatMap((request) =>
          request.state === "ACTIVE" && after.get(request.id)?.state === "ACTIVE" && !there.has(request.id)
            ? [request.id]
            : []
        )
      : []
    return { provider: provider.name, orphans, removed } satisfies Difference
  })

  const takeBack = Effect.fnUntraced(function* (provider: Provider, orphan: Tagged, now: Time) {
    const known = yield* Effect.mapError(store.request(orphan.requestId), storeTrouble)
    const record = (
      action: "grant.orphan_found" | "grant.taken_back",
      outcome: "success" | "failure",
      error: string | null
    ) => {
      const details = { provider: provider.name, orphan: orphan.requestId, reference: orphan.reference, error }
      return Option.isSome(known)
        ? Records.about(known.value, Records.systemActor, action, outcome, details)
        : { ...Records.plain(Records.systemActor, action, outcome, details), provider: provider.name }
    }
    // The entry comes before the call, as for every ending.
    yield* commit(now, record("grant.orphan_found", "success", null), orphan)
    const ended = yield* Effect.result(
      provider.end({
        requestId: orphan.requestId,
        grantee: Option.isSome(known) ? known.value.requester : { issuer: "", subject: "", email: null },
        canonical: Option.isSome(known) ? known.value.asked : { role: "", resourceScope: "", durationSeconds: 0 },
        checked: Option.isSome(known) ? known.value.checked : {},
        reference: orphan.reference,
        notAfter: orphan.notAfter ?? Times.plusSeconds(now, settings.maxDurationSeconds),
        why: "early",
        now,
        neighbours: yield* Effect.mapError(store.neighbours(orphan.resourceKey, orphan.requestId), storeTrouble)
      })
    )
    yield* commit(
      now,
      record(
        "grant.taken_back",
        ended._tag === "Success" ? "success" : "failure",
        ended._tag === "Failure" ? ended.failure.message : null
      )
    )
  })

  const commit = (now: Time, record: Parameters<typeof transitions.commit>[0]["records"][number], alert?: Tagged) =>
    Effect.catchTag(
      transitions.commit({
        now,
        records: [record],
        jobs:
          alert === undefined
            ? []
            : [
                {
                  id: `orphan:${alert.requestId}:${now}:notify`,
                  kind: "notify",
                  requestId: null,
                  serialKey: null,
                  runAt: now,
                  after: null,
                  payload: { event: "orphan_found", facts: { orphan: alert.requestId, resourceKey: alert.resourceKey } }
                }
              ]
      }),
      "StepConflict",
      (conflict) =>
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
          resourceKey: (request) => `${provider.name}:${provider.resourceKey(request.asked, request.requester)}`,
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
    run: Effect.forEach(providers.names.flatMap(listing), act)
  })
})

export const layer: Layer.Layer<Reconciler, never, Store | Providers | Transitions | Granter | Settings> = Layer.effect(
  Reconciler,
  make
)
