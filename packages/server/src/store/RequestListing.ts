/**
 * Listings of requests, newest first, at any size.
 *
 * Requests that are still moving are few: they are read by state and filtered. All others are read by the words that
 * they are found by (`request_marks`: who asked, for what, whom routing names), each newest first, and merged; without
 * any such word, by time.
 */
import { Principal, type Request, type Store } from "@jitsudo/core"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"

export interface Row {
  readonly body: Request.Request
  readonly created_at: bigint
  readonly id: string
}

type Listing = Parameters<Store.Store["Service"]["requests"]>[0]

const moving: ReadonlySet<string> = new Set(["PENDING", "APPROVED", "ACTIVE", "ENDING"])

/** What a request that this person may see carries at least one of. */
const visibleMarks = (who: NonNullable<Listing["visibleTo"]>): ReadonlyArray<string> => [
  `key:${Principal.keyOf(who.principal)}`,
  "open",
  ...who.groups.map((group) => `group:${group}`),
  `user:${Principal.keyOf(who.principal)}`,
  ...(who.email === null ? [] : [`user:${who.email}`])
]

/** The words to read by, the narrowest first; undefined where the filter has none. */
const drivingMarks = ({ filter, visibleTo }: Listing): ReadonlyArray<string> | undefined => {
  if (filter.requester !== undefined) return [`key:${Principal.keyOf(filter.requester)}`]
  if (filter.requesterEmail !== undefined) return [`from:${filter.requesterEmail}`]
  if (visibleTo !== undefined) return visibleMarks(visibleTo)
  if (filter.provider !== undefined && filter.role !== undefined) return [`role:${filter.provider}|${filter.role}`]
  return undefined
}

const textArray = (values: ReadonlyArray<string>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))

/** Every condition of the filter on the request `r`: marks only narrow what is looked at. */
const conditionsOf = (sql: PgClient, { filter, visibleTo }: Listing): Array<Fragment> => {
  const all: Array<Fragment> = [sql`true`]
  const { states } = filter
  if (states !== undefined) {
    all.push(states.length === 1 ? sql`r.state = ${states[0] ?? ""}` : sql`r.state = ANY(${textArray(states)}::text[])`)
  }
  if (filter.requester !== undefined) all.push(sql`r.requester_key = ${Principal.keyOf(filter.requester)}`)
  if (filter.requesterEmail !== undefined) all.push(sql`r.body->'requester'->>'email' = ${filter.requesterEmail}`)
  if (filter.provider !== undefined) all.push(sql`r.provider = ${filter.provider}`)
  if (filter.role !== undefined) all.push(sql`r.role = ${filter.role}`)
  if (filter.resourceScope !== undefined) all.push(sql`r.resource_scope = ${filter.resourceScope}`)
  if (filter.since !== undefined) all.push(sql`r.created_at >= ${BigInt(filter.since)}`)
  if (filter.until !== undefined) all.push(sql`r.created_at < ${BigInt(filter.until)}`)
  if (filter.breakGlass !== undefined) {
    all.push(sql`(r.body->'asked'->>'breakGlass')::boolean = ${filter.breakGlass}`)
  }
  if (filter.openReview === true) all.push(sql`r.body->'review'->'closed' = 'null'`)
  if (filter.openReview === false) all.push(sql`(r.body->'review'->'closed' = 'null') IS NOT TRUE`)
  if (filter.waiting === true) all.push(sql`r.body->>'waitingFor' IS NOT NULL`)
  if (filter.waiting === false) all.push(sql`r.body->>'waitingFor' IS NULL`)
  if (visibleTo !== undefined) {
    all.push(sql`EXISTS (SELECT FROM jitsudo.request_marks v
      WHERE v.request_id = r.id AND v.mark = ANY(${textArray(visibleMarks(visibleTo))}::text[]))`)
  }
  return all
}

/** Rows of one page and one more, newest first. `after` is the creation time and id of the last row before. */
export const read = (
  sql: PgClient,
  listing: Listing,
  after: { readonly createdAt: number; readonly id: string } | undefined
): Effect.Effect<ReadonlyArray<Row>, SqlError> => {
  const limit = listing.limit + 1
  const conditions = sql.and(conditionsOf(sql, listing))
  const marks = drivingMarks(listing)
  const states = listing.filter.states
  if (marks === undefined || (states !== undefined && states.every((state) => moving.has(state)))) {
    const later =
      after === undefined
        ? sql`true`
        : sql`(r.created_at, r.id) < (${BigInt(after.createdAt)}::int8, ${after.id}::text)`
    return sql<Row>`
      SELECT r.body, r.created_at, r.id FROM jitsudo.requests r WHERE ${conditions} AND ${later}
      ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit}`
  }
  const later =
    after === undefined
      ? sql`true`
      : sql`(a.created_at, a.request_id) < (${BigInt(after.createdAt)}::int8, ${after.id}::text)`
  return sql<Row>`
    SELECT r.body, r.created_at, r.id FROM (
      SELECT DISTINCT v.request_id FROM unnest(${textArray(marks)}::text[]) m (mark)
      CROSS JOIN LATERAL (
        SELECT a.request_id FROM jitsudo.request_marks a JOIN jitsudo.requests r ON r.id = a.request_id
        WHERE a.mark = m.mark AND ${later} AND ${conditions}
        ORDER BY a.created_at DESC, a.request_id DESC LIMIT ${limit}
      ) v
    ) seen JOIN jitsudo.requests r ON r.id = seen.request_id
    ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit}`
}
