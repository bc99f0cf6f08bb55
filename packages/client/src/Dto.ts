/** What goes over the wire. camelCase, numbers as numbers, states by their short names, times in RFC 3339 UTC. */
import * as Schema from "effect/Schema"

/** RFC 3339, UTC, milliseconds. */
export const Timestamp = Schema.String.annotate({ format: "date-time", description: "RFC 3339, UTC" })

const bounded = (max: number) => Schema.String.check(Schema.isMaxLength(max))

export const RequestId = Schema.String.check(Schema.isPattern(/^req_[0-9A-HJKMNP-TV-Z]{26}$/u)).annotate({
  identifier: "RequestId",
  description: "req_ and a ULID"
})

export const State = Schema.Literals([
  "PENDING",
  "APPROVED",
  "ACTIVE",
  "ENDING",
  "CANCELLED",
  "REJECTED",
  "LAPSED",
  "FAILED",
  "EXPIRED",
  "REVOKED"
]).annotate({ identifier: "State" })

export const Tier = Schema.Literals(["auto", "ai_review", "human"]).annotate({ identifier: "Tier" })

export const Who = Schema.Struct({
  issuer: Schema.String,
  subject: Schema.String,
  email: Schema.NullOr(Schema.String),
  kind: Schema.Literals(["human", "agent", "system"])
}).annotate({ identifier: "Who" })

export const Stage = Schema.Struct({
  policy: Schema.String,
  groups: Schema.Array(Schema.String),
  users: Schema.Array(Schema.String),
  quorum: Schema.Int,
  /** It names nobody outside the requester's side: nobody can meet it. */
  unmeetable: Schema.Boolean
}).annotate({ identifier: "Stage" })

export const Finding = Schema.Struct({
  policy: Schema.String,
  says: Schema.String,
  reasons: Schema.Array(Schema.String)
}).annotate({ identifier: "Finding" })

export const Decision = Schema.Struct({
  by: Schema.Union([Who, Schema.Struct({ policy: Schema.String })]),
  verdict: Schema.Literals(["approve", "deny", "escalate"]),
  comment: Schema.String,
  at: Timestamp,
  policyRevision: Schema.Int,
  /** Why it no longer counts. */
  struck: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Decision" })

export const Grant = Schema.Struct({
  attempts: Schema.Int,
  issuedAt: Schema.NullOr(Timestamp),
  notAfter: Schema.NullOr(Timestamp),
  lastError: Schema.NullOr(Schema.String)
}).annotate({ identifier: "Grant" })

export const Ending = Schema.Struct({
  why: Schema.String,
  reason: Schema.String,
  since: Timestamp,
  attempts: Schema.Int,
  lastError: Schema.NullOr(Schema.String),
  nextAttemptAt: Schema.NullOr(Timestamp),
  needsAttention: Schema.Boolean
}).annotate({ identifier: "Ending" })

export const Review = Schema.Struct({
  openedAt: Timestamp,
  dueAt: Timestamp,
  closed: Schema.NullOr(Schema.Struct({ by: Who, at: Timestamp, comment: Schema.String }))
}).annotate({ identifier: "Review" })

export const ElevationRequest = Schema.Struct({
  id: RequestId,
  version: Schema.Int,
  state: State,
  requester: Who,
  provider: Schema.String,
  role: Schema.String,
  roleAsked: Schema.String,
  resourceScope: Schema.String,
  durationSeconds: Schema.Int,
  reason: Schema.String,
  metadata: Schema.Record(Schema.String, Schema.String),
  breakGlass: Schema.Boolean,
  /** SHA-256 of what was asked: a decision carries it. */
  digest: Schema.String,
  tier: Tier,
  stages: Schema.Array(Stage),
  openQuorum: Schema.Int,
  /** Who still has to approve, for people. */
  missing: Schema.Array(Schema.String),
  /** Who must sign in again although enough people approved. */
  waitingFor: Schema.NullOr(Schema.String),
  decideBy: Timestamp,
  decisions: Schema.Array(Decision),
  policyRevision: Schema.Int,
  findings: Schema.Array(Finding),
  grant: Schema.NullOr(Grant),
  ending: Schema.NullOr(Ending),
  review: Schema.NullOr(Review),
  outcome: Schema.NullOr(Schema.String),
  /** What early revocation does at this provider. */
  revocation: Schema.String,
  extends: Schema.NullOr(Schema.String),
  extendedBy: Schema.NullOr(Schema.String),
  createdAt: Timestamp,
  updatedAt: Timestamp
}).annotate({ identifier: "ElevationRequest" })
export type ElevationRequest = typeof ElevationRequest.Type

export const CreateRequest = Schema.Struct({
  provider: bounded(1024),
  role: bounded(4096),
  resourceScope: bounded(4096),
  durationSeconds: Schema.Finite,
  reason: Schema.optionalKey(bounded(65536)),
  breakGlass: Schema.optionalKey(Schema.Boolean),
  metadata: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
}).annotate({ identifier: "CreateRequest" })

export const ExtendRequest = Schema.Struct({
  durationSeconds: Schema.Finite,
  reason: Schema.optionalKey(bounded(65536))
}).annotate({ identifier: "ExtendRequest" })

export const Decide = Schema.Struct({
  /** The digest of the request that the decider saw. */
  digest: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/u)),
  comment: Schema.optionalKey(bounded(65536))
}).annotate({ identifier: "Decide" })

