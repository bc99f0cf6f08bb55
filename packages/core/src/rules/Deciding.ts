/** Deciding: people approve and deny, agents review, and old approvals are looked at again. */
import * as Result from "effect/Result"
import { stringify } from "../Canonical.ts"
import type { AiDecide, Approve, Actor, Decided, Deny, Facts, PolicyAnswers, Recheck, Recheckup } from "../Elevation.ts"
import { decline, refuse, type Refused } from "../ElevationError.ts"
import type { AgentReview, Event } from "../Event.ts"
import type { Admission, Tier } from "../Policy.ts"
import { countParties, isUnownedAgent, keyOf, type Party } from "../Principal.ts"
import type { Decision, Request, Routing } from "../Request.ts"
import * as Times from "../Time.ts"
import {
  describeStage,
  isOfParty,
  isStale,
  lockOnActor,
  lockOnAsked,
  lockedRefusal,
  nameOf,
  type Nameable,
  partyNow,
  snapshot,
  stagesOf,
  tooLong
} from "./Standing.ts"
import { deadlineOf, routingOf } from "./Submitting.ts"

export const notFound = Result.fail(
  decline("not_found", "no such request, or you may not see it", "`jitsudo status` lists the requests that you may see")
)

export const wrongState = (request: Request, wanted: string): Refused =>
  decline("wrong_state", `${request.id} is ${request.state}, not ${wanted}`, `jitsudo status ${request.id}`, {
    state: request.state
  })

/** Its time is over, although nobody has said so yet: a decision would come after the deadline. */
const tooLate = (request: Request): Refused =>
  decline(
    "wrong_state",
    `${request.id} was to be decided before ${Times.toRfc3339(request.lapsesAt)}`,
    "the requester can ask again",
    { state: request.state }
  )

const denialReasons = (admission: Admission): ReadonlyArray<string> =>
  admission.reasons.length === 0 ? ["no policy admits you as an approver of this request"] : admission.reasons

/** Why this person may not decide on this request now, if so. In the order in which it should be said. */
const decideRefusal = (request: Request, command: Approve | Deny, facts: Facts): Refused | undefined => {
  const { by } = command
  const { principal } = by
  if (request.state !== "PENDING") return wrongState(request, "PENDING")
  if (facts.now >= request.lapsesAt) return tooLate(request)
  if (command.digest !== request.digest) {
    return refuse(
      "changed_meanwhile",
      `your decision was made on another request than ${request.id} as it stands (digest ${request.digest})`,
      `look at it again: jitsudo status ${request.id}`
    )
  }
  if (principal.kind !== "human") {
    return refuse("human_only", "only people decide here", "agents review through the reviewer surface")
  }
  if (isOfParty(request, command.requester, by)) {
    return refuse(
      "self_decision",
      `${nameOf(principal)} belongs to the requester's side of ${request.id} and cannot decide on it`,
      command.type === "Deny" ? `to withdraw it: jitsudo cancel ${request.id}` : "ask one of its approvers"
    )
  }
  const lock = lockOnActor(by, facts) ?? lockOnAsked(request.asked, partyNow(request, command.requester), facts)
  if (lock !== undefined) return lockedRefusal(lock)
  if (isStale(principal.groupsReadAt, facts.settings.groupsMaxAgeSeconds, facts.now)) {
    return refuse(
      "stale_groups",
      "your groups were read too long ago to count",
      "run `jitsudo login`, then decide again"
    )
  }
  if (command.admission.denied) {
    return refuse("not_approver", "policy denies you this decision", "ask somebody else", {
      reasons: denialReasons(command.admission)
    })
  }
  if (!admits(command.answers, by, command.admission)) {
    return refuse(
      "not_approver",
      `${nameOf(principal)} is not an approver of ${request.id}`,
      `it can be decided by ${whoDecides(command.answers)}`,
      { reasons: denialReasons(command.admission) }
    )
  }
  return undefined
}

/** Named by a stage; or, where no policy names anybody, admitted by some policy's `allow`. */
export const admits = (answers: PolicyAnswers, actor: Actor, admission: Admission): boolean =>
  answers.routing.stages.length === 0 ? admission.allowed : stagesOf(answers.routing.stages, actor.principal).length > 0

const whoDecides = (answers: PolicyAnswers): string =>
  answers.routing.stages.length === 0
    ? `${answers.routing.openQuorum} whom policy admits`
    : answers.routing.stages.map((stage) => describeStage({ ...stage, unmeetable: false })).join(", and ")

