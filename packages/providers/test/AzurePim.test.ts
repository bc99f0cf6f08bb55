/**
 * The provider `azure` with Privileged Identity Management: ends that Azure keeps, requests that take their time, and
 * what PIM refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { Mark } from "@jitsudo/providers/azure"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { canonical, idOf, living, nowOf, only, operations, rbac, withPim } from "./support/AzureDesk.ts"

describe("with PIM", () => {
  it.live("Azure ends it by itself, with no call of ours", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* withPim()
      assert.isTrue(provider.capabilities.nativeExpiry)
      const granted = yield* desk.grant(1)
      const made = only(wire)
      assert.strictEqual(made.schedule.end, granted.notAfter)
      const [asked] = wire.scheduleRequests()
      assert.deepStrictEqual(
        [asked?.requestType, asked?.name, asked?.ticketInfo],
        ["AdminAssign", Mark.guidOf(idOf(1)), { ticketSystem: "jitsudo", ticketNumber: idOf(1) }]
      )
      wire.advance(1810)
      assert.deepStrictEqual(wire.assignments(), [])
      const notAfter = nowOf(wire)
      yield* desk.end(1, { why: "expired", notAfter })
      const writes = operations(wire).filter((operation) => operation.endsWith("/write"))
      assert.strictEqual(writes.length, 1)
    })
  )

  it.live("overlapping requests move the end to the latest of those that are left", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim()
      const short = yield* desk.grant(1)
      const long = yield* desk.grant(2, { canonical: { ...canonical, durationSeconds: 3600 } })
      assert.strictEqual(only(wire).schedule.end, long.notAfter)
      yield* desk.end(2)
      assert.strictEqual(only(wire).schedule.end, short.notAfter)
      assert.deepStrictEqual(living(wire), [idOf(1)])
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
      assert.deepStrictEqual(
        wire.scheduleRequests().map(({ requestType }) => requestType),
        ["AdminAssign", "AdminUpdate", "AdminUpdate", "AdminRemove"]
      )
    })
  )

  it.live("the end of one who outlives another by seconds asks PIM for nothing that it refuses", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim()
      yield* desk.grant(1)
      yield* desk.grant(2, { canonical: { ...canonical, durationSeconds: 3600 } })
      wire.advance(1700)
      yield* desk.end(2)
      assert.deepStrictEqual(living(wire), [idOf(1)])
      wire.advance(101)
      // Azure would let it live for minutes more: the engine's ending at its time takes it away.
      yield* desk.end(1, { why: "expired" })
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("a request that takes its time is followed until it was carried out", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim({ pendingCalls: 2 })
      const granted = yield* desk.grant(1)
      assert.deepStrictEqual(living(wire), [idOf(1)])
      assert.strictEqual(granted.reference["assignment"], only(wire).schedule.name)
    })
  )

  it.effect("a request that takes too long is an unknown outcome, and a repeat goes on with it", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim({ pendingCalls: 3 }, { settle_seconds: 5 })
      const read = `${rbac}/roleAssignmentScheduleRequests/read`
      // The look before the request goes through; the one that follows it hangs.
      wire.inject(read, { kind: "latency", millis: 0 })
      const held = wire.hold(read)
      const attempt = yield* Effect.forkChild(Effect.flip(desk.grant(1)), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      yield* TestClock.adjust("6 seconds")
      const failure = yield* Fiber.join(attempt)
      held.release()
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderUnavailable", "unknown", true]
      )
      assert.include(failure.hint, "settle_seconds")
      yield* TestClock.withLive(desk.grant(1))
      assert.strictEqual(wire.scheduleRequests().length, 1)
      assert.deepStrictEqual(living(wire), [idOf(1)])
    })
  )

  it.live("a request that is still under way is not taken for one that never was", () =>
    Effect.gen(function* () {
      // Accepted, and neither carried out nor refused yet.
      const { desk, wire } = yield* withPim({ pendingCalls: 8, nextFails: "Failed" })
      const read = `${rbac}/roleAssignmentScheduleRequests/read`
      wire.inject(read, { kind: "latency", millis: 0 })
      const held = wire.hold(read)
      const attempt = yield* Effect.forkChild(desk.grant(1), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      yield* Effect.forkChild(Fiber.interrupt(attempt), { startImmediately: true })
      held.release()
      yield* Fiber.await(attempt)
      const failure = yield* Effect.flip(desk.end(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderConflict", "none", true])
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("what PIM does not carry out is refused, and nothing is left", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim({ nextFails: "Failed" })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderDenied", "none", false])
      assert.deepStrictEqual(wire.assignments(), [])
      // The name of the request is spent: a repeat says so instead of waiting for ever.
      const again = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([again.reason, again.retryable], ["ProviderConflict", false])
      yield* desk.end(1)
    })
  )

  it.live("what is younger than five minutes and PIM keeps is tried again when they are over", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim({ keepsFiveMinutes: true })
      yield* desk.grant(1)
      const failure = yield* Effect.flip(desk.end(1))
      assert.deepStrictEqual(
        [failure.reason, failure.retryable, failure.retryAfterSeconds],
        ["ProviderConflict", true, 60]
      )
      assert.deepStrictEqual(living(wire), [idOf(1)])
      wire.advance(301)
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("a role whose settings allow less ends in DurationOutOfRange, and a tenant without licence is told", () =>
    Effect.gen(function* () {
      const short = yield* withPim({ longestSeconds: 900 })
      const failure = yield* Effect.flip(short.desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["DurationOutOfRange", "none", false])
      const poor = yield* withPim({ licensed: false })
      const refused = yield* Effect.flip(poor.desk.grant(1))
      assert.deepStrictEqual([refused.reason, refused.effect], ["ProviderDenied", "none"])
      assert.include(refused.hint, "Entra ID P2")
    })
  )

  it.live("a lost answer is found again under the request's name", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* withPim()
      wire.inject(`${rbac}/roleAssignmentScheduleRequests/write`, { kind: "loseAnswer" })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderUnavailable", "unknown"])
      yield* desk.grant(1)
      assert.strictEqual(wire.scheduleRequests().length, 1)
      assert.deepStrictEqual(living(wire), [idOf(1)])
    })
  )
})
