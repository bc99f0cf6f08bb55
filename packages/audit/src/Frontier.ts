/**
 * A tree that grows: what has to be kept of it to append and to know the root, which is one hash for each bit of its
 * size that is set.
 *
 * 1. `hashes` are the roots of the complete subtrees that the tree is made of, the largest (leftmost) first.
 * 2. A state is plain data, to be stored beside a checkpoint and gone on from. A foreign one is read with `isState`, and
 *    proves nothing by itself: it is right when the root that grows from it is one that is known.
 */
import { isHash } from "./Chain.ts"
import type { Head } from "./Merkle.ts"
import { emptyRoot, foldOf, isSize, nodeOf } from "./Merkle.ts"

export interface State {
  readonly size: number
  readonly hashes: ReadonlyArray<string>
}

export const empty: State = { size: 0, hashes: [] }

/** How many complete subtrees a tree of this size is made of. */
export const widthOf = (size: number): number => {
  let width = 0
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) width += rest % 2
  return width
}

/** Whether this is the form of a state. */
export const isState = ({ size, hashes }: State): boolean =>
  isSize(size) && hashes.length === widthOf(size) && hashes.every(isHash)

export const rootOf = ({ hashes }: State): string => (hashes.length === 0 ? emptyRoot : foldOf(hashes))

export interface Frontier {
  /** The next leaf, which must be a hash. */
  readonly append: (leaf: string) => void
  readonly size: () => number
  readonly head: () => Head
  readonly state: () => State
}

/** A tree that goes on from `state`. Throws a `RangeError` when it has not the form of one. */
export const make = (state: State = empty): Frontier => {
  if (!isState(state)) throw new RangeError(`no tree to go on from: size ${state.size}, ${state.hashes.length} hashes`)
  const hashes = [...state.hashes]
  let size = state.size
  return {
    append: (leaf) => {
      let hash = leaf
      for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) hash = nodeOf(hashes.pop() ?? "", hash)
      hashes.push(hash)
      size++
    },
    size: () => size,
    head: () => ({ size, root: rootOf({ size, hashes }) }),
    state: () => ({ size, hashes: [...hashes] })
  }
}
