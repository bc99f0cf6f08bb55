/** What the provider has and we do not know, and what we think it has: compared, repaired, and never worse for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { ProviderError, Providers, type Provider } from "../src/Provider.ts"
import { make } from "../src/Providers.ts"
import * as MemoryProvider from "../src/memory/MemoryProvider.ts"
import {
  actionsOf,
  ana,
  ask,
  ben,
  clock,
  engine,
  Faults,
  inWorld,
  log,
  origin,
  pass,
  refusalOf,
  signedIn,
  start,
  stored,
  until,
  work,
  world
} from "./support/EngineWorld.ts"

/** Something with our mark that no request here knows. */
const stranger = "req_01JUNKNOWN0000000000000000"

const withStranger =
  (ended: Array<string>) =>
  (provider: Provider): Provider => ({
    ...provider,
    list: () =>
      Effect.map(provider.list(), (all) =>
        ended.includes(stranger)
          ? all
          : [...all, { requestId: stranger, resourceKey: "k", reference: { grant: stranger }, notAfter: null }]
      ),
    end: (request) =>
      request.requestId === stranger
        ? Effect.sync(() => {
            ended.push(stranger)
            return { note: null }
          })
        : provider.end(request)
  })

describe("an orphan", () => {
  it.effect(
    "of a request that is over is taken back after the grace period, by a job, with an entry and an alert",
    () => {
      const made = world()
      return inWorld(made, (process) =>
        Effect.gen(function* () {
          const active = yield* process.elevations.request(ana, ask("reader"), origin)
          yield* process.elevations.revoke(ana, active.id, "done")
          // It comes to life once more, as the late effect of a lost call would.
          const provider = (yield* Providers).get("memory")
          assert.isDefined(provider)
          yield* provider.grant({
            requestId: active.id,
            grantee: active.requester,
            canonical: {
              role: active.asked.role,
              resourceScope: active.asked.resourceScope,
              durationSeconds: active.asked.durationSeconds
            },
            checked: active.checked,
            reason: "",
            metadata: {},
            now: start,
            neighbours: []
          })
          assert.strictEqual(made.platform.live(yield* clock).length, 1)
          const [difference] = yield* process.reconciler.run
          assert.deepStrictEqual(
            difference?.orphans.map((one) => one.requestId),
            [active.id]
          )
          yield* work(process)
          assert.strictEqual(made.platform.live(yield* clock).length, 1, "taken back before the grace period")
          yield* TestClock.adjust("5 minutes")
          yield* process.reconciler.run
          yield* work(process)
          assert.strictEqual(made.platform.live(yield* clock).length, 0)
          assert.deepStrictEqual((yield* actionsOf(active.id)).slice(-2), ["grant.orphan_found", "grant.closed"])
          assert.isTrue(made.channel.told.some((one) => one.event === "orphan_found"))
          const [after] = yield* process.reconciler.run
          assert.deepStrictEqual(after?.orphans, [])
          assert.strictEqual((yield* stored(active.id)).state, "REVOKED")
          assert.deepStrictEqual(made.platform.overlaps(), [])
        })
      )
    }
  )

  it.effect("that no request here knows is taken back as well, and both entries say so", () => {
    const ended: Array<string> = []
    const made = world({ wrap: withStranger(ended) })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.reconciler.run
        assert.deepStrictEqual(ended, [])
        yield* TestClock.adjust("5 minutes")
        yield* process.reconciler.run
        assert.deepStrictEqual(ended, [stranger])
        const lines = (yield* log).filter((line) => line.details["orphan"] === stranger)
        assert.deepStrictEqual(
          lines.map((line) => [line.action, line.outcome]),
          [
            ["grant.orphan_found", "success"],
            ["grant.taken_back", "success"]
          ]
        )
      })
    )
  })

  it.effect("is not what is being granted at this moment", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const call = made.platform.hold("grant", "atOnce")
        yield* Effect.forkChild(process.elevations.approve(ben, asked.id, { comment: "", digest: asked.digest }), {
          startImmediately: true
        })
        yield* call.reached
        const difference = yield* process.reconciler.difference("memory")
        assert.deepStrictEqual(difference, { provider: "memory", orphans: [], removed: [] })
        yield* call.release
        yield* until(() => true)
        yield* work(process)
      })
    )
  })
})

