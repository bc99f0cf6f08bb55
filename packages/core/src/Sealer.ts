/**
 * Sealed credentials: what a provider handed out, encrypted before it is stored and bound to its request.
 *
 * AES-256-GCM with a random 96-bit nonce. The associated data binds request id, requester, `notAfter` and key id, so
 * that a ciphertext that was swapped, replayed or cut is refused. Keys rotate by id: the active one seals, all open.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { stringify } from "./Canonical.ts"
import type { PrincipalKey } from "./Principal.ts"
import { keyOf } from "./Principal.ts"
import type { Time } from "./Time.ts"

export interface SealedCredentials {
  readonly keyId: string
  /** Base64. */
  readonly nonce: string
  /** Base64. */
  readonly ciphertext: string
}

export interface SealingContext {
  readonly requestId: string
  readonly requester: PrincipalKey
  readonly notAfter: Time
}

/** The ciphertext does not belong here, was changed, or its key is gone. Never says more. */
export class UnsealError extends Data.TaggedError("UnsealError")<{
  readonly requestId: string
  readonly why: "key_unknown" | "refused"
}> {}

export interface SealingKey {
  readonly id: string
  /** 32 bytes. */
  readonly key: Redacted.Redacted<Uint8Array>
}

export class Sealer extends Context.Service<
  Sealer,
  {
    readonly seal: (
      credentials: Readonly<Record<string, string>>,
      context: SealingContext
    ) => Effect.Effect<SealedCredentials>
    readonly open: (
      sealed: SealedCredentials,
      context: SealingContext
    ) => Effect.Effect<Readonly<Record<string, string>>, UnsealError>
  }
>()("@jitsudo/core/Sealer") {}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(new TextEncoder().encode(text))

const associatedData = (context: SealingContext, keyId: string): Uint8Array<ArrayBuffer> =>
  utf8(
    stringify({
      keyId,
      notAfter: context.notAfter,
      requestId: context.requestId,
      requester: keyOf(context.requester)
    })
  )

const bytes = (base64: string): Uint8Array<ArrayBuffer> | undefined => {
  const decoded = Base64.decode(base64)
  return Result.isSuccess(decoded) ? new Uint8Array(decoded.success) : undefined
}

const importKey = (key: SealingKey) =>
  Effect.promise(() =>
    globalThis.crypto.subtle.importKey("raw", new Uint8Array(Redacted.value(key.key)), "AES-GCM", false, [
      "encrypt",
      "decrypt"
    ])
  )

/** A sealer over these keys. Dies when there is no key, a key is not 32 bytes, or the active id is unknown. */
export const make = Effect.fnUntraced(function* (keys: ReadonlyArray<SealingKey>, activeId: string) {
  for (const key of keys) {
    if (Redacted.value(key.key).byteLength !== 32) {
      return yield* Effect.die(new RangeError(`sealing key ${key.id} must have 32 bytes`))
    }
  }
  const imported = new Map(
    yield* Effect.forEach(keys, (key) => Effect.map(importKey(key), (value) => [key.id, value] as const))
  )
  const active = imported.get(activeId)
  if (active === undefined) return yield* Effect.die(new RangeError(`no sealing key with id ${activeId}`))
  return Sealer.of({
    seal: Effect.fn("Sealer.seal")(function* (credentials, context) {
      const nonce = globalThis.crypto.getRandomValues(new Uint8Array(12))
      const ciphertext = yield* Effect.promise(() =>
        globalThis.crypto.subtle.encrypt(
          { name: "AES-GCM", iv: nonce, additionalData: associatedData(context, activeId) },
          active,
          utf8(JSON.stringify(credentials))
        )
      )
      return {
        keyId: activeId,
        nonce: Base64.encode(nonce),
        ciphertext: Base64.encode(new Uint8Array(ciphertext))
      }
    }),
    open: Effect.fn("Sealer.open")(function* (sealed, context) {
      const refused = new UnsealError({ requestId: context.requestId, why: "refused" })
      const key = imported.get(sealed.keyId)
      if (key === undefined) return yield* new UnsealError({ requestId: context.requestId, why: "key_unknown" })
      const nonce = bytes(sealed.nonce)
      const ciphertext = bytes(sealed.ciphertext)
      if (nonce === undefined || nonce.byteLength !== 12 || ciphertext === undefined) return yield* refused
      const plain = yield* Effect.tryPromise({
        try: () =>
          globalThis.crypto.subtle.decrypt(
            { name: "AES-GCM", iv: nonce, additionalData: associatedData(context, sealed.keyId) },
            key,
            ciphertext
          ),
        catch: () => refused
      })
      const parsed: unknown = JSON.parse(new TextDecoder().decode(plain))
      if (typeof parsed !== "object" || parsed === null) return yield* refused
      // Not by assignment: that would lose a member called `__proto__`.
      return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, String(value)]))
    })
  })
})

export const layer = (keys: ReadonlyArray<SealingKey>, activeId: string): Layer.Layer<Sealer> =>
  Layer.effect(Sealer, make(keys, activeId))

/** A sealer with a key of its own that nobody keeps: what it sealed is lost with the process. */
export const layerMemory: Layer.Layer<Sealer> = Layer.effect(
  Sealer,
  Effect.suspend(() =>
    make([{ id: "memory", key: Redacted.make(globalThis.crypto.getRandomValues(new Uint8Array(32))) }], "memory")
  )
)
