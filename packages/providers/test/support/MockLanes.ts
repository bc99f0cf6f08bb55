/** `mock` in memory, in a file that processes share, and without native expiry. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Time } from "@jitsudo/core"
import { make, MockConfig } from "@jitsudo/providers/mock"
import type { ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Lane } from "./Lane.ts"

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

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-mock-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true }))
)

const lane = (name: string, fields: Effect.Effect<object, never, Effect.Services<typeof directory>>): Lane => ({
  name,
  make: Effect.map(fields, (given) => ({ fixture: fixtureOf(given), wire: null })),
  gaps: { hide: "the mock shows at once what it holds" }
})

export const lanes: ReadonlyArray<Lane> = [
  lane("mock in memory", Effect.succeed({})),
  lane(
    "mock in a file",
    Effect.map(directory, (made) => ({
      state_file: join(made, "state.ndjson"),
      journal_file: join(made, "journal.ndjson")
    }))
  ),
  lane("mock without native expiry", Effect.succeed({ native_expiry: false }))
]
