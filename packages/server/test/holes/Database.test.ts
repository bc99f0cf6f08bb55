/** The database as the daemon uses it: bounds of the pool, indexes (holes D-74, D-79 and D-82 of docs/spec/closed-holes.md). */
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { expect, it } from "vitest"
import * as Config from "../../src/Config.ts"
import { database } from "../../src/Main.ts"
import { onPostgres, postgresUrl } from "../store/Suites.ts"

onPostgres("the pool", () => {
  it("bounds statements, waits for locks and idle transactions as the configuration says", () =>
    Effect.gen(function* () {
      const { appUrl } = yield* TestDatabase.make(postgresUrl)
      const config = yield* Config.load({
        env: {},
        purpose: "migrate",
        base: { database: { url: appUrl, statement_timeout: "7s", lock_timeout: "1500ms", pool_size: 2 } }
      })
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const setting = (name: string) =>
          Effect.map(sql<{ value: string }>`SELECT current_setting(${name}) AS value`, ([row]) => row?.value)
        expect([
          yield* setting("statement_timeout"),
          yield* setting("lock_timeout"),
          yield* setting("idle_in_transaction_session_timeout")
        ]).toEqual(["7s", "1500ms", "10s"])
      }).pipe(Effect.provide(database(config.database)))
    }).pipe(Effect.scoped, Effect.runPromise))
})

onPostgres("the schema", () => {
  it("has an index in the order of every listing, and keeps credentials apart from requests", () =>
    Effect.gen(function* () {
      const { appUrl } = yield* TestDatabase.make(postgresUrl)
      const config = yield* Config.load({ env: {}, purpose: "migrate", base: { database: { url: appUrl } } })
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const columnsOf = (table: string) =>
          Effect.map(
            sql<{ definition: string }>`
              SELECT pg_get_indexdef(indexrelid) AS definition
              FROM pg_index WHERE indrelid = ${`jitsudo.${table}`}::regclass`,
            (rows) =>
              rows.map(({ definition }) =>
                definition
                  .replace(/^.* USING \w+ /u, "")
                  .replace(/ WHERE .*| INCLUDE .*/u, "")
                  .replaceAll(/ COLLATE "C"/gu, "")
              )
          )
        const requests = yield* columnsOf("requests")
        const marks = yield* columnsOf("request_marks")
        const audit = yield* columnsOf("audit")
        expect(requests).toContain("(created_at DESC, id DESC)")
        expect(requests).toContain("(state, created_at DESC, id DESC)")
        // By requester, role, approving group and approver: each of them a mark.
        expect(marks).toContain("(mark, created_at, request_id)")
        for (const keys of ["(seq)", "(request_id, seq)", "(provider, seq)", "(action, seq)", "(actor_email, seq)"]) {
          expect(audit).toContain(keys)
        }
        const columns = yield* sql<{ name: string }>`
          SELECT column_name AS name FROM information_schema.columns
          WHERE table_schema = 'jitsudo' AND table_name = 'requests'`
        expect(columns.map((one) => one.name).filter((name) => /credential|secret|cipher/u.test(name))).toEqual([])
      }).pipe(Effect.provide(database(config.database)))
    }).pipe(Effect.scoped, Effect.runPromise))
})
