/**
 * Allow policies and what Google refuses to write into one. Each rule names its page.
 *
 * A policy is kept in one spelling (no empty fields), so that two states can be compared byte for byte.
 */
import * as Cel from "./Cel.ts"
import { invalid } from "./Refusal.ts"

export interface Condition {
  readonly title: string
  readonly description?: string
  readonly expression: string
  readonly location?: string
}

export interface Binding {
  readonly role: string
  readonly members: ReadonlyArray<string>
  readonly condition?: Condition
}

export interface Policy {
  readonly version: number
  readonly etag: string
  readonly bindings: ReadonlyArray<Binding>
  readonly auditConfigs: ReadonlyArray<object>
}

/** What the server knows of the world that policies are about. */
export interface World {
  readonly now: number
  /** Whether a role exists and can be granted on the resource. */
  readonly isGrantable: (role: string, resource: string) => boolean
  readonly knows: (member: string) => boolean
}

/** https://cloud.google.com/iam/quotas#limits; each occurrence counts. */
const limits = { principals: 1500, groups: 250, conditionsOfOne: 20, operators: 12, bytes: 65_536 }

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined

const textOf = (value: unknown, what: string): string => {
  if (value === undefined || value === null) return ""
  if (typeof value !== "string") throw invalid(`Invalid value at '${what}', must be a string`)
  return value
}

const known = (value: unknown, fields: ReadonlyArray<string>, what: string): void => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`Invalid value at '${what}'`)
  const stray = Object.keys(value).find((key) => !fields.includes(key))
  if (stray !== undefined) throw invalid(`Unknown name "${stray}" at '${what}': Cannot find field.`)
}

const conditionOf = (value: unknown): Condition => {
  known(value, ["title", "description", "expression", "location"], "policy.bindings.condition")
  const [title, description, expression, location] = ["title", "description", "expression", "location"].map((field) =>
    textOf(fieldOf(value, field), `policy.bindings.condition.${field}`)
  )
  return {
    title: title ?? "",
    expression: expression ?? "",
    ...(description === "" || description === undefined ? {} : { description }),
    ...(location === "" || location === undefined ? {} : { location })
  }
}

const sameCondition = (a: Condition | undefined, b: Condition | undefined): boolean =>
  JSON.stringify(a) === JSON.stringify(b)

/** Bindings of one role and one condition are one binding, and a member stands in it once. */
const merged = (bindings: ReadonlyArray<Binding>): ReadonlyArray<Binding> => {
  const all: Array<Binding> = []
  for (const binding of bindings) {
    const at = all.findIndex((one) => one.role === binding.role && sameCondition(one.condition, binding.condition))
    const before = all[at]
    const members = [...new Set([...(before?.members ?? []), ...binding.members])]
    if (before === undefined) all.push({ ...binding, members })
    else all[at] = { ...before, members }
  }
  return all
}

/** What stands under `policy.bindings` of a request. */
export const bindingsIn = (policy: unknown): ReadonlyArray<Binding> => {
  known(policy, ["version", "etag", "bindings", "auditConfigs"], "policy")
  const bindings = fieldOf(policy, "bindings") ?? []
  if (!Array.isArray(bindings)) throw invalid("Invalid value at 'policy.bindings'")
  return merged(
    bindings.map((binding: unknown) => {
      known(binding, ["role", "members", "condition"], "policy.bindings")
      const members = fieldOf(binding, "members")
      const condition = fieldOf(binding, "condition")
      if (!Array.isArray(members) || members.length === 0) throw invalid("Each binding must have at least one member.")
      return {
        role: textOf(fieldOf(binding, "role"), "policy.bindings.role"),
        // Addresses are kept in lower case.
        members: members.map((member: unknown) => {
          const text = textOf(member, "policy.bindings.members")
          return /^(?:user|group|serviceAccount|domain):/u.test(text)
            ? text.slice(0, text.indexOf(":")) + text.slice(text.indexOf(":")).toLowerCase()
            : text
        }),
        ...(condition === undefined || condition === null ? {} : { condition: conditionOf(condition) })
      }
    })
  )
}

const memberForm =
  /^(?:(?:user|group|serviceAccount):[^\s@:]+@[a-z0-9.-]+|domain:[a-z0-9.-]+|principal(?:Set)?:\/\/\S+|projectOwner:\S+|projectEditor:\S+|projectViewer:\S+|deleted:\S+\?uid=\d+|allUsers|allAuthenticatedUsers)$/u

