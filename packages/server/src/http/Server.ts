/** The listener: the API, its description and pages about it, metrics, and what surrounds them. */
import { Api } from "@jitsudo/client"
import type {
  AuditChain,
  Elevations,
  PolicyAdmin,
  Principals as CorePrincipals,
  Provider,
  Reconciler,
  Settings,
  Store,
  Transitions
} from "@jitsudo/core"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import type * as Http from "node:http"
import type { Tokens } from "../auth/Tokens.ts"
import type { Evidence } from "../evidence/Evidence.ts"
import type { PolicyAuthoring } from "../policy/PolicyAuthoring.ts"
import * as Audit from "./Audit.ts"
import * as Authentication from "./Authentication.ts"
import * as Decoding from "./Decoding.ts"
import * as Draining from "./Draining.ts"
import * as Limits from "./Limits.ts"
import * as Listener from "./Listener.ts"
import * as Meta from "./Meta.ts"
import * as Outermost from "./Outermost.ts"
import * as Policies from "./Policies.ts"
import * as Principals from "./Principals.ts"
import * as Probes from "./Probes.ts"
import * as Reconciliation from "./Reconciliation.ts"
import * as Providers from "./Providers.ts"
import * as RefusedLog from "./RefusedLog.ts"
import * as Requests from "./Requests.ts"

export interface ServerOptions extends Outermost.Bounds, Listener.ListenerOptions {
  readonly host: string
  readonly port: number
  readonly drain: Duration.Duration
  readonly limits: Limits.LimitSettings
  /** Approving, break-glass and administration ask for a sign-in that is no older. */
  readonly maxAge?: Duration.Duration
  /** Where health, readiness and metrics are served instead. */
  readonly probes?: { readonly host: string; readonly port: number }
}

const handlers = Layer.mergeAll(
  Requests.layerNoDeps,
  Policies.layerNoDeps,
  Principals.layerNoDeps,
  Principals.locksNoDeps,
  Audit.layerNoDeps,
  Reconciliation.layerNoDeps,
  Providers.layerNoDeps,
  Meta.layerNoDeps
)

/** What the listener calls. */
export type Needs =
  | AuditChain.AuditChain
  | Elevations.Elevations
  | Evidence
  | PolicyAdmin.PolicyAdmin
  | PolicyAuthoring
  | CorePrincipals.Principals
  | Provider.Providers
  | Reconciler.Reconciler
  | Settings.Settings
  | Store.Store
  | Tokens
  | Transitions.Transitions
  | Meta.Host

const quiet = { disableLogger: true, disableListenLog: true } as const

const listen = (
  createServer: () => Http.Server,
  address: { readonly host: string; readonly port: number },
  drain: Duration.Duration
) =>
  NodeHttpServer.layer(createServer, {
    host: address.host,
    port: address.port,
    gracefulShutdownTimeout: drain
  })

/**
 * Serves until the scope closes. Then, in this order: readiness turns false and streams end; nothing new is accepted;
 * requests finish for at most `drain`; what is left is cut off.
 */
export const layer = (
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError, Needs> => {
  const limits = Limits.layer(options.limits).pipe(Layer.provideMerge(RefusedLog.layer))
  const shared = Layer.mergeAll(limits, Authentication.layerFreshness(options.maxAge))
  const guards = Layer.mergeAll(Authentication.layer, Decoding.layer)
  const api = HttpApiBuilder.layer(Api.Api, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide(handlers),
    Layer.provide(guards),
    Layer.provide(shared)
  )
  const routes = Layer.mergeAll(
    api,
    HttpApiScalar.layer(Api.Api, { path: "/docs" }),
    ...(options.probes === undefined ? [PrometheusMetrics.layerHttp({ path: "/metrics" })] : [])
  ).pipe(
    Layer.provide(
      Outermost.layer({ ...options, withoutProbes: options.probes !== undefined, overTls: options.tls !== undefined })
    )
  )

  const listener = Listener.make(options)
  const probes =
    options.probes === undefined
      ? Layer.empty
      : Layer.provide(
          Probes.layer,
          Layer.fresh(listen(() => Listener.createPlain(options), options.probes, Duration.zero))
        )
  // Built last, so that it is the first to end.
  const drainFirst = Layer.effectDiscard(
    Effect.flatMap(Draining.Draining, ({ begin }) =>
      Effect.addFinalizer(() => Effect.andThen(begin, Effect.sync(listener.releaseIdle)))
    )
  )
  return Layer.mergeAll(drainFirst, probes).pipe(
    Layer.provideMerge(
      HttpRouter.serve(routes, quiet).pipe(
        Layer.provide(HttpMiddleware.layerTracerDisabledForUrls(["/metrics", "/healthz", "/readyz"])),
        Layer.provideMerge(listen(listener.create, options, options.drain))
      )
    ),
    Layer.provide(Draining.layer)
  )
}
