/** A log with entries for the tests of evidence, and the pure library's word on it. */
import { AuditRecord, Store } from "@jitsudo/core"
import { Chain, Frontier, type Merkle } from "@jitsudo/audit"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { newId, machineNow } from "../store/Steps.ts"

/** Appends `count` entries through the store, `each` a step. */
export const append = Effect.fnUntraced(function* (count: number, each = 50) {
  const store = yield* Store.Store
  const steps = Math.ceil(count / each)
  yield* Effect.forEach(
    Array.from({ length: steps }, (_, step) => Math.min(each, count - step * each)),
    (size) =>
      Effect.gen(function* () {
        const now = machineNow()
        const entries = yield* Effect.forEach(Array.from({ length: size }), () =>
          AuditRecord.draft(
            {
              actor: { issuer: "jitsudo", subject: "system", email: null, kind: "system" },
              action: "config.loaded",
              outcome: "success",
              requestId: null,
              provider: null,
              role: null,
              resourceScope: null,
              details: { configHash: newId("ent") },
              texts: {}
            },
            now
          )
        )
        yield* store.commit({ id: newId("stp"), now, guards: [], writes: [], entries, jobs: [] })
      }),
    { concurrency: 8, discard: true }
  )
})

/** The root over the payloads of the first `size` entries, by the library that verifies. */
export const rootOf = Effect.fnUntraced(function* (
  size: number
): Effect.fn.Return<Merkle.Head, SqlError, SqlClient.SqlClient> {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<{
    payload: string
  }>`SELECT payload FROM jitsudo.audit WHERE seq <= ${BigInt(size)} ORDER BY seq`
  const tree = Frontier.make()
  for (const { payload } of rows) tree.append(Chain.leafOf(payload))
  return tree.head()
})
