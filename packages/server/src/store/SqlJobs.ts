/**
 * The port `Jobs` over SQL: claims are one statement, and nothing is held afterwards but a numbered lease.
 *
 * 1. `SKIP LOCKED`: a claim never waits for another claim's jobs.
 * 2. Two jobs of one serial key meet on the key's row in `job_serials`, whose latest version the insert looks at: of
 *    two claims at once one gets the key, the other goes without that job.
 * 3. Lease numbers come from one sequence, so a number is never used twice, whatever happens to a job.
 *
 * Leases, attempts and due times are bookkeeping: they change here, outside of steps. Jobs come and go in steps only.
 */
import { Job, Store, Time } from "@jitsudo/core"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { Database } from "./Database.ts"
import { storeError } from "./SqlFailure.ts"

interface Row {
  readonly id: string
  readonly kind: Job.JobKind
  readonly request_id: string | null
  readonly serial_key: string | null
  readonly run_at: bigint
  readonly after: string | null
  readonly payload: Job.Job["payload"]
  readonly attempts: number
  readonly created_at: bigint
  readonly lease: bigint
  readonly lease_until: bigint
  readonly last_error: string | null
}

const jobOf = (row: Row): Job.Job => ({
  id: row.id,
  kind: row.kind,
  requestId: row.request_id,
  serialKey: row.serial_key,
  runAt: Time.make(Number(row.run_at)),
  after: row.after,
  payload: row.payload,
  attempts: row.attempts,
  createdAt: Time.make(Number(row.created_at)),
  lease: Number(row.lease),
  leaseUntil: Time.make(Number(row.lease_until)),
  lastError: row.last_error
})

/**
 * $1 limit, $2 lease in milliseconds, $3 holder, $4 id or null, $5 kinds or null.
 *
 * `due` locks what it may take; of several jobs with one serial key the first by due time competes. `keys` decides: a
 * key that another job holds gives no row.
 */
const claimStatement = `
WITH clock AS MATERIALIZED (SELECT jitsudo.now_ms() AS now),
due AS MATERIALIZED (
  SELECT j.id, j.serial_key, j.run_at, j.created_at
  FROM jitsudo.jobs j, clock c
  WHERE NOT j.dead AND j.run_at <= c.now AND (j.lease_until IS NULL OR j.lease_until <= c.now)
    AND ($4::text IS NULL OR j.id = $4) AND ($5::text[] IS NULL OR j.kind = ANY($5))
    AND (j.after IS NULL OR NOT EXISTS (SELECT FROM jitsudo.jobs a WHERE a.id = j.after AND a.attempts = 0))
    AND (j.serial_key IS NULL OR (
      NOT EXISTS (SELECT FROM jitsudo.job_serials k WHERE k.key = j.serial_key AND k.until > c.now AND k.job_id <> j.id)
      AND NOT EXISTS (
        SELECT FROM jitsudo.jobs n WHERE n.serial_key = j.serial_key AND NOT n.dead AND n.run_at <= c.now
          AND (n.lease_until IS NULL OR n.lease_until <= c.now)
          AND ($4::text IS NULL OR n.id = $4) AND ($5::text[] IS NULL OR n.kind = ANY($5))
          AND (n.after IS NULL OR NOT EXISTS (SELECT FROM jitsudo.jobs a WHERE a.id = n.after AND a.attempts = 0))
          AND (n.run_at, n.created_at, n.id) < (j.run_at, j.created_at, j.id))))
  ORDER BY j.run_at, j.created_at, j.id
  LIMIT $1
  FOR UPDATE OF j SKIP LOCKED
),
numbered AS MATERIALIZED (SELECT d.*, nextval('jitsudo.lease_numbers') AS lease FROM due d),
keys AS (
  INSERT INTO jitsudo.job_serials AS k (key, job_id, lease, until)
  SELECT n.serial_key, n.id, n.lease, c.now + $2 FROM numbered n, clock c
  WHERE n.serial_key IS NOT NULL ORDER BY n.serial_key
  ON CONFLICT (key) DO UPDATE SET job_id = excluded.job_id, lease = excluded.lease, until = excluded.until
    WHERE k.until <= jitsudo.now_ms() OR k.job_id = excluded.job_id
  RETURNING k.job_id
)
UPDATE jitsudo.jobs j SET lease = n.lease, lease_until = c.now + $2, attempts = j.attempts + 1, holder = $3
FROM numbered n, clock c
WHERE j.id = n.id AND (n.serial_key IS NULL OR n.id IN (SELECT k.job_id FROM keys k))
RETURNING j.id, j.kind, j.request_id, j.serial_key, j.run_at, j.after, j.payload, j.attempts, j.created_at, j.lease,
  j.lease_until, j.last_error`

const byDueTime = (a: Job.Job, b: Job.Job): number =>
  a.runAt - b.runAt || a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

