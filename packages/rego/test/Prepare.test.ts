import { assert, layer } from "@effect/vitest"
import { Policy, PolicyFacts, Principal, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Compiler } from "../src/Compiler.ts"
import * as Prepare from "../src/Prepare.ts"
import * as ServedPolicies from "../src/ServedPolicies.ts"

const now = Time.make(1_767_261_600_000)
const by = { ...Principal.system, email: null }

const draft = (
  name: string,
  type: Prepare.Draft["type"],
  source: string,
  more: Partial<Prepare.Draft> = {}
): Prepare.Draft => ({
  name,
  type,
  description: "",
  enabled: true,
  files: [{ path: "policy.rego", source }],
  ...more
})
const eligibility = (name: string, body: string, more: Partial<Prepare.Draft> = {}) =>
  draft(name, "eligibility", `package jitsudo.eligibility\n\n${body}\n`, more)
const approval = (name: string, body: string) => draft(name, "approval", `package jitsudo.approval\n\n${body}\n`)

const prepare = (...drafts: ReadonlyArray<Prepare.Draft>) => Prepare.prepare(drafts, { before: [], now, by })

const input = (
  action: Policy.PolicyAction,
  more: { readonly role?: string; readonly seconds?: number; readonly groups?: ReadonlyArray<string> }
) => {
  const principal: Principal.Principal = {
    issuer: "https://idp.test",
    subject: "alice",
    version: 1,
    email: "alice@example.test",
    groups: more.groups ?? ["sre"],
    groupsReadAt: now,
    kind: "human",
    owner: null,
    trustTier: 0,
    trustNotes: "",
    openReviews: 0,
    authTime: null,
    amr: [],
    firstSeenAt: now
  }
  const actor = { principal, party: [] }
  return PolicyFacts.inputOf({
    action,
    now,
    user: actor,
    requester: actor,
    request: {
      id: "req_1",
      asked: {
        provider: "aws",
        role: more.role ?? "admin",
        resourceScope: "123456789012",
        durationSeconds: more.seconds ?? 600,
        reason: "INC-1",
        metadata: {},
        breakGlass: action === "break_glass"
      },
      roleAsked: "admin",
      createdAt: now,
      labels: {},
      channel: "test",
      sourceIp: "",
      decisions: []
    },
    activeGrants: [],
    heldSeconds: 0
  })
}

/** Prepare a set and serve it as revision 1, as a daemon does. */
const served = <A, E>(
  drafts: ReadonlyArray<Prepare.Draft>,
  use: Effect.Effect<A, E, Policy.Policy>,
  options: { readonly budgetMillis?: number; readonly onOverBudget?: (policy: string) => void } = {}
) =>
  Effect.flatMap(prepare(...drafts), ({ policies }) =>
    Effect.provide(use, ServedPolicies.layer({ ...options, load: () => Effect.succeed(policies) }))
  )

const rejection = (...drafts: ReadonlyArray<Prepare.Draft>) =>
  Effect.flip(prepare(...drafts)).pipe(
    Effect.map((error) => (error._tag === "PolicyRejected" ? error.message : error._tag))
  )

