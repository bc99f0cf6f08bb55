/** Ed25519 (RFC 8032) through WebCrypto, keys as their 32 bytes: the seed, and the encoded point. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A private key, or whatever holds one, that did not sign. Never says anything of the key. */
export class SigningFailed extends Data.TaggedError("SigningFailed")<{
  readonly key: string
  readonly message: string
}> {}

const algorithm = "Ed25519"

/** PKCS #8 (RFC 8410, section 7) up to the seed. */
const seedPrefix = Buffer.from("302e020100300506032b657004220420", "hex")

/** Whether this is the signature of `message`. A key or signature of another form has signed nothing. */
export const verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): Effect.Effect<boolean> =>
  Effect.tryPromise(async () => {
    const { subtle } = globalThis.crypto
    const key = await subtle.importKey("raw", Uint8Array.from(publicKey), algorithm, false, ["verify"])
    return await subtle.verify(algorithm, key, Uint8Array.from(signature), Uint8Array.from(message))
  }).pipe(Effect.orElseSucceed(() => false))

/** A signing function and the public key of a seed, which is not kept beside WebCrypto's handle of it. */
export const fromSeed = (seed: Uint8Array) =>
  Effect.promise(async () => {
    const { subtle } = globalThis.crypto
    const pkcs8 = Uint8Array.from([...seedPrefix, ...seed])
    // Only the copy that tells the public key can be exported; it goes out of scope here.
    const open = await subtle.exportKey("jwk", await subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]))
    const key = await subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"])
    const publicKey = Uint8Array.from(Buffer.from(open.x ?? "", "base64url"))
    const sign = (message: Uint8Array): Promise<Uint8Array> =>
      subtle.sign(algorithm, key, Uint8Array.from(message)).then((signature) => new Uint8Array(signature))
    return { publicKey, sign }
  })
