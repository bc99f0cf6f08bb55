/**
 * People, requests and locks for tests: valid plain data, the same every time.
 *
 * Ana asks, Ben leads and decides, Cleo is an admin, Scout is Ana's agent, Stray is an agent that nobody has claimed.
 * One request in each state, all of Ana, as the engine would have left them.
 */
import * as Ids from "../Ids.ts"
import type { NewJob } from "../Job.ts"
import type { Lock, LockTarget } from "../Lock.ts"
import type { PolicySource } from "../PolicySet.ts"
import type { Principal, PrincipalKey } from "../Principal.ts"
import { partyOf } from "../Principal.ts"
import type { Asked, Decision, Ending, EndingWhy, Grant, Request, Requester, State } from "../Request.ts"
import type { SealedCredentials } from "../Sealer.ts"
import type { Time } from "../Time.ts"
import * as Times from "../Time.ts"

/** Monday, 5 January 2026, 09:00 UTC. */
export const monday: Time = Times.make(Date.UTC(2026, 0, 5, 9))

const numbered = (n: number) => (size: number) =>
  Uint8Array.from({ length: size }, (_, index) => Math.floor(n / 32 ** (size - 1 - index)) % 32)

/** The n-th id of its kind at an instant: later n sort later. */
export const id = (prefix: Ids.IdPrefix, n: number, at: Time = monday): string => Ids.make(prefix, at, numbered(n))

const person = (subject: string, more: Partial<Principal> = {}): Principal => ({
  issuer: "https://login.example",
  subject,
  version: 1,
  email: `${subject}@example.com`,
  groups: [],
  groupsReadAt: monday,
  kind: "human",
  owner: null,
  trustTier: 2,
  trustNotes: "",
  openReviews: 0,
  authTime: monday,
  amr: ["pwd", "otp"],
  firstSeenAt: monday,
  ...more
})

export const ana: Principal = person("ana", { groups: ["sre"] })
export const ben: Principal = person("ben", { groups: ["sre", "sre-leads"] })
export const cleo: Principal = person("cleo", { groups: ["jitsudo-admins"] })
export const scout: Principal = person("scout", {
  email: null,
  kind: "agent",
  owner: { issuer: ana.issuer, subject: ana.subject },
  trustTier: 1
})
export const stray: Principal = person("stray", { email: null, kind: "agent", trustTier: 0 })

export const keyFor = (principal: PrincipalKey): PrincipalKey => ({
  issuer: principal.issuer,
  subject: principal.subject
})

export const requester = (principal: Principal): Requester => ({
  ...keyFor(principal),
  email: principal.email,
  kind: principal.kind
})

export const asked: Asked = {
  provider: "mock",
  role: "reader",
  resourceScope: "project/checkout",
  durationSeconds: 3600,
  reason: "read the logs of incident 42",
  metadata: { ticket: "INC-42" },
  breakGlass: false
}

/** SHA-256, hex, of nothing in particular: the store never looks into it. */
export const digest = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"

/** A request of Ana that waits for somebody of `sre-leads`. */
export const pending = (more: Partial<Request> = {}): Request => ({
  id: id("req", 1),
  version: 1,
  state: "PENDING",
  requester: requester(ana),
  party: partyOf(ana, []),
  asked,
  roleAsked: asked.role,
  digest,
  checked: { maxDurationSeconds: 43200 },
  labels: { facts_ok: true },
  channel: "cli",
  sourceIp: "192.0.2.7",
  routing: {
    tier: "human",
    stages: [{ policy: "sre", groups: ["sre-leads"], users: [], quorum: 1, unmeetable: false }],
    openQuorum: 1,
    policyRevision: 1,
    policyHash: "1".repeat(64),
    findings: [{ policy: "sre", says: "human", reasons: [] }]
  },
  decisions: [],
  waitingFor: null,
  decideBy: Times.plusSeconds(monday, 24 * 3600),
  lapsesAt: Times.plusSeconds(monday, 24 * 3600),
  startBy: null,
  grant: null,
  ending: null,
  review: null,
  outcome: null,
  extends: null,
  extendedBy: null,
  createdAt: monday,
  updatedAt: monday,
  ...more
})

/** Ben's word on a request. */
export const decision = (verdict: Decision["verdict"], more: Partial<Decision> = {}): Decision => ({
  by: requester(ben),
  party: partyOf(ben, []),
  groups: ben.groups,
  verdict,
  comment: "as agreed",
  digest,
  at: Times.plusSeconds(monday, 60),
  policyRevision: 1,
  struck: null,
  ...more
})

const oneStep = (before: Request, more: Partial<Request>): Request => ({
  ...before,
  ...more,
  version: before.version + 1,
  updatedAt: more.updatedAt ?? Times.plusSeconds(before.updatedAt, 60)
})

export const approved = (before: Request = pending()): Request =>
  oneStep(before, {
    state: "APPROVED",
    decisions: [...before.decisions, decision("approve")],
    startBy: Times.plusSeconds(before.updatedAt, 960)
  })

