/**
 * Changing a policy that others change too: read, decide, write with the etag that was read.
 *
 * 1. A write with an old etag is refused by Google, so nobody's change is lost; then the policy is read and decided
 *    upon again, after a pause that doubles, with jitter, so that several writers do not meet again.
 * 2. It gives up after a number of tries with the conflict: nothing was written then.
 * 3. It remembers the etag after each own write: a read that shows it is no older than that write.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { GcpCalls } from "./GcpCalls.ts"
import type { Policy } from "./PolicyEdit.ts"

/** Tries, and the pauses between them: 50 ms doubled up to 1 s, each by up to a half more. */
export const mostTries = 8
const firstPauseMillis = 50
const longestPauseMillis = 1000

/** What one round of reading and deciding comes to: an answer, or a policy to write and the answer after it. */
export type Round<A> = { readonly answer: A; readonly write: Policy | null }

export interface PolicyChange {
  readonly change: <A>(
    resource: string,
    decide: (policy: Policy) => Effect.Effect<Round<A>, Provider.ProviderError>
  ) => Effect.Effect<A, Provider.ProviderError>
  /** Whether a policy as read is surely no older than our last write to it. */
  readonly isOurLast: (resource: string, policy: Policy) => boolean
}

export const make = (calls: Pick<GcpCalls, "getPolicy" | "setPolicy">): PolicyChange => {
  const written = new Map<string, string>()
  return {
    change: (resource, decide) =>
      Effect.gen(function* () {
        for (let tried = 1; ; tried += 1) {
          const { answer, write } = yield* Effect.flatMap(calls.getPolicy(resource), decide)
          if (write === null) return answer
          const outcome = yield* calls.setPolicy(resource, write)
          if (typeof outcome === "string") {
            written.set(resource, outcome)
            return answer
          }
          if (tried === mostTries) return yield* outcome.conflict
          const pause = Math.min(firstPauseMillis * 2 ** (tried - 1), longestPauseMillis)
          yield* Effect.sleep(pause * (1 + (yield* Random.next) / 2))
        }
      }),
    isOurLast: (resource, { etag }) => written.get(resource) === etag
  }
}
