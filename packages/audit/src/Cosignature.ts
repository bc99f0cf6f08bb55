/**
 * Cosignatures of witnesses under a checkpoint, and how many are needed (c2sp.org/tlog-cosignature, Ed25519).
 *
 *     signature = uint64 time || Ed25519( "cosignature/v1\n" "time <time>\n" checkpoint )
 *
 * A witness says that at that time (POSIX seconds) this was the largest tree of the log that it had seen, and that it
 * grew from all that it had seen before. It speaks of origin, size and root, not of extension lines.
 *
 * How many are needed is the auditor's policy: a number of named witnesses. Each counts once, by its key.
 */
import * as Effect from "effect/Effect"
import * as Ed25519 from "./Ed25519.ts"
import type { Note } from "./SignedNote.ts"
import { claimsOf, NoteRefused } from "./SignedNote.ts"
import type { VerifierKey } from "./VerifierKey.ts"
import { cosignatureType } from "./VerifierKey.ts"

export interface Cosigned {
  readonly witness: VerifierKey
  /** POSIX seconds, by the witness's clock. */
  readonly time: number
}

/** `needed` of `witnesses` must have cosigned. */
export interface WitnessPolicy {
  readonly witnesses: ReadonlyArray<VerifierKey>
  readonly needed: number
}

/** Why this is no policy that can be met and means what it says; null when it is one. */
export const whyNoPolicy = ({ needed, witnesses }: WitnessPolicy): string | null => {
  const keys = new Set(witnesses.map(({ publicKey }) => Buffer.from(publicKey).toString("hex")))
  const other = witnesses.find(({ type }) => type !== cosignatureType)
  if (other !== undefined) return `${other.name}+${other.id} is not a witness's key`
  if (keys.size !== witnesses.length) return "one key stands for two witnesses, and would count twice"
  return Number.isSafeInteger(needed) && needed >= 0 && needed <= witnesses.length
    ? null
    : `${needed} of ${witnesses.length} witnesses cannot cosign`
}

/** Whether enough witnesses of the policy are among `cosigned`, each counted once. */
export const isMet = (policy: WitnessPolicy, cosigned: ReadonlyArray<Cosigned>): boolean => {
  const by = new Set(cosigned.map(({ witness }) => `${witness.name}+${witness.id}`))
  return policy.witnesses.filter(({ id, name }) => by.has(`${name}+${id}`)).length >= policy.needed
}

/** What a witness signs: `text` is the checkpoint without its signatures, `time` POSIX seconds. */
export const messageOf = (text: string, time: number): Uint8Array =>
  Buffer.from(`cosignature/v1\ntime ${time}\n${text}`, "utf8")

/** The bytes that stand in the note: the time, and the signature of `messageOf`. */
export const encode = (time: number, signature: Uint8Array): Uint8Array => {
  const bytes = Buffer.alloc(8 + signature.length)
  bytes.writeBigUInt64BE(BigInt(time))
  bytes.set(signature, 8)
  return bytes
}

const timeIn = (bytes: Uint8Array): number => Number(Buffer.from(bytes.subarray(0, 8)).readBigUInt64BE())

/**
 * Which of `witnesses` cosigned the checkpoint in `note`, with the latest time of each.
 *
 * Fails with `NoteRefused` (`signature`) when one of them did not sign what it seems to have signed.
 */
export const verify = Effect.fnUntraced(function* (note: Note, witnesses: ReadonlyArray<VerifierKey>) {
  const cosigned: Array<Cosigned> = []
  for (const witness of witnesses.filter(({ type }) => type === cosignatureType)) {
    let latest: number | undefined
    for (const { bytes } of claimsOf(note, witness)) {
      const time = bytes.length === 72 ? timeIn(bytes) : Number.NaN
      const good =
        Number.isSafeInteger(time) &&
        (yield* Ed25519.verify(witness.publicKey, messageOf(note.text, time), bytes.subarray(8)))
      if (!good) {
        const message = `the cosignature of ${witness.name}+${witness.id} is not one of this checkpoint`
        return yield* new NoteRefused({ reason: "signature", message })
      }
      latest = Math.max(latest ?? 0, time)
    }
    if (latest !== undefined) cosigned.push({ witness, time: latest })
  }
  return cosigned
})