layer(Compiler.layer, { excludeTestServices: true, timeout: "2 minutes" })("applying policy", (it) => {
  it.effect("two policies with the same default live side by side; one that allows is enough", () =>
    served(
      [
        eligibility("one", `default allow := false`),
        eligibility("two", `default allow := false\nallow if "sre" in input.requester.groups`)
      ],
      Effect.gen(function* () {
        const policy = yield* Policy.Policy
        assert.isTrue((yield* policy.eligibility(1, input("request", {}))).allowed)
        assert.isFalse((yield* policy.eligibility(1, input("request", { groups: ["x"] }))).allowed)
      })
    )
  )

  it.effect("a human default is no opinion: beside it a second policy of the same shape still yields auto", () =>
    served(
      [
        approval(
          "reads",
          `default approver_tier := "human"\napprover_tier := "auto" if startswith(input.request.role, "read")`
        ),
        approval(
          "tickets",
          `default approver_tier := "human"\napprover_tier := "ai_review" if input.request.role == "deployer"`
        )
      ],
      Effect.gen(function* () {
        const policy = yield* Policy.Policy
        assert.strictEqual((yield* policy.routing(1, input("route", { role: "reader" }))).tier, "auto")
        assert.strictEqual((yield* policy.routing(1, input("route", { role: "deployer" }))).tier, "ai_review")
        assert.strictEqual((yield* policy.routing(1, input("route", { role: "admin" }))).tier, "human")
      })
    )
  )

  it.effect("nothing is allowed where there is no policy", () =>
    served(
      [],
      Effect.gen(function* () {
        const policy = yield* Policy.Policy
        assert.isFalse((yield* policy.eligibility(1, input("request", {}))).allowed)
        assert.strictEqual((yield* policy.routing(1, input("route", {}))).tier, "human")
        assert.isFalse((yield* policy.admission(1, input("approve", {}))).allowed)
      })
    )
  )

  it.effect("a disabled policy says nothing, but must compile", () =>
    Effect.gen(function* () {
      yield* served(
        [eligibility("off", `allow := true`, { enabled: false })],
        Effect.gen(function* () {
          const policy = yield* Policy.Policy
          assert.isFalse((yield* policy.eligibility(1, input("request", {}))).allowed)
        })
      )
      assert.include(yield* rejection(eligibility("off", `allow if nonsense(`, { enabled: false })), "off")
    })
  )

  it.effect("a policy that is cut denies, is named, and others are served meanwhile", () => {
    const cut: Array<string> = []
    const busy = `n := numbers.range(1, 3000)\nallow if count([1 | some a in n; some b in n; some c in n; a > b; b > c; c > a]) > 0`
    return served(
      [eligibility("busy", busy), eligibility("fine", `allow := true`)],
      Effect.gen(function* () {
        const policy = yield* Policy.Policy
        for (let round = 0; round < 2; round++) {
          const verdict = yield* policy.eligibility(1, input("request", {}))
          assert.isFalse(verdict.allowed)
          assert.include(
            verdict.findings.map((one) => one.policy),
            "busy"
          )
          // Routing does not ask the slow policy: it must still answer.
          assert.strictEqual((yield* policy.routing(1, input("route", {}))).tier, "human")
        }
        assert.deepStrictEqual(cut, ["busy", "busy"])
      }),
      { budgetMillis: 50, onOverBudget: (policy) => cut.push(policy) }
    )
  })

  it.effect("an input that is too large is a denial", () =>
    served(
      [eligibility("fine", `allow := true`)],
      Effect.gen(function* () {
        const policy = yield* Policy.Policy
        const large = input("request", {
          groups: Array.from({ length: 5000 }, (_, i) => `group-${i}-${"x".repeat(20)}`)
        })
        assert.isFalse((yield* policy.eligibility(1, large)).allowed)
      })
    )
  )

  it.effect("a revision that cannot be loaded is unavailable, never another one", () =>
    Effect.gen(function* () {
      const policy = yield* Policy.Policy
      const error = yield* Effect.flip(policy.eligibility(7, input("request", {})))
      assert.strictEqual(error._tag, "PolicyUnavailable")
      assert.include(error.message, "revision 7")
    }).pipe(Effect.provide(ServedPolicies.layer({ load: () => Effect.fail({ message: "the store is away" }) })))
  )

  const refusals: ReadonlyArray<readonly [what: string, expected: string, ...drafts: ReadonlyArray<Prepare.Draft>]> = [
    ["another package", "jitsudo.other", draft("p", "eligibility", "package jitsudo.other\nallow := true")],
    ["no rule that is read", "none of the rules", eligibility("p", `helper := true`)],
    ["a rule of a type that can never be right", "allow must be a boolean", eligibility("p", `allow := "yes"`)],
    ["a deny that is no set", "deny must be a set of strings", eligibility("p", `deny := true`)],
    ["a function for a rule", "not a function", eligibility("p", `allow(x) if x`)],
    ["a default tier that is not human", 'can only be "human"', approval("p", `default approver_tier := "auto"`)],
    ["Rego v0", "opa fmt", draft("p", "eligibility", "package jitsudo.eligibility\nallow { true }")],
    ["a syntax error, with its place", "policy.rego:4:", eligibility("p", `allow if {`)],
    [
      "the network",
      "http.send is not allowed",
      eligibility("p", `allow if http.send({"method": "get", "url": "http://x"}).status_code == 200`)
    ],
    ["an undefined helper", "tier1_conditions", eligibility("p", `allow if tier1_conditions`)],
    [
      "the same name twice",
      "two policies have this name",
      eligibility("p", `allow := true`),
      eligibility("p", `allow := false`)
    ],
    ["a name that is none", "a name has", eligibility("P x", `allow := true`)],
    [
      "a path that leaves its folder",
      "is not a path",
      eligibility("p", "", { files: [{ path: "../x.rego", source: "package jitsudo.eligibility\nallow := true" }] })
    ],
    [
      "only tests",
      "no file but tests",
      eligibility("p", "", { files: [{ path: "a_test.rego", source: "package x" }] })
    ],
    ["a library outside of its place", "below jitsudo.lib", draft("p", "library", "package jitsudo.helpers\nx := 1")],
    [
      "a library that others need and that is gone",
      "people",
      draft(
        "p",
        "eligibility",
        "package jitsudo.eligibility\nimport data.jitsudo.lib.people\nallow if people.is_sre(input.requester)"
      )
    ],
    [
      "a policy whose own test fails",
      "its test test_nobody fails",
      eligibility("p", "", {
        files: [
          { path: "policy.rego", source: "package jitsudo.eligibility\nallow := true" },
          {
            path: "policy_test.rego",
            source:
              "package jitsudo.eligibility_test\nimport data.jitsudo.eligibility\ntest_nobody if not eligibility.allow"
          }
        ]
      })
    ]
  ]
  for (const [what, expected, ...drafts] of refusals) {
    it.effect(`${what} is refused`, () =>
      Effect.map(rejection(...drafts), (message) => assert.include(message, expected))
    )
  }

  it.effect("all faults are said at once", () =>
    Effect.gen(function* () {
      const message = yield* rejection(eligibility("one", `allow if {`), eligibility("two", `allow := 1`))
      assert.include(message, "one")
      assert.include(message, "two")
    })
  )

  it.effect("a policy that allows everything by default is warned about", () =>
    Effect.gen(function* () {
      const { warnings } = yield* prepare(eligibility("open", `default allow := true`))
      assert.include(warnings.join(), "open allows everything")
    })
  )

  it.effect("what did not change keeps its id, author and compilation", () =>
    Effect.gen(function* () {
      const first = yield* prepare(eligibility("same", `allow := true`), eligibility("other", `allow := true`))
      const later = { issuer: "i", subject: "carol", email: null }
      const second = yield* Prepare.prepare(
        [eligibility("same", `allow := true`), eligibility("other", `allow := false`)],
        {
          before: first.policies,
          now: Time.make(now + 1000),
          by: later
        }
      )
      assert.deepStrictEqual(second.policies[0], first.policies[0])
      assert.strictEqual(second.policies[1]?.id, first.policies[1]?.id)
      assert.deepStrictEqual(second.policies[1]?.updatedBy, later)
      assert.notStrictEqual(second.policies[1]?.hash, first.policies[1]?.hash)
    })
  )

  it.effect("libraries are shared, and a change of one compiles those that use it again", () => {
    const library = (groups: string) =>
      draft("people", "library", `package jitsudo.lib.people\n\nis_sre(who) if "${groups}" in who.groups\n`)
    const user = draft(
      "user",
      "eligibility",
      "package jitsudo.eligibility\nimport data.jitsudo.lib.people\nallow if people.is_sre(input.requester)\n"
    )
    const allowed = Effect.gen(function* () {
      const policy = yield* Policy.Policy
      return (yield* policy.eligibility(1, input("request", {}))).allowed
    })
    return Effect.gen(function* () {
      const first = yield* prepare(library("sre"), user)
      const second = yield* Prepare.prepare([library("ops"), user], { before: first.policies, now, by })
      const serve = (policies: Prepare.Prepared["policies"]) =>
        Effect.provide(allowed, Layer.fresh(ServedPolicies.layer({ load: () => Effect.succeed(policies) })))
      assert.isTrue(yield* serve(first.policies))
      assert.isFalse(yield* serve(second.policies))
    })
  })
})