/** https://cloud.google.com/iam/docs/conditions-overview#bindings */
const basic = new Set(["roles/owner", "roles/editor", "roles/viewer"])

const whyNotCondition = ({ condition, members, role }: Binding): string | null => {
  if (condition === undefined) return null
  if (basic.has(role)) return `Conditions can't be set on the basic role ${role}.`
  // https://cloud.google.com/iam/docs/conditions-overview#bindings
  if (members.some((one) => one === "allUsers" || one === "allAuthenticatedUsers")) {
    return "Conditions can't be set for public principals."
  }
  // https://cloud.google.com/iam/docs/conditions-overview#structure
  if (condition.title === "" || condition.title.length > 100) return "Condition title must have 1 to 100 characters."
  if ((condition.description ?? "").length > 256) return "Condition description must have at most 256 characters."
  if (Cel.operators(condition.expression) > limits.operators) return "Too many logic operators in the condition."
  return null
}

/** Throws what Google would answer to these bindings on a resource; what stood there before is not looked at again. */
export const refuseUnsound = (
  resource: string,
  before: ReadonlyArray<Binding>,
  after: ReadonlyArray<Binding>,
  world: World
): void => {
  for (const binding of after) {
    const old = before.find((one) => one.role === binding.role && sameCondition(one.condition, binding.condition))
    if (old === undefined) {
      if (!world.isGrantable(binding.role, resource)) {
        throw invalid(`Role ${binding.role} is not supported for this resource.`)
      }
      const why = whyNotCondition(binding)
      if (why !== null) throw invalid(why)
      if (binding.condition !== undefined && Cel.parse(binding.condition.expression) === null) {
        throw invalid("Condition expression compilation failed.")
      }
    }
    for (const member of binding.members) {
      if (old?.members.includes(member) === true) continue
      if (!memberForm.test(member) || member.startsWith("deleted:")) {
        throw invalid(`Invalid member ${member.slice(0, 100)}.`)
      }
      if (!world.knows(member)) throw invalid(`Principal ${member} does not exist.`)
    }
  }
  const members = after.flatMap((one) => one.members)
  if (members.length > limits.principals) {
    throw invalid(
      `The number of members in the policy (${members.length}) is larger than the maximum allowed size 1500.`
    )
  }
  if (members.filter((one) => one.startsWith("group:")).length > limits.groups) {
    throw invalid("The number of groups in the policy is larger than the maximum allowed size 250.")
  }
  const crowds = new Map<string, number>()
  for (const { condition, members: all, role } of after) {
    if (condition === undefined) continue
    for (const member of all) crowds.set(`${role} ${member}`, (crowds.get(`${role} ${member}`) ?? 0) + 1)
  }
  if (Math.max(0, ...crowds.values()) > limits.conditionsOfOne) {
    throw invalid("Too many conditional bindings of the same role and member: the maximum is 20.")
  }
  // "The size of the policy is limited to a few 10s of KB": SetIamPolicyRequest.policy in the discovery document.
  if (JSON.stringify(after).length > limits.bytes) throw invalid("The policy's size exceeds the maximum allowed.")
}

/** Roles whose bindings differ between two states: the attribute `iam.googleapis.com/modifiedGrantsByRole`. */
export const modifiedRoles = (before: ReadonlyArray<Binding>, after: ReadonlyArray<Binding>): ReadonlyArray<string> => {
  const grantsOf = (bindings: ReadonlyArray<Binding>, role: string): string =>
    JSON.stringify(
      bindings
        .filter((one) => one.role === role)
        .flatMap(({ condition, members }) => members.map((member) => JSON.stringify([member, condition])))
        .toSorted()
    )
  const roles = new Set([...before, ...after].map(({ role }) => role))
  return [...roles].filter((role) => grantsOf(before, role) !== grantsOf(after, role))
}

/** https://cloud.google.com/iam/docs/policies#specifying-version-get: another version than 3 hides conditions. */
export const asVersion = (policy: Policy, asked: number): object => {
  const isConditional = policy.bindings.some(({ condition }) => condition !== undefined)
  if (asked === 3) return { ...policy, version: isConditional ? 3 : 1 }
  return {
    ...policy,
    version: 1,
    bindings: policy.bindings.map(({ condition, members, role }, index) => ({
      role: condition === undefined ? role : `${role}_withcond_${String(index).padStart(20, "0")}`,
      members
    }))
  }
}

/** Whether a binding gives its role at an instant. */
export const holds = ({ condition }: Binding, now: number): boolean =>
  condition === undefined || (Cel.parse(condition.expression)?.(now) ?? false)
