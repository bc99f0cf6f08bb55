/** The daemon as a bill of materials. Reads from the bottom up: ports, engine, edges. */
import {
  AuditChain,
  Engine,
  Labels,
  Reconciler,
  Records,
  Scheduler,
  Sealer,
  Settings,
  Transitions
} from "@jitsudo/core"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import type * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Alerts from "./Alerts.ts"
import { Tokens } from "./auth/Tokens.ts"
import { domainSettings, type Config } from "./Config.ts"
import * as ConfiguredProviders from "./ConfiguredProviders.ts"
import * as Checkpoints from "./evidence/Checkpoints.ts"
import type { Evidence } from "./evidence/Evidence.ts"
import * as EvidenceOf from "./evidence/Evidence.ts"
import * as Keys from "./evidence/Keys.ts"
import * as Gauges from "./Gauges.ts"
import { Host } from "./http/Meta.ts"
import * as Server from "./http/Server.ts"
import type { PolicyAuthoring } from "./policy/PolicyAuthoring.ts"
import * as Authoring from "./policy/Authoring.ts"
import * as DirectorySource from "./policy/DirectorySource.ts"
import * as ServedPolicy from "./policy/ServedPolicy.ts"
import * as Readiness from "./Readiness.ts"
import * as Installation from "./store/Installation.ts"
import * as Migrations from "./store/Migrations.ts"
import * as Pglite from "./store/Pglite.ts"
import * as Postgres from "./store/Postgres.ts"
import * as SqlAuditChain from "./store/SqlAuditChain.ts"
import * as SqlJobs from "./store/SqlJobs.ts"
import * as SqlStore from "./store/SqlStore.ts"
import { version } from "./Version.ts"

/** The daemon will not start. `message` says why and what to do. */
export class StartRefused extends Data.TaggedError("StartRefused")<{ readonly message: string }> {}

export interface DaemonOptions {
  readonly config: Config
  readonly development: boolean
  /** Bring the schema up to date first (`dev`, and the embedded database). */
  readonly migrate: boolean
  /** Takes the place of ports that it gives, with all of them at hand: for tests of what no configuration can say. */
  readonly around?: Layer.Layer<never, never, Engine.Ports>
}

/** The database of the configuration: PostgreSQL, or the embedded one in a directory. */
export const database = (config: Config["database"]) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (config.url !== undefined) {
        return Postgres.layer({
          url: config.url,
          maxConnections: config.pool_size,
          statementTimeoutSeconds: Math.max(1, Math.round(Duration.toSeconds(config.statement_timeout))),
          lockTimeoutMillis: Duration.toMillis(config.lock_timeout),
          connectTimeoutMillis: Duration.toMillis(config.connect_timeout),
          ...(config.direct_url === undefined ? {} : { directUrl: config.direct_url })
        })
      }
      if (config.data_dir !== undefined) return Pglite.layer({ directory: config.data_dir })
      return yield* new StartRefused({ message: "no database: set database.url or database.data_dir" })
    })
  )

const sealer = (config: Config["sealing"]): Layer.Layer<Sealer.Sealer, StartRefused> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const keys: Array<Sealer.SealingKey> = []
      for (const { id, key } of config.keys) {
        const bytes = Base64.decode(Redacted.value(key))
        if (Result.isFailure(bytes)) return yield* new StartRefused({ message: `sealing.keys: ${id} is not base64` })
        keys.push({ id, key: Redacted.make(bytes.success) })
      }
      const active = config.active ?? keys[0]?.id
      if (active === undefined)
        return yield* new StartRefused({ message: "sealing.keys is empty: make one with `openssl rand -base64 32`" })
      return Sealer.layer(keys, active)
    })
  )

/** The domain's settings, and which installation this is: the configuration says so, or the database. */
const settings = (config: Config) =>
  Layer.effect(
    Settings.Settings,
    Effect.map(Installation.word, (word) => ({
      ...Settings.defaults,
      ...domainSettings(config),
      installation: config.database.installation ?? word
    }))
  )

const labels = (rows: Config["policy"]["labels"]) =>
  Labels.layerTable(
    rows.map(({ provider, role, scope, ticket, labels: given }) => ({
      provider,
      role,
      resourceScope: scope,
      ...(ticket === undefined ? {} : { ticket }),
      labels: given
    }))
  )

/** State, work and the log over one database, with the schema checked. */
const stores = (options: DaemonOptions) =>
  Layer.mergeAll(SqlStore.layer(), SqlJobs.layer, SqlAuditChain.layer).pipe(
    Layer.provide(Layer.effectDiscard(options.migrate ? Migrations.migrate : Migrations.check)),
    Layer.provideMerge(database(options.config.database))
  )

/**
 * Every start is an entry with the configuration's hash; development starts say so. A log that was ever used for
 * development is no evidence of anything else: `serve` refuses it.
 */
const recordStart = (options: DaemonOptions, hash: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const transitions = yield* Transitions.Transitions
      const chain = yield* AuditChain.AuditChain
      if (!options.development) {
        // After a development start nothing but those that began at the same time can have written another one.
        const starts = yield* chain.query({ filter: { action: "config.loaded" }, limit: 100, order: "newest" })
        if (starts.items.some((entry) => entry.payload.includes('"development":true'))) {
          return yield* new StartRefused({
            message:
              "this database was made by `jitsudod dev`: its people need no password and its policies are for trying out. Start `serve` on an empty database or data directory."
          })
        }
      }
      yield* transitions.state([
        Records.plain(Records.systemActor, "config.loaded", "success", {
          configHash: hash,
          version,
          development: options.development
        })
      ])
    })
  )

