/**
 * What is true in the tenant: roles, scopes, identities, and who is assigned what where.
 *
 * A role assignment and an active schedule of Privileged Identity Management are two views of one thing: Azure has one of
 * them per role, principal and scope
 * (https://learn.microsoft.com/rest/api/authorization/role-assignments/create, `RoleAssignmentExists`). A schedule with an
 * end is over when its time is.
 */
import { randomUUID } from "node:crypto"
import type { WirePrincipal } from "./Graph.ts"
import type * as Lagged from "./Lagged.ts"
import { Refusal } from "./Refusal.ts"
import type { WireClient } from "./Tokens.ts"

/** A built-in or custom role. */
export interface WireRole {
  /** The definition's GUID. */
  readonly id: string
  readonly roleName: string
  /** What it allows, with wildcards; reading everything when absent. */
  readonly actions?: ReadonlyArray<string>
}

/** What PIM adds to an assignment. */
export interface Scheduled {
  readonly name: string
  /** The request that it came from; null for what was not asked of PIM. */
  readonly requestName: string | null
  readonly startedAt: number
  /** Epoch milliseconds; null: it has no end. */
  readonly end: number | null
}

export interface Assigned {
  readonly name: string
  /** In lower case. */
  readonly scope: string
  readonly roleId: string
  readonly principalId: string
  readonly principalType: WirePrincipal["type"]
  readonly description: string | null
  readonly condition: string | null
  readonly conditionVersion: string | null
  readonly createdAt: number
  readonly updatedAt: number
  readonly createdBy: string
  readonly schedule: Scheduled
}

/** A request to PIM as it was accepted. */
export interface Asked {
  readonly name: string
  readonly scope: string
  readonly roleId: string
  readonly principalId: string
  readonly principalType: WirePrincipal["type"]
  readonly requestType: string
  readonly justification: string | null
  readonly ticketInfo: object | null
  readonly scheduleInfo: object | null
  readonly target: string | null
  readonly createdAt: number
  readonly requestorId: string
  /** What it ends as. */
  readonly outcome: string
  /** The call from which on its status says that it was carried out. */
  readonly settledAt: number
}

export interface World {
  readonly now: () => number
  /** How many calls to ARM there were. */
  readonly call: () => number
  readonly roles: ReadonlyArray<WireRole>
  readonly principals: () => ReadonlyArray<WirePrincipal>
  readonly scopeExists: (scope: string) => boolean
  readonly isLocked: (scope: string) => boolean
  readonly assignmentLimit: number
  readonly assignments: Lagged.Lagged<Assigned>
  readonly requests: Lagged.Lagged<Asked>
  readonly pim: () => Pim
}

/** How PIM behaves. */
export interface Pim {
  readonly licensed: boolean
  /** The longest active assignment that the roles' settings allow. */
  readonly longestSeconds: number
  /** Whether it refuses to remove what was active for less than five minutes, as Azure does. */
  readonly keepsFiveMinutes: boolean
  /** Further calls before a request's status says that it was carried out. */
  readonly pendingCalls: number
  /** What the next request ends as, without effect; null: it is carried out. */
  readonly nextFails: string | null
}

export const isGuid = (text: unknown): text is string =>
  typeof text === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu.test(text)

export const newSchedule = (now: number): Scheduled => ({
  name: randomUUID(),
  requestName: null,
  startedAt: now,
  end: null
})

export const isAlive = (one: Assigned, now: number): boolean => one.schedule.end === null || now < one.schedule.end

export const isAtOrBelow = (scope: string, root: string): boolean =>
  root === "/" || scope === root || scope.startsWith(`${root}/`)

/** The subscription of a scope, or the scope itself where it has none. */
const accountOf = (scope: string): string => /^\/subscriptions\/[^/]+/u.exec(scope)?.[0] ?? scope

export const existing = (
  world: World,
  { principalId, roleId, scope }: Pick<Assigned, "scope" | "roleId" | "principalId">
): Assigned | undefined =>
  world.assignments
    .all()
    .find(
      (one) =>
        isAlive(one, world.now()) && one.scope === scope && one.roleId === roleId && one.principalId === principalId
    )

/** A role, a principal and a scope as they were sent, found to exist. */
export const assignable = (
  world: World,
  scope: string,
  properties: Readonly<Record<string, unknown>>
): Pick<Assigned, "scope" | "roleId" | "principalId" | "principalType"> => {
  const { principalId, principalType, roleDefinitionId } = properties
  const found =
    typeof roleDefinitionId === "string"
      ? /\/providers\/microsoft\.authorization\/roledefinitions\/([^/]+)$/iu.exec(roleDefinitionId)?.[1]
      : undefined
  if (!isGuid(found)) throw new Refusal(400, "InvalidRoleDefinitionId", "The role definition id is not valid.")
  const roleId = found.toLowerCase()
  if (!world.roles.some(({ id }) => id === roleId)) {
    throw new Refusal(
      400,
      "RoleDefinitionDoesNotExist",
      `The specified role definition with ID '${roleId}' does not exist.`
    )
  }
  if (!isGuid(principalId)) throw new Refusal(400, "InvalidPrincipalId", "The principal id is not a valid GUID.")
  const principal = world.principals().find(({ id }) => id === principalId.toLowerCase())
  // https://learn.microsoft.com/azure/role-based-access-control/troubleshooting (new principals, replication delay)
  if (principal === undefined || principal.unreplicated === true) {
    throw new Refusal(400, "PrincipalNotFound", `Principal ${principalId} does not exist in the directory.`)
  }
  if (principalType !== undefined && principalType !== principal.type) {
    throw new Refusal(400, "UnmatchedPrincipalType", `The PrincipalId '${principalId}' has type '${principal.type}'.`)
  }
  return { scope, roleId, principalId: principal.id, principalType: principal.type }
}

