/**
 * SHA-256 over WebCrypto: for digests in core, which runs on any JavaScript runtime.
 *
 * Asynchronous, so it is an Effect. Chains of a million hashes use the synchronous one of `@jitsudo/audit`.
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"

const encoder = new TextEncoder()

/** The 32 bytes of SHA-256 over `bytes`. */
export const sha256 = (bytes: Uint8Array<ArrayBuffer>): Effect.Effect<Uint8Array<ArrayBuffer>> =>
  Effect.map(
    Effect.promise(() => globalThis.crypto.subtle.digest("SHA-256", bytes)),
    (digest) => new Uint8Array(digest)
  )

/**
 * SHA-256 over the UTF-8 bytes of `text`, as 64 lower-case hexadecimal digits.
 *
 * A lone surrogate is a defect: UTF-8 cannot say it, and encoders put U+FFFD in its place.
 */
export const sha256Hex = (text: string): Effect.Effect<string> =>
  text.isWellFormed()
    ? Effect.map(sha256(encoder.encode(text)), Hex.encode)
    : Effect.die(new RangeError("a text with a lone surrogate has no UTF-8 form to hash: refuse it at the edge"))
