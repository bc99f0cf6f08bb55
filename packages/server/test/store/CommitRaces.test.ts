/**
 * Guards are exact at the instant of the commit, across processes: in the log no decision stands behind the change that
 * made what it was decided on obsolete. The same test finds the fault in builds of the commit function that are wrong
 * on purpose, or it would prove nothing.
 */
import { Store } from "@jitsudo/core"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { expect, it } from "vitest"
import * as CommitSteps from "../../src/store/migrations/0003_CommitSteps.ts"
import { machineNow, pending, person, stepAt, whyBroken } from "./Steps.ts"
import { full, onPostgres, patience, postgresUrl } from "./Suites.ts"
import { storeAt } from "./workers/Connection.ts"
import { startWorker } from "./Workers.ts"

const decisions = full ? 2_000 : 200

/** The commit function with a part of its text replaced; a text that is not there fails the test. */
const wrong = (changes: ReadonlyArray<readonly [string, string]>): string => {
  let text = CommitSteps.statements[0] ?? ""
  for (const [from, to] of changes) {
    expect(text).toContain(from)
    text = text.replace(from, () => to)
  }
  return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
}

const head = "SELECT h.seq, h.hash INTO STRICT v_seq, v_hash FROM jitsudo.audit_head h FOR UPDATE;"

/** The head is taken after the guards were checked: how one would do it to hold the lock for a shorter time. */
const headLast = wrong([
  [head, ""],
  ["-- 4. requests, and what they are found by", `-- 4. requests, and what they are found by\n     ${head}`]
])

/** Versions of what is written are compared, what was only read is not. */
const guardsUnchecked = wrong([
  [
    "FROM unnest(g_step, g_kind, g_id, g_version) WITH ORDINALITY",
    "FROM unnest('{}'::int4[], '{}'::text[], '{}'::text[], '{}'::int8[]) WITH ORDINALITY"
  ]
])

interface LogRow {
  readonly seq: bigint
  readonly payload: string
  readonly prev: string
  readonly hash: string
}

interface Recorded {
  readonly action: string
  readonly details: { readonly policy?: number; readonly locks?: number; readonly principal?: number }
}

/** How many decisions stand behind a change that made them obsolete, how many stand, how many changes between them. */
const staleIn = (log: ReadonlyArray<LogRow>) => {
  const current = { policy: 0, locks: 0, principal: 1 }
  let stale = 0
  let decided = 0
  let between = 0
  let since = 0
  for (const { payload } of log) {
    const { action, details } = JSON.parse(payload) as Recorded
    if (action === "request.approved") {
      decided += 1
      const fresh =
        details.policy === current.policy && details.locks === current.locks && details.principal === current.principal
      if (!fresh) stale += 1
      between += since
      since = 0
    } else {
      Object.assign(current, details)
      if (decided > 0) since += 1
    }
  }
  return { stale, decided, between }
}

/** Two processes decide, one changes what they decide on, until all requests are decided. */
const race = (replacement?: string) =>
  Effect.gen(function* () {
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    if (replacement !== undefined) {
      yield* SqlClient.SqlClient.use((sql) => sql.unsafe(replacement).unprepared).pipe(Effect.provide(admin))
    }
    const ids = yield* Effect.gen(function* () {
      const store = yield* Store.Store
      const { now } = yield* store.facts({})
      yield* store.commit(stepAt(now, { writes: [{ kind: "principal", expect: 0, next: person("ben", now) }] }))
      const made = Array.from({ length: decisions }, () => pending(now))
      yield* Effect.forEach(
        made,
        (request) =>
          Effect.suspend(() =>
            store.commit(stepAt(machineNow(), { writes: [{ kind: "request", expect: 0, next: request }] }))
          ),
        { concurrency: 200, discard: true }
      )
      return made.map((request) => request.id)
    }).pipe(Effect.provide(storeAt(appUrl)))

    const half = ids.length / 2
    const changing = startWorker("changing", appUrl)
    const deciding = [ids.slice(0, half), ids.slice(half)].map((some) =>
      startWorker("deciding", appUrl, some.join(","))
    )
    const outcome = yield* Effect.promise(async () => {
      const codes = await Promise.all(deciding.map((worker) => worker.ended))
      changing.child.stdin?.end()
      return [...codes, await changing.ended]
    })
    expect(outcome, [changing, ...deciding].map((worker) => worker.errors()).join("")).toEqual([0, 0, 0])

    const log = yield* SqlClient.SqlClient.use(
      (sql) => sql<LogRow>`
        SELECT seq, payload, encode(prev_hash, 'hex') AS prev, encode(hash, 'hex') AS hash FROM jitsudo.audit ORDER BY seq`
    ).pipe(Effect.provide(admin))
    const versions = yield* SqlClient.SqlClient.use(
      (sql) => sql<{ version: bigint }>`SELECT DISTINCT version FROM jitsudo.requests`
    ).pipe(Effect.provide(admin))
    const changes = changing.lines.filter((line) => line === "changed").length
    return { log, changes, versions: versions.map((row) => Number(row.version)), ...staleIn(log) }
  }).pipe(Effect.scoped, Effect.runPromise)

onPostgres("three processes: two decide, one changes policy, locks and a principal", () => {
  it(
    `${decisions} decisions race with changes, and none stands behind the change that made it obsolete`,
    async () => {
      const { between, changes, decided, log, stale, versions } = await race()
      expect(decided).toBe(decisions)
      expect(versions).toEqual([2])
      // The race took place: changes fell between decisions.
      expect(between).toBeGreaterThan(decisions / 20)
      expect(stale).toBe(0)
      expect(log.length).toBe(decided + changes)
      expect(
        whyBroken(
          log.map((row) => ({ seq: Number(row.seq), payload: row.payload, prevHash: row.prev, hash: row.hash }))
        )
      ).toBe(null)
    },
    patience
  )

  it(
    "finds decisions behind their change when the head is taken after the guards",
    async () => {
      const { decided, stale } = await race(headLast)
      expect(decided).toBe(decisions)
      expect(stale).toBeGreaterThan(0)
    },
    patience
  )

  it(
    "finds decisions behind their change when guards are not checked",
    async () => {
      const { decided, stale } = await race(guardsUnchecked)
      expect(decided).toBe(decisions)
      expect(stale).toBeGreaterThan(0)
    },
    patience
  )
})
