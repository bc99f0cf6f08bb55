/**
 * The whole way of a request over HTTP: token verified, policy asked, three steps committed (asked and approved, grant
 * started, grant issued), the mock provider called, the answer ACTIVE. And of an approval by a person.
 *
 * The daemon is the shipped one in a process of its own, on PostgreSQL that flushes, with its default log. Load, daemon
 * and database share this machine. Floor: the same body and an answer of the same size through a plain `node:http`
 * server, measured in turns with the daemon.
 *
 * Afterwards the log is verified, and every request that was acknowledged must have all its entries.
 */
import { AuditChain, Ids, Principal, Store, Time } from "@jitsudo/core"
import * as verify from "@jitsudo/audit/verify"
import { Starter } from "@jitsudo/rego"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as BenchDatabase from "./BenchDatabase.ts"
import * as BenchIssuer from "./BenchIssuer.ts"
import { daemon } from "./Bundle.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import * as HttpCalls from "./HttpCalls.ts"
import { closedLoop, inTurns, type Summary, summary } from "./Load.ts"
import { atLeast, atMost, report, row } from "./Rows.ts"

const full = process.env["JITSUDO_BENCH_FULL"] === "1"
const turns = 3
const millis = full ? 8_000 : 2_500
const clients = 32
/** So many that nobody holds many grants at once. */
const requesters = 600
const approvals = full ? 8_000 : 1_500
const megabyte = 1024 * 1024

interface Asked {
  readonly id: string
  readonly state: string
  readonly digest: string
}

const plainServer = (answer: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly url: string; readonly end: () => void }>((resolve, reject) => {
          const child = spawn(
            process.execPath,
            [...process.execArgv, join(import.meta.dirname, "plain-server.ts"), answer],
            {
              stdio: ["ignore", "pipe", "inherit"]
            }
          )
          child.once("error", reject)
          child.stdout.once("data", (port: Buffer) =>
            resolve({ url: `http://127.0.0.1:${port.toString().trim()}/`, end: () => child.kill() })
          )
        })
    ),
    ({ end }) => Effect.sync(end)
  )

/** The starter pack as the first revision, as `dev` stores it: nothing is compiled. */
const withPolicy = Effect.gen(function* () {
  const store = yield* Store.Store
  const { now } = yield* store.facts({})
  yield* store.commit({
    id: Ids.make("stp", now, (size) => randomBytes(size)),
    now,
    guards: [],
    writes: [
      {
        kind: "policies",
        expect: 0,
        hash: "1".repeat(64),
        policies: Starter.policies({ now: Time.make(now), by: { ...Principal.system, email: null } })
      }
    ],
    entries: [],
    jobs: []
  })
})

const configuration = (options: {
  readonly port: number
  readonly database: string
  readonly issuer: BenchIssuer.BenchIssuer
}) => ({
  server: { http_addr: `127.0.0.1:${options.port}` },
  database: { url: options.database },
  auth: { issuers: [options.issuer.entry] },
  sealing: { keys: [{ id: "bench", key: randomBytes(32).toString("base64") }] },
  providers: { mock: {} },
  // One machine plays everybody.
  limits: { requests_per_minute: 1_000_000, requests_per_minute_address: 1_000_000 }
})

/** How long what was answered APPROVED may take to be granted. */
const longestMillis = 20_000

/** Entries that a request must have after it was granted, whoever approved it. */
const entriesOfGrant = ["request.created", "request.routed", "grant.started", "grant.issued"]