/** https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-overview */
export const delegated = (
  caller: WireClient,
  roleId: string,
  principalType: string,
  what: "write" | "delete",
  scope: string
): void => {
  const { delegation } = caller
  if (
    delegation !== undefined &&
    !(delegation.roles.includes(roleId) && delegation.principalTypes.includes(principalType))
  ) {
    throw new Refusal(
      403,
      "AuthorizationFailed",
      `The client has an authorization with ABAC condition that is not fulfilled to perform action 'Microsoft.Authorization/roleAssignments/${what}' over scope '${scope}'.`
    )
  }
}

/** https://learn.microsoft.com/azure/role-based-access-control/troubleshoot-limits */
export const withinLimit = (world: World, scope: string): void => {
  const account = accountOf(scope)
  const count = world.assignments
    .all()
    .filter((one) => isAlive(one, world.now()) && accountOf(one.scope) === account).length
  if (count >= world.assignmentLimit) {
    throw new Refusal(400, "RoleAssignmentLimitExceeded", "The role assignment limit for this subscription is reached.")
  }
}

/** A scope in ARM's own spelling, which is not the one that a client sent. */
export const spelled = (scope: string): string =>
  scope
    .replace("/resourcegroups/", "/resourceGroups/")
    .replace("/providers/microsoft.management/managementgroups/", "/providers/Microsoft.Management/managementGroups/")

/** The definition's ARM id, as ARM writes it for a scope. */
export const definitionId = (scope: string, roleId: string): string =>
  `${scope.startsWith("/subscriptions/") ? accountOf(scope) : ""}/providers/Microsoft.Authorization/roleDefinitions/${roleId}`

/** Whether a pattern of a role's actions covers an action; ARM compares them without case. */
export const covers = (pattern: string, action: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/gu, "\\$&").replaceAll("*", ".*")}$`, "iu").test(action)

/** Whether an identity may do something at a scope: by what it was set up with, or by a role that it is assigned. */
export const may = (world: World, caller: WireClient, action: string, scope: string): boolean => {
  const isSetUp =
    (caller.scopes ?? ["/"]).some((one) => isAtOrBelow(scope, one.toLowerCase())) &&
    caller.actions.some((pattern) => covers(pattern, action))
  const granted = world.assignments
    .all()
    .filter((one) => isAlive(one, world.now()) && one.principalId === caller.objectId && isAtOrBelow(scope, one.scope))
  return (
    isSetUp ||
    granted.some(({ roleId }) => {
      const role = world.roles.find(({ id }) => id === roleId)
      return (role?.actions ?? ["*/read"]).some((pattern) => covers(pattern, action))
    })
  )
}

/** A JSON body with `properties`, of which every one is known. */
export const propertiesIn = (body: string, known: ReadonlyArray<string>): Readonly<Record<string, unknown>> => {
  const parsed = ((): unknown => {
    try {
      return JSON.parse(body)
    } catch (wrong) {
      throw new Refusal(400, "InvalidRequestContent", wrong instanceof Error ? wrong.message : "not JSON")
    }
  })()
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value)
  if (!isObject(parsed) || !isObject(parsed["properties"])) {
    throw new Refusal(400, "InvalidRequestContent", "The request content has no properties.")
  }
  const unknown = [
    ...Object.keys(parsed).filter((key) => key !== "properties"),
    ...Object.keys(parsed["properties"]).filter((key) => !known.includes(key))
  ]
  if (unknown.length > 0) {
    throw new Refusal(400, "InvalidRequestContent", `Could not find member '${unknown[0]}' on object of type.`)
  }
  return parsed["properties"]
}

/** What a list shows at a scope, of all that it could. */
export const atScope = <A extends { readonly scope: string; readonly principalId: string }>(
  all: ReadonlyArray<A>,
  scope: string,
  filter: string | null
): ReadonlyArray<A> => {
  const above = all.filter((one) => isAtOrBelow(scope, one.scope))
  const related = all.filter((one) => isAtOrBelow(scope, one.scope) || isAtOrBelow(one.scope, scope))
  if (filter === null) return related
  // https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope ($filter)
  if (filter === "atScope()") return above
  const principal = /^principalId eq '([^']+)'$/u.exec(filter)?.[1]
  if (!isGuid(principal)) throw new Refusal(400, "UnsupportedQuery", "The filter is not supported.")
  return related.filter((one) => one.principalId === principal.toLowerCase())
}
