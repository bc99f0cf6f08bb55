/**
 * Listings of requests, newest first, at any size.
 *
 * Two ways to restrict a listing to what a person may see: requests that are still moving are few, so they are read by
 * state and filtered by their audience; all others are read by mark (`request_audience`), each mark newest first, and
 * merged.
 */
import { Principal, type Request, type Store } from "@jitsudo/core"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
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

const marksOf = (who: NonNullable<Listing["visibleTo"]>): ReadonlyArray<string> => [
  `key:${Principal.keyOf(who.principal)}`,
  "open",
  ...who.groups.map((group) => `group:${group}`),
  ...(who.email === null ? [] : [`email:${who.email}`])
]

const textArray = (values: ReadonlyArray<string>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))

/** Rows of one page and one more, newest first. `after` is the creation time and id of the last row before. */
export const read = (
  sql: PgClient,
  listing: Listing,
  after: { readonly createdAt: number; readonly id: string } | undefined
): Effect.Effect<ReadonlyArray<Row>, SqlError> => {
  const { filter } = listing
  const limit = listing.limit + 1
  const conditions: Array<Fragment> = []
  if (filter.states !== undefined) {
    conditions.push(
      filter.states.length === 1
        ? sql`r.state = ${filter.states[0] ?? ""}`
        : sql`r.state = ANY(${textArray(filter.states)}::text[])`
    )
  }
  if (filter.requester !== undefined) conditions.push(sql`r.requester_key = ${Principal.keyOf(filter.requester)}`)
  if (filter.requesterEmail !== undefined) conditions.push(sql`r.requester_email = ${filter.requesterEmail}`)
  if (filter.provider !== undefined) conditions.push(sql`r.provider = ${filter.provider}`)
  if (filter.role !== undefined) conditions.push(sql`r.role = ${filter.role}`)
  if (filter.resourceScope !== undefined) conditions.push(sql`r.resource_scope = ${filter.resourceScope}`)
  if (filter.since !== undefined) conditions.push(sql`r.created_at >= ${BigInt(filter.since)}`)
  if (filter.until !== undefined) conditions.push(sql`r.created_at < ${BigInt(filter.until)}`)
  if (filter.breakGlass !== undefined) conditions.push(filter.breakGlass ? sql`r.break_glass` : sql`NOT r.break_glass`)
  if (filter.openReview !== undefined) conditions.push(filter.openReview ? sql`r.open_review` : sql`NOT r.open_review`)
  if (filter.waiting !== undefined) conditions.push(filter.waiting ? sql`r.waiting` : sql`NOT r.waiting`)
  if (after !== undefined)
    conditions.push(sql`(r.created_at, r.id) < (${BigInt(after.createdAt)}::int8, ${after.id}::text)`)

  const who = listing.visibleTo
  if (who !== undefined && (filter.states === undefined || !filter.states.every((state) => moving.has(state)))) {
    const cursor =
      after === undefined
        ? sql`true`
        : sql`(a.created_at, a.request_id) < (${BigInt(after.createdAt)}::int8, ${after.id}::text)`
    return sql<Row>`
      SELECT r.body, r.created_at, r.id FROM (
        SELECT DISTINCT v.request_id FROM unnest(${textArray(marksOf(who))}::text[]) m (mark)
        CROSS JOIN LATERAL (
          SELECT a.request_id FROM jitsudo.request_audience a JOIN jitsudo.requests r ON r.id = a.request_id
          WHERE a.mark = m.mark AND ${cursor} AND ${sql.and(conditions.length === 0 ? [sql`true`] : conditions)}
          ORDER BY a.created_at DESC, a.request_id DESC LIMIT ${limit}
        ) v
      ) seen JOIN jitsudo.requests r ON r.id = seen.request_id
      ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit}`
  }
  if (who !== undefined) conditions.push(sql`r.audience && ${textArray(marksOf(who))}::text[]`)
  return sql<Row>`
    SELECT r.body, r.created_at, r.id FROM jitsudo.requests r
    WHERE ${sql.and(conditions.length === 0 ? [sql`true`] : conditions)}
    ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit}`
}
