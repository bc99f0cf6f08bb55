/** Who is known, what changes them, and who may: sign-ins, trust, owners, locks. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import { operator, system } from "../src/Principal.ts"
import type { SignIn } from "../src/Principals.ts"
import type { LockTarget } from "../src/Lock.ts"
import * as Times from "../src/Time.ts"
import {
  ana,
  ask,
  amy,
  ben,
  carl,
  cleo,
  dave,
  inWorld,
  log,
  olga,
  origin,
  refusalOf,
  scout,
  start,
  Store,
  stray,
  until,
  world
} from "./support/EngineWorld.ts"

const later = Times.plusSeconds(start, 60)

describe("a sign-in", () => {
  it.effect("that says the same again is bookkeeping: no new version, no entry", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const before = yield* process.principals.get(ana, ana)
        const entries = (yield* log).length
        yield* TestClock.adjust("2 minutes")
        const after = yield* process.principals.signIn({ ...ana, groups: ["sre", "sre"], groupsReadAt: later })
        assert.strictEqual(after.version, before.version)
        assert.strictEqual((yield* process.principals.get(ana, ana)).groupsReadAt, later)
        assert.strictEqual((yield* log).length, entries)
      })
    )
  )

  for (const [name, change] of [
    ["groups", { groups: ["other"] }],
    ["an address", { email: "ana.new@example.test" }],
    ["no address", { email: null }]
  ] as const) {
    it.effect(`that brings ${name} raises the version, with both sides in the entry`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          const before = yield* process.principals.get(ana, ana)
          const after = yield* process.principals.signIn({ ...ana, ...change })
          assert.strictEqual(after.version, before.version + 1)
          const line = (yield* log).at(-1)
          assert.strictEqual(line?.action, "principal.changed")
          assert.isDefined(line?.details["before"])
          assert.isDefined(line?.details["after"])
        })
      )
    )
  }

  it.effect("with more groups than an entry has room for says how many it leaves out", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const groups = Array.from({ length: 2_000 }, (_, number) => `${number}-`.padEnd(200, "\u20ac"))
        const after = yield* process.principals.signIn({ ...ana, groups, groupsReadAt: later })
        assert.strictEqual(after.groups.length, 2_000)
        const sides = (yield* log).at(-1)?.details as
          | { readonly after: { readonly groups: ReadonlyArray<string>; readonly groupsLeftOut: number } }
          | undefined
        assert.isAbove(sides?.after.groups.length ?? 0, 10)
        assert.strictEqual((sides?.after.groups.length ?? 0) + (sides?.after.groupsLeftOut ?? 0), 2_000)
      })
    )
  )

  it.effect("with an older token never takes back what a newer one said", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* TestClock.adjust("2 minutes")
        yield* process.principals.signIn({ ...ana, groups: [], groupsReadAt: later })
        const after = yield* process.principals.signIn({ ...ana, groups: ["sre"], groupsReadAt: start })
        assert.deepStrictEqual([after.groups, after.groupsReadAt], [[], later])
      })
    )
  )

  it.effect("normalises the address, and an empty one is none", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* process.principals.signIn({ ...ana, email: " Ana@Example.TEST " })).email, ana.email)
        assert.isNull((yield* process.principals.signIn({ ...dave, email: "" })).email)
      })
    )
  )

  it.effect(
    "of an agent under a person's subject is refused, so that a person never becomes an agent or the reverse",
    () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.principals.signIn({ ...ana, kind: "agent", owner: ana })),
            "agent_not_allowed"
          )
          assert.strictEqual((yield* process.principals.get(ana, ana)).kind, "human")
        })
      )
  )

  for (const reserved of [system, operator]) {
    it.effect(`as ${reserved.subject} of the daemon is refused`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusalOf(process.principals.signIn({ ...ana, ...reserved })), "not_permitted")
        })
      )
    )
  }

  it.effect("many times at once leaves one principal and a version for each change", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const fay: SignIn = { ...dave, subject: "sub-fay", email: "fay@example.test" }
        yield* Effect.forEach([["a"], ["b"], ["a"], ["b"]], (groups) => process.principals.signIn({ ...fay, groups }), {
          concurrency: "unbounded"
        })
        const changes = (yield* log).filter((line) => line.actor.subject === "sub-fay")
        assert.strictEqual((yield* process.principals.get(fay, fay)).version, changes.length)
      })
    )
  )

  it.effect("keeps the owner that an administrator gave, when the token names none", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* process.principals.setOwner(cleo, stray, amy)
        const after = yield* process.principals.signIn(stray)
        assert.strictEqual(after.owner?.subject, amy.subject)
      })
    )
  )
})

describe("trust and owners", () => {
  it.effect("are set by human administrators, and the entry says what was before", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const after = yield* process.principals.setTrust(cleo, ana, { tier: 3, notes: "on call" })
        assert.deepStrictEqual([after.trustTier, after.trustNotes], [3, "on call"])
        const line = (yield* log).at(-1)
        assert.include(line?.details, { before: 0, after: 3 })
        assert.deepStrictEqual(line?.texts, ["on call"])
      })
    )
  )

  for (const by of [ana, dave, olga, scout]) {
    it.effect(`are refused to ${by.subject}, on record`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.principals.setTrust(by, amy, { tier: 4, notes: "" })),
            "not_admin"
          )
          assert.strictEqual(yield* refusalOf(process.principals.setOwner(by, stray, amy)), "not_admin")
          const refused = (yield* log).filter((line) => line.action === "principal.refused")
          assert.deepStrictEqual(
            refused.map((line) => [line.outcome, line.actor.subject]),
            [
              ["refused", by.subject],
              ["refused", by.subject]
            ]
          )
        })
      )
    )
  }

  it.effect("of one's own side are another administrator's business", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const twin: SignIn = { ...cleo, issuer: "https://other.test", subject: "c" }
        yield* process.principals.signIn(twin)
        for (const own of [cleo, twin]) {
          assert.strictEqual(
            yield* refusalOf(process.principals.setTrust(cleo, own, { tier: 4, notes: "" })),
            "self_decision"
          )
        }
        assert.strictEqual((yield* process.principals.setTrust(carl, cleo, { tier: 4, notes: "" })).trustTier, 4)
      })
    )
  )

  for (const tier of [-1, 5, 1.5, Number.NaN]) {
    it.effect(`of ${tier} are bad input`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.principals.setTrust(cleo, ana, { tier, notes: "" })),
            "invalid_input"
          )
        })
      )
    )
  }

  it.effect("need somebody who is known, and an owner who is a person", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const nobody = { issuer: "https://idp.test", subject: "nobody" }
        assert.strictEqual(
          yield* refusalOf(process.principals.setTrust(cleo, nobody, { tier: 1, notes: "" })),
          "not_found"
        )
        assert.strictEqual(yield* refusalOf(process.principals.setOwner(cleo, stray, nobody)), "not_found")
        assert.strictEqual(yield* refusalOf(process.principals.setOwner(cleo, stray, scout)), "invalid_input")
        assert.strictEqual(yield* refusalOf(process.principals.setOwner(cleo, ana, amy)), "invalid_input")
      })
    )
  )
})

describe("a lock", () => {
  it.effect("is laid and lifted by human administrators, with a reason that stands beside the entry", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const lock = yield* process.principals.lock(cleo, { kind: "everything" }, "incident 7")
        const line = (yield* log).at(-1)
        assert.deepStrictEqual([line?.action, line?.texts], ["lock.created", ["incident 7"]])
        assert.notInclude(JSON.stringify(line?.details), "incident 7")
        assert.deepStrictEqual(
          (yield* process.principals.locks(olga)).active.map((one) => one.id),
          [lock.id]
        )
        yield* process.principals.unlock(carl, lock.id)
        assert.strictEqual((yield* log).at(-1)?.action, "lock.released")
        assert.strictEqual(yield* refusalOf(process.principals.unlock(carl, lock.id)), "not_found")
      })
    )
  )

  for (const by of [ana, olga, scout]) {
    it.effect(`is refused to ${by.subject}, laying and lifting, on record`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          const lock = yield* process.principals.lock(cleo, { kind: "provider", provider: "x" }, "r")
          assert.strictEqual(yield* refusalOf(process.principals.lock(by, { kind: "everything" }, "mine")), "not_admin")
          assert.strictEqual(yield* refusalOf(process.principals.unlock(by, lock.id)), "not_admin")
          const refused = (yield* log).filter((line) => line.action === "lock.refused")
          assert.strictEqual(refused.length, 2)
        })
      )
    )
  }

  it.effect("on an administrator binds them too: they cannot lift it, lock others, or change trust and policy", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const lock = yield* process.principals.lock(carl, { kind: "principal", principal: cleo }, "stolen laptop")
        assert.strictEqual(yield* refusalOf(process.principals.unlock(cleo, lock.id)), "locked")
        assert.strictEqual(yield* refusalOf(process.principals.lock(cleo, { kind: "everything" }, "x")), "locked")
        assert.strictEqual(yield* refusalOf(process.principals.setTrust(cleo, ana, { tier: 4, notes: "" })), "locked")
        assert.strictEqual(yield* refusalOf(process.policyAdmin.replace(cleo, 0, [])), "locked")
        yield* process.principals.unlock(carl, lock.id)
        yield* process.principals.setTrust(cleo, ana, { tier: 4, notes: "" })
      })
    )
  )

  it.effect("on everything does not keep administrators from lifting it", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const lock = yield* process.principals.lock(cleo, { kind: "everything" }, "x")
        yield* process.principals.unlock(cleo, lock.id)
        assert.strictEqual((yield* process.elevations.request(ana, ask("reader"), origin)).state, "ACTIVE")
      })
    )
  )

  const bad: ReadonlyArray<LockTarget> = [
    { kind: "provider", provider: "" },
    { kind: "provider", provider: "a\u0000b" },
    { kind: "principal", principal: { issuer: "", subject: "x" } },
    { kind: "principal", principal: { issuer: "i", subject: "\ud800" } },
    { kind: "role", provider: "aws", role: "x".repeat(300), resourceScope: "*" }
  ]
  for (const target of bad) {
    it.effect(`on ${JSON.stringify(target).slice(0, 60)} is bad input and leaves nothing`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* refusalOf(process.principals.lock(cleo, target, "r")), "invalid_input")
          assert.strictEqual(
            yield* refusalOf(process.principals.lock(cleo, { kind: "everything" }, " ")),
            "invalid_input"
          )
          assert.deepStrictEqual((yield* process.principals.locks(cleo)).active, [])
        })
      )
    )
  }

  it.effect("laid by many at once is laid by all", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          ["a", "b", "c", "d"],
          (provider) => process.principals.lock(cleo, { kind: "provider", provider }, "r"),
          { concurrency: "unbounded" }
        )
        assert.strictEqual((yield* process.principals.locks(cleo)).active.length, 4)
        yield* until(() => true)
      })
    )
  )
})

describe("reading principals", () => {
  it.effect("is for oneself, administrators and auditors", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* process.principals.get(dave, dave)).subject, dave.subject)
        assert.strictEqual(yield* refusalOf(process.principals.get(dave, ana)), "not_permitted")
        assert.strictEqual(yield* refusalOf(process.principals.list(ben, { limit: 1 })), "not_permitted")
        assert.strictEqual(yield* refusalOf(process.principals.locks(ben)), "not_permitted")
        const page = yield* process.principals.list(olga, { email: "ben@example.test", limit: 10 })
        assert.strictEqual(page.items.length, 2)
        yield* Store
      })
    )
  )
})
