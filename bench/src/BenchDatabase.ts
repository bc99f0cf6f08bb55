/**
 * Databases to measure on, as in production: PostgreSQL that flushes every commit, and the embedded one in a directory.
 *
 * Both come migrated, with the store, the log and the connections over them.
 */
import type { AuditChain, Store } from "@jitsudo/core"
import { type Database, Migrations, Pglite, Postgres, SqlAuditChain, SqlStore } from "@jitsudo/server"
import { PostgresServer, TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as PgClient from "@effect/sql-pg/PgClient"
import type * as SqlClient from "effect/sql/SqlClient"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** There is no PostgreSQL on this machine. */
export class NoPostgres extends Error {}

/** A server that flushes, ended with the scope. */
export const postgresServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = await PostgresServer.start({
      durable: true,
      settings: { shared_buffers: "512MB", max_wal_size: "4GB" }
    })
    if ("unavailable" in server) throw new NoPostgres(server.unavailable)
    return server
  }),
  (server) => Effect.promise(server.stop)
)

/** The store, the log, and the connections that they live on. */
export type Services = Store.Store | AuditChain.AuditChain | Database.Database | PgClient.PgClient | SqlClient.SqlClient

/** The store under the daemon's role. */
export const onPostgres = (database: TestDatabase.TestDatabase): Layer.Layer<Services> =>
  Layer.mergeAll(SqlStore.layer(), SqlAuditChain.layer).pipe(
    Layer.provideMerge(Postgres.layer({ url: Redacted.make(database.appUrl) })),
    Layer.orDie
  )

/** A directory of its own, removed with the scope. */
export const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "jitsudo-bench-"))),
  (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
)

/** The same store in the embedded database. */
export const onPglite = (dataDirectory: string): Layer.Layer<Services> =>
  Layer.mergeAll(SqlStore.layer(), SqlAuditChain.layer).pipe(
    Layer.provide(Layer.effectDiscard(Migrations.migrate)),
    Layer.provideMerge(Pglite.layer({ directory: dataDirectory })),
    Layer.orDie
  )

/** A fresh, migrated database on a server. */
export const fresh = (server: PostgresServer.PostgresServer) => TestDatabase.make(server.url)
