/**
 * A committing process is killed at random: every step that it was told of is in the log exactly once, no step is there
 * in part, and the log is whole. On PostgreSQL the server lives on; on PGlite the database dies with the process.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import * as Pglite from "../../src/store/Pglite.ts"
import { whyBroken } from "./Steps.ts"
import { full, onPostgres, patience, postgresUrl } from "./Suites.ts"
import { startWorker } from "./Workers.ts"

/** Kills the worker after it acknowledged at least `floor` steps and a random while longer. Gives the step ids. */
const killed = async (target: string, floor: number): Promise<ReadonlyArray<string>> => {
  const worker = startWorker("committing", target, "16")
  await worker.said(1 + floor)
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 300))
  worker.child.kill("SIGKILL")
  expect(await worker.ended, worker.errors()).toBe("SIGKILL")
  return worker.lines.slice(1)
}

/**
 * What the database holds after all the kills, compared with what was acknowledged. In one snapshot: a server may still
 * be finishing what a dead process asked of it.
 */
const accountFor = (acknowledged: ReadonlyArray<string>) =>
  SqlClient.SqlClient.use((sql) => sql.withTransaction(accountIn(sql, acknowledged)))

const accountIn = (sql: SqlClient.SqlClient, acknowledged: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    yield* sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`
    const log = yield* sql<{
      seq: bigint
      step_id: string
      request_id: string
      payload: string
      prev: string
      hash: string
    }>`
      SELECT seq, step_id, request_id, payload, encode(prev_hash, 'hex') AS prev, encode(hash, 'hex') AS hash
      FROM jitsudo.audit ORDER BY seq`
    const [head] = yield* sql<{ seq: bigint; hash: string }>`
      SELECT seq, encode(hash, 'hex') AS hash FROM jitsudo.audit_head`
    expect(
      whyBroken(log.map((row) => ({ seq: Number(row.seq), payload: row.payload, prevHash: row.prev, hash: row.hash })))
    ).toBe(null)
    expect(head).toEqual({ seq: BigInt(log.length), hash: log.at(-1)?.hash })
    // Each step of the worker is one request, two entries and one job.
    const entries = new Map<string, number>()
    for (const row of log) entries.set(row.step_id, (entries.get(row.step_id) ?? 0) + 1)
    expect([...entries.values()].every((count) => count === 2)).toBe(true)
    expect(new Set(acknowledged).size).toBe(acknowledged.length)
    expect(acknowledged.filter((id) => entries.get(id) !== 2)).toEqual([])
    const [counts] = yield* sql<{ requests: number; jobs: number }>`
      SELECT (SELECT count(*) FROM jitsudo.requests)::int4 AS requests, (SELECT count(*) FROM jitsudo.jobs)::int4 AS jobs`
    expect(counts).toEqual({ requests: entries.size, jobs: entries.size })
  })

onPostgres("kill -9 while committing", () => {
  const kills = full ? 20 : 4
  it(
    `${kills} kills lose nothing that was acknowledged and leave nothing in part`,
    () =>
      Effect.gen(function* () {
        const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
        const acknowledged: Array<string> = []
        for (let kill = 0; kill < kills; kill++) {
          acknowledged.push(...(yield* Effect.promise(() => killed(appUrl, 50))))
        }
        expect(acknowledged.length).toBeGreaterThanOrEqual(50 * kills)
        yield* accountFor(acknowledged).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(adminUrl) })))
      }).pipe(Effect.scoped, Effect.runPromise),
    patience
  )
})

describe("kill -9 while committing (PGlite)", () => {
  const kills = full ? 20 : 3
  it(
    `${kills} kills lose nothing that was acknowledged and leave nothing in part`,
    () =>
      Effect.gen(function* () {
        const directory = join(inject("scratch"), "pglite-crash")
        const acknowledged: Array<string> = []
        for (let kill = 0; kill < kills; kill++) {
          acknowledged.push(...(yield* Effect.promise(() => killed(directory, 50))))
        }
        expect(acknowledged.length).toBeGreaterThanOrEqual(50 * kills)
        yield* accountFor(acknowledged).pipe(Effect.provide(Pglite.layer({ directory })))
      }).pipe(Effect.scoped, Effect.runPromise),
    patience
  )
})
