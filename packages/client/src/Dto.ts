/**
 * What goes over the wire. camelCase, numbers as numbers, states by their short names, times in RFC 3339.
 *
 * What comes in is bounded here as far as that needs no facts, so that one answer names every field at fault; core
 * checks again, because it has other callers. The bounds are core's (`Text.limits`); a test compares them.
 */
import * as Schema from "effect/Schema"
import { Timestamp } from "./Timestamp.ts"

export { Timestamp }

/** Text that can be stored and hashed as it stands, at most `max` UTF-16 code units long. */
const text = (max: number) =>
  Schema.String.check(
    Schema.isMaxLength(max, { message: `must have at most ${max} characters` }),
    Schema.makeFilter((value: string) => !value.includes("\u0000") || "must not contain NUL"),
    Schema.makeFilter(
      (value: string) => value.isWellFormed() || "must be well-formed Unicode (it has a lone surrogate)"
    )
  )

const notEmpty = Schema.makeFilter((value: string) => value.trim() !== "" || "must not be empty")
const singleLine = Schema.makeFilter((value: string) => !/[\n\r\t]/u.test(value) || "must be a single line")

/** A name: one line that is not empty. */
const name = (max: number) => text(max).check(notEmpty, singleLine)

/** What people write. */
const prose = text(2048)

const seconds = Schema.Int.check(Schema.isGreaterThan(0, { message: "must be a whole number of seconds above 0" }))

export const RequestId = Schema.String.check(Schema.isPattern(/^req_[0-9A-HJKMNP-TV-Z]{26}$/u)).annotate({
  identifier: "RequestId",
  description: "req_ and a ULID"
})

/** A level of the log's tree, or its entries (c2sp.org/tlog-tiles). */
export const TileLevel = Schema.String.check(
  Schema.isPattern(/^(?:\d|[1-5]\d|6[0-3]|entries)$/u, { message: "must be 0 to 63 or entries" })
)

/** A part of a tile's index: `x001`, `234`, `234.p`, or the width behind it. */
export const TilePart = Schema.String.check(
  Schema.isPattern(/^(?:x?\d{3}|\d{3}\.p|[1-9]\d{0,2})$/u, { message: "must be a part of a tile's path" })
)

/** A sequence number in a path. */
export const EntrySeq = Schema.FiniteFromString.check(
  Schema.isInt(),
  Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, { message: "must be a sequence number, from 1" })
)

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

const Metadata = Schema.Record(Schema.String, text(256).check(singleLine)).check(
  Schema.makeFilter((metadata: Readonly<Record<string, string>>) => {
    const keys = Object.keys(metadata)
    if (keys.length > 16) return "must have at most 16 keys"
    return (
      keys.every((key) => /^[a-zA-Z0-9_.-]{1,64}$/u.test(key) && key !== "__proto__") ||
      "keys must have 1-64 letters, digits, `_`, `.` or `-`"
    )
  })
)

export const CreateRequest = Schema.Struct({
  provider: name(64),
  role: name(256),
  resourceScope: text(512).check(singleLine),
  durationSeconds: seconds,
  reason: Schema.optionalKey(prose),
  breakGlass: Schema.optionalKey(Schema.Boolean),
  metadata: Schema.optionalKey(Metadata)
}).annotate({ identifier: "CreateRequest" })

export const ExtendRequest = Schema.Struct({
  durationSeconds: seconds,
  reason: Schema.optionalKey(prose)
}).annotate({ identifier: "ExtendRequest" })

export const Decide = Schema.Struct({
  /** The digest of the request that the decider saw. */
  digest: Schema.String.check(
    Schema.isPattern(/^[0-9a-f]{64}$/u, { message: "must be the digest of the request: 64 hexadecimal digits" })
  ),
  comment: Schema.optionalKey(prose)
}).annotate({ identifier: "Decide" })

export const WithReason = Schema.Struct({ reason: Schema.optionalKey(prose) }).annotate({
  identifier: "WithReason"
})

export const CloseReview = Schema.Struct({ comment: prose }).annotate({ identifier: "CloseReview" })