export const deny = (request: Request, command: Deny, facts: Facts): Result.Result<Decided, Refused> => {
  const refusal = decideRefusal(request, command, facts)
  if (refusal !== undefined) return Result.fail(refusal)
  const by = snapshot(command.by)
  return Result.succeed({
    events: [
      {
        type: "DecisionRecorded",
        decision: decisionOf(command.by, "deny", command.comment, request, command.answers, facts)
      },
      { type: "Rejected", by, outcome: command.comment || `denied by ${nameOf(by)}`, reasons: [command.comment] }
    ]
  })
}

export const approve = (request: Request, command: Approve, facts: Facts): Result.Result<Decided, Refused> => {
  const refusal = decideRefusal(request, command, facts)
  if (refusal !== undefined) return Result.fail(refusal)
  const standing = command.earlier.filter((one) => isApproval(request.decisions[one.index]))
  const again = standing.find((one) => sameDecider(request.decisions[one.index], command.by))
  if (again !== undefined) {
    return Result.fail(
      decline(
        "already_decided",
        `you approved ${request.id} already`,
        `jitsudo status ${request.id} says who else must`
      )
    )
  }
  const recorded: Event = {
    type: "DecisionRecorded",
    decision: decisionOf(command.by, "approve", command.comment, request, command.answers, facts)
  }
  const index = request.decisions.length
  const earlier: ReadonlyArray<Recheck> = [...standing, { index, actor: command.by, admission: command.admission }]
  return Result.succeed({
    events: [recorded, ...settle(request, command.requester, earlier, command.answers, facts)]
  })
}

export const recheck = (request: Request, command: Recheckup, facts: Facts): Result.Result<Decided, Refused> => {
  if (request.state !== "PENDING" || request.waitingFor === null || facts.now >= request.lapsesAt) {
    return Result.succeed({ events: [] })
  }
  const lock = lockOnAsked(request.asked, partyNow(request, command.requester), facts)
  if (lock !== undefined) return Result.succeed({ events: [] })
  const standing = command.earlier.filter((one) => isApproval(request.decisions[one.index]))
  const events = settle(request, command.requester, standing, command.answers, facts)
  return Result.succeed({ events: isNews(request, events) ? events : [] })
}

const isNews = (request: Request, events: ReadonlyArray<Event>): boolean =>
  events.some((event) => event.type !== "Waiting" || event.waitingFor !== request.waitingFor)

/** The requester's side and, for an agent that nobody answers for any more, at least a person's decision. */
const tierNow = (request: Request, requester: Actor, answers: PolicyAnswers): Tier =>
  isUnownedAgent(requester.principal) || request.routing.tier === "human" ? "human" : answers.routing.tier

const isApproval = (decision: Decision | undefined): decision is Decision =>
  decision !== undefined && decision.verdict === "approve" && decision.struck === null && !("policy" in decision.by)

const sameDecider = (decision: Decision | undefined, actor: Actor): boolean =>
  decision !== undefined && !("policy" in decision.by) && keyOf(decision.by) === keyOf(actor.principal)

const decisionOf = (
  by: Actor,
  verdict: Decision["verdict"],
  comment: string,
  request: Request,
  answers: PolicyAnswers,
  facts: Facts
): Decision => ({
  by: snapshot(by),
  party: by.party,
  groups: by.principal.groups,
  verdict,
  comment,
  digest: request.digest,
  at: facts.now,
  policyRevision: answers.revision,
  struck: null
})

/** What matters of a routing, as text: a store may give members back in another order than it got them. */
const substanceOf = ({ openQuorum, stages, tier }: Routing): string =>
  stringify({
    openQuorum,
    tier,
    stages: stages.map((stage) => ({ ...stage, groups: [...stage.groups], users: [...stage.users] }))
  })

/**
 * The step from enough approvals to APPROVED: eligibility, routing and every approval of the quorum are evaluated on
 * the facts of this instant (invariant 3). Returns what follows besides the decision that was just recorded.
 */