/** The log is whole, and nothing that was acknowledged is missing in it. */
const proven = Effect.fnUntraced(function* (acknowledged: ReadonlyArray<string>) {
  const sql = yield* PgClient.PgClient
  const unfinished = sql<{ count: number }>`
    SELECT count(*)::int4 AS count FROM jitsudo.requests r WHERE r.state = 'APPROVED'`.pipe(
    Effect.map(([found]) => found?.count ?? 0)
  )
  const given = performance.now() + longestMillis
  while ((yield* unfinished) > 0) {
    if (performance.now() > given) throw new Error(`${yield* unfinished} approved requests are not granted`)
    yield* Effect.sleep("50 millis")
  }
  const chain = yield* AuditChain.AuditChain
  const head = yield* chain.head
  const verdict = yield* verify.verifyEntries(chain.stream(), { head })
  if (verdict._tag === "Broken") throw new Error(`the log is broken: ${verify.describe(verdict)}`)
  const rows = yield* sql<{ request_id: string; actions: ReadonlyArray<string> }>`
    SELECT a.request_id, array_agg(a.action) AS actions FROM jitsudo.audit a
    WHERE a.request_id IS NOT NULL GROUP BY a.request_id`
  const actions = new Map(rows.map((one) => [one.request_id, one.actions]))
  const lost = acknowledged.flatMap((id) =>
    entriesOfGrant.filter((action) => actions.get(id)?.includes(action) !== true)
  )
  if (lost.length > 0) throw new Error(`${lost.length} entries of acknowledged requests are not in the log`)
  return verdict.entries
})

const measured = Effect.gen(function* () {
  const program = yield* Effect.promise(daemon)
  const server = yield* BenchDatabase.postgresServer
  const database = yield* BenchDatabase.fresh(server)
  const stores = BenchDatabase.onPostgres(database)
  yield* withPolicy.pipe(Effect.provide(stores))
  const issuer = yield* BenchIssuer.start
  const directory = yield* BenchDatabase.directory
  const port = yield* DaemonProcess.freePort
  const config = join(directory, "jitsudod.yaml")
  // JSON is YAML.
  writeFileSync(config, JSON.stringify(configuration({ port, database: database.appUrl, issuer })), { mode: 0o600 })
  const served = yield* DaemonProcess.start({
    program,
    args: ["serve", "--config", config],
    url: `http://127.0.0.1:${port}`,
    logFile: join(directory, "jitsudod.log")
  })
  yield* Effect.sleep("2 seconds")
  const idleBytes = served.residentBytes()

  const api = `${served.url}/api/v1alpha1`
  const tokens = Array.from({ length: requesters }, (_, index) => issuer.tokenFor(`sre-${index}`, ["sre"]))
  const leads = Array.from({ length: clients }, (_, index) => issuer.tokenFor(`lead-${index}`, ["sre", "sre-leads"]))
  yield* Effect.forEach([...tokens, ...leads], (token) => HttpCalls.get(`${api}/principals/me`, token), {
    concurrency: clients,
    discard: true
  })

  const acknowledged: Array<string> = []
  let late = 0
  const wrong: Array<string> = []
  let next = 0
  const body = (role: string) => ({
    provider: "mock",
    role,
    resourceScope: `project/checkout-${next % 1_000}`,
    durationSeconds: 1_800,
    reason: "read the logs of incident 42",
    metadata: { ticket: "INC-42" }
  })
  /** What an answer says. One of another status, or in a state that it may not have, is an error. */
  const read = (answer: HttpCalls.Answer, status: number, states: ReadonlyArray<string>): Asked | undefined => {
    const { digest, id, state }: Partial<Asked> = answer.status === status ? JSON.parse(answer.text) : {}
    if (id !== undefined && digest !== undefined && state !== undefined && states.includes(state)) {
      return { id, state, digest }
    }
    wrong.push(`${answer.status} ${answer.text.slice(0, 300)}`)
    return undefined
  }
  /** An answer to what ends in a grant. APPROVED is true, too, but it should have been ACTIVE. */
  const granted = (answer: HttpCalls.Answer, status: number): void => {
    const asked = read(answer, status, ["ACTIVE", "APPROVED"])
    if (asked === undefined) return
    acknowledged.push(asked.id)
    if (asked.state === "APPROVED") late++
  }
  const ask = () =>
    Effect.gen(function* () {
      const number = next++
      const answer = yield* HttpCalls.post(`${api}/requests`, body("reader"), tokens[number % requesters])
      granted(answer, 201)
      return answer.text
    })

  const sample = yield* ask()
  if (wrong.length > 0) throw new Error(`the request that is measured is not approved and granted at once: ${wrong[0]}`)
  const plain = yield* plainServer(sample)
  const floor = () => HttpCalls.post(plain.url, body("reader"), tokens[0])

  let peakBytes = 0
  const watching = yield* Effect.forkChild(
    Effect.forever(
      Effect.andThen(
        Effect.sleep("100 millis"),
        Effect.sync(() => (peakBytes = Math.max(peakBytes, served.residentBytes())))
      )
    )
  )
  yield* closedLoop(clients, millis / 2, floor)
  yield* closedLoop(clients, millis, ask)
  const one = yield* inTurns(turns, closedLoop(1, millis / 4, floor), closedLoop(1, millis / 2, ask))
  const many = yield* inTurns(turns, closedLoop(clients, millis / 4, floor), closedLoop(clients, millis, ask))

  // Approving: requests for a role that leads decide on, made beforehand.
  const waiting: Array<Asked> = []
  yield* Effect.forEach(
    Array.from({ length: approvals }, (_, index) => index),
    (index) =>
      Effect.gen(function* () {
        next++
        const answer = yield* HttpCalls.post(`${api}/requests`, body("deploy-admin"), tokens[index % requesters])
        const asked = read(answer, 201, ["PENDING"])
        if (asked !== undefined) waiting.push(asked)
      }),
    { concurrency: clients, discard: true }
  )
  const approving: Array<number> = []
  const began = performance.now()
  yield* Effect.forEach(
    waiting,
    (asked, index) =>
      Effect.gen(function* () {
        const start = performance.now()
        const answer = yield* HttpCalls.post(
          `${api}/requests/${asked.id}/approve`,
          { digest: asked.digest, comment: "as agreed" },
          leads[index % clients]
        )
        approving.push(performance.now() - start)
        granted(answer, 200)
      }),
    { concurrency: clients, discard: true }
  )
  const approved: Summary = summary([
    { perSecond: approving.length / ((performance.now() - began) / 1_000), latencies: approving }
  ])
  watching.interruptUnsafe()

  if (wrong.length > 0) throw new Error(`${wrong.length} answers were wrong, the first: ${wrong[0]}`)
  const entries = yield* proven(acknowledged).pipe(Effect.provide(stores))
  return {
    one,
    many,
    approved,
    idleBytes,
    peakBytes,
    entries,
    acknowledged: acknowledged.length,
    late,
    version: server.version
  }
})

