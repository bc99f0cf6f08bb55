/** The tree as RFC 6962, section 2.1, defines it, by recursion over all leaves: slow, and easy to see to be right. */
import { createHash } from "node:crypto"

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

const rootOf = (leaves: ReadonlyArray<Buffer>): Buffer => {
  const [only] = leaves
  if (only === undefined) return sha256(Buffer.alloc(0))
  if (leaves.length === 1) return only
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha256(Buffer.concat([Buffer.of(1), rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k))]))
}

/** The root over these leaf hashes, all in hexadecimal. */
export const treeOf = (leaves: ReadonlyArray<string>): string =>
  rootOf(leaves.map((leaf) => Buffer.from(leaf, "hex"))).toString("hex")
