/**
 * What surrounds every request: an id, the access log, bounds, headers, and a problem document for whatever else goes
 * wrong.
 *
 * 1. A fault of ours is a 500 that says nothing but an id to quote; what happened is in the log under that id.
 * 2. A request counts until its last byte is sent, a stream's too.
 * 3. Probes are answered however many requests are in progress.
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Metric from "effect/Metric"
import { CorrelationId } from "./CorrelationId.ts"
import { methodsOf } from "./Paths.ts"

export interface Bounds {
  readonly bodyBytes: number
  /** Longest that an answer may take to begin. */
  readonly timeout: Duration.Duration
  readonly concurrent: number
  /** Probes are served elsewhere: here they are not found. */
  readonly withoutProbes?: boolean
  /** Browsers are told not to come without TLS again. */
  readonly overTls?: boolean
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

/** Sent with everything: there is nothing here to frame, sniff or load from elsewhere. */
const commonHeaders = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin"
}

const closedPage = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
/** The reference page carries its script and styles in itself, and calls this daemon only. */
const docsPage =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; font-src data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"

const isFullTile = (path: string): boolean => path.startsWith("/api/v1alpha1/audit/tile/") && !path.includes(".p/")
/** A full tile never changes; a shared cache would give it to whoever asks. */
const forGood = "private, max-age=31536000, immutable"

const headersFor = (
  path: string,
  requestId: string,
  overTls: boolean,
  status: number
): Readonly<Record<string, string>> => ({
  ...commonHeaders,
  ...(overTls ? { "strict-transport-security": "max-age=31536000" } : {}),
  "content-security-policy": path === "/docs" ? docsPage : closedPage,
  // Answers depend on who asks.
  ...(path.startsWith("/api/") ? { "cache-control": isFullTile(path) && status === 200 ? forGood : "no-store" } : {}),
  "x-request-id": requestId
})

const requests = Metric.counter("jitsudo_http_requests_total", {
  description: "HTTP requests by method and status",
  incremental: true
})
const inFlight = Metric.gauge("jitsudo_http_requests_in_flight", { description: "HTTP requests in progress" })

const isProbe = (path: string): boolean => path === "/healthz" || path === "/readyz" || path === "/metrics"

/** Methods that a metric is kept for: a client may write anything. */
const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])

/** The path without its query: a query can hold what people typed. */
const pathOf = (url: string): string => {
  const end = url.search(/[?#]/u)
  return (end < 0 ? url : url.slice(0, end)).slice(0, 200)
}

/** What a path that leads nowhere with this method is answered. */
const nowhere = (path: string) => {
  const allowed = methodsOf(path)
  return allowed.length === 0
    ? problem(404, "not_found", "There is no such path", "see /docs for the paths that there are")
    : HttpServerResponse.setHeader(
        problem(405, "method_not_allowed", "This path has other methods", `use ${allowed.join(" or ")}`),
        "allow",
        allowed.join(", ")
      )
}

const overloaded = HttpServerResponse.setHeader(
  problem(503, "overloaded", "Too many requests at once", "try again in a second", { retryAfterSeconds: 1 }),
  "retry-after",
  "1"
)

const answerFor = (cause: Cause.Cause<unknown>, path: string, bounds: Bounds) =>
  Effect.gen(function* () {
    if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause)
    const failure = Cause.squash(cause)
    const reason = HttpServerError.isHttpServerError(failure) ? failure.reason : undefined
    if (reason?._tag === "RouteNotFound") return nowhere(path)
    if (reason?._tag === "RequestParseError") {
      return reason.reason === "BodyTooLarge"
        ? problem(413, "too_large", "The request is too large", `send at most ${bounds.bodyBytes} bytes`)
        : problem(400, "malformed", "The request cannot be read", "send well-formed JSON in UTF-8")
    }
    const correlationId = yield* CorrelationId
    yield* Effect.logError("a request broke", cause)
    return problem(500, "internal", "A fault in the daemon", "quote the correlation id to the operator", {
      correlationId
    })
  })

export const layer = (bounds: Bounds) => {
  let running = 0
  const slow = problem(503, "timeout", "It took too long", "look at what became of it before you try again", {
    detail: `no answer within ${Duration.toSeconds(bounds.timeout)} s`,
    retryAfterSeconds: 5
  }).pipe(HttpServerResponse.setHeader("retry-after", "5"))

  return HttpRouter.middleware(
    (app) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const path = pathOf(request.url)
        const requestId = globalThis.crypto.randomUUID()
        const started = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        let status = 499

        const over = Effect.gen(function* () {
          running--
          const ended = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          const method = methods.has(request.method) ? request.method : "other"
          yield* Metric.update(inFlight, running)
          yield* Metric.update(Metric.withAttributes(requests, { method, status: String(status) }), 1)
          if (isProbe(path)) return
          yield* Effect.logInfo("request").pipe(
            Effect.annotateLogs({ requestId, method: request.method, path, status, millis: ended - started })
          )
        })
        const probe = isProbe(path)
        const mayRun = probe || running < bounds.concurrent
        yield* Effect.acquireRelease(
          Effect.suspend(() => Metric.update(inFlight, ++running)),
          () => over
        )
        const hidden = probe && bounds.withoutProbes === true
        const answered = hidden
          ? Effect.succeed(nowhere(""))
          : mayRun
            ? app.pipe(
                Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bounds.bodyBytes)),
                Effect.timeoutOrElse({ duration: bounds.timeout, orElse: () => Effect.succeed(slow) }),
                Effect.catchCause((cause) => answerFor(cause, path, bounds))
              )
            : Effect.succeed(overloaded)
        const response = yield* answered.pipe(
          Effect.provideService(CorrelationId, requestId),
          Effect.annotateLogs({ requestId })
        )
        status = response.status
        return HttpServerResponse.setHeaders(response, {
          ...headersFor(path, requestId, bounds.overTls === true, response.status)
        })
      }),
    { global: true }
  )
}