export const WithReason = Schema.Struct({ reason: Schema.optionalKey(bounded(65536)) }).annotate({
  identifier: "WithReason"
})

export const CloseReview = Schema.Struct({ comment: bounded(65536) }).annotate({ identifier: "CloseReview" })

export const Credentials = Schema.Struct({
  requestId: RequestId,
  credentials: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  issuedAt: Timestamp,
  expiresAt: Timestamp
}).annotate({ identifier: "Credentials" })

export const page = <S extends Schema.Constraint>(items: S) =>
  Schema.Struct({ items: Schema.Array(items), nextCursor: Schema.NullOr(Schema.String) })

const cursor = Schema.optionalKey(bounded(1024))
const limit = Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 })))

/** Query of a paged list. */
export const Paging = { cursor, limit }

export const ListRequests = {
  ...Paging,
  state: Schema.optionalKey(State),
  /** Only my own. */
  mine: Schema.optionalKey(Schema.Boolean),
  /** Only what waits for a decision that I may take. */
  pending: Schema.optionalKey(Schema.Boolean),
  requester: Schema.optionalKey(bounded(320)),
  provider: Schema.optionalKey(bounded(64)),
  role: Schema.optionalKey(bounded(256)),
  resourceScope: Schema.optionalKey(bounded(512)),
  breakGlass: Schema.optionalKey(Schema.Boolean),
  openReview: Schema.optionalKey(Schema.Boolean),
  since: Schema.optionalKey(Timestamp),
  until: Schema.optionalKey(Timestamp)
}

export const PolicyType = Schema.Literals(["eligibility", "approval", "breakglass", "library"]).annotate({
  identifier: "PolicyType"
})

export const PolicyFile = Schema.Struct({ path: bounded(512), source: bounded(262_144) }).annotate({
  identifier: "PolicyFile"
})

export const PolicyInfo = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: PolicyType,
  description: Schema.String,
  enabled: Schema.Boolean,
  hash: Schema.String,
  updatedAt: Timestamp,
  updatedBy: Schema.String
}).annotate({ identifier: "PolicyInfo" })

export const Policy = Schema.Struct({ ...PolicyInfo.fields, files: Schema.Array(PolicyFile) }).annotate({
  identifier: "Policy"
})

export const Policies = Schema.Struct({
  revision: Schema.Int,
  hash: Schema.String,
  policies: Schema.Array(PolicyInfo)
}).annotate({ identifier: "Policies" })

export const PolicyDraft = Schema.Struct({
  name: bounded(128),
  type: PolicyType,
  description: Schema.optionalKey(bounded(2048)),
  enabled: Schema.optionalKey(Schema.Boolean),
  files: Schema.Array(PolicyFile)
}).annotate({ identifier: "PolicyDraft" })

export const ApplyPolicies = Schema.Struct({
  policies: Schema.Array(PolicyDraft),
  /** Also delete what is not among `policies`: the set is then exactly this. */
  replaceAll: Schema.optionalKey(Schema.Boolean),
  /** The revision that the caller looked at; absent: the current one. */
  expectRevision: Schema.optionalKey(Schema.Int)
}).annotate({ identifier: "ApplyPolicies" })

export const PolicyChange = Schema.Struct({
  name: Schema.String,
  change: Schema.Literals(["added", "changed", "deleted"]),
  before: Schema.NullOr(Schema.String),
  after: Schema.NullOr(Schema.String)
}).annotate({ identifier: "PolicyChange" })

export const AppliedPolicies = Schema.Struct({
  revision: Schema.Int,
  hash: Schema.String,
  changes: Schema.Array(PolicyChange),
  warnings: Schema.Array(Schema.String)
}).annotate({ identifier: "AppliedPolicies" })

