/** What people and agents can do through the engine, and what they are refused (docs/spec/lifecycle.md, section 3). */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { TestClock } from "effect/testing"
import type { LockTarget } from "../src/Lock.ts"
import type { RoutingVerdict } from "../src/Policy.ts"
import type { SignIn } from "../src/Principals.ts"
import { ProviderError } from "../src/Provider.ts"
import * as Times from "../src/Time.ts"
import {
  actionsOf,
  amy,
  ana,
  ask,
  bea,
  ben,
  benElsewhere,
  carl,
  cleo,
  clock,
  dave,
  inWorld,
  judge,
  log,
  olga,
  origin,
  pass,
  refusalOf,
  sam,
  scout,
  signedIn,
  start,
  stored,
  stray,
  work,
  world,
  type Process
} from "./support/EngineWorld.ts"

const yes = (digest: string) => ({ comment: "ok", digest })

const approve = (process: Process, by: SignIn, request: { readonly id: string; readonly digest: string }) =>
  process.elevations.approve(by, request.id, yes(request.digest))

const hours = (n: number) => TestClock.adjust(n * 3_600_000)

describe("a decision", () => {
  it.effect("counts once per person, under whatever identity (2)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        assert.strictEqual((yield* approve(process, ben, asked)).state, "PENDING")
        const again = yield* approve(process, benElsewhere, asked)
        assert.strictEqual(again.state, "PENDING")
        assert.strictEqual(yield* refusalOf(approve(process, ben, asked)), "already_decided")
        assert.deepStrictEqual(process.elevations.missing(again).open, ["1 of group sre-leads"])
        assert.strictEqual((yield* approve(process, bea, asked)).state, "ACTIVE")
      })
    )
  )

  it.effect("counts in every stage that its party belongs to, and each stage must be met (2)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("both"), origin)
        const once = yield* approve(process, ben, asked)
        assert.strictEqual(once.state, "PENDING")
        assert.deepStrictEqual(process.elevations.missing(once).open, ["1 of group security"])
        assert.strictEqual((yield* approve(process, sam, asked)).state, "ACTIVE")
        yield* process.principals.signIn({ ...bea, groups: ["sre-leads", "security"] })
        const second = yield* process.elevations.request(ana, ask("both"), origin)
        assert.strictEqual((yield* approve(process, bea, second)).state, "ACTIVE")
      })
    )
  )

  it.effect("on another digest does not count, and is on record (5)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const other = { id: asked.id, digest: "0".repeat(64) }
        assert.strictEqual(yield* refusalOf(approve(process, ben, other)), "changed_meanwhile")
        assert.strictEqual((yield* stored(asked.id)).decisions.length, 0)
        assert.strictEqual((yield* actionsOf(asked.id)).at(-1), "request.approval_refused")
      })
    )
  )

  it.effect("of the requester's own side is refused, whichever way they belong to it (1)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const twin: SignIn = { ...ana, issuer: "https://other.test", subject: "a", groups: ["sre-leads"] }
        yield* signedIn(process, [{ ...ana, groups: ["sre", "sre-leads"] }, twin])
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(approve(process, ana, asked)), "self_decision")
        assert.strictEqual(yield* refusalOf(approve(process, twin, asked)), "self_decision")
        const agents = yield* process.elevations.request(scout, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(approve(process, twin, agents)), "self_decision")
        assert.strictEqual(yield* process.elevations.mayDecide(twin, agents.id), false)
        assert.strictEqual(yield* process.elevations.mayDecide(ben, agents.id), true)
        const refused = (yield* log).filter((line) => line.outcome === "refused")
        assert.deepStrictEqual(
          refused.map((line) => line.details["code"]),
          ["self_decision", "self_decision", "self_decision"]
        )
      })
    )
  )

  it.effect("to deny ends it, and its comment stands beside the entry", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        yield* approve(process, ben, asked)
        const denied = yield* process.elevations.deny(bea, asked.id, { comment: "not today", digest: asked.digest })
        assert.strictEqual(denied.state, "REJECTED")
        assert.strictEqual(yield* refusalOf(approve(process, bea, asked)), "wrong_state")
        const line = (yield* log).find((one) => one.action === "request.denied")
        assert.deepStrictEqual(line?.texts, ["not today"])
        assert.notInclude(JSON.stringify(line?.details), "not today")
      })
    )
  )

  it.effect("needs somebody whom policy admits; a stranger does not even see it (11)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(approve(process, dave, asked)), "not_found")
        assert.strictEqual(yield* refusalOf(process.elevations.get(dave, asked.id)), "not_found")
        assert.strictEqual(yield* refusalOf(process.elevations.cancel(dave, asked.id, "")), "not_found")
        assert.strictEqual(yield* refusalOf(process.elevations.revoke(dave, asked.id, "")), "not_found")
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(dave, asked.id)), "not_found")
        assert.strictEqual(yield* refusalOf(approve(process, olga, asked)), "not_approver")
        assert.strictEqual(yield* refusalOf(approve(process, amy, asked)), "not_found")
      })
    )
  )

  it.effect("may be taken by whom policy names by now, also for what was asked before (3)", () => {
    let stage = ["sre-leads"]
    const made = world({
      rules: { routing: () => ({ tier: "human", stages: [{ policy: "p", groups: stage, users: [], quorum: 1 }] }) }
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        stage = ["security"]
        assert.strictEqual(yield* refusalOf(approve(process, ben, asked)), "not_approver")
        assert.strictEqual((yield* process.elevations.get(sam, asked.id)).id, asked.id)
        assert.strictEqual(yield* process.elevations.mayDecide(sam, asked.id), true)
        assert.strictEqual((yield* approve(process, sam, asked)).state, "ACTIVE")
        assert.isTrue((yield* actionsOf(asked.id)).includes("request.rerouted"))
      })
    )
  })

  it.effect("after the deadline comes too late, even before anybody said so", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* hours(24)
        yield* signedIn(process)
        assert.strictEqual(yield* refusalOf(approve(process, ben, asked)), "wrong_state")
        yield* work(process)
        assert.strictEqual((yield* stored(asked.id)).state, "LAPSED")
      })
    )
  )
})

