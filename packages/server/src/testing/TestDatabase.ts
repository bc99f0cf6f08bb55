/**
 * A fresh, migrated database for each test file, on a server that the whole run shares.
 *
 * The first to ask migrates a template; every other database is a copy of it, which takes tens of milliseconds.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { randomBytes } from "node:crypto"
import type { Database } from "../store/Database.ts"
import { fingerprint, migrate } from "../store/Migrations.ts"
import * as Postgres from "../store/Postgres.ts"

/** A connection URL with another database, and another user where given. */
export const urlOf = (url: string, database: string, user?: string): string => {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  if (user !== undefined) changed.username = user
  return changed.toString()
}

/** The login that tests run the store under: a member of the daemon's role, with no right of its own. */
export const appUser = "jitsudo_test_app"

const admin = (url: string) =>
  PgClient.layer({ url: Redacted.make(url), maxConnections: 1, applicationName: "jitsudo-test" })

const template = `jitsudo_template_${fingerprint}`

/** Under one lock for the whole server: several workers start at once, one makes the template. */
const copyOfTemplate = (url: string, name: string) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`SELECT pg_advisory_lock(7331)`
    const made = yield* sql`SELECT FROM pg_database WHERE datname = ${template}`
    if (made.length === 0) {
      const draft = `${template}_draft`
      yield* sql.unsafe(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`).unprepared
      yield* sql.unsafe(`CREATE DATABASE ${draft}`).unprepared
      yield* migrate.pipe(Effect.provide(admin(urlOf(url, draft))))
      const login = yield* sql`SELECT FROM pg_roles WHERE rolname = ${appUser}`
      if (login.length === 0) yield* sql.unsafe(`CREATE ROLE ${appUser} LOGIN IN ROLE jitsudo_app`).unprepared
      yield* sql.unsafe(`ALTER DATABASE ${draft} RENAME TO ${template}`).unprepared
    }
    yield* sql.unsafe(`CREATE DATABASE ${name} TEMPLATE ${template}`).unprepared
    yield* sql`SELECT pg_advisory_unlock(7331)`
  }).pipe(Effect.provide(admin(url)))

export interface TestDatabase {
  readonly name: string
  /** As superuser: for looking at rows and for doing what the daemon may not. */
  readonly adminUrl: string
  /** As the daemon's role. */
  readonly appUrl: string
}

/** A fresh database on the server at `url` (superuser), dropped when the scope closes. */
export const make = Effect.fnUntraced(function* (url: string) {
  const name = `jitsudo_test_${randomBytes(6).toString("hex")}`
  yield* Effect.acquireRelease(Effect.orDie(copyOfTemplate(url, name)), () =>
    SqlClient.SqlClient.use((sql) => sql.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).unprepared).pipe(
      Effect.provide(admin(url)),
      Effect.orDie
    )
  )
  const database: TestDatabase = { name, adminUrl: urlOf(url, name), appUrl: urlOf(url, name, appUser) }
  return database
})

/** The store's connections to a fresh database, as the daemon's role. */
export const layer = (url: string): Layer.Layer<Database | PgClient.PgClient | SqlClient.SqlClient> =>
  Layer.unwrap(Effect.map(make(url), ({ appUrl }) => Postgres.layer({ url: Redacted.make(appUrl) }))).pipe(Layer.orDie)

/**
 * Makes the database's clock one that tests can move: `now_ms` adds what `pass` collected. Needs the schema's owner.
 */
export const movableClock: Effect.Effect<void, SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  for (const statement of [
    `CREATE TABLE IF NOT EXISTS jitsudo.test_clock (ahead int8 NOT NULL)`,
    `DELETE FROM jitsudo.test_clock`,
    `INSERT INTO jitsudo.test_clock VALUES (0)`,
    `GRANT SELECT ON jitsudo.test_clock TO PUBLIC`,
    `CREATE OR REPLACE FUNCTION jitsudo.now_ms() RETURNS int8 LANGUAGE sql VOLATILE
     SET search_path = pg_catalog, pg_temp
     AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::int8 + (SELECT ahead FROM jitsudo.test_clock) $$`
  ]) {
    yield* sql.unsafe(statement).unprepared
  }
})

/** After `movableClock`: the database's now is this many seconds later. */
export const pass = (seconds: number): Effect.Effect<void, SqlError, SqlClient.SqlClient> =>
  SqlClient.SqlClient.use(
    (sql) => sql`UPDATE jitsudo.test_clock SET ahead = ahead + ${BigInt(Math.round(seconds * 1_000))}`
  )

const filled = [
  "requests",
  "request_marks",
  "principals",
  "locks",
  "policy_modules",
  "credentials",
  "idempotency",
  "jobs",
  "job_serials",
  "audit",
  "audit_text",
  "audit_tree",
  "audit_checkpoints",
  "steps"
]

/** Removes every row and starts the revisions and the log anew: for databases that are slow to make. Needs a superuser. */
export const empty: Effect.Effect<void, SqlError, SqlClient.SqlClient> = SqlClient.SqlClient.use((sql) =>
  sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SET LOCAL session_replication_role = replica`
      // Not TRUNCATE: it makes new files for every table, which takes longer than removing a few rows.
      for (const table of filled) yield* sql`DELETE FROM jitsudo.${sql(table)}`
      yield* sql`DELETE FROM jitsudo.policy_revisions WHERE revision > 0`
      yield* sql`UPDATE jitsudo.revisions SET revision = 0`
      yield* sql`UPDATE jitsudo.audit_head SET seq = 0, hash = decode(repeat('00', 32), 'hex')`
    })
  )
)
