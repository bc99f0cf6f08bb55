/**
 * Tiles and receipts, made from the log as it is stored and its newest checkpoint.
 *
 * 1. Nothing beyond the newest checkpoint is given out: what has no signature over it proves nothing.
 * 2. What is made is not checked here. Whoever gets it holds it against the checkpoint, and must: that is its purpose.
 */
import { Proofs, Receipt, Tiles } from "@jitsudo/audit"
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Evidence, EvidenceError } from "./Evidence.ts"

/** The bytes of a tile; none where the newest checkpoint has no such tile. */
export const tile = (
  evidence: Evidence["Service"],
  chain: AuditChain.AuditChain["Service"],
  wanted: Tiles.Tile
): Effect.Effect<Option.Option<Uint8Array>, EvidenceError | AuditChain.AuditChainError | Tiles.EntryTooLong> =>
  Effect.gen(function* () {
    const checkpoint = yield* evidence.latest
    const { index, level, width } = wanted
    if (Option.isNone(checkpoint)) return Option.none<Uint8Array>()
    if (Tiles.widthIn(level === "entries" ? 0 : level, index, checkpoint.value.size) < width) {
      return Option.none<Uint8Array>()
    }
    const first = index * Tiles.fullWidth
    if (level !== "entries") {
      const nodes = Array.from({ length: width }, (_, at) => ({ level: level * 8, index: first + at }))
      return Option.some(Tiles.bytesOf(yield* evidence.hashes(nodes)))
    }
    const entries = yield* chain.read({ from: first + 1, to: first + width, limit: width, order: "oldest" })
    const bundle: Array<Uint8Array> = []
    for (const { payload, seq } of entries) {
      const encoded = Tiles.encodeEntry(seq, payload)
      if (Result.isFailure(encoded)) return yield* encoded.failure
      bundle.push(encoded.success)
    }
    return Option.some<Uint8Array>(Buffer.concat(bundle))
  })

/** The receipt of an entry; none while no checkpoint covers it. */
export const receipt = (
  evidence: Evidence["Service"],
  { payload, seq }: Pick<AuditChain.Entry, "payload" | "seq">
): Effect.Effect<Option.Option<string>, EvidenceError> =>
  Effect.gen(function* () {
    const checkpoint = yield* evidence.latest
    if (Option.isNone(checkpoint) || checkpoint.value.size < seq) return Option.none<string>()
    const { note, size } = checkpoint.value
    const proof = yield* Proofs.inclusion(seq - 1, size, evidence.hashes)
    return Option.some(Receipt.encode({ payload, seq, proof, note }))
  })
