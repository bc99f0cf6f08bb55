/**
 * Signed tree heads (c2sp.org/tlog-checkpoint).
 *
 *     origin
 *     size, decimal
 *     root, base64
 *     (extension lines: none of ours has any)
 *
 *     — origin base64(key id || signature)
 *     — witness base64(key id || time || signature)
 *
 * 1. `verify` is the only way from text to a `Trusted` checkpoint. It asks for a signature of one of the log's keys whose
 *    name is the origin and which speaks for that size, and for the witnesses that the policy needs.
 * 2. A checkpoint of the log's key with another signature that is known and wrong is worth nothing (`SignedNote`).
 * 3. Two checkpoints of one log are compared by a consistency proof. Equal sizes with different roots are a fork, and
 *    prove it to everybody.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Cosigned, WitnessPolicy } from "./Cosignature.ts"
import * as Cosignature from "./Cosignature.ts"
import type { LogKey } from "./LogKey.ts"
import { covers, rangeText } from "./LogKey.ts"
import type { Head } from "./Merkle.ts"
import { emptyRoot, isConsistent, isSize } from "./Merkle.ts"
import type { NoteRefused } from "./SignedNote.ts"
import * as SignedNote from "./SignedNote.ts"
import { hashIn, hashText } from "./StrictBase64.ts"
import type { VerifierKey } from "./VerifierKey.ts"

export interface Checkpoint extends Head {
  readonly origin: string
  /** Opaque lines behind the root. */
  readonly extensions: ReadonlyArray<string>
}

/** What a verification is told to believe. */
export interface Trust {
  readonly keys: ReadonlyArray<LogKey>
  /** Absent: no witness is needed, and none is looked at. */
  readonly witnesses?: WitnessPolicy
}

/** A checkpoint that was verified under some `Trust`. */
export interface Trusted extends Checkpoint {
  /** The signed note, as it came. */
  readonly note: string
  readonly signedBy: ReadonlyArray<VerifierKey>
  readonly cosignedBy: ReadonlyArray<Cosigned>
}

/** Why a checkpoint is worth nothing under some trust. */
export class CheckpointRefused extends Data.TaggedError("CheckpointRefused")<{
  /**
   * `malformed`: no checkpoint. `signature`: a known key signed something else. `unsigned`: no known key signed it.
   * `origin`: it is another log's. `range`: only keys signed it that do not speak for this size. `witnesses`: too few.
   */
  readonly reason: "malformed" | "signature" | "unsigned" | "origin" | "range" | "witnesses"
  readonly message: string
}> {}

const malformed = (message: string): CheckpointRefused => new CheckpointRefused({ reason: "malformed", message })

/** The text that is signed. Throws a `RangeError` for what cannot be a checkpoint. */
export const encode = ({ origin, size, root, extensions }: Checkpoint): string => {
  const text = [origin, String(size), hashText(root), ...extensions].map((line) => `${line}\n`).join("")
  const back = parse(text)
  if (
    Result.isFailure(back) ||
    back.success.origin !== origin ||
    back.success.extensions.length !== extensions.length
  ) {
    throw new RangeError(`no checkpoint of ${JSON.stringify(origin)} at size ${size}`)
  }
  return text
}

/** The text of a checkpoint, without its signatures. */
export const parse = (text: string): Result.Result<Checkpoint, CheckpointRefused> => {
  if (!SignedNote.isText(text)) return Result.fail(malformed("a checkpoint is lines of text"))
  const [origin, sizeText, rootText, ...extensions] = text.slice(0, -1).split("\n")
  if (origin === undefined || origin === "" || sizeText === undefined || rootText === undefined) {
    return Result.fail(malformed("a checkpoint has the lines origin, size and root"))
  }
  const size = /^(?:0|[1-9]\d*)$/u.test(sizeText) ? Number(sizeText) : Number.NaN
  if (!isSize(size)) return Result.fail(malformed(`no size of a tree: ${JSON.stringify(sizeText.slice(0, 40))}`))
  const root = hashIn(rootText)
  if (root === undefined) return Result.fail(malformed(`no root hash: ${JSON.stringify(rootText.slice(0, 60))}`))
  if (size === 0 && root !== emptyRoot) return Result.fail(malformed("a tree without leaves has another root"))
  if (extensions.includes("")) return Result.fail(malformed("an extension line is empty"))
  return Result.succeed({ origin, size, root, extensions })
}

