/** The one document that policies see, built from facts. Every field is always present: absent is empty. */
import type { Actor } from "./Elevation.ts"
import type { JsonObject } from "./Json.ts"
import type { PolicyAction, PolicyInput, PolicyPrincipal } from "./Policy.ts"
import type { Asked, Request } from "./Request.ts"
import type { HeldInterval } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"

const principalOf = (actor: Actor, now: Time): PolicyPrincipal => ({
  email: actor.principal.email ?? "",
  subject: actor.principal.subject,
  issuer: actor.principal.issuer,
  groups: actor.principal.groups,
  groups_age_seconds: Math.max(0, Times.secondsBetween(actor.principal.groupsReadAt, now)),
  kind: actor.principal.kind,
  auth_time: actor.principal.authTime === null ? "" : Times.toRfc3339(actor.principal.authTime),
  amr: actor.principal.amr
})

export interface InputParts {
  readonly action: PolicyAction
  readonly now: Time
  readonly user: Actor
  readonly requester: Actor
  readonly request: {
    readonly id: string
    readonly asked: Asked
    readonly roleAsked: string
    readonly createdAt: Time
    readonly labels: JsonObject
    readonly channel: string
    readonly sourceIp: string
    readonly decisions: Request["decisions"]
  }
  readonly activeGrants: ReadonlyArray<Request>
  readonly heldSeconds: number
  /** Break-glass reviews of the requester that nobody closed yet; those of `requester.principal` when absent. */
  readonly openReviews?: number
  readonly review?: PolicyInput["review"]
}

export const inputOf = (parts: InputParts): PolicyInput => {
  const { now, request } = parts
  return {
    version: 1,
    action: parts.action,
    user: principalOf(parts.user, now),
    requester: principalOf(parts.requester, now),
    request: {
      id: request.id,
      provider: request.asked.provider,
      role: request.asked.role,
      role_asked: request.roleAsked,
      resource_scope: request.asked.resourceScope,
      duration_seconds: request.asked.durationSeconds,
      reason: request.asked.reason,
      break_glass: request.asked.breakGlass,
      metadata: request.asked.metadata,
      created_at: Times.toRfc3339(request.createdAt)
    },
    review: parts.review ?? { confidence: 0, risk: "", model: "" },
    context: {
      trust_tier: parts.user.principal.trustTier,
      requester_trust_tier: parts.requester.principal.trustTier,
      now: Times.toRfc3339(now),
      now_ns: now * 1_000_000,
      channel: request.channel,
      source_ip: request.sourceIp,
      approvals: request.decisions.flatMap((decision) =>
        decision.verdict === "approve" && decision.struck === null && !("policy" in decision.by)
          ? [{ email: decision.by.email ?? "", subject: decision.by.subject, at: Times.toRfc3339(decision.at) }]
          : []
      ),
      active_grants: parts.activeGrants.map((grant) => ({
        request_id: grant.id,
        provider: grant.asked.provider,
        role: grant.asked.role,
        resource_scope: grant.asked.resourceScope,
        not_after: grant.grant?.notAfter == null ? "" : Times.toRfc3339(grant.grant.notAfter)
      })),
      held_seconds: parts.heldSeconds,
      open_breakglass_reviews: parts.openReviews ?? parts.requester.principal.openReviews,
      labels: { ...request.labels, facts_ok: request.labels["facts_ok"] ?? true }
    }
  }
}

/** A break shorter than this does not count as one, so that a gap of a second does not reset the count. */
const breakSeconds = 300

/** Seconds without a break, up to now, in which these intervals held a role. */
export const heldSeconds = (held: ReadonlyArray<HeldInterval>, now: Time): number => {
  const latestFirst = [...held].sort((a, b) => b.to - a.to)
  let since = now
  for (const interval of latestFirst) {
    if (Times.secondsBetween(interval.to, since) >= breakSeconds) break
    since = Times.min(since, interval.from)
  }
  return Math.max(0, Times.secondsBetween(since, now))
}
