/**
 * What several policies together say. Pure; docs/spec/policy.md has it as a table.
 *
 * 1. Each policy is one unit: it allows with its own `max_duration_seconds`, or not at all.
 * 2. Any denial wins. A rule that failed or has another type than it must denies in its policy's name.
 * 3. The most restrictive tier wins; `auto` needs that no policy yields another. A tier that failed or that is none
 *    is `human`.
 * 4. A policy that names approvers is a stage; one whose naming failed is a stage that nobody can meet.
 * 5. Adding a policy can only forbid more, add an alternative to be allowed, or add a stage.
 */
import type { Policy } from "@jitsudo/core"
import type { Evaluation, EvaluationFailure, PolicyAnswer, RuleAnswer } from "./Evaluation.ts"
import { ruleTypes, type RuleType } from "./Rules.ts"

type Value = boolean | number | string | ReadonlyArray<string>

/** A rule's value in its type, `undefined`, or why it counts as a denial. */
type Read = { readonly value: Value | undefined } | { readonly wrong: string }

const isOf = (value: unknown, type: RuleType): value is Value => {
  switch (type) {
    case "boolean":
      return typeof value === "boolean"
    case "number":
      return typeof value === "number" && Number.isFinite(value)
    case "string":
      return typeof value === "string"
    case "set of strings":
      return Array.isArray(value) && value.every((one) => typeof one === "string")
  }
}

const readRule = (answer: PolicyAnswer, rule: string): Read => {
  const given: RuleAnswer = answer.rules[rule] ?? { state: "undefined" }
  const type = ruleTypes[answer.type][rule]
  if (given.state === "undefined" || type === undefined) return { value: undefined }
  if (given.state === "failed") return { wrong: `${rule} could not be evaluated: ${given.message}` }
  return isOf(given.value, type) ? { value: given.value } : { wrong: `${rule} must be a ${type}` }
}

/** One policy's answers in their types, and everything that was wrong with them. */
class Reading {
  readonly wrong: Array<string> = []
  readonly policy: string
  readonly #answer: PolicyAnswer

  constructor(answer: PolicyAnswer) {
    this.policy = answer.policy
    this.#answer = answer
  }

  #read(rule: string): Value | undefined {
    const read = readRule(this.#answer, rule)
    if ("wrong" in read) {
      this.wrong.push(read.wrong)
      return undefined
    }
    return read.value
  }

  boolean(rule: string): boolean | undefined {
    const value = this.#read(rule)
    return typeof value === "boolean" ? value : undefined
  }

  number(rule: string): number | undefined {
    const value = this.#read(rule)
    return typeof value === "number" ? value : undefined
  }

  string(rule: string): string | undefined {
    const value = this.#read(rule)
    return typeof value === "string" ? value : undefined
  }

  strings(rule: string): ReadonlyArray<string> {
    const value = this.#read(rule)
    return Array.isArray(value) ? value : []
  }
}

const failureFinding = (failure: EvaluationFailure): Policy.Finding => ({
  policy: failure.policy ?? "jitsudo",
  says: "failed",
  reasons: [failure.message]
})

const unique = (texts: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(texts)]

const withReason = (reason: string | undefined): ReadonlyArray<string> =>
  reason === undefined || reason === "" ? [] : [reason]

export const eligibility = (
  action: "request" | "break_glass",
  durationSeconds: number,
  evaluation: Evaluation
): Policy.Eligibility => {
  if ("failure" in evaluation) {
    return {
      allowed: false,
      reasons: [evaluation.failure.message],
      maxTotalSeconds: null,
      blockOnOpenReview: true,
      findings: [failureFinding(evaluation.failure)]
    }
  }
  const allowing = action === "request" ? "eligibility" : "breakglass"
  const denials: Array<string> = []
  const others: Array<string> = []
  const totals: Array<number | null> = []
  const findings: Array<Policy.Finding> = []
  let blockOnOpenReview = false
  for (const answer of evaluation.answers) {
    const reading = new Reading(answer)
    const denied = reading.strings("deny")
    const mayAllow = answer.type === allowing
    const allow = mayAllow ? reading.boolean("allow") : undefined
    const reason = mayAllow ? reading.string("reason") : undefined
    const maxDuration = mayAllow ? reading.number("max_duration_seconds") : undefined
    const maxTotal = mayAllow ? reading.number("max_total_seconds") : undefined
    if (answer.type === "breakglass" && reading.boolean("block_on_open_review") === true) blockOnOpenReview = true
    if (reading.wrong.length > 0 || denied.length > 0) {
      const reasons = [...denied, ...reading.wrong.map((wrong) => `policy ${answer.policy}: ${wrong}`)]
      denials.push(...reasons)
      findings.push({ policy: answer.policy, says: reading.wrong.length > 0 ? "failed" : "deny", reasons })
    } else if (allow === true && maxDuration !== undefined && durationSeconds > maxDuration) {
      const reasons = [`policy ${answer.policy} allows at most ${maxDuration} s`, ...withReason(reason)]
      others.push(...reasons)
      findings.push({ policy: answer.policy, says: "too long", reasons })
    } else if (allow === true) {
      totals.push(maxTotal ?? null)
      findings.push({ policy: answer.policy, says: "allow", reasons: withReason(reason) })
    } else if (mayAllow) {
      others.push(...withReason(reason))
      findings.push({ policy: answer.policy, says: "no", reasons: withReason(reason) })
    }
  }
  const allowed = denials.length === 0 && totals.length > 0
  const given = totals.filter((one) => one !== null)
  return {
    allowed,
    reasons: allowed ? [] : unique([...denials, ...others]),
    // Each unit stands for itself: the widest of those that allow.
    maxTotalSeconds: allowed && given.length === totals.length ? Math.max(...given) : null,
    blockOnOpenReview,
    findings
  }
}

