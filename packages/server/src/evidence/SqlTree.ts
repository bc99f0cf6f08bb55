/**
 * The Merkle tree as it is stored: leaves beside their entries, hashes of full tiles in rows of their own.
 *
 * 1. Appends compute nothing of it. `extend` follows them, in batches, inside the transaction of whoever signs.
 * 2. A tile is one read: 256 leaves, or 256 rows of the level.
 * 3. What is read short is an error, never a tree of something else.
 */
import { Proofs, Tiles } from "@jitsudo/audit"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

/** Hashes that the log must have are not there: entries or rows of the tree are gone. */
export class TreeIncomplete extends Data.TaggedError("TreeIncomplete")<{
  readonly level: number
  /** The first hash that was asked for, from 0. */
  readonly first: number
  readonly wanted: number
  readonly found: number
}> {
  override get message(): string {
    const what = this.level === 0 ? "leaves of entries" : `hashes of level ${this.level}`
    return `the log's tree has ${this.found} of ${this.wanted} ${what} from ${this.first} on: rows were removed from the database`
  }
}

/** A row of the tree is not what the level below it makes. */
export class TreeContradicted extends Data.TaggedError("TreeContradicted")<{
  readonly level: number
  readonly place: number
}> {
  override get message(): string {
    return `the log's tree has another hash at level ${this.level}, place ${this.place} than the entries below make: entries or rows of the tree were changed in the database`
  }
}

/** Hashes `first` to `first + count - 1` of a level of tiles. */
const stretch = Effect.fnUntraced(function* (sql: PgClient, level: number, first: number, count: number) {
  const [from, to] = [BigInt(first), BigInt(first + count)]
  const [row] =
    level === 0
      ? yield* sql<{ hashes: Uint8Array | null }>`
          SELECT string_agg(a.leaf, ''::bytea ORDER BY a.seq) AS hashes
          FROM jitsudo.audit a WHERE a.seq > ${from} AND a.seq <= ${to}`
      : yield* sql<{ hashes: Uint8Array | null }>`
          SELECT string_agg(t.hash, ''::bytea ORDER BY t.place) AS hashes
          FROM jitsudo.audit_tree t WHERE t.level = ${level} AND t.place >= ${from} AND t.place < ${to}`
  const bytes = row?.hashes ?? new Uint8Array(0)
  const hashes = Tiles.hashesIn(bytes, count)
  return hashes ?? (yield* new TreeIncomplete({ level, first, wanted: count, found: Math.floor(bytes.length / 32) }))
})

/** Reads subtrees that are complete and were built (`extend`). */
export const reader =
  (sql: PgClient): Proofs.HashReader<TreeIncomplete | Effect.Error<ReturnType<typeof stretch>>> =>
  (nodes) =>
    Effect.gen(function* () {
      const places = nodes.map(Tiles.placeOf)
      const ends = new Map<string, { readonly level: number; readonly index: number; readonly end: number }>()
      for (const { level, index, first, count } of places) {
        const known = ends.get(`${level}/${index}`)?.end ?? 0
        ends.set(`${level}/${index}`, { level, index, end: Math.max(known, first + count) })
      }
      const tiles = new Map<string, ReadonlyArray<string>>()
      for (const [name, { level, index, end }] of ends) {
        tiles.set(name, yield* stretch(sql, level, index * Tiles.fullWidth, end))
      }
      return places.map(({ level, index, first, count }) =>
        Tiles.rootIn(tiles.get(`${level}/${index}`) ?? [], first, count)
      )
    })

/** The root of the first `size` entries, which must have been built. */
export const rootOf = (sql: PgClient, size: number) => Proofs.root(size, reader(sql))

/**
 * Adds the rows of a tree that grows from `from` to `to` entries, all of which are committed. In a transaction under the
 * signer's lock.
 */
export const extend = Effect.fnUntraced(function* (sql: PgClient, from: number, to: number) {
  for (let level = 0, width = Tiles.fullWidth; Math.floor(to / width) > 0; level++, width *= Tiles.fullWidth) {
    const first = Math.floor(from / width)
    const full = Math.floor(to / width) - first
    if (full === 0) continue
    const below = yield* stretch(sql, level, first * Tiles.fullWidth, full * Tiles.fullWidth)
    const hashes = Array.from({ length: full }, (_, at) =>
      Tiles.rootOver(below.slice(at * Tiles.fullWidth, (at + 1) * Tiles.fullWidth))
    )
    yield* sql`
      INSERT INTO jitsudo.audit_tree (level, place, hash)
      SELECT ${level + 1}::int2, ${BigInt(first)} + h.nth - 1, decode(h.hash, 'hex')
      FROM unnest(${Result.getOrThrow(PgTypes.array(hashes, PgTypes.OID.text))}::text[]) WITH ORDINALITY AS h (hash, nth)
      ON CONFLICT DO NOTHING`
    // Rows that were there already are right, or nothing is built on them.
    const stored = yield* stretch(sql, level + 1, first, full)
    const wrong = stored.findIndex((hash, at) => hash !== hashes[at])
    if (wrong !== -1) return yield* new TreeContradicted({ level: level + 1, place: first + wrong })
  }
})
