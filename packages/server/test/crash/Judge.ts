/**
 * Compares what the database says with what the platform did, once nothing is left to do.
 *
 * Everything is read from where it stands: rows by SQL as a superuser, grants from the platform's own file, entries
 * through the verifier that anybody may run. `bad` is empty for a daemon that keeps its promises; each suite shows
 * that it is not for one that does not.
 */
import * as verify from "@jitsudo/audit/verify"
import type { Request } from "@jitsudo/core"
import { isAlive, type MockGrant, readTruth } from "@jitsudo/providers/mock"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { until } from "./Daemons.ts"

/** An entry's payload, as far as it is judged. */
export interface Entry {
  readonly seq: number
  readonly stepId: string
  readonly requestId: string | null
  readonly action: string
  readonly outcome: string
  readonly actor: { readonly issuer: string; readonly subject: string; readonly email: string | null }
  readonly role: string | null
  readonly resourceScope: string | null
  readonly details: Readonly<Record<string, unknown>>
}

export interface Findings {
  readonly bad: ReadonlyArray<string>
  readonly requests: ReadonlyArray<Request.Request>
  readonly entries: ReadonlyArray<Entry>
  readonly truth: ReadonlyArray<MockGrant>
}

const leftover = (sweeps: boolean) =>
  SqlClient.SqlClient.use(
    (sql) => sql<{ id: string; attempts: number; late: number; leased: number | null; error: string | null }>`
      SELECT j.id, j.attempts, (jitsudo.now_ms() - j.run_at)::int4 AS late,
        (j.lease_until - jitsudo.now_ms())::int4 AS leased, j.last_error AS error
      FROM jitsudo.jobs j
      WHERE j.run_at <= jitsudo.now_ms()
        OR (j.kind IN ('grant', 'end', 'notify', 'lock_sweep') AND (${sweeps} OR j.id NOT LIKE '%:sweep:%'))`
  )

/** Waits until no work is left but what is due later by its nature; second endings are, where leases are long. */
export const quiet = (options: { readonly sweeps: boolean } = { sweeps: true }) =>
  until(
    "the end of all work",
    Effect.map(leftover(options.sweeps), (jobs) => (jobs.length === 0 ? true : undefined)),
    60
  ).pipe(
    Effect.catchTag("NeverCame", (late) =>
      Effect.flatMap(leftover(options.sweeps), (jobs) =>
        Effect.die(new Error(`${late.message}: ${JSON.stringify(jobs)}`))
      )
    )
  )

/** Actions whose entries go with no new version of the request. */
const versionless = (entry: Entry): boolean =>
  entry.action.endsWith("refused") || entry.action === "credentials.read" || "orphan" in entry.details

const counted = (entries: ReadonlyArray<Entry>, ...actions: ReadonlyArray<string>): number =>
  entries.filter((entry) => actions.includes(entry.action)).length

/** What the entries of one request must be, given the request. */
const entriesOf = (request: Request.Request, entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const bad: Array<string> = []
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) bad.push(`${request.id} (${request.state}): ${found} ${what}, not ${wanted}`)
  }
  const steps = new Set(entries.filter((entry) => !versionless(entry)).map((entry) => entry.stepId))
  expect("steps in the log", steps.size, request.version)
  expect("request.created", counted(entries, "request.created"), 1)
  expect("request.routed", counted(entries, "request.routed"), 1)
  const outcomes = counted(
    entries,
    "request.approved",
    "request.auto_approved",
    "request.denied",
    "request.cancelled",
    "request.lapsed"
  )
  expect("outcomes", outcomes, request.state === "PENDING" ? 0 : 1)
  expect("grant.started", counted(entries, "grant.started"), request.grant?.attempts ?? 0)
  expect("grant.issued", counted(entries, "grant.issued"), request.grant?.issuedAt ? 1 : 0)
  expect("grant.ending", counted(entries, "grant.ending"), request.ending === null ? 0 : 1)
  const over = ["EXPIRED", "REVOKED", "FAILED"].includes(request.state) ? 1 : 0
  expect("ends", counted(entries, "grant.expired", "grant.revoked", "grant.failed"), over)
  return bad
}