const settle = (
  request: Request,
  requester: Actor,
  approvals: ReadonlyArray<Recheck>,
  answers: PolicyAnswers,
  facts: Facts
): ReadonlyArray<Event> => {
  const { now, settings } = facts
  const party = partyNow(request, requester)
  const events: Array<Event> = []
  const routing = routingOf(answers, tierNow(request, requester, answers), party)
  if (
    routing.policyRevision !== request.routing.policyRevision ||
    substanceOf(routing) !== substanceOf(request.routing)
  ) {
    const decideBy =
      routing.tier === request.routing.tier ? request.decideBy : deadlineOf(routing.tier, request.lapsesAt, facts)
    events.push({ type: "Rerouted", routing, decideBy })
  }
  const long = tooLong(answers.eligibility, settings, answers.heldSeconds, request.asked.durationSeconds)
  if (!answers.eligibility.allowed || long !== undefined) {
    const reasons = answers.eligibility.allowed
      ? [long ?? ""]
      : answers.eligibility.reasons.length === 0
        ? ["no policy allows it any longer"]
        : answers.eligibility.reasons
    events.push({
      type: "Rejected",
      by: { policy: answers.eligibility.findings[0]?.policy ?? "eligibility" },
      outcome: `policy no longer allows this request: ${reasons.join("; ")}`,
      reasons
    })
    return events
  }

  const counting: Array<Counting> = []
  const stale: Array<string> = []
  for (const one of approvals) {
    const why = strikeReason(request, one, party, answers, facts)
    if (why !== undefined) {
      events.push({ type: "DecisionStruck", index: one.index, why })
    } else if (one.actor !== undefined) {
      const { party: partyThen } = request.decisions[one.index] ?? { party: one.actor.party }
      if (isStale(one.actor.principal.groupsReadAt, settings.groupsMaxAgeSeconds, now))
        stale.push(nameOf(one.actor.principal))
      // What made two deciders one party then still does: a changed e-mail address never makes two of one.
      else counting.push({ who: one.actor.principal, party: [...new Set([...one.actor.party, ...partyThen])] })
    }
  }
  const people = openStages(routing.stages, routing.openQuorum, counting).length === 0 && counting.length > 0
  if (!people && routing.tier !== "auto") {
    if (stale.length > 0) events.push({ type: "Waiting", waitingFor: `${stale.join(", ")} must sign in again` })
    else if (request.waitingFor !== null) events.push({ type: "Waiting", waitingFor: null })
    return events
  }
  const maxAge = routing.tier === "auto" ? settings.groupsMaxAgeStrictSeconds : settings.groupsMaxAgeSeconds
  if (isStale(requester.principal.groupsReadAt, maxAge, now)) {
    events.push({ type: "Waiting", waitingFor: `${nameOf(requester.principal)} must sign in again` })
    return events
  }
  events.push({
    type: "Approved",
    by: people ? "people" : "policy",
    startBy: Times.plusSeconds(now, settings.startSeconds)
  })
  return events
}

const strikeReason = (
  request: Request,
  one: Recheck,
  party: Party,
  answers: PolicyAnswers,
  facts: Facts
): string | undefined => {
  const { actor } = one
  if (actor === undefined) return "the approver is no longer known"
  const decision = request.decisions[one.index]
  if (decision !== undefined && !sameDecider(decision, actor)) return "it is not this approver's"
  if (decision !== undefined && decision.digest !== request.digest) return "it was made on another digest"
  if (actor.principal.kind !== "human") return "the approver is no longer a person"
  if (actor.party.some((mark) => party.includes(mark))) return "the approver now belongs to the requester's side"
  if (lockOnActor(actor, facts) !== undefined) return "the approver is locked"
  if (one.admission.denied) return `policy denies it: ${one.admission.reasons.join("; ")}`
  if (!admits(answers, actor, one.admission)) return "the approver is no longer one by policy"
  return undefined
}

/** An approval that counts, and for whom. */
export interface Counting {
  readonly who: Nameable
  readonly party: Party
}

/** The stages that still miss somebody, for people; empty when all are met. */
export const openStages = (
  stages: ReadonlyArray<Request["routing"]["stages"][number]>,
  openQuorum: number,
  counting: ReadonlyArray<Counting>
): ReadonlyArray<string> => {
  if (stages.length === 0) {
    const parties = countParties(counting.map((one) => one.party))
    return parties >= openQuorum ? [] : [`${openQuorum - parties} more whom policy admits`]
  }
  return stages.flatMap((stage, index) => {
    const members = counting.filter((one) => stagesOf(stages, one.who).includes(index))
    const parties = countParties(members.map((one) => one.party))
    return parties >= stage.quorum ? [] : [`${stage.quorum - parties} of ${describeStage(stage)}`]
  })
}

/**
 * An agent's answer. On a request that is PENDING in `ai_review` whatever fails escalates it to people, and the
 * answer says so; on any other request it is refused and changes nothing (invariant 7).
 */
