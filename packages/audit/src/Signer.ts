/**
 * What signs: a private key of this process, or anything else that holds one (a KMS) and gives signatures back.
 *
 * 1. A private key comes in redacted, in the form of c2sp.org/signed-note's first implementation
 *    (`PRIVATE+KEY+name+id+base64`), and is never given out again but by `generate`.
 * 2. A signer signs what it is given. That a log never signs two trees of one size is its caller's to keep.
 *
 * Verification cannot reach this module.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Checkpoint from "./Checkpoint.ts"
import * as Cosignature from "./Cosignature.ts"
import * as Ed25519 from "./Ed25519.ts"
import type { Signature } from "./SignedNote.ts"
import * as SignedNote from "./SignedNote.ts"
import { isText } from "./SignedNote.ts"
import { textFor } from "./StrictBase64.ts"
import type { KeyType, VerifierKey } from "./VerifierKey.ts"
import * as Key from "./VerifierKey.ts"

export interface Signer {
  readonly key: VerifierKey
  /** The 64 bytes of an Ed25519 signature over `message`. */
  readonly sign: (message: Uint8Array) => Effect.Effect<Uint8Array, Ed25519.SigningFailed>
}

const prefix = "PRIVATE+KEY+"

const refused = (message: string) => new Key.KeyRefused({ message })

/** The signer of a private key in its text form. */
export const parse = Effect.fnUntraced(function* (text: Redacted.Redacted) {
  const value = Redacted.value(text).trim()
  const parts = value.startsWith(prefix) ? Key.partsOf(value.slice(prefix.length)) : undefined
  if (parts === undefined) return yield* refused(`no private key (${prefix}name+id+base64)`)
  const { name, id, type, key: seed } = parts
  if ((type !== Key.noteType && type !== Key.cosignatureType) || seed.length !== 32) {
    return yield* refused(`the private key of ${name} is none of Ed25519 for notes or cosignatures`)
  }
  const { publicKey, sign } = yield* Ed25519.fromSeed(seed)
  const key = Key.make(name, type, publicKey)
  if (key.id !== id) return yield* refused(`the private key of ${name} has another id than ${id}: copy it again, whole`)
  const failed = () => new Ed25519.SigningFailed({ key: `${name}+${id}`, message: "WebCrypto did not sign" })
  const signer: Signer = {
    key,
    sign: (message) => Effect.tryPromise({ try: () => sign(message), catch: failed })
  }
  return signer
})

/** A new pair in text form. `seed` is 32 random bytes; a name that no key can have is a defect. */
export const generate = Effect.fnUntraced(function* (
  name: string,
  type: KeyType,
  seed: Uint8Array = globalThis.crypto.getRandomValues(new Uint8Array(32))
) {
  if (!Key.isKeyName(name) || seed.length !== 32) {
    throw new RangeError(`no pair for the name ${JSON.stringify(name)} from ${seed.length} bytes`)
  }
  const { publicKey } = yield* Ed25519.fromSeed(seed)
  const key = Key.make(name, type, publicKey)
  const secret = textFor(Buffer.concat([Uint8Array.of(type), seed]))
  return { key, privateKey: Redacted.make(`${prefix}${name}+${key.id}+${secret}`) }
})

/** The signature of a key of type 1 under `text`, which must be the text of a note. */
export const signNote = (text: string, { key, sign }: Signer): Effect.Effect<Signature, Ed25519.SigningFailed> =>
  Effect.suspend(() => {
    if (!isText(text) || key.type !== Key.noteType) throw new RangeError("no text of a note, or no key for notes")
    return Effect.map(sign(Buffer.from(text, "utf8")), (bytes) => ({ name: key.name, id: key.id, bytes }))
  })

/** The cosignature of a witness under `text`, the text of a checkpoint, at `time` in POSIX seconds. */
export const cosign = (
  text: string,
  time: number,
  { key, sign }: Signer
): Effect.Effect<Signature, Ed25519.SigningFailed> =>
  Effect.suspend(() => {
    if (!isText(text) || key.type !== Key.cosignatureType || !Number.isSafeInteger(time) || time < 0) {
      throw new RangeError("no text of a checkpoint, no time, or no key of a witness")
    }
    return Effect.map(sign(Cosignature.messageOf(text, time)), (bytes) => ({
      name: key.name,
      id: key.id,
      bytes: Cosignature.encode(time, bytes)
    }))
  })

/** A checkpoint as a signed note, under the signatures of all of `signers` (two when a key is exchanged). */
export const signCheckpoint = (
  checkpoint: Checkpoint.Checkpoint,
  signers: readonly [Signer, ...ReadonlyArray<Signer>]
): Effect.Effect<string, Ed25519.SigningFailed> =>
  Effect.suspend(() => {
    const text = Checkpoint.encode(checkpoint)
    const other = signers.find(({ key }) => key.name !== checkpoint.origin)
    if (other !== undefined) throw new RangeError(`a key of ${other.key.name} cannot sign for ${checkpoint.origin}`)
    return Effect.map(
      Effect.forEach(signers, (signer) => signNote(text, signer)),
      (signatures) => SignedNote.format({ text, signatures })
    )
  })
