/** Rates and streams, per principal and per address. Counted in this process; the numbers are the operator's. */
import { Problems } from "@jitsudo/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { networkOf } from "./Address.ts"
import { failLater } from "./Failure.ts"
import { RefusedLog } from "./RefusedLog.ts"
import * as TokenBuckets from "./TokenBuckets.ts"

export interface LimitSettings {
  readonly perPrincipalPerMinute: number
  readonly perAddressPerMinute: number
  readonly refusedTokensPerMinute: number
  /** Event streams that one principal may hold open at a time; default 20. */
  readonly streamsPerPrincipal?: number
}

type Limited = Effect.Effect<void, Problems.TooMany, HttpServerRequest>

export class Limits extends Context.Service<
  Limits,
  {
    /** Fails with 429 when the address has made too many calls. */
    readonly address: (address: string) => Limited
    readonly principal: (identity: string, address: string) => Limited
    /** Counts a refused token; fails with 429 when the address has sent too many. */
    readonly refusedToken: (address: string) => Limited
    /** Holds one of the principal's streams until the request is over. */
    readonly stream: (identity: string) => Effect.Effect<void, Problems.TooMany, HttpServerRequest | Scope.Scope>
  }
>()("@jitsudo/server/Limits") {}

const tooMany = (detail: string, retryAfterSeconds: number) =>
  failLater(
    new Problems.TooMany({
      code: "rate_limited",
      detail,
      hint: `try again in ${retryAfterSeconds} s`,
      retryAfterSeconds
    })
  )

export const layer = (settings: LimitSettings): Layer.Layer<Limits, never, RefusedLog> =>
  Layer.effect(
    Limits,
    Effect.gen(function* () {
      const log = yield* RefusedLog
      const mostStreams = settings.streamsPerPrincipal ?? 20
      const streams = new Map<string, number>()

      const rate = (kind: string, perMinute: number) => {
        const buckets = TokenBuckets.make(perMinute)
        return Effect.fnUntraced(function* (key: string, address: string) {
          const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          const waitMillis = buckets.take(key, now)
          if (waitMillis === 0) return
          yield* log.refused({ action: "rate.limited", address, reason: kind, issuer: null })
          return yield* tooMany(`more than ${perMinute} a minute (${kind})`, Math.max(1, Math.ceil(waitMillis / 1000)))
        })
      }
      const perAddress = rate("address", settings.perAddressPerMinute)
      const perPrincipal = rate("principal", settings.perPrincipalPerMinute)
      const refusedTokens = rate("refused_token", settings.refusedTokensPerMinute)

      return Limits.of({
        address: (address) => perAddress(networkOf(address), address),
        principal: perPrincipal,
        refusedToken: (address) => refusedTokens(networkOf(address), address),
        stream: Effect.fnUntraced(function* (identity: string) {
          const open = streams.get(identity) ?? 0
          if (open >= mostStreams) return yield* tooMany(`more than ${mostStreams} event streams at once`, 5)
          streams.set(identity, open + 1)
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              const left = (streams.get(identity) ?? 1) - 1
              if (left > 0) streams.set(identity, left)
              else streams.delete(identity)
            })
          )
        })
      })
    })
  )