const order: Readonly<Record<Policy.Tier, number>> = { auto: 0, ai_review: 1, human: 2 }

const tierOf = (text: string | undefined): Policy.Tier | undefined | "wrong" =>
  text === undefined ? undefined : text === "auto" || text === "ai_review" || text === "human" ? text : "wrong"

/**
 * `user:` and `group:` say it; otherwise what has an `@` is a user's e-mail address, anything else a group. An entry
 * without a name is wrong, not nobody: else a missing label would leave a stage out.
 */
const named = (entries: ReadonlyArray<string>): Policy.Approvers | "wrong" => {
  const groups = new Set<string>()
  const users = new Set<string>()
  for (const entry of entries) {
    const [, kind, name = ""] = /^(user:|group:)?(.*)$/su.exec(entry) ?? []
    const isUser = kind === "user:" || (kind === undefined && name.includes("@"))
    if (name.trim() === "") return "wrong"
    if (isUser) users.add(normalUser(name))
    else groups.add(name)
  }
  return { groups: [...groups].sort(), users: [...users].sort() }
}

/** Addresses are compared in lower case; `issuer#subject` as it stands. */
const normalUser = (user: string): string => (user.includes("#") ? user : user.trim().toLowerCase())

export const routing = (evaluation: Evaluation): Policy.RoutingVerdict => {
  if ("failure" in evaluation) {
    return {
      tier: "human",
      stages: [{ policy: evaluation.failure.policy ?? "jitsudo", groups: [], users: [], quorum: 1 }],
      openQuorum: 1,
      findings: [failureFinding(evaluation.failure)]
    }
  }
  let tier: Policy.Tier | undefined
  let openQuorum = 1
  const stages: Array<Policy.StageRule> = []
  const findings: Array<Policy.Finding> = []
  for (const answer of evaluation.answers) {
    const about = new Reading(answer)
    const yielded = tierOf(about.string("approver_tier"))
    const noTier = [...about.wrong]
    if (yielded === "wrong") noTier.push('approver_tier must be "auto", "ai_review" or "human"')
    // Whoever cannot say how a request is to be decided leaves it to people.
    const counted = noTier.length > 0 || yielded === "wrong" ? "human" : yielded
    if (counted !== undefined && (tier === undefined || order[counted] > order[tier])) tier = counted

    const reading = new Reading(answer)
    const group = reading.string("approver_group")
    const approvers = named([...(group === undefined ? [] : [`group:${group}`]), ...reading.strings("approvers")])
    const minimum = reading.number("min_approvals")
    const wrong = [...reading.wrong]
    if (approvers === "wrong") wrong.push("approver_group and approvers must not be empty texts")
    if (minimum !== undefined && !(Number.isSafeInteger(minimum) && minimum >= 1)) {
      wrong.push("min_approvals must be a whole number of 1 or more")
    }
    if (wrong.length > 0 || approvers === "wrong") {
      tier = "human"
      stages.push({ policy: answer.policy, groups: [], users: [], quorum: 1 })
    } else if (approvers.groups.length + approvers.users.length > 0) {
      stages.push({ policy: answer.policy, ...approvers, quorum: minimum ?? 1 })
    } else if (minimum !== undefined) {
      openQuorum = Math.max(openQuorum, minimum)
    }
    const failed = noTier.length + wrong.length > 0
    findings.push({
      policy: answer.policy,
      says: failed ? "failed" : (counted ?? "no tier"),
      reasons: [...noTier, ...wrong]
    })
  }
  return { tier: tier ?? "human", stages, openQuorum, findings }
}

export const admission = (
  action: "approve" | "deny" | "ai_approve" | "revoke",
  userKind: string,
  evaluation: Evaluation
): Policy.Admission => {
  if ("failure" in evaluation) {
    return {
      allowed: false,
      denied: true,
      reasons: [evaluation.failure.message],
      findings: [failureFinding(evaluation.failure)]
    }
  }
  const rule = action === "ai_approve" ? "ai_allow" : "allow"
  const denials: Array<string> = []
  const others: Array<string> = []
  const findings: Array<Policy.Finding> = []
  let allowed = false
  for (const answer of evaluation.answers) {
    const reading = new Reading(answer)
    const denied = reading.strings("deny")
    const allow = reading.boolean(rule)
    const reason = reading.string("reason")
    if (reading.wrong.length > 0 || denied.length > 0) {
      const reasons = [...denied, ...reading.wrong.map((wrong) => `policy ${answer.policy}: ${wrong}`)]
      denials.push(...reasons)
      findings.push({ policy: answer.policy, says: reading.wrong.length > 0 ? "failed" : "deny", reasons })
    } else {
      if (allow === true) allowed = true
      else others.push(...withReason(reason))
      findings.push({ policy: answer.policy, says: allow === true ? "allow" : "no", reasons: withReason(reason) })
    }
  }
  const denied = denials.length > 0
  // `allow` never admits an agent; only `ai_allow` does.
  const admits = allowed && !denied && (action === "ai_approve" || userKind !== "agent")
  return { allowed: admits, denied, reasons: admits ? [] : unique([...denials, ...others]), findings }
}
