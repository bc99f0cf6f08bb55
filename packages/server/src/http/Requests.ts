/** Requests over HTTP: who calls, one line into core, and how it looks. */
import { Api } from "@jitsudo/client"
import { Elevations, Principal, Provider, Request, Store, Time, type ElevationError } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Freshness } from "./Authentication.ts"
import { withCursor } from "./Cursors.ts"
import { Draining } from "./Draining.ts"
import { toProblem } from "./Failure.ts"
import { Limits } from "./Limits.ts"
import * as View from "./View.ts"

/** A filter's instant; the API's definition has seen to its form. */
export const timeOf = (text: string): Time.Time => Time.make(Date.parse(text))

/** Nothing on the way may hold the events back. */
const unbuffered = HttpEffect.appendPreResponseHandler((_request, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "x-accel-buffering", "no"))
)

const etag = (request: Request.Request) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "etag", `"${request.version}"`))
  )

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "requests",
  Effect.fn(function* (handlers) {
    const elevations = yield* Elevations.Elevations
    const providers = yield* Provider.Providers
    const store = yield* Store.Store
    const limits = yield* Limits
    const draining = yield* Draining
    const freshness = yield* Freshness

    const view = (request: Request.Request) => {
      const missing = elevations.missing(request)
      return View.request(request, missing.open, providers.get(request.asked.provider))
    }

    const shown = <R>(effect: Effect.Effect<Request.Request, ElevationError.ElevationError, R>) =>
      toProblem(effect).pipe(Effect.tap(etag), Effect.map(view))

    /**
     * A request's states as they come, from what the reader has seen on, until it is over. Each look asks again whether
     * the reader may see it; what cannot be asked ends the stream, and the client resumes where it stopped.
     */
    const follow = (by: Api.Caller["Service"], id: string, seen: number) => {
      const expired = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, by.expiresAt - now)))
      const hints = Stream.mergeAll(
        [
          Stream.make(undefined),
          Stream.map(
            Stream.filter(store.changes, (change) => change.requestIds.includes(id)),
            () => undefined
          ),
          // What changed between the first look and the subscription, then what no change announced.
          Stream.fromEffect(Effect.asVoid(Effect.sleep("1 second"))),
          Stream.map(Stream.fromSchedule(Schedule.spaced("20 seconds")), () => undefined)
        ],
        { concurrency: "unbounded" }
      ).pipe(Stream.buffer({ capacity: 1, strategy: "sliding" }))
      return hints.pipe(
        Stream.mapEffect(() => Effect.option(elevations.get(by.principal, id))),
        Stream.takeWhile(Option.isSome),
        Stream.map((found) => found.value),
        Stream.takeUntil((request) => Request.terminal.has(request.state)),
        Stream.filter(newerThan(seen)),
        Stream.map((request) => ({ id: String(request.version), event: "request" as const, data: view(request) })),
        Stream.interruptWhen(Effect.raceFirst(draining.begun, expired))
      )
    }

    return handlers.handleAll({
      create: Effect.fn(function* ({ headers, payload }) {
        const by = yield* Api.Caller
        const key = headers["idempotency-key"]
        if (payload.breakGlass === true) {
          yield* freshness.required({ kind: by.principal.kind, authTime: by.authTime })
        }
        return yield* shown(
          elevations.request(
            by.principal,
            {
              provider: payload.provider,
              role: payload.role,
              resourceScope: payload.resourceScope,
              durationSeconds: payload.durationSeconds,
              reason: payload.reason ?? "",
              metadata: payload.metadata ?? {},
              breakGlass: payload.breakGlass ?? false
            },
            { channel: by.channel, sourceIp: by.sourceIp, ...(key === undefined ? {} : { idempotencyKey: key }) }
          )
        )
      }),
      list: Effect.fn(function* ({ query }) {
        const by = yield* Api.Caller
        const states = statesOf(query.state, query.pending)
        const page = yield* toProblem(
          withCursor(
            elevations.list(by.principal, {
              filter: {
                ...(states === undefined ? {} : { states }),
                ...(query.mine === true ? { requester: by.principal } : {}),
                ...(query.requester === undefined ? {} : { requesterEmail: query.requester.toLowerCase() }),
                ...(query.provider === undefined ? {} : { provider: query.provider }),
                ...(query.role === undefined ? {} : { role: query.role }),
                ...(query.resourceScope === undefined ? {} : { resourceScope: query.resourceScope }),
                ...(query.breakGlass === undefined ? {} : { breakGlass: query.breakGlass }),
                ...(query.openReview === undefined ? {} : { openReview: query.openReview }),
                ...(query.since === undefined ? {} : { since: timeOf(query.since) }),
                ...(query.until === undefined ? {} : { until: timeOf(query.until) })
              },
              limit: query.limit ?? 50,
              ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
              ...(query.pending === true ? { forMe: true } : {})
            }),
            query.cursor,
            (cursor) => store.requests({ filter: { states: [] }, limit: 1, cursor })
          )
        )
        return { items: page.items.map(view), nextCursor: page.nextCursor }
      }),
      get: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        return yield* shown(elevations.get(by.principal, params.id))
      }),
      approve: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return yield* shown(
          elevations.approve(by.principal, params.id, { comment: payload.comment ?? "", digest: payload.digest })
        )
      }),
      deny: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return yield* shown(
          elevations.deny(by.principal, params.id, { comment: payload.comment ?? "", digest: payload.digest })
        )
      }),
      cancel: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return yield* shown(elevations.cancel(by.principal, params.id, payload.reason ?? ""))
      }),
      revoke: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return yield* shown(elevations.revoke(by.principal, params.id, payload.reason ?? ""))
      }),
      extend: Effect.fn(function* ({ headers, params, payload }) {
        const by = yield* Api.Caller
        const key = headers["idempotency-key"]
        return yield* shown(
          elevations.extend(
            by.principal,
            params.id,
            { durationSeconds: payload.durationSeconds, reason: payload.reason ?? "" },
            { channel: by.channel, sourceIp: by.sourceIp, ...(key === undefined ? {} : { idempotencyKey: key }) }
          )
        )
      }),
      credentials: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        const read = yield* toProblem(elevations.credentials(by.principal, params.id))
        return {
          requestId: read.requestId,
          credentials: Object.entries(read.values)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, value]) => ({ name, value })),
          issuedAt: Time.toRfc3339(read.issuedAt),
          expiresAt: Time.toRfc3339(read.notAfter)
        }
      }),
      closeReview: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return yield* shown(elevations.closeReview(by.principal, params.id, payload.comment))
      }),
      watch: Effect.fn(function* ({ headers, params }) {
        const by = yield* Api.Caller
        // Before the stream begins, so that a stranger gets a 404 and not an empty stream.
        yield* toProblem(elevations.get(by.principal, params.id))
        yield* limits.stream(Principal.keyOf(by.principal))
        yield* unbuffered
        return follow(by, params.id, versionOf(headers["last-event-id"]))
      })
    })
  })
)

/** `pending` is about PENDING requests: together with another state nothing is left. */
const statesOf = (state: Request.State | undefined, pending: boolean | undefined) => {
  if (pending !== true) return state === undefined ? undefined : [state]
  return state === undefined || state === "PENDING" ? (["PENDING"] as const) : []
}

/** The version that an event id is; 0 for anything else, so that its sender sees everything. */
const versionOf = (eventId: string | undefined): number =>
  eventId !== undefined && /^\d{1,15}$/u.test(eventId) ? Number(eventId) : 0

/** Keeps what is newer than everything that came before. */
const newerThan = (seen: number) => {
  let last = seen
  return (request: Request.Request): boolean => {
    if (request.version <= last) return false
    last = request.version
    return true
  }
}
