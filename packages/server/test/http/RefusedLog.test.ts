import { AuditChain, Settings, Transitions } from "@jitsudo/core"
import { MemoryStore } from "@jitsudo/core/memory"
import { setImmediate } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { networkOf } from "../../src/http/Address.ts"
import { entriesPerAddress, entriesPerMinute, layer, RefusedLog } from "../../src/http/RefusedLog.ts"
import * as TokenBuckets from "../../src/http/TokenBuckets.ts"

interface Written {
  readonly action: string
  readonly details: {
    readonly address: string
    readonly count?: number
    readonly reason?: string
    readonly of?: string
  }
}

const written = Effect.gen(function* () {
  const chain = yield* AuditChain.AuditChain
  const entries = yield* Stream.runCollect(chain.stream({}))
  return entries.map((entry): Written => JSON.parse(entry.payload))
})

/** What is written once there are so many entries: hashing them takes turns of the event loop, not time. */
const writtenWhen = (count: number) =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 10_000 && (yield* written).length < count; turn++) {
      yield* Effect.promise(() => setImmediate())
    }
    return yield* written
  })

const refused = (address: string, reason = "signature") =>
  RefusedLog.use((log) => log.refused({ action: "auth.refused", address, reason, issuer: null }))

const times = (n: number, effect: Effect.Effect<void, never, RefusedLog>) =>
  Effect.forEach(Array.from({ length: n }), () => effect, { discard: true })

const run = <A, E>(
  effect: Effect.Effect<A, E, RefusedLog | AuditChain.AuditChain | Transitions.Transitions>
): Promise<A> => {
  const store = Layer.mergeAll(MemoryStore.layer, Settings.layer(), Logger.layer([]))
  const below = Transitions.layer.pipe(Layer.provideMerge(store))
  // The time first: the log looks at the clock every ten seconds from the moment that it is there.
  return Effect.runPromise(
    Effect.andThen(
      TestClock.setTime(Date.parse("2026-01-01T00:00:05Z")),
      Effect.provide(effect, layer.pipe(Layer.provideMerge(below)))
    ).pipe(Effect.provide(TestClock.layer()), Effect.scoped)
  )
}

describe("entries about strangers", () => {
  it("are the first ten of an address and minute, then one with the count when the minute is over", async () => {
    const entries = await run(
      Effect.gen(function* () {
        yield* times(25, refused("192.0.2.1"))
        yield* times(3, refused("192.0.2.2"))
        const during = yield* written
        yield* TestClock.adjust("1 minute")
        return { during, after: yield* writtenWhen(during.length + 1) }
      })
    )
    expect(entries.during.map((entry) => entry.details.address)).toEqual([
      ...Array.from({ length: entriesPerAddress }, () => "192.0.2.1"),
      ...Array.from({ length: 3 }, () => "192.0.2.2")
    ])
    expect(entries.during[0]).toMatchObject({ action: "auth.refused", details: { reason: "signature" } })
    expect(entries.after.slice(entries.during.length)).toMatchObject([
      { action: "auth.refused_many", details: { address: "192.0.2.1", of: "auth.refused", count: 15 } }
    ])
  })

  it("begin anew with each minute, and are counted up when the daemon stops", async () => {
    const entries = await run(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* times(11, refused("192.0.2.1"))
            yield* TestClock.adjust("1 minute")
            yield* times(12, refused("192.0.2.1"))
          }).pipe(Effect.provide(Layer.fresh(layer)))
        )
        return yield* written
      })
    )
    expect(entries.filter((entry) => entry.action === "auth.refused")).toHaveLength(2 * entriesPerAddress)
    expect(entries.flatMap((entry) => entry.details.count ?? [])).toEqual([1, 2])
  })

  it("are bounded for all addresses together, and so is what is remembered of them", async () => {
    const entries = await run(
      Effect.gen(function* () {
        for (let n = 0; n < 3 * entriesPerMinute; n++) yield* refused(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
        yield* TestClock.adjust("1 minute")
        return yield* writtenWhen(entriesPerMinute + 1)
      })
    )
    expect(entries.filter((entry) => entry.action === "auth.refused")).toHaveLength(entriesPerMinute)
    expect(entries.filter((entry) => entry.action === "auth.refused_many")).toMatchObject([
      { details: { address: "*", count: 2 * entriesPerMinute } }
    ])
  })

  it("count all addresses of an IPv6 network as one", async () => {
    const entries = await run(
      Effect.gen(function* () {
        for (let n = 0; n < 30; n++) yield* refused(`2001:db8:1:2::${n.toString(16)}`)
        return yield* written
      })
    )
    expect(entries).toHaveLength(entriesPerAddress)
  })
})

describe("the network of an address", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::1:0:0:1", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["unknown", "unknown"]
  ])("%s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe("a token bucket", () => {
  it("gives as many as it holds, then one after the other, and says how long to wait", () => {
    const buckets = TokenBuckets.make(60)
    for (let n = 0; n < 60; n++) expect(buckets.take("a", 0)).toBe(0)
    expect(buckets.take("a", 0)).toBe(1000)
    expect(buckets.take("a", 400)).toBe(600)
    expect(buckets.take("b", 400)).toBe(0)
    expect(buckets.take("a", 1000)).toBe(0)
    expect(buckets.take("a", 1000)).toBe(1000)
  })

  it("is not refilled by refused tries, and never beyond its size", () => {
    const buckets = TokenBuckets.make(6)
    for (let n = 0; n < 6; n++) buckets.take("a", 0)
    for (let n = 1; n < 100; n++) expect(buckets.take("a", n)).toBeGreaterThan(0)
    for (let n = 0; n < 6; n++) expect(buckets.take("a", 3_600_000)).toBe(0)
    expect(buckets.take("a", 3_600_000)).toBeGreaterThan(0)
  })

  it("survives a clock that goes back", () => {
    const buckets = TokenBuckets.make(1)
    expect(buckets.take("a", 1_000_000)).toBe(0)
    expect(buckets.take("a", 0)).toBeGreaterThan(0)
  })

  it("is forgotten when it is full again, or when there are too many", () => {
    const buckets = TokenBuckets.make(10, 1000)
    for (let n = 0; n < 100_000; n++) buckets.take(`key ${n}`, 0)
    expect(buckets.size()).toBe(1000)
    buckets.take("another", 60_000)
    expect(buckets.size()).toBe(1)
  })
})