describe("an earlier approval", () => {
  const struck = (name: string, change: (process: Process) => Effect.Effect<unknown, unknown>, why: string) =>
    it.effect(`is struck when ${name} (3)`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          yield* process.principals.signIn({ ...carl, groups: ["sre-leads", "jitsudo-admins"] })
          const asked = yield* process.elevations.request(ana, ask("two"), origin)
          yield* approve(process, ben, asked)
          yield* change(process)
          const after = yield* approve(process, bea, asked)
          assert.strictEqual(after.state, "PENDING")
          assert.include(after.decisions[0]?.struck?.why, why)
          assert.isTrue((yield* actionsOf(asked.id)).includes("request.approval_struck"))
          assert.deepStrictEqual(process.elevations.missing(after).open, ["1 of group sre-leads"])
          assert.strictEqual((yield* approve(process, carl, asked)).state, "ACTIVE")
        })
      )
    )

  struck("the approver left the group", (process) => process.principals.signIn({ ...ben, groups: [] }), "no longer one")
  struck(
    "the approver is locked",
    (process) => process.principals.lock(cleo, { kind: "principal", principal: ben }, "laptop lost"),
    "locked"
  )
  struck(
    "the approver turns out to be of the requester's side",
    (process) => process.principals.signIn({ ...ben, email: ana.email }),
    "side"
  )

  it.effect("is struck when policy denies it by now", () => {
    let denied = false
    const made = world({
      rules: {
        admission: (input) => ({
          allowed: false,
          denied: denied && input.user.subject === ben.subject,
          reasons: ["ben is on leave"]
        })
      }
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        yield* approve(process, ben, asked)
        denied = true
        const after = yield* approve(process, bea, asked)
        assert.strictEqual(after.state, "PENDING")
        assert.include(after.decisions[0]?.struck?.why, "on leave")
      })
    )
  })

  it.effect("does not save a request that policy no longer allows (3)", () => {
    let allowed = true
    const made = world({ rules: { eligibility: () => ({ allowed, reasons: ["frozen for the quarter"] }) } })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        allowed = false
        const after = yield* approve(process, ben, asked)
        assert.strictEqual(after.state, "REJECTED")
        assert.include(after.outcome, "frozen for the quarter")
        assert.strictEqual(made.platform.grants().length, 0)
      })
    )
  })
})

describe("group facts", () => {
  it.effect("of the requester that are 12 h old make it wait, and their sign-in lets it go on", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* TestClock.adjust(12 * 3_600_000 + 1000)
        yield* signedIn(process, [ben])
        const waiting = yield* approve(process, ben, asked)
        assert.strictEqual(waiting.state, "PENDING")
        assert.include(waiting.waitingFor, "ana@example.test must sign in again")
        assert.strictEqual((yield* actionsOf(asked.id)).at(-1), "request.waiting")
        yield* signedIn(process, [dave])
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
        yield* signedIn(process, [ana])
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, "ACTIVE")
        assert.isNull(after.waitingFor)
      })
    )
  )

  it.effect("of 12 h to the second still count", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* hours(12)
        assert.strictEqual((yield* approve(process, ben, asked)).state, "ACTIVE")
      })
    )
  )

  it.effect("that are an hour old are too old for `auto` and for break-glass", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(3_601_000)
        const waiting = yield* process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(waiting.state, "PENDING")
        assert.include(waiting.waitingFor, "must sign in again")
        assert.strictEqual(
          yield* refusalOf(process.elevations.request(ana, ask("admin", { breakGlass: true }), origin)),
          "stale_groups"
        )
        yield* signedIn(process, [ana])
        assert.strictEqual((yield* stored(waiting.id)).state, "ACTIVE")
      })
    )
  )

  it.effect("of an approver that are too old do not count, now or later", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        yield* approve(process, ben, asked)
        yield* TestClock.adjust(12 * 3_600_000 + 1000)
        assert.strictEqual(yield* refusalOf(approve(process, bea, asked)), "stale_groups")
        yield* signedIn(process, [ana, bea])
        const waiting = yield* approve(process, bea, asked)
        assert.include(waiting.waitingFor, "ben@example.test must sign in again")
        // Ben signs in without the group: his approval is struck, and nobody's sign-in would help.
        yield* process.principals.signIn({ ...ben, groups: [], groupsReadAt: yield* clock })
        const after = yield* stored(asked.id)
        assert.strictEqual(after.state, "PENDING")
        assert.isNull(after.waitingFor)
        assert.isNotNull(after.decisions[0]?.struck ?? null)
      })
    )
  )

  it.effect("that are said to come from the future are from now", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const said = yield* process.principals.signIn({ ...ana, groups: ["sre", "x"], groupsReadAt: Times.make(4e12) })
        assert.strictEqual(said.groupsReadAt, start)
      })
    )
  )
})

