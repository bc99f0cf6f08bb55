/**
 * Receipts: one text file that proves one entry to somebody who has nothing but the log's public key
 * (c2sp.org/tlog-proof).
 *
 *     c2sp.org/tlog-proof@v1
 *     extra base64(payload)
 *     index <sequence number - 1>
 *     base64 of each hash of the inclusion proof, from the leaf's sibling up
 *     (an empty line)
 *     the signed checkpoint, as it came
 *
 * 1. The specification leaves `extra` to the application and authenticates nothing in it. Ours is the entry's payload,
 *    and it is believed only because its leaf is in the tree: nothing else of a receipt says what was recorded.
 * 2. Texts beside the entry are not in a receipt, so it may be handed on, and a later redaction needs no new one.
 * 3. It proves that the entry is in the log at that place, not that nothing came after.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isHash, leafOf } from "./Chain.ts"
import type { Trust, Trusted } from "./Checkpoint.ts"
import * as Checkpoint from "./Checkpoint.ts"
import { rootByInclusion } from "./Merkle.ts"
import type { NoPayload, Payload } from "./Payload.ts"
import { isCanonical, read } from "./Payload.ts"
import { bytesIn, hashIn, hashText, textFor } from "./StrictBase64.ts"

export interface Receipt {
  /** Of the entry, as it was written. */
  readonly payload: string
  /** From 1. */
  readonly seq: number
  /** From the leaf's sibling up to the root's child. */
  readonly proof: ReadonlyArray<string>
  /** The signed checkpoint. */
  readonly note: string
}

/** What a receipt proved. */
export interface Proved {
  readonly seq: number
  readonly payload: string
  readonly entry: Payload
  readonly checkpoint: Trusted
}

/** A receipt that proves nothing. */
export class ReceiptRefused extends Data.TaggedError("ReceiptRefused")<{
  /** `malformed`: no receipt of an entry. `proof`: the entry is not in the tree. The others: of its checkpoint. */
  readonly reason: "malformed" | "proof" | Checkpoint.CheckpointRefused["reason"]
  readonly message: string
}> {}

const firstLine = "c2sp.org/tlog-proof@v1"

/** What is its file's name extension. */
export const extension = ".tlog-proof"

const malformed = (message: string) => new ReceiptRefused({ reason: "malformed", message })

/** Throws a `RangeError` for what cannot be in a receipt. */
export const encode = ({ payload, seq, proof, note }: Receipt): string => {
  if (!payload.isWellFormed() || !Number.isSafeInteger(seq) || seq < 1 || !proof.every(isHash)) {
    throw new RangeError(`no receipt of entry ${seq}`)
  }
  const lines = [
    firstLine,
    `extra ${textFor(Buffer.from(payload, "utf8"))}`,
    `index ${seq - 1}`,
    ...proof.map(hashText)
  ]
  return `${lines.join("\n")}\n\n${note}`
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const payloadIn = (line: string): string | undefined => {
  const bytes = line.startsWith("extra ") ? bytesIn(line.slice(6)) : undefined
  try {
    return bytes === undefined ? undefined : decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** A receipt by its form. It proves nothing before `verify`. */
export const parse = (text: string): Result.Result<Receipt, ReceiptRefused> => {
  const end = text.indexOf("\n\n")
  const [first, extra, index, ...hashes] = end === -1 ? [] : text.slice(0, end).split("\n")
  if (first !== firstLine) return Result.fail(malformed(`a receipt begins with ${firstLine} and has an empty line`))
  const payload = extra === undefined ? undefined : payloadIn(extra)
  if (payload === undefined) return Result.fail(malformed("the second line of a receipt is its entry: extra base64"))
  const [, digits] = /^index (0|[1-9]\d*)$/u.exec(index ?? "") ?? []
  const seq = Number(digits) + 1
  if (!Number.isSafeInteger(seq)) return Result.fail(malformed("the third line of a receipt is its place: index N"))
  const proof = hashes.map(hashIn).filter((hash) => hash !== undefined)
  if (proof.length !== hashes.length || proof.length > 64) {
    return Result.fail(malformed("a line of the proof is no hash in base64, or there are too many"))
  }
  return Result.succeed({ payload, seq, proof, note: text.slice(end + 2) })
}

/** What a receipt proves under `trust`. */
export const verify = Effect.fnUntraced(function* (text: string, trust: Trust) {
  const { payload, seq, proof, note } = yield* Effect.fromResult(parse(text))
  const checkpoint = yield* Effect.mapError(
    Checkpoint.verify(note, trust),
    ({ reason, message }) => new ReceiptRefused({ reason, message: `its checkpoint: ${message}` })
  )
  const found = rootByInclusion(seq - 1, checkpoint.size, leafOf(payload), proof)
  if (found !== checkpoint.root) {
    const what = found === undefined ? "a proof of another length" : `root ${found}`
    const message = `entry ${seq} is not in the tree of size ${checkpoint.size}: expected root ${checkpoint.root}, found ${what}`
    return yield* new ReceiptRefused({ reason: "proof", message })
  }
  const entry: Payload | NoPayload = read(payload)
  if ("why" in entry) return yield* malformed(`entry ${seq} is in the log, and not of this format: ${entry.why}`)
  if (!isCanonical(payload)) {
    return yield* malformed(`entry ${seq} is in the log, and not the canonical text of what it says`)
  }
  const proved: Proved = { seq, payload, entry, checkpoint }
  return proved
})
