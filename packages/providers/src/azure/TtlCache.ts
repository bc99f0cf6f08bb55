/**
 * What was read a moment ago, so that it is not read again for every request: bounded in number and in age.
 *
 * Only what was found is kept: a role or a person that did not exist is looked for again.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

export interface TtlCache<A> {
  /** What is kept under the key, or what `read` finds now. */
  readonly get: <E>(key: string, read: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly size: () => number
}

export const make = <A>(options: { readonly ttlSeconds: number; readonly capacity: number }): TtlCache<A> => {
  const kept = new Map<string, { readonly value: A; readonly until: number }>()
  return {
    get: (key, read) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const found = kept.get(key)
        if (found !== undefined && now < found.until) return found.value
        const value = yield* read
        kept.delete(key)
        // A Map keeps the order of insertion, so the first is the oldest.
        for (const oldest of kept.keys()) {
          if (kept.size < options.capacity) break
          kept.delete(oldest)
        }
        kept.set(key, { value, until: now + options.ttlSeconds * 1000 })
        return value
      }),
    size: () => kept.size
  }
}
