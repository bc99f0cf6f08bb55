/**
 * Token buckets by key, in bounded memory: strangers choose the keys, so they must not be able to fill it.
 *
 * A bucket that nobody touched for a minute is full again and need not be remembered; beyond `most` keys the one that was
 * touched longest ago is forgotten.
 */
export interface TokenBuckets {
  /** Takes one token; 0, or how many milliseconds until there is one. A refused try takes none. */
  readonly take: (key: string, nowMillis: number) => number
  /** How many keys are remembered. */
  readonly size: () => number
}

interface Bucket {
  readonly tokens: number
  readonly at: number
}

const minute = 60_000

export const make = (perMinute: number, most = 50_000): TokenBuckets => {
  const buckets = new Map<string, Bucket>()
  return {
    take: (key, now) => {
      const before = buckets.get(key) ?? { tokens: perMinute, at: now }
      const passed = Math.max(0, now - before.at)
      const tokens = Math.min(perMinute, before.tokens + (passed * perMinute) / minute)
      const taken = tokens >= 1
      buckets.delete(key)
      buckets.set(key, { tokens: taken ? tokens - 1 : tokens, at: now })
      for (const [oldest, bucket] of buckets) {
        if (buckets.size <= most && now - bucket.at < minute) break
        buckets.delete(oldest)
      }
      return taken ? 0 : Math.ceil(((1 - tokens) * minute) / perMinute)
    },
    size: () => buckets.size
  }
}