describe("deadlines", () => {
  it.effect("nobody decides: it lapses after a day", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        yield* pass(process, 24 * 3600 - 1)
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
        yield* pass(process, 1)
        assert.strictEqual((yield* stored(asked.id)).state, "LAPSED")
      })
    )
  )

  it.effect("the agent does not answer: people are asked after five minutes, for the rest of the day", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("open"), origin)
        yield* pass(process, 300)
        const after = yield* stored(asked.id)
        assert.strictEqual(after.routing.tier, "human")
        assert.strictEqual(after.decideBy, after.lapsesAt)
        assert.isTrue(made.channel.told.some((one) => one.event === "ai_escalated"))
        yield* pass(process, 23 * 3600)
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
        yield* pass(process, 3600)
        assert.strictEqual((yield* stored(asked.id)).state, "LAPSED")
      })
    )
  })

  it.effect("policy wants people instead of the agent: they get the whole day", () => {
    const two = [{ policy: "leads", groups: ["sre-leads"], users: [], quorum: 2 }]
    let verdict: Partial<RoutingVerdict> = { tier: "ai_review", stages: two }
    const made = world({ rules: { routing: () => verdict } })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("open"), origin)
        verdict = { tier: "human", stages: two }
        const after = yield* approve(process, ben, asked)
        assert.strictEqual(after.routing.tier, "human")
        yield* pass(process, 3600)
        assert.strictEqual((yield* stored(asked.id)).state, "PENDING")
        yield* pass(process, 23 * 3600)
        assert.strictEqual((yield* stored(asked.id)).state, "LAPSED")
      })
    )
  })
})

