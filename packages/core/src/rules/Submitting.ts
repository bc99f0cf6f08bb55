/** Asking: what makes a request exist, and in which tier. */
import * as Result from "effect/Result"
import type { Decided, Facts, PolicyAnswers, Submit } from "../Elevation.ts"
import { refuse, type Refused } from "../ElevationError.ts"
import type { Event } from "../Event.ts"
import type { Tier } from "../Policy.ts"
import { isUnownedAgent, type Party } from "../Principal.ts"
import type { Request, Routing } from "../Request.ts"
import * as Times from "../Time.ts"
import {
  isStale,
  isUnmeetable,
  lockOnActor,
  lockOnAsked,
  lockedRefusal,
  nameOf,
  snapshot,
  tooLong
} from "./Standing.ts"

const order: Record<Tier, number> = { auto: 0, ai_review: 1, human: 2 }

export const mostRestrictive = (a: Tier, b: Tier): Tier => (order[a] >= order[b] ? a : b)

/** Policy's verdict as the request carries it. */
export const routingOf = (answers: PolicyAnswers, tier: Tier, party: Party): Routing => ({
  tier,
  stages: answers.routing.stages.map((stage) => ({ ...stage, unmeetable: isUnmeetable(stage, party) })),
  openQuorum: answers.routing.openQuorum,
  policyRevision: answers.revision,
  policyHash: answers.hash,
  findings: answers.routing.findings
})

/** When a tier's time is over, if it begins now. */
export const deadlineOf = (tier: Tier, lapsesAt: Times.Time, facts: Facts): Times.Time =>
  tier === "ai_review" ? Times.min(Times.plusSeconds(facts.now, facts.settings.aiReviewSeconds), lapsesAt) : lapsesAt

const breakGlassRefusal = (command: Submit, facts: Facts): Refused | undefined => {
  const { principal } = command.by
  if (principal.kind !== "human") {
    return refuse("human_only", "break-glass is for people, never for agents", "ask without break-glass")
  }
  if (command.asked.reason === "") {
    return refuse("break_glass_unavailable", "break-glass needs a reason", "say why with --reason")
  }
  if (facts.settings.alertChannels.length === 0) {
    return refuse(
      "break_glass_unavailable",
      "break-glass is refused while nobody can be alerted",
      "an operator must configure an alert channel (`alerts` in the daemon's configuration)"
    )
  }
  if (isStale(principal.groupsReadAt, facts.settings.groupsMaxAgeStrictSeconds, facts.now)) {
    return refuse("stale_groups", "break-glass needs a fresh sign-in", "run `jitsudo login`, then ask again")
  }
  if (command.answers.eligibility.blockOnOpenReview && command.openReviews > 0) {
    return refuse(
      "review_open",
      `${command.openReviews} break-glass review(s) of ${nameOf(principal)} are still open`,
      "have another person close them with `jitsudo review close`"
    )
  }
  return undefined
}

export const submit = (command: Submit, facts: Facts): Result.Result<Decided, Refused> => {
  const { answers, asked, by } = command
  const { now, settings } = facts

  const lock = lockOnActor(by, facts) ?? lockOnAsked(asked, by.party, facts)
  if (lock !== undefined) return Result.fail(lockedRefusal(lock))

  if (asked.breakGlass) {
    const refusal = breakGlassRefusal(command, facts)
    if (refusal !== undefined) return Result.fail(refusal)
  }

  if (!answers.eligibility.allowed) {
    return Result.fail(
      refuse(
        "not_eligible",
        `policy does not allow ${nameOf(by.principal)} to ask for ${asked.provider} role "${asked.role}" on "${asked.resourceScope}"`,
        "the reasons are policy's own; `jitsudo policy list` shows which policies apply",
        { reasons: answers.eligibility.reasons.length === 0 ? ["no policy allows it"] : answers.eligibility.reasons }
      )
    )
  }

  const long = tooLong(answers.eligibility, settings, answers.heldSeconds, asked.durationSeconds)
  if (long !== undefined) {
    return Result.fail(refuse("not_eligible", long, "ask for a shorter time, or ask again after a break"))
  }

  const request: Request = {
    id: command.id,
    version: 0,
    state: "PENDING",
    requester: snapshot(by),
    party: by.party,
    asked,
    roleAsked: command.roleAsked,
    digest: command.digest,
    checked: command.checked,
    labels: command.labels,
    channel: command.channel,
    sourceIp: command.sourceIp,
    routing: routingOf(answers, asked.breakGlass ? "human" : tierFor(command), by.party),
    decisions: [],
    waitingFor: null,
    decideBy: now,
    lapsesAt: Times.plusSeconds(now, settings.pendingSeconds),
    startBy: null,
    grant: null,
    ending: null,
    review: null,
    outcome: null,
    extends: command.extends,
    extendedBy: null,
    createdAt: now,
    updatedAt: now
  }
  const startBy = Times.plusSeconds(now, settings.startSeconds)
  if (asked.breakGlass) {
    return Result.succeed({
      events: [
        { type: "Created", request },
        { type: "Approved", by: "break_glass", startBy },
        { type: "ReviewOpened", dueAt: Times.plusSeconds(now, settings.reviewDueSeconds) }
      ]
    })
  }
  const decideBy = deadlineOf(request.routing.tier, request.lapsesAt, facts)
  const events: Array<Event> = [{ type: "Created", request: { ...request, decideBy } }]
  if (request.routing.tier === "auto") {
    if (isStale(by.principal.groupsReadAt, settings.groupsMaxAgeStrictSeconds, now)) {
      events.push({ type: "Waiting", waitingFor: `${nameOf(by.principal)} must sign in again` })
    } else {
      events.push({ type: "Approved", by: "policy", startBy })
    }
  }
  return Result.succeed({ events })
}

/** Policy's tier, raised where facts are missing or the requester may not get anything without a person. */
const tierFor = (command: Submit): Tier => {
  let tier = command.answers.routing.tier
  if (command.labels["facts_ok"] === false) tier = mostRestrictive(tier, "human")
  if (isUnownedAgent(command.by.principal)) tier = mostRestrictive(tier, "human")
  return tier
}
