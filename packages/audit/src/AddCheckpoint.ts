/**
 * What a log asks of a witness, and what a witness must answer (c2sp.org/tlog-witness, `add-checkpoint`), without the
 * HTTP between them.
 *
 *     old <size of the checkpoint that the witness cosigned last>
 *     base64 of each hash of the consistency proof from that size
 *     (an empty line)
 *     the signed checkpoint
 *
 * 1. A witness answers with signature lines, or with the size that it knows when it is another than the log thinks.
 * 2. It cosigns only what has grown from what it cosigned before. Whoever runs one stores the new head, atomically with
 *    the comparison, before the answer leaves.
 * 3. A log takes only cosignatures that verify, of witnesses that it knows.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isHash } from "./Chain.ts"
import type { CheckpointRefused, Trust, Trusted } from "./Checkpoint.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Cosignature from "./Cosignature.ts"
import type { Head } from "./Merkle.ts"
import { emptyRoot, isConsistent, isSize } from "./Merkle.ts"
import type { Note } from "./SignedNote.ts"
import * as SignedNote from "./SignedNote.ts"
import { hashIn, hashText } from "./StrictBase64.ts"
import type { VerifierKey } from "./VerifierKey.ts"

export interface Request {
  /** The size that the witness cosigned last, as far as the log knows; 0 if it never did. */
  readonly oldSize: number
  /** From `oldSize` to the checkpoint's; empty for 0. */
  readonly proof: ReadonlyArray<string>
  /** The signed checkpoint. */
  readonly note: string
}

/** What a witness answers: an HTTP status, and for 409 the size that it cosigned last. */
export type Answer =
  | { readonly status: 200; readonly checkpoint: Trusted }
  | { readonly status: 409; readonly size: number }
  | { readonly status: 400 | 403 | 404 | 422; readonly why: string }

const mostHashes = 63

/** The body of a request. Throws a `RangeError` for what is none. */
export const encode = ({ oldSize, proof, note }: Request): string => {
  if (!isSize(oldSize) || proof.length > mostHashes || !proof.every(isHash)) {
    throw new RangeError(`no request to a witness from size ${oldSize} with ${proof.length} hashes`)
  }
  return `${[`old ${oldSize}`, ...proof.map(hashText)].join("\n")}\n\n${note}`
}

/** The request of a body; undefined for anything else. */
export const parse = (body: string): Request | undefined => {
  const end = body.indexOf("\n\n")
  const [old = "", ...lines] = end === -1 ? [] : body.slice(0, end).split("\n")
  const [, digits] = /^old (0|[1-9]\d*)$/u.exec(old) ?? []
  const proof = lines.map(hashIn).filter((hash) => hash !== undefined)
  const oldSize = Number(digits)
  const whole = isSize(oldSize) && proof.length === lines.length && proof.length <= mostHashes
  return whole ? { oldSize, proof, note: body.slice(end + 2) } : undefined
}

const statusOf = ({ reason }: CheckpointRefused): 400 | 403 | 404 =>
  reason === "malformed" ? 400 : reason === "origin" ? 404 : 403

/**
 * What a witness answers that cosigned `last` for this log's origin (null: nothing yet) and believes `trust`. With 200 it
 * stores the checkpoint's size and root, and only then cosigns.
 */
export const judge = Effect.fnUntraced(function* (body: string, last: Head | null, trust: Trust) {
  const answer = (of: Answer): Answer => of
  const request = parse(body)
  if (request === undefined)
    return answer({ status: 400, why: "no request: old SIZE, hashes, an empty line, a checkpoint" })
  const read = yield* Effect.result(Checkpoint.verify(request.note, trust))
  if (Result.isFailure(read)) return answer({ status: statusOf(read.failure), why: read.failure.message })
  const checkpoint = read.success
  if (request.oldSize > checkpoint.size) return answer({ status: 400, why: "the old size is larger than the new one" })
  const known = last ?? { size: 0, root: emptyRoot }
  if (request.oldSize !== known.size) return answer({ status: 409, size: known.size })
  if (checkpoint.size === known.size && checkpoint.root !== known.root) return answer({ status: 409, size: known.size })
  return isConsistent(known, checkpoint, request.proof)
    ? answer({ status: 200, checkpoint })
    : answer({ status: 422, why: `no proof that ${checkpoint.size} entries grew from ${known.size}` })
})

/**
 * `note` with the cosignatures of a witness's answer that are of `witnesses` and verify.
 *
 * Fails with `NoteRefused` when the answer is none (`malformed`), when a known witness signed something else
 * (`signature`), or when no known one signed (`unsigned`).
 */
export const collect = Effect.fnUntraced(function* (note: Note, answer: string, witnesses: ReadonlyArray<VerifierKey>) {
  const signatures = yield* Effect.fromResult(SignedNote.parseSignatures(answer))
  const cosigned = yield* Cosignature.verify({ ...note, signatures }, witnesses)
  const names = new Set(cosigned.map(({ witness }) => `${witness.name}+${witness.id}`))
  if (names.size === 0) {
    const message = `no witness that is known cosigned: ${signatures.map(({ name }) => name).join(", ")}`
    return yield* new SignedNote.NoteRefused({ reason: "unsigned", message })
  }
  return signatures.filter(({ id, name }) => names.has(`${name}+${id}`)).reduce(SignedNote.withSignature, note)
})