/** A signed note that has the form of a checkpoint, before anybody believes it. */
export const read = (note: string) =>
  SignedNote.parse(note).pipe(
    Result.mapError(({ message }) => malformed(message)),
    Result.flatMap((parsed) => Result.map(parse(parsed.text), (checkpoint) => ({ note: parsed, checkpoint })))
  )

const ofNote = ({ reason, message }: NoteRefused) => new CheckpointRefused({ reason, message })

/** The checkpoint of a signed note, if `trust` believes it. */
export const verify = Effect.fnUntraced(function* (text: string, trust: Trust) {
  const { note, checkpoint } = yield* Effect.fromResult(read(text))
  const origins = new Set(trust.keys.map(({ key }) => key.name))
  if (!origins.has(checkpoint.origin)) {
    const message = `a checkpoint of ${checkpoint.origin}, not of ${[...origins].join(" or ") || "a known log"}`
    return yield* new CheckpointRefused({ reason: "origin", message })
  }
  const keys = trust.keys.filter(({ key }) => key.name === checkpoint.origin)
  const signed = yield* Effect.mapError(
    SignedNote.verify(
      note,
      keys.map(({ key }) => key)
    ),
    ofNote
  )
  const signedBy = keys.filter((one) => signed.includes(one.key) && covers(one, checkpoint.size)).map(({ key }) => key)
  if (signedBy.length === 0) {
    const ranges = keys.filter(({ key }) => signed.includes(key)).map((one) => `${one.key.id} for ${rangeText(one)}`)
    const message = `at size ${checkpoint.size} none of its keys speaks for the log: ${ranges.join(", ")}`
    return yield* new CheckpointRefused({ reason: "range", message })
  }
  const policy = trust.witnesses
  const cosignedBy = policy === undefined ? [] : yield* verifyWitnesses(note, policy)
  const trusted: Trusted = { ...checkpoint, note: text, signedBy, cosignedBy }
  return trusted
})

const verifyWitnesses = Effect.fnUntraced(function* (note: SignedNote.Note, policy: WitnessPolicy) {
  const why = Cosignature.whyNoPolicy(policy)
  if (why !== null) throw new RangeError(`no policy of witnesses: ${why}`)
  const cosigned = yield* Effect.mapError(Cosignature.verify(note, policy.witnesses), ofNote)
  if (Cosignature.isMet(policy, cosigned)) return cosigned
  const names = cosigned.map(({ witness }) => witness.name).join(", ") || "none"
  const message = `${policy.needed} of ${policy.witnesses.length} witnesses must have cosigned; these did: ${names}`
  return yield* new CheckpointRefused({ reason: "witnesses", message })
})

/**
 * What a newer look at a log says of an older one.
 * - `same`: same size, same root. `grown`: proved to have grown from it.
 * - `unproven`: larger, and nobody gave a proof. Ask for one.
 * - `forked`: cannot both be of one log: same size with another root, or the proof does not fit. (A proof that was spoilt
 *   on its way does not fit either: ask again before you accuse.)
 * - `rolledBack`: smaller than what was seen. A stale copy if `proof` shows it to be an earlier state of the same log
 *   (`stale`), otherwise entries are gone.
 * - `otherLog`: another origin, which says nothing.
 */
export type Comparison = "same" | "grown" | "unproven" | "forked" | "rolledBack" | "stale" | "otherLog"

/** Compares what is `seen` now with what was `known`. `proof` is between the smaller and the larger of the two. */
export const compare = (known: Checkpoint, seen: Checkpoint, proof?: ReadonlyArray<string>): Comparison => {
  if (known.origin !== seen.origin) return "otherLog"
  if (known.size === seen.size) return known.root === seen.root ? "same" : "forked"
  if (seen.size > known.size) {
    if (proof === undefined && known.size > 0) return "unproven"
    return isConsistent(known, seen, proof ?? []) ? "grown" : "forked"
  }
  if (proof === undefined) return "rolledBack"
  return isConsistent(seen, known, proof) ? "stale" : "forked"
}