export const aiDecide = (request: Request, command: AiDecide, facts: Facts): Result.Result<Decided, Refused> => {
  const { by, verdict } = command
  if (by.principal.kind !== "agent") {
    return Result.fail(
      refuse("agent_not_allowed", "only an agent answers as a reviewer", `people decide with jitsudo approve or deny`)
    )
  }
  if (request.state !== "PENDING" || request.routing.tier !== "ai_review") {
    return Result.fail(
      refuse(
        "agent_not_allowed",
        `${request.id} is not waiting for an agent's review (${request.state}, ${request.routing.tier})`,
        "take the next one from the list of pending reviews",
        { state: request.state }
      )
    )
  }
  if (facts.now >= request.lapsesAt) return Result.fail(tooLate(request))
  const agent = snapshot(by)
  const review = reviewOf(command)
  const why = aiRefusal(request, command, facts)
  const decideBy = request.lapsesAt
  if (why !== undefined) {
    return Result.succeed({
      events: [{ type: "Escalated", why, by: agent, decideBy, review }],
      refused: refuse(
        "agent_not_allowed",
        `${why}; the request goes to people`,
        "nothing more to do: people were asked"
      )
    })
  }
  const recorded: Event = {
    type: "DecisionRecorded",
    decision: decisionOf(by, verdict, command.reasoning, request, command.answers, facts)
  }
  switch (verdict) {
    case "escalate":
      return Result.succeed({
        events: [recorded, { type: "Escalated", why: "the agent escalated it", by: agent, decideBy, review }]
      })
    case "deny":
      return Result.succeed({
        events: [
          recorded,
          {
            type: "Rejected",
            by: agent,
            outcome: `denied by agent ${nameOf(agent)}`,
            reasons: [command.reasoning],
            review
          }
        ]
      })
    case "approve":
      return Result.succeed({
        events: [
          recorded,
          { type: "Approved", by: "agent", startBy: Times.plusSeconds(facts.now, facts.settings.startSeconds), review }
        ]
      })
  }
}

const minimumReasoning = 20

const isConfidence = (value: number): boolean => value >= 0 && value <= 1

const reviewOf = (command: AiDecide): AgentReview => ({
  verdict: command.verdict,
  reasoning: command.reasoning,
  confidence: isConfidence(command.confidence) ? command.confidence : null,
  risk: command.risk,
  model: command.model,
  version: Number.isSafeInteger(command.version) ? command.version : 0
})

const aiRefusal = (request: Request, command: AiDecide, facts: Facts): string | undefined => {
  const { by, verdict } = command
  const { now, settings } = facts
  const party = partyNow(request, command.requester)
  if (isUnownedAgent(by.principal)) return "the agent has no owner"
  if (request.asked.breakGlass) return "break-glass is never reviewed by an agent"
  if (by.party.some((mark) => party.includes(mark))) return "the agent belongs to the requester's side"
  if (lockOnActor(by, facts) !== undefined) return "the agent is locked"
  if (lockOnAsked(request.asked, party, facts) !== undefined) return "the target is locked"
  if (now >= request.decideBy) return "the review's deadline is over"
  if (command.version !== request.version || command.digest !== request.digest)
    return "the agent answered on another version"
  if (command.malformed !== null) return `the answer is malformed: ${command.malformed}`
  if (command.reasoning.trim().length < minimumReasoning) return "the reasoning has no substance"
  if (!isConfidence(command.confidence)) return "the confidence is not between 0 and 1"
  if (verdict === "escalate") return undefined
  if (command.admission.denied) return `policy denies it: ${command.admission.reasons.join("; ")}`
  if (!command.admission.allowed) return "policy's ai_allow does not cover it"
  if (isStale(by.principal.groupsReadAt, settings.groupsMaxAgeSeconds, now)) return "the agent must sign in again"
  if (verdict === "deny") return undefined
  if (isUnownedAgent(command.requester.principal)) return "nobody answers for the agent that asked"
  if (command.answers.routing.tier === "human") return "policy now wants people to decide"
  const { answers } = command
  if (!answers.eligibility.allowed) return "policy no longer allows the request"
  const long = tooLong(answers.eligibility, settings, answers.heldSeconds, request.asked.durationSeconds)
  if (long !== undefined) return long
  if (isStale(command.requester.principal.groupsReadAt, settings.groupsMaxAgeSeconds, now)) {
    return `${nameOf(request.requester)} must sign in again`
  }
  return undefined
}
