/**
 * A provider written with promises: an in-house door system, the example of what an author writes.
 */
import { defineProvider, Provider, type ProviderDefinition, Providers, refusal, Time } from "@jitsudo/core"
import type { ProviderFixture } from "@jitsudo/core/testing"
import { providerSuite } from "@jitsudo/core/testing/vitest"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

interface Badge {
  readonly requestId: string
  readonly door: string
  readonly issuedAt: Time.Time
  readonly notAfter: Time.Time
  open: boolean
}

/** The door system: it opens for a badge until its time is over, and forgets it when told so. */
const makeDoors = () => {
  const badges = new Map<string, Badge>()
  const doors = ["archive", "laboratory"]
  let now = Time.make(1_800_000_000_000)
  let next: "refuse" | "lose" | "slow_down" | Deferred.Deferred<void> | null = null
  const reached = Deferred.makeUnsafe<void>()

  /** Every call to the doors goes over this line. */
  const overTheLine = async <A>(perform: () => A): Promise<A> => {
    const fault = next
    next = null
    if (fault === "refuse") {
      throw refusal({ reason: "ProviderUnavailable", message: "closed", hint: "wait", retryable: true, effect: "none" })
    }
    if (fault === "slow_down") {
      throw refusal({
        reason: "ProviderThrottled",
        message: "slow down",
        hint: "wait",
        retryable: true,
        effect: "none"
      })
    }
    const answer = perform()
    if (fault === "lose") throw new Error("socket hang up; authorization: Bearer hunter2hunter2")
    if (fault !== null) {
      Effect.runSync(Deferred.succeed(reached, undefined))
      await Effect.runPromise(Deferred.await(fault))
    }
    return answer
  }

  const provider = defineProvider({
    name: "doors",
    capabilities: {
      nativeExpiry: true,
      earlyRevocation: { supported: true, withinSeconds: 1, note: "The door closes; who is inside stays inside." },
      listing: true,
      inspection: true,
      minDurationSeconds: 60,
      maxDurationSeconds: 3600
    },
    parse: (ask) => {
      if (!/^[a-z-]{1,32}$/.test(ask.role)) {
        throw refusal({ reason: "InvalidRole", message: "a door is called in lower case", hint: "see the door list" })
      }
      return {
        ...ask,
        resourceScope: ask.resourceScope.normalize("NFC") === ask.resourceScope ? ask.resourceScope : badScope()
      }
    },
    check: async ({ role }) => {
      if (!doors.includes(role))
        throw refusal({ reason: "RoleNotFound", message: "no such door", hint: "see the door list", effect: "none" })
      return { maxDurationSeconds: 3600, facts: {} }
    },
    grant: ({ requestId, canonical, grantee }) =>
      overTheLine(() => {
        const badge = badges.get(requestId) ?? {
          requestId,
          door: JSON.stringify(["doors", canonical.resourceScope, canonical.role, grantee.issuer, grantee.subject]),
          issuedAt: now,
          notAfter: Time.plusSeconds(now, canonical.durationSeconds),
          open: true
        }
        badges.set(requestId, badge)
        const { issuedAt, notAfter } = badge
        return { issuedAt, notAfter, reference: { badge: requestId }, credentials: { DOOR_BADGE: requestId } }
      }),
    end: ({ requestId, reference }) =>
      overTheLine(() => {
        if (reference !== null && reference["badge"] !== requestId) {
          throw refusal({ reason: "InvalidReference", message: "no badge", hint: "end it without", effect: "none" })
        }
        const badge = badges.get(requestId)
        if (badge !== undefined) badge.open = false
      }),
    inspect: async ({ requestId }) => {
      const badge = badges.get(requestId)
      return badge !== undefined && badge.open && now < badge.notAfter ? "active" : "ended"
    },
    list: async () =>
      live().map(({ requestId, door, notAfter }) => ({
        requestId,
        resourceKey: door,
        reference: { badge: requestId },
        notAfter
      }))
  })

  const live = () => [...badges.values()].filter((badge) => badge.open && now < badge.notAfter)
  const fault = (kind: typeof next) => () => Effect.sync(() => void (next = kind))
  const fixture: ProviderFixture = {
    provider,
    asks: [
      { role: "archive", resourceScope: "Bern", durationSeconds: 600 },
      { role: "laboratory", resourceScope: "Bern", durationSeconds: 600 }
    ],
    grantee: { issuer: "https://issuer.test", subject: "alice", email: null },
    now: Effect.sync(() => now),
    toleranceSeconds: 0,
    advance: (seconds) => Effect.sync(() => void (now = Time.plusSeconds(now, seconds))),
    live: Effect.sync(live),
    faults: {
      failBefore: fault("refuse"),
      loseAnswer: fault("lose"),
      throttle: fault("slow_down"),
      hold: () =>
        Effect.sync(() => {
          const gate = Deferred.makeUnsafe<void>()
          next = gate
          return { reached: Deferred.await(reached), release: Effect.asVoid(Deferred.succeed(gate, undefined)) }
        })
    },
    hide: null,
    missing: { role: "vault", resourceScope: "Bern", durationSeconds: 600 }
  }
  return fixture
}

const badScope = (): never => {
  throw refusal({ reason: "InvalidScope", message: "the site is not in its composed form", hint: "type it again" })
}

providerSuite("a provider made of promises", {
  make: Effect.sync(makeDoors),
  gaps: { hide: "the doors show at once what they hold" }
})

