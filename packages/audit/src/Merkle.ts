/**
 * The Merkle tree over the log: RFC 6962, section 2.1, with the proofs of RFC 9162, sections 2.1.3 and 2.1.4.
 *
 *     empty tree = SHA-256("")        leaf = `leafOf` of the chain        node = SHA-256(0x01 || left || right)
 *
 * 1. Entry `seq` is the leaf with index `seq - 1`: chain and tree share their leaves.
 * 2. Hashes are 64 lower-case hexadecimal digits and compared as text; callers check the form of foreign ones first.
 * 3. Sizes and indexes are safe integers and never meet bit operators, which would cut them to 32 bits.
 *
 * Pure. How hashes are found is `Proofs.ts`, how a tree grows `Frontier.ts`.
 */
import { sha256Hex } from "./Sha256.ts"

/** The root of the tree without leaves. */
export const emptyRoot = sha256Hex(new Uint8Array(0))

/** Work space: hashing is synchronous and nothing is kept in here between calls. */
const space = Buffer.alloc(65)
space[0] = 1

/** The node over two hashes, which must be hashes. */
export const nodeOf = (left: string, right: string): string => {
  space.write(left, 1, "hex")
  space.write(right, 33, "hex")
  return sha256Hex(space)
}

/** The root over the roots of adjacent subtrees, largest first, as RFC 6962 splits a tree; there must be one. */
export const foldOf = (roots: ReadonlyArray<string>): string =>
  roots.reduceRight((right, left) => (right === "" ? left : nodeOf(left, right)), "")

/** Whether a tree can have this many leaves. */
export const isSize = (size: number): boolean => Number.isSafeInteger(size) && size >= 0

/** The largest power of two below `size`, which is at least 2: where RFC 6962 splits a tree. */
export const splitOf = (size: number): number => {
  let left = 1
  while (left * 2 < size) left *= 2
  return left
}

const half = (n: number): number => Math.floor(n / 2)
const isOdd = (n: number): boolean => n % 2 === 1

/**
 * The root that `proof` leads to from the leaf at `index` in a tree of `size`; undefined when the proof has another
 * length than every proof for this place has. The leaf is in the tree when this is the tree's root.
 */
export const rootByInclusion = (
  index: number,
  size: number,
  leaf: string,
  proof: ReadonlyArray<string>
): string | undefined => {
  if (!isSize(index) || !isSize(size) || index >= size) return undefined
  let at = index
  let last = size - 1
  let root = leaf
  for (const hash of proof) {
    if (last === 0) return undefined
    if (isOdd(at) || at === last) {
      root = nodeOf(hash, root)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else {
      root = nodeOf(root, hash)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 ? root : undefined
}

/** Whether `proof` shows that the leaf stands at `index` in the tree of this size and root. */
export const isIncluded = (index: number, tree: Head, leaf: string, proof: ReadonlyArray<string>): boolean =>
  rootByInclusion(index, tree.size, leaf, proof) === tree.root

/** A tree, as a checkpoint names it. */
export interface Head {
  readonly size: number
  readonly root: string
}

/** Whether `proof` shows that `newer` has all leaves of `older` as they were, and only more behind them. */
export const isConsistent = (older: Head, newer: Head, proof: ReadonlyArray<string>): boolean => {
  if (!isSize(older.size) || !isSize(newer.size) || older.size > newer.size) return false
  if (older.size === newer.size) return proof.length === 0 && older.root === newer.root
  if (older.size === 0) return proof.length === 0 && older.root === emptyRoot
  let at = older.size - 1
  let last = newer.size - 1
  while (isOdd(at)) {
    at = half(at)
    last = half(last)
  }
  // A tree of a power of two is itself the first hash.
  const [first, ...path] = at === 0 ? [older.root, ...proof] : proof
  if (first === undefined) return false
  let before = first
  let after = first
  for (const hash of path) {
    if (last === 0) return false
    if (isOdd(at) || at === last) {
      before = nodeOf(hash, before)
      after = nodeOf(hash, after)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else {
      after = nodeOf(after, hash)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && before === older.root && after === newer.root
}
