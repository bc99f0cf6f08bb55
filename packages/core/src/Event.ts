/**
 * What can happen to a request, and what each event makes of it.
 *
 * `evolve` is pure and total over the events that `decide` can produce; it knows no rules. An event that does not fit
 * the request at hand is a bug, and dies.
 */
import type { JsonObject } from "./Json.ts"
import type { Decision, Ending, Request, Requester, Routing, State } from "./Request.ts"
import { terminal } from "./Request.ts"
import type { Time } from "./Time.ts"
import * as Times from "./Time.ts"

/** An agent's answer as it goes on record, whether it counted or not. */
export interface AgentReview {
  readonly verdict: "approve" | "deny" | "escalate"
  readonly reasoning: string
  /** 0 to 1; null when what was given is no such number. */
  readonly confidence: number | null
  readonly risk: string
  readonly model: string
  /** The version that the agent says it read. */
  readonly version: number
}

export type Event =
  | { readonly type: "Created"; readonly request: Request }
  /** `decideBy`: the deadline of the tier that it now is in. */
  | { readonly type: "Rerouted"; readonly routing: Routing; readonly decideBy: Time }
  | { readonly type: "DecisionRecorded"; readonly decision: Decision }
  | { readonly type: "DecisionStruck"; readonly index: number; readonly why: string }
  /** Null: it waits for nobody's sign-in any more. */
  | { readonly type: "Waiting"; readonly waitingFor: string | null }
  | {
      readonly type: "Approved"
      readonly by: "policy" | "people" | "agent" | "break_glass"
      readonly startBy: Time
      readonly review?: AgentReview
    }
  | {
      readonly type: "Rejected"
      readonly by: Requester | { readonly policy: string }
      readonly outcome: string
      readonly reasons: ReadonlyArray<string>
      readonly review?: AgentReview
    }
  | { readonly type: "Cancelled"; readonly by: Requester; readonly reason: string }
  | { readonly type: "Lapsed" }
  | {
      readonly type: "Escalated"
      readonly why: string
      readonly by: Requester | null
      readonly decideBy: Time
      readonly review?: AgentReview
    }
  | { readonly type: "GrantStarted"; readonly resourceKey: string; readonly latestEnd: Time }
  | {
      readonly type: "GrantAttemptFailed"
      readonly error: string
      readonly reason: string
      readonly effect: "none" | "unknown"
    }
  | {
      readonly type: "GrantIssued"
      readonly issuedAt: Time
      readonly notAfter: Time
      readonly providerNotAfter: Time
      readonly reference: JsonObject
    }
  /** The provider granted what is no longer wanted: its reference is kept so that it can be taken back. */
  | { readonly type: "GrantArrivedLate"; readonly reference: JsonObject; readonly providerNotAfter: Time }
  | { readonly type: "GrantFailed"; readonly outcome: string }
  | { readonly type: "EndingBegun"; readonly ending: Pick<Ending, "why" | "by" | "reason" | "into"> }
  | {
      readonly type: "EndAttemptFailed"
      readonly error: string
      readonly nextAttemptAt: Time
      readonly needsAttention: boolean
      /** Tell somebody: it needs attention from now on, or still does. */
      readonly alert: boolean
    }
  | { readonly type: "Ended"; readonly note: string | null; readonly sweepAgainAt: Time | null }
  /** A second `end` after the longest lease confirmed that nothing is left. */
  | { readonly type: "SweptAgain"; readonly note: string | null }
  | { readonly type: "RemovedExternally" }
  | { readonly type: "CredentialsRead"; readonly by: Requester }
  | { readonly type: "ReviewOpened"; readonly dueAt: Time }
  | { readonly type: "ReviewReminded" }
  | { readonly type: "ReviewClosed"; readonly by: Requester; readonly comment: string }
  | { readonly type: "Extended"; readonly by: string }

/** Thrown when an event cannot follow: a bug in `decide`. */
export class ImpossibleEvent extends Error {
  override readonly name = "ImpossibleEvent"
}

const required = <A>(value: A | null, what: string, request: Request): A => {
  if (value === null) throw new ImpossibleEvent(`${request.id} in ${request.state} has no ${what}`)
  return value
}

const into = (request: Request, state: State): Request => {
  if (terminal.has(request.state))
    throw new ImpossibleEvent(`${request.id} is ${request.state} and cannot become ${state}`)
  return { ...request, state }
}

const unpend = (request: Request, state: State): Request => ({ ...into(request, state), waitingFor: null })