export const EvalPolicies = Schema.Struct({
  action: Schema.Literals(["request", "route", "approve", "deny", "ai_approve", "revoke", "break_glass"]),
  /** The input document; missing fields are filled with empty values. */
  input: Schema.Json,
  /** Evaluate these instead of what is stored. */
  drafts: Schema.optionalKey(Schema.Array(PolicyDraft)),
  /** RFC 3339; default now. */
  now: Schema.optionalKey(Timestamp)
}).annotate({ identifier: "EvalPolicies" })

export const EvaluatedPolicies = Schema.Struct({
  allowed: Schema.Boolean,
  tier: Schema.NullOr(Tier),
  reasons: Schema.Array(Schema.String),
  stages: Schema.Array(Stage),
  openQuorum: Schema.Int,
  findings: Schema.Array(Finding)
}).annotate({ identifier: "EvaluatedPolicies" })

export const Principal = Schema.Struct({
  identity: Schema.String,
  issuer: Schema.String,
  subject: Schema.String,
  email: Schema.NullOr(Schema.String),
  groups: Schema.Array(Schema.String),
  groupsReadAt: Timestamp,
  kind: Schema.Literals(["human", "agent", "system"]),
  owner: Schema.NullOr(Schema.String),
  trustTier: Schema.Int,
  notes: Schema.String,
  openReviews: Schema.Int,
  enrolledAt: Timestamp
}).annotate({ identifier: "Principal" })

export const WhoAmI = Schema.Struct({ ...Principal.fields, admin: Schema.Boolean, auditor: Schema.Boolean }).annotate({
  identifier: "WhoAmI"
})

export const SetTrustTier = Schema.Struct({
  trustTier: Schema.Finite,
  notes: Schema.optionalKey(bounded(65536))
}).annotate({
  identifier: "SetTrustTier"
})

export const SetOwner = Schema.Struct({ owner: bounded(1024) }).annotate({ identifier: "SetOwner" })

export const LockTarget = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("principal"), identity: bounded(1024) }),
  Schema.Struct({ kind: Schema.Literal("provider"), provider: bounded(64) }),
  Schema.Struct({
    kind: Schema.Literal("role"),
    provider: bounded(64),
    role: bounded(256),
    resourceScope: bounded(512)
  }),
  Schema.Struct({ kind: Schema.Literal("everything") })
]).annotate({ identifier: "LockTarget" })

export const CreateLock = Schema.Struct({ target: LockTarget, reason: bounded(65536) }).annotate({
  identifier: "CreateLock"
})

export const Lock = Schema.Struct({
  id: Schema.String,
  target: LockTarget,
  reason: Schema.String,
  by: Schema.String,
  since: Timestamp
}).annotate({ identifier: "Lock" })

export const AuditEntry = Schema.Struct({
  seq: Schema.Int,
  /** The canonical text: what is hashed. */
  payload: Schema.String,
  prevHash: Schema.String,
  hash: Schema.String,
  texts: Schema.Array(Schema.Struct({ hash: Schema.String, salt: Schema.String, text: Schema.String }))
}).annotate({ identifier: "AuditEntry" })

export const QueryAudit = {
  ...Paging,
  actor: Schema.optionalKey(bounded(1024)),
  action: Schema.optionalKey(bounded(64)),
  requestId: Schema.optionalKey(bounded(64)),
  provider: Schema.optionalKey(bounded(64)),
  outcome: Schema.optionalKey(Schema.Literals(["success", "failure", "refused"])),
  since: Schema.optionalKey(Timestamp),
  until: Schema.optionalKey(Timestamp),
  order: Schema.optionalKey(Schema.Literals(["newest", "oldest"]))
}

export const ServerInfo = Schema.Struct({
  version: Schema.String,
  apiVersions: Schema.Array(Schema.String),
  development: Schema.Boolean
}).annotate({ identifier: "ServerInfo" })

export const Ready = Schema.Struct({
  ready: Schema.Boolean,
  checks: Schema.Array(Schema.Struct({ name: Schema.String, ok: Schema.Boolean, detail: Schema.String }))
}).annotate({ identifier: "Ready" })

/** What a client needs to sign somebody in. Not secret, served to everybody. */
export const SignInConfig = Schema.Struct({
  issuers: Schema.Array(
    Schema.Struct({
      issuer: Schema.String,
      clientId: Schema.String,
      audience: Schema.NullOr(Schema.String),
      scopes: Schema.Array(Schema.String)
    })
  )
}).annotate({ identifier: "SignInConfig" })
