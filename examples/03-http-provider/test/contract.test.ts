import { type Provider, Time } from "@jitsudo/core"
import type { ProviderFixture } from "@jitsudo/core/testing"
import { providerSuite } from "@jitsudo/core/testing/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { plugin } from "../src/plugin.ts"
import { type BadgeSystem, start, token } from "./BadgeSystem.ts"

const ask = (door: string): Provider.Ask => ({ role: "reader", resourceScope: door, durationSeconds: 600 })

const methods = { grant: "PUT", end: "DELETE" } as const

const fixtureOf = (system: BadgeSystem, provider: Provider.Provider): ProviderFixture => {
  const inject = (fault: "trouble" | "busy" | "lost") => (which: "grant" | "end") =>
    Effect.sync(() => void system.faults[methods[which]].push(fault))
  return {
    provider,
    asks: [ask("cellar"), ask("attic")],
    grantee: { issuer: "https://id.example", subject: "ada", email: "ada@example.com" },
    now: Effect.sync(() => Time.make(system.now())),
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => system.advance(seconds)),
    live: Effect.sync(() => system.open().map(({ id, until }) => ({ requestId: id, notAfter: Time.make(until) }))),
    faults: {
      failBefore: inject("trouble"),
      loseAnswer: inject("lost"),
      throttle: inject("busy"),
      hold: (which) =>
        Effect.sync(() => {
          const arrival = Promise.withResolvers<void>()
          const gate = Promise.withResolvers<void>()
          system.faults[methods[which]].push({ reached: arrival.resolve, gate: gate.promise })
          return { reached: Effect.promise(() => arrival.promise), release: Effect.sync(gate.resolve) }
        })
    },
    hide: null,
    missing: ask("roof")
  }
}

// #region suite
providerSuite("badges", {
  make: Effect.gen(function* () {
    const system = yield* Effect.acquireRelease(Effect.promise(start), ({ close }) => Effect.promise(close))
    // One of them is not there.
    const config = { url: system.url, token: Redacted.make(token), doors: ["cellar", "attic", "roof"] as const }
    return fixtureOf(system, yield* Effect.orDie(plugin.make(config)))
  }),
  gaps: { hide: "the badge system shows at once what it did" }
})
// #endregion suite
