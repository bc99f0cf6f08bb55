/** Migrations: forward only, once, never on a newer schema; and what the daemon's role may and may not do after them. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { randomBytes } from "node:crypto"
import { expect, it } from "vitest"
import { check, latest, migrate, pending } from "../../src/store/Migrations.ts"
import { onPostgres, postgresUrl } from "./Suites.ts"

const client = (url: string) => PgClient.layer({ url: Redacted.make(url), maxConnections: 2 })

/** A database with nothing in it. */
const blank = Effect.gen(function* () {
  const name = `jitsudo_blank_${randomBytes(6).toString("hex")}`
  const asAdmin = (statement: string) =>
    SqlClient.SqlClient.use((sql) => sql.unsafe(statement).unprepared).pipe(
      Effect.provide(client(postgresUrl)),
      Effect.orDie
    )
  yield* Effect.acquireRelease(asAdmin(`CREATE DATABASE ${name}`), () => asAdmin(`DROP DATABASE ${name} WITH (FORCE)`))
  return client(TestDatabase.urlOf(postgresUrl, name))
})

const state = (statement: string) =>
  SqlClient.SqlClient.use((sql) => sql.unsafe(statement).unprepared).pipe(
    Effect.as("done"),
    Effect.catchTag("SqlError", (error) => {
      const cause: unknown = error.reason.cause
      return Effect.succeed(
        typeof cause === "object" && cause !== null && "code" in cause ? cause.code : error.reason._tag
      )
    })
  )

onPostgres("migrations", () => {
  it("a dry run lists what is missing and changes nothing; three processes at once apply it once", () =>
    Effect.gen(function* () {
      const database = yield* blank
      yield* Effect.gen(function* () {
        expect((yield* pending).map((one) => one.name)).toEqual([
          "tables",
          "audit",
          "commit_steps",
          "installation",
          "checkpoints"
        ])
        expect((yield* pending).length).toBe(5)
        expect(yield* Effect.flip(check)).toMatchObject({ reason: "behind" })
      }).pipe(Effect.provide(database))
      const applied = yield* Effect.all(
        [1, 2, 3].map(() => Effect.provide(migrate, database)),
        { concurrency: "unbounded" }
      )
      expect(applied.map((one) => one.length).sort()).toEqual([0, 0, 5])
      yield* Effect.gen(function* () {
        expect(yield* pending).toEqual([])
        yield* check
        expect(yield* migrate).toEqual([])
      }).pipe(Effect.provide(database))
    }).pipe(Effect.scoped, Effect.runPromise))

  it("a newer schema is refused and left as it is", () =>
    Effect.gen(function* () {
      const database = yield* blank
      yield* Effect.gen(function* () {
        yield* migrate
        const sql = yield* SqlClient.SqlClient
        yield* sql`INSERT INTO jitsudo.schema_migrations (migration_id, name) VALUES (${latest + 1}, 'from the future')`
        for (const refused of [migrate, pending, check]) {
          expect(yield* Effect.flip(Effect.asVoid(refused))).toMatchObject({ _tag: "SchemaError", reason: "newer" })
        }
      }).pipe(Effect.provide(database))
    }).pipe(Effect.scoped, Effect.runPromise))
})

