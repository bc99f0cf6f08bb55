/** The pool's bounds are the configuration's (hole D-82 of docs/spec/closed-holes.md). */
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
