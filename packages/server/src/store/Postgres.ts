/**
 * PostgreSQL 14 and newer, directly or behind a pooler.
 *
 * 1. Sessions that we open directly have time-outs for statements, locks and idle transactions, and commit durably
 *    whatever the server's default is.
 * 2. Behind a pooler in transaction mode (`directUrl` given, or `pooled`) nothing is kept in a session of the pool: no
 *    prepared names, no settings. The committer and `LISTEN` use `directUrl`; with `pooled` alone there is no `LISTEN`.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Database } from "./Database.ts"

export interface PostgresOptions {
  readonly url: Redacted.Redacted
  /** A way around the pooler: for commits, `LISTEN` and migrations. */
  readonly directUrl?: Redacted.Redacted
  /** `url` leads through a pooler that gives a session away between transactions. Implied by `directUrl`. */
  readonly pooled?: boolean
  /** Shared connections. Default 8; two more are opened for commits and `LISTEN`. */
  readonly maxConnections?: number
  /** Seconds after which a statement is cancelled. Default 10. */
  readonly statementTimeoutSeconds?: number
  /** Longest wait for a lock, outside of commits, which have their own bound. Default 2 s. */
  readonly lockTimeoutMillis?: number
  /** Longest wait for a connection. Default 5 s. */
  readonly connectTimeoutMillis?: number
}

const sessionSettings = (options: PostgresOptions): Readonly<Record<string, string>> => ({
  timezone: "UTC",
  statement_timeout: `${options.statementTimeoutSeconds ?? 10}s`,
  lock_timeout: `${options.lockTimeoutMillis ?? 2000}ms`,
  idle_in_transaction_session_timeout: "10s",
  default_transaction_isolation: "read committed",
  synchronous_commit: "on"
})

const common = (options: PostgresOptions) =>
  ({
    applicationName: "jitsudod",
    connectTimeout: `${options.connectTimeoutMillis ?? 5000} millis`,
    transformJson: false
  }) as const

/** Both clients over one pool, for `Migrations`, and the store's connections. */
export const layer = (
  options: PostgresOptions
): Layer.Layer<Database | PgClient.PgClient | SqlClient.SqlClient, SqlError> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const reactivity = yield* Reactivity.make
      const pooled = options.pooled === true || options.directUrl !== undefined
      const direct = options.directUrl ?? options.url
      const settings = sessionSettings(options)
      const sql = yield* PgClient.make({
        ...common(options),
        url: options.url,
        maxConnections: options.maxConnections ?? 8,
        ...(pooled ? { prepare: false } : { startupParameters: settings, multiplex: true })
      }).pipe(Effect.provideService(Reactivity.Reactivity, reactivity))
      const connect = PgClient.makeClient({
        ...common(options),
        url: direct,
        ...(options.pooled === true && options.directUrl === undefined
          ? { prepare: false }
          : { startupParameters: settings })
      }).pipe(Effect.provideService(Reactivity.Reactivity, reactivity))
      return Context.make(Database, {
        kind: "postgres",
        sql,
        connect,
        listens: options.directUrl !== undefined || options.pooled !== true
      }).pipe(Context.add(PgClient.PgClient, sql), Context.add(SqlClient.SqlClient, sql))
    })
  )
