/**
 * What an audited change costs: a step as the engine writes them (one request, guards on principal, locks and policy,
 * two entries, one job) through the store's committer, against F1.
 *
 * F1 is the same business in an ordinary transaction without guards and without a chain: BEGIN, UPDATE, one INSERT for
 * job and entries, COMMIT; four round trips of the same driver, as many connections as writers, plain tables. Both draw
 * their entries in the same way, so that what differs is how they are committed.
 *
 * After each number of writers the whole log is verified, and its length compared with what was acknowledged.
 */
import { AuditChain, AuditRecord, Ids, Principal, type Request, type Step, Store, Time } from "@jitsudo/core"
import { Fixtures } from "@jitsudo/core/testing"
import * as verify from "@jitsudo/audit/verify"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomBytes, randomInt } from "node:crypto"
import * as BenchDatabase from "./BenchDatabase.ts"
import { closedLoop, inTurns, type Summary } from "./Load.ts"
import { person } from "./People.ts"
import { atMost, ratioAtLeast, report, row, type Row } from "./Rows.ts"

/** Of one turn. */
const millis = process.env["JITSUDO_BENCH_FULL"] === "1" ? 5_000 : 1_000
const turns = 3
const people = 100
const requests = 20_000

const random = (size: number) => randomBytes(size)
const now = (): Time.Time => Time.make(Date.now())
const everybody = Array.from({ length: people }, (_, index) => person(`person-${index}`, ["sre"], now()))

const pending = (index: number): Request.Request => {
  const at = now()
  const requester = everybody[index % people] ?? Fixtures.ana
  return Fixtures.pending({
    id: Ids.make("req", at, random),
    requester: Fixtures.requester(requester),
    party: Principal.partyOf(requester, []),
    decideBy: Time.plusSeconds(at, 86_400),
    lapsesAt: Time.plusSeconds(at, 86_400),
    createdAt: at,
    updatedAt: at
  })
}

/** Ben approves, and the approval is withdrawn again: a request never stands still. */
const changed = (before: Request.Request, at: Time.Time): Request.Request => ({
  ...before,
  version: before.version + 1,
  state: before.state === "PENDING" ? "APPROVED" : "PENDING",
  decisions: before.state === "PENDING" ? [Fixtures.decision("approve", { at })] : [],
  updatedAt: at
})

const entriesOf = Effect.fnUntraced(function* (request: Request.Request, at: Time.Time) {
  const about = {
    actor: { ...Fixtures.keyFor(Fixtures.ben), email: Fixtures.ben.email, kind: "human" },
    outcome: "success",
    requestId: request.id,
    provider: request.asked.provider,
    role: request.asked.role,
    resourceScope: request.asked.resourceScope
  } as const
  return [
    yield* AuditRecord.draft(
      {
        ...about,
        action: "request.approved",
        details: {
          digest: request.digest,
          policyRevision: request.routing.policyRevision,
          policyHash: request.routing.policyHash,
          groups: ["sre", "sre-leads"]
        },
        texts: { comment: "as agreed" }
      },
      at
    ),
    yield* AuditRecord.draft(
      { ...about, action: "request.routed", details: { by: "quorum", durationSeconds: 3600 }, texts: {} },
      at
    )
  ]
})

const jobOf = (request: Request.Request, at: Time.Time) =>
  Fixtures.job(Ids.make("job", at, random), Time.plusSeconds(at, 86_400), {
    kind: "grant",
    requestId: request.id,
    serialKey: `mock:${request.id}`
  })

/** The next change of one of this writer's own requests, so that writers never race each other. */
const nextOf = (all: Array<Request.Request>, clients: number, client: number) => {
  const index = randomInt(Math.floor(all.length / clients)) * clients + client
  const before = all[index]
  if (before === undefined) throw new Error(`no request ${index}`)
  const at = now()
  return { index, before, at, after: changed(before, at) }
}