describe("a grant that was removed behind our back", () => {
  it.effect("is reported and ended, once it was there long enough to be seen", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        made.platform.remove(active.id)
        yield* process.reconciler.run
        assert.strictEqual((yield* stored(active.id)).state, "ACTIVE")
        yield* TestClock.adjust("5 minutes")
        const [difference] = yield* process.reconciler.run
        assert.deepStrictEqual(difference?.removed, [active.id])
        const after = yield* stored(active.id)
        assert.deepStrictEqual([after.state, after.ending?.why], ["REVOKED", "removed"])
        assert.isTrue((yield* actionsOf(active.id)).includes("grant.removed_externally"))
        yield* work(process)
        assert.isTrue(made.channel.told.some((one) => one.event === "removed_externally"))
      })
    )
  })

  it.effect("is not one that the list does not show yet", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        made.platform.delayVisibility(5)
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* TestClock.adjust("10 minutes")
        yield* process.reconciler.run
        assert.strictEqual((yield* stored(active.id)).state, "ACTIVE")
        assert.strictEqual(made.platform.live(yield* clock).length, 1)
      })
    )
  })

  it.effect("is not one whose time is over: that expires", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* TestClock.adjust("1 hour")
        made.platform.setNow(yield* clock)
        yield* process.reconciler.run
        assert.strictEqual((yield* stored(active.id)).state, "ACTIVE")
        yield* work(process)
        assert.strictEqual((yield* stored(active.id)).state, "EXPIRED")
      })
    )
  })
})

describe("reconciliation", () => {
  it.effect("of one provider that fails, breaks or hangs keeps no other from being compared", () => {
    const made = world()
    const other = MemoryProvider.make({ name: "other" })
    let mode: "fails" | "breaks" | "hangs" = "fails"
    let asked = 0
    const trouble: Provider = {
      ...MemoryProvider.make({ name: "aaa" }).provider,
      list: () =>
        Effect.suspend(() => {
          asked += 1
          if (mode === "hangs") return Effect.never
          return mode === "breaks"
            ? Effect.die(new TypeError("a bug"))
            : Effect.fail(
                new ProviderError({
                  provider: "aaa",
                  reason: "ProviderUnavailable",
                  retryable: true,
                  effect: "none",
                  message: "down",
                  hint: ""
                })
              )
        })
    }
    return inWorld(made, () =>
      Effect.gen(function* () {
        const process = yield* engine().pipe(Effect.provideService(Providers, make([trouble, other.provider])))
        const seen = () => other.platform.journal().filter((call) => call.operation === "list").length
        for (const [index, next] of (["fails", "breaks", "hangs"] as const).entries()) {
          mode = next
          const running = yield* Effect.forkChild(refusalOf(process.reconciler.run), { startImmediately: true })
          yield* until(() => asked > index)
          if (mode === "hangs") yield* TestClock.adjust("30 seconds")
          yield* until(() => running.pollUnsafe() !== undefined)
          assert.strictEqual(seen(), index + 1)
        }
      })
    )
  })

  it.effect("looks again at what waits for a sign-in whose own look was lost", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const faults = yield* Faults
        yield* TestClock.adjust("2 hours")
        const waiting = yield* process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(waiting.state, "PENDING")
        yield* faults.next("requests", "failBefore")
        yield* signedIn(process, [ana])
        assert.strictEqual((yield* stored(waiting.id)).state, "PENDING")
        yield* process.reconciler.run
        assert.strictEqual((yield* stored(waiting.id)).state, "ACTIVE")
      })
    )
  })

  it.effect("may run in two processes at once", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        made.platform.remove(active.id)
        yield* TestClock.adjust("6 minutes")
        const second = yield* engine()
        yield* Effect.all([process.reconciler.run, second.reconciler.run], { concurrency: "unbounded" })
        yield* pass(process, 300)
        const actions = yield* actionsOf(active.id)
        assert.strictEqual(actions.filter((action) => action === "grant.revoked").length, 1)
        assert.strictEqual(actions.filter((action) => action === "grant.removed_externally").length, 1)
        assert.deepStrictEqual(made.platform.overlaps(), [])
      })
    )
  })

  it.effect("of a provider that is not configured finds nothing", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* process.reconciler.difference("gone"), {
          provider: "gone",
          orphans: [],
          removed: []
        })
      })
    )
  )
})