/** What the platform says of one request, and what we say. */
const grantsOf = (request: Request.Request, grants: ReadonlyArray<MockGrant>, now: number): ReadonlyArray<string> => {
  const bad: Array<string> = []
  const alive = grants.filter((grant) => isAlive(grant, now))
  if (request.state === "ACTIVE" && alive.length !== 1) bad.push(`${request.id} is ACTIVE, ${alive.length} are alive`)
  if (request.state !== "ACTIVE" && alive.length > 0) bad.push(`${request.id} is ${request.state}, and alive`)
  if (grants.length > 1) bad.push(`${request.id} was granted ${grants.length} times`)
  if (request.grant?.issuedAt && grants.length === 0) bad.push(`${request.id} was issued, and never granted`)
  for (const grant of alive) {
    if (request.grant?.notAfter && grant.notAfter < request.grant.notAfter) {
      bad.push(`${request.id} says that it lives longer than it does`)
    }
  }
  return bad
}

const undecided = new Set<Request.State>(["APPROVED", "ENDING"])

/** Judges everything that is there. To be called when it is `quiet`. */
export const judge = Effect.fnUntraced(function* (stateFile: string) {
  const sql = yield* SqlClient.SqlClient
  const bad: Array<string> = []
  const rows = yield* sql<{ body: Request.Request }>`SELECT body FROM jitsudo.requests ORDER BY id`
  const requests = rows.map((row) => row.body)
  const log = yield* sql<{
    seq: bigint
    step_id: string
    payload: string
    prev: string
    hash: string
    action: string
    request_id: string | null
  }>`
    SELECT seq, step_id, payload, encode(prev_hash, 'hex') AS prev, encode(hash, 'hex') AS hash, action, request_id
    FROM jitsudo.audit ORDER BY seq`
  const [head] = yield* sql<{ seq: bigint; hash: string }>`
    SELECT seq, encode(hash, 'hex') AS hash FROM jitsudo.audit_head`
  const sealed = new Set(
    (yield* sql<{ request_id: string }>`SELECT request_id FROM jitsudo.credentials`).map((row) => row.request_id)
  )
  const dead = yield* sql<{ id: string }>`SELECT id FROM jitsudo.jobs WHERE dead`
  const [clock] = yield* sql<{ now: bigint }>`SELECT jitsudo.now_ms() AS now`
  const now = Number(clock?.now ?? 0)

  const verdict = yield* verify.verifyEntries(
    Stream.fromIterable(
      log.map((row) => ({
        seq: Number(row.seq),
        payload: row.payload,
        prevHash: row.prev,
        hash: row.hash,
        texts: [],
        columns: { action: row.action, requestId: row.request_id }
      }))
    ),
    head === undefined ? {} : { head: { seq: Number(head.seq), hash: head.hash } }
  )
  if (verdict._tag === "Broken") bad.push(verify.describe(verdict))

  const entries = log.map((row): Entry => ({
    ...(JSON.parse(row.payload) as Omit<Entry, "seq" | "stepId">),
    seq: Number(row.seq),
    stepId: row.step_id
  }))
  const entriesBy = Map.groupBy(entries, (entry) => entry.requestId)
  const truth = readTruth(stateFile)
  // The platform may have named what it granted after the request (`id~1`), as one that forgets does.
  const grantsBy = Map.groupBy(truth, (grant) => grant.requestId.split("~")[0])
  for (const request of requests) {
    bad.push(...entriesOf(request, entriesBy.get(request.id) ?? []))
    bad.push(...grantsOf(request, grantsBy.get(request.id) ?? [], now))
    if (undecided.has(request.state)) bad.push(`${request.id} is still ${request.state}`)
    if (sealed.has(request.id) !== (request.state === "ACTIVE")) {
      bad.push(`${request.id} is ${request.state}, and has ${sealed.has(request.id) ? "" : "no "}sealed credentials`)
    }
  }
  const known = new Set(requests.map((request) => request.id))
  for (const grant of truth) {
    if (!known.has(grant.requestId.split("~")[0] ?? "")) bad.push(`nobody knows of the grant ${grant.requestId}`)
  }
  for (const id of [...entriesBy.keys()].filter((key) => key !== null && !known.has(key))) {
    if (counted(entriesBy.get(id) ?? [], "request.refused") === 0) bad.push(`the log knows ${id}, which is not there`)
  }
  for (const job of dead) bad.push(`the job ${job.id} is dead`)
  return { bad, requests, entries, truth } satisfies Findings
})