onPostgres("the daemon's role", () => {
  it("reads, calls the commit function and keeps books; it writes nothing else", () =>
    Effect.gen(function* () {
      const { appUrl } = yield* TestDatabase.make(postgresUrl)
      yield* Effect.gen(function* () {
        const denied = "42501"
        const forbidden = [
          `INSERT INTO jitsudo.requests (body) VALUES ('{}')`,
          `UPDATE jitsudo.requests SET body = '{}'`,
          `DELETE FROM jitsudo.requests`,
          `INSERT INTO jitsudo.request_marks VALUES ('open', 0, 'req')`,
          `INSERT INTO jitsudo.principals (body, groups_read_at, amr, last_seen_at) VALUES ('{}', 0, '[]', 0)`,
          `UPDATE jitsudo.principals SET body = '{}'`,
          `INSERT INTO jitsudo.locks VALUES ('l', '{}')`,
          `DELETE FROM jitsudo.locks`,
          `UPDATE jitsudo.revisions SET revision = 1`,
          `INSERT INTO jitsudo.policy_revisions VALUES (1, 'h', '[]', 0)`,
          `INSERT INTO jitsudo.credentials VALUES ('r', 'k', 'n', 'c')`,
          `DELETE FROM jitsudo.credentials`,
          `INSERT INTO jitsudo.jobs (id, kind, run_at, payload, created_at) VALUES ('j', 'end', 0, '{}', 0)`,
          `DELETE FROM jitsudo.jobs`,
          `UPDATE jitsudo.jobs SET payload = '{}'`,
          `INSERT INTO jitsudo.idempotency VALUES ('i', 'h', 'r', 0)`,
          `DELETE FROM jitsudo.idempotency`,
          `INSERT INTO jitsudo.audit SELECT * FROM jitsudo.audit`,
          `UPDATE jitsudo.audit SET payload = ''`,
          `DELETE FROM jitsudo.audit`,
          `TRUNCATE jitsudo.audit`,
          `DELETE FROM jitsudo.audit_text`,
          `UPDATE jitsudo.audit_head SET seq = 0`,
          `UPDATE jitsudo.audit_checkpoints SET note = ''`,
          `DELETE FROM jitsudo.audit_checkpoints`,
          `DELETE FROM jitsudo.audit_tree`,
          `INSERT INTO jitsudo.steps VALUES ('s', 0)`,
          `ALTER TABLE jitsudo.audit DISABLE TRIGGER ALL`,
          `DROP TABLE jitsudo.audit`,
          `CREATE TABLE jitsudo.mine (a int)`,
          `CREATE OR REPLACE FUNCTION jitsudo.now_ms() RETURNS int8 LANGUAGE sql AS 'SELECT 0::int8'`,
          `SET session_replication_role = replica`
        ]
        for (const statement of forbidden) expect([statement, yield* state(statement)]).toEqual([statement, denied])
        const allowed = [
          `SELECT * FROM jitsudo.requests`,
          `SELECT jitsudo.now_ms(), jitsudo.forget_old()`,
          `UPDATE jitsudo.jobs SET run_at = 0, lease = 1, lease_until = 0, attempts = 1, holder = '', last_error = '', dead = false`,
          `INSERT INTO jitsudo.audit_tree SELECT 1, 0, sha256('')`,
          `INSERT INTO jitsudo.audit_checkpoints SELECT 1, sha256(''), 'o', 'n', 0`,
          `UPDATE jitsudo.principals SET last_seen_at = 0, groups_read_at = 0, auth_time = 0, amr = '[]'`
        ]
        for (const statement of allowed) expect([statement, yield* state(statement)]).toEqual([statement, "done"])
      }).pipe(Effect.provide(client(appUrl)))
    }).pipe(Effect.scoped, Effect.runPromise))

  it("nobody changes the log, not even the schema's owner", () =>
    Effect.gen(function* () {
      const { adminUrl } = yield* TestDatabase.make(postgresUrl)
      yield* Effect.gen(function* () {
        for (const statement of [
          `UPDATE jitsudo.audit SET payload = ''`,
          `DELETE FROM jitsudo.audit`,
          `TRUNCATE jitsudo.audit`,
          `UPDATE jitsudo.audit_text SET text = ''`,
          `DELETE FROM jitsudo.audit_text`,
          `TRUNCATE jitsudo.audit_text`,
          `UPDATE jitsudo.audit_tree SET place = 1`,
          `DELETE FROM jitsudo.audit_tree`,
          `TRUNCATE jitsudo.audit_tree`,
          `UPDATE jitsudo.audit_checkpoints SET note = ''`,
          `DELETE FROM jitsudo.audit_checkpoints`,
          `TRUNCATE jitsudo.audit_checkpoints`
        ]) {
          expect([statement, yield* state(statement)]).toEqual([statement, "42501"])
        }
      }).pipe(Effect.provide(client(adminUrl)))
    }).pipe(Effect.scoped, Effect.runPromise))
})
