/** The word of this installation, as its database has it. */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/** All processes on one database read the same word. */
export const word: Effect.Effect<string, SqlError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql<{ word: string }>`SELECT word FROM jitsudo.installation`
  if (row === undefined) return yield* Effect.die(new Error("the database has no installation: its row was removed"))
  return row.word
})
