/**
 * How an entry is bound to its predecessor and its position (docs/spec/audit.md, section 3).
 *
 *     leaf = SHA-256(0x00 || UTF-8 of the payload)
 *     hash = SHA-256(0x01 || prevHash || seq as 8 bytes, big-endian || leaf)
 *
 * The leaf is also the leaf of the Merkle tree that will stand over the same entries (RFC 6962, section 2.1). Stores
 * take this as a service, so that core needs no Node API; `@jitsudo/audit` has a synchronous layer for Node, held to the
 * same vectors.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { sha256 } from "./Sha256.ts"

/** Both as 64 lower-case hexadecimal digits. */
export interface Link {
  readonly leaf: string
  readonly hash: string
}

/** The `prevHash` of entry 1, and the head's hash of an empty log: 32 zero bytes, hexadecimal. */
export const genesis = "0".repeat(64)

/** What is wrong with the arguments of a link, or null. */
export const whyNoLink = (prevHash: string, seq: number, payload: string): string | null => {
  if (!/^[0-9a-f]{64}$/u.test(prevHash)) return "prevHash must be 64 lower-case hexadecimal digits"
  if (!Number.isSafeInteger(seq) || seq < 1) return `seq must be a whole number from 1, not ${seq}`
  return payload.isWellFormed() ? null : "the payload has a lone surrogate"
}

export class ChainHasher extends Context.Service<
  ChainHasher,
  {
    /**
     * The leaf and hash of the entry `seq` with this canonical text after an entry with hash `prevHash`.
     *
     * Pure: a repeat gives the same. Malformed arguments (`whyNoLink`) are a defect.
     */
    readonly link: (prevHash: string, seq: number, payload: string) => Effect.Effect<Link>
  }
>()("@jitsudo/core/ChainHasher") {}

const encoder = new TextEncoder()

const link = Effect.fnUntraced(function* (prevHash: string, seq: number, payload: string) {
  const why = whyNoLink(prevHash, seq, payload)
  const previous = Hex.decode(prevHash)
  if (why !== null || Result.isFailure(previous)) return yield* Effect.die(new RangeError(why ?? "no hexadecimal"))

  const text = encoder.encode(payload)
  const leafInput = new Uint8Array(1 + text.length)
  leafInput.set(text, 1)
  const leaf = yield* sha256(leafInput)

  const input = new Uint8Array(73)
  input[0] = 1
  input.set(previous.success, 1)
  new DataView(input.buffer).setBigUint64(33, BigInt(seq))
  input.set(leaf, 41)
  return { leaf: Hex.encode(leaf), hash: Hex.encode(yield* sha256(input)) }
})

/** Over WebCrypto: works everywhere. */
export const layer: Layer.Layer<ChainHasher> = Layer.succeed(ChainHasher, { link })
