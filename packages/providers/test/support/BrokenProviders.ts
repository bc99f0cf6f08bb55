/** Providers that are wrong on purpose, in ways that only a fault brings to light: the matrix must see each of them. */
import { Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { Mutate } from "./FaultMatrix.ts"

const promising = (failure: Provider.ProviderError): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: failure.provider,
    reason: "ProviderDenied",
    retryable: false,
    effect: "none",
    message: failure.message,
    hint: failure.hint
  })

/** What each leaves: rights that nobody knows of, or requests that are not what they say. */
export interface Broken {
  readonly mutate: Mutate
  readonly leaves: "orphaned" | "lost"
}

export const broken = {
  "forgets to end what it has no reference for": {
    leaves: "orphaned",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        // An attempt whose answer was lost is not tried again: what it left must be ended.
        Effect.mapError(
          sound.grant(request),
          (failure) => new Provider.ProviderError({ ...failureOf(failure), retryable: false })
        ),
      end: (request) => (request.reference === null ? Effect.succeed({ note: null }) : sound.end(request))
    })
  },
  "confirms an ending that failed": {
    leaves: "orphaned",
    mutate: (sound) => ({
      ...sound,
      end: (request) => Effect.catch(sound.end(request), () => Effect.succeed({ note: null }))
    })
  },
  "promises after a lost answer that nothing happened": {
    leaves: "orphaned",
    mutate: (sound) => ({ ...sound, grant: (request) => Effect.mapError(sound.grant(request), promising) })
  },
  "takes a refusal for a grant": {
    leaves: "lost",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.catch(sound.grant(request), () =>
          Effect.succeed({
            issuedAt: request.now,
            notAfter: Time.plusSeconds(request.now, request.canonical.durationSeconds),
            reference: {},
            credentials: {}
          })
        )
    })
  },
  "never ends what it once failed to end": {
    leaves: "lost",
    mutate: (sound) => {
      const failed = new Map<string, Provider.ProviderError>()
      return {
        ...sound,
        end: (request) => {
          const before = failed.get(request.requestId)
          return before === undefined
            ? Effect.tapError(sound.end(request), (failure) =>
                Effect.sync(() => failed.set(request.requestId, failure))
              )
            : Effect.fail(before)
        }
      }
    }
  },
  "ends its neighbours, too, when it tries again": {
    leaves: "lost",
    mutate: (sound) => {
      const tried = new Set<string>()
      return {
        ...sound,
        end: (request) => {
          const again = tried.has(request.requestId)
          tried.add(request.requestId)
          const others = again ? request.neighbours.filter(({ state }) => state === "active") : []
          return Effect.andThen(
            Effect.forEach(others, ({ reference, requestId }) => sound.end({ ...request, requestId, reference })),
            sound.end(request)
          )
        }
      }
    }
  }
} satisfies Readonly<Record<string, Broken>>

const failureOf = ({ effect, hint, message, provider, reason }: Provider.ProviderError) => ({
  effect,
  hint,
  message,
  provider,
  reason
})

export type BrokenName = keyof typeof broken

export const isBroken = (name: string): name is BrokenName => Object.hasOwn(broken, name)
