/** What the API shows of the domain's data. Never credentials, provider references or others' secrets. */
import {
  Access,
  Principal,
  Time,
  type AuditChain,
  type Lock,
  type PolicySet,
  type Provider,
  type Request,
  type Settings
} from "@jitsudo/core"
import type { Dto } from "@jitsudo/client"

const when = (time: Time.Time): string => Time.toRfc3339(time)
const whenOrNull = (time: Time.Time | null | undefined): string | null => (time == null ? null : Time.toRfc3339(time))

const who = (one: Request.Requester) => ({ issuer: one.issuer, subject: one.subject, email: one.email, kind: one.kind })

export const request = (
  one: Request.Request,
  missing: ReadonlyArray<string>,
  provider: Provider.Provider | undefined
): Dto.ElevationRequest => ({
  id: one.id,
  version: one.version,
  state: one.state,
  requester: who(one.requester),
  provider: one.asked.provider,
  role: one.asked.role,
  roleAsked: one.roleAsked,
  resourceScope: one.asked.resourceScope,
  durationSeconds: one.asked.durationSeconds,
  reason: one.asked.reason,
  metadata: one.asked.metadata,
  breakGlass: one.asked.breakGlass,
  digest: one.digest,
  tier: one.routing.tier,
  stages: one.routing.stages.map((stage) => ({
    policy: stage.policy,
    groups: [...stage.groups],
    users: [...stage.users],
    quorum: stage.quorum,
    unmeetable: stage.unmeetable
  })),
  openQuorum: one.routing.openQuorum,
  missing: [...missing],
  waitingFor: one.waitingFor,
  decideBy: when(one.decideBy),
  decisions: one.decisions.map((decision) => ({
    by: "policy" in decision.by ? { policy: decision.by.policy } : who(decision.by),
    verdict: decision.verdict,
    comment: decision.comment,
    at: when(decision.at),
    policyRevision: decision.policyRevision,
    struck: decision.struck?.why ?? null
  })),
  policyRevision: one.routing.policyRevision,
  findings: one.routing.findings.map((finding) => ({ ...finding, reasons: [...finding.reasons] })),
  grant:
    one.grant === null
      ? null
      : {
          attempts: one.grant.attempts,
          issuedAt: whenOrNull(one.grant.issuedAt),
          notAfter: whenOrNull(one.grant.notAfter),
          lastError: one.grant.lastError
        },
  ending:
    one.ending === null
      ? null
      : {
          why: one.ending.why,
          reason: one.ending.reason,
          since: when(one.ending.since),
          attempts: one.ending.attempts,
          lastError: one.ending.lastError,
          nextAttemptAt: whenOrNull(one.ending.nextAttemptAt),
          needsAttention: one.ending.needsAttention
        },
  review:
    one.review === null
      ? null
      : {
          openedAt: when(one.review.openedAt),
          dueAt: when(one.review.dueAt),
          closed:
            one.review.closed === null
              ? null
              : { by: who(one.review.closed.by), at: when(one.review.closed.at), comment: one.review.closed.comment }
        },
  outcome: one.outcome,
  revocation: provider?.capabilities.earlyRevocation.note ?? "",
  extends: one.extends,
  extendedBy: one.extendedBy,
  createdAt: when(one.createdAt),
  updatedAt: when(one.updatedAt)
})

export const policyInfo = (one: PolicySet.PolicySource) => ({
  id: one.id,
  name: one.name,
  type: one.type,
  description: one.description,
  enabled: one.enabled,
  hash: one.hash,
  updatedAt: when(one.updatedAt),
  updatedBy: one.updatedBy.email ?? Principal.keyOf(one.updatedBy)
})

export const principal = (one: Principal.Principal) => ({
  identity: Principal.keyOf(one),
  issuer: one.issuer,
  subject: one.subject,
  email: one.email,
  groups: [...one.groups],
  groupsReadAt: when(one.groupsReadAt),
  kind: one.kind,
  owner: one.owner === null ? null : Principal.keyOf(one.owner),
  trustTier: one.trustTier,
  notes: one.trustNotes,
  openReviews: one.openReviews,
  enrolledAt: when(one.firstSeenAt)
})

export const whoAmI = (one: Principal.Principal, settings: Settings.DomainSettings) => ({
  ...principal(one),
  admin: Access.isAdmin(one, settings),
  auditor: Access.isAuditor(one, settings)
})

export const lock = (one: Lock.Lock) => ({
  id: one.id,
  target:
    one.target.kind === "principal"
      ? { kind: "principal" as const, identity: Principal.keyOf(one.target.principal) }
      : one.target,
  reason: one.reason,
  by: one.by.email ?? Principal.keyOf(one.by),
  since: when(one.since)
})

export const entry = (one: AuditChain.Entry) => ({
  seq: one.seq,
  payload: one.payload,
  prevHash: one.prevHash,
  hash: one.hash,
  texts: one.texts.map((text) => ({ ...text }))
})
