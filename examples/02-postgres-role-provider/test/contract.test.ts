/** The provider contract on the run's PostgreSQL; each case has a prefix of its own, for logins belong to the server. */
import { type Provider, Time } from "@jitsudo/core"
import { ProviderFaults } from "@jitsudo/core/memory"
import type { ProviderFixture } from "@jitsudo/core/testing"
import { providerSuite } from "@jitsudo/core/testing/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, inject, it } from "vitest"
import * as Logins from "../src/Logins.ts"
import { connect } from "../src/plugin.ts"
import type { PostgresRoleConfig } from "../src/PostgresRoleConfig.ts"
import * as PostgresRoleProvider from "../src/PostgresRoleProvider.ts"
import { freshPrefix, rolesOf, worldOf } from "./World.ts"

const postgres = inject("postgres")

const ask = (role: string): Provider.Ask => ({ role, resourceScope: "main", durationSeconds: 600 })

const make = (url: string) =>
  Effect.gen(function* () {
    const prefix = freshPrefix()
    const { reader, writer } = rolesOf(prefix)
    yield* worldOf(url, prefix)
    const real = Logins.make(yield* Effect.orDie(connect(Redacted.make(url))), prefix)
    const faults = ProviderFaults.make("postgres-role")
    // The edge of the platform: what makes and what removes a login.
    const logins: Logins.Logins = {
      ...real,
      make: (mark, password) => faults.around("grant", real.make(mark, password)),
      remove: (requestId) => faults.around("end", real.remove(requestId))
    }
    const config: PostgresRoleConfig = {
      url: Redacted.make(url),
      scope: "main",
      roles: [reader, writer, `${prefix}missing`],
      login_prefix: prefix,
      max_duration_seconds: 3600
    }
    let now = Date.now()
    const fixture: ProviderFixture = {
      provider: PostgresRoleProvider.make(config, logins),
      asks: [ask(reader), ask(writer)],
      grantee: { issuer: "https://id.example", subject: "ada", email: "ada@example.com" },
      now: Effect.sync(() => Time.make(now)),
      toleranceSeconds: 0,
      // A login lives until it is removed, so that only jitsudo's clock matters.
      advance: (seconds) =>
        Effect.sync(() => {
          now += seconds * 1000
        }),
      live: Effect.map(Effect.orDie(real.all), (marks) =>
        marks.map(({ notAfter, requestId }) => ({ requestId, notAfter: Time.make(notAfter) }))
      ),
      faults: {
        failBefore: (which) => Effect.sync(() => faults.inject(which, { kind: "failBefore" })),
        loseAnswer: (which) => Effect.sync(() => faults.inject(which, { kind: "loseAnswer" })),
        throttle: (which) => Effect.sync(() => faults.inject(which, { kind: "throttle" })),
        hold: (which) => Effect.sync(() => faults.hold(which, "atOnce"))
      },
      hide: null,
      missing: ask(`${prefix}missing`)
    }
    return fixture
  })

if ("unavailable" in postgres) {
  describe("postgres-role keeps the provider contract", () => {
    it(`(${postgres.unavailable})`, ({ skip }) => skip(postgres.unavailable))
  })
} else {
  providerSuite("postgres-role", {
    make: make(postgres.url),
    gaps: { hide: "PostgreSQL shows at once what it did" }
  })
}
