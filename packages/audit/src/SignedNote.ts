/**
 * Text signed by one or more keys (c2sp.org/signed-note).
 *
 *     text, one or more lines
 *     (an empty line)
 *     — name base64(key id || signature)
 *
 * 1. Text says nothing until `verify` found it signed by a key that the caller knows.
 * 2. Signatures of unknown keys are passed over: witnesses and later keys may sign the same note.
 * 3. A signature under a known name and id that does not verify spoils the whole note.
 * 4. Read strictly: what is not the one form of a note is refused, so that the bytes of a note are evidence too.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Ed25519 from "./Ed25519.ts"
import { bytesIn, textFor } from "./StrictBase64.ts"
import type { VerifierKey } from "./VerifierKey.ts"
import { isKeyName, noteType } from "./VerifierKey.ts"

export interface Signature {
  readonly name: string
  /** Of the key: eight hexadecimal digits. */
  readonly id: string
  /** What follows the id. 64 bytes for keys of type 1, 72 for those of type 4. */
  readonly bytes: Uint8Array
}

export interface Note {
  /** Ends with a line feed. */
  readonly text: string
  readonly signatures: ReadonlyArray<Signature>
}

/** Why a note is worth nothing. */
export class NoteRefused extends Data.TaggedError("NoteRefused")<{
  /** `malformed`: no note. `signature`: a known key did not sign this text. `unsigned`: no known key signed it. */
  readonly reason: "malformed" | "signature" | "unsigned"
  readonly message: string
}> {}

/** More than any checkpoint with its witnesses. */
const longest = 1_000_000
const mostSignatures = 100

const dash = "\u2014"
const utf8 = new TextEncoder()

const malformed = (message: string): NoteRefused => new NoteRefused({ reason: "malformed", message })

const signatureOf = (line: string): Signature | undefined => {
  const [mark, name, encoded, ...rest] = line.split(" ")
  if (mark !== dash || name === undefined || encoded === undefined || rest.length > 0) return undefined
  const bytes = bytesIn(encoded)
  if (!isKeyName(name) || bytes === undefined || bytes.length < 5) return undefined
  return { name, id: Buffer.from(bytes.subarray(0, 4)).toString("hex"), bytes: bytes.subarray(4) }
}

/** Whether this can be the text of a note: lines, well-formed, no control characters. */
export const isText = (text: string): boolean =>
  text.endsWith("\n") && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/u.test(text)

/** Signature lines as they stand in a note, or as a witness answers them: at least one, each ended by a line feed. */
export const parseSignatures = (text: string): Result.Result<ReadonlyArray<Signature>, NoteRefused> => {
  if (text.length > longest || !text.endsWith("\n")) return Result.fail(malformed("no signature lines"))
  const lines = text.slice(0, -1).split("\n")
  if (lines.length > mostSignatures) return Result.fail(malformed(`more than ${mostSignatures} signatures`))
  const signatures: Array<Signature> = []
  for (const line of lines) {
    const signature = signatureOf(line)
    if (signature === undefined) {
      return Result.fail(malformed(`no signature line (${dash} name base64): ${JSON.stringify(line.slice(0, 100))}`))
    }
    signatures.push(signature)
  }
  return Result.succeed(signatures)
}

export const parse = (note: string): Result.Result<Note, NoteRefused> => {
  if (note.length > longest || !isText(note)) {
    return Result.fail(malformed("a signed note is lines of text, each ended by a line feed"))
  }
  const end = note.lastIndexOf("\n\n")
  if (end === -1) return Result.fail(malformed("a signed note has an empty line before its signatures"))
  return Result.map(parseSignatures(note.slice(end + 2)), (signatures) => ({
    text: note.slice(0, end + 1),
    signatures
  }))
}

const lineOf = ({ name, id, bytes }: Signature): string =>
  `${dash} ${name} ${textFor(Buffer.concat([Buffer.from(id, "hex"), bytes]))}\n`

/** A note as it is written. `text` must be one (`isText`), with a signature at least. */
export const format = ({ text, signatures }: Note): string => {
  if (!isText(text) || signatures.length === 0) throw new RangeError("no text of a note, or no signature")
  return `${text}\n${signatures.map(lineOf).join("")}`
}

/** `note` with one more signature behind those that it has; the same one is not put there twice. */
export const withSignature = (note: Note, signature: Signature): Note =>
  note.signatures.some((one) => lineOf(one) === lineOf(signature))
    ? note
    : { ...note, signatures: [...note.signatures, signature] }

/** The signatures of `note` that claim to be of `key`. */
export const claimsOf = ({ signatures }: Note, key: VerifierKey): ReadonlyArray<Signature> =>
  signatures.filter(({ name, id }) => name === key.name && id === key.id)

/**
 * Which of `keys` signed `note`, at least one. Keys of other types than notes' are passed over.
 *
 * Fails with `NoteRefused`: `signature` when one of them did not sign what it seems to have signed, `unsigned` when none
 * is there.
 */
export const verify = Effect.fnUntraced(function* (note: Note, keys: ReadonlyArray<VerifierKey>) {
  const message = utf8.encode(note.text)
  const signed: Array<VerifierKey> = []
  for (const key of keys.filter(({ type }) => type === noteType)) {
    const claims = claimsOf(note, key)
    for (const { bytes } of claims) {
      if (yield* Ed25519.verify(key.publicKey, message, bytes)) continue
      const text = `the signature of ${key.name}+${key.id} is not one of this text: one of them was changed`
      return yield* new NoteRefused({ reason: "signature", message: text })
    }
    if (claims.length > 0) signed.push(key)
  }
  if (signed.length > 0) return signed
  const names = note.signatures.map(({ name, id }) => `${name}+${id}`).join(", ")
  const known = keys.map(({ name, id }) => `${name}+${id}`).join(", ")
  return yield* new NoteRefused({ reason: "unsigned", message: `signed by ${names}, not by ${known || "a known key"}` })
})
