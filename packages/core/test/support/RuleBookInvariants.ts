/**
 * What must hold after every move, told from the outside: nothing here calls a rule.
 *
 * Numbers are those of docs/spec/lifecycle.md, section 3; `arrows`, `terminal` and `jobs` are its sections 1 and 4.
 */
import * as Result from "effect/Result"
import type { Actor, Command } from "../../src/Elevation.ts"
import { lockOn, type Locks } from "../../src/Lock.ts"
import type { Admission, Approvers } from "../../src/Policy.ts"
import { keyOf, type Party, type Principal, type PrincipalKey } from "../../src/Principal.ts"
import { terminal, type Decision, type Request, type Requester, type State } from "../../src/Request.ts"
import { secrets, type Move } from "./RuleBook.ts"

export type Invariant =
  | "arrows"
  | "terminal"
  | "jobs"
  | "1 party"
  | "2 quorum"
  | "3 current facts"
  | "4 confirmed"
  | "5 digest"
  | "6 within what was approved"
  | "7 agents"
  | "8 break-glass"
  | "9 locks"
  | "10 credentials"
  | "11 records"
  | "12 deadlines"
  | "13 permitted"

export interface Violation {
  readonly invariant: Invariant
  readonly why: string
}

const arrows: Readonly<Record<State, ReadonlyArray<State>>> = {
  PENDING: ["APPROVED", "CANCELLED", "REJECTED", "LAPSED"],
  APPROVED: ["ACTIVE", "ENDING", "FAILED"],
  ACTIVE: ["ENDING"],
  ENDING: ["EXPIRED", "REVOKED", "FAILED"],
  CANCELLED: [],
  REJECTED: [],
  LAPSED: [],
  FAILED: [],
  EXPIRED: [],
  REVOKED: []
}

const overlap = (a: Iterable<string>, b: Iterable<string>): boolean => {
  const marks = new Set(a)
  for (const mark of b) if (marks.has(mark)) return true
  return false
}

/** Marks of somebody from the facts at hand: themselves, their addresses, everybody who answers for them. */
const marksOf = (who: Principal | undefined, people: ReadonlyMap<string, Principal>): ReadonlySet<string> => {
  const marks = new Set<string>()
  for (let one = who, steps = 0; one !== undefined && steps < 9; steps++) {
    marks.add(`key:${keyOf(one)}`)
    if (one.email !== null) marks.add(`email:${one.email}`)
    if (one.owner === null) break
    marks.add(`key:${keyOf(one.owner)}`)
    one = people.get(keyOf(one.owner))
  }
  return marks
}

/** The number of sides among some: those that share a mark, directly or through others, are one. */
const sides = (all: ReadonlyArray<Iterable<string>>): number => {
  const sets = all.map((marks) => new Set(marks))
  for (let merged = true; merged;) {
    merged = false
    for (let i = 0; i < sets.length && !merged; i++) {
      for (let j = i + 1; j < sets.length && !merged; j++) {
        const [a, b] = [sets[i], sets[j]]
        if (a === undefined || b === undefined || !overlap(a, b)) continue
        for (const mark of b) a.add(mark)
        sets.splice(j, 1)
        merged = true
      }
    }
  }
  return sets.length
}

const names = (approvers: Approvers, who: Principal): boolean =>
  approvers.groups.some((group) => who.groups.includes(group)) ||
  (who.email !== null && approvers.users.includes(who.email)) ||
  approvers.users.includes(keyOf(who))

const isPerson = (decision: Decision): decision is Decision & { readonly by: Requester } => !("policy" in decision.by)

const onlyPrincipals = (locks: Locks): Locks => ({
  ...locks,
  active: locks.active.filter((lock) => lock.target.kind === "principal")
})

const deciding = (
  command: Command
): (Command & { readonly type: "Approve" | "Deny" | "Recheck" | "AiDecide" }) | undefined =>
  command.type === "Approve" || command.type === "Deny" || command.type === "Recheck" || command.type === "AiDecide"
    ? command
    : undefined

const hours = (from: number, to: number): number => Math.floor((to - from) / 1000)