/** Fills the store: everybody, and requests to change. */
const filled = Effect.gen(function* () {
  const store = yield* Store.Store
  const commit = (writes: ReadonlyArray<Step.Write>) =>
    store.commit({ id: Ids.make("stp", now(), random), now: now(), guards: [], writes, entries: [], jobs: [] })
  yield* Effect.forEach(everybody, (next) => commit([{ kind: "principal", expect: 0, next }]), { discard: true })
  const all = Array.from({ length: requests }, (_, index) => pending(index))
  const parts = Array.from({ length: Math.ceil(all.length / 100) }, (_, part) =>
    all.slice(part * 100, part * 100 + 100)
  )
  yield* Effect.forEach(parts, (part) => commit(part.map((next) => ({ kind: "request", expect: 0, next }))), {
    discard: true
  })
  return all
})

/** A step through the committer. */
const chained = Effect.fnUntraced(function* (all: Array<Request.Request>) {
  const store = yield* Store.Store
  return (clients: number) =>
    Effect.fnUntraced(function* (client: number) {
      const { after, at, before, index } = nextOf(all, clients, client)
      const who = everybody[index % people] ?? Fixtures.ana
      yield* store.commit({
        id: Ids.make("stp", at, random),
        now: at,
        guards: [
          { kind: "locks", revision: 0 },
          { kind: "policy", revision: 0 },
          { kind: "principal", key: Fixtures.keyFor(who), version: 1 }
        ],
        writes: [{ kind: "request", expect: before.version, next: after }],
        entries: yield* entriesOf(after, at),
        jobs: [jobOf(after, at)]
      })
      all[index] = after
    })
})

const plainTables = [
  `CREATE SCHEMA plain`,
  `CREATE TABLE plain.requests (id text PRIMARY KEY, version int8 NOT NULL, state text NOT NULL, body jsonb NOT NULL) WITH (fillfactor = 70)`,
  `CREATE TABLE plain.jobs (id text PRIMARY KEY, kind text NOT NULL, request_id text NOT NULL, run_at int8 NOT NULL)`,
  `CREATE TABLE plain.audit (seq bigserial PRIMARY KEY, id text NOT NULL, payload text NOT NULL)`
]

/** The same business in a transaction of its own. */
const unchained = Effect.fnUntraced(function* (sql: PgClient.PgClient, all: Array<Request.Request>) {
  for (const statement of plainTables) yield* sql.unsafe(statement)
  yield* sql`INSERT INTO plain.requests
    SELECT r.body->>'id', (r.body->>'version')::int8, r.body->>'state', r.body FROM jitsudo.requests r`
  yield* sql`VACUUM (ANALYZE)`
  return (clients: number) =>
    Effect.fnUntraced(function* (client: number) {
      const { after, at, before, index } = nextOf(all, clients, client)
      const [first, second] = yield* entriesOf(after, at)
      const job = jobOf(after, at)
      yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`UPDATE plain.requests SET version = ${BigInt(after.version)}, state = ${after.state},
            body = ${JSON.stringify(after)}::jsonb WHERE id = ${after.id} AND version = ${BigInt(before.version)}`
          yield* sql`WITH job AS (INSERT INTO plain.jobs VALUES (${job.id}, ${job.kind}, ${after.id}, ${BigInt(job.runAt)}))
            INSERT INTO plain.audit (id, payload) VALUES (${first?.id ?? ""}, ${first?.payload ?? ""}),
              (${second?.id ?? ""}, ${second?.payload ?? ""})`
        })
      )
      all[index] = after
    })
})

/** Every acknowledged entry is in the log, and the log is whole. */
const proven = Effect.fnUntraced(function* (acknowledged: number) {
  const chain = yield* AuditChain.AuditChain
  const head = yield* chain.head
  const verdict = yield* verify.verifyEntries(chain.stream(), { head })
  if (verdict._tag === "Broken") throw new Error(`the log is broken: ${verify.describe(verdict)}`)
  if (verdict.entries !== acknowledged) {
    throw new Error(`${acknowledged} entries were acknowledged, and the log has ${verdict.entries}`)
  }
})