describe("an agent's answer", () => {
  const reasoning = "read only, the ticket is open, and nothing else is touched"
  const answer = (request: { readonly digest: string; readonly version: number }, more = {}) => ({
    verdict: "approve" as const,
    reasoning,
    confidence: 0.95,
    risk: "low",
    model: "m-1",
    digest: request.digest,
    version: request.version,
    ...more
  })

  it.effect("approves where policy lets it, with its words beside the entry (7)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("open"), origin)
        const after = yield* process.elevations.aiDecide(judge, asked.id, answer(asked))
        assert.strictEqual(after.state, "ACTIVE")
        const line = (yield* log).find((one) => one.action === "request.ai_approved")
        assert.deepStrictEqual(line?.texts, [reasoning])
        assert.include(line?.details, { model: "m-1", risk: "low", confidence: 0.95, verdict: "approve" })
        assert.strictEqual(line?.actor.kind, "agent")
      })
    )
  )

  const escalates = (name: string, by: SignIn, change: (now: { version: number; digest: string }) => object) =>
    it.effect(`escalates when ${name}, and says so (7)`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          const asked = yield* process.elevations.request(ana, ask("open"), origin)
          assert.strictEqual(
            yield* refusalOf(process.elevations.aiDecide(by, asked.id, answer(asked, change(asked)))),
            "agent_not_allowed"
          )
          const after = yield* stored(asked.id)
          assert.strictEqual(after.state, "PENDING")
          assert.strictEqual(after.routing.tier, "human")
          const actions = yield* actionsOf(asked.id)
          assert.deepStrictEqual(actions.slice(-2), ["request.ai_escalated", "request.ai_refused"])
          assert.strictEqual(
            yield* refusalOf(process.elevations.aiDecide(judge, asked.id, answer(after))),
            "agent_not_allowed"
          )
          assert.strictEqual((yield* stored(asked.id)).version, after.version)
        })
      )
    )

  escalates("policy's ai_allow does not cover it", judge, () => ({ confidence: 0.5 }))
  escalates("a denial is not covered either", judge, () => ({ verdict: "deny", confidence: 0.5 }))
  escalates("it read another version", judge, (now) => ({ version: now.version + 1 }))
  escalates("it read another digest", judge, () => ({ digest: "f".repeat(64) }))
  escalates("it gives no reasons", judge, () => ({ reasoning: "ok" }))
  escalates("its reasons are too long", judge, () => ({ reasoning: "x".repeat(9000) }))
  escalates("its reasons cannot be stored", judge, () => ({ reasoning: `${reasoning}\u0000\ud800` }))
  escalates("its confidence is no number", judge, () => ({ confidence: Number.NaN }))
  escalates("it is of the requester's side", scout, () => ({}))
  escalates("nobody answers for it", stray, () => ({}))

  it.effect("denies and escalates with its reasons on record", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("open"), origin)
        const denied = yield* process.elevations.aiDecide(judge, first.id, answer(first, { verdict: "deny" }))
        assert.strictEqual(denied.state, "REJECTED")
        const second = yield* process.elevations.request(ana, ask("open"), origin)
        const passed = yield* process.elevations.aiDecide(judge, second.id, answer(second, { verdict: "escalate" }))
        assert.strictEqual(passed.routing.tier, "human")
        const lines = yield* log
        for (const action of ["request.ai_denied", "request.ai_escalated"]) {
          assert.deepStrictEqual(lines.find((line) => line.action === action)?.texts, [reasoning])
        }
      })
    )
  )

  it.effect("is nothing that a person can give, and on what waits for people it changes nothing", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const open = yield* process.elevations.request(ana, ask("open"), origin)
        assert.strictEqual(
          yield* refusalOf(process.elevations.aiDecide(ben, open.id, answer(open))),
          "agent_not_allowed"
        )
        assert.strictEqual((yield* stored(open.id)).version, open.version)
        const human = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(
          yield* refusalOf(process.elevations.aiDecide(judge, human.id, answer(human))),
          "agent_not_allowed"
        )
        assert.strictEqual((yield* stored(human.id)).version, human.version)
        assert.strictEqual(yield* refusalOf(approve(process, judge, human)), "not_found")
      })
    )
  )

  it.effect("does not keep people from deciding while it has not come", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("open"), origin)
        assert.strictEqual((yield* approve(process, ben, asked)).state, "ACTIVE")
      })
    )
  )
})

describe("an agent that asks", () => {
  it.effect("gets by itself what policy gives agents with an owner, and never breaks the glass", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* process.elevations.request(scout, ask("reader"), origin)).state, "ACTIVE")
        const nobodys = yield* process.elevations.request(stray, ask("reader"), origin)
        assert.deepStrictEqual([nobodys.state, nobodys.routing.tier], ["PENDING", "human"])
        assert.strictEqual(
          yield* refusalOf(process.elevations.request(scout, ask("admin", { breakGlass: true }), origin)),
          "human_only"
        )
      })
    )
  )

  it.effect("is withdrawn and revoked by the person who answers for it; its credentials are its own", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const pending = yield* process.elevations.request(scout, ask("admin"), origin)
        assert.strictEqual((yield* process.elevations.cancel(ana, pending.id, "no")).state, "CANCELLED")
        const active = yield* process.elevations.request(scout, ask("reader"), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(ana, active.id)), "not_requester")
        assert.strictEqual((yield* actionsOf(active.id)).at(-1), "credentials.refused")
        assert.strictEqual((yield* process.elevations.revoke(ana, active.id, "no")).state, "REVOKED")
      })
    )
  )
})

describe("withdrawing and giving back", () => {
  it.effect("is the requester's; a revocation of what is pending withdraws it; both may be repeated", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.cancel(ben, first.id, "")), "not_requester")
        assert.strictEqual((yield* process.elevations.cancel(ana, first.id, "")).state, "CANCELLED")
        assert.strictEqual((yield* process.elevations.cancel(ana, first.id, "")).state, "CANCELLED")
        const second = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.revoke(ben, second.id, "")), "not_permitted")
        assert.strictEqual((yield* process.elevations.revoke(ana, second.id, "")).state, "CANCELLED")
        const third = yield* process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.cancel(ana, third.id, "")), "wrong_state")
        assert.strictEqual((yield* process.elevations.revoke(cleo, third.id, "stop")).state, "REVOKED")
        assert.strictEqual((yield* process.elevations.revoke(cleo, third.id, "stop")).state, "REVOKED")
        assert.strictEqual((yield* stored(third.id)).ending?.by?.subject, cleo.subject)
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(ana, third.id)), "wrong_state")
      })
    )
  )

  it.effect("may be done by whom policy admits", () =>
    inWorld(world({ rules: { admission: (input) => ({ allowed: input.action === "revoke" }) } }), (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual((yield* process.elevations.revoke(sam, active.id, "stop")).state, "REVOKED")
      })
    )
  )
})

