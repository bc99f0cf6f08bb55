/** The listener: the API, its description and pages about it, metrics, and what surrounds them. */
import { Api } from "@jitsudo/client"
import type {
  AuditChain,
  Elevations,
  PolicyAdmin,
  Principals as CorePrincipals,
  Provider,
  Settings,
  Store,
  Transitions
} from "@jitsudo/core"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Duration from "effect/Duration"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Http from "node:http"
import * as Https from "node:https"
import { readFileSync } from "node:fs"
import type { Tokens } from "../auth/Tokens.ts"
import type { PolicyAuthoring } from "../policy/PolicyAuthoring.ts"
import * as Audit from "./Audit.ts"
import * as Authentication from "./Authentication.ts"
import * as Decoding from "./Decoding.ts"
import * as Limits from "./Limits.ts"
import * as Meta from "./Meta.ts"
import * as Outermost from "./Outermost.ts"
import * as Policies from "./Policies.ts"
import * as Principals from "./Principals.ts"
import * as RefusedLog from "./RefusedLog.ts"
import * as Requests from "./Requests.ts"

export interface ServerOptions extends Outermost.Bounds {
  readonly host: string
  readonly port: number
  readonly headerBytes: number
  readonly drain: Duration.Duration
  readonly limits: Limits.LimitSettings
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string }
}

/** Slow and malformed clients are cut off by Node's own time-outs. */
const createServer = (options: ServerOptions): (() => Http.Server) => {
  const shared = {
    maxHeaderSize: options.headerBytes,
    headersTimeout: 10_000,
    requestTimeout: Math.max(1000, Duration.toMillis(options.timeout)),
    keepAliveTimeout: 15_000,
    connectionsCheckingInterval: 5_000
  }
  const { tls } = options
  if (tls === undefined) return () => Http.createServer(shared)
  return () =>
    Https.createServer({
      ...shared,
      minVersion: "TLSv1.2",
      cert: readFileSync(tls.certFile),
      key: readFileSync(tls.keyFile),
      ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile), requestCert: true, rejectUnauthorized: true })
    })
}

const handlers = Layer.mergeAll(
  Requests.layerNoDeps,
  Policies.layerNoDeps,
  Principals.layerNoDeps,
  Principals.locksNoDeps,
  Audit.layerNoDeps,
  Meta.layerNoDeps
)

/** What the listener calls. */
export type Needs =
  | AuditChain.AuditChain
  | Elevations.Elevations
  | PolicyAdmin.PolicyAdmin
  | PolicyAuthoring
  | CorePrincipals.Principals
  | Provider.Providers
  | Settings.Settings
  | Store.Store
  | Tokens
  | Transitions.Transitions
  | Meta.Host

/** Serves until the scope closes: then it stops accepting, lets requests finish for `drain`, and closes. */
export const layer = (options: ServerOptions): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError, Needs> => {
  const guards = Layer.mergeAll(Authentication.layer, Decoding.layer).pipe(
    Layer.provide(Limits.layer(options.limits)),
    Layer.provide(RefusedLog.layer)
  )
  const api = HttpApiBuilder.layer(Api.Api, { openapiPath: "/openapi.json" }).pipe(
    Layer.provide(handlers),
    Layer.provide(guards)
  )
  const routes = Layer.mergeAll(
    api,
    HttpApiScalar.layer(Api.Api, { path: "/docs" }),
    PrometheusMetrics.layerHttp({ path: "/metrics" })
  ).pipe(Layer.provide(Outermost.layer(options)))
  return HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(HttpMiddleware.layerTracerDisabledForUrls(["/metrics", "/healthz", "/readyz"])),
    Layer.provideMerge(
      NodeHttpServer.layer(createServer(options), {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: options.drain
      })
    )
  )
}