interface Case {
  readonly writers: number
  readonly floor: Summary
  readonly subject: Summary
}

/** All numbers of writers on one database. `sql` is for F1, with a connection for each of its writers. */
const measured = Effect.fnUntraced(function* (sql: PgClient.PgClient) {
  const all = yield* filled
  const subject = yield* chained(all)
  const floor = yield* unchained(sql, [...all])
  const cases: Array<Case> = []
  let steps = 0
  for (const writers of [1, 8, 32]) {
    yield* closedLoop(writers, millis / 3, floor(writers))
    steps += (yield* closedLoop(writers, millis / 3, subject(writers))).latencies.length
    yield* sql`VACUUM jitsudo.requests, jitsudo.audit_head, plain.requests`
    const one = yield* inTurns(
      turns,
      closedLoop(writers, millis, floor(writers)),
      closedLoop(writers, millis, subject(writers))
    )
    steps += one.subject.count
    yield* proven(steps * 2)
    cases.push({ writers, ...one })
  }
  return { cases, entries: steps * 2 }
})

const postgres = Effect.gen(function* () {
  const server = yield* BenchDatabase.postgresServer
  const database = yield* BenchDatabase.fresh(server)
  const admin = PgClient.layer({ url: Redacted.make(database.adminUrl), maxConnections: 32 })
  const result = yield* PgClient.PgClient.use((sql) =>
    measured(sql).pipe(Effect.provide(BenchDatabase.onPostgres(database)))
  ).pipe(Effect.provide(admin))
  return { ...result, version: server.version }
})

const pglite = Effect.gen(function* () {
  const directory = yield* BenchDatabase.directory
  return yield* PgClient.PgClient.use(measured).pipe(Effect.provide(BenchDatabase.onPglite(directory)))
})

const times = (writers: number) => `${writers} writer${writers === 1 ? "" : "s"}`
const wanted: Readonly<Record<number, number>> = { 1: 0.9, 8: 1.2, 32: 2.5 }

const rowsOf = (database: "PostgreSQL" | "PGlite", cases: ReadonlyArray<Case>): ReadonlyArray<Row> =>
  cases.flatMap(({ floor, subject, writers }) => {
    const least = database === "PostgreSQL" ? wanted[writers] : undefined
    const rows = [
      row({
        row: database === "PostgreSQL" ? 1 : "-",
        name: `chained step, ${database}, ${times(writers)}`,
        value: subject.perSecond,
        unit: "/s",
        floor: { name: "F1/s", value: floor.perSecond },
        ...(least === undefined ? {} : { target: ratioAtLeast(least) })
      })
    ]
    if (writers === 32 && database === "PostgreSQL") {
      rows.push(
        row({
          row: 1,
          name: `  its p99`,
          value: subject.p99,
          unit: "ms",
          floor: { name: "ms F1", value: floor.p99 },
          target: atMost(10)
        })
      )
    }
    return rows
  })

const notes: Array<string> = []
const rows: Array<Row> = []
const details: Record<string, unknown> = {}
const skipped = (error: unknown): undefined => {
  if (!(error instanceof BenchDatabase.NoPostgres)) throw error
  notes.push(`not measured on PostgreSQL: ${error.message}`)
}
const onServer = await Effect.runPromise(Effect.scoped(postgres)).catch(skipped)
if (onServer !== undefined) {
  rows.push(...rowsOf("PostgreSQL", onServer.cases))
  notes.push(`PostgreSQL ${onServer.version}: ${onServer.entries} entries acknowledged, all in the verified log`)
  details["postgres"] = onServer.cases
}
const embedded = await Effect.runPromise(Effect.scoped(pglite))
rows.push(...rowsOf("PGlite", embedded.cases))
notes.push(`PGlite: ${embedded.entries} entries acknowledged, all in the verified log`)
details["pglite"] = embedded.cases
report("audit-append", rows, { notes, details })