describe("credentials", () => {
  it.effect("are the requester's alone, while it is active and before notAfter; each reading is an entry (10)", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const active = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* process.elevations.credentials(ana, active.id)
        yield* process.elevations.credentials(ana, active.id)
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(olga, active.id)), "not_requester")
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(amy, active.id)), "not_found")
        const actions = yield* actionsOf(active.id)
        assert.deepStrictEqual(actions.slice(-3), ["credentials.read", "credentials.read", "credentials.refused"])
        assert.strictEqual((yield* stored(active.id)).version, active.version)
        yield* TestClock.adjust("1 hour")
        assert.strictEqual(yield* refusalOf(process.elevations.credentials(ana, active.id)), "grant_over")
      })
    )
  )
})

describe("an idempotency key", () => {
  const keyed = { ...origin, idempotencyKey: "k-1" }

  it.effect("gives the first request again for the same body, refuses another, and is forgotten after a day", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("reader"), keyed)
        const again = yield* process.elevations.request(ana, ask("reader"), keyed)
        assert.strictEqual(again.id, first.id)
        assert.strictEqual(made.platform.grants().length, 1)
        assert.strictEqual(
          yield* refusalOf(process.elevations.request(ana, ask("reader", { durationSeconds: 60 }), keyed)),
          "idempotency_mismatch"
        )
        const others = yield* process.elevations.request(amy, ask("reader"), keyed)
        assert.notStrictEqual(others.id, first.id)
        yield* hours(24)
        yield* signedIn(process)
        const later = yield* process.elevations.request(ana, ask("reader"), keyed)
        assert.notStrictEqual(later.id, first.id)
      })
    )
  })

  it.effect("used twice at once makes one request", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const all = yield* Effect.all(
          Array.from({ length: 8 }, () => process.elevations.request(ana, ask("reader"), keyed)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(all.map((one) => one.id)).size, 1)
        assert.strictEqual(made.platform.grants().length, 1)
      })
    )
  })

  it.effect("that cannot be stored is bad input", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        for (const idempotencyKey of ["", "a\u0000b", "x".repeat(256), "line\nbreak", "\ud800"]) {
          assert.strictEqual(
            yield* refusalOf(process.elevations.request(ana, ask("reader"), { ...origin, idempotencyKey })),
            "invalid_input"
          )
        }
      })
    )
  )
})

describe("an extension", () => {
  it.effect("is a request of its own, linked both ways, and overlaps without a gap", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* pass(process, 3000)
        const next = yield* process.elevations.extend(ana, first.id, { durationSeconds: 3600, reason: "more" }, origin)
        assert.strictEqual(next.state, "ACTIVE")
        assert.strictEqual(next.extends, first.id)
        assert.strictEqual((yield* stored(first.id)).extendedBy, next.id)
        assert.strictEqual(made.platform.live(yield* clock).length, 2)
        yield* pass(process, 600)
        assert.strictEqual((yield* stored(first.id)).state, "EXPIRED")
        assert.strictEqual((yield* stored(next.id)).state, "ACTIVE")
        assert.strictEqual(made.platform.live(yield* clock).length, 1)
      })
    )
  })

  it.effect("is bounded by the time that the role was held without a break", () =>
    inWorld(world({ rules: { eligibility: () => ({ allowed: true, maxTotalSeconds: 7200 }) } }), (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("reader"), origin)
        yield* TestClock.adjust("50 minutes")
        const long = { durationSeconds: 4201, reason: "" }
        assert.strictEqual(yield* refusalOf(process.elevations.extend(ana, first.id, long, origin)), "not_eligible")
        const right = { durationSeconds: 4200, reason: "" }
        assert.strictEqual((yield* process.elevations.extend(ana, first.id, right, origin)).state, "ACTIVE")
        // Asking afresh does not begin anew either, and a break of five minutes does.
        yield* pass(process, 4200 + 60)
        yield* signedIn(process, [ana])
        assert.strictEqual(yield* refusalOf(process.elevations.request(ana, ask("reader"), origin)), "not_eligible")
        yield* pass(process, 240)
        assert.strictEqual((yield* process.elevations.request(ana, ask("reader"), origin)).state, "ACTIVE")
      })
    )
  )

  it.effect("that people approve late is measured when they approve", () =>
    inWorld(world({ rules: { eligibility: () => ({ allowed: true, maxTotalSeconds: 7200 }) } }), (process) =>
      Effect.gen(function* () {
        const first = yield* process.elevations.request(ana, ask("admin", { durationSeconds: 7200 }), origin)
        yield* approve(process, ben, first)
        const more = { durationSeconds: 3600, reason: "" }
        const next = yield* process.elevations.extend(ana, first.id, more, origin)
        yield* TestClock.adjust("61 minutes")
        const after = yield* approve(process, bea, next)
        assert.strictEqual(after.state, "REJECTED")
        assert.include(after.outcome, "without a break")
      })
    )
  )

  it.effect("is of one's own active grant", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const more = { durationSeconds: 60, reason: "" }
        const first = yield* process.elevations.request(ana, ask("admin"), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.extend(ana, first.id, more, origin)), "wrong_state")
        assert.strictEqual(yield* refusalOf(process.elevations.extend(amy, first.id, more, origin)), "not_found")
        assert.strictEqual(yield* refusalOf(process.elevations.extend(ana, "req_x", more, origin)), "not_found")
      })
    )
  )
})

