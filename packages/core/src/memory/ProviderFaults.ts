/**
 * Faults on demand at the edge of a platform in memory: before it acts, after it acted, and never answering.
 *
 * 1. A fault is used up by one call of its operation, in the order in which faults were asked for.
 * 2. `failBefore` and `throttle` promise `effect: "none"` and keep the promise. `failAfter` and `loseAnswer` come after
 *    the platform has acted and say `effect: "unknown"`.
 * 3. A held call tells when the platform has it. What was held `onRelease` is performed at the release even when its
 *    caller has gone away, as a request that is still in the network would be.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { ProviderError } from "../Provider.ts"

export type Operation = "check" | "grant" | "end" | "inspect" | "list"

export type Fault =
  /** Refused before anything happened. */
  | { readonly kind: "failBefore"; readonly error?: ProviderError }
  /** Performed, then the platform answers with an error. */
  | { readonly kind: "failAfter" }
  /** Performed, then the connection breaks. */
  | { readonly kind: "loseAnswer" }
  /** Performed, then no answer for ever; ends by interruption only. */
  | { readonly kind: "hang" }
  | { readonly kind: "throttle"; readonly retryAfterSeconds?: number }
  | { readonly kind: "latency"; readonly millis: number }

/** A call that the platform has and does not answer yet. */
export interface Held {
  /** Done when the platform has the call. */
  readonly reached: Effect.Effect<void>
  /** Let it go on. Safe to repeat. */
  readonly release: Effect.Effect<void>
}

interface Hold {
  readonly kind: "hold"
  readonly performs: "atOnce" | "onRelease"
  readonly reached: Deferred.Deferred<void>
  readonly gate: Deferred.Deferred<void>
  late: Effect.Effect<unknown> | null
}

export interface ProviderFaults {
  /** The next call of `operation` that has no fault yet gets this one. */
  readonly inject: (operation: Operation, ...faults: ReadonlyArray<Fault>) => void
  /** The next call of `operation` is performed `atOnce` or `onRelease`, and answers at the release. */
  readonly hold: (operation: Operation, performs: "atOnce" | "onRelease") => Held
  /** Every call takes this long, until it is set again. */
  readonly setLatency: (millis: number) => void
  /** A call of `operation` as the platform performs it, with the faults that are due. */
  readonly around: <A>(
    operation: Operation,
    perform: Effect.Effect<A, ProviderError>
  ) => Effect.Effect<A, ProviderError>
}

const trouble = (provider: string, effect: "none" | "unknown", message: string, hint: string): ProviderError =>
  new ProviderError({ provider, reason: "ProviderUnavailable", retryable: true, effect, message, hint })

/** Faults for the provider called `provider`. */
export const make = (provider: string): ProviderFaults => {
  const queues = new Map<Operation, Array<Fault | Hold>>()
  let latency = 0

  const queueOf = (operation: Operation): Array<Fault | Hold> => {
    const queue = queues.get(operation) ?? []
    queues.set(operation, queue)
    return queue
  }

  const held = <A>(hold: Hold, perform: Effect.Effect<A, ProviderError>): Effect.Effect<A, ProviderError> =>
    Effect.gen(function* () {
      if (hold.performs === "atOnce") {
        const answer = yield* perform
        yield* Deferred.succeed(hold.reached, undefined)
        yield* Deferred.await(hold.gate)
        return answer
      }
      const outcome = yield* Deferred.make<A, ProviderError>()
      hold.late = Deferred.into(perform, outcome)
      yield* Deferred.succeed(hold.reached, undefined)
      return yield* Deferred.await(outcome)
    })

  const under = <A>(
    fault: Fault | Hold | undefined,
    perform: Effect.Effect<A, ProviderError>
  ): Effect.Effect<A, ProviderError> => {
    switch (fault?.kind) {
      case undefined:
        return perform
      case "failBefore":
        return Effect.fail(
          fault.error ??
            trouble(provider, "none", "the platform is not available", "A fault was injected before the call.")
        )
      case "failAfter":
        return Effect.andThen(
          perform,
          Effect.fail(
            trouble(provider, "unknown", "the platform answered with an error", "A fault was injected after the call.")
          )
        )
      case "loseAnswer":
        return Effect.andThen(
          perform,
          Effect.fail(
            trouble(provider, "unknown", "the platform did not answer", "The answer was lost by an injected fault.")
          )
        )
      case "hang":
        return Effect.andThen(perform, Effect.never)
      case "throttle":
        return Effect.fail(
          new ProviderError({
            provider,
            reason: "ProviderThrottled",
            retryable: true,
            effect: "none",
            message: "the platform asks to slow down",
            hint: "A fault was injected before the call.",
            retryAfterSeconds: fault.retryAfterSeconds ?? 1
          })
        )
      case "latency":
        return Effect.andThen(Effect.sleep(fault.millis), perform)
      case "hold":
        return held(fault, perform)
    }
  }

  return {
    inject: (operation, ...faults) => {
      queueOf(operation).push(...faults)
    },
    hold: (operation, performs) => {
      const hold: Hold = {
        kind: "hold",
        performs,
        reached: Deferred.makeUnsafe<void>(),
        gate: Deferred.makeUnsafe<void>(),
        late: null
      }
      queueOf(operation).push(hold)
      return {
        reached: Deferred.await(hold.reached),
        release: Effect.suspend(() => {
          const late = hold.late ?? Effect.void
          hold.late = null
          return Effect.andThen(late, Deferred.succeed(hold.gate, undefined)).pipe(Effect.asVoid)
        })
      }
    },
    setLatency: (millis) => {
      latency = millis
    },
    around: (operation, perform) =>
      Effect.suspend(() => {
        const call = under(queueOf(operation).shift(), perform)
        return latency === 0 ? call : Effect.andThen(Effect.sleep(latency), call)
      })
  }
}
