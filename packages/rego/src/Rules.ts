/**
 * Which rules jitsudo reads from a policy: by type of policy, by action, and of which type they must be.
 *
 * The table is the contract with those who write policy (docs/spec/policy.md); nothing else is ever evaluated.
 */
import type { Policy, PolicySet } from "@jitsudo/core"

/** A type of policy that decides; libraries only help. */
export type DecidingType = Exclude<PolicySet.PolicyType, "library">

export const packageOf: Readonly<Record<DecidingType, string>> = {
  eligibility: "jitsudo.eligibility",
  approval: "jitsudo.approval",
  breakglass: "jitsudo.breakglass"
}

/** Libraries live below this package. */
export const libraryPackage = "jitsudo.lib"

export type RuleType = "boolean" | "number" | "string" | "set of strings"

const eligibility = {
  allow: "boolean",
  deny: "set of strings",
  reason: "string",
  max_duration_seconds: "number",
  max_total_seconds: "number"
} as const satisfies Record<string, RuleType>

const approval = {
  approver_tier: "string",
  approver_group: "string",
  approvers: "set of strings",
  min_approvals: "number",
  allow: "boolean",
  deny: "set of strings",
  reason: "string",
  ai_allow: "boolean"
} as const satisfies Record<string, RuleType>

const breakglass = {
  allow: "boolean",
  deny: "set of strings",
  reason: "string",
  max_duration_seconds: "number",
  block_on_open_review: "boolean"
} as const satisfies Record<string, RuleType>

/** The rules of each type of policy, with the type that each must have. */
export const ruleTypes: Readonly<Record<DecidingType, Readonly<Record<string, RuleType>>>> = {
  eligibility,
  approval,
  breakglass
}

/** The rule that is read from the compilation without its default, so that only rules that matched count. */
export const tierRule = "approver_tier"

/** The only default that `approver_tier` may have. */
export const tierDefault = "human"

const admission = ["allow", "deny", "reason"]

/** What is read for an action, by type of policy. Types that are absent are not asked. */
export const rulesRead: Readonly<
  Record<Policy.PolicyAction, Readonly<Partial<Record<DecidingType, ReadonlyArray<string>>>>>
> = {
  request: { eligibility: ["allow", "deny", "reason", "max_duration_seconds", "max_total_seconds"] },
  // Eligibility's denials bind break-glass; its allowance is not needed.
  break_glass: {
    eligibility: ["deny"],
    breakglass: ["allow", "deny", "reason", "max_duration_seconds", "block_on_open_review"]
  },
  route: { approval: ["approver_tier", "approver_group", "approvers", "min_approvals"] },
  approve: { approval: admission },
  deny: { approval: admission },
  revoke: { approval: admission },
  ai_approve: { approval: ["ai_allow", "deny", "reason"] }
}

/** `jitsudo/eligibility/allow` */
export const entrypointOf = (type: DecidingType, rule: string): string =>
  `${packageOf[type].replaceAll(".", "/")}/${rule}`