/** The request after one event. `version` and `updatedAt` are the step's business. */
export const evolve = (request: Request, event: Exclude<Event, { type: "Created" }>, now: Time): Request => {
  switch (event.type) {
    case "Rerouted":
      return { ...request, routing: event.routing, decideBy: event.decideBy }
    case "DecisionRecorded":
      return { ...request, decisions: [...request.decisions, event.decision] }
    case "DecisionStruck":
      return {
        ...request,
        decisions: request.decisions.map((decision, index) =>
          index === event.index ? { ...decision, struck: { at: now, why: event.why } } : decision
        )
      }
    case "Waiting":
      return { ...request, waitingFor: event.waitingFor }
    case "Approved":
      return { ...unpend(request, "APPROVED"), startBy: event.startBy }
    case "Rejected":
      return { ...unpend(request, "REJECTED"), outcome: event.outcome }
    case "Cancelled":
      return { ...unpend(request, "CANCELLED"), outcome: event.reason }
    case "Lapsed":
      return { ...unpend(request, "LAPSED"), outcome: "nobody decided before the deadline" }
    case "Escalated":
      return { ...request, routing: { ...request.routing, tier: "human" }, decideBy: event.decideBy }
    case "GrantStarted":
      return {
        ...request,
        grant: {
          resourceKey: request.grant?.resourceKey ?? event.resourceKey,
          startedAt: request.grant?.startedAt ?? now,
          attempts: (request.grant?.attempts ?? 0) + 1,
          attemptedAt: now,
          issuedAt: null,
          notAfter: null,
          providerNotAfter: null,
          latestEnd: request.grant === null ? event.latestEnd : Times.max(request.grant.latestEnd, event.latestEnd),
          reference: request.grant?.reference ?? null,
          // Until its answer is committed, nobody knows what this attempt did.
          openAttempts: (request.grant?.openAttempts ?? 0) + 1,
          outcomeUnknown: request.grant !== null && (request.grant.outcomeUnknown || request.grant.openAttempts > 0),
          lastError: request.grant?.lastError ?? null,
          sweepAgainAt: null
        }
      }
    case "GrantAttemptFailed": {
      const grant = required(request.grant, "grant", request)
      return {
        ...request,
        grant: {
          ...grant,
          openAttempts: event.effect === "none" ? Math.max(0, grant.openAttempts - 1) : grant.openAttempts,
          outcomeUnknown: grant.outcomeUnknown || event.effect === "unknown",
          lastError: event.error
        }
      }
    }
    case "GrantIssued": {
      const grant = required(request.grant, "grant", request)
      return {
        ...into(request, "ACTIVE"),
        startBy: null,
        grant: {
          ...grant,
          issuedAt: event.issuedAt,
          notAfter: event.notAfter,
          providerNotAfter: event.providerNotAfter,
          latestEnd: Times.max(grant.latestEnd, event.providerNotAfter),
          reference: event.reference,
          openAttempts: Math.max(0, grant.openAttempts - 1),
          lastError: null
        }
      }
    }
    case "GrantArrivedLate": {
      const grant = required(request.grant, "grant", request)
      return {
        ...request,
        grant: {
          ...grant,
          reference: event.reference,
          latestEnd: Times.max(grant.latestEnd, event.providerNotAfter),
          outcomeUnknown: true
        }
      }
    }
    case "GrantFailed":
      return { ...into(request, "FAILED"), startBy: null, outcome: event.outcome }
    case "EndingBegun":
      return {
        ...into(request, "ENDING"),
        startBy: null,
        ending: {
          ...event.ending,
          since: now,
          attempts: 0,
          lastError: null,
          nextAttemptAt: now,
          needsAttention: false
        }
      }
    case "EndAttemptFailed": {
      const ending = required(request.ending, "ending", request)
      return {
        ...request,
        ending: {
          ...ending,
          attempts: ending.attempts + 1,
          lastError: event.error,
          nextAttemptAt: event.nextAttemptAt,
          needsAttention: ending.needsAttention || event.needsAttention
        }
      }
    }
    case "Ended": {
      const ending = required(request.ending, "ending", request)
      return {
        ...into(request, ending.into),
        outcome: ending.reason === "" ? ending.why : ending.reason,
        ending: {
          ...ending,
          attempts: ending.attempts + 1,
          lastError: null,
          nextAttemptAt: null,
          needsAttention: false
        },
        grant: request.grant === null ? null : { ...request.grant, sweepAgainAt: event.sweepAgainAt }
      }
    }
    case "SweptAgain":
      return { ...request, grant: { ...required(request.grant, "grant", request), sweepAgainAt: null } }
    case "ReviewOpened":
      return { ...request, review: { openedAt: now, dueAt: event.dueAt, remindedAt: null, closed: null } }
    case "ReviewReminded":
      return { ...request, review: { ...required(request.review, "review", request), remindedAt: now } }
    case "ReviewClosed":
      return {
        ...request,
        review: {
          ...required(request.review, "review", request),
          closed: { by: event.by, at: now, comment: event.comment }
        }
      }
    case "Extended":
      return { ...request, extendedBy: event.by }
    case "CredentialsRead":
    case "RemovedExternally":
      return request
  }
}

/** All events of a step in order, then one new version. `undefined` is the request before it was created. */
export const apply = (before: Request | undefined, events: ReadonlyArray<Event>, now: Time): Request => {
  let request = before
  for (const event of events) {
    if (event.type === "Created") request = event.request
    else if (request === undefined) throw new ImpossibleEvent(`${event.type} before Created`)
    else request = evolve(request, event, now)
  }
  if (request === undefined) throw new ImpossibleEvent("no events and no request")
  return { ...request, version: (before?.version ?? 0) + 1, updatedAt: now }
}
