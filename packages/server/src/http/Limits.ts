/** Rates, per principal and per address. Counted in this process; the numbers are the operator's. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { Problems } from "@jitsudo/client"
import { RefusedLog } from "./RefusedLog.ts"

export interface LimitSettings {
  readonly perPrincipalPerMinute: number
  readonly perAddressPerMinute: number
  readonly refusedTokensPerMinute: number
}

export class Limits extends Context.Service<
  Limits,
  {
    /** Fails with 429 when the address has made too many calls. */
    readonly address: (address: string) => Effect.Effect<void, Problems.TooMany>
    readonly principal: (identity: string, address: string) => Effect.Effect<void, Problems.TooMany>
    /** Counts a refused token; fails with 429 when the address has sent too many. */
    readonly refusedToken: (address: string) => Effect.Effect<void, Problems.TooMany>
  }
>()("@jitsudo/server/Limits") {}

export const layer = (settings: LimitSettings): Layer.Layer<Limits, never, RefusedLog> =>
  Layer.effect(
    Limits,
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const log = yield* RefusedLog
      const consume = (kind: string, key: string, limit: number, address: string) =>
        limiter
          .consume({ algorithm: "token-bucket", onExceeded: "fail", window: "1 minute", limit, key: `${kind}:${key}` })
          .pipe(
            Effect.asVoid,
            Effect.catchTag("RateLimiterError", (error) => {
              if (error.reason._tag !== "RateLimitExceeded") return Effect.die(error)
              const retryAfterSeconds = Math.max(1, Math.ceil(Duration.toSeconds(error.reason.retryAfter)))
              return Effect.andThen(
                log.refused({ action: "rate.limited", address, reason: kind, issuer: null }),
                Effect.fail(
                  new Problems.TooMany({
                    code: "rate_limited",
                    detail: `more than ${limit} a minute (${kind})`,
                    hint: `try again in ${retryAfterSeconds} s`,
                    retryAfterSeconds
                  })
                )
              )
            })
          )
      return Limits.of({
        address: (address) => consume("address", address, settings.perAddressPerMinute, address),
        principal: (identity, address) => consume("principal", identity, settings.perPrincipalPerMinute, address),
        refusedToken: (address) => consume("refused_token", address, settings.refusedTokensPerMinute, address)
      })
    })
  ).pipe(Layer.provide(RateLimiter.layer), Layer.provide(RateLimiter.layerStoreMemory))