/** Reconciliation now and then; each instance may, none must. */
const reconciling = Layer.effectDiscard(
  Effect.gen(function* () {
    const reconciler = yield* Reconciler.Reconciler
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          Effect.sleep("60 seconds"),
          Effect.catch(reconciler.run, (error) => Effect.logWarning(`reconciliation: ${error.message}`))
        )
      )
    )
  })
)

const scheduling = Layer.effectDiscard(
  Effect.gen(function* () {
    const scheduler = yield* Scheduler.Scheduler
    yield* scheduler.start
    yield* Effect.addFinalizer(() => scheduler.drain)
  })
)

/** The log's checkpoints, where the configuration has a key that signs them. */
const evidence = (config: Config["audit"]) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const keys = yield* Effect.mapError(
        Keys.read(config),
        ({ message, path }) => new StartRefused({ message: `${path}: ${message}` })
      )
      const stateFile = config.state_file
      return keys === undefined || stateFile === undefined
        ? Layer.merge(EvidenceOf.layerNone, Checkpoints.layerUnsigned)
        : Layer.merge(Checkpoints.layerReader(keys.all), Checkpoints.layerSigning({ keys, stateFile }))
    })
  )

/** What the daemon says about itself. */
const host = (options: DaemonOptions) =>
  Layer.effect(
    Host,
    Effect.gen(function* () {
      const { config } = options
      return Host.of({
        version,
        development: options.development,
        signIn: {
          issuers: config.auth.issuers.flatMap((issuer) =>
            issuer.interactive_clients.slice(0, 1).map((clientId) => ({
              issuer: issuer.issuer,
              clientId,
              audience: issuer.audiences[0] ?? null,
              scopes: ["openid", "email", "groups", "offline_access"]
            }))
          )
        },
        checks: yield* Readiness.checks
      })
    })
  )

/** Whatever stops the start, as one sentence that names the next step. */
const asRefusal = (error: { readonly _tag: string; readonly message: string }): StartRefused => {
  if (error instanceof StartRefused) return error
  if (error._tag === "SqlError") {
    return new StartRefused({ message: "the database cannot be used: see whether it runs, and the rights of its user" })
  }
  if (error._tag === "ServeError") {
    return new StartRefused({ message: `the listener cannot be opened: is the address in use? (${error.message})` })
  }
  return new StartRefused({ message: error.message })
}

/** The whole daemon: it runs as long as this layer lives. */
export const daemon = (
  options: DaemonOptions,
  configHash: string
): Layer.Layer<
  Engine.Services | Engine.Ports | AuditChain.AuditChain | Evidence | HttpServer.HttpServer | PolicyAuthoring,
  StartRefused
> => {
  const { config } = options
  const { limits, server, tls } = config
  const configured = Layer.mergeAll(
    sealer(config.sealing),
    ConfiguredProviders.layer(config.providers),
    labels(config.policy.labels),
    settings(config),
    Alerts.layer(
      config.alerts.map(({ name, path, type }) => ({
        name: name ?? type,
        type,
        ...(path === undefined ? {} : { path })
      }))
    ),
    ServedPolicy.layer({ budget: config.policy.budget })
  ).pipe(Layer.provideMerge(stores(options)))
  const authoring = Authoring.layer({ directory: config.policy.directory })
  const imported = config.policy.directory === undefined ? Layer.empty : DirectorySource.layer(config.policy.directory)
  const ports = options.around === undefined ? configured : Layer.provideMerge(options.around, configured)

  const engine = Engine.layer({ concurrency: 32, pollMillis: 500, headStartMillis: 100 }).pipe(
    Layer.provideMerge(ports)
  )
  const background = Layer.mergeAll(scheduling, reconciling, Gauges.layer, ServedPolicy.layerAlerts)
  const edges = Server.layer({
    host: server.http_addr.host,
    port: server.http_addr.port,
    headerBytes: server.header_limit,
    bodyBytes: server.body_limit,
    timeout: server.request_timeout,
    concurrent: limits.concurrent_requests,
    drain: server.drain_timeout,
    ...(config.auth.max_age === undefined ? {} : { maxAge: config.auth.max_age }),
    ...(server.metrics_addr === undefined ? {} : { probes: server.metrics_addr }),
    limits: {
      perPrincipalPerMinute: limits.requests_per_minute,
      perAddressPerMinute: limits.requests_per_minute_address,
      refusedTokensPerMinute: limits.refused_tokens_per_minute
    },
    ...(tls.cert_file === undefined || tls.key_file === undefined
      ? {}
      : {
          tls: {
            certFile: tls.cert_file,
            keyFile: tls.key_file,
            ...(tls.ca_file === undefined ? {} : { caFile: tls.ca_file })
          }
        })
  }).pipe(Layer.provide(host(options)), Layer.provide(Tokens.layer(config.auth)))

  return edges.pipe(
    Layer.provideMerge(background),
    Layer.provideMerge(authoring),
    Layer.provideMerge(imported),
    Layer.provideMerge(evidence(config.audit)),
    Layer.provideMerge(recordStart(options, configHash)),
    Layer.provideMerge(engine),
    Layer.catch((error) => Layer.effectContext(Effect.fail(asRefusal(error))))
  )
}