describe("a lock", () => {
  const targets: ReadonlyArray<readonly [string, LockTarget]> = [
    ["a person", { kind: "principal", principal: ana }],
    ["a provider", { kind: "provider", provider: "memory" }],
    ["a role pattern", { kind: "role", provider: "memory", role: "read*", resourceScope: "project/*" }],
    ["everything", { kind: "everything" }]
  ]
  for (const [name, target] of targets) {
    it.effect(`on ${name} ends what is active, refuses what is new, and lets nothing pending be decided (9)`, () => {
      const made = world()
      return inWorld(made, (process) =>
        Effect.gen(function* () {
          const active = yield* process.elevations.request(ana, ask("reader"), origin)
          const pending = yield* process.elevations.request(ana, ask("reads"), origin)
          const spared = yield* process.elevations.request(amy, ask("another", { resourceScope: "elsewhere" }), origin)
          const lock = yield* process.principals.lock(cleo, target, "incident")
          assert.strictEqual(yield* refusalOf(process.elevations.credentials(ana, active.id)), "locked")
          assert.strictEqual(yield* refusalOf(process.elevations.request(ana, ask("reader"), origin)), "locked")
          assert.strictEqual(yield* refusalOf(approve(process, ben, pending)), "locked")
          yield* work(process)
          assert.strictEqual((yield* stored(active.id)).state, "REVOKED")
          assert.strictEqual((yield* stored(active.id)).ending?.why, "locked")
          assert.deepStrictEqual(made.platform.live(yield* clock), [])
          assert.isTrue(made.channel.told.some((one) => one.event === "lock_changed"))
          const other = yield* Effect.exit(approve(process, ben, spared))
          assert.strictEqual(other._tag === "Success", target.kind === "principal" || target.kind === "role")
          yield* process.principals.unlock(carl, lock.id)
          assert.strictEqual((yield* approve(process, ben, pending)).state, "ACTIVE")
        })
      )
    })
  }

  it.effect("on a person locks their agents, also those that became theirs later", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const theirs = yield* process.elevations.request(scout, ask("reader"), origin)
        yield* process.principals.signIn({ ...stray, owner: null })
        yield* process.principals.setOwner(cleo, stray, amy)
        const later = yield* process.elevations.request(stray, ask("reader"), origin)
        assert.strictEqual(later.state, "ACTIVE")
        yield* process.principals.lock(cleo, { kind: "principal", principal: ana }, "laptop lost")
        yield* work(process)
        assert.strictEqual((yield* stored(theirs.id)).state, "REVOKED")
        assert.strictEqual((yield* stored(later.id)).state, "ACTIVE")
        assert.strictEqual(yield* refusalOf(process.elevations.request(scout, ask("reader"), origin)), "locked")
        yield* process.principals.setOwner(cleo, stray, ana)
        yield* work(process)
        assert.strictEqual((yield* stored(later.id)).state, "REVOKED")
      })
    )
  })

  it.effect("on a decider keeps them from deciding, and from reviewing", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("admin"), origin)
        const open = yield* process.elevations.request(ana, ask("open"), origin)
        yield* process.principals.lock(cleo, { kind: "principal", principal: ben }, "x")
        yield* process.principals.lock(cleo, { kind: "principal", principal: judge }, "x")
        assert.strictEqual(yield* refusalOf(approve(process, ben, asked)), "locked")
        const answer = {
          verdict: "approve" as const,
          reasoning: "it reads only, and nothing else is touched",
          confidence: 1,
          risk: "low",
          model: "m",
          digest: open.digest,
          version: open.version
        }
        assert.strictEqual(yield* refusalOf(process.elevations.aiDecide(judge, open.id, answer)), "agent_not_allowed")
      })
    )
  )

  it.effect("is swept although one provider's ending hangs", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const all = yield* Effect.forEach(["a", "b", "c"], (scope) =>
          process.elevations.request(ana, ask("reader", { resourceScope: scope }), origin)
        )
        yield* process.principals.lock(cleo, { kind: "everything" }, "incident")
        yield* process.scheduler.tick
        for (const { id } of all) assert.strictEqual((yield* stored(id)).state, "ENDING")
        yield* work(process)
        assert.deepStrictEqual(made.platform.live(yield* clock), [])
      })
    )
  })
})

