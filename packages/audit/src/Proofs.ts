/**
 * Roots and proofs of a stored tree, from the hashes of its complete subtrees.
 *
 * 1. Only complete subtrees are asked for: they never change once they are there, so any store that keeps them (tiles, a
 *    table) will do, and a proof between two sizes needs no snapshot.
 * 2. One read for a proof: what is needed follows from the sizes alone.
 *
 * A proof made from wrong hashes is a wrong proof: `Merkle.ts` says so to whoever gets it. To know it before, read
 * through `VerifiedTiles`.
 */
import * as Effect from "effect/Effect"
import { emptyRoot, foldOf, isSize, splitOf } from "./Merkle.ts"

/** A complete subtree: the root over the `2 ** level` leaves from `index * 2 ** level` on. */
export interface Node {
  readonly level: number
  readonly index: number
}

/** The hashes of these subtrees, in this order. All of them are complete in the tree that is asked about. */
export type HashReader<E = never, R = never> = (
  nodes: ReadonlyArray<Node>
) => Effect.Effect<ReadonlyArray<string>, E, R>

/** Leaves `from` up to, and without, `to`. */
interface Range {
  readonly from: number
  readonly to: number
}

/** The complete subtrees of a range as RFC 6962 splits it, the largest first. */
export const subtreesOf = ({ from, to }: Range): ReadonlyArray<Node> => {
  const nodes: Array<Node> = []
  for (let at = from; at < to;) {
    let level = 0
    let width = 1
    while (at % (width * 2) === 0 && at + width * 2 <= to) {
      width *= 2
      level++
    }
    nodes.push({ level, index: at / width })
    at += width
  }
  return nodes
}

/** PATH of RFC 6962, section 2.1.1: from the leaf's sibling up to the root's child. */
const pathOf = (index: number, { from, to }: Range): ReadonlyArray<Range> => {
  if (to - from === 1) return []
  const middle = from + splitOf(to - from)
  return index < middle
    ? [...pathOf(index, { from, to: middle }), { from: middle, to }]
    : [...pathOf(index, { from: middle, to }), { from, to: middle }]
}

/** SUBPROOF of RFC 6962, section 2.1.2. `known`: the subtree is the whole older tree, whose root the verifier has. */
const subproofOf = (older: number, { from, to }: Range, known: boolean): ReadonlyArray<Range> => {
  if (older === to) return known ? [] : [{ from, to }]
  const middle = from + splitOf(to - from)
  return older <= middle
    ? [...subproofOf(older, { from, to: middle }, known), { from: middle, to }]
    : [...subproofOf(older, { from: middle, to }, false), { from, to: middle }]
}

const hashesOf = <E, R>(ranges: ReadonlyArray<Range>, read: HashReader<E, R>) => {
  const parts = ranges.map(subtreesOf)
  return Effect.map(read(parts.flat()), (hashes) => {
    let at = 0
    return parts.map(({ length }) => foldOf(hashes.slice(at, (at += length))))
  })
}

const mustFit = (fits: boolean, what: string): void => {
  if (!fits) throw new RangeError(what)
}

/** The root of the first `size` leaves. */
export const root = <E, R>(size: number, read: HashReader<E, R>): Effect.Effect<string, E, R> =>
  Effect.suspend(() => {
    mustFit(isSize(size), `no size of a tree: ${size}`)
    return size === 0
      ? Effect.succeed(emptyRoot)
      : Effect.map(hashesOf([{ from: 0, to: size }], read), ([hash]) => hash ?? emptyRoot)
  })

/** That the leaf at `index` is in the tree of `size`. An index behind it is a defect. */
export const inclusion = <E, R>(
  index: number,
  size: number,
  read: HashReader<E, R>
): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    mustFit(isSize(index) && isSize(size) && index < size, `no leaf ${index} in a tree of ${size}`)
    return hashesOf(pathOf(index, { from: 0, to: size }), read)
  })

/** That the tree of `newer` leaves begins with that of `older`. A larger `older` is a defect. */
export const consistency = <E, R>(
  older: number,
  newer: number,
  read: HashReader<E, R>
): Effect.Effect<ReadonlyArray<string>, E, R> =>
  Effect.suspend(() => {
    mustFit(isSize(older) && isSize(newer) && older <= newer, `no tree of ${newer} grew from one of ${older}`)
    return older === 0 || older === newer
      ? Effect.succeed([])
      : hashesOf(subproofOf(older, { from: 0, to: newer }, true), read)
  })
