/**
 * Synchronous SHA-256: the only use of a Node API in this package, so that the rest can be read without one.
 *
 * One-shot, because entries are small and a million of them must be hashed in seconds.
 */
import { hash } from "node:crypto"

/** The 32 bytes of SHA-256 over `bytes`. */
export const sha256 = (bytes: Uint8Array): Buffer => hash("sha256", bytes, "buffer")

/** The same as 64 lower-case hexadecimal digits. */
export const sha256Hex = (bytes: Uint8Array): string => hash("sha256", bytes, "hex")