describe("break-glass", () => {
  const glass = (more = {}) => ask("admin", { breakGlass: true, ...more })

  it.effect("is refused without a reason, and while nobody can be alerted (8)", () =>
    Effect.gen(function* () {
      yield* inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.elevations.request(ana, glass({ reason: " \u202e" }), origin)),
            "break_glass_unavailable"
          )
        })
      )
      yield* inWorld(world({ settings: { alertChannels: [] } }), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.elevations.request(ana, glass(), origin)),
            "break_glass_unavailable"
          )
          const refused = (yield* log).at(-1)
          assert.deepStrictEqual([refused?.action, refused?.details["breakGlass"]], ["request.refused", true])
        })
      )
    })
  )

  it.effect("marks every entry, and its review is closed by an administrator of another side", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        yield* process.principals.signIn({ ...cleo, groups: ["sre", "jitsudo-admins"] })
        const broken = yield* process.elevations.request(cleo, glass(), origin)
        yield* process.elevations.credentials(cleo, broken.id)
        yield* process.elevations.revoke(cleo, broken.id, "done")
        assert.strictEqual(yield* refusalOf(process.elevations.closeReview(cleo, broken.id, "fine")), "self_decision")
        assert.strictEqual(yield* refusalOf(process.elevations.closeReview(olga, broken.id, "fine")), "not_admin")
        assert.strictEqual(yield* refusalOf(process.elevations.closeReview(carl, broken.id, " ")), "invalid_input")
        yield* process.elevations.closeReview(carl, broken.id, "looked at it")
        assert.strictEqual(yield* refusalOf(process.elevations.closeReview(carl, broken.id, "x")), "already_decided")
        for (const line of yield* log) {
          if (line.requestId === broken.id) assert.isTrue(line.details["breakGlass"], line.action)
        }
      })
    )
  )

  it.effect("is blocked by an open review of the same person, under whatever identity", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const twin: SignIn = { ...ana, issuer: "https://other.test", subject: "a" }
        yield* signedIn(process, [twin])
        const first = yield* process.elevations.request(ana, glass(), origin)
        assert.strictEqual(yield* refusalOf(process.elevations.request(ana, glass(), origin)), "review_open")
        assert.strictEqual(yield* refusalOf(process.elevations.request(twin, glass(), origin)), "review_open")
        assert.strictEqual((yield* process.elevations.request(amy, glass(), origin)).state, "ACTIVE")
        yield* process.elevations.closeReview(carl, first.id, "looked at it")
        assert.strictEqual((yield* process.elevations.request(twin, glass(), origin)).state, "ACTIVE")
      })
    )
  )
})

describe("asking", () => {
  it.effect(
    "for what policy does not allow is refused with all reasons, on record, and the platform is not asked",
    () => {
      const made = world()
      return inWorld(made, (process) =>
        Effect.gen(function* () {
          const refusal = yield* Effect.flip(process.elevations.request(dave, ask("reader"), origin))
          assert(refusal._tag === "Refused")
          assert.deepStrictEqual([refusal.code, refusal.problems?.[0]?.message], ["not_eligible", "only sre"])
          assert.deepStrictEqual(made.platform.journal(), [])
          const line = (yield* log).at(-1)
          assert.deepStrictEqual([line?.action, line?.outcome], ["request.refused", "refused"])
          assert.deepStrictEqual(line?.texts, ["INC-1"])
        })
      )
    }
  )

  it.effect("badly names every field at once and leaves nothing behind", () => {
    const made = world()
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const before = (yield* log).length
        const bad = ask("ad\u0007min", {
          resourceScope: "a\nb",
          durationSeconds: -1,
          reason: "\ud800",
          metadata: { "bad key": "x".repeat(300) }
        })
        const refusal = yield* Effect.flip(process.elevations.request(ana, bad, origin))
        assert(refusal._tag === "Refused")
        assert.strictEqual(refusal.code, "invalid_input")
        const fields = new Set(refusal.problems?.map((problem) => problem.field))
        for (const field of ["role", "resourceScope", "durationSeconds", "reason", "metadata"]) {
          assert.isTrue(fields.has(field), field)
        }
        assert.strictEqual((yield* log).length, before)
      })
    )
  })

  for (const durationSeconds of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 12 * 3600 + 1]) {
    it.effect(`for ${durationSeconds} seconds is refused`, () =>
      inWorld(world(), (process) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* refusalOf(process.elevations.request(ana, ask("reader", { durationSeconds }), origin)),
            "invalid_input"
          )
        })
      )
    )
  }

  it.effect("for longer than the platform grants is refused before anybody approves (6)", () =>
    inWorld(world({ provider: { maxDurationSeconds: 1800 } }), (process) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* refusalOf(process.elevations.request(ana, ask("admin"), origin)), "provider_refused")
      })
    )
  )

  it.effect("while the platform cannot be read is trouble, also when it hangs or breaks", () => {
    let mode: "fails" | "breaks" = "fails"
    const made = world({
      wrap: (provider) => ({
        ...provider,
        check: () =>
          mode === "breaks"
            ? Effect.die(new TypeError("a bug"))
            : Effect.fail(
                new ProviderError({
                  provider: "memory",
                  reason: "ProviderUnavailable",
                  retryable: true,
                  effect: "none",
                  message: "down",
                  hint: ""
                })
              )
      })
    })
    return inWorld(made, (process) =>
      Effect.gen(function* () {
        const asking = process.elevations.request(ana, ask("reader"), origin)
        assert.strictEqual(yield* refusalOf(asking), "unavailable: provider")
        mode = "breaks"
        assert.strictEqual(yield* refusalOf(asking), "unavailable: provider")
      })
    )
  })

  it.effect("while a source of facts cannot be read asks people", () =>
    inWorld(
      world({ labels: [{ provider: "*", role: "*", resourceScope: "*", labels: { blast_radius: "high" } }] }),
      (process) =>
        Effect.gen(function* () {
          const active = yield* process.elevations.request(ana, ask("reader"), origin)
          assert.deepStrictEqual(active.labels, { blast_radius: "high", facts_ok: true })
        })
    )
  )
})

