/**
 * The port `AuditChain` over SQL: what is stored, as it is stored.
 *
 * Streams go page by page along the primary key, so that a slow reader holds no transaction open (which would keep the
 * head row's dead versions from being cleaned up) and memory stays constant.
 */
import { AuditChain, Time } from "@jitsudo/core"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import * as Cursor from "./Cursor.ts"
import { Database } from "./Database.ts"
import { storeError } from "./SqlFailure.ts"

interface Row {
  readonly seq: bigint
  readonly id: string
  readonly payload: string
  readonly prev_hash: Uint8Array
  readonly hash: Uint8Array
  readonly time: string
  readonly actor_issuer: string | null
  readonly actor_subject: string | null
  readonly actor_email: string | null
  readonly action: string
  readonly outcome: string
  readonly request_id: string | null
  readonly provider: string | null
}

interface TextRow {
  readonly entry_id: string
  readonly hash: string
  readonly salt: string
  readonly text: string
}

type Texts = AuditChain.Entry["texts"]

const hex = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const entryOf = (row: Row, texts: Texts): AuditChain.Entry => ({
  seq: Number(row.seq),
  id: row.id,
  payload: row.payload,
  prevHash: hex(row.prev_hash),
  hash: hex(row.hash),
  texts,
  columns: {
    time: row.time,
    ...(row.actor_issuer === null ? {} : { actorIssuer: row.actor_issuer }),
    ...(row.actor_subject === null ? {} : { actorSubject: row.actor_subject }),
    actorEmail: row.actor_email,
    action: row.action,
    outcome: row.outcome,
    requestId: row.request_id,
    provider: row.provider
  }
})

/** Entries per page of a stream. */
const streamPage = 2_000

const columns =
  "a.seq, a.id, a.payload, a.prev_hash, a.hash, a.time, a.actor_issuer, a.actor_subject, a.actor_email, a.action, a.outcome, a.request_id, a.provider"

/** Adds the texts of these rows, in the order in which they were written. */
const withTexts = Effect.fnUntraced(function* (sql: PgClient, rows: ReadonlyArray<Row>) {
  const named = rows.filter((row) => row.payload.includes(`"textHash"`)).map((row) => row.id)
  const texts = new Map<string, Array<AuditChain.Entry["texts"][number]>>()
  if (named.length > 0) {
    const found = yield* sql<TextRow>`
      SELECT t.entry_id, t.hash, t.salt, t.text FROM jitsudo.audit_text t
      WHERE t.entry_id = ANY(${Result.getOrThrow(PgTypes.array(named, PgTypes.OID.text))}::text[])
      ORDER BY t.entry_id, t.ord`
    for (const { entry_id, ...text } of found) {
      const list = texts.get(entry_id)
      if (list === undefined) texts.set(entry_id, [text])
      else list.push(text)
    }
  }
  return rows.map((row) => entryOf(row, texts.get(row.id) ?? []))
})

const chainError =
  (operation: string) =>
  (error: SqlError): AuditChain.AuditChainError => {
    const { message, reason, retryable } = storeError(operation)(error)
    return new AuditChain.AuditChainError({
      reason: reason === "corrupt" ? "corrupt" : "unavailable",
      retryable,
      message,
      cause: error
    })
  }

