/**
 * The provider in memory as a fixture of the provider contract; a mutant is the same with a wrong provider around it.
 */
import { MemoryProvider } from "@jitsudo/core/memory"
import type { ProviderContract, ProviderFixture } from "@jitsudo/core/testing"
import { type Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"

/** Wraps the sound provider into another one. */
export type Mutate = (sound: Provider.Provider, platform: MemoryProvider.Platform) => Provider.Provider

export const memoryFixture = (mutate: Mutate = (sound) => sound): ProviderContract.Options => ({
  make: Effect.sync((): ProviderFixture => {
    const { provider, platform } = MemoryProvider.make({ roles: ["reader", "writer"] })
    platform.setNow(Time.make(1_800_000_000_000))
    const ask = (role: string): Provider.Ask => ({ role, resourceScope: "here", durationSeconds: 600 })
    return {
      provider: mutate(provider, platform),
      asks: [ask("reader"), ask("writer"), { ...ask("reader"), resourceScope: "there" }],
      grantee: { issuer: "https://issuer.test", subject: "alice", email: "alice@example.com" },
      now: Effect.sync(platform.now),
      toleranceSeconds: 0,
      advance: (seconds) => Effect.sync(() => platform.setNow(Time.plusSeconds(platform.now(), seconds))),
      live: Effect.sync(() => platform.live()),
      faults: {
        failBefore: (operation) => Effect.sync(() => platform.inject(operation, { kind: "failBefore" })),
        loseAnswer: (operation) => Effect.sync(() => platform.inject(operation, { kind: "loseAnswer" })),
        throttle: (operation) => Effect.sync(() => platform.inject(operation, { kind: "throttle" })),
        hold: (operation) => Effect.sync(() => platform.hold(operation, "atOnce"))
      },
      hide: Effect.sync(() => platform.delayVisibility(3)),
      missing: ask("nobody-has-this")
    }
  })
})
