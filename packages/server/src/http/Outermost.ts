/**
 * What surrounds every request: an id, the access log, bounds, and a problem document for whatever else goes wrong.
 *
 * A fault of ours is a 500 that says nothing but an id to quote; what happened is in the log under that id.
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"

export interface Bounds {
  readonly bodyBytes: number
  readonly timeout: Duration.Duration
  readonly concurrent: number
}

const problem = (
  status: number,
  code: string,
  title: string,
  hint: string,
  more: Readonly<Record<string, unknown>> = {}
) =>
  HttpServerResponse.jsonUnsafe(
    { type: `https://jitsudo.dev/problems/${code.replaceAll("_", "-")}`, title, status, code, hint, ...more },
    { status, contentType: "application/problem+json" }
  )

/** Sent with everything: there is nothing here to frame, sniff or cache elsewhere. */
const securityHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin"
}

const requests = Metric.counter("jitsudo_http_requests_total", {
  description: "HTTP requests by status",
  incremental: true
})
const inFlight = Metric.gauge("jitsudo_http_requests_in_flight", { description: "HTTP requests in progress" })

/** Endpoints that may last longer than a request: streams end when the client goes or the daemon drains. */
const isStream = (path: string): boolean => path.endsWith("/events") || path.startsWith("/api/v1alpha1/audit/export")
const isProbe = (path: string): boolean => path === "/healthz" || path === "/readyz" || path === "/metrics"

/** The path without its query: a query can hold what people typed. */
const pathOf = (url: string): string => {
  const end = url.indexOf("?")
  return (end < 0 ? url : url.slice(0, end)).slice(0, 200)
}

export const layer = (bounds: Bounds) => {
  let running = 0
  return HttpRouter.middleware(
    (app) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const path = pathOf(request.url)
        const requestId = globalThis.crypto.randomUUID()
        const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const refused = running >= bounds.concurrent && !isProbe(path)

        const bounded = Effect.provideService(app, HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bounds.bodyBytes))
        const timed = isStream(path)
          ? bounded
          : Effect.timeoutOrElse(bounded, {
              duration: bounds.timeout,
              orElse: () =>
                Effect.succeed(
                  problem(503, "timeout", "It took too long", "look at what became of it before you try again", {
                    detail: `no answer within ${Duration.toSeconds(bounds.timeout)} s`
                  })
                )
            })
        const answered = refused
          ? Effect.succeed(
              HttpServerResponse.setHeader(
                problem(503, "overloaded", "Too many requests at once", "try again in a second", {
                  retryAfterSeconds: 1
                }),
                "retry-after",
                "1"
              )
            )
          : timed.pipe(
              Effect.catchCause((cause) => {
                const failure = Cause.squash(cause)
                if (HttpServerError.isHttpServerError(failure) && failure.reason._tag === "RouteNotFound") {
                  return Effect.succeed(
                    problem(404, "not_found", "There is no such path", "see /docs for the paths that there are")
                  )
                }
                if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
                if (isTooLarge(failure)) {
                  return Effect.succeed(
                    problem(413, "too_large", "The request is too large", `send at most ${bounds.bodyBytes} bytes`)
                  )
                }
                if (isUnreadable(failure)) {
                  return Effect.succeed(
                    problem(400, "malformed", "The request cannot be read", "send well-formed JSON in UTF-8")
                  )
                }
                return Effect.as(
                  Effect.logError("a request broke", cause),
                  problem(500, "internal", "A fault in the daemon", "quote the correlation id to the operator", {
                    correlationId: requestId
                  })
                )
              })
            )

        running++
        yield* Metric.update(inFlight, running)
        const response = yield* answered.pipe(
          Effect.onExit((exit) =>
            Effect.gen(function* () {
              running--
              yield* Metric.update(inFlight, running)
              const status = Exit.isSuccess(exit) ? exit.value.status : 499
              yield* Metric.update(Metric.withAttributes(requests, { status: String(status) }), 1)
              if (isProbe(path)) return
              const ended = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
              yield* Effect.logInfo("request").pipe(
                Effect.annotateLogs({ method: request.method, path, status, millis: ended - started })
              )
            })
          ),
          Effect.annotateLogs({ requestId })
        )
        return HttpServerResponse.setHeaders(response, { ...securityHeaders, "x-request-id": requestId })
      }),
    { global: true }
  )
}

const tagsOf = (failure: unknown): ReadonlyArray<string> => {
  const tags: Array<string> = []
  for (let one: unknown = failure, depth = 0; typeof one === "object" && one !== null && depth < 4; depth++) {
    if ("_tag" in one && typeof one._tag === "string") tags.push(one._tag)
    if ("reason" in one) {
      const reason: unknown = one.reason
      if (typeof reason === "object" && reason !== null && "_tag" in reason && typeof reason._tag === "string")
        tags.push(reason._tag)
    }
    one = "cause" in one ? one.cause : undefined
  }
  return tags
}

const isTooLarge = (failure: unknown): boolean =>
  tagsOf(failure).some((tag) => tag === "RequestTooLarge" || tag === "BodyTooLarge" || tag === "MaxBodySizeExceeded")

const isUnreadable = (failure: unknown): boolean => tagsOf(failure).includes("RequestParseError")
