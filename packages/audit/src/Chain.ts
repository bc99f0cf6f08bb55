/**
 * The chain's arithmetic (docs/spec/audit.md, section 3): pure functions over text and bytes.
 *
 *     leaf     = SHA-256(0x00 || UTF-8 of the payload)
 *     hash     = SHA-256(0x01 || prevHash || seq as 8 bytes, big-endian || leaf)
 *     textHash = SHA-256(salt || UTF-8 of the text)
 *
 * 1. The hash covers every field through the payload, the position through `seq`, and all that came before through
 *    `prevHash`. 0x00 and 0x01 keep leaves and links apart (RFC 6962, section 2.1): `leafOf` is also the Merkle leaf.
 * 2. Hashes and salts are lower-case hexadecimal and compared as text; any other spelling is another value.
 * 3. A text with a lone surrogate has no UTF-8 form and no hash here: callers ask `isWellFormed` first.
 */
import { sha256Binary, sha256Hex } from "./Sha256.ts"

/** The `prevHash` of entry 1: 32 zero bytes. */
export const genesis = "0".repeat(64)

/** Whether `text` is 32 bytes in lower-case hexadecimal. */
export const isHash = (text: string): boolean => /^[0-9a-f]{64}$/u.test(text)

/** Whether `text` is the 16 bytes of a salt in lower-case hexadecimal. */
export const isSalt = (text: string): boolean => /^[0-9a-f]{32}$/u.test(text)

/** Work space: hashing is synchronous and nothing is kept in here between calls. */
const leafSpace = Buffer.alloc(65_536)
const linkSpace = Buffer.alloc(73)
linkSpace[0] = 1

/** What a leaf is the hash of. Valid until the next call. */
const leafInput = (payload: string): Buffer =>
  // A UTF-16 code unit is at most three bytes of UTF-8.
  payload.length * 3 < leafSpace.length
    ? leafSpace.subarray(0, 1 + leafSpace.write(payload, 1, "utf8"))
    : Buffer.concat([Buffer.alloc(1), Buffer.from(payload, "utf8")])

/** The Merkle leaf of a payload. */
export const leafOf = (payload: string): string => sha256Hex(leafInput(payload))

/** The hash of the entry at `seq` with this payload after `prevHash`, which must be a hash. */
export const link = (prevHash: string, seq: number, payload: string): string => {
  linkSpace.write(sha256Binary(leafInput(payload)), 41, "latin1")
  linkSpace.write(prevHash, 1, "hex")
  linkSpace.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), 33)
  linkSpace.writeUInt32BE(seq % 0x1_0000_0000, 37)
  return sha256Hex(linkSpace)
}

/** The same from the leaf of the payload, for who needs the leaf too. */
export const linkOf = (prevHash: string, seq: number, leaf: string): string => {
  linkSpace.write(leaf, 41, "hex")
  linkSpace.write(prevHash, 1, "hex")
  linkSpace.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), 33)
  linkSpace.writeUInt32BE(seq % 0x1_0000_0000, 37)
  return sha256Hex(linkSpace)
}

/** What stands for a text in its payload; `salt` must be a salt. */
export const textHashOf = (salt: string, text: string): string =>
  sha256Hex(Buffer.concat([Buffer.from(salt, "hex"), Buffer.from(text, "utf8")]))
