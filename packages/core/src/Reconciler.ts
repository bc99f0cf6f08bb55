/**
 * Compares what carries our mark at a provider with what we think is live (docs/spec/reconciliation.md).
 *
 * - Every mark is somebody's. One whose request is known here is ours, whatever it says. One that names our installation
 *   is ours, too: a restored backup has forgotten its request. One that names another installation is theirs; one that
 *   names none may be anybody's. Only what is ours is taken back without being asked.
 * - What is ours and belongs to no live request is an orphan: it is taken back once the grace period is over (`Orphans`).
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
import type * as Result from "effect/Result"
import type { ElevationError } from "./ElevationError.ts"
import { Unavailable } from "./ElevationError.ts"
import { Elevations } from "./Elevations.ts"
import { Granter } from "./Granter.ts"
import * as Orphans from "./Orphans.ts"
import type { Principal } from "./Principal.ts"
import { Providers, type Provider, type ProviderError, type Tagged } from "./Provider.ts"
import * as Records from "./Records.ts"
import type { Request } from "./Request.ts"
import { Settings } from "./Settings.ts"
import { Store } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"
import { storeTrouble, Transitions, type Prepared } from "./Transitions.ts"
import { resourceKeyOf } from "./Work.ts"

export interface Difference {
  readonly provider: string
  /** False: the provider cannot list, and nothing is known of its orphans. */
  readonly listing: boolean
  /** Ours, at the provider, unknown or over here: taken back after the grace period. */
  readonly orphans: ReadonlyArray<Tagged>
  /** At the provider, unknown here, and naming no installation: taken back on an operator's word only. */
  readonly unclaimed: ReadonlyArray<Tagged>
  /** Another installation's. None of our business, unless an operator says so. */
  readonly foreign: ReadonlyArray<Tagged>
  /** ACTIVE here, gone at the provider. */
  readonly removed: ReadonlyArray<string>
}

/** What became of one provider: its difference, or why it could not be compared. */
export interface Compared {
  readonly provider: string
  readonly result: Result.Result<Difference, ElevationError>
}

/** An operator's word that these marks are to be taken back now, whoever left them. */
export interface Word {
  readonly by: Principal
  readonly provider: string
  readonly requestIds: ReadonlyArray<string>
}