const make = Effect.gen(function* () {
  const { sql } = yield* Database

  const head = sql<{ seq: bigint; hash: Uint8Array }>`SELECT h.seq, h.hash FROM jitsudo.audit_head h`.pipe(
    Effect.map(([row]) =>
      row === undefined ? { seq: 0, hash: "0".repeat(64) } : { seq: Number(row.seq), hash: hex(row.hash) }
    ),
    Effect.catchTag("SqlError", (error) => chainError("read the log's head")(error)),
    Effect.withSpan("AuditChain.head")
  )

  const pageOf = (conditions: ReadonlyArray<Fragment>, order: AuditChain.Order, limit: number) =>
    sql<Row>`
      SELECT ${sql.literal(columns)} FROM jitsudo.audit a WHERE ${sql.and(conditions.length === 0 ? [sql`true`] : conditions)}
      ORDER BY ${sql.literal(order === "newest" ? "a.seq DESC" : "a.seq")} LIMIT ${Math.max(0, Math.trunc(limit))}`

  const range = (from: number | undefined, to: number | undefined): Array<Fragment> => [
    ...(from === undefined ? [] : [sql`a.seq >= ${BigInt(Math.trunc(from))}`]),
    ...(to === undefined ? [] : [sql`a.seq <= ${BigInt(Math.trunc(to))}`])
  ]

  const read = Effect.fn("AuditChain.read")(
    function* (options: Parameters<AuditChain.AuditChain["Service"]["read"]>[0]) {
      return yield* withTexts(sql, yield* pageOf(range(options.from, options.to), options.order, options.limit))
    },
    Effect.catchTag("SqlError", (error) => chainError("read the log")(error))
  )

  const matching = (filter: AuditChain.EntryFilter): Array<Fragment> => {
    const conditions: Array<Fragment> = []
    if (filter.actor !== undefined) {
      conditions.push(
        sql`(a.actor_email = ${filter.actor} OR a.actor_issuer || '#' || a.actor_subject = ${filter.actor})`
      )
    }
    if (filter.action !== undefined) conditions.push(sql`a.action = ${filter.action}`)
    if (filter.requestId !== undefined) conditions.push(sql`a.request_id = ${filter.requestId}`)
    if (filter.provider !== undefined) conditions.push(sql`a.provider = ${filter.provider}`)
    if (filter.outcome !== undefined) conditions.push(sql`a.outcome = ${filter.outcome}`)
    if (filter.since !== undefined) conditions.push(sql`a.time >= ${Time.toRfc3339Micros(filter.since)}`)
    if (filter.until !== undefined) conditions.push(sql`a.time < ${Time.toRfc3339Micros(filter.until)}`)
    return conditions
  }

  const query = Effect.fn("AuditChain.query")(
    function* (options: Parameters<AuditChain.AuditChain["Service"]["query"]>[0]) {
      const listing = `audit ${options.order}`
      const conditions = matching(options.filter)
      if (options.cursor !== undefined) {
        const key = Cursor.decode(listing, ["number"], options.cursor)
        if (key === undefined) return yield* new AuditChain.InvalidCursor({ cursor: options.cursor })
        const at = BigInt(key[0] ?? 0)
        conditions.push(options.order === "newest" ? sql`a.seq < ${at}` : sql`a.seq > ${at}`)
      }
      const rows = yield* pageOf(conditions, options.order, options.limit + 1)
      const page = Cursor.pageOf(
        listing,
        rows,
        options.limit,
        (row) => row,
        (row) => [Number(row.seq)]
      )
      return { items: yield* withTexts(sql, page.items), nextCursor: page.nextCursor }
    },
    Effect.catchTag("SqlError", (error) => chainError("search the log")(error))
  )

  const stream = (options: { readonly from?: number; readonly to?: number } = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const to = options.to ?? (yield* head).seq
        const next = Effect.fnUntraced(
          function* (from: number) {
            const rows = yield* pageOf(range(from, to), "oldest", streamPage)
            const last = rows.at(-1)
            const entries = yield* withTexts(sql, rows)
            const more = last !== undefined && rows.length === streamPage && Number(last.seq) < to
            return [entries, more ? Option.some(Number(last.seq) + 1) : Option.none<number>()] as const
          },
          Effect.catchTag("SqlError", (error) => chainError("stream the log")(error))
        )
        // One page is fetched while the one before it is looked at.
        return Stream.paginate(options.from ?? 1, next).pipe(Stream.bufferArray({ capacity: 1 }))
      })
    )

  const text = Effect.fn("AuditChain.text")(
    function* (hash: string) {
      const rows = yield* sql<
        Texts[number]
      >`SELECT t.hash, t.salt, t.text FROM jitsudo.audit_text t WHERE t.hash = ${hash}`
      return Option.fromUndefinedOr(rows[0])
    },
    Effect.catchTag("SqlError", (error) => chainError("read a text of the log")(error))
  )

  return AuditChain.AuditChain.of({ head, read, query, stream, text })
})

export const layer: Layer.Layer<AuditChain.AuditChain, never, Database> = Layer.effect(AuditChain.AuditChain, make)
