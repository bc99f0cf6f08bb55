/** Granting: every attempt begins with a committed step, and an answer counts only where it is still wanted. */
import * as Result from "effect/Result"
import type { Actor, Decided, Facts } from "../Elevation.ts"
import { refuse, type Refused } from "../ElevationError.ts"
import type { Event } from "../Event.ts"
import type { Granted, ProviderError } from "../Provider.ts"
import { keyOf } from "../Principal.ts"
import type { Request } from "../Request.ts"
import * as Times from "../Time.ts"
import { wrongState } from "./Deciding.ts"
import { lockOnActor, lockOnAsked, lockedRefusal, nameOf, partyNow, snapshot } from "./Standing.ts"

const nothing = Result.succeed<Decided>({ events: [] })

const beginEnding = (
  why: "locked" | "start_deadline" | "unknown_outcome",
  reason: string,
  into: "REVOKED" | "FAILED"
): Event => ({ type: "EndingBegun", ending: { why, by: null, reason, into } })

/** Before each attempt. Guards locks, the requester and the request. */
export const start = (
  request: Request,
  command: { readonly resourceKey: string; readonly requester: Actor },
  facts: Facts
): Result.Result<Decided, Refused> => {
  const { now, settings } = facts
  if (request.state !== "APPROVED") return nothing
  const lock =
    lockOnActor(command.requester, facts) ?? lockOnAsked(request.asked, partyNow(request, command.requester), facts)
  if (lock !== undefined)
    return Result.succeed({ events: [beginEnding("locked", `locked: ${lock.reason}`, "REVOKED")] })
  if (request.startBy !== null && now >= request.startBy) {
    return Result.succeed({
      events: [beginEnding("start_deadline", "it could not be granted before its start deadline", "FAILED")]
    })
  }
  const unknown = request.grant === null ? 0 : request.grant.openAttempts
  if (unknown >= settings.maxUnknownAttempts) {
    return Result.succeed({
      events: [beginEnding("unknown_outcome", `the outcome of ${unknown} attempts to grant is unknown`, "FAILED")]
    })
  }
  return Result.succeed({
    events: [
      {
        type: "GrantStarted",
        resourceKey: command.resourceKey,
        latestEnd: Times.plusSeconds(
          now,
          settings.leaseSeconds + settings.callTimeoutSeconds + request.asked.durationSeconds
        )
      }
    ]
  })
}

export const succeeded = (request: Request, granted: Granted, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state !== "APPROVED" || request.grant === null) return leaseLost(request, granted)
  // The shorter of what the provider enforces and what was approved; its clock starts when the provider granted.
  const approvedEnd = Times.plusSeconds(Times.min(granted.issuedAt, facts.now), request.asked.durationSeconds)
  return Result.succeed({
    events: [
      {
        type: "GrantIssued",
        issuedAt: granted.issuedAt,
        notAfter: Times.min(granted.notAfter, approvedEnd),
        providerNotAfter: granted.notAfter,
        reference: granted.reference
      }
    ]
  })
}

export const refused = (request: Request, error: ProviderError, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state !== "APPROVED" || request.grant === null) return nothing
  const failed: Event = {
    type: "GrantAttemptFailed",
    error: error.message,
    reason: error.reason,
    effect: error.effect
  }
  const open = request.grant.openAttempts - (error.effect === "none" ? 1 : 0)
  const nothingLeft = open <= 0 && !request.grant.outcomeUnknown
  if (error.retryable && open < facts.settings.maxUnknownAttempts) return Result.succeed({ events: [failed] })
  if (nothingLeft) {
    return Result.succeed({ events: [failed, { type: "GrantFailed", outcome: error.message }] })
  }
  return Result.succeed({
    events: [
      failed,
      beginEnding("unknown_outcome", `an attempt to grant may have had an effect: ${error.message}`, "FAILED")
    ]
  })
}

/**
 * `grant` returned to a holder that lost its lease, or to a request that wants it no longer: what it granted is taken
 * back at once, whatever state the request is in. In a final state that is a job of its own; the state stays. Without
 * `granted` the answer was an error that may have had an effect.
 */
export const leaseLost = (request: Request, granted: Granted | undefined): Result.Result<Decided, Refused> => {
  if (request.grant === null) return nothing
  const late: ReadonlyArray<Event> =
    granted === undefined
      ? []
      : [
          {
            type: "GrantArrivedLate",
            reference: request.grant.reference ?? granted.reference,
            providerNotAfter: granted.notAfter
          }
        ]
  if (request.state !== "APPROVED" && request.state !== "ACTIVE") return Result.succeed({ events: late })
  return Result.succeed({
    events: [
      ...late,
      beginEnding(
        "unknown_outcome",
        "an attempt to grant came back after its lease was lost",
        request.state === "ACTIVE" ? "REVOKED" : "FAILED"
      )
    ]
  })
}

/** Credentials go to the requester alone, while ACTIVE, unlocked, before `notAfter`. The entry comes first. */
export const readCredentials = (
  request: Request,
  command: { readonly by: Actor },
  facts: Facts
): Result.Result<Decided, Refused> => {
  if (keyOf(command.by.principal) !== keyOf(request.requester)) {
    return Result.fail(
      refuse("not_requester", `only ${nameOf(request.requester)} may read these credentials`, "ask for your own")
    )
  }
  if (request.state !== "ACTIVE") return Result.fail(wrongState(request, "ACTIVE"))
  const lock = lockOnActor(command.by, facts) ?? lockOnAsked(request.asked, partyNow(request, command.by), facts)
  if (lock !== undefined) return Result.fail(lockedRefusal(lock))
  const notAfter = request.grant?.notAfter ?? null
  if (notAfter === null || facts.now >= notAfter) {
    return Result.fail(refuse("grant_over", `the grant of ${request.id} is over`, "ask again: jitsudo request ..."))
  }
  return Result.succeed({ events: [{ type: "CredentialsRead", by: snapshot(command.by) }] })
}

/** Marks the request that another one goes on from. */
export const linkExtension = (request: Request, extension: string): Result.Result<Decided, Refused> =>
  request.state === "ACTIVE"
    ? Result.succeed({ events: [{ type: "Extended", by: extension }] })
    : Result.fail(wrongState(request, "ACTIVE"))
