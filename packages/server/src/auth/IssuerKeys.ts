/**
 * One issuer's signing keys, kept current.
 *
 * 1. Keys are used for `keys_ttl`, then read again; a key that the issuer removed stops counting with that reading.
 * 2. While the issuer cannot be reached, the last keys stay in use for at most `keys_max_stale` more.
 * 3. An unknown key id causes a reading only if the last one is `keys_cooldown` ago: a flood of invented key ids costs
 *    the issuer nothing. A failed reading is repeated with growing pauses, never faster.
 * 4. One reading at a time. While it runs, keys that are still usable are used; nobody waits for a slow issuer.
 *
 * Time is the process's own: these are pauses and ages, no instants that anybody else sees.
 */
import { createLocalJWKSet, errors } from "jose"
import type { CryptoKey, JWSHeaderParameters } from "jose"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Config, IssuerConfig } from "../config/Keys.ts"
import { readKeys } from "./Discovery.ts"
import { quoted, TokenRefused } from "./TokenRefused.ts"

export type KeyTimes = Pick<Config["auth"], "keys_ttl" | "keys_cooldown" | "keys_max_stale" | "fetch_timeout">

export interface IssuerStatus {
  readonly issuer: string
  /** Tokens of this issuer can be verified now. */
  readonly ready: boolean
  /** Age of the keys in use; null while there are none. */
  readonly keysAgeSeconds: number | null
  /** Why the last reading failed; null when it did not. For operators. */
  readonly detail: string | null
}

export interface IssuerKeys {
  /** The key that a token's protected header names. */
  readonly find: (header: JWSHeaderParameters) => Effect.Effect<CryptoKey, TokenRefused>
  readonly status: Effect.Effect<IssuerStatus>
}

interface Held {
  readonly find: ReturnType<typeof createLocalJWKSet>
  readonly readAt: number
}

const firstPause = 1000
const longestPause = 30_000

/** Keeps the keys current until the scope closes; never fails, never waits for the issuer. */
export const make = (issuer: IssuerConfig, times: KeyTimes): Effect.Effect<IssuerKeys, never, Scope.Scope> =>
  Effect.gen(function* () {
    const ttl = Duration.toMillis(times.keys_ttl)
    const cooldown = Duration.toMillis(times.keys_cooldown)
    const usableFor = ttl + Duration.toMillis(times.keys_max_stale)
    const reading = yield* Semaphore.make(1)
    let held: Held | null = null
    let attemptedAt = Number.NEGATIVE_INFINITY
    let failures = 0
    let trouble: string | null = null

    const refused = (reason: "unknown_key" | "issuer_unavailable", detail: string) =>
      new TokenRefused({ reason, issuer: issuer.issuer, detail })

    const usable = (now: number): Held | null => (held !== null && now - held.readAt <= usableFor ? held : null)

    /** How long to leave the issuer alone after the last reading, if that failed. */
    const pause = () => (failures === 0 ? 0 : Math.min(longestPause, firstPause * 2 ** Math.min(failures - 1, 10)))

    /** Reads the keys, if that is still called for when its turn has come. */
    const readIf = (isDue: (now: number) => boolean) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        if (!isDue(now)) return
        attemptedAt = now
        const keys = yield* Effect.result(readKeys(issuer, times.fetch_timeout))
        if (keys._tag === "Success") {
          held = { find: createLocalJWKSet(keys.success), readAt: now }
          failures = 0
          trouble = null
          return
        }
        failures += 1
        const { detail } = keys.failure
        if (trouble !== detail) {
          yield* Effect.logWarning("the issuer's signing keys cannot be read").pipe(
            Effect.annotateLogs({ issuer: issuer.issuer, detail })
          )
        }
        trouble = detail
      })

    const isFresh = (now: number) => held !== null && now - held.readAt <= ttl

    /** The keys, brought up to date when they are due, without waiting for a reading that others began. */
    const current = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      if (isFresh(now)) return held
      const renew = readIf((then) => !isFresh(then) && then - attemptedAt >= pause())
      if (usable(now) === null) yield* reading.withPermits(1)(renew)
      else yield* reading.withPermitsIfAvailable(1)(renew)
      return usable(yield* Clock.currentTimeMillis)
    })

    const lookUp = (keys: Held, header: JWSHeaderParameters) =>
      Effect.tryPromise({
        try: () => keys.find(header),
        catch: (error) =>
          error instanceof errors.JWKSMultipleMatchingKeys
            ? // OpenID Connect Core, section 10.1: with several keys in the set, a token must name one.
              refused("unknown_key", "the token names no key id, and the issuer has several keys")
            : error instanceof errors.JWKSNoMatchingKey
              ? refused("unknown_key", `the issuer has no key ${quoted(header.kid)} for ${quoted(header.alg)}`)
              : refused("unknown_key", "the issuer's key cannot be used")
      })

    const find = Effect.fn("IssuerKeys.find")(function* (header: JWSHeaderParameters) {
      const keys = yield* current
      if (keys === null) return yield* refused("issuer_unavailable", trouble ?? "its keys were never read")
      return yield* lookUp(keys, header).pipe(
        Effect.catch((refusal) =>
          Effect.gen(function* () {
            yield* reading.withPermits(1)(
              readIf((now) => held === keys && now - attemptedAt >= Math.max(cooldown, pause()))
            )
            const renewed = usable(yield* Clock.currentTimeMillis)
            return renewed === null || renewed === keys ? yield* refusal : yield* lookUp(renewed, header)
          })
        )
      )
    })

    // Reads ahead of the tokens: the first one of the day need not wait, and `ready` becomes true by itself.
    yield* Effect.forkScoped(
      Effect.gen(function* () {
        yield* current
        yield* Effect.sleep(Duration.millis(failures === 0 ? ttl + 1 : pause()))
      }).pipe(Effect.forever)
    )

    const status = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      return {
        issuer: issuer.issuer,
        ready: usable(now) !== null,
        keysAgeSeconds: held === null ? null : Math.floor((now - held.readAt) / 1000),
        detail: trouble
      }
    })

    return { find, status }
  })