export class Reconciler extends Context.Service<
  Reconciler,
  {
    /** What differs now, changing nothing. */
    readonly difference: (provider: string) => Effect.Effect<Difference, ElevationError>
    /** Act on the difference of these providers; one that fails keeps no other from it. */
    readonly act: (providers: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Compared>>
    /**
     * Take back what was found at the provider and is not live here, at once. The ids that were begun; what is not there,
     * or live here, is left out.
     */
    readonly takeBack: (word: Word) => Effect.Effect<ReadonlyArray<string>, ElevationError>
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
  /** Marks that nobody here answers for, and that this process has said so of. */
  const said = yield* Ref.make<ReadonlySet<string>>(new Set())

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
   * Not in the list (or there is none), although it was granted long enough ago to be in it and its time is not over; and the platform,
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

  /** Whose a mark is that no live request of this provider stands for; null where it is no difference at all. */
  const ownerOf = Effect.fnUntraced(function* (provider: string, { installation = null, requestId }: Tagged) {
    const known = Option.getOrUndefined(yield* Effect.mapError(store.request(requestId), storeTrouble))
    if (known !== undefined) {
      // It became live meanwhile, or is another provider's of ours that looks at the same account.
      return Orphans.isLive(known) || known.asked.provider !== provider ? null : ("orphans" as const)
    }
    if (installation === null) return "unclaimed" as const
    return installation === settings.installation ? ("orphans" as const) : ("foreign" as const)
  })

  const compare = Effect.fnUntraced(function* (provider: Provider): Effect.fn.Return<Difference, ElevationError> {
    // What is live is read before the provider is listed: a grant that appears in between is not an orphan.
    const before = yield* liveOf(provider.name)
    const { inspection, listing } = provider.capabilities
    const tagged = listing ? yield* call(provider, provider.list()) : []
    const after = yield* liveOf(provider.name)
    const there = new Map(tagged.map((one) => [one.requestId, one]))
    const found = { orphans: Array<Tagged>(), unclaimed: Array<Tagged>(), foreign: Array<Tagged>() }
    for (const one of there.values()) {
      if (before.has(one.requestId) || after.has(one.requestId)) continue
      const owner = yield* ownerOf(provider.name, one)
      if (owner !== null) found[owner].push(one)
    }
    const { now } = yield* transitions.facts({})
    const missing =
      listing || inspection
        ? [...before.values()].filter(
            (request) =>
              request.state === "ACTIVE" && after.get(request.id)?.state === "ACTIVE" && !there.has(request.id)
          )
        : []
    const removed = (yield* Effect.filter(missing, (request) => isRemoved(provider, request, now))).map(({ id }) => id)
    return { provider: provider.name, listing, ...found, removed }
  })

  /** A step of jobs and records that rests on nothing: only the clock can refuse it. */
  const commit = (parts: Parameters<Transitions["Service"]["commit"]>[0]) =>
    Effect.catchTag(transitions.commit(parts), "StepConflict", (conflict) =>
      Effect.fail(
        new Unavailable({ what: "contention", message: `the ${conflict.conflict.kind} moved`, retryAfterSeconds: 1 })
      )
    )

  /** Once per process: nobody is woken for what may be a neighbour's, but an operator can find it. */
  const saySo = Effect.fnUntraced(function* ({ foreign, provider, unclaimed }: Difference) {
    const before = yield* Ref.get(said)
    const marks = [...foreign, ...unclaimed].map((one) => `${provider}:${one.requestId}`)
    const news = marks.filter((mark) => !before.has(mark))
    if (news.length > 0) {
      yield* Effect.logInfo(
        `${provider} holds ${news.length} ${news.length === 1 ? "grant that is" : "grants that are"} not this installation's; \`jitsudo server reconcile --dry-run\` lists them`
      )
    }
    yield* Ref.update(
      said,
      (all) => new Set([...[...all].filter((mark) => !mark.startsWith(`${provider}:`)), ...marks])
    )
  })

  const actOn = Effect.fnUntraced(function* (provider: Provider) {
    const difference = yield* compare(provider)
    if (difference.orphans.length > 0) {
      const { now } = yield* transitions.facts({})
      const due = Times.plusSeconds(now, settings.orphanGraceSeconds)
      yield* commit({
        now,
        records: [],
        jobs: difference.orphans.map((orphan) => Orphans.lookJob(provider.name, orphan, due))
      })
    }
    yield* saySo(difference)
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

  const nothing = (provider: string): Difference => ({
    provider,
    listing: false,
    orphans: [],
    unclaimed: [],
    foreign: [],
    removed: []
  })

  const act: Reconciler["Service"]["act"] = (names) =>
    Effect.forEach(
      names,
      (name) => {
        const provider = providers.get(name)
        const acting = provider === undefined ? Effect.succeed(nothing(name)) : actOn(provider)
        return acting.pipe(
          Effect.tapError((error) => Effect.logWarning(`${name}: ${error.message}`)),
          Effect.result,
          Effect.map((result) => ({ provider: name, result }))
        )
      },
      { concurrency: 4 }
    )

  const takeBack: Reconciler["Service"]["takeBack"] = Effect.fn("Reconciler.takeBack")(function* (word) {
    const provider = providers.get(word.provider)
    if (provider === undefined) return []
    const { foreign, orphans, unclaimed } = yield* compare(provider)
    const begun: Array<string> = []
    for (const one of [...orphans, ...unclaimed, ...foreign]) {
      if (!word.requestIds.includes(one.requestId)) continue
      const { now, request: known } = yield* transitions.facts({ requestId: one.requestId })
      const keyFor = (request: Request) => resourceKeyOf(provider, request)
      const { end, jobs, records } = Orphans.found(
        provider.name,
        one,
        known,
        keyFor,
        Records.actorOf({ ...word.by }),
        now
      )
      yield* commit({ now, records, jobs, writes: [{ kind: "reschedule", jobId: end, runAt: now }] })
      yield* granter.hurry(end)
      begun.push(one.requestId)
    }
    return begun
  })

  const comparable = (name: string): boolean => {
    const capabilities = providers.get(name)?.capabilities
    return capabilities?.listing === true || capabilities?.inspection === true
  }

  return Reconciler.of({
    difference: Effect.fn("Reconciler.difference")(function* (name) {
      const provider = providers.get(name)
      return provider === undefined ? nothing(name) : yield* compare(provider)
    }),
    act,
    takeBack,
    run: Effect.gen(function* () {
      const compared = yield* act(providers.names.filter(comparable))
      yield* elevations.recheckWaiting(null)
      return yield* Effect.forEach(compared, ({ result }) => Effect.fromResult(result))
    })
  })
})

export const layer: Layer.Layer<Reconciler, never, Store | Providers | Transitions | Granter | Elevations | Settings> =
  Layer.effect(Reconciler, make)