export const Credentials = Schema.Struct({
  requestId: RequestId,
  credentials: Schema.Array(Schema.Struct({ name: Schema.String, value: Schema.String })),
  issuedAt: Timestamp,
  expiresAt: Timestamp
}).annotate({ identifier: "Credentials" })

export const page = <S extends Schema.Constraint>(items: S) =>
  Schema.Struct({ items: Schema.Array(items), nextCursor: Schema.NullOr(Schema.String) })

const cursor = Schema.optionalKey(text(1024))
const limit = Schema.optionalKey(
  Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 500 }, { message: "must be from 1 to 500" }))
)

/** Query of a paged list. */
export const Paging = { cursor, limit }

export const ListRequests = {
  ...Paging,
  state: Schema.optionalKey(State),
  /** Only my own. */
  mine: Schema.optionalKey(Schema.Boolean),
  /** Only what waits for a decision that I may take. */
  pending: Schema.optionalKey(Schema.Boolean),
  requester: Schema.optionalKey(text(320)),
  provider: Schema.optionalKey(text(64)),
  role: Schema.optionalKey(text(256)),
  resourceScope: Schema.optionalKey(text(512)),
  breakGlass: Schema.optionalKey(Schema.Boolean),
  openReview: Schema.optionalKey(Schema.Boolean),
  since: Schema.optionalKey(Timestamp),
  until: Schema.optionalKey(Timestamp)
}

export const PolicyType = Schema.Literals(["eligibility", "approval", "breakglass", "library"]).annotate({
  identifier: "PolicyType"
})

export const PolicyFile = Schema.Struct({ path: Schema.String, source: Schema.String }).annotate({
  identifier: "PolicyFile"
})

export const PolicyFileDraft = Schema.Struct({ path: name(512), source: text(262_144) }).annotate({
  identifier: "PolicyFileDraft"
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
  name: name(128),
  type: PolicyType,
  description: Schema.optionalKey(prose),
  enabled: Schema.optionalKey(Schema.Boolean),
  files: Schema.Array(PolicyFileDraft).check(Schema.isMaxLength(200, { message: "must be at most 200 files" }))
}).annotate({ identifier: "PolicyDraft" })

export const ApplyPolicies = Schema.Struct({
  policies: Schema.Array(PolicyDraft).check(Schema.isMaxLength(200, { message: "must be at most 200 policies" })),
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

export const ListPrincipals = { ...Paging, email: Schema.optionalKey(text(320)) }

export const WhoAmI = Schema.Struct({ ...Principal.fields, admin: Schema.Boolean, auditor: Schema.Boolean }).annotate({
  identifier: "WhoAmI"
})

export const SetTrustTier = Schema.Struct({
  trustTier: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }, { message: "must be 0, 1, 2, 3 or 4" })),
  notes: Schema.optionalKey(prose)
}).annotate({
  identifier: "SetTrustTier"
})

/** `issuer#subject`, or an e-mail address that one known principal has. */
const identity = name(1024)

/** Path parameters. */
export const Identity = identity
/** A policy's id or name. */
export const PolicyRef = name(128)
export const LockId = name(64)

export const SetOwner = Schema.Struct({ owner: identity }).annotate({ identifier: "SetOwner" })

export const LockTarget = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("principal"), identity }),
  Schema.Struct({ kind: Schema.Literal("provider"), provider: name(64) }),
  Schema.Struct({
    kind: Schema.Literal("role"),
    provider: name(64),
    role: name(256),
    resourceScope: name(512)
  }),
  Schema.Struct({ kind: Schema.Literal("everything") })
]).annotate({ identifier: "LockTarget" })

export const LockedTarget = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("principal"), identity: Schema.String }),
  Schema.Struct({ kind: Schema.Literal("provider"), provider: Schema.String }),
  Schema.Struct({
    kind: Schema.Literal("role"),
    provider: Schema.String,
    role: Schema.String,
    resourceScope: Schema.String
  }),
  Schema.Struct({ kind: Schema.Literal("everything") })
]).annotate({ identifier: "LockedTarget" })

export const CreateLock = Schema.Struct({ target: LockTarget, reason: prose.check(notEmpty) }).annotate({
  identifier: "CreateLock"
})

