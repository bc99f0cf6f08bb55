import { assert, layer } from "@effect/vitest"
import { Policy, type PolicySet, Principal, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { Compiler } from "../src/Compiler.ts"
import * as Prepare from "../src/Prepare.ts"
import * as ServedPolicies from "../src/ServedPolicies.ts"

const now = Time.make(1_767_261_600_123)

const principal: Policy.PolicyPrincipal = {
  email: "",
  subject: "alice",
  issuer: "https://idp.test",
  groups: [],
  groups_age_seconds: 0,
  kind: "human",
  auth_time: "",
  amr: []
}

const input: Policy.PolicyInput = {
  version: 1,
  action: "request",
  user: principal,
  requester: principal,
  request: {
    id: "req_1",
    provider: "mock",
    role: "reader",
    role_asked: "reader",
    resource_scope: "",
    duration_seconds: 60,
    reason: "",
    break_glass: false,
    metadata: {},
    created_at: Time.toRfc3339(now)
  },
  review: { confidence: 0, risk: "", model: "" },
  context: {
    trust_tier: 0,
    requester_trust_tier: 0,
    now: Time.toRfc3339(now),
    now_ns: now * 1_000_000,
    channel: "",
    source_ip: "",
    approvals: [],
    active_grants: [],
    held_seconds: 0,
    open_breakglass_reviews: 0,
    labels: { facts_ok: true }
  }
}

const compiled = (body: string) =>
  Effect.map(
    Prepare.prepare(
      [
        {
          name: "p",
          type: "eligibility",
          description: "",
          enabled: true,
          files: [{ path: "p.rego", source: `package jitsudo.eligibility\n\n${body}\n` }]
        }
      ],
      { before: [], now, by: { ...Principal.system, email: null } }
    ),
    ({ policies }) => policies
  )

layer(Compiler.layer, { excludeTestServices: true, timeout: "60 seconds" })("served revisions", (it) => {
  it.effect("each question is answered by the revision that it names, also after newer ones were loaded", () =>
    Effect.gen(function* () {
      const one = yield* compiled(`reason := "one"`)
      const two = yield* compiled(`reason := "two"`)
      const loads: Array<number> = []
      const load = (revision: number) =>
        Effect.sync(() => {
          loads.push(revision)
          return revision % 2 === 1 ? one : two
        })
      yield* Effect.gen(function* () {
        const policy = yield* Policy.Policy
        // More revisions than are kept, in turn and again.
        for (const revision of [1, 2, 3, 4, 5, 6, 1, 6, 2]) {
          const { reasons } = yield* policy.eligibility(revision, input)
          assert.deepStrictEqual(reasons, [revision % 2 === 1 ? "one" : "two"])
        }
        assert.deepStrictEqual(loads, [1, 2, 3, 4, 5, 6, 1, 2])
      }).pipe(Effect.provide(ServedPolicies.layer({ size: 1, load })))
    })
  )

  it.effect("questions at the same moment load a revision once", () =>
    Effect.gen(function* () {
      const policies = yield* compiled(`allow := true`)
      let loads = 0
      const load = () =>
        Effect.sync(() => {
          loads++
          return policies
        })
      const verdicts = yield* Effect.flatMap(Policy.Policy, (policy) =>
        Effect.forEach(Array.from({ length: 20 }), () => policy.eligibility(7, input), { concurrency: "unbounded" })
      ).pipe(Effect.provide(ServedPolicies.layer({ size: 1, load })))
      assert.isTrue(verdicts.every(({ allowed }) => allowed))
      assert.strictEqual(loads, 1)
    })
  )

  it.effect("a revision that holds no policy of OPA's is unavailable, and what was served goes on", () =>
    Effect.gen(function* () {
      const good = yield* compiled(`allow := true`)
      const damaged = (wasm: Uint8Array): ReadonlyArray<PolicySet.PolicySource> =>
        good.map((policy) => ({
          ...policy,
          compiled: policy.compiled.map((module) => ({ ...module, wasm: Buffer.from(wasm).toString("base64") }))
        }))
      const header = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])
      const revisions = [good, damaged(header), damaged(new Uint8Array([1, 2, 3])), good]
      const load = (revision: number) => Effect.succeed(revisions[revision] ?? [])
      yield* Effect.gen(function* () {
        const policy = yield* Policy.Policy
        assert.isTrue((yield* policy.eligibility(0, input)).allowed)
        for (const revision of [1, 2, 1]) {
          const error = yield* Effect.flip(policy.eligibility(revision, input))
          assert.strictEqual(error._tag, "PolicyUnavailable")
          assert.include(error.message, `revision ${revision}`)
        }
        assert.isTrue((yield* policy.eligibility(3, input)).allowed)
        assert.isTrue((yield* policy.eligibility(0, input)).allowed)
      }).pipe(Effect.provide(ServedPolicies.layer({ size: 1, load })))
    })
  )

  it.effect("the clock is the decision's, to the nanosecond, and the same by both ways", () =>
    Effect.gen(function* () {
      const policies = yield* compiled(
        `reason := sprintf("%d %v %s", [time.now_ns(), time.now_ns() == input.context.now_ns, time.format(time.now_ns())])`
      )
      const { reasons } = yield* Effect.flatMap(Policy.Policy, (policy) => policy.eligibility(1, input)).pipe(
        Effect.provide(ServedPolicies.layer({ size: 1, load: () => Effect.succeed(policies) }))
      )
      assert.deepStrictEqual(reasons, ["1767261600123000000 true 2026-01-01T10:00:00.123Z"])
    })
  )

  it.effect("an input that is not as documented is denied in no policy's name", () =>
    Effect.gen(function* () {
      const policies = yield* compiled(`allow := true`)
      const odd: Policy.PolicyInput = { ...input, request: { ...input.request, created_at: "today" } }
      const verdict = yield* Effect.flatMap(Policy.Policy, (policy) => policy.eligibility(1, odd)).pipe(
        Effect.provide(ServedPolicies.layer({ size: 1, load: () => Effect.succeed(policies) }))
      )
      assert.isFalse(verdict.allowed)
      assert.deepStrictEqual(verdict.reasons, ["what policy would see is not as documented: request.created_at"])
    })
  )
})
