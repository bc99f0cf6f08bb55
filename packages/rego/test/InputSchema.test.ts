import { assert, describe, it } from "@effect/vitest"
import { problemOf } from "../src/InputSchema.ts"

const principal = {
  email: "alice@example.test",
  subject: "alice",
  issuer: "https://idp.test",
  groups: ["sre"],
  groups_age_seconds: 0,
  kind: "human",
  auth_time: "",
  amr: []
}

const input = {
  version: 1,
  action: "request",
  user: principal,
  requester: principal,
  request: {
    id: "req_1",
    provider: "aws",
    role: "reader",
    role_asked: "reader",
    resource_scope: "",
    duration_seconds: 600,
    reason: "",
    break_glass: false,
    metadata: { team: "payments" },
    created_at: "2026-01-01T10:00:00.000Z"
  },
  review: { confidence: 0, risk: "", model: "" },
  context: {
    trust_tier: 0,
    requester_trust_tier: 4,
    now: "2026-01-01T10:00:00.000Z",
    now_ns: 1_767_261_600_000_000_000,
    channel: "cli",
    source_ip: "",
    approvals: [{ email: "", subject: "bob", at: "2026-01-01T10:00:00Z" }],
    active_grants: [{ request_id: "req_0", provider: "aws", role: "reader", resource_scope: "", not_after: "" }],
    held_seconds: 0,
    open_breakglass_reviews: 0,
    labels: { facts_ok: true, ticket: { open: true } }
  }
}

const paths = (value: unknown, at: string): ReadonlyArray<string> =>
  typeof value !== "object" || value === null || Array.isArray(value)
    ? [at]
    : [
        ...(at === "" ? [] : [at]),
        ...Object.entries(value).flatMap(([key, one]) => paths(one, at === "" ? key : `${at}.${key}`))
      ]

/** The document with one field removed, or replaced. */
const changed = (path: string, replace?: { readonly with: unknown }): unknown => {
  const copy = structuredClone<Record<string, unknown>>(input)
  const keys = path.split(".")
  const last = keys.pop() ?? ""
  let at: Record<string, unknown> = copy
  for (const key of keys) at = at[key] as Record<string, unknown>
  if (replace === undefined) delete at[last]
  else at[last] = replace.with
  return copy
}

const free = ["request.metadata.team", "context.labels.ticket", "context.labels.ticket.open"]
const required = paths(input, "").filter((path) => !free.includes(path))

describe("the input", () => {
  it("is accepted as documented", () => {
    assert.isUndefined(problemOf(input))
  })

  it.each(required)("%s must be there", (path) => {
    assert.include(problemOf(changed(path)), path)
  })

  it.each(required)("%s must be of its type", (path) => {
    assert.include(problemOf(changed(path, { with: path === "review.confidence" ? "high" : [{}] })), path)
  })

  it.each([
    ["extra", "x"],
    ["user.mail", "x"],
    ["request.tier", "auto"],
    ["context.blast_radius", "low"]
  ])("%s is no field", (path, value) => {
    assert.include(problemOf(changed(path, { with: value })), path)
  })

  it.each([
    ["version", 2],
    ["action", "grant"],
    ["user.kind", "robot"],
    ["user.groups", null],
    ["user.groups", [1]],
    ["user.auth_time", "yesterday"],
    ["request.duration_seconds", -1],
    ["request.duration_seconds", 0.5],
    ["request.metadata.team", 7],
    ["context.trust_tier", 5],
    ["context.now", "2026-01-01"],
    ["context.now_ns", 1.5],
    ["context.now_ns", Number.NaN],
    ["context.labels.facts_ok", "true"]
  ])("%s cannot be %j", (path, value) => {
    assert.include(problemOf(changed(path, { with: value })), path)
  })

  it("what is wrong is named, not repeated", () => {
    assert.notInclude(problemOf(changed("context.now", { with: "secret" })), "secret")
  })
})
