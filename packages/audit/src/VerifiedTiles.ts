/**
 * Hashes and entries from tiles that nobody has to trust: each tile is held against one tree before it is used.
 *
 * 1. The tree is a size and a root that the caller trusts, mostly from a checkpoint. The tiles of its right edge must
 *    fold to that root, and every full tile to its hash in the tile above: so a tile that is used is the one that the
 *    root stands for, or the root's hash is broken.
 * 2. Every entry is given with the leaf that the tree has in its place. Whether it fits is the caller's question.
 * 3. Constant memory: a bounded number of tiles is kept, and forgotten ones are read and held again.
 * 4. A partial tile that is gone may be read from the full one that replaced it (c2sp.org/tlog-tiles, partial tiles).
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Head } from "./Merkle.ts"
import { emptyRoot, foldOf } from "./Merkle.ts"
import type { HashReader } from "./Proofs.ts"
import { subtreesOf } from "./Proofs.ts"
import type { Tile } from "./Tiles.ts"
import { entriesIn, fullWidth, hashesIn, levelsOf, pathOf, placeOf, rootIn, rootOver, widthIn } from "./Tiles.ts"

/** The bytes of a file of the log by its path (`Tiles.pathOf`); undefined when there is none. */
export type Files<E = never, R = never> = (path: string) => Effect.Effect<Uint8Array | undefined, E, R>

/** A tile that is not the one of the tree. */
export class TileRefused extends Data.TaggedError("TileRefused")<{
  /** `missing`: no such file. `width`: another number of hashes or entries. `hash`: it is not what the tree has there. */
  readonly reason: "missing" | "width" | "hash"
  readonly path: string
  /** The first leaf under the tile, from 0. */
  readonly leaf: number
  readonly expected: string
  readonly found: string
}> {
  override get message(): string {
    return `${this.path}: expected ${this.expected}, found ${this.found}`
  }
}

export interface VerifiedTiles<E = never, R = never> {
  /** Hashes of complete subtrees of the tree, for `Proofs`. */
  readonly hashes: HashReader<E | TileRefused, R>
  /** The leaves of the bundle with this index. */
  readonly leaves: (index: number) => Effect.Effect<ReadonlyArray<string>, E | TileRefused, R>
  /** The payloads of the bundle, one for each leaf; undefined stands for what is no text or is not there. */
  readonly entries: (index: number) => Effect.Effect<ReadonlyArray<string | undefined>, E | TileRefused, R>
}

/** 64 tiles are half a MiB, and more than one proof needs. */
const kept = 64

type HashTile = Tile & { readonly level: number }

const leafUnder = ({ level, index }: HashTile): number => index * fullWidth ** (level + 1)

/** Tiles of the tree `head`, read with `read`. */
export const make = <E, R>(head: Head, read: Files<E, R>): VerifiedTiles<E, R> => {
  const cache = new Map<string, ReadonlyArray<string>>()
  let edge: ReadonlyMap<string, ReadonlyArray<string>> | undefined

  const refuse = (reason: TileRefused["reason"], tile: HashTile, expected: string, found: string) =>
    new TileRefused({ reason, path: pathOf(tile), leaf: leafUnder(tile), expected, found })

  const tileAt = (level: number, index: number): HashTile => ({
    level,
    index,
    width: widthIn(level, index, head.size)
  })

  const load = Effect.fnUntraced(function* (tile: HashTile) {
    const bytes = yield* read(pathOf(tile))
    if (bytes !== undefined) {
      const hashes = hashesIn(bytes, tile.width)
      if (hashes !== undefined) return hashes
      return yield* refuse("width", tile, `${tile.width * 32} bytes`, `${bytes.length} bytes`)
    }
    const whole = tile.width === fullWidth ? undefined : yield* read(pathOf({ ...tile, width: fullWidth }))
    const hashes = whole === undefined ? undefined : hashesIn(whole, fullWidth)
    return hashes?.slice(0, tile.width) ?? (yield* refuse("missing", tile, "a tile", "no file"))
  })

  /** The right edge, held against the root: what everything else is held against. */
  const loadEdge = Effect.fnUntraced(function* () {
    if (edge !== undefined) return edge
    const tiles = Array.from({ length: levelsOf(head.size) }, (_, level) => {
      const hashes = Math.floor(head.size / fullWidth ** level)
      return tileAt(level, Math.floor(hashes / fullWidth))
    }).filter(({ width }) => width > 0)
    const loaded = new Map<string, ReadonlyArray<string>>()
    for (const tile of tiles) loaded.set(pathOf(tile), yield* load(tile))
    const roots = subtreesOf({ from: 0, to: head.size }).map((node) => {
      const { level, index, first, count } = placeOf(node)
      return rootIn(loaded.get(pathOf(tileAt(level, index))) ?? [], first, count)
    })
    const root = roots.length === 0 ? emptyRoot : foldOf(roots)
    const [lowest] = tiles
    if (root !== head.root && lowest !== undefined) {
      return yield* refuse("hash", lowest, `tiles with root ${head.root}`, `tiles with root ${root}`)
    }
    edge = loaded
    return edge
  })

  const remember = (path: string, hashes: ReadonlyArray<string>): ReadonlyArray<string> => {
    cache.delete(path)
    cache.set(path, hashes)
    const [oldest] = cache.keys()
    if (cache.size > kept && oldest !== undefined) cache.delete(oldest)
    return hashes
  }

  const tile = (level: number, index: number): Effect.Effect<ReadonlyArray<string>, E | TileRefused, R> =>
    Effect.gen(function* () {
      const wanted = tileAt(level, index)
      if (wanted.width === 0) return []
      const path = pathOf(wanted)
      const atEdge = (yield* loadEdge()).get(path)
      if (atEdge !== undefined) return atEdge
      const known = cache.get(path)
      if (known !== undefined) return remember(path, known)
      const above = yield* tile(level + 1, Math.floor(index / fullWidth))
      const expected = above[index % fullWidth] ?? "no such tile"
      const hashes = yield* load(wanted)
      const found = rootOver(hashes)
      return found === expected ? remember(path, hashes) : yield* refuse("hash", wanted, expected, found)
    })

  return {
    hashes: (nodes) =>
      Effect.forEach(nodes, (node) => {
        const { level, index, first, count } = placeOf(node)
        return Effect.map(tile(level, index), (hashes) => rootIn(hashes, first, count))
      }),
    leaves: (index) => tile(0, index),
    entries: Effect.fnUntraced(function* (index) {
      const width = widthIn(0, index, head.size)
      const wanted: Tile = { level: "entries", index, width }
      const partial = yield* read(pathOf(wanted))
      const bytes = partial ?? (width === fullWidth ? undefined : yield* read(pathOf({ ...wanted, width: fullWidth })))
      const leaf = index * fullWidth
      if (bytes === undefined) {
        const path = pathOf(wanted)
        return yield* new TileRefused({ reason: "missing", path, leaf, expected: "a bundle", found: "no file" })
      }
      const entries = entriesIn(bytes)
      if (entries.length > width && partial !== undefined) {
        return yield* new TileRefused({
          reason: "width",
          path: pathOf(wanted),
          leaf: leaf + width,
          expected: `${width} entries`,
          found: `${entries.length} entries`
        })
      }
      return Array.from({ length: width }, (_, at) => entries[at])
    })
  }
}
