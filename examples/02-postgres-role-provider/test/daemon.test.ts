/**
 * The stock daemon with the plug-in by its module's name, on a PostgreSQL of its own that asks everybody but jitsudo for
 * their password: ask, approve, use, give back.
 */
import { DevDaemon, PostgresServer } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import * as Logins from "../src/Logins.ts"
import { connect } from "../src/plugin.ts"
import { as, worldOf } from "./World.ts"

const Credentials = Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String }))

const passwords = `host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n`

const shared = inject("postgres")
const skipReason = "unavailable" in shared ? shared.unavailable : ""

describe.skipIf(skipReason !== "")("postgres-role in the stock daemon", { meta: { skipReason } }, () => {
  let server: PostgresServer.PostgresServer
  let directory = ""
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "jitsudo-hba-"))
    await chmod(directory, 0o755)
    await writeFile(join(directory, "pg_hba.conf"), passwords, { mode: 0o644 })
    const started = await PostgresServer.start({ settings: { hba_file: join(directory, "pg_hba.conf") } })
    if ("unavailable" in started) throw new Error(started.unavailable)
    server = started
  })
  afterAll(async () => {
    await server?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const urlWith = (user: string, password: string): string => {
    const url = new URL(server.url)
    url.username = user
    url.password = password
    return url.href
  }
  const count = (url: string, table: string) =>
    Effect.runPromise(
      Effect.result(
        as(
          url,
          SqlClient.SqlClient.use((sql) => sql.unsafe(`SELECT id FROM ${table}`))
        )
      )
    )

  it("gives a login that reads, and takes it away with its sessions", { timeout: 120_000 }, async () => {
    const scenario = Effect.gen(function* () {
      yield* worldOf(server.url, "team_")
      const daemon = yield* Effect.acquireRelease(
        Effect.promise(() =>
          DevDaemon.start({
            config: {
              providers: {
                orders: {
                  plugin: "@jitsudo/example-postgres-role-provider",
                  config: { url: server.url, scope: "main", roles: ["teamreader"] }
                }
              }
            }
          })
        ),
        ({ stop }) => Effect.promise(stop)
      )
      const call = (who: "alice" | "bob", method: string, path: string, body?: unknown) =>
        Effect.promise(() => daemon.call(who, method, path, body))
      const asked = yield* call("alice", "POST", "/requests", {
        provider: "orders",
        role: "teamreader",
        resourceScope: "main",
        durationSeconds: 600,
        reason: "INC-7: which orders are missing"
      })
      expect([asked.status, asked.body["state"]], daemon.log()).toEqual([201, "PENDING"])
      const request = `/requests/${String(asked.body["id"])}`
      const approved = yield* call("bob", "POST", `${request}/approve`, { digest: asked.body["digest"] })
      expect(approved.body["state"], daemon.log()).toBe("ACTIVE")

      const { body } = yield* call("alice", "GET", `${request}/credentials`)
      const listed = yield* Schema.decodeUnknownEffect(Credentials)(body["credentials"])
      const { PGPASSWORD: password = "", PGUSER: user = "" } = Object.fromEntries(
        listed.map(({ name, value }) => [name, value])
      )
      expect(user).toMatch(/^jitsudo_[0-9a-z]{26}$/u)
      expect(yield* Effect.promise(() => count(urlWith(user, password), "teamreader_orders"))).toMatchObject({
        _tag: "Success"
      })
      expect(yield* Effect.promise(() => count(urlWith(user, "guessed"), "teamreader_orders"))).toMatchObject({
        failure: { reason: { _tag: "AuthenticationError" } }
      })

      // A session that is open when the grant ends does not go on.
      const sql = yield* connect(Redacted.make(urlWith(user, password)))
      const sleeping = yield* Effect.forkChild(Effect.result(sql`SELECT pg_sleep(60)`), { startImmediately: true })
      const asAdmin = yield* connect(Redacted.make(server.url))
      yield* Effect.repeat(asAdmin`SELECT FROM pg_stat_activity WHERE usename = ${user} AND wait_event = 'PgSleep'`, {
        until: (rows) => rows.length === 1
      })
      const ended = yield* call("alice", "POST", `${request}/revoke`, {})
      expect(ended.body).toMatchObject({ state: "REVOKED", revocation: /sessions are ended at once/u })
      expect(yield* Fiber.join(sleeping)).toMatchObject({ _tag: "Failure" })
      expect(yield* Effect.promise(() => count(urlWith(user, password), "teamreader_orders"))).toMatchObject({
        _tag: "Failure"
      })
      expect(yield* asAdmin`SELECT FROM pg_roles WHERE rolname = ${user}`).toEqual([])
    })
    await Effect.runPromise(Effect.scoped(scenario))
  })

  it("lets nobody in after the end, even when nobody takes the login away", async () => {
    const scenario = Effect.gen(function* () {
      yield* worldOf(server.url, "late_")
      const logins = Logins.make(yield* connect(Redacted.make(server.url)), "late_")
      const requestId = "req_01J00000000000000000000009"
      const mark = (notAfter: number): Logins.Mark => ({
        requestId,
        role: "latereader",
        installation: null,
        issuedAt: 0,
        notAfter
      })
      yield* logins.make(mark(Date.now() - 60_000), "correct-horse-battery")
      const tried = yield* Effect.promise(() =>
        count(urlWith(logins.nameOf(requestId), "correct-horse-battery"), "latereader_orders")
      )
      expect(tried).toMatchObject({ failure: { reason: { _tag: "AuthenticationError" } } })
    })
    await Effect.runPromise(Effect.scoped(scenario))
  })

  it("leaves what a login made to its role", async () => {
    const scenario = Effect.gen(function* () {
      yield* worldOf(server.url, "made_")
      const admin = yield* connect(Redacted.make(server.url))
      yield* admin.unsafe("GRANT CREATE ON SCHEMA public TO madewriter").unprepared
      const logins = Logins.make(admin, "made_")
      const requestId = "req_01J0000000000000000000000A"
      const mark = { requestId, role: "madewriter", installation: null, issuedAt: 0, notAfter: Date.now() + 60_000 }
      yield* logins.make(mark, "correct-horse-battery")
      const user = logins.nameOf(requestId)
      yield* as(
        urlWith(user, "correct-horse-battery"),
        SqlClient.SqlClient.use((sql) => sql.unsafe("CREATE TABLE made_by_login (id int)").unprepared)
      )
      yield* logins.remove(requestId)
      const owner = yield* admin<{ readonly owner: string }>`
        SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname = 'made_by_login'`
      expect(owner).toEqual([{ owner: "madewriter" }])
      yield* admin.unsafe("DROP OWNED BY madewriter").unprepared
    })
    await Effect.runPromise(Effect.scoped(scenario))
  })
})
