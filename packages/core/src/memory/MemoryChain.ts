/** The log in the memory store: entries are linked as they are committed, and read as they were written. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Entry, EntryColumns, EntryFilter, Order } from "../AuditChain.ts"
import { AuditChain, InvalidCursor } from "../AuditChain.ts"
import type { EntryDraft } from "../AuditRecord.ts"
import { stringify } from "../Canonical.ts"
import { type ChainHasher, genesis } from "../ChainHasher.ts"
import type { Json, JsonObject } from "../Json.ts"
import { keyOf } from "../Principal.ts"
import * as Times from "../Time.ts"
import type { MemoryState } from "./MemoryState.ts"

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parse = (payload: string): Json | undefined => {
  try {
    const parsed: Json = JSON.parse(payload)
    return parsed
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined
    throw cause
  }
}

/** What is wrong with the step's entries beyond their shape, or null. */
export const objectionTo = (state: MemoryState, entries: ReadonlyArray<EntryDraft>): string | null => {
  for (const { id, payload, texts } of entries) {
    if (state.entryIds.has(id)) return `entry ${id} was appended before`
    const parsed = parse(payload)
    if (!isObject(parsed) || stringify(parsed) !== payload)
      return `entry ${id}: the payload is no canonical JSON object`
    const unnamed = texts.find((text) => !payload.includes(text.hash))
    if (unnamed !== undefined) return `entry ${id}: the payload does not name the text ${unnamed.hash}`
  }
  return null
}

const text = (value: Json | undefined): string | null => (typeof value === "string" ? value : null)

/** The columns of a payload; those that it does not have are left out. */
const columnsOf = (payload: string): EntryColumns => {
  const parsed = parse(payload)
  if (!isObject(parsed)) return {}
  const actor = isObject(parsed.actor) ? parsed.actor : {}
  const required = {
    time: parsed.time,
    actorIssuer: actor.issuer,
    actorSubject: actor.subject,
    actorKind: actor.kind,
    action: parsed.action,
    outcome: parsed.outcome
  }
  return {
    ...Object.fromEntries(Object.entries(required).filter(([, value]) => typeof value === "string")),
    actorEmail: text(actor.email),
    requestId: text(parsed.requestId),
    provider: text(parsed.provider),
    role: text(parsed.role),
    resourceScope: text(parsed.resourceScope)
  }
}

const headOf = (state: MemoryState) => {
  const last = state.entries.at(-1)
  return last === undefined ? { seq: 0, hash: genesis } : { seq: last.seq, hash: last.hash }
}

/** The step's entries with their places in the chain. Changes nothing: `MemoryCommit.apply` appends them. */
export const link = Effect.fnUntraced(function* (
  state: MemoryState,
  entries: ReadonlyArray<EntryDraft>,
  hasher: ChainHasher["Service"]
) {
  let { seq, hash: prevHash } = headOf(state)
  const linked: Array<Entry> = []
  for (const { id, payload, texts } of entries) {
    seq += 1
    const { hash } = yield* hasher.link(prevHash, seq, payload)
    linked.push({ seq, id, payload, prevHash, hash, texts, columns: columnsOf(payload) })
    prevHash = hash
  }
  return linked
})

const matches = (entry: Entry, filter: EntryFilter): boolean => {
  const columns = entry.columns ?? {}
  const actor = keyOf({ issuer: columns.actorIssuer ?? "", subject: columns.actorSubject ?? "" })
  return (
    (filter.actor === undefined || filter.actor === columns.actorEmail || filter.actor === actor) &&
    (filter.action === undefined || filter.action === columns.action) &&
    (filter.requestId === undefined || filter.requestId === columns.requestId) &&
    (filter.provider === undefined || filter.provider === columns.provider) &&
    (filter.outcome === undefined || filter.outcome === columns.outcome) &&
    // RFC 3339 of one length and zone compares as text.
    (filter.since === undefined || (columns.time ?? "") >= Times.toRfc3339Micros(filter.since)) &&
    (filter.until === undefined || (columns.time ?? "") < Times.toRfc3339Micros(filter.until))
  )
}

/** Entries from one sequence number to another in an order, one by one. Both ends are clipped to the log. */
function* walk(state: MemoryState, from: number, to: number, order: Order): Generator<Entry> {
  const first = Math.max(1, from)
  const last = Math.min(to, state.entries.length)
  for (let step = 0; step <= last - first; step++) {
    const entry = state.entries[order === "oldest" ? first + step - 1 : last - step - 1]
    if (entry !== undefined) yield entry
  }
}

/** The sequence number behind a cursor of this order. It comes back from outside. */
const decodeCursor = (cursor: string, order: Order): number | undefined => {
  const found = /^(oldest|newest)-([1-9][0-9]{0,15})$/u.exec(cursor)
  return found === null || found[1] !== order ? undefined : Number(found[2])
}

const page = (
  state: MemoryState,
  options: { readonly filter: EntryFilter; readonly limit: number; readonly order: Order },
  after: number | undefined
) => {
  const from = options.order === "oldest" && after !== undefined ? after + 1 : 1
  const to = options.order === "newest" && after !== undefined ? after - 1 : state.entries.length
  const items: Array<Entry> = []
  for (const entry of walk(state, from, to, options.order)) {
    if (!matches(entry, options.filter)) continue
    if (items.length >= options.limit) return { items, nextCursor: `${options.order}-${items.at(-1)?.seq ?? 0}` }
    items.push(entry)
  }
  return { items, nextCursor: null }
}

export const chainOver = (state: MemoryState): AuditChain["Service"] =>
  AuditChain.of({
    head: Effect.sync(() => headOf(state)),
    read: ({ from = 1, to = Number.MAX_SAFE_INTEGER, limit, order }) =>
      Effect.sync(() => {
        const read: Array<Entry> = []
        for (const entry of walk(state, from, to, order)) {
          if (read.length >= limit) break
          read.push(entry)
        }
        return read
      }),
    query: (options) =>
      Effect.suspend(() => {
        const after = options.cursor === undefined ? undefined : decodeCursor(options.cursor, options.order)
        return options.cursor !== undefined && after === undefined
          ? Effect.fail(new InvalidCursor({ cursor: options.cursor }))
          : Effect.succeed(page(state, options, after))
      }),
    stream: ({ from = 1, to = Number.MAX_SAFE_INTEGER } = {}) =>
      Stream.suspend(() => Stream.fromIterable(walk(state, from, Math.min(to, state.entries.length), "oldest"))),
    text: (hash) => Effect.sync(() => Option.fromUndefinedOr(state.texts.get(hash)))
  })
