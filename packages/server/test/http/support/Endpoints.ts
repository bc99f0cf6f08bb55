/**
 * Every endpoint of the API with what a test needs to call it well: the one list that all tests of endpoints share. An
 * endpoint that is not in it fails `every-endpoint.test.ts`.
 */
import { Api } from "@jitsudo/client"
import * as HttpApi from "effect/http-api/HttpApi"
import type { Who } from "./TestIssuer.ts"
import { ask, type World } from "./World.ts"

/** What stands in the world for a call: made anew where a call uses it up. */
export interface Target {
  /** Its id, or what the path names. */
  readonly id: string
  readonly digest: string
}

export interface Endpoint {
  readonly name: string
  readonly method: string
  readonly path: (target: Target) => string
  /** Who may do it. */
  readonly as: Who
  readonly target: (world: World) => Promise<Target>
  /** A body that is taken; every member of it is tried with bad input. */
  readonly body?: (target: Target) => Readonly<Record<string, unknown>>
  /** Members of `body` that may be missing. */
  readonly optional?: ReadonlyArray<string>
  /** Query parameters, with values that are refused. */
  readonly query?: Readonly<Record<string, ReadonlyArray<string>>>
  /** Whether `:id` is in the path. */
  readonly named?: boolean
  /** What it answers when all is well. */
  readonly status: number
}

const nothing: Target = { id: "", digest: "" }
const none = () => Promise.resolve(nothing)

const pending = (world: World) => world.ask("alice", { reason: secretReason })
const active = (world: World) => world.ask("alice", { role: "reader", reason: secretReason })
const brokenGlass = (world: World) => world.ask("alice", { breakGlass: true, reason: secretReason })

/** Stands in every request of Alice; nobody who may not see them may see it. */
export const secretReason = "INC-77 the payroll database of the merger"

let serial = 0
const storedPolicy = async (world: World): Promise<Target> => {
  const name = `kept-${++serial}`
  const applied = await world.call("POST", "/api/v1alpha1/policies", { as: "carol", json: { policies: [draft(name)] } })
  if (applied.status !== 200) throw new Error(`applying failed: ${applied.text}`)
  return { ...nothing, id: name }
}
const storedLock = async (world: World): Promise<Target> => {
  const made = await world.call("POST", "/api/v1alpha1/locks", { as: "carol", json: lock(++serial) })
  if (made.status !== 201) throw new Error(`locking failed: ${made.text}`)
  return { ...nothing, id: String(made.json?.["id"]) }
}
/** Everybody whom a path may name has signed in. */
const known = async (world: World, who: Who): Promise<Target> => {
  const me = await world.call("GET", "/api/v1alpha1/principals/me", { as: who })
  return { ...nothing, id: String(me.json?.["identity"]) }
}

/** An entry of a request of Alice's. */
const recorded = async (world: World): Promise<Target> => {
  const { id } = await pending(world)
  const entry = (await world.entries()).find(({ payload }) => payload.includes(id))
  return { ...nothing, id: String(entry?.seq) }
}

const draft = (name: string) => ({
  name,
  type: "eligibility",
  description: "who may ask",
  enabled: true,
  files: [{ path: `${name}.rego`, source: "package jitsudo.eligibility" }]
})
const lock = (n: number) => ({
  target: { kind: "role", provider: "elsewhere", role: `role-${n}`, resourceScope: "*" },
  reason: "a drill"
})

const requests = "/api/v1alpha1/requests"
const of =
  (verb: string) =>
  ({ id }: Target) =>
    `${requests}/${encodeURIComponent(id)}${verb}`

const paging = { limit: ["0", "-1", "501", "1.5", "ten", "", "1e308", "NaN"], cursor: ["\u0000", "x".repeat(2000)] }
const times = ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-02-30T00:00:00Z", "1e308", "", "-1"]

