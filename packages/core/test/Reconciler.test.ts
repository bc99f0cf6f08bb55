/** What the provider has and we do not know, and what we think it has: compared, repaired, and never worse for it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import * as Orphans from "../src/Orphans.ts"
import { ProviderError, Providers, type Provider, type ProviderReason } from "../src/Provider.ts"
import { make } from "../src/Providers.ts"
import * as MemoryProvider from "../src/memory/MemoryProvider.ts"
import {
  actionsOf,
  ana,
  ask,
  ben,
  cleo,
  clock,
  engine,
  Faults,
  inWorld,
  log,
  origin,
  pass,
  type Process,
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

/** The provider with a stranger of this installation in its list, until it is ended. */
const withStranger =
  (
    ended: Array<string>,
    installation: string | null,
    endings: () => Effect.Effect<void, ProviderError> = () => Effect.void
  ) =>
  (provider: Provider): Provider => {
    const gone = () => ended.includes(stranger)
    return {
      ...provider,
      list: () =>
        Effect.map(provider.list(), (all) =>
          gone()
            ? all
            : [
                ...all,
                { requestId: stranger, resourceKey: "k", reference: { grant: stranger }, notAfter: null, installation }
              ]
        ),
      inspect: (request) =>
        request.requestId === stranger ? Effect.succeed(gone() ? "ended" : "active") : provider.inspect(request),
      end: (request) =>
        request.requestId === stranger
          ? Effect.map(endings(), () => {
              ended.push(stranger)
              return { note: null }
            })
          : provider.end(request)
    }
  }

/** What the log says of the stranger. */
const linesOfStranger = Effect.map(log, (lines) =>
  lines
    .filter((line) => line.details["orphan"] === stranger)
    .map((line) => [line.action, line.outcome, line.actor.subject])
)

const memory = Effect.gen(function* () {
  const provider = (yield* Providers).get("memory")
  assert.isDefined(provider)
  return provider
})

/** A right at the platform for a request, as a call leaves it that nobody here remembers. */
const forgotten = (requestId: string, installation?: string) =>
  Effect.flatMap(memory, (provider) =>
    provider.grant({
      requestId,
      ...(installation === undefined ? {} : { installation }),
      grantee: { issuer: "https://idp.test", subject: "sub-ana", email: null },
      canonical: { role: "reader", resourceScope: "project/checkout", durationSeconds: 36_000 },
      checked: { role: "reader" },
      reason: "",
      metadata: {},
      now: start,
      neighbours: []
    })
  )

const refused = (reason: ProviderReason) =>
  new ProviderError({ provider: "memory", reason, retryable: true, effect: "none", message: "not now", hint: "" })

const nothing = (provider: string) => ({
  provider,
  listing: false,
  orphans: [],
  unclaimed: [],
  foreign: [],
  removed: []
})

