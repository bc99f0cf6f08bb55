/** The audit record of each event: what a reader of the log needs to know, long texts beside the entry. */
import type { Actor as AuditActor, AuditRecord } from "./AuditRecord.ts"
import type { Refused } from "./ElevationError.ts"
import type { AgentReview, Event } from "./Event.ts"
import type { JsonObject } from "./Json.ts"
import { system } from "./Principal.ts"
import type { Request, Requester } from "./Request.ts"
import * as Times from "./Time.ts"

export const systemActor: AuditActor = { ...system, email: null, kind: "system" }

export const actorOf = (who: Requester): AuditActor => ({
  issuer: who.issuer,
  subject: who.subject,
  email: who.email,
  kind: who.kind
})

/** A record about a request. */
export const about = (
  request: Pick<Request, "id" | "asked">,
  actor: AuditActor,
  action: AuditRecord["action"],
  outcome: AuditRecord["outcome"],
  details: JsonObject = {},
  texts: Readonly<Record<string, string>> = {}
): AuditRecord => ({
  actor,
  action,
  outcome,
  requestId: request.id,
  provider: request.asked.provider,
  role: request.asked.role,
  resourceScope: request.asked.resourceScope,
  // Whoever reads one entry of a break-glass sees that it is one.
  details: request.asked.breakGlass ? { ...details, breakGlass: true } : details,
  texts: Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""))
})

/** A record about no request. */
export const plain = (
  actor: AuditActor,
  action: AuditRecord["action"],
  outcome: AuditRecord["outcome"],
  details: JsonObject = {},
  texts: Readonly<Record<string, string>> = {}
): AuditRecord => ({
  actor,
  action,
  outcome,
  requestId: null,
  provider: null,
  role: null,
  resourceScope: null,
  details,
  texts: Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ""))
})

const findingsOf = (request: Request): JsonObject => ({
  policyRevision: request.routing.policyRevision,
  policyHash: request.routing.policyHash,
  findings: request.routing.findings.map((finding) => ({
    policy: finding.policy,
    says: finding.says,
    reasons: [...finding.reasons]
  }))
})

const routingOf = (request: Request): JsonObject => ({
  tier: request.routing.tier,
  stages: request.routing.stages.map((stage) => ({
    policy: stage.policy,
    groups: [...stage.groups],
    users: [...stage.users],
    quorum: stage.quorum
  })),
  openQuorum: request.routing.openQuorum,
  ...findingsOf(request)
})

const whoIs = (by: Requester | { readonly policy: string }): JsonObject =>
  "policy" in by ? { policy: by.policy } : { issuer: by.issuer, subject: by.subject, email: by.email }

/** An agent's answer: what it says of itself, and its words beside the entry. */
const reviewDetails = (review: AgentReview | undefined): JsonObject =>
  review === undefined
    ? {}
    : {
        verdict: review.verdict,
        confidence: review.confidence,
        risk: review.risk,
        model: review.model,
        readVersion: review.version
      }

const reviewTexts = (review: AgentReview | undefined): Readonly<Record<string, string>> =>
  review === undefined ? {} : { reasoning: review.reasoning }

const time = (value: Times.Time | null): string | null => (value === null ? null : Times.toRfc3339Micros(value))