export const endpoints: ReadonlyArray<Endpoint> = [
  {
    name: "requests.create",
    method: "POST",
    path: () => requests,
    as: "alice",
    target: none,
    body: () => ({ ...ask, breakGlass: false, metadata: { ticket: "INC-1" } }),
    optional: ["reason", "breakGlass", "metadata", "metadata.ticket"],
    status: 201
  },
  {
    name: "requests.list",
    method: "GET",
    path: () => requests,
    as: "alice",
    target: none,
    query: {
      ...paging,
      state: ["pending", "REQUEST_STATE_PENDING", "", "5"],
      mine: ["yes", "1", ""],
      pending: ["maybe"],
      requester: ["\u0000"],
      provider: ["x".repeat(65), "\u0000"],
      role: ["x".repeat(257)],
      resourceScope: ["x".repeat(513)],
      breakGlass: ["TRUE"],
      openReview: ["0"],
      since: times,
      until: times
    },
    status: 200
  },
  { name: "requests.get", method: "GET", path: of(""), as: "alice", target: pending, named: true, status: 200 },
  {
    name: "requests.approve",
    method: "POST",
    path: of("/approve"),
    as: "bob",
    target: pending,
    body: ({ digest }) => ({ digest, comment: "go on" }),
    optional: ["comment"],
    named: true,
    status: 200
  },
  {
    name: "requests.deny",
    method: "POST",
    path: of("/deny"),
    as: "bob",
    target: pending,
    body: ({ digest }) => ({ digest, comment: "not now" }),
    optional: ["comment"],
    named: true,
    status: 200
  },
  {
    name: "requests.cancel",
    method: "POST",
    path: of("/cancel"),
    as: "alice",
    target: pending,
    body: () => ({ reason: "no need" }),
    optional: ["reason"],
    named: true,
    status: 200
  },
  {
    name: "requests.revoke",
    method: "POST",
    path: of("/revoke"),
    as: "alice",
    target: active,
    body: () => ({ reason: "done" }),
    optional: ["reason"],
    named: true,
    status: 200
  },
  {
    name: "requests.extend",
    method: "POST",
    path: of("/extend"),
    as: "alice",
    target: active,
    body: () => ({ durationSeconds: 600, reason: "not done" }),
    optional: ["reason"],
    named: true,
    status: 201
  },
  {
    name: "requests.credentials",
    method: "GET",
    path: of("/credentials"),
    as: "alice",
    target: active,
    named: true,
    status: 200
  },
  {
    name: "requests.closeReview",
    method: "POST",
    path: of("/review"),
    as: "carol",
    target: brokenGlass,
    body: () => ({ comment: "it was right" }),
    named: true,
    status: 200
  },
  {
    name: "requests.watch",
    method: "GET",
    path: of("/events"),
    as: "alice",
    target: pending,
    named: true,
    status: 200
  },
  { name: "policies.list", method: "GET", path: () => "/api/v1alpha1/policies", as: "dora", target: none, status: 200 },
  {
    name: "policies.get",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/policies/${id}`,
    as: "dora",
    target: storedPolicy,
    named: true,
    status: 200
  },
  {
    name: "policies.apply",
    method: "POST",
    path: () => "/api/v1alpha1/policies",
    as: "carol",
    target: none,
    body: () => ({ policies: [draft(`applied-${++serial}`)], replaceAll: false }),
    optional: ["replaceAll", "policies.0.description", "policies.0.enabled"],
    status: 200
  },
  {
    name: "policies.remove",
    method: "DELETE",
    path: ({ id }) => `/api/v1alpha1/policies/${id}`,
    as: "carol",
    target: storedPolicy,
    named: true,
    status: 200
  },
  {
    name: "policies.evaluate",
    method: "POST",
    path: () => "/api/v1alpha1/policies/eval",
    as: "dora",
    target: none,
    body: () => ({ action: "request", input: {}, now: "2026-01-01T00:00:00Z", drafts: [draft("tried")] }),
    optional: ["now", "drafts", "drafts.0.description", "drafts.0.enabled"],
    status: 200
  },
  {
    name: "principals.me",
    method: "GET",
    path: () => "/api/v1alpha1/principals/me",
    as: "alice",
    target: none,
    status: 200
  },
  {
    name: "principals.list",
    method: "GET",
    path: () => "/api/v1alpha1/principals",
    as: "dora",
    target: none,
    query: { ...paging, email: ["\u0000", "x".repeat(321)] },
    status: 200
  },
  {
    name: "principals.get",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/principals/${encodeURIComponent(id)}`,
    as: "dora",
    target: (world) => known(world, "alice"),
    named: true,
    status: 200
  },
  {
    name: "principals.setTrustTier",
    method: "PUT",
    path: ({ id }) => `/api/v1alpha1/principals/${encodeURIComponent(id)}/trust-tier`,
    as: "carol",
    target: (world) => known(world, "alice"),
    body: () => ({ trustTier: 2, notes: "two years here" }),
    optional: ["notes"],
    named: true,
    status: 200
  },
  {
    name: "principals.setOwner",
    method: "PUT",
    path: ({ id }) => `/api/v1alpha1/principals/${encodeURIComponent(id)}/owner`,
    as: "carol",
    target: async (world) => {
      await known(world, "bob")
      return known(world, "robot")
    },
    body: () => ({ owner: "bob@example.test" }),
    named: true,
    status: 200
  },
  { name: "locks.list", method: "GET", path: () => "/api/v1alpha1/locks", as: "dora", target: none, status: 200 },
  {
    name: "locks.create",
    method: "POST",
    path: () => "/api/v1alpha1/locks",
    as: "carol",
    target: none,
    body: () => lock(++serial),
    status: 201
  },
  {
    name: "locks.remove",
    method: "DELETE",
    path: ({ id }) => `/api/v1alpha1/locks/${id}`,
    as: "carol",
    target: storedLock,
    named: true,
    status: 204
  },
  {
    name: "audit.query",
    method: "GET",
    path: () => "/api/v1alpha1/audit",
    as: "dora",
    target: none,
    query: {
      ...paging,
      cursor: ["nonsense", "\u0000", "x".repeat(2000)],
      actor: ["\u0000", "x".repeat(1025)],
      action: ["request.made", "' OR 1=1 --", "\u0000"],
      requestId: ["x".repeat(65)],
      provider: ["x".repeat(65)],
      outcome: ["failed"],
      since: times,
      until: times,
      order: ["up"]
    },
    status: 200
  },
  { name: "audit.head", method: "GET", path: () => "/api/v1alpha1/audit/head", as: "dora", target: none, status: 200 },
  {
    name: "audit.export",
    method: "GET",
    path: () => "/api/v1alpha1/audit/export",
    as: "dora",
    target: none,
    query: { from: ["0", "-1", "x", "1e308", "999999999", "1.5"], to: ["0", "-5", "x", "1e400"] },
    status: 200
  },
  {
    name: "audit.checkpoint",
    method: "GET",
    path: () => "/api/v1alpha1/audit/checkpoint",
    as: "eve",
    target: none,
    status: 200
  },
  { name: "audit.keys", method: "GET", path: () => "/api/v1alpha1/audit/keys", as: "eve", target: none, status: 200 },
  {
    name: "audit.receipt",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/audit/receipt/${id}`,
    as: "alice",
    target: recorded,
    named: true,
    status: 200
  },
  {
    name: "audit.tile",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/audit/tile/0/${id}`,
    as: "dora",
    target: () => Promise.resolve({ ...nothing, id: "999" }),
    named: true,
    status: 200
  },
  {
    name: "audit.tileOfTwoParts",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/audit/tile/1/003.p/${id}`,
    as: "dora",
    target: () => Promise.resolve({ ...nothing, id: "233" }),
    named: true,
    status: 200
  },
  {
    name: "audit.tileOfThreeParts",
    method: "GET",
    path: ({ id }) => `/api/v1alpha1/audit/tile/0/${id}/001.p/5`,
    as: "dora",
    target: () => Promise.resolve({ ...nothing, id: "x001" }),
    named: true,
    status: 200
  },
  {
    name: "reconciliation.difference",
    method: "GET",
    path: () => "/api/v1alpha1/reconcile",
    as: "carol",
    target: none,
    query: { provider: ["\u0000", "x".repeat(65), "nowhere"] },
    status: 200
  },
  {
    name: "reconciliation.run",
    method: "POST",
    path: () => "/api/v1alpha1/reconcile",
    as: "carol",
    target: none,
    body: () => ({ provider: "memory", takeBack: ["req_01J0000000000000000000000N"] }),
    optional: ["provider", "takeBack"],
    status: 200
  },
  {
    name: "providers.list",
    method: "GET",
    path: () => "/api/v1alpha1/providers",
    as: "eve",
    target: none,
    status: 200
  },
  { name: "meta.healthz", method: "GET", path: () => "/healthz", as: "eve", target: none, status: 200 },
  { name: "meta.readyz", method: "GET", path: () => "/readyz", as: "eve", target: none, status: 200 },
  { name: "meta.version", method: "GET", path: () => "/version", as: "eve", target: none, status: 200 },
  {
    name: "meta.signIn",
    method: "GET",
    path: () => "/api/v1alpha1/sign-in",
    as: "eve",
    target: none,
    status: 200
  }
]

/** The endpoints that the API's definition has, by `group.endpoint`. */
export const defined = (): ReadonlyArray<{ readonly name: string; readonly method: string }> => {
  const found: Array<{ readonly name: string; readonly method: string }> = []
  HttpApi.reflect(Api.Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint, group }) =>
      found.push({ name: `${group.identifier}.${endpoint.identifier}`, method: endpoint.method })
  })
  return found
}
