/** The SQL store keeps core's contracts: on PostgreSQL under the daemon's own role, and on PGlite. */
import { PassingTime } from "@jitsudo/core/testing"
import { storeSuites } from "@jitsudo/core/testing/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import { join } from "node:path"
import { afterAll, beforeAll, describe, inject } from "vitest"
import { Database } from "../../src/store/Database.ts"
import { migrate } from "../../src/store/Migrations.ts"
import * as Pglite from "../../src/store/Pglite.ts"
import * as Postgres from "../../src/store/Postgres.ts"
import * as SqlAuditChain from "../../src/store/SqlAuditChain.ts"
import * as SqlJobs from "../../src/store/SqlJobs.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { onPostgres, postgresUrl } from "./Suites.ts"

/** One database for the file; each case finds it empty. `owner` may do what the daemon may not. */
interface Shared {
  readonly database: Layer.Layer<Database>
  readonly owner: Context.Context<SqlClient.SqlClient>
}

const contracts = (open: Effect.Effect<Shared, unknown, Scope.Scope>) => {
  const scope = Scope.makeUnsafe()
  let shared: Shared | undefined
  beforeAll(async () => {
    shared = await Effect.runPromise(Scope.provide(open, scope))
    await Effect.runPromise(TestDatabase.movableClock.pipe(Effect.provideContext(shared.owner)))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const layer = Layer.unwrap(
    Effect.gen(function* () {
      if (shared === undefined) return yield* Effect.die("the database was not opened")
      const { database, owner } = shared
      yield* TestDatabase.empty.pipe(Effect.provideContext(owner))
      const clock = Layer.succeed(PassingTime, {
        pass: (seconds: number) => Effect.orDie(TestDatabase.pass(seconds).pipe(Effect.provideContext(owner)))
      })
      const ports = Layer.mergeAll(SqlStore.layer({ pollMillis: 100 }), SqlJobs.layer, SqlAuditChain.layer)
      return Layer.merge(clock, Layer.provide(ports, database))
    })
  )
  storeSuites("the SQL store", { layer })
}

onPostgres("contracts", () =>
  contracts(
    Effect.gen(function* () {
      const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
      const owner = yield* Layer.build(PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 }))
      return { database: Postgres.layer({ url: Redacted.make(appUrl) }).pipe(Layer.orDie), owner }
    })
  )
)

describe("contracts (PGlite)", () =>
  contracts(
    Effect.gen(function* () {
      const context = yield* Layer.build(Pglite.layer({ directory: join(inject("scratch"), "pglite-contracts") }))
      yield* migrate.pipe(Effect.provideContext(context))
      return { database: Layer.succeed(Database, Context.get(context, Database)), owner: context }
    })
  ))
