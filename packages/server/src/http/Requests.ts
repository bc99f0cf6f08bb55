/** Requests over HTTP: who calls, one line into core, and how it looks. */
import { Api } from "@jitsudo/client"
import { Elevations, ElevationError, Provider, Request, Store, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { toProblem } from "./Failure.ts"
import * as View from "./View.ts"

/** A filter's instant, or a refusal that names the field. */
export const timeOf = (field: string, text: string | undefined) => {
  if (text === undefined) return Effect.succeed(undefined)
  const millis = Date.parse(text)
  return Number.isNaN(millis) || !/^\d{4}-\d{2}-\d{2}T/u.test(text) || millis < 0
    ? Effect.fail(
        ElevationError.decline(
          "invalid_input",
          `${field} is not a time`,
          "write it in RFC 3339, for example 2026-01-31T08:00:00Z",
          {
            problems: [{ field, message: "must be a time in RFC 3339" }]
          }
        )
      )
    : Effect.succeed(Time.make(millis))
}

/** Answers that hold a secret stay out of every cache. */
const noStore = HttpEffect.appendPreResponseHandler((_request, response) =>
  Effect.succeed(HttpServerResponse.setHeaders(response, { "cache-control": "no-store", pragma: "no-cache" }))
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

    const view = (request: Request.Request) => {
      const missing = elevations.missing(request)
      return View.request(request, missing.open, providers.get(request.asked.provider))
    }

    const shown = <R>(effect: Effect.Effect<Request.Request, ElevationError.ElevationError, R>) =>
      toProblem(effect).pipe(Effect.tap(etag), Effect.map(view))

    /** A request's states as they come, from what the reader has seen on, until it is over. */
    const follow = (by: Api.Caller["Service"], id: string, seen: number) => {
      const read = elevations.get(by.principal, id)
      // Each look asks again whether the reader may see it.
      const looks = Stream.merge(
        Stream.filter(store.changes, (change) => change.requestIds.includes(id)),
        Stream.fromSchedule(Schedule.spaced("30 seconds"))
      ).pipe(Stream.mapEffect(() => read))
      return Stream.concat(Stream.fromEffect(read), looks).pipe(
        Stream.filter(newerThan(seen)),
        Stream.takeUntil((request) => Request.terminal.has(request.state)),
        Stream.map((request) => ({ id: String(request.version), event: "request" as const, data: view(request) })),
        Stream.orDie
      )
    }

    return handlers.handleAll({
      create: Effect.fn(function* ({ headers, payload }) {
        const by = yield* Api.Caller
        const key = headers["idempotency-key"]
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
        const listed = Effect.gen(function* () {
          const since = yield* timeOf("since", query.since)
          const until = yield* timeOf("until", query.until)
          return yield* elevations.list(by.principal, {
            filter: {
              ...(query.state === undefined ? {} : { states: [query.state] }),
              ...(query.pending === true ? { states: ["PENDING"] } : {}),
              ...(query.mine === true ? { requester: by.principal } : {}),
              ...(query.requester === undefined ? {} : { requesterEmail: query.requester }),
              ...(query.provider === undefined ? {} : { provider: query.provider }),
              ...(query.role === undefined ? {} : { role: query.role }),
              ...(query.resourceScope === undefined ? {} : { resourceScope: query.resourceScope }),
              ...(query.breakGlass === undefined ? {} : { breakGlass: query.breakGlass }),
              ...(query.openReview === undefined ? {} : { openReview: query.openReview }),
              ...(since === undefined ? {} : { since }),
              ...(until === undefined ? {} : { until })
            },
            limit: query.limit ?? 50,
            ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
            ...(query.pending === true ? { forMe: true } : {})
          })
        })
        const page = yield* toProblem(listed)
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
        yield* noStore
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
        return follow(by, params.id, Number(headers["last-event-id"] ?? 0))
      })
    })
  })
)

/** Keeps what is newer than everything that came before. */
const newerThan = (seen: number) => {
  let last = Number.isSafeInteger(seen) ? seen : 0
  return (request: Request.Request): boolean => {
    if (request.version <= last) return false
    last = request.version
    return true
  }
}
