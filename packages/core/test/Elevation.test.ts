/** The rule book by example: each refusal and each step, on plain data. Random play is in `Elevation.prop.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { decide, type Actor, type Approve, type Command, type Facts, type Submit } from "../src/Elevation.ts"
import { apply, evolve, ImpossibleEvent, type Event } from "../src/Event.ts"
import type { Lock } from "../src/Lock.ts"
import { partyOf, type Principal } from "../src/Principal.ts"
import { ProviderError } from "../src/Provider.ts"
import * as Records from "../src/Records.ts"
import { states, terminal, type Request, type State } from "../src/Request.ts"
import { defaults } from "../src/Settings.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import * as Times from "../src/Time.ts"
import { jobId, resourceKeyOf, workOf } from "../src/Work.ts"
import { endRetrySeconds } from "../src/rules/Ending.ts"
import { openStages } from "../src/rules/Deciding.ts"
import { isNamed, isUnmeetable, tooLong } from "../src/rules/Standing.ts"
import { mostRestrictive } from "../src/rules/Submitting.ts"

const { ana, ben, cleo, monday, scout, stray } = Fixtures

const actor = (principal: Principal, owners: ReadonlyArray<Principal> = []): Actor => ({
  principal,
  party: partyOf(principal, owners)
})

const facts = (more: Partial<Facts> = {}): Facts => ({
  now: Times.plusSeconds(monday, 60),
  locks: { revision: 0, active: [] },
  settings: { ...defaults, alertChannels: ["log"] },
  ...more
})

const locked = (...active: ReadonlyArray<Lock>): Facts => facts({ locks: { revision: 1, active } })

const answers = {
  revision: 1,
  hash: "1".repeat(64),
  eligibility: { allowed: true, reasons: [], maxTotalSeconds: null, blockOnOpenReview: false, findings: [] },
  routing: {
    tier: "human" as const,
    stages: [{ policy: "sre", groups: ["sre-leads"], users: [], quorum: 1 }],
    openQuorum: 1,
    findings: []
  },
  heldSeconds: 0
}

const neutral = { allowed: false, denied: false, reasons: [], findings: [] }

const approve = (more: Partial<Approve> = {}): Approve => ({
  type: "Approve",
  by: actor(ben),
  comment: "as agreed",
  digest: Fixtures.digest,
  admission: neutral,
  requester: actor(ana),
  earlier: [],
  answers,
  ...more
})

const submit = (more: Partial<Submit> = {}): Submit => ({
  type: "Submit",
  id: Fixtures.id("req", 1),
  by: actor(ana),
  asked: Fixtures.asked,
  roleAsked: "reader",
  digest: Fixtures.digest,
  checked: {},
  labels: { facts_ok: true },
  channel: "cli",
  sourceIp: "",
  extends: null,
  openReviews: 0,
  answers,
  ...more
})

const events = (request: Request | undefined, command: Command, at: Facts = facts()): ReadonlyArray<string> =>
  Result.getOrThrow(decide(request, command, at)).events.map((event) => event.type)

const code = (request: Request | undefined, command: Command, at: Facts = facts()): string => {
  const decided = decide(request, command, at)
  if (Result.isFailure(decided)) return decided.failure.code
  return decided.success.refused?.code ?? `events: ${decided.success.events.map((event) => event.type).join(", ")}`
}

const error = (effect: "none" | "unknown", retryable: boolean, retryAfterSeconds?: number): ProviderError =>
  new ProviderError({
    provider: "mock",
    reason: "ProviderUnavailable",
    retryable,
    effect,
    message: "no",
    hint: "",
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
  })

describe("every command", () => {
  const commands: ReadonlyArray<Command> = [
    approve(),
    { ...approve(), type: "Deny" },
    { type: "Recheck", requester: actor(ana), earlier: [], answers },
    {
      type: "AiDecide",
      by: actor(scout, [ana]),
      verdict: "approve",
      reasoning: "",
      confidence: 1,
      risk: "",
      model: "",
      digest: "",
      version: 1,
      malformed: null,
      admission: neutral,
      requester: actor(ana),
      answers
    },
    { type: "Cancel", by: actor(ana), reason: "" },
    { type: "Revoke", by: actor(ana), reason: "", admin: false, admission: neutral },
    { type: "LockHit", requester: actor(ana) },
    { type: "Deadline" },
    { type: "StartGrant", resourceKey: "k", requester: actor(ana) },
    {
      type: "GrantSucceeded",
      granted: { issuedAt: monday, notAfter: Times.plusSeconds(monday, 60), reference: {}, credentials: {} }
    },
    { type: "GrantRefused", error: error("unknown", false) },
    { type: "LeaseLost", granted: undefined },
    {
      type: "LeaseLost",
      granted: { issuedAt: monday, notAfter: Times.plusSeconds(monday, 60), reference: {}, credentials: {} }
    },
    { type: "Expire" },
    { type: "EndConfirmed", note: null },
    { type: "EndRefused", error: error("none", true) },
    { type: "RemovedExternally" },
    { type: "ReadCredentials", by: actor(ana) },
    { type: "RemindReview" },
    { type: "CloseReview", by: actor(cleo), admin: true, comment: "x", requester: actor(ana) },
    { type: "LinkExtension", extension: "req_x" }
  ]

  for (const state of states) {
    it(`has an answer on a request that is ${state}, and what is over stays over`, () => {
      for (const command of commands) {
        for (const now of [60, 24 * 3600, 90 * 24 * 3600]) {
          const before = Fixtures.inState[state]
          const at = facts({ now: Times.plusSeconds(monday, now) })
          const decided = decide(before, command, at)
          if (Result.isFailure(decided) || decided.success.events.length === 0) continue
          const after = apply(before, decided.success.events, at.now)
          assert.strictEqual(after.version, before.version + 1)
          if (terminal.has(state)) assert.strictEqual(after.state, state, command.type)
          for (const event of decided.success.events) {
            workOf(event, after, at.now, "k")
            const records = Records.recordsOf(event, after, Records.systemActor)
            for (const record of records) assert.strictEqual(record.requestId, before.id)
          }
        }
      }
    })
  }

  it("on a request that is not there is not found", () => {
    for (const command of commands) assert.strictEqual(code(undefined, command), "not_found")
  })
})

describe("asking", () => {
  const tier = (command: Submit, at = facts()): string => {
    const decided = Result.getOrThrow(decide(undefined, command, at))
    return apply(undefined, decided.events, at.now).routing.tier
  }
  const auto = { ...answers, routing: { ...answers.routing, tier: "auto" as const } }
  const review = { ...answers, routing: { ...answers.routing, tier: "ai_review" as const } }

  it("in each tier begins as it must", () => {
    assert.deepStrictEqual(events(undefined, submit()), ["Created"])
    assert.deepStrictEqual(events(undefined, submit({ answers: review })), ["Created"])
    assert.deepStrictEqual(events(undefined, submit({ answers: auto })), ["Created", "Approved"])
  })

  it("as an agent that nobody answers for, or without facts, takes people", () => {
    assert.strictEqual(tier(submit({ answers: auto, by: actor(stray) })), "human")
    assert.strictEqual(tier(submit({ answers: review, by: actor(stray) })), "human")
    assert.strictEqual(tier(submit({ answers: auto, by: actor(scout, [ana]) })), "auto")
    assert.strictEqual(tier(submit({ answers: auto, labels: { facts_ok: false } })), "human")
  })

  it("gives the agent five minutes, never more than the request has", () => {
    const decide5 = Result.getOrThrow(decide(undefined, submit({ answers: review }), facts()))
    const request = apply(undefined, decide5.events, facts().now)
    assert.strictEqual(request.decideBy, Times.plusSeconds(facts().now, 300))
    const short = facts({ settings: { ...defaults, pendingSeconds: 100 } })
    const least = apply(
      undefined,
      Result.getOrThrow(decide(undefined, submit({ answers: review }), short)).events,
      short.now
    )
    assert.strictEqual(least.decideBy, least.lapsesAt)
  })

  it("beyond the longest unbroken time is refused: policy's word goes before the default, either way", () => {
    const held = (maxTotalSeconds: number | null, heldSeconds: number) =>
      submit({ answers: { ...answers, heldSeconds, eligibility: { ...answers.eligibility, maxTotalSeconds } } })
    assert.strictEqual(code(undefined, held(null, 23 * 3600)), "events: Created")
    assert.strictEqual(code(undefined, held(null, 23 * 3600 + 1)), "not_eligible")
    assert.strictEqual(code(undefined, held(3600, 1)), "not_eligible")
    assert.strictEqual(code(undefined, held(48 * 3600, 30 * 3600)), "events: Created")
    assert.isUndefined(tooLong(answers.eligibility, defaults, 0, 24 * 3600))
  })

  it("of who is locked, or for what is locked, is refused before anything else", () => {
    for (const lock of Object.values(Fixtures.locks)) {
      assert.strictEqual(code(undefined, submit(), locked(lock)), "locked")
      assert.strictEqual(
        code(
          undefined,
          submit({ answers: { ...answers, eligibility: { ...answers.eligibility, allowed: false } } }),
          locked(lock)
        ),
        "locked"
      )
    }
    assert.strictEqual(code(undefined, submit({ by: actor(scout, [ana]) }), locked(Fixtures.locks.ana)), "locked")
  })
})

describe("an approval", () => {
  it("is refused in the order in which it should be said", () => {
    const request = Fixtures.pending()
    assert.strictEqual(code(Fixtures.inState.ACTIVE, approve()), "wrong_state")
    assert.strictEqual(code(request, approve({ digest: "other" })), "changed_meanwhile")
    assert.strictEqual(code(request, approve({ by: actor(scout, [ana]) })), "human_only")
    assert.strictEqual(code(request, approve({ by: actor(ana) })), "self_decision")
    assert.strictEqual(code(request, approve(), locked(Fixtures.locks.mock)), "locked")
    const stale = { ...ben, groupsReadAt: Times.plusSeconds(facts().now, -12 * 3600 - 1) }
    assert.strictEqual(code(request, approve({ by: actor(stale) })), "stale_groups")
    assert.strictEqual(code(request, approve({ admission: { ...neutral, denied: true } })), "not_approver")
    assert.strictEqual(code(request, approve({ by: actor(cleo) })), "not_approver")
    assert.strictEqual(code(request, approve()), "events: DecisionRecorded, Approved")
  })

  it("by somebody on whose address the requester's side has a claim is refused", () => {
    const namesake = { ...ben, email: ana.email }
    assert.strictEqual(code(Fixtures.pending(), approve({ by: actor(namesake) })), "self_decision")
    const changed = { ...ana, email: ben.email }
    assert.strictEqual(code(Fixtures.pending(), approve({ requester: actor(changed) })), "self_decision")
  })

  it("by somebody whom no stage names needs no `allow`, and where nobody is named `allow` decides", () => {
    const open = { ...answers, routing: { ...answers.routing, stages: [] } }
    assert.strictEqual(code(Fixtures.pending(), approve({ answers: open })), "not_approver")
    assert.strictEqual(
      code(Fixtures.pending(), approve({ answers: open, admission: { ...neutral, allowed: true } })),
      "events: DecisionRecorded, Rerouted, Approved"
    )
  })

  it("at the deadline is too late, a moment before it is not", () => {
    const request = Fixtures.pending()
    const fresh = { ...ben, groupsReadAt: request.lapsesAt }
    const asker = { ...ana, groupsReadAt: request.lapsesAt }
    const at = (now: number) => facts({ now: Times.make(now) })
    const command = approve({ by: actor(fresh), requester: actor(asker) })
    assert.strictEqual(code(request, command, at(request.lapsesAt)), "wrong_state")
    assert.strictEqual(code(request, command, at(request.lapsesAt - 1)), "events: DecisionRecorded, Approved")
  })

  it("that somebody else's word is passed off as is struck", () => {
    const request = Fixtures.pending({
      decisions: [Fixtures.decision("approve")],
      routing: {
        ...Fixtures.pending().routing,
        stages: [{ policy: "p", groups: ["sre-leads"], users: [], quorum: 2, unmeetable: false }]
      }
    })
    const two = {
      ...answers,
      routing: { ...answers.routing, stages: [{ policy: "p", groups: ["sre-leads"], users: [], quorum: 2 }] }
    }
    const lead = { ...cleo, groups: ["sre-leads"] }
    const other = { ...lead, subject: "dan", email: "dan@example.com" }
    const forged = approve({
      by: actor(lead),
      answers: two,
      earlier: [{ index: 0, actor: actor(other), admission: neutral }]
    })
    assert.deepStrictEqual(events(request, forged), ["DecisionRecorded", "DecisionStruck"])
    const honest = approve({
      by: actor(lead),
      answers: two,
      earlier: [{ index: 0, actor: actor(ben), admission: neutral }]
    })
    assert.deepStrictEqual(events(request, honest), ["DecisionRecorded", "Approved"])
  })

  it("moves the deadline with the tier when policy changed it", () => {
    const before = Fixtures.pending({
      routing: { ...Fixtures.pending().routing, tier: "ai_review" },
      decideBy: Times.plusSeconds(monday, 300)
    })
    const two = {
      ...answers,
      routing: { ...answers.routing, stages: [{ policy: "p", groups: ["sre-leads"], users: [], quorum: 2 }] }
    }
    const decided = Result.getOrThrow(decide(before, approve({ answers: two }), facts()))
    const after = apply(before, decided.events, facts().now)
    assert.deepStrictEqual([after.routing.tier, after.decideBy], ["human", before.lapsesAt])
    const jobs = decided.events.flatMap((event) => workOf(event, after, facts().now, "k").jobs)
    assert.deepStrictEqual(
      jobs.map((job) => job.id),
      [jobId.deadline(before.id, before.lapsesAt)]
    )
  })
})

describe("granting", () => {
  const approved = Fixtures.approved()
  const started = (attempts: number, more: Partial<NonNullable<Request["grant"]>> = {}): Request => ({
    ...approved,
    grant: {
      ...Fixtures.grant(monday),
      issuedAt: null,
      notAfter: null,
      providerNotAfter: null,
      reference: null,
      attempts,
      openAttempts: 1,
      ...more
    }
  })
  const start: Command = { type: "StartGrant", resourceKey: "k", requester: actor(ana) }

  it("is not begun for the locked, after its deadline, or after three attempts of unknown outcome", () => {
    assert.deepStrictEqual(events(approved, start), ["GrantStarted"])
    assert.deepStrictEqual(events(approved, start, locked(Fixtures.locks.ana)), ["EndingBegun"])
    const late = facts({ now: approved.startBy ?? monday })
    assert.deepStrictEqual(events(approved, start, late), ["EndingBegun"])
    assert.deepStrictEqual(events(started(3, { openAttempts: 3 }), start), ["EndingBegun"])
    assert.deepStrictEqual(events(started(3, { openAttempts: 2 }), start), ["GrantStarted"])
    assert.deepStrictEqual(events(Fixtures.inState.ACTIVE, start), [])
  })

  it("takes the shorter of what was approved and what the provider enforces, from when it granted", () => {
    const granted = (issued: number, until: number): Command => ({
      type: "GrantSucceeded",
      granted: {
        issuedAt: Times.plusSeconds(monday, issued),
        notAfter: Times.plusSeconds(monday, until),
        reference: {},
        credentials: {}
      }
    })
    const end = (issued: number, until: number) => {
      const decided = Result.getOrThrow(decide(started(1), granted(issued, until), facts()))
      const after = apply(started(1), decided.events, facts().now)
      return Times.secondsBetween(monday, after.grant?.notAfter ?? monday)
    }
    assert.strictEqual(end(60, 3660), 3660)
    assert.strictEqual(end(60, 600), 600)
    assert.strictEqual(end(60, 36_000), 3660)
    // A platform whose clock is ahead gives nobody more time.
    assert.strictEqual(end(120, 36_000), 3660)
    assert.strictEqual(end(30, 36_000), 3630)
  })

  it("fails only when all attempts were refused without effect", () => {
    const refused = (effect: "none" | "unknown", retryable: boolean): Command => ({
      type: "GrantRefused",
      error: error(effect, retryable)
    })
    assert.deepStrictEqual(events(started(1), refused("none", false)), ["GrantAttemptFailed", "GrantFailed"])
    assert.deepStrictEqual(events(started(1), refused("none", true)), ["GrantAttemptFailed"])
    assert.deepStrictEqual(events(started(1), refused("unknown", true)), ["GrantAttemptFailed"])
    assert.deepStrictEqual(events(started(1), refused("unknown", false)), ["GrantAttemptFailed", "EndingBegun"])
    assert.deepStrictEqual(events(started(2, { openAttempts: 2 }), refused("none", false)), [
      "GrantAttemptFailed",
      "EndingBegun"
    ])
    assert.deepStrictEqual(events(started(3, { openAttempts: 3 }), refused("unknown", true)), [
      "GrantAttemptFailed",
      "EndingBegun"
    ])
  })

  it("under a lost lease is taken back in every state", () => {
    const late: Command = {
      type: "LeaseLost",
      granted: { issuedAt: monday, notAfter: Times.plusSeconds(monday, 60), reference: { s: 1 }, credentials: {} }
    }
    assert.deepStrictEqual(events(started(1), late), ["GrantArrivedLate", "EndingBegun"])
    assert.deepStrictEqual(events(Fixtures.inState.ACTIVE, late), ["GrantArrivedLate", "EndingBegun"])
    assert.deepStrictEqual(events(Fixtures.inState.ENDING, late), ["GrantArrivedLate"])
    for (const state of ["REVOKED", "EXPIRED"] as const) {
      const before = Fixtures.inState[state]
      const decided = Result.getOrThrow(decide(before, late, facts()))
      const after = apply(before, decided.events, facts().now)
      assert.strictEqual(after.state, state)
      const jobs = decided.events.flatMap((event) => workOf(event, after, facts().now, "k").jobs)
      assert.deepStrictEqual(
        jobs.map((job) => [job.kind, job.runAt]),
        [["end", facts().now]]
      )
    }
  })

  it("keeps the resource key of its first attempt", () => {
    const before = started(1)
    const after = evolve(before, { type: "GrantStarted", resourceKey: "another", latestEnd: monday }, monday)
    assert.strictEqual(after.grant?.resourceKey, before.grant?.resourceKey)
    assert.strictEqual(resourceKeyOf(undefined, after), before.grant?.resourceKey)
    assert.strictEqual(resourceKeyOf(undefined, approved), `mock:${approved.id}`)
  })
})

describe("ending", () => {
  it("is tried again after 2, 4, 8 ... seconds, at most 5 minutes, or when the platform says", () => {
    const after = [0, 1, 2, 3, 8, 9, 50].map((attempts) => endRetrySeconds(attempts, error("none", true)))
    assert.deepStrictEqual(after, [2, 4, 8, 16, 300, 300, 300])
    assert.strictEqual(endRetrySeconds(0, error("none", true, 900)), 900)
  })

  it("a second time is due after a repeated, unknown or open attempt, and not otherwise", () => {
    const sweep = (more: Partial<NonNullable<Request["grant"]>>) => {
      const ending = Fixtures.ending(Fixtures.active(Fixtures.approved(), more))
      const decided = Result.getOrThrow(decide(ending, { type: "EndConfirmed", note: null }, facts()))
      return apply(ending, decided.events, facts().now).grant?.sweepAgainAt
    }
    assert.isNull(sweep({}))
    const due = Times.plusSeconds(facts().now, defaults.leaseSeconds + defaults.callTimeoutSeconds)
    assert.strictEqual(sweep({ attempts: 2 }), due)
    assert.strictEqual(sweep({ openAttempts: 1 }), due)
    assert.strictEqual(sweep({ outcomeUnknown: true }), due)
  })

  it("by its own time begins at notAfter to the millisecond", () => {
    const active = Fixtures.inState.ACTIVE
    const at = active.grant?.notAfter ?? monday
    assert.deepStrictEqual(events(active, { type: "Expire" }, facts({ now: Times.plusMillis(at, -1) })), [])
    assert.deepStrictEqual(events(active, { type: "Expire" }, facts({ now: at })), ["EndingBegun"])
  })
})

describe("an event that cannot follow", () => {
  it("is a bug, and dies", () => {
    const impossible: ReadonlyArray<readonly [State, Exclude<Event, { type: "Created" }>]> = [
      ["REVOKED", { type: "Lapsed" }],
      ["EXPIRED", { type: "GrantFailed", outcome: "" }],
      ["PENDING", { type: "GrantAttemptFailed", error: "", reason: "", effect: "none" }],
      ["PENDING", { type: "Ended", note: null, sweepAgainAt: null }],
      ["PENDING", { type: "ReviewReminded" }]
    ]
    for (const [state, event] of impossible) {
      assert.throws(() => evolve(Fixtures.inState[state], event, monday), ImpossibleEvent)
    }
    assert.throws(() => apply(undefined, [], monday), ImpossibleEvent)
    assert.throws(() => apply(undefined, [{ type: "Lapsed" }], monday), ImpossibleEvent)
  })
})

describe("standing", () => {
  it("is named by group, verified address or key, each exactly", () => {
    const named = (groups: ReadonlyArray<string>, users: ReadonlyArray<string>) => isNamed({ groups, users }, ben)
    assert.isTrue(named(["sre-leads"], []))
    assert.isTrue(named([], ["ben@example.com"]))
    assert.isTrue(named([], ["https://login.example#ben"]))
    assert.isFalse(named(["SRE-LEADS"], ["Ben@example.com", "ben"]))
  })

  it("shows a stage that nobody can meet as such", () => {
    const party = partyOf(ana, [])
    assert.isTrue(isUnmeetable({ groups: [], users: [] }, party))
    assert.isTrue(isUnmeetable({ groups: [], users: ["ana@example.com"] }, party))
    assert.isFalse(isUnmeetable({ groups: [], users: ["ana@example.com", "ben@example.com"] }, party))
    assert.isFalse(isUnmeetable({ groups: ["sre"], users: [] }, party))
  })

  it("of tiers is the most restrictive", () => {
    assert.strictEqual(mostRestrictive("auto", "ai_review"), "ai_review")
    assert.strictEqual(mostRestrictive("human", "ai_review"), "human")
    assert.strictEqual(mostRestrictive("auto", "auto"), "auto")
  })

  it("of stages says who is missing", () => {
    const stage = { policy: "p", groups: ["sre-leads"], users: [], quorum: 2, unmeetable: false }
    const counting = [{ who: ben, party: partyOf(ben, []) }]
    assert.deepStrictEqual(openStages([stage], 1, counting), ["1 of group sre-leads"])
    assert.deepStrictEqual(openStages([], 3, counting), ["2 more whom policy admits"])
    assert.deepStrictEqual(openStages([{ ...stage, quorum: 1 }], 1, counting), [])
  })
})

describe("a routing that comes back from a store with its members in another order", () => {
  /** The same data, every object's members the other way round. */
  const reversed = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(reversed)
      : typeof value === "object" && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, one]) => [key, reversed(one)])
          )
        : value

  it("is no other routing", () => {
    const created = decide(undefined, submit(), facts())
    assert.isTrue(Result.isSuccess(created))
    if (!Result.isSuccess(created)) return
    const pending = apply(undefined, created.success.events, monday)
    const routing = reversed(pending.routing)
    const stored = JSON.parse(JSON.stringify({ ...pending, routing })) as Request
    assert.notInclude(events(stored, approve()), "Rerouted")
    assert.include(events({ ...stored, routing: { ...stored.routing, openQuorum: 2 } }, approve()), "Rerouted")
  })
})
