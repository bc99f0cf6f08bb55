/** Ending: withdrawal, revocation, deadlines and expiry, always on the provider's confirmation. */
import * as Result from "effect/Result"
import type { Actor, Decided, Facts } from "../Elevation.ts"
import { refuse, type Refused } from "../ElevationError.ts"
import type { Event } from "../Event.ts"
import type { Admission } from "../Policy.ts"
import { keyOf } from "../Principal.ts"
import type { ProviderError } from "../Provider.ts"
import { terminal, type Request } from "../Request.ts"
import * as Times from "../Time.ts"
import { wrongState } from "./Deciding.ts"
import { lockOnAsked, nameOf, partyNow, snapshot } from "./Standing.ts"

const nothing = Result.succeed<Decided>({ events: [] })

const isRequester = (request: Request, actor: Actor): boolean => keyOf(actor.principal) === keyOf(request.requester)

/** A person who answers for the requester: an owner of the agent that asked. Taking back is always safe. */
const isOwner = (request: Request, actor: Actor): boolean =>
  actor.principal.kind === "human" && request.party.includes(`key:${keyOf(actor.principal)}`)

export const cancel = (
  request: Request,
  command: { readonly by: Actor; readonly reason: string }
): Result.Result<Decided, Refused> => {
  if (!isRequester(request, command.by) && !isOwner(request, command.by)) {
    return Result.fail(
      refuse(
        "not_requester",
        `only ${nameOf(request.requester)} can withdraw ${request.id}`,
        `to decide on it: jitsudo deny ${request.id}`
      )
    )
  }
  if (request.state === "CANCELLED") return nothing
  if (request.state !== "PENDING") {
    return Result.fail(
      terminal.has(request.state)
        ? wrongState(request, "PENDING")
        : refuse("wrong_state", `${request.id} is ${request.state}`, `to end it: jitsudo revoke ${request.id}`, {
            state: request.state
          })
    )
  }
  return Result.succeed({
    events: [{ type: "Cancelled", by: snapshot(command.by), reason: command.reason || "withdrawn" }]
  })
}

export const revoke = (
  request: Request,
  command: { readonly by: Actor; readonly reason: string; readonly admin: boolean; readonly admission: Admission }
): Result.Result<Decided, Refused> => {
  const { admission, by } = command
  const own = isRequester(request, by) || isOwner(request, by)
  if (!own && !(command.admin && by.principal.kind === "human") && !(admission.allowed && !admission.denied)) {
    return Result.fail(
      refuse(
        "not_permitted",
        `${nameOf(by.principal)} may not revoke ${request.id}`,
        "the requester, an administrator, or whoever policy admits can",
        {
          reasons: admission.reasons
        }
      )
    )
  }
  if (terminal.has(request.state) || request.state === "ENDING") return nothing
  if (request.state === "PENDING") {
    return Result.succeed({
      events: [{ type: "Cancelled", by: snapshot(by), reason: command.reason || "revoked before it was decided" }]
    })
  }
  return Result.succeed({
    events: [
      {
        type: "EndingBegun",
        ending: {
          why: "revoked",
          by: snapshot(by),
          reason: command.reason || `revoked by ${nameOf(by.principal)}`,
          into: "REVOKED"
        }
      }
    ]
  })
}

/** A lock came into force: whatever it hits is taken back. PENDING stays: nobody can decide it while locked. */
export const lockHit = (
  request: Request,
  command: { readonly requester: Actor | undefined },
  facts: Facts
): Result.Result<Decided, Refused> => {
  if (request.state !== "APPROVED" && request.state !== "ACTIVE") return nothing
  const lock = lockOnAsked(request.asked, partyNow(request, command.requester), facts)
  if (lock === undefined) return nothing
  return Result.succeed({
    events: [
      { type: "EndingBegun", ending: { why: "locked", by: null, reason: `locked: ${lock.reason}`, into: "REVOKED" } }
    ]
  })
}

/** A deadline job is due: an agent's review escalates, an undecided request lapses, an ungranted one ends. */
export const deadline = (request: Request, facts: Facts): Result.Result<Decided, Refused> => {
  const { now } = facts
  if (request.state === "PENDING") {
    if (now >= request.lapsesAt) return Result.succeed({ events: [{ type: "Lapsed" }] })
    if (now < request.decideBy) return nothing
    return request.routing.tier === "ai_review"
      ? Result.succeed({
          events: [{ type: "Escalated", why: "the agent did not answer in time", by: null, decideBy: request.lapsesAt }]
        })
      : Result.succeed({ events: [{ type: "Lapsed" }] })
  }
  if (request.state === "APPROVED" && request.startBy !== null && now >= request.startBy) {
    return Result.succeed({
      events: [
        {
          type: "EndingBegun",
          ending: {
            why: "start_deadline",
            by: null,
            reason: "it could not be granted before its start deadline",
            into: "FAILED"
          }
        }
      ]
    })
  }
  return nothing
}

export const expire = (request: Request, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state !== "ACTIVE") return nothing
  const notAfter = request.grant?.notAfter ?? null
  if (notAfter === null || facts.now < notAfter) return nothing
  return Result.succeed({
    events: [{ type: "EndingBegun", ending: { why: "expired", by: null, reason: "", into: "EXPIRED" } }]
  })
}

/** The provider confirmed that nothing is left. */
export const confirmed = (request: Request, note: string | null, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state === "ENDING") {
    const { grant } = request
    const repeated = grant !== null && (grant.attempts > 1 || grant.outcomeUnknown || grant.openAttempts > 0)
    const sweepAgainAt = repeated
      ? Times.plusSeconds(facts.now, facts.settings.leaseSeconds + facts.settings.callTimeoutSeconds)
      : null
    return Result.succeed({ events: [{ type: "Ended", note, sweepAgainAt }] })
  }
  if (terminal.has(request.state) && request.grant !== null) {
    return Result.succeed({ events: [{ type: "SweptAgain", note }] })
  }
  return nothing
}

/** How long until the next try: exponential from 2 s, at most 5 minutes, or what the platform asked for. */
export const endRetrySeconds = (attempts: number, error: ProviderError): number =>
  Math.max(error.retryAfterSeconds ?? 0, Math.min(300, 2 ** Math.min(attempts + 1, 9)))

/** An ending that was tried this often needs attention, and again after as many more. */
export const attentionAttempts = 10

export const refused = (request: Request, error: ProviderError, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state !== "ENDING" || request.ending === null) return nothing
  const { attempts, since } = request.ending
  const needsAttention =
    attempts + 1 >= attentionAttempts || Times.secondsBetween(since, facts.now) >= facts.settings.endAttentionSeconds
  const failed: Event = {
    type: "EndAttemptFailed",
    error: error.message,
    nextAttemptAt: Times.plusSeconds(facts.now, endRetrySeconds(attempts, error)),
    needsAttention,
    alert: needsAttention && (!request.ending.needsAttention || (attempts + 1) % attentionAttempts === 0)
  }
  return Result.succeed({ events: [failed] })
}

/** Reconciliation found that the platform no longer has it. */
export const removed = (request: Request): Result.Result<Decided, Refused> => {
  if (request.state !== "ACTIVE") return nothing
  return Result.succeed({
    events: [
      { type: "RemovedExternally" },
      {
        type: "EndingBegun",
        ending: { why: "removed", by: null, reason: "it was removed at the provider behind our back", into: "REVOKED" }
      }
    ]
  })
}
