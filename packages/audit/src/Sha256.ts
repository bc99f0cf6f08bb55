/**
 * Synchronous SHA-256: the only use of a Node API in this package, so that the rest can be read without one.
 *
 * One-shot, because entries are small and a million of them must be hashed in seconds.
 */
import { hash } from "node:crypto"

/** SHA-256 over `bytes`, one character for each of the 32 bytes: several times faster to get than a buffer. */
export const sha256Binary = (bytes: Uint8Array): string => hash("sha256", bytes, "binary")

/** SHA-256 over `bytes` as 64 lower-case hexadecimal digits. */
export const sha256Hex = (bytes: Uint8Array): string => hash("sha256", bytes, "hex")
