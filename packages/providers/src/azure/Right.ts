/**
 * One right in Azure: a role for a principal at a scope, of which Azure has exactly one or none.
 *
 * `check` finds it, and its ids travel as facts with the request; a grant's reference repeats them, so that what was
 * found by `list` can be ended by one who knows nothing else. Both come back from a store and are read with suspicion:
 * what does not decode is not there.
 */
import { type Json, type Provider, Time } from "@jitsudo/core"
import * as ArmScope from "./ArmScope.ts"
import * as AzureRole from "./AzureRole.ts"

const principalTypes = ["User", "Group", "ServicePrincipal"] as const
export type PrincipalType = (typeof principalTypes)[number]

export interface Right {
  /** Canonical. */
  readonly scope: string
  /** The definition's full ARM id, as Azure gave it. */
  readonly roleDefinitionId: string
  readonly principalId: string
  readonly principalType: PrincipalType
}

export interface Reference {
  readonly requestId: string
  readonly right: Right
  /** The name of the assignment (with PIM: of the schedule): it may be older than this request. */
  readonly assignment: string
  readonly until: Time.Time
}

/** The definition's GUID: what tells two roles apart, whatever scope their id was written for. */
export const roleOf = (right: Right): string => AzureRole.guidIn(right.roleDefinitionId) ?? right.roleDefinitionId

/** Azure would not have both. */
export const isSame = (one: Right, other: Right): boolean =>
  one.scope === other.scope &&
  one.principalId.toLowerCase() === other.principalId.toLowerCase() &&
  roleOf(one) === roleOf(other)

/** The ids as facts of a request. */
export const facts = ({ principalId, principalType, roleDefinitionId }: Right): Json.JsonObject => ({
  roleDefinitionId,
  principalId,
  principalType
})

/** A type as ARM writes it; null for what a role is not assigned to here. */
export const principalTypeIn = (value: unknown): PrincipalType | null =>
  principalTypes.find((one) => one === value) ?? null

/** The right at this scope that facts speak of; null when they do not. */
export const fromFacts = (scope: string, found: Json.JsonObject): Right | null => {
  const { principalId, principalType, roleDefinitionId } = found
  const type = principalTypeIn(principalType)
  const canonical = ArmScope.canonical(scope)
  return canonical !== null &&
    typeof roleDefinitionId === "string" &&
    /^\/[\w/.()~-]{1,500}$/u.test(roleDefinitionId) &&
    AzureRole.guidIn(roleDefinitionId) !== null &&
    typeof principalId === "string" &&
    ArmScope.isGuid(principalId) &&
    type !== null
    ? { scope: canonical, roleDefinitionId, principalId, principalType: type }
    : null
}

export const reference = ({ assignment, requestId, right, until }: Reference): Json.JsonObject => ({
  requestId,
  scope: right.scope,
  ...facts(right),
  assignment,
  until
})

/** A stored reference of this request; null for none, another request's, or a damaged one. */
export const fromReference = (requestId: string, stored: Provider.Neighbour["reference"]): Reference | null => {
  if (stored === null || stored["requestId"] !== requestId) return null
  const { assignment, scope, until } = stored
  const right = typeof scope === "string" ? fromFacts(scope, stored) : null
  return right !== null &&
    typeof assignment === "string" &&
    ArmScope.isGuid(assignment) &&
    typeof until === "number" &&
    Number.isSafeInteger(until) &&
    until >= 0 &&
    until < 253_402_300_800_000
    ? { requestId, right, assignment: assignment.toLowerCase(), until: Time.make(until) }
    : null
}