const never = () => new Promise<never>(() => undefined)
const sound: ProviderDefinition = {
  name: "odd",
  capabilities: {
    nativeExpiry: false,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "At once." },
    listing: false,
    inspection: false,
    minDurationSeconds: 1,
    maxDurationSeconds: 60
  },
  grant: never,
  end: async () => "done"
}
const grantee = { issuer: "i", subject: "s", email: null }
const request: Provider.GrantRequest = {
  requestId: "req_1",
  grantee,
  canonical: { role: "r", resourceScope: "s", durationSeconds: 5 },
  checked: {},
  reason: "",
  metadata: {},
  now: Time.make(0),
  neighbours: []
}

describe("defineProvider", () => {
  it.each([
    ["a name that cannot stand in a URL", { name: "Odd One" }, /lower-case/],
    ["a minimum of nothing", { capabilities: { ...sound.capabilities, minDurationSeconds: 0 } }, /minDurationSeconds/],
    ["a maximum below the minimum", { capabilities: { ...sound.capabilities, maxDurationSeconds: 0 } }, /maxDuration/],
    ["listing without `list`", { capabilities: { ...sound.capabilities, listing: true } }, /`list` is needed/],
    [
      "inspection without `inspect`",
      { capabilities: { ...sound.capabilities, inspection: true } },
      /`inspect` is needed/
    ]
  ])("refuses %s", (_, part, complaint) => {
    assert.throws(() => defineProvider({ ...sound, ...part }), complaint)
  })

  it.effect("takes an unknown exception for an unknown outcome, and repeats nothing of its text", () =>
    Effect.gen(function* () {
      const provider = defineProvider({
        ...sound,
        grant: async () => {
          throw Object.assign(new Error("token=hunter2hunter2"), { code: "ECONNRESET" })
        }
      })
      const failure = yield* Effect.flip(provider.grant(request))
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderUnavailable", "unknown", true]
      )
      assert.include(failure.hint, "ECONNRESET")
      assert.notInclude(failure.message + failure.hint, "hunter2")
    })
  )

  it.effect("takes running over the time limit for an unknown outcome", () =>
    Effect.gen(function* () {
      let aborted = false
      const provider = defineProvider({
        ...sound,
        timeoutSeconds: 7,
        grant: (_, signal) => {
          signal.addEventListener("abort", () => void (aborted = true))
          return never()
        }
      })
      const attempt = yield* Effect.forkChild(Effect.flip(provider.grant(request)), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      const failure = yield* Fiber.join(attempt)
      assert.strictEqual(failure.effect, "unknown")
      assert.include(failure.hint, "7 s")
      assert.isTrue(aborted)
    })
  )

  it.effect.each([
    ["no instants", { reference: {}, credentials: {} }],
    ["an end before the beginning", { issuedAt: 5, notAfter: 4, reference: {}, credentials: {} }],
    ["no reference", { issuedAt: 1, notAfter: 2, reference: null, credentials: {} }],
    ["a credential that is no variable", { issuedAt: 1, notAfter: 2, reference: {}, credentials: { "A=B": "x" } }],
    ["a credential with a NUL", { issuedAt: 1, notAfter: 2, reference: {}, credentials: { A: "x\u0000" } }]
  ])("takes an answer with %s for an unknown outcome", ([, answer]) =>
    Effect.gen(function* () {
      const provider = defineProvider({ ...sound, grant: async () => JSON.parse(JSON.stringify(answer)) })
      const failure = yield* Effect.flip(provider.grant(request))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderUnavailable", "unknown"])
    })
  )

  it("never lets a parse change the duration", () => {
    const provider = defineProvider({ ...sound, parse: (ask) => ({ ...ask, durationSeconds: 60 }) })
    assert.throws(() => provider.parse({ role: "r", resourceScope: "s", durationSeconds: 5 }), /duration/)
  })

  it("promises that a refused parse had no effect", () => {
    const provider = defineProvider({
      ...sound,
      parse: () => {
        throw refusal({ reason: "InvalidRole", message: "no", hint: "no" })
      }
    })
    const parsed = provider.parse({ role: "r", resourceScope: "s", durationSeconds: 5 })
    assert.strictEqual(Result.getOrUndefined(Result.flip(parsed))?.effect, "none")
  })

  it.effect("passes the note of an ending on", () =>
    Effect.gen(function* () {
      const provider = defineProvider(sound)
      const ended = yield* provider.end({
        ...request,
        reference: null,
        notAfter: Time.make(1),
        why: "early"
      })
      assert.deepStrictEqual(ended, { note: "done" })
    })
  )
})

describe("the registry", () => {
  it("knows what it was given, by name", () => {
    const provider = defineProvider(sound)
    const registry = Providers.make([provider])
    assert.strictEqual(registry.get("odd"), provider)
    assert.isUndefined(registry.get("mock"))
    assert.deepStrictEqual(registry.names, ["odd"])
  })

  it("refuses two providers of one name, and a name that is none", () => {
    const provider = defineProvider(sound)
    assert.throws(() => Providers.make([provider, provider]), /two providers are called "odd"/)
    assert.throws(() => Providers.make([{ ...provider, name: "../x" }]), /lower-case/)
  })

  it.effect("is a layer", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* Provider.Providers).names, ["odd"])
    }).pipe(Effect.provide(Providers.layerOf([defineProvider(sound)])))
  )
})