try {
  const { acknowledged, approved, entries, idleBytes, late, many, one, peakBytes, version } = await Effect.runPromise(
    Effect.scoped(measured)
  )
  const perSecond = (of: Summary) => ({ name: "plain POST/s", value: of.perSecond })
  const inMillis = (of: Summary) => ({ name: "ms plain POST", value: of.p50 })
  report(
    "auto-approved-request",
    [
      row({
        row: 6,
        name: "auto-approved request, 32 clients",
        value: many.subject.perSecond,
        unit: "/s",
        floor: perSecond(many.floor),
        target: atLeast(1_000)
      }),
      row({
        row: 6,
        name: "  its p99",
        value: many.subject.p99,
        unit: "ms",
        floor: { name: "ms plain POST", value: many.floor.p99 },
        target: atMost(100)
      }),
      row({
        row: 7,
        name: "auto-approved request, one client, p50",
        value: one.subject.p50,
        unit: "ms",
        floor: inMillis(one.floor),
        target: atMost(6)
      }),
      row({
        row: 8,
        name: "approval by a person, 32 clients",
        value: approved.perSecond,
        unit: "/s",
        floor: perSecond(many.floor),
        target: atLeast(1_000)
      }),
      row({
        row: "-",
        name: "answered APPROVED, granted a moment later",
        value: (100 * late) / acknowledged,
        unit: "%",
        target: atMost(0)
      }),
      row({ row: 12, name: "memory of serve, idle", value: idleBytes / megabyte, unit: "MB RSS", target: atMost(130) }),
      row({
        row: 12,
        name: "memory of serve, under load",
        value: peakBytes / megabyte,
        unit: "MB RSS",
        target: atMost(300)
      })
    ],
    {
      notes: [
        `PostgreSQL ${version}; ${acknowledged} requests granted without an error, their entries among the ${entries} of the verified log`
      ],
      details: { one, many, approved }
    }
  )
} catch (error) {
  if (!(error instanceof BenchDatabase.NoPostgres)) throw error
  report("auto-approved-request", [], { notes: [`not measured: ${error.message}`] })
}
