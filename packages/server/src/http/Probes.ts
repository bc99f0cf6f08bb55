/** Health, readiness and metrics without the API, for a listener of their own that a network policy can close off. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { readiness } from "./Meta.ts"

const health = HttpRouter.use(
  Effect.fn(function* (router) {
    const ready = yield* readiness
    yield* router.add("GET", "/healthz", Effect.succeed(HttpServerResponse.text("ok")))
    yield* router.add(
      "GET",
      "/readyz",
      Effect.map(ready, (found) => HttpServerResponse.jsonUnsafe(found, { status: found.ready ? 200 : 503 }))
    )
  })
)

export const routes = Layer.mergeAll(health, PrometheusMetrics.layerHttp({ path: "/metrics" }))
