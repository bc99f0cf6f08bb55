/** The review that every break-glass opens: reminded until a person outside the requester's party closes it. */
import * as Result from "effect/Result"
import type { Actor, Decided, Facts } from "../Elevation.ts"
import { decline, refuse, type Refused } from "../ElevationError.ts"
import type { Request, Review } from "../Request.ts"
import * as Times from "../Time.ts"
import { isOfParty, lockOnActor, lockedRefusal, nameOf, snapshot } from "./Standing.ts"

/** When somebody is to be reminded next: when it is due, then as often, at most once an hour. Null: it is closed. */
export const nextReminder = (review: Review): Times.Time | null => {
  if (review.closed !== null) return null
  if (review.remindedAt === null) return review.dueAt
  return Times.plusMillis(review.remindedAt, Math.max(3_600_000, review.dueAt - review.openedAt))
}

export const remind = (request: Request, facts: Facts): Result.Result<Decided, Refused> => {
  const next = request.review === null ? null : nextReminder(request.review)
  return Result.succeed({ events: next !== null && facts.now >= next ? [{ type: "ReviewReminded" }] : [] })
}

export const close = (
  request: Request,
  command: {
    readonly by: Actor
    readonly admin: boolean
    readonly comment: string
    readonly requester: Actor | undefined
  },
  facts: Facts
): Result.Result<Decided, Refused> => {
  const { by } = command
  if (request.review === null) {
    return Result.fail(
      decline("wrong_state", `${request.id} has no break-glass review`, `jitsudo status ${request.id}`)
    )
  }
  if (by.principal.kind !== "human") {
    return Result.fail(refuse("human_only", "only a person closes a break-glass review", "ask a person"))
  }
  if (!command.admin) {
    return Result.fail(
      refuse("not_admin", "closing a break-glass review is for administrators", "ask an administrator")
    )
  }
  const lock = lockOnActor(by, facts)
  if (lock !== undefined) return Result.fail(lockedRefusal(lock))
  if (isOfParty(request, command.requester, by)) {
    return Result.fail(
      refuse(
        "self_decision",
        `${nameOf(by.principal)} belongs to the side that broke the glass`,
        "another person must close the review"
      )
    )
  }
  if (request.review.closed !== null) {
    return Result.fail(
      decline("already_decided", `the review of ${request.id} is closed already`, `jitsudo status ${request.id}`)
    )
  }
  if (command.comment === "") {
    return Result.fail(decline("invalid_input", "a review needs a comment", "say what you found with --comment"))
  }
  return Result.succeed({ events: [{ type: "ReviewClosed", by: snapshot(by), comment: command.comment }] })
}
