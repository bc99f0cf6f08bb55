/**
 * Where the tree and the entries stand as files (c2sp.org/tlog-tiles).
 *
 *     tile/<level>/<index>[.p/<width>]      256 hashes of 32 bytes, or `width` of them
 *     tile/entries/<index>[.p/<width>]      256 entries, or `width` of them: uint16 length, then the payload's UTF-8
 *     checkpoint                            the newest signed checkpoint
 *
 * 1. A tile at level L holds, for L = 0, leaves, and above the roots of full tiles of the level below. Partial ones
 *    (width 1 to 255) stand at the right edge only, and are never hashed into the level above.
 * 2. What is full never changes. A partial tile belongs to a size.
 * 3. An entry in a bundle is exactly the payload, so it hashes to its leaf as the specification wants it. It has at most
 *    65,535 bytes: a longer one has no tile form and is refused here.
 * 4. Names and files that are foreign are read strictly: one spelling, one length.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import { foldOf } from "./Merkle.ts"
import type { Node } from "./Proofs.ts"
import { subtreesOf } from "./Proofs.ts"

/** Hashes in a full tile, entries in a full bundle. */
export const fullWidth = 256

/** The longest payload that a bundle can hold, in bytes of UTF-8. */
export const longestEntry = 65_535

export const checkpointPath = "checkpoint"

/** `level` is 0 to 63 for hashes. `width` is 256 for a full tile. */
export interface Tile {
  readonly level: number | "entries"
  readonly index: number
  readonly width: number
}

const digits = (index: number): string => {
  const last = String(index % 1000).padStart(3, "0")
  const before = Math.floor(index / 1000)
  return before === 0 ? last : `${digits(before).replace(/(\d{3})$/u, "x$1")}/${last}`
}

export const pathOf = ({ level, index, width }: Tile): string =>
  `tile/${level}/${digits(index)}${width === fullWidth ? "" : `.p/${width}`}`

const tilePath = /^tile\/(\d{1,2}|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/u

/** The tile of a path in its one spelling; undefined for any other text. */
export const parsePath = (path: string): Tile | undefined => {
  const [, level, index, width] = tilePath.exec(path) ?? []
  if (level === undefined || index === undefined) return undefined
  const tile = {
    level: level === "entries" ? level : Number(level),
    index: Number(index.replaceAll(/[x/]/gu, "")),
    width: width === undefined ? fullWidth : Number(width)
  } as const
  const within = tile.width >= 1 && (width === undefined || tile.width < fullWidth) && Number.isSafeInteger(tile.index)
  return within && (tile.level === "entries" || tile.level < 64) && pathOf(tile) === path ? tile : undefined
}

/** How many hashes a level has in a tree of `size`: complete subtrees of `256 ** level` leaves. */
const hashesAt = (level: number, size: number): number => Math.floor(size / fullWidth ** level)

/** The width of a tile in a tree of `size`; 0 when it is not there. */
export const widthIn = (level: number, index: number, size: number): number =>
  Math.max(0, Math.min(fullWidth, hashesAt(level, size) - index * fullWidth))

/** The levels of a tree of `size` that have a tile. */
export const levelsOf = (size: number): number => {
  let levels = 0
  while (hashesAt(levels, size) > 0) levels++
  return levels
}

/** The partial tiles of a tree of `size`: its right edge, lowest level first. Full tiles are not among them. */
export const edgeOf = (size: number): ReadonlyArray<Tile & { readonly level: number }> =>
  Array.from({ length: levelsOf(size) }, (_, level) => {
    const hashes = hashesAt(level, size)
    return { level, index: Math.floor(hashes / fullWidth), width: hashes % fullWidth }
  }).filter(({ width }) => width > 0)

/** The tile that a subtree stands in, and which of its hashes, folded, are the subtree's. */
export const placeOf = ({ level, index }: Node) => {
  const count = 2 ** (level % 8)
  const first = index * count
  return {
    level: Math.floor(level / 8),
    index: Math.floor(first / fullWidth),
    first: first % fullWidth,
    count
  }
}

/** The hashes of a tile; undefined when it has another length than `width` of them. */
export const hashesIn = (bytes: Uint8Array, width: number): ReadonlyArray<string> | undefined => {
  if (bytes.length !== width * 32) return undefined
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")
  return Array.from({ length: width }, (_, at) => hex.slice(at * 64, at * 64 + 64))
}

export const bytesOf = (hashes: ReadonlyArray<string>): Uint8Array => Buffer.from(hashes.join(""), "hex")

/** The root over hashes `first` to `first + count - 1` of a tile. */
export const rootIn = (hashes: ReadonlyArray<string>, first: number, count: number): string => {
  const [one] = hashes.slice(first, first + 1)
  if (count === 1 && one !== undefined) return one
  const half = count / 2
  return foldOf([rootIn(hashes, first, half), rootIn(hashes, first + half, half)])
}

/** The root over a whole tile, full or partial. */
export const rootOver = (hashes: ReadonlyArray<string>): string =>
  foldOf(
    subtreesOf({ from: 0, to: hashes.length }).map(({ level, index }) => rootIn(hashes, index * 2 ** level, 2 ** level))
  )

/** An entry that has no tile form, because `length` is more than a bundle can say. */
export class EntryTooLong extends Data.TaggedError("EntryTooLong")<{ readonly seq: number; readonly length: number }> {
  override get message(): string {
    return `entry ${this.seq} has ${this.length} bytes, and a tile holds at most ${longestEntry}: no tile can be written`
  }
}

/** An entry as it stands in a bundle. */
export const encodeEntry = (seq: number, payload: string): Result.Result<Uint8Array, EntryTooLong> => {
  const length = Buffer.byteLength(payload, "utf8")
  if (length > longestEntry) return Result.fail(new EntryTooLong({ seq, length }))
  const bytes = Buffer.alloc(2 + length)
  bytes.writeUInt16BE(length, 0)
  bytes.write(payload, 2, "utf8")
  return Result.succeed(bytes)
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The payloads of a bundle up to the first that is no text or is cut off, which stands there as undefined. */
export const entriesIn = (bundle: Uint8Array): ReadonlyArray<string | undefined> => {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.length)
  const entries: Array<string | undefined> = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 2 > bytes.length ? Infinity : at + 2 + bytes.readUInt16BE(at)
    const text = end > bytes.length ? undefined : textOf(bytes.subarray(at + 2, end))
    entries.push(text)
    if (text === undefined) break
    at = end
  }
  return entries
}
