/**
 * Writes a log as tiles (c2sp.org/tlog-tiles), entry by entry, in constant memory.
 *
 * 1. A full tile or bundle is given out once, as soon as it is full. Partial ones are given out by `edge`, which is for
 *    the size of a checkpoint: call it before that checkpoint is published, and only then.
 * 2. What is given out for a size depends on the entries alone, so a repeat after a crash writes the same bytes.
 * 3. To go on after a stop, `resume` reads the right edge of an earlier size and holds it against that size's root.
 *
 * Files are written by whoever takes them; this module decides names and bytes.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { leafOf } from "./Chain.ts"
import * as Frontier from "./Frontier.ts"
import type { Head } from "./Merkle.ts"
import { subtreesOf } from "./Proofs.ts"
import type { EntryTooLong } from "./Tiles.ts"
import { bytesOf, edgeOf, encodeEntry, fullWidth, pathOf, rootOver } from "./Tiles.ts"
import type { Files, TileRefused } from "./VerifiedTiles.ts"
import * as VerifiedTiles from "./VerifiedTiles.ts"

export interface File {
  readonly path: string
  readonly bytes: Uint8Array
}

export interface TileWriter {
  /** The next entry, and the files that are full with it. An entry that is too long changes nothing. */
  readonly append: (payload: string) => Result.Result<ReadonlyArray<File>, EntryTooLong>
  /** The partial files of the size as it is. */
  readonly edge: () => ReadonlyArray<File>
  /** The tree as it is. */
  readonly head: () => Head
  readonly frontier: () => Frontier.State
}

/** Where to go on: a tree, the partial tiles of its right edge by level, and the entries of its partial bundle. */
interface Start {
  readonly frontier: Frontier.State
  readonly edge: ReadonlyArray<ReadonlyArray<string>>
  readonly entries: ReadonlyArray<Uint8Array>
}

const from = (start: Start): TileWriter => {
  const tree = Frontier.make(start.frontier)
  const levels = start.edge.map((hashes) => [...hashes])
  let entries = [...start.entries]

  /** Puts a hash behind those of its level, and the roots of the tiles that become full with it above them. */
  const place = (hash: string, level: number, full: Array<File>): void => {
    const hashes = (levels[level] ??= [])
    hashes.push(hash)
    if (hashes.length < fullWidth) return
    const index = Math.floor(tree.size() / fullWidth ** (level + 1)) - 1
    full.push({ path: pathOf({ level, index, width: fullWidth }), bytes: bytesOf(hashes) })
    levels[level] = []
    place(rootOver(hashes), level + 1, full)
  }

  return {
    append: (payload) =>
      Result.map(encodeEntry(tree.size() + 1, payload), (entry) => {
        const full: Array<File> = []
        const leaf = leafOf(payload)
        tree.append(leaf)
        entries.push(entry)
        if (entries.length === fullWidth) {
          const index = tree.size() / fullWidth - 1
          full.push({ path: pathOf({ level: "entries", index, width: fullWidth }), bytes: Buffer.concat(entries) })
          entries = []
        }
        place(leaf, 0, full)
        return full
      }),
    edge: () => [
      ...(entries.length === 0
        ? []
        : [
            {
              path: pathOf({
                level: "entries",
                index: Math.floor(tree.size() / fullWidth),
                width: entries.length
              }),
              bytes: Buffer.concat(entries)
            }
          ]),
      ...edgeOf(tree.size()).map((tile) => ({ path: pathOf(tile), bytes: bytesOf(levels[tile.level] ?? []) }))
    ],
    head: tree.head,
    frontier: tree.state
  }
}

/** A writer for a log without entries. */
export const make = (): TileWriter => from({ frontier: Frontier.empty, edge: [], entries: [] })

/**
 * A writer that goes on behind `head`, from the files of that size.
 *
 * Fails with `TileRefused` when they are not those of the tree, so a spoilt directory is never built upon.
 */
export const resume = <E, R>(head: Head, read: Files<E, R>): Effect.Effect<TileWriter, E | TileRefused, R> =>
  Effect.gen(function* () {
    const tiles = VerifiedTiles.make(head, read)
    const hashes = yield* tiles.hashes(subtreesOf({ from: 0, to: head.size }))
    const edge: Array<ReadonlyArray<string>> = []
    for (const { level, index, width } of edgeOf(head.size)) {
      const nodes = Array.from({ length: width }, (_, at) => ({ level: level * 8, index: index * fullWidth + at }))
      edge[level] = yield* tiles.hashes(nodes)
    }
    const partial = head.size % fullWidth
    const index = Math.floor(head.size / fullWidth)
    const entries: Array<Uint8Array> = []
    if (partial > 0) {
      const leaves = yield* tiles.leaves(index)
      for (const [at, payload] of (yield* tiles.entries(index)).entries()) {
        const found = payload === undefined ? "no entry" : leafOf(payload)
        const seq = index * fullWidth + at + 1
        const encoded = payload === undefined ? undefined : Result.getOrUndefined(encodeEntry(seq, payload))
        if (encoded === undefined || found !== leaves[at]) {
          const path = pathOf({ level: "entries", index, width: partial })
          const expected = leaves[at] ?? "no entry"
          return yield* new VerifiedTiles.TileRefused({ reason: "hash", path, leaf: seq - 1, expected, found })
        }
        entries.push(encoded)
      }
    }
    return from({ frontier: { size: head.size, hashes }, edge: Array.from(edge, (one) => one ?? []), entries })
  })

/**
 * The files of `payloads`, which follow what `writer` has: full ones as they become full, the edge at the end.
 *
 * Afterwards `writer.head()` is the tree that a checkpoint for these files names.
 */
export const files = <E, R>(
  writer: TileWriter,
  payloads: Stream.Stream<string, E, R>
): Stream.Stream<File, E | EntryTooLong, R> =>
  Stream.concat(
    payloads.pipe(
      Stream.mapEffect((payload) => Effect.fromResult(writer.append(payload))),
      Stream.flatMap((full) => Stream.fromIterable(full))
    ),
    Stream.suspend(() => Stream.fromIterable(writer.edge()))
  )
