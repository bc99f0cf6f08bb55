/**
 * Public keys in their text form (c2sp.org/signed-note): `name+id+key`, for example
 * `log.example.com/audit+3f8a1c02+AcOd...`.
 *
 * The id is the first four bytes of SHA-256 over name, line feed, type and public key, as eight hexadecimal digits; the
 * key is base64 of type and public key. Types: 1 signs notes, 4 cosigns checkpoints (c2sp.org/tlog-cosignature), both
 * Ed25519. Others are refused: nothing here could verify them.
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import { bytesIn, textFor } from "./StrictBase64.ts"
import { sha256Hex } from "./Sha256.ts"

export const noteType = 1
export const cosignatureType = 4
export type KeyType = typeof noteType | typeof cosignatureType

export interface VerifierKey {
  readonly name: string
  /** Eight lower-case hexadecimal digits. */
  readonly id: string
  readonly type: KeyType
  /** 32 bytes. */
  readonly publicKey: Uint8Array
}

/** A text that is no key of the wanted form. Never has the text of a private one. */
export class KeyRefused extends Data.TaggedError("KeyRefused")<{ readonly message: string }> {}

export const typeNames: Readonly<Record<KeyType, string>> = { 1: "a log's key", 4: "a witness's key" }

/** Whether a key can have this name: not empty, no Unicode space, no plus. */
export const isKeyName = (name: string): boolean =>
  name !== "" && name.isWellFormed() && !/[\p{White_Space}\p{Cc}+]/u.test(name)

const isType = (type: number | undefined): type is KeyType => type === noteType || type === cosignatureType

/** The id of a key. */
export const idOf = (name: string, type: KeyType, publicKey: Uint8Array): string =>
  sha256Hex(Buffer.concat([Buffer.from(`${name}\n`, "utf8"), Uint8Array.of(type), publicKey])).slice(0, 8)

export const make = (name: string, type: KeyType, publicKey: Uint8Array): VerifierKey => ({
  name,
  id: idOf(name, type, publicKey),
  type,
  publicKey
})

/** The three parts of `name+id+base64`, whose last may hold plus signs, and its bytes. */
export const partsOf = (text: string) => {
  const [, name, id, key] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text) ?? []
  const bytes = key === undefined ? undefined : bytesIn(key)
  return name === undefined || id === undefined || bytes === undefined || !isKeyName(name)
    ? undefined
    : { name, id, type: bytes[0], key: bytes.subarray(1) }
}

export const parse = (text: string): Result.Result<VerifierKey, KeyRefused> => {
  const parts = partsOf(text)
  if (parts === undefined) {
    const message = `no public key (name+id+base64): ${JSON.stringify(text.slice(0, 100))}`
    return Result.fail(new KeyRefused({ message: text.startsWith("PRIVATE+KEY+") ? privateKey : message }))
  }
  const { name, id, type, key } = parts
  if (!isType(type) || key.length !== 32) {
    return Result.fail(new KeyRefused({ message: `the key of ${name} is none of Ed25519 for notes or cosignatures` }))
  }
  return idOf(name, type, key) === id
    ? Result.succeed({ name, id, type, publicKey: key })
    : Result.fail(new KeyRefused({ message: `the key of ${name} has another id than ${id}: copy it again, whole` }))
}

const privateKey = "a private key stands where a public one must: replace it, and give the public key of the pair"

export const format = ({ name, id, type, publicKey }: VerifierKey): string =>
  `${name}+${id}+${textFor(Buffer.concat([Uint8Array.of(type), publicKey]))}`
