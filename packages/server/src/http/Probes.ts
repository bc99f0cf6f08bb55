/** Health, readiness and metrics without the API, for a listener of their own that a network policy can close off. */
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { readiness } from "./Meta.ts"

const nowhere = HttpServerResponse.text("only /healthz, /readyz and /metrics are here", { status: 404 })

/** Answers on the `HttpServer` of its context. */
export const layer = Layer.unwrap(
  Effect.map(readiness, (ready) =>
    HttpServer.serve(
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        if (request.method !== "GET" && request.method !== "HEAD") return nowhere
        switch (request.url.split("?")[0]) {
          case "/healthz":
            return HttpServerResponse.text("ok")
          case "/readyz": {
            const found = yield* ready
            return HttpServerResponse.jsonUnsafe(found, { status: found.ready ? 200 : 503 })
          }
          case "/metrics": {
            const contentType = "text/plain; version=0.0.4; charset=utf-8"
            return HttpServerResponse.text(yield* PrometheusMetrics.format(), { contentType })
          }
          default:
            return nowhere
        }
      })
    )
  )
)