/** Everything that this move broke. */
export const violations = (move: Move): ReadonlyArray<Violation> => {
  const found: Array<Violation> = []
  const broken = (invariant: Invariant, why: string) => found.push({ invariant, why })
  const must = (invariant: Invariant, holds: boolean, why: string) => {
    if (!holds) broken(invariant, why)
  }
  const { after, before, command, events, facts, people } = move
  const { now, settings } = facts
  const refusal = Result.isFailure(move.decided) ? move.decided.failure : move.decided.success.refused
  const has = (type: string) => events.some((event) => event.type === type)
  if (after === undefined) {
    must("9 locks", events.length === 0, "events without a request")
    return found
  }

  // Arrows and final states.
  if (before !== undefined && before.state !== after.state) {
    must("arrows", arrows[before.state].includes(after.state), `${before.state} became ${after.state}`)
  }
  if (before === undefined) must("arrows", ["PENDING", "APPROVED"].includes(after.state), `born as ${after.state}`)
  if (before !== undefined && terminal.has(before.state)) {
    const still = ({ grant: _, review: __, updatedAt: ___, version: ____, ...rest }: Request) => JSON.stringify(rest)
    must("terminal", still(before) === still(after), `${before.state} changed by ${command.type}`)
  }
  must(
    "terminal",
    events.length === 0 || after.version === (before?.version ?? 0) + 1,
    `version ${before?.version} became ${after.version}`
  )

  const side = new Set<string>([...(before ?? after).party, ...marksOf(people.get(keyOf(after.requester)), people)])
  const actor: Actor | undefined = "by" in command ? command.by : undefined
  const actorMarks = marksOf(actor?.principal, people)
  const lockable = (party: Party) => ({
    party,
    provider: after.asked.provider,
    role: after.asked.role,
    resourceScope: after.asked.resourceScope
  })
  const targetLocked = lockOn(facts.locks, lockable([...side])) !== undefined
  const actorLocked =
    actor !== undefined && lockOn(onlyPrincipals(facts.locks), lockable([...actorMarks])) !== undefined

  // 1. Nobody decides on their own side's request.
  if (has("DecisionRecorded"))
    must("1 party", !overlap(side, actorMarks), `${actor?.principal.subject} decided on their own side`)
  if (has("ReviewClosed")) {
    must("1 party", !overlap(side, actorMarks), "closed the review of their own side")
    must("8 break-glass", actor?.principal.kind === "human", "an agent closed a review")
  }

  // 5. What was asked and what a decision was made on.
  if (before !== undefined) {
    must("5 digest", before.digest === after.digest, "the digest changed")
    must("5 digest", JSON.stringify(before.asked) === JSON.stringify(after.asked), "what was asked changed")
    for (const [index, decision] of before.decisions.entries()) {
      const later = after.decisions[index]
      must(
        "5 digest",
        later !== undefined && JSON.stringify({ ...decision, struck: 0 }) === JSON.stringify({ ...later, struck: 0 }),
        "a decision was changed"
      )
      must("5 digest", decision.struck === null || later?.struck !== null, "a struck decision came back")
    }
  }
  if (has("DecisionRecorded")) {
    const decision = after.decisions.at(-1)
    must("5 digest", decision?.digest === after.digest, "a decision carries another digest")
    const said = command.type === "Approve" || command.type === "Deny" || command.type === "AiDecide"
    must("5 digest", said && command.digest === after.digest, "a decision on another digest counted")
  }

  // 9. Locks.
  if (targetLocked || actorLocked) {
    must("9 locks", !has("Created"), "something new for a locked target")
    must("9 locks", !has("Approved"), "approved while locked")
    must("9 locks", !has("DecisionRecorded"), "decided while locked")
    must("9 locks", !has("CredentialsRead"), "credentials while locked")
    must("9 locks", !has("ReviewClosed") || !actorLocked, "a locked person closed a review")
  }
  if (targetLocked) {
    must("9 locks", !has("GrantStarted"), "granting to a locked target")
    if (command.type === "LockHit" && before !== undefined && ["APPROVED", "ACTIVE"].includes(before.state)) {
      must("9 locks", after.state === "ENDING", `a lock left it ${after.state}`)
    }
  }

  // 2 and 3. From PENDING to APPROVED.
  const approved = events.find((event) => event.type === "Approved")
  const asking = deciding(command)
  const answers = asking?.answers ?? (command.type === "Submit" ? command.answers : undefined)
  const requesterNow = people.get(keyOf(after.requester))
  const requesterAge = requesterNow === undefined ? Infinity : hours(requesterNow.groupsReadAt, now)
  const admissionOf = (key: PrincipalKey): Admission | undefined => {
    if (command.type === "Approve" && keyOf(command.by.principal) === keyOf(key)) return command.admission
    if (command.type !== "Approve" && command.type !== "Recheck") return undefined
    return command.earlier.find(
      (one) => one.actor !== undefined && keyOf(one.actor.principal) === keyOf(key) && isUnstruck(after, one.index)
    )?.admission
  }
  const standing = after.decisions.filter(
    (decision) =>
      decision.verdict === "approve" && decision.struck === null && isPerson(decision) && decision.by.kind === "human"
  )
  const holds = (decision: Decision): boolean => {
    if (!isPerson(decision) || answers === undefined) return false
    const who = people.get(keyOf(decision.by))
    const admission = admissionOf(decision.by)
    if (who === undefined || admission === undefined) return false
    const marks = marksOf(who, people)
    const { stages } = answers.routing
    return (
      who.kind === "human" &&
      !admission.denied &&
      !overlap(side, marks) &&
      lockOn(onlyPrincipals(facts.locks), lockable([...marks])) === undefined &&
      (stages.length === 0 ? admission.allowed : stages.some((stage) => names(stage, who)))
    )
  }
  const counts = (decision: Decision): boolean => {
    const who = isPerson(decision) ? people.get(keyOf(decision.by)) : undefined
    return who !== undefined && hours(who.groupsReadAt, now) <= settings.groupsMaxAgeSeconds && holds(decision)
  }
  const met = (): boolean => {
    if (answers === undefined) return false
    const counting = standing.filter(counts)
    const marks = (decision: Decision) => [
      ...decision.party,
      ...(isPerson(decision) ? marksOf(people.get(keyOf(decision.by)), people) : [])
    ]
    if (counting.length === 0) return false
    const { openQuorum, stages } = answers.routing
    if (stages.length === 0) return sides(counting.map(marks)) >= openQuorum
    return stages.every((stage) => {
      const members = counting.filter((decision) => {
        const who = isPerson(decision) ? people.get(keyOf(decision.by)) : undefined
        return who !== undefined && names(stage, who)
      })
      return sides(members.map(marks)) >= stage.quorum
    })
  }
  const tierOf = (): string => {
    if (answers === undefined) return "human"
    const raised =
      before?.routing.tier === "human" ||
      after.labels["facts_ok"] === false ||
      (requesterNow?.kind === "agent" && requesterNow.owner === null)
    return raised ? "human" : answers.routing.tier
  }
  const total = (answers?.eligibility.maxTotalSeconds ?? settings.maxTotalSeconds) - (answers?.heldSeconds ?? 0)
  if (approved !== undefined && approved.type === "Approved") {
    must("3 current facts", answers?.eligibility.allowed === true, "approved what policy no longer allows")
    must(
      "6 within what was approved",
      after.asked.durationSeconds <= total,
      "approved beyond the longest unbroken time"
    )
    const breakGlass = approved.by === "break_glass"
    const strict = breakGlass || approved.by === "policy" || (tierOf() === "auto" && approved.by !== "agent")
    const limit = strict ? settings.groupsMaxAgeStrictSeconds : settings.groupsMaxAgeSeconds
    must("3 current facts", requesterAge <= limit, `approved on groups of the requester ${requesterAge} s old`)
    must("12 deadlines", before === undefined || now < before.lapsesAt, "approved after the deadline")
    must("8 break-glass", breakGlass === after.asked.breakGlass, `break-glass approved by ${approved.by}`)
    if (approved.by === "people") {
      must("2 quorum", met(), "approved without a quorum of different sides")
      must("3 current facts", standing.every(holds), "an approval that no longer holds was not struck")
    }
    if (approved.by === "policy") {
      must("3 current facts", tierOf() === "auto", `approved by itself in ${tierOf()}`)
    }
    if (approved.by === "agent") must("7 agents", command.type === "AiDecide", "an agent approved without an answer")
  }
  if (command.type === "Approve" && has("DecisionRecorded") && approved === undefined && answers !== undefined) {
    const could =
      met() &&
      answers.eligibility.allowed &&
      after.asked.durationSeconds <= total &&
      requesterAge <= settings.groupsMaxAgeStrictSeconds
    must("2 quorum", !could, "enough sides approved, and it is not approved")
  }
  if (has("Waiting")) must("3 current facts", after.state === "PENDING", "it waits and is not PENDING")

  // 13. Who may decide at all.
  if (has("DecisionRecorded") && (command.type === "Approve" || command.type === "Deny")) {
    must("7 agents", command.by.principal.kind === "human", "an agent decided as a person")
    const { stages } = command.answers.routing
    const named = stages.some((stage) => names(stage, command.by.principal))
    must("13 permitted", !command.admission.denied, "policy denies the decider")
    must("13 permitted", stages.length === 0 ? command.admission.allowed : named, "decided without being an approver")
    must(
      "3 current facts",
      hours(command.by.principal.groupsReadAt, now) <= settings.groupsMaxAgeSeconds,
      "decided on groups that are too old"
    )
    must("12 deadlines", before !== undefined && now < before.lapsesAt, "decided after the deadline")
  }
  if (has("Cancelled") || (has("EndingBegun") && command.type === "Revoke")) {
    const revoker =
      command.type === "Revoke" &&
      ((command.admin && command.by.principal.kind === "human") ||
        (command.admission.allowed && !command.admission.denied))
    const own =
      keyOf(actor?.principal ?? { issuer: "", subject: "" }) === keyOf(after.requester) ||
      (actor?.principal.kind === "human" && after.party.includes(`key:${keyOf(actor.principal)}`))
    must("13 permitted", own || revoker, `${actor?.principal.subject} withdrew or revoked`)
  }
  if (command.type === "Revoke" && refusal === undefined && before !== undefined) {
    must("4 confirmed", !["PENDING", "APPROVED", "ACTIVE"].includes(after.state), `revoked, and it is ${after.state}`)
  }

  // 7. Agents.
  if (command.type === "AiDecide" && before !== undefined) {
    const { principal } = command.by
    const inReview =
      before.state === "PENDING" &&
      before.routing.tier === "ai_review" &&
      principal.kind === "agent" &&
      now < before.lapsesAt
    if (!inReview)
      must("7 agents", events.length === 0 && refusal !== undefined, "an answer out of turn changed something")
    else {
      const entitled =
        principal.owner !== null &&
        !before.asked.breakGlass &&
        !targetLocked &&
        !actorLocked &&
        now < before.decideBy &&
        command.version === before.version &&
        command.digest === before.digest &&
        command.malformed === null &&
        command.reasoning.trim().length >= 20 &&
        command.confidence >= 0 &&
        command.confidence <= 1
      const covered = command.admission.allowed && !command.admission.denied && !overlap(side, actorMarks)
      const decided = after.state !== "PENDING"
      if (decided) {
        must("7 agents", entitled && covered, "an agent decided what it may not")
        must("7 agents", after.decisions.at(-1)?.comment === command.reasoning, "an agent's reasoning is not kept")
        must("7 agents", command.verdict !== "escalate", "an escalation decided")
      } else {
        must("7 agents", after.routing.tier === "human" && has("Escalated"), "what failed in review did not escalate")
        must("12 deadlines", after.decideBy === before.lapsesAt, "an escalation left the agent's deadline")
        must("7 agents", command.verdict === "escalate" || refusal !== undefined, "escalated, and the answer hides it")
      }
      if (after.state === "APPROVED") {
        must("7 agents", answers?.routing.tier !== "human", "an agent approved what policy wants people for")
        must(
          "7 agents",
          !(requesterNow?.kind === "agent" && requesterNow.owner === null),
          "an agent approved for an agent that nobody answers for"
        )
      }
    }
  }

  // 8. Break-glass.
  if (has("Created") && after.asked.breakGlass) {
    must("8 break-glass", after.requester.kind === "human", "an agent broke the glass")
    must("8 break-glass", settings.alertChannels.length > 0, "nobody can be alerted")
    must("8 break-glass", after.asked.reason !== "", "without a reason")
    must("8 break-glass", after.review !== null && after.review.dueAt > now, "no review was opened")
    const alert = move.newJobs.find((job) => job.kind === "notify" && job.payload["event"] === "break_glass")
    const grant = move.newJobs.find((job) => job.kind === "grant")
    must("8 break-glass", alert !== undefined, "no alert is queued")
    must("8 break-glass", grant !== undefined && grant.after === alert?.id, "the grant does not wait for the alert")
    const blocked =
      command.type === "Submit" && command.openReviews > 0 && command.answers.eligibility.blockOnOpenReview
    must("8 break-glass", !blocked, "an open review did not block")
  }
  if (after.asked.breakGlass) {
    must(
      "8 break-glass",
      move.records.every((record) => record.details["breakGlass"] === true),
      "an entry is not marked"
    )
    must("8 break-glass", after.state !== "PENDING", "break-glass waits for a decision")
  }

  // 4. States say what is known.
  if (before !== undefined && before.state !== after.state) {
    if (after.state === "ACTIVE") must("4 confirmed", command.type === "GrantSucceeded", `ACTIVE by ${command.type}`)
    if (after.state === "EXPIRED" || after.state === "REVOKED") {
      must("4 confirmed", command.type === "EndConfirmed", `${after.state} by ${command.type}`)
    }
    if (after.state === "FAILED") {
      const nothingDone = move.truth.begun > 0 && move.truth.begun === move.truth.refusedWithoutEffect
      must(
        "4 confirmed",
        before.state === "ENDING" ? command.type === "EndConfirmed" : command.type === "GrantRefused" && nothingDone,
        `FAILED by ${command.type} after ${move.truth.begun} attempts, ${move.truth.refusedWithoutEffect} without effect`
      )
    }
    if (after.state === "EXPIRED") must("4 confirmed", after.ending?.why === "expired", "EXPIRED for another reason")
    if (terminal.has(after.state) && before.state === "ENDING" && move.truth.begun > 1) {
      must("4 confirmed", after.grant?.sweepAgainAt !== null, "no second ending after a repeated attempt")
    }
  }

  // 6. Within what was approved.
  const grant = after.grant
  if (grant !== null && grant.issuedAt !== null && grant.notAfter !== null) {
    must(
      "6 within what was approved",
      grant.notAfter <= grant.issuedAt + after.asked.durationSeconds * 1000,
      `notAfter is ${grant.notAfter - grant.issuedAt} ms after it was issued, for ${after.asked.durationSeconds} s`
    )
    must(
      "6 within what was approved",
      grant.providerNotAfter !== null && grant.notAfter <= grant.providerNotAfter,
      "notAfter is later than what the provider enforces"
    )
    must("6 within what was approved", move.truth.notAfter === grant.notAfter, "notAfter was written twice")
    must(
      "6 within what was approved",
      grant.providerNotAfter === null || grant.latestEnd >= grant.providerNotAfter,
      "something may live longer than latestEnd says"
    )
  }
  if (before?.grant != null && grant !== null) {
    must("6 within what was approved", grant.latestEnd >= before.grant.latestEnd, "latestEnd went back")
    must("6 within what was approved", grant.startedAt === before.grant.startedAt, "startedAt was rewritten")
  }

  // 10. Credentials.
  if (has("CredentialsRead")) {
    must("10 credentials", keyOf(actor?.principal ?? after.requester) === keyOf(after.requester), "read by another")
    must("10 credentials", before?.state === "ACTIVE", `read while ${before?.state}`)
    must("10 credentials", grant?.notAfter != null && now < grant.notAfter, "read after notAfter")
    must("10 credentials", after.state === "ACTIVE", "reading changed the state")
  }

  // 12. Deadlines.
  if (has("Lapsed")) must("12 deadlines", before !== undefined && now >= before.lapsesAt, "lapsed before its time")
  if (command.type === "Deadline" && before?.state === "PENDING" && now >= before.lapsesAt) {
    must("12 deadlines", after.state === "LAPSED", `the deadline passed and it is ${after.state}`)
  }
  if (command.type === "StartGrant" && has("GrantStarted")) {
    must("12 deadlines", before?.startBy != null && now < before.startBy, "granting after the start deadline")
  }
  if (command.type === "Expire" && before?.state === "ACTIVE") {
    const over = before.grant?.notAfter != null && now >= before.grant.notAfter
    must("12 deadlines", (after.state === "ENDING") === over, `expiry at notAfter: ${over}, and it is ${after.state}`)
  }
  if (after.state === "PENDING") {
    must("12 deadlines", after.decideBy <= after.lapsesAt, "the tier's deadline is after the last one")
    must(
      "12 deadlines",
      after.routing.tier === "ai_review" || after.decideBy === after.lapsesAt,
      `${after.routing.tier} ends with the agent's deadline`
    )
  }

  // 11. Every change is on record, and no text is in the entry itself.
  must(
    "11 records",
    events.length === 0 || command.type === "LinkExtension" || move.records.length > 0,
    `${command.type} left no entry`
  )
  for (const type of [
    "GrantStarted",
    "EndingBegun",
    "Ended",
    "Escalated",
    "Approved",
    "DecisionStruck",
    "CredentialsRead"
  ]) {
    if (has(type))
      must(
        "11 records",
        move.records.some((record) => recordOf[type]?.(record.action) === true),
        `${type} left no entry`
      )
  }
  for (const record of move.records) {
    const details = JSON.stringify(record.details)
    for (const secret of [...Object.values(secrets), "SECRET-TOKEN"]) {
      must("11 records", !details.includes(secret), `${record.action} has a text in its details`)
    }
    for (const name of Object.keys(record.texts)) {
      must("11 records", !(name in record.details), `${record.action}: ${name} stands in details and texts`)
    }
  }

  // Durable work for every obligation.
  const jobs = [...move.jobs.values()]
  const queued = (kind: string, at: number | null | undefined) =>
    jobs.some((job) => job.kind === kind && (at == null || job.runAt <= at))
  if (after.state === "PENDING") {
    must(
      "jobs",
      jobs.some((job) => job.kind === "deadline" && job.runAt <= after.decideBy),
      "PENDING without a deadline"
    )
  }
  if (after.state === "APPROVED") {
    must("jobs", queued("grant", null), "APPROVED and nobody grants")
    must("jobs", queued("deadline", after.startBy), "APPROVED without a start deadline")
  }
  if (after.state === "ACTIVE") must("jobs", queued("expire", grant?.notAfter), "ACTIVE and nobody ends it in time")
  if (after.state === "ENDING") must("jobs", queued("end", now), "ENDING and nobody asks the provider")
  if (has("GrantArrivedLate")) must("jobs", queued("end", now), "a late grant that nobody takes back")
  if (terminal.has(after.state) && grant?.sweepAgainAt != null) {
    must("jobs", queued("end", grant.sweepAgainAt), "the second ending is not queued")
  }
  if (after.review !== null && after.review.closed === null) {
    must("jobs", queued("review", null), "an open review that nobody is reminded of")
  }
  for (const job of move.newJobs) {
    const text = JSON.stringify(job.payload)
    must("jobs", !text.includes("SECRET-TOKEN"), `${job.id} carries a credential`)
  }
  return found
}

const isUnstruck = (request: Request, index: number): boolean => request.decisions[index]?.struck === null

const recordOf: Readonly<Record<string, (action: string) => boolean>> = {
  GrantStarted: (action) => action === "grant.started",
  EndingBegun: (action) => action === "grant.ending",
  Ended: (action) => ["grant.expired", "grant.revoked", "grant.failed"].includes(action),
  Escalated: (action) => ["request.escalated", "request.ai_escalated"].includes(action),
  Approved: (action) => ["request.approved", "request.auto_approved", "request.ai_approved"].includes(action),
  DecisionStruck: (action) => action === "request.approval_struck",
  CredentialsRead: (action) => action === "credentials.read"
}