const make = Effect.gen(function* () {
  const { sql } = yield* Database

  const claim = Effect.fn("Jobs.claim")(
    function* (options: Parameters<Job.Jobs["Service"]["claim"]>[0]) {
      if (options.limit < 1) return []
      const rows = yield* sql.unsafe<Row>(claimStatement, [
        PgTypes.int4(options.limit),
        PgTypes.int8(BigInt(Math.round(options.leaseSeconds * 1_000))),
        options.holder,
        options.id ?? null,
        options.kinds === undefined ? null : Result.getOrThrow(PgTypes.array(options.kinds, PgTypes.OID.text))
      ])
      return rows.map(jobOf).sort(byDueTime)
    },
    Effect.catchTag("SqlError", (error) => storeError("claim jobs")(error))
  )

  const renew = Effect.fn("Jobs.renew")(
    function* (job: Job.Job, leaseSeconds: number) {
      const millis = BigInt(Math.round(leaseSeconds * 1_000))
      const rows = yield* sql`
        WITH held AS (
          UPDATE jitsudo.jobs j SET lease_until = jitsudo.now_ms() + ${millis}::int8
          WHERE j.id = ${job.id} AND j.lease = ${BigInt(job.lease)} AND NOT j.dead AND j.lease_until > jitsudo.now_ms()
          RETURNING j.id, j.lease_until
        ), keys AS (
          UPDATE jitsudo.job_serials k SET until = h.lease_until FROM held h
          WHERE k.job_id = h.id AND k.lease = ${BigInt(job.lease)}
        ) SELECT h.id FROM held h`
      return rows.length === 1
    },
    Effect.catchTag("SqlError", (error) => storeError("renew lease")(error))
  )

  const release = Effect.fn("Jobs.release")(
    function* (job: Job.Job, retry: { readonly inSeconds: number; readonly error: string | null }) {
      yield* sql`
        WITH held AS (
          UPDATE jitsudo.jobs j SET lease_until = NULL, holder = NULL, last_error = ${retry.error}::text,
            run_at = jitsudo.now_ms() + ${BigInt(Math.round(retry.inSeconds * 1_000))}::int8
          WHERE j.id = ${job.id} AND j.lease = ${BigInt(job.lease)} AND NOT j.dead AND j.lease_until > jitsudo.now_ms()
          RETURNING j.id
        )
        DELETE FROM jitsudo.job_serials k USING held h WHERE k.job_id = h.id AND k.lease = ${BigInt(job.lease)}`
    },
    Effect.catchTag("SqlError", (error) => storeError("release job")(error))
  )

  const giveUp = Effect.fn("Jobs.giveUp")(
    function* (job: Job.Job, error: string) {
      if (job.kind === "end") {
        return yield* new Store.StoreError({
          outcome: "none",
          reason: "invalid",
          retryable: false,
          message: `job ${job.id} takes a right back: it is tried until the provider confirms, never given up`
        })
      }
      yield* sql`
        WITH held AS (
          UPDATE jitsudo.jobs j SET dead = true, lease_until = NULL, holder = NULL, last_error = ${error}::text
          WHERE j.id = ${job.id} AND j.lease = ${BigInt(job.lease)} AND NOT j.dead AND j.lease_until > jitsudo.now_ms()
          RETURNING j.id
        )
        DELETE FROM jitsudo.job_serials k USING held h WHERE k.job_id = h.id AND k.lease = ${BigInt(job.lease)}`
    },
    Effect.catchTag("SqlError", (error) => storeError("give job up")(error))
  )

  const nextDue = sql<{ at: bigint | null }>`
    WITH clock AS MATERIALIZED (SELECT jitsudo.now_ms() AS now)
    SELECT min(greatest(j.run_at,
        CASE WHEN j.lease_until > c.now THEN j.lease_until END,
        CASE WHEN k.job_id <> j.id AND k.until > c.now THEN k.until END)) AS at
    FROM clock c, jitsudo.jobs j LEFT JOIN jitsudo.job_serials k ON k.key = j.serial_key
    WHERE NOT j.dead
      AND (j.after IS NULL OR NOT EXISTS (SELECT FROM jitsudo.jobs a WHERE a.id = j.after AND a.attempts = 0))`.pipe(
    Effect.map(([row]) => (row === undefined || row.at === null ? null : Time.make(Number(row.at)))),
    Effect.catchTag("SqlError", (error) => storeError("read next due time")(error)),
    Effect.withSpan("Jobs.nextDue")
  )

  const counts = sql<{ kind: Job.JobKind; ready: number; leased: number; dead: number }>`
    WITH clock AS MATERIALIZED (SELECT jitsudo.now_ms() AS now)
    SELECT j.kind,
      (count(*) FILTER (WHERE NOT j.dead AND j.run_at <= c.now AND (j.lease_until IS NULL OR j.lease_until <= c.now)))::int4 AS ready,
      (count(*) FILTER (WHERE NOT j.dead AND j.lease_until > c.now))::int4 AS leased,
      (count(*) FILTER (WHERE j.dead))::int4 AS dead
    FROM clock c, jitsudo.jobs j GROUP BY j.kind ORDER BY j.kind`.pipe(
    Effect.catchTag("SqlError", (error) => storeError("count jobs")(error)),
    Effect.withSpan("Jobs.counts")
  )

  return Job.Jobs.of({ claim, renew, release, giveUp, nextDue, counts })
})

export const layer: Layer.Layer<Job.Jobs, never, Database> = Layer.effect(Job.Jobs, make)
