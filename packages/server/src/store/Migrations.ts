/**
 * The schema: forward-only migrations, one SQL for PGlite and PostgreSQL 14 and newer.
 *
 * 1. Everything that is missing is applied in one transaction under one lock: of several processes one does it, the
 *    others wait and find nothing to do.
 * 2. A database whose schema is newer than this program is refused, never touched.
 * 3. After the migrations the daemon's role gets exactly the rights in `Grants.ts`.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import * as Tables from "./migrations/0001_Tables.ts"
import * as Audit from "./migrations/0002_Audit.ts"
import * as CommitSteps from "./migrations/0003_CommitSteps.ts"
import * as Installation from "./migrations/0004_Installation.ts"
import * as Checkpoints from "./migrations/0005_Checkpoints.ts"
import * as Grants from "./migrations/Grants.ts"

const table = "jitsudo.schema_migrations"

const steps: ReadonlyArray<{ readonly id: number; readonly name: string; readonly statements: ReadonlyArray<string> }> =
  [
    { id: 1, name: "tables", statements: Tables.statements },
    { id: 2, name: "audit", statements: Audit.statements },
    { id: 3, name: "commit_steps", statements: CommitSteps.statements },
    { id: 4, name: "installation", statements: Installation.statements },
    { id: 5, name: "checkpoints", statements: Checkpoints.statements }
  ]

/** The newest migration that this program knows. */
export const latest = steps.reduce((newest, step) => Math.max(newest, step.id), 0)

/** Changes with every statement: names copies of a database that was migrated. */
export const fingerprint = createHash("sha256")
  .update(JSON.stringify([steps, Grants]))
  .digest("hex")
  .slice(0, 16)

export interface Migration {
  readonly id: number
  readonly name: string
}

/** Why the schema cannot be used. `message` says what to do. */
export class SchemaError extends Data.TaggedError("SchemaError")<{
  readonly reason: "newer" | "behind" | "unsupported" | "failed" | "unavailable"
  readonly message: string
  readonly cause?: unknown
}> {}

const run = (statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    for (const statement of statements) yield* sql.unsafe(statement).unprepared
  })

const unavailable = (error: SqlError): SchemaError =>
  new SchemaError({
    reason: "unavailable",
    message: `the database could not be asked for its schema (${error.reason._tag}); check that it is reachable and that this user may use it`,
    cause: error
  })

const applied = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [server] = yield* sql<{ version: number }>`SELECT current_setting('server_version_num')::int4 AS version`
  if (server === undefined || server.version < 140_000) {
    return yield* new SchemaError({
      reason: "unsupported",
      message: `PostgreSQL 14 or newer is needed; this server reports ${server?.version ?? "nothing"}`
    })
  }
  const [exists] = yield* sql<{ found: boolean }>`SELECT to_regclass('jitsudo.schema_migrations') IS NOT NULL AS found`
  if (exists?.found !== true) return 0
  const [row] = yield* sql<{
    id: number
  }>`SELECT coalesce(max(migration_id), 0)::int4 AS id FROM jitsudo.schema_migrations`
  const id = row?.id ?? 0
  if (id > latest) {
    return yield* new SchemaError({
      reason: "newer",
      message: `the database has schema ${id}, this program knows ${latest}: start the newer jitsudod, or restore a backup of the older schema`
    })
  }
  return id
}).pipe(Effect.catchTag("SqlError", unavailable))

/** Migrations that this database still needs, in order. Changes nothing: what `migrate --dry-run` prints. */
export const pending: Effect.Effect<ReadonlyArray<Migration>, SchemaError, SqlClient.SqlClient> = Effect.map(
  applied,
  (at) => steps.filter((step) => step.id > at).map(({ id, name }) => ({ id, name }))
)

/** Fails unless the schema is exactly the one that this program was written for. */
export const check: Effect.Effect<void, SchemaError, SqlClient.SqlClient> = Effect.flatMap(pending, (missing) =>
  missing.length === 0
    ? Effect.void
    : new SchemaError({
        reason: "behind",
        message: `the database lacks ${missing.map((one) => one.name).join(", ")}: run jitsudod migrate`
      })
)

/**
 * Creates `jitsudo_app` where the user may, and gives it exactly the rights of `Grants.ts`. False when the role is
 * missing and may not be created: then the daemon runs as the schema's owner, and the database does not keep it from
 * writing around the commit function.
 */
const appRole: Effect.Effect<boolean, SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* run([Grants.createRole])
  const [found] = yield* sql<{ found: boolean }>`
    SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${Grants.role}) AS found`
  if (found?.found !== true) return false
  yield* run(Grants.grants)
  return true
})

/**
 * Brings the schema up to date and sets the daemon role's rights. Gives what was applied; a repeat applies nothing.
 * Needs a user who owns the schema; `jitsudo_app` is created where that user may create roles.
 */
export const migrate: Effect.Effect<ReadonlyArray<Migration>, SchemaError, SqlClient.SqlClient> = Effect.gen(
  function* () {
    const sql = yield* SqlClient.SqlClient
    yield* applied
    const loader = Effect.succeed(
      steps.map((step): Migrator.ResolvedMigration => [step.id, step.name, Effect.succeed(run(step.statements))])
    )
    const failed = (cause: unknown, why: string) =>
      new SchemaError({
        reason: "failed",
        message: `the schema could not be changed (${why}); nothing was changed`,
        cause
      })
    const done = yield* sql
      .withTransaction(
        Effect.gen(function* () {
          // One at a time, schema and rights included; a long migration is no statement that hangs.
          yield* run([
            `SET LOCAL statement_timeout = 0`,
            `SET LOCAL lock_timeout = '60s'`,
            `SELECT pg_advisory_xact_lock(hashtext('jitsudo migrations'))`,
            `CREATE SCHEMA IF NOT EXISTS jitsudo`
          ])
          const done = yield* Migrator.make({})({ loader, table })
          yield* appRole
          return done
        })
      )
      .pipe(
        Effect.catchTags({
          SqlError: (error) => failed(error, error.reason._tag),
          MigrationError: (error) => failed(error, error.message)
        })
      )
    return done.map(([id, name]) => ({ id, name }))
  }
).pipe(Effect.withSpan("Migrations.migrate"))
