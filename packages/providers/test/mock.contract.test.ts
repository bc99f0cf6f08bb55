import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Time } from "@jitsudo/core"
import type { ProviderFixture } from "@jitsudo/core/testing"
import { providerSuite } from "@jitsudo/core/testing/vitest"
import { make, MockConfig } from "@jitsudo/providers/mock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const fixtureOf = (fields: object): ProviderFixture => {
  const mock = make(Schema.decodeUnknownSync(MockConfig)({ roles: ["reader", "writer"], ...fields }))
  // Ahead of the clock of any machine that runs this: `list` goes by the later of the two.
  let now = Time.make(4_000_000_000_000)
  const ask = (role: string) => ({ role, resourceScope: "demo", durationSeconds: 600 })
  const inject = (kind: "failBefore" | "loseAnswer" | "throttle") => (operation: "grant" | "end") =>
    Effect.sync(() => mock.control.inject(operation, { kind }))
  return {
    provider: mock.provider,
    asks: [ask("reader"), ask("writer")],
    grantee: { issuer: "https://issuer.test", subject: "alice", email: "alice@example.com" },
    now: Effect.sync(() => now),
    toleranceSeconds: 0,
    advance: (seconds) => Effect.sync(() => void (now = Time.plusSeconds(now, seconds))),
    live: Effect.sync(() => mock.live(now)),
    faults: {
      failBefore: inject("failBefore"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: (operation) => Effect.sync(() => mock.control.hold(operation, "atOnce"))
    },
    hide: null,
    missing: ask("nobody-has-this")
  }
}

const gaps = { hide: "the mock shows at once what it holds" }

providerSuite("mock in memory", { make: Effect.sync(() => fixtureOf({})), gaps })

providerSuite("mock in a file", {
  make: Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-mock-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    ),
    (directory) =>
      fixtureOf({ state_file: join(directory, "state.ndjson"), journal_file: join(directory, "journal.ndjson") })
  ),
  gaps
})

providerSuite("mock without native expiry", { make: Effect.sync(() => fixtureOf({ native_expiry: false })), gaps })
