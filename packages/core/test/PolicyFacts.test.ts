/** The document that policies see: every field always there, and time held without a break. */
import { assert, describe, it } from "@effect/vitest"
import { heldSeconds, inputOf, type InputParts } from "../src/PolicyFacts.ts"
import { partyOf } from "../src/Principal.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import * as Times from "../src/Time.ts"

const { ana, ben, monday, scout } = Fixtures
const actor = (principal: typeof ana) => ({ principal, party: partyOf(principal, []) })

const parts = (more: Partial<InputParts> = {}): InputParts => ({
  action: "approve",
  now: monday,
  user: actor(ben),
  requester: actor(ana),
  request: Fixtures.pending(),
  activeGrants: [],
  heldSeconds: 0,
  ...more
})

/** Paths of everything that is absent. */
const absent = (value: unknown, path = "input"): ReadonlyArray<string> => {
  if (value === undefined) return [path]
  if (typeof value !== "object" || value === null) return value === null ? [`${path} is null`] : []
  return Object.entries(value).flatMap(([name, item]) => absent(item, `${path}.${name}`))
}

describe("policy's input", () => {
  it("has every field, whatever is unknown", () => {
    const bare = inputOf(
      parts({ user: actor({ ...scout, authTime: null }), requester: actor({ ...ana, email: null }) })
    )
    assert.deepStrictEqual(absent(bare), [])
    assert.deepStrictEqual([bare.user.email, bare.user.auth_time, bare.requester.email], ["", "", ""])
    assert.deepStrictEqual(bare.review, { confidence: 0, risk: "", model: "" })
    assert.deepStrictEqual(Object.keys(bare).sort(), [
      "action",
      "context",
      "request",
      "requester",
      "review",
      "user",
      "version"
    ])
  })

  it("says who acts and who asked, apart", () => {
    const input = inputOf(parts({ user: actor({ ...ben, trustTier: 4 }), requester: actor({ ...ana, trustTier: 1 }) }))
    assert.deepStrictEqual([input.user.subject, input.requester.subject], ["ben", "ana"])
    assert.deepStrictEqual([input.context.trust_tier, input.context.requester_trust_tier], [4, 1])
  })

  it("says how old group facts are, never less than nothing", () => {
    const later = Times.plusSeconds(monday, 90)
    assert.strictEqual(inputOf(parts({ now: later })).user.groups_age_seconds, 90)
    const early = { ...ben, groupsReadAt: later }
    assert.strictEqual(inputOf(parts({ user: actor(early) })).user.groups_age_seconds, 0)
  })

  it("has time twice: RFC 3339, and nanoseconds", () => {
    const input = inputOf(parts())
    assert.strictEqual(input.context.now, "2026-01-05T09:00:00.000Z")
    assert.strictEqual(input.context.now_ns, monday * 1_000_000)
    assert.strictEqual(input.request.created_at, "2026-01-05T09:00:00.000Z")
  })

  it("counts approvals that stand, of people", () => {
    const decisions = [
      Fixtures.decision("approve"),
      Fixtures.decision("approve", { struck: { at: monday, why: "gone" } }),
      Fixtures.decision("deny"),
      Fixtures.decision("approve", { by: { policy: "p" } })
    ]
    const { approvals } = inputOf(parts({ request: Fixtures.pending({ decisions }) })).context
    assert.deepStrictEqual(
      approvals.map((one) => one.subject),
      ["ben"]
    )
  })

  it("shows active grants with their end, and open reviews of the requester", () => {
    const grant = Fixtures.inState.ACTIVE
    const input = inputOf(parts({ activeGrants: [grant], requester: actor({ ...ana, openReviews: 2 }) }))
    assert.deepStrictEqual(
      input.context.active_grants.map((one) => [one.request_id, one.not_after]),
      [[grant.id, Times.toRfc3339(grant.grant?.notAfter ?? monday)]]
    )
    assert.strictEqual(input.context.open_breakglass_reviews, 2)
    assert.strictEqual(inputOf(parts({ openReviews: 3 })).context.open_breakglass_reviews, 3)
  })

  it("carries the operator's labels and nothing of the requester's among them", () => {
    const request = Fixtures.pending({ labels: { blast_radius: "high", facts_ok: false } })
    const { labels } = inputOf(parts({ request })).context
    assert.deepStrictEqual(labels, { blast_radius: "high", facts_ok: false })
    assert.deepStrictEqual(inputOf(parts()).request.metadata, { ticket: "INC-42" })
  })

  it("can be given to anybody: it is JSON, and survives the trip", () => {
    const input = inputOf(parts())
    assert.deepStrictEqual(JSON.parse(JSON.stringify(input)), input)
  })
})

describe("time held", () => {
  const at = (seconds: number) => Times.plusSeconds(monday, seconds)
  const held = (...intervals: ReadonlyArray<readonly [number, number]>) =>
    heldSeconds(
      intervals.map(([from, to]) => ({ from: at(from), to: at(to) })),
      at(10_000)
    )

  it("is nothing without a grant, and nothing after a break of five minutes", () => {
    assert.strictEqual(held(), 0)
    assert.strictEqual(held([0, 9_700]), 0)
    assert.strictEqual(held([0, 9_701]), 10_000)
  })

  it("is the whole of what follows without a break, however it overlaps", () => {
    assert.strictEqual(held([0, 5_000], [4_000, 12_000]), 10_000)
    assert.strictEqual(held([0, 4_000], [4_299, 12_000]), 10_000)
    assert.strictEqual(held([0, 4_000], [4_300, 12_000]), 5_700)
    assert.strictEqual(held([6_000, 7_000], [0, 12_000]), 10_000)
  })

  it("counts from now: what is still to come is not held yet", () => {
    assert.strictEqual(held([10_000, 20_000]), 0)
    assert.strictEqual(held([9_990, 20_000]), 10)
  })
})