describe("a list", () => {
  it.effect("shows one's own, what one may decide, or everything to those who audit", () =>
    inWorld(
      world({ rules: { admission: (input) => ({ allowed: input.user.groups.includes("security") }) } }),
      (process) =>
        Effect.gen(function* () {
          const mine = yield* process.elevations.request(ana, ask("admin"), origin)
          const hers = yield* process.elevations.request(amy, ask("admin"), origin)
          const agents = yield* process.elevations.request(scout, ask("admin"), origin)
          const ids = (by: SignIn, forMe = false) =>
            Effect.map(process.elevations.list(by, { filter: {}, limit: 10, forMe }), (page) =>
              page.items.map((one) => one.id).sort()
            )
          // Hers, and what her agent asked for.
          assert.deepStrictEqual(yield* ids(ana), [mine.id, agents.id].sort())
          assert.deepStrictEqual(yield* ids(olga), [mine.id, hers.id, agents.id].sort())
          assert.deepStrictEqual(yield* ids(ben), [mine.id, hers.id, agents.id].sort())
          assert.deepStrictEqual(yield* ids(dave), [])
          yield* process.principals.signIn({ ...ana, groups: ["sre", "sre-leads"] })
          assert.deepStrictEqual(yield* ids(ana, true), [hers.id])
        })
    )
  )

  it.effect("of what waits for somebody has nothing that they approved already", () =>
    inWorld(world(), (process) =>
      Effect.gen(function* () {
        const asked = yield* process.elevations.request(ana, ask("two"), origin)
        const forMe = (by: SignIn) =>
          Effect.map(process.elevations.list(by, { filter: {}, limit: 10, forMe: true }), ({ items }) => items.length)
        assert.strictEqual(yield* forMe(ben), 1)
        yield* approve(process, ben, asked)
        assert.deepStrictEqual([yield* forMe(ben), yield* forMe(bea)], [0, 1])
        assert.strictEqual(yield* process.elevations.mayDecide(ben, asked.id), false)
        assert.strictEqual(yield* process.elevations.mayDecide(bea, asked.id), true)
      })
    )
  )

  it.effect("of what no policy names anybody for is asked of policy one by one", () =>
    inWorld(
      world({
        rules: {
          routing: () => ({ tier: "human", openQuorum: 1 }),
          admission: (input) => ({ allowed: input.user.groups.includes("security") && input.request.role === "admin" })
        }
      }),
      (process) =>
        Effect.gen(function* () {
          const one = yield* process.elevations.request(ana, ask("admin"), origin)
          yield* process.elevations.request(ana, ask("other"), origin)
          const page = yield* process.elevations.list(sam, { filter: {}, limit: 10 })
          assert.deepStrictEqual(
            page.items.map((item) => item.id),
            [one.id]
          )
          assert.strictEqual((yield* approve(process, sam, one)).state, "ACTIVE")
        })
    )
  )
})

describe("how somebody signed in", () => {
  it.effect("is what policy sees of the sign-in that they act with, whatever a newer one of theirs says", () =>
    inWorld(
      world({
        rules: { eligibility: ({ user }) => ({ allowed: user.amr.includes("hwk"), reasons: ["use a security key"] }) }
      }),
      ({ elevations, principals }) =>
        Effect.gen(function* () {
          yield* principals.signIn({ ...ana, amr: ["hwk"], groupsReadAt: yield* clock })
          const password = { ...ana, amr: ["pwd"] }
          assert.strictEqual(yield* refusalOf(elevations.request(password, ask("reader"), origin)), "not_eligible")
          const strong = yield* elevations.request({ ...ana, amr: ["hwk"] }, ask("reader"), origin)
          assert.strictEqual(strong.state, "ACTIVE")
        })
    )
  )
})