const here = { settings: { installation: "here" } }

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
          const provider = yield* memory
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
    const made = world({ ...here, wrap: withStranger(ended, "here") })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.reconciler.run
        yield* work(process)
        assert.deepStrictEqual(ended, [])
        yield* TestClock.adjust("5 minutes")
        yield* process.reconciler.run
        yield* work(process)
        assert.deepStrictEqual(ended, [stranger])
        assert.deepStrictEqual(yield* linesOfStranger, [
          ["grant.orphan_found", "success", "system"],
          ["grant.taken_back", "success", "system"]
        ])
        yield* process.reconciler.run
        yield* pass(process, 600)
        assert.lengthOf(yield* linesOfStranger, 2)
      })
    )
  })

  it.effect("of a restored backup, whose request is forgotten, is ended by what the list says of it", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* forgotten(stranger, "here")
        const neighbour = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* process.reconciler.run
        yield* pass(process, 310)
        assert.deepStrictEqual(
          made.platform.live(yield* clock).map((one) => one.requestId),
          [neighbour.id]
        )
        assert.deepStrictEqual(made.platform.overlaps(), [])
        assert.strictEqual((yield* stored(neighbour.id)).state, "ACTIVE")
      })
    )
  })

  it.effect("is found and taken back once by two processes that look at the same time", () => {
    const ended: Array<string> = []
    const made = world({ ...here, wrap: withStranger(ended, "here") })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const second = yield* engine()
        for (let minute = 0; minute < 8; minute += 1) {
          yield* Effect.all([process.reconciler.run, second.reconciler.run], { concurrency: "unbounded" })
          yield* Effect.all([work(process), work(second)], { concurrency: "unbounded" })
          yield* TestClock.adjust("1 minute")
        }
        assert.deepStrictEqual(ended, [stranger])
        assert.lengthOf(yield* linesOfStranger, 2)
        assert.lengthOf(
          made.channel.told.filter((one) => one.event === "orphan_found"),
          1
        )
      })
    )
  })

  it.effect("whose taking back is refused is tried until it is confirmed, and needs attention meanwhile", () => {
    const ended: Array<string> = []
    let refusals = 12
    const endings = () =>
      Effect.suspend(() => (refusals-- > 0 ? Effect.fail(refused("ProviderUnavailable")) : Effect.void))
    const made = world({ ...here, wrap: withStranger(ended, "here", endings) })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.reconciler.run
        yield* pass(process, 7200)
        assert.deepStrictEqual(ended, [stranger])
        assert.deepStrictEqual(
          (yield* linesOfStranger).map(([action, outcome]) => [action, outcome]),
          [
            ["grant.orphan_found", "success"],
            ["grant.taken_back", "failure"],
            ["grant.needs_attention", "failure"],
            ["grant.taken_back", "success"]
          ]
        )
        assert.isTrue(made.channel.told.some((one) => one.event === "needs_attention"))
      })
    )
  })

  it.effect("that was only passing leaves no trace", () => {
    const ended: Array<string> = []
    const made = world({ ...here, wrap: withStranger(ended, "here") })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const [difference] = yield* process.reconciler.run
        assert.lengthOf(difference?.orphans ?? [], 1)
        ended.push(stranger)
        yield* pass(process, 600)
        assert.deepStrictEqual(ended, [stranger])
        assert.deepStrictEqual(yield* linesOfStranger, [])
        assert.deepStrictEqual(made.channel.told, [])
      })
    )
  })

  it.effect("may belong to a request that here was never approved: a backup from before that is restored", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const pending = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* forgotten(pending.id, "here")
        yield* process.reconciler.run
        yield* pass(process, 310)
        assert.lengthOf(made.platform.live(yield* clock), 0)
        assert.strictEqual((yield* stored(pending.id)).state, "PENDING")
        assert.deepStrictEqual((yield* actionsOf(pending.id)).slice(-2), ["grant.orphan_found", "grant.taken_back"])
      })
    )
  })

  it.effect("is none any more when its request was granted meanwhile", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("reader", { durationSeconds: 36_000 }), origin)
        assert.strictEqual(asked.state, "ACTIVE")
        const provider = yield* memory
        // Seen a moment before it was granted, as by an instance whose own reads lag behind.
        const [tagged] = yield* provider.list()
        assert.isDefined(tagged)
        yield* process.transitions.commit({
          now: yield* clock,
          records: [],
          jobs: [Orphans.lookJob("memory", tagged, yield* clock)]
        })
        yield* work(process)
        assert.lengthOf(made.platform.live(yield* clock), 1)
        assert.isFalse((yield* actionsOf(asked.id)).includes("grant.orphan_found"))
      })
    )
  })

  it.effect("waits while its provider is not configured", () => {
    const ended: Array<string> = []
    const made = world({ ...here, wrap: withStranger(ended, "here") })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.reconciler.run
        const without = yield* engine().pipe(Effect.provideService(Providers, make([])))
        yield* pass(without, 900)
        assert.deepStrictEqual(ended, [])
        yield* pass(process, 600)
        assert.deepStrictEqual(ended, [stranger])
      })
    )
  })

  it.effect("is not another provider's grant on the same account", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.elevations.request(ana, ask("reader"), origin)
        const same = yield* memory
        const process2 = yield* engine().pipe(
          Effect.provideService(Providers, make([same, { ...same, name: "memory-again" }]))
        )
        const found = yield* process2.reconciler.difference("memory-again")
        assert.deepStrictEqual([found.orphans, found.unclaimed, found.foreign, found.removed], [[], [], [], []])
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
        assert.deepStrictEqual(difference, { ...nothing("memory"), listing: true })
        yield* call.release
        yield* until(() => true)
        yield* work(process)
      })
    )
  })
})

