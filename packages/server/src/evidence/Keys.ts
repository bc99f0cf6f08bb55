/**
 * The log's keys, from the configuration: the one that signs, and those that signed before it.
 *
 * The present key speaks for every size. A previous one speaks for sizes up to one that is said when no instance signs with
 * it any more; until then for all.
 */
import { type LogKey, Signer, VerifierKey } from "@jitsudo/audit"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** A key of the configuration cannot be used. `path` is its place there. */
export class KeysRefused extends Data.TaggedError("KeysRefused")<{ readonly path: string; readonly message: string }> {}

export interface KeyConfig {
  readonly signing_key?: Redacted.Redacted | undefined
  readonly previous_keys: ReadonlyArray<{ readonly key: string; readonly to?: number | undefined }>
}

export interface Keys {
  readonly signer: Signer.Signer
  /** The present key first. */
  readonly all: ReadonlyArray<LogKey.LogKey>
}

/** The keys of the configuration; undefined where nothing signs. */
export const read = Effect.fnUntraced(function* (config: KeyConfig) {
  if (config.signing_key === undefined) return undefined
  const signer = yield* Effect.mapError(
    Signer.parse(config.signing_key),
    ({ message }) => new KeysRefused({ path: "audit.signing_key", message })
  )
  if (signer.key.type !== VerifierKey.noteType) {
    const message = "is a witness's key, which signs no log: make one with `jitsudod audit key generate`"
    return yield* new KeysRefused({ path: "audit.signing_key", message })
  }
  const previous: Array<LogKey.LogKey> = []
  for (const [index, { key, to }] of config.previous_keys.entries()) {
    const path = `audit.previous_keys[${index}].key`
    const parsed = VerifierKey.parse(key)
    if (Result.isFailure(parsed)) return yield* new KeysRefused({ path, message: parsed.failure.message })
    if (parsed.success.type !== VerifierKey.noteType) {
      return yield* new KeysRefused({ path, message: "is a witness's key, which signs no log" })
    }
    previous.push({ key: parsed.success, from: 0, ...(to === undefined ? {} : { to }) })
  }
  const keys: Keys = { signer, all: [{ key: signer.key, from: 0 }, ...previous] }
  return keys
})