/** The records of one event. `after` is the request with all events of the step. */
export const recordsOf = (event: Event, after: Request, actor: AuditActor): ReadonlyArray<AuditRecord> => {
  const breakGlass = after.asked.breakGlass
  switch (event.type) {
    case "Created":
      return [
        about(
          after,
          actor,
          "request.created",
          "success",
          {
            digest: after.digest,
            durationSeconds: after.asked.durationSeconds,
            breakGlass,
            roleAsked: after.roleAsked,
            metadata: { ...after.asked.metadata },
            labels: after.labels,
            channel: after.channel,
            sourceIp: after.sourceIp,
            extends: after.extends
          },
          { reason: after.asked.reason }
        ),
        about(after, actor, "request.routed", "success", {
          ...routingOf(event.request),
          decideBy: time(event.request.decideBy)
        })
      ]
    case "Rerouted":
      return [about(after, systemActor, "request.rerouted", "success", routingOf({ ...after, routing: event.routing }))]
    case "DecisionRecorded":
      return event.decision.verdict === "approve" &&
        !("policy" in event.decision.by) &&
        event.decision.by.kind === "human"
        ? [
            about(
              after,
              actor,
              "request.approval_recorded",
              "success",
              { digest: event.decision.digest, policyRevision: event.decision.policyRevision, breakGlass },
              { comment: event.decision.comment }
            )
          ]
        : []
    case "DecisionStruck": {
      const decision = after.decisions[event.index]
      return [
        about(after, systemActor, "request.approval_struck", "success", {
          by: decision === undefined ? null : whoIs(decision.by),
          why: event.why
        })
      ]
    }
    case "Waiting":
      return [about(after, systemActor, "request.waiting", "success", { waitingFor: event.waitingFor })]
    case "Approved":
      return [
        about(
          after,
          actor,
          event.by === "policy"
            ? "request.auto_approved"
            : event.by === "agent"
              ? "request.ai_approved"
              : "request.approved",
          "success",
          {
            by: event.by,
            breakGlass,
            digest: after.digest,
            approvals: after.decisions.flatMap((decision) =>
              decision.verdict === "approve" && decision.struck === null ? [whoIs(decision.by)] : []
            ),
            ...reviewDetails(event.review),
            ...routingOf(after)
          },
          reviewTexts(event.review)
        )
      ]
    case "Rejected":
      return [
        about(
          after,
          "policy" in event.by ? { ...systemActor, subject: event.by.policy, kind: "policy" } : actor,
          !("policy" in event.by) && event.by.kind === "agent" ? "request.ai_denied" : "request.denied",
          "success",
          {
            by: whoIs(event.by),
            digest: after.digest,
            ...("policy" in event.by ? { reasons: [...event.reasons] } : {}),
            ...reviewDetails(event.review)
          },
          "policy" in event.by
            ? {}
            : event.review === undefined
              ? { comment: event.reasons.join("\n") }
              : reviewTexts(event.review)
        )
      ]
    case "Cancelled":
      return [about(after, actor, "request.cancelled", "success", { by: whoIs(event.by) }, { reason: event.reason })]
    case "Lapsed":
      return [about(after, systemActor, "request.lapsed", "success", { decideBy: time(after.decideBy) })]
    case "Escalated":
      return [
        about(
          after,
          event.by === null ? systemActor : actor,
          event.by === null ? "request.escalated" : "request.ai_escalated",
          "success",
          {
            why: event.why,
            decideBy: time(event.decideBy),
            ...reviewDetails(event.review)
          },
          reviewTexts(event.review)
        )
      ]
    case "GrantStarted":
      return [
        about(after, systemActor, "grant.started", "success", {
          attempt: after.grant?.attempts ?? 1,
          resourceKey: event.resourceKey,
          breakGlass
        })
      ]
    case "GrantAttemptFailed":
      return [
        about(after, systemActor, "grant.attempt_failed", "failure", {
          reason: event.reason,
          error: event.error,
          effect: event.effect
        })
      ]
    case "GrantIssued":
      return [
        about(after, systemActor, "grant.issued", "success", {
          issuedAt: time(event.issuedAt),
          notAfter: time(event.notAfter),
          providerNotAfter: time(event.providerNotAfter),
          approvedSeconds: after.asked.durationSeconds,
          reference: event.reference,
          breakGlass
        })
      ]
    case "GrantArrivedLate":
      return [
        about(after, systemActor, "grant.taken_back", "success", { reference: event.reference, state: after.state })
      ]
    case "GrantFailed":
      return [about(after, systemActor, "grant.failed", "failure", { error: event.outcome })]
    case "EndingBegun":
      return [
        about(
          after,
          actor,
          "grant.ending",
          "success",
          {
            why: event.ending.why,
            into: event.ending.into,
            by: event.ending.by === null ? null : whoIs(event.ending.by)
          },
          { reason: event.ending.reason }
        )
      ]
    case "EndAttemptFailed":
      return [
        about(after, systemActor, event.needsAttention ? "grant.needs_attention" : "grant.end_failed", "failure", {
          attempt: after.ending?.attempts ?? 1,
          error: event.error,
          nextAttemptAt: time(event.nextAttemptAt)
        })
      ]
    case "Ended":
      return [
        about(
          after,
          systemActor,
          after.state === "EXPIRED" ? "grant.expired" : after.state === "REVOKED" ? "grant.revoked" : "grant.failed",
          after.state === "FAILED" ? "failure" : "success",
          { why: after.ending?.why ?? null, note: event.note, attempts: after.ending?.attempts ?? 0 }
        )
      ]
    case "SweptAgain":
      return [about(after, systemActor, "grant.closed", "success", { note: event.note })]
    case "RemovedExternally":
      return [about(after, systemActor, "grant.removed_externally", "success", {})]
    case "CredentialsRead":
      return [about(after, actor, "credentials.read", "success", { notAfter: time(after.grant?.notAfter ?? null) })]
    case "ReviewOpened":
      return [about(after, systemActor, "breakglass.review_opened", "success", { dueAt: time(event.dueAt) })]
    case "ReviewReminded":
      return [
        about(after, systemActor, "breakglass.review_reminded", "success", { dueAt: time(after.review?.dueAt ?? null) })
      ]
    case "ReviewClosed":
      return [about(after, actor, "breakglass.review_closed", "success", {}, { comment: event.comment })]
    case "Extended":
      return []
  }
}

/** The action under which a refusal of a command is recorded. */
export const refusedAction = {
  Submit: "request.refused",
  Approve: "request.approval_refused",
  Deny: "request.deny_refused",
  AiDecide: "request.ai_refused",
  Cancel: "access.refused",
  Revoke: "revoke.refused",
  ReadCredentials: "credentials.refused",
  CloseReview: "breakglass.review_refused"
} as const satisfies Record<string, AuditRecord["action"]>

/** A refusal as details: the code, the message, policy's reasons. */
export const refusalDetails = (refusal: Refused): JsonObject => ({
  code: refusal.code,
  message: refusal.message,
  reasons: (refusal.problems ?? []).map((problem) => problem.message)
})
