import { assert, describe, it } from "@effect/vitest"
import type { Evaluation, PolicyAnswer, RuleAnswer } from "../src/Evaluation.ts"
import * as Combine from "../src/Combine.ts"
import { random } from "./builtinCases.ts"

const value = (given: unknown): RuleAnswer => ({ state: "value", value: given })
const broken: RuleAnswer = { state: "failed", message: "conflict" }

const answer = (
  policy: string,
  type: PolicyAnswer["type"],
  rules: Readonly<Record<string, unknown>>
): PolicyAnswer => ({
  policy,
  type,
  rules: Object.fromEntries(
    Object.entries(rules).map(([rule, one]) => [
      rule,
      one === broken ? broken : one === undefined ? { state: "undefined" as const } : value(one)
    ])
  )
})
const of = (...answers: ReadonlyArray<PolicyAnswer>): Evaluation => ({ answers })
const e = (policy: string, rules: Readonly<Record<string, unknown>>) => answer(policy, "eligibility", rules)
const a = (policy: string, rules: Readonly<Record<string, unknown>>) => answer(policy, "approval", rules)
const b = (policy: string, rules: Readonly<Record<string, unknown>>) => answer(policy, "breakglass", rules)

const may = (evaluation: Evaluation, seconds = 600) => Combine.eligibility("request", seconds, evaluation)

describe("eligibility", () => {
  it("nobody is allowed without a policy", () => {
    assert.isFalse(may(of()).allowed)
  })

  it("one policy that allows is enough", () => {
    assert.isTrue(may(of(e("p", { allow: true }), e("q", { allow: false }))).allowed)
  })

  it("a denial wins over every allowance, and everybody's denials are told", () => {
    const verdict = may(of(e("p", { allow: true }), e("q", { deny: ["b"] }), e("r", { deny: ["c"] })))
    assert.isFalse(verdict.allowed)
    assert.deepStrictEqual(verdict.reasons, ["b", "c"])
  })

  it("a policy allows with its own cap, never with another's", () => {
    const caps = of(
      e("short", { allow: true, max_duration_seconds: 100 }),
      e("other", { allow: false, max_duration_seconds: 9999 })
    )
    assert.isFalse(may(caps, 101).allowed)
    assert.isTrue(may(caps, 100).allowed)
    assert.include(may(caps, 101).reasons.join(), "at most 100 s")
  })

  it.each([["yes"], [1], [{}], [[]]])("%j for allow denies in the policy's name", (wrong) => {
    const verdict = may(of(e("p", { allow: true }), e("odd", { allow: wrong })))
    assert.isFalse(verdict.allowed)
    assert.include(verdict.reasons.join(), "policy odd: allow must be a boolean")
  })

  it("a conflict denies in the policy's name", () => {
    const verdict = may(of(e("p", { allow: true }), e("odd", { allow: broken })))
    assert.isFalse(verdict.allowed)
    assert.include(verdict.reasons.join(), "policy odd")
  })

  it("a set with something else than text denies", () => {
    assert.isFalse(may(of(e("p", { allow: true, deny: [1] }))).allowed)
  })

  it("reasons of all policies reach the requester", () => {
    assert.deepStrictEqual(may(of(e("p", { reason: "one" }), e("q", { reason: "two" }))).reasons, ["one", "two"])
  })

  it("the widest total of those that allow counts, and one without means the default", () => {
    assert.strictEqual(
      may(of(e("p", { allow: true, max_total_seconds: 10 }), e("q", { allow: true, max_total_seconds: 20 })))
        .maxTotalSeconds,
      20
    )
    assert.isNull(may(of(e("p", { allow: true, max_total_seconds: 10 }), e("q", { allow: true }))).maxTotalSeconds)
  })

  it("an evaluation that was cut denies", () => {
    const verdict = may({ failure: { policy: "slow", reason: "budget", message: "too slow" } })
    assert.isFalse(verdict.allowed)
    assert.deepStrictEqual(
      verdict.findings.map((one) => one.policy),
      ["slow"]
    )
  })
})

describe("break-glass", () => {
  const broke = (evaluation: Evaluation) => Combine.eligibility("break_glass", 600, evaluation)

  it("needs its own allowance; eligibility's is not enough", () => {
    assert.isFalse(broke(of(e("p", { allow: true }))).allowed)
    assert.isTrue(broke(of(b("g", { allow: true }))).allowed)
  })

  it("is bound by eligibility's denials", () => {
    assert.isFalse(broke(of(b("g", { allow: true }), e("p", { deny: ["no"] }))).allowed)
  })

  it("an open review blocks if any policy says so", () => {
    assert.isTrue(broke(of(b("g", { allow: true }), b("h", { block_on_open_review: true }))).blockOnOpenReview)
    assert.isFalse(broke(of(b("g", { allow: true, block_on_open_review: false }))).blockOnOpenReview)
  })
})

