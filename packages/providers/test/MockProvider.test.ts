import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Provider, Time } from "@jitsudo/core"
import { make, MockConfig, plugin, readJournal, readTruth, writeControl } from "@jitsudo/providers/mock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

const config = (fields: object = {}) => Schema.decodeUnknownSync(MockConfig)(fields, { onExcessProperty: "error" })
const now = Time.make(4_000_000_000_000)
const grantee = { issuer: "https://issuer.test", subject: "alice", email: "alice@example.com" }
const canonical = { role: "reader", resourceScope: "here", durationSeconds: 60 }
const grantOf = (requestId: string, at = now): Provider.GrantRequest => ({
  requestId,
  grantee,
  canonical,
  checked: {},
  reason: "because",
  metadata: {},
  now: at,
  neighbours: []
})
const endOf = (requestId: string): Provider.EndRequest => ({
  requestId,
  grantee,
  canonical,
  checked: {},
  reference: null,
  notAfter: Time.plusSeconds(now, 60),
  why: "early",
  now,
  neighbours: []
})

const inDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-mock-"))),
  (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
)

const files = Effect.map(inDirectory, (directory) => ({
  state_file: join(directory, "state.ndjson"),
  journal_file: join(directory, "journal.ndjson"),
  control_file: join(directory, "control.json")
}))

describe("the mock provider", () => {
  it("refuses a configuration key that it does not know", () => {
    assert.throws(() => config({ latency: 3 }), /latency/)
  })

  it("is refused out of its bounds, never cut to them", () => {
    const { provider } = make(config({ max_duration_seconds: 100 }))
    const over = provider.parse({ role: "r", resourceScope: "s", durationSeconds: 101 })
    assert.strictEqual(Result.getOrUndefined(Result.flip(over))?.reason, "DurationOutOfRange")
    assert.isTrue(Result.isSuccess(provider.parse({ role: "r", resourceScope: "s", durationSeconds: 100 })))
  })

  it.effect("keeps its truth in a file that a second process sees", () =>
    Effect.gen(function* () {
      const where = yield* files
      const first = make(config(where))
      const granted = yield* first.provider.grant(grantOf("req_1"))
      const second = make(config(where))
      const again = yield* second.provider.grant(grantOf("req_1", Time.plusSeconds(now, 30)))
      assert.deepStrictEqual(again, granted)
      assert.strictEqual(granted.credentials["MOCK_ACCESS_KEY"], "mock-access-key-req_1")
      yield* second.provider.end(endOf("req_1"))
      assert.deepStrictEqual(first.live(now), [])
      assert.strictEqual(readTruth(where.state_file)[0]?.endedAt, now)
      assert.strictEqual(statSync(where.state_file).mode & 0o777, 0o600)
    })
  )

  it.effect("journals every call without a secret", () =>
    Effect.gen(function* () {
      const where = yield* files
      const mock = make(config(where))
      const granted = yield* mock.provider.grant(grantOf("req_1"))
      mock.control.inject("end", { kind: "failBefore" })
      yield* Effect.flip(mock.provider.end(endOf("req_1")))
      const calls = readJournal(where.journal_file).map(({ operation, phase, requestId }) => [
        operation,
        phase,
        requestId
      ])
      assert.deepStrictEqual(calls, [
        ["grant", "received", "req_1"],
        ["grant", "performed", "req_1"],
        ["grant", "answered", "req_1"],
        ["end", "received", "req_1"],
        ["end", "failed", "req_1"]
      ])
      const token = granted.credentials["MOCK_SESSION_TOKEN"] ?? "missing"
      assert.notInclude(readFileSync(where.journal_file, "utf8"), token)
    })
  )

  it.effect("fails as its control file says, once for all processes", () =>
    Effect.gen(function* () {
      const where = yield* files
      writeControl(where.control_file, {
        faults: [{ id: "lost", operation: "grant", kind: "loseAnswer", times: 1 }]
      })
      const error = yield* Effect.flip(make(config(where)).provider.grant(grantOf("req_1")))
      assert.strictEqual(error.effect, "unknown")
      assert.lengthOf(readTruth(where.state_file), 1)
      yield* make(config(where)).provider.grant(grantOf("req_1"))
    })
  )

  it.live("holds a call while the control file names it", () =>
    Effect.gen(function* () {
      const where = yield* files
      writeControl(where.control_file, {
        faults: [{ id: "held", operation: "grant", kind: "holdBefore", times: 1, requestId: "req_2" }]
      })
      const mock = make(config(where))
      yield* mock.provider.grant(grantOf("req_1"))
      const held = yield* Effect.forkChild(mock.provider.grant(grantOf("req_2")), { startImmediately: true })
      assert.deepStrictEqual(
        mock.live(now).map((grant) => grant.requestId),
        ["req_1"]
      )
      writeControl(where.control_file, {})
      yield* Fiber.join(held)
      assert.lengthOf(mock.live(now), 2)
    })
  )

  it.effect("says what to do about an unreadable control file", () =>
    Effect.gen(function* () {
      const where = yield* files
      const mock = make(config({ ...where, control_file: where.state_file }))
      yield* make(config(where)).provider.grant(grantOf("req_1"))
      const error = yield* Effect.flip(mock.provider.grant(grantOf("req_2")))
      assert.strictEqual(error.effect, "none")
      assert.include(error.hint, "control_file")
    })
  )

  it.effect("lists after a restart what lives, and not what expired meanwhile", () =>
    Effect.gen(function* () {
      const where = yield* files
      const first = make(config(where))
      yield* first.provider.grant(grantOf("req_1"))
      yield* first.provider.grant({
        ...grantOf("req_2"),
        canonical: { ...canonical, durationSeconds: 3600 }
      })
      yield* TestClock.setTime(Time.plusSeconds(now, 61))
      const listed = yield* make(config(where)).provider.list()
      assert.deepStrictEqual(
        listed.map(({ requestId }) => requestId),
        ["req_2"]
      )
    })
  )

  it.effect("shows a grant that took effect after an end", () =>
    Effect.gen(function* () {
      const mock = make(config())
      const late = mock.control.hold("grant", "onRelease")
      const attempt = yield* Effect.forkChild(mock.provider.grant(grantOf("req_1")), { startImmediately: true })
      yield* late.reached
      yield* Fiber.interrupt(attempt)
      yield* mock.provider.end(endOf("req_1"))
      assert.deepStrictEqual(mock.live(now), [])
      yield* late.release
      assert.lengthOf(mock.live(now), 1)
      yield* mock.provider.end(endOf("req_1"))
      assert.deepStrictEqual(mock.live(now), [])
    })
  )

  it.effect("comes into the daemon by its plug-in", () =>
    Effect.gen(function* () {
      const provider = yield* plugin.make(yield* Schema.decodeUnknownEffect(plugin.config)({}))
      assert.strictEqual(provider.name, plugin.name)
    })
  )
})