describe("a mark that is not this installation's", () => {
  const days = (process: Process) =>
    Effect.gen(function* () {
      for (let hour = 0; hour < 48; hour += 1) {
        yield* process.reconciler.run
        yield* pass(process, 3600)
      }
    })

  for (const [whose, installation, list] of [
    ["another's", "there", "foreign"],
    ["nobody's", null, "unclaimed"]
  ] as const) {
    it.effect(`${whose} is shown, and never taken back without an operator's word`, () => {
      const ended: Array<string> = []
      const made = world({ ...here, wrap: withStranger(ended, installation) })
      return inWorld(made, (process) =>
        Effect.gen(function* () {
          yield* days(process)
          assert.deepStrictEqual(ended, [])
          assert.deepStrictEqual(yield* linesOfStranger, [])
          const difference = yield* process.reconciler.difference("memory")
          assert.deepStrictEqual(
            difference[list].map((one) => one.requestId),
            [stranger]
          )
          assert.deepStrictEqual(difference.orphans, [])
          const by = yield* process.principals.get(cleo, cleo)
          const word = { by, provider: "memory", requestIds: [stranger, "req_01JNOTTHERE000000000000000"] }
          assert.deepStrictEqual(yield* process.reconciler.takeBack(word), [stranger])
          assert.deepStrictEqual(ended, [stranger])
          assert.deepStrictEqual(yield* linesOfStranger, [
            ["grant.orphan_found", "success", "sub-cleo"],
            ["grant.taken_back", "success", "system"]
          ])
        })
      )
    })
  }

  it.effect("is everybody's while this one has no name", () => {
    const ended: Array<string> = []
    const made = world({ wrap: withStranger(ended, "here") })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* days(process)
        assert.deepStrictEqual(ended, [])
        assert.lengthOf((yield* process.reconciler.difference("memory")).foreign, 1)
      })
    )
  })

  it.effect("is left by every grant", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        yield* process.elevations.request(ana, ask("reader"), origin)
        assert.deepStrictEqual(
          made.platform.grants().map((one) => one.installation),
          ["here"]
        )
      })
    )
  })

  it.effect("an operator's word ends nothing that is live here", () => {
    const made = world(here)
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        const by = yield* process.principals.get(cleo, cleo)
        const word = { by, provider: "memory", requestIds: [active.id] }
        assert.deepStrictEqual(yield* process.reconciler.takeBack(word), [])
        assert.lengthOf(made.platform.live(yield* clock), 1)
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

  it.effect("is seen one by one where the provider cannot list, and nothing else is", () => {
    const made = world({
      wrap: (provider) => ({
        ...provider,
        capabilities: { ...provider.capabilities, listing: false },
        list: () => Effect.succeed([])
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const gone = yield* process.elevations.request(ana, ask("reader"), origin)
        const there = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* TestClock.adjust("5 minutes")
        made.platform.remove(gone.id)
        const [difference] = yield* process.reconciler.run
        assert.deepStrictEqual([difference?.removed, difference?.listing], [[gone.id], false])
        assert.strictEqual((yield* stored(gone.id)).state, "REVOKED")
        assert.strictEqual((yield* stored(there.id)).state, "ACTIVE")
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
        assert.deepStrictEqual(yield* process.reconciler.difference("gone"), nothing("gone"))
      })
    )
  )
})