describe("routing", () => {
  const tier = (...rules: ReadonlyArray<Readonly<Record<string, unknown>>>) =>
    Combine.routing(of(...rules.map((one, index) => a(`p${index}`, one)))).tier

  it.each([
    [[], "human"],
    [[{}], "human"],
    [[{ approver_tier: "auto" }], "auto"],
    [[{ approver_tier: "auto" }, {}], "auto"],
    [[{ approver_tier: "auto" }, { approver_tier: "ai_review" }], "ai_review"],
    [[{ approver_tier: "ai_review" }, { approver_tier: "human" }], "human"],
    [[{ approver_tier: "auto" }, { approver_tier: "human" }], "human"],
    [[{ approver_tier: "auto" }, { approver_tier: "nonsense" }], "human"],
    [[{ approver_tier: "auto" }, { approver_tier: 7 }], "human"],
    [[{ approver_tier: "auto" }, { approver_tier: broken }], "human"]
  ] as const)("%j is %s", (rules, expected) => {
    assert.strictEqual(tier(...rules), expected)
  })

  it("each policy that names somebody is a stage with its own quorum", () => {
    const { openQuorum, stages } = Combine.routing(
      of(
        a("p", { approver_group: "leads", min_approvals: 2 }),
        a("q", { approvers: ["Ann@Example.test", "group:sec", "user:i#s", "ops"] }),
        a("r", { min_approvals: 3 })
      )
    )
    assert.deepStrictEqual(stages, [
      { policy: "p", groups: ["leads"], users: [], quorum: 2 },
      { policy: "q", groups: ["ops", "sec"], users: ["ann@example.test", "i#s"], quorum: 1 }
    ])
    assert.strictEqual(openQuorum, 3)
  })

  it("an empty set of approvers names nobody and makes no stage", () => {
    assert.deepStrictEqual(Combine.routing(of(a("p", { approvers: [] }))).stages, [])
  })

  it.each([[0], [-1], [1.5], ["2"]])("min_approvals %j makes a stage that nobody can meet", (minimum) => {
    const { stages, tier: routed } = Combine.routing(
      of(a("p", { approver_group: "leads", min_approvals: minimum, approver_tier: "auto" }))
    )
    assert.deepStrictEqual(stages, [{ policy: "p", groups: [], users: [], quorum: 1 }])
    assert.strictEqual(routed, "human")
  })
})

describe("admission", () => {
  const admit = (
    action: "approve" | "deny" | "ai_approve" | "revoke",
    kind: string,
    ...answers: ReadonlyArray<PolicyAnswer>
  ) => Combine.admission(action, kind, of(...answers))

  it("some policy's allow admits, none denies", () => {
    assert.isTrue(admit("approve", "human", a("p", { allow: true }), a("q", { allow: false })).allowed)
    assert.isFalse(admit("approve", "human").allowed)
  })

  it("a denial is final and told", () => {
    const verdict = admit("approve", "human", a("p", { allow: true }), a("q", { deny: ["not on Fridays"] }))
    assert.deepInclude(verdict, { allowed: false, denied: true, reasons: ["not on Fridays"] })
  })

  it("allow never admits an agent; ai_allow does, and has no default", () => {
    assert.isFalse(admit("approve", "agent", a("p", { allow: true })).allowed)
    assert.isFalse(admit("ai_approve", "agent", a("p", { allow: true })).allowed)
    assert.isTrue(admit("ai_approve", "agent", a("p", { ai_allow: true })).allowed)
    assert.isFalse(admit("ai_approve", "agent", a("p", { ai_allow: true }), a("q", { deny: ["no"] })).allowed)
  })

  it("what fails denies", () => {
    assert.isTrue(admit("approve", "human", a("p", { allow: true }), a("q", { allow: broken })).denied)
    assert.isTrue(
      Combine.admission("approve", "human", { failure: { policy: null, reason: "crash", message: "x" } }).denied
    )
  })
})

describe("any set of policies", () => {
  const options = {
    allow: [undefined, true, true, false, false, "yes", broken],
    deny: [undefined, undefined, undefined, [], ["no"], [1], broken],
    max_duration_seconds: [undefined, 100, 1000, "x"],
    approver_tier: [undefined, "auto", "ai_review", "human", "odd", broken],
    approver_group: [undefined, "leads", ""],
    min_approvals: [undefined, 1, 2, 0]
  } as const
  const pick = (next: (below: number) => number, names: ReadonlyArray<keyof typeof options>) =>
    Object.fromEntries(names.map((name) => [name, options[name][next(options[name].length)]]))
  const rank = { auto: 0, ai_review: 1, human: 2 }

  it("the order does not matter, a denier only forbids, a router only restricts (2,000 sets)", () => {
    const next = random(7).below
    let allowed = 0
    for (let run = 0; run < 2000; run++) {
      const eligible = Array.from({ length: next(4) + 1 }, (_, i) =>
        e(`e${i}`, pick(next, ["allow", "deny", "max_duration_seconds"]))
      )
      const routers = Array.from({ length: next(4) + 1 }, (_, i) =>
        a(`a${i}`, pick(next, ["approver_tier", "approver_group", "min_approvals"]))
      )
      const verdict = may(of(...eligible), 500)
      if (verdict.allowed) allowed++
      assert.strictEqual(may(of(...[...eligible].reverse()), 500).allowed, verdict.allowed)
      assert.isFalse(may(of(...eligible, e("denier", { deny: ["no"] })), 500).allowed)
      if (!verdict.allowed) assert.isFalse(may(of(...eligible, e("neutral", {})), 500).allowed)
      const routed = Combine.routing(of(...routers))
      const more = Combine.routing(of(...routers, a("more", { approver_tier: "human", approver_group: "extra" })))
      assert.strictEqual(more.tier, "human")
      assert.isAtLeast(more.stages.length, routed.stages.length + 1)
      assert.strictEqual(rank[Combine.routing(of(...[...routers].reverse())).tier], rank[routed.tier])
    }
    // The generator must also produce what is allowed, or nothing was tried.
    assert.isAbove(allowed, 50)
  })
})