/** A grant for what was asked, from an instant on. */
export const grant = (from: Time, more: Partial<Grant> = {}): Grant => ({
  resourceKey: "mock:project/checkout",
  startedAt: from,
  attempts: 1,
  attemptedAt: from,
  issuedAt: from,
  notAfter: Times.plusSeconds(from, asked.durationSeconds),
  providerNotAfter: Times.plusSeconds(from, asked.durationSeconds),
  latestEnd: Times.plusSeconds(from, asked.durationSeconds),
  reference: { session: "s-1" },
  openAttempts: 0,
  outcomeUnknown: false,
  lastError: null,
  sweepAgainAt: null,
  ...more
})

export const active = (before: Request = approved(), more: Partial<Grant> = {}): Request =>
  oneStep(before, { state: "ACTIVE", startBy: null, grant: grant(before.updatedAt, more) })

const into: Readonly<Record<EndingWhy, Ending["into"]>> = {
  expired: "EXPIRED",
  revoked: "REVOKED",
  locked: "REVOKED",
  session_closed: "REVOKED",
  removed: "REVOKED",
  start_deadline: "FAILED",
  unknown_outcome: "FAILED"
}

export const ending = (before: Request = active(), why: EndingWhy = "revoked", more: Partial<Ending> = {}): Request => {
  const since = more.since ?? Times.plusSeconds(before.updatedAt, 60)
  return oneStep(before, {
    state: "ENDING",
    startBy: null,
    updatedAt: since,
    ending: {
      why,
      by: null,
      reason: "",
      since,
      attempts: 0,
      lastError: null,
      nextAttemptAt: since,
      needsAttention: false,
      into: into[why],
      ...more
    }
  })
}

/** The provider confirmed: into the state that the ending leads to. */
export const over = (before: Request = ending()): Request =>
  before.ending === null
    ? before
    : oneStep(before, {
        state: before.ending.into,
        outcome: before.ending.why,
        ending: { ...before.ending, attempts: 1, nextAttemptAt: null }
      })

/** One request in each state, with ids of their own. */
export const inState: Readonly<Record<State, Request>> = {
  PENDING: pending({ id: id("req", 1) }),
  APPROVED: approved(pending({ id: id("req", 2) })),
  ACTIVE: active(approved(pending({ id: id("req", 3) }))),
  ENDING: ending(active(approved(pending({ id: id("req", 4) })))),
  CANCELLED: oneStep(pending({ id: id("req", 5) }), { state: "CANCELLED", outcome: "not needed any more" }),
  REJECTED: oneStep(pending({ id: id("req", 6) }), {
    state: "REJECTED",
    decisions: [decision("deny")],
    outcome: "as agreed"
  }),
  LAPSED: oneStep(pending({ id: id("req", 7) }), {
    state: "LAPSED",
    outcome: "nobody decided before the deadline",
    updatedAt: Times.plusSeconds(monday, 24 * 3600)
  }),
  FAILED: oneStep(approved(pending({ id: id("req", 8) })), {
    state: "FAILED",
    startBy: null,
    outcome: "the platform refused"
  }),
  EXPIRED: over(ending(active(approved(pending({ id: id("req", 9) }))), "expired")),
  REVOKED: over(ending(active(approved(pending({ id: id("req", 10) }))), "revoked"))
}

export const lock = (target: LockTarget, more: Partial<Lock> = {}): Lock => ({
  id: id("lck", 1),
  target,
  reason: "under investigation",
  by: { ...keyFor(cleo), email: cleo.email },
  since: monday,
  ...more
})

/** One lock of each kind, all of which hit Ana's request. */
export const locks = {
  ana: lock({ kind: "principal", principal: keyFor(ana) }, { id: id("lck", 1) }),
  mock: lock({ kind: "provider", provider: "mock" }, { id: id("lck", 2) }),
  readers: lock({ kind: "role", provider: "mock", role: "read*", resourceScope: "project/*" }, { id: id("lck", 3) }),
  everything: lock({ kind: "everything" }, { id: id("lck", 4) })
} as const

export const policy = (name: string, more: Partial<PolicySource> = {}): PolicySource => ({
  id: id("pol", 1),
  name,
  type: "eligibility",
  description: "",
  enabled: true,
  files: [{ path: `${name}.rego`, source: `package jitsudo.${name}` }],
  hash: "2".repeat(64),
  compiled: [{ variant: "all", entrypoints: ["jitsudo/eligibility/allow"], wasm: "AGFzbQ==" }],
  updatedAt: monday,
  updatedBy: { ...keyFor(cleo), email: cleo.email },
  ...more
})

/** Not a ciphertext: the store never opens it. */
export const sealed: SealedCredentials = { keyId: "k1", nonce: "bm9uY2U=", ciphertext: "Y2lwaGVydGV4dA==" }

export const job = (jobId: string, runAt: Time, more: Partial<NewJob> = {}): NewJob => ({
  id: jobId,
  kind: "notify",
  requestId: null,
  serialKey: null,
  runAt,
  after: null,
  payload: {},
  ...more
})