export const Lock = Schema.Struct({
  id: Schema.String,
  target: LockedTarget,
  reason: Schema.String,
  by: Schema.String,
  since: Timestamp
}).annotate({ identifier: "Lock" })

/** Something at a platform that carries jitsudo's mark. */
export const Mark = Schema.Struct({
  requestId: Schema.String,
  resourceKey: Schema.String,
  /** The installation that left it; null where the mark names none. */
  installation: Schema.NullOr(Schema.String),
  notAfter: Schema.NullOr(Timestamp)
}).annotate({ identifier: "Mark" })

/** How one provider's platform differs from what is live here (docs/spec/reconciliation.md). */
export const ProviderDifference = Schema.Struct({
  provider: Schema.String,
  /** False: it cannot list, and nothing is known of its orphans. */
  listing: Schema.Boolean,
  /** This installation's, unknown or over here: taken back after the grace period. */
  orphans: Schema.Array(Mark),
  /** Unknown here and naming no installation: taken back on an administrator's word only. */
  unclaimed: Schema.Array(Mark),
  /** Another installation's. */
  foreign: Schema.Array(Mark),
  /** Requests that are ACTIVE here and gone there. */
  removed: Schema.Array(Schema.String),
  /** Why it could not be compared; null when it was. */
  error: Schema.NullOr(Schema.String)
}).annotate({ identifier: "ProviderDifference" })

export const Reconciliation = Schema.Struct({
  /** The word of this installation in its marks; null while it has none. */
  installation: Schema.NullOr(Schema.String),
  providers: Schema.Array(ProviderDifference),
  /** Request ids whose taking back an administrator's word has begun. */
  takenBack: Schema.Array(Schema.String)
}).annotate({ identifier: "Reconciliation" })

export const ReconcileQuery = { provider: Schema.optionalKey(name(64)) }

export const Reconcile = Schema.Struct({
  /** All providers when absent. */
  provider: Schema.optionalKey(name(64)),
  /** Request ids of marks to take back now, whosever they are; what is live here is left alone. */
  takeBack: Schema.optionalKey(
    Schema.Array(RequestId).check(Schema.isMaxLength(100, { message: "must have at most 100 items" }))
  )
}).annotate({ identifier: "Reconcile" })

/** What a platform can do, and cannot: shown before anybody relies on it. */
export const Provider = Schema.Struct({
  /** What requests name. */
  name: Schema.String,
  /** The platform ends a right by itself when its time is over. */
  nativeExpiry: Schema.Boolean,
  earlyRevocation: Schema.Struct({
    supported: Schema.Boolean,
    /** Seconds until it bites, as the platform documents it. */
    withinSeconds: Schema.Finite,
    /** What goes on working, and until when. */
    note: Schema.String
  }),
  /** Everything that jitsudo left there can be found again. */
  listing: Schema.Boolean,
  /** The platform can be asked whether a right is still there. */
  inspection: Schema.Boolean,
  minDurationSeconds: Schema.Int,
  maxDurationSeconds: Schema.Int
}).annotate({ identifier: "Provider" })

export const AuditEntry = Schema.Struct({
  seq: Schema.Int,
  /** The canonical text: what is hashed. */
  payload: Schema.String,
  prevHash: Schema.String,
  hash: Schema.String,
  texts: Schema.Array(Schema.Struct({ hash: Schema.String, salt: Schema.String, text: Schema.String }))
}).annotate({ identifier: "AuditEntry" })

const seq = Schema.Int.check(Schema.isGreaterThan(0, { message: "must be 1 or more" }))

export const QueryAudit = {
  ...Paging,
  actor: Schema.optionalKey(text(1024)),
  action: Schema.optionalKey(text(64)),
  requestId: Schema.optionalKey(text(64)),
  provider: Schema.optionalKey(text(64)),
  outcome: Schema.optionalKey(Schema.Literals(["success", "failure", "refused"])),
  since: Schema.optionalKey(Timestamp),
  until: Schema.optionalKey(Timestamp),
  order: Schema.optionalKey(Schema.Literals(["newest", "oldest"]))
}

export const ExportAudit = {
  /** First and last sequence number, both inclusive; absent: the whole log. */
  from: Schema.optionalKey(seq),
  to: Schema.optionalKey(seq)
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
