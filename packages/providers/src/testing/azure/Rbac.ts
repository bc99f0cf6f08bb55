/**
 * ARM's `Microsoft.Authorization` for role definitions and role assignments, API version 2022-04-01
 * (https://learn.microsoft.com/rest/api/authorization/role-assignments, .../role-definitions).
 *
 * 1. A name is a GUID. A second name for the same role, principal and scope is 409 `RoleAssignmentExists`
 *    (https://learn.microsoft.com/azure/role-based-access-control/role-assignments-steps).
 * 2. A name that exists can be put again with another description or condition, and with nothing else
 *    (`RoleAssignmentUpdateNotPermitted`, https://learn.microsoft.com/azure/role-based-access-control/troubleshooting).
 * 3. Deleting what is not there is 204. A lock forbids deleting
 *    (https://learn.microsoft.com/azure/azure-resource-manager/management/lock-resources).
 */
import * as Filter from "./Filter.ts"
import { Refusal } from "./Refusal.ts"
import type { WireClient } from "./Tokens.ts"
import * as World from "./World.ts"

export const apiVersion = "2022-04-01"

const iso = (millis: number): string => new Date(millis).toISOString().replace("Z", "0000Z")

const shown = (one: World.Assigned): object => ({
  properties: {
    roleDefinitionId: World.definitionId(one.scope, one.roleId),
    principalId: one.principalId,
    principalType: one.principalType,
    scope: World.spelled(one.scope),
    condition: one.condition,
    conditionVersion: one.conditionVersion,
    createdOn: iso(one.createdAt),
    updatedOn: iso(one.updatedAt),
    createdBy: one.createdBy,
    updatedBy: one.createdBy,
    delegatedManagedIdentityResourceId: null,
    description: one.description
  },
  id: `${one.scope === "/" ? "" : World.spelled(one.scope)}/providers/Microsoft.Authorization/roleAssignments/${one.name}`,
  type: "Microsoft.Authorization/roleAssignments",
  name: one.name
})

const text = (value: unknown, field: string): string | null => {
  if (value === undefined || value === null) return null
  if (typeof value !== "string") throw new Refusal(400, "InvalidRequestContent", `${field} is not text.`)
  return value
}

const nameOf = (name: string): string => {
  if (!World.isGuid(name)) {
    throw new Refusal(
      400,
      "InvalidRoleAssignmentId",
      `The role assignment ID '${name}' is not valid. It must be a GUID.`
    )
  }
  return name.toLowerCase()
}

export interface Done {
  readonly status: number
  readonly body: object | null
}

const put = (world: World.World, caller: WireClient, scope: string, name: string, body: string): Done => {
  const properties = World.propertiesIn(body, [
    "roleDefinitionId",
    "principalId",
    "principalType",
    "description",
    "condition",
    "conditionVersion",
    "delegatedManagedIdentityResourceId"
  ])
  const asked = World.assignable(world, scope, properties)
  World.delegated(caller, asked.roleId, asked.principalType, "write", scope)
  const more = {
    description: text(properties["description"], "description"),
    condition: text(properties["condition"], "condition"),
    conditionVersion: text(properties["conditionVersion"], "conditionVersion")
  }
  const now = world.now()
  const same = world.assignments.get(name)
  if (same !== undefined && World.isAlive(same, now)) {
    if (same.scope !== asked.scope || same.roleId !== asked.roleId || same.principalId !== asked.principalId) {
      throw new Refusal(
        400,
        "RoleAssignmentUpdateNotPermitted",
        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
      )
    }
    const changed = { ...same, ...more, updatedAt: now }
    world.assignments.set(name, changed)
    return { status: 200, body: shown(changed) }
  }
  if (World.existing(world, asked) !== undefined) {
    throw new Refusal(409, "RoleAssignmentExists", "The role assignment already exists.")
  }
  World.withinLimit(world, scope)
  const created: World.Assigned = {
    name,
    ...asked,
    ...more,
    createdAt: now,
    updatedAt: now,
    createdBy: caller.objectId,
    schedule: World.newSchedule(now)
  }
  world.assignments.set(name, created)
  return { status: 201, body: shown(created) }
}

const remove = (world: World.World, caller: WireClient, scope: string, name: string): Done => {
  const found = world.assignments.get(name)
  if (found === undefined || found.scope !== scope || !World.isAlive(found, world.now())) {
    return { status: 204, body: null }
  }
  World.delegated(caller, found.roleId, found.principalType, "delete", scope)
  if (world.isLocked(scope)) {
    throw new Refusal(409, "ScopeLocked", `The scope '${scope}' cannot perform delete operation because it is locked.`)
  }
  world.assignments.remove(name)
  return { status: 200, body: shown(found) }
}

/** What becomes of a request for role assignments; a list is given whole. */
export const assignments = (
  world: World.World,
  caller: WireClient,
  request: {
    readonly method: string
    readonly scope: string
    readonly name: string | null
    readonly body: string
    readonly filter: string | null
  }
): Done | ReadonlyArray<object> => {
  const { body, filter, method, name, scope } = request
  if (name === null) {
    const alive = world.assignments.shown().filter((one) => World.isAlive(one, world.now()))
    return World.atScope(alive, scope, filter).map(shown)
  }
  const guid = nameOf(name)
  switch (method) {
    case "PUT":
      return put(world, caller, scope, guid, body)
    case "DELETE":
      return remove(world, caller, scope, guid)
    default: {
      const found = world.assignments.get(guid)
      if (found === undefined || found.scope !== scope || !World.isAlive(found, world.now())) {
        throw new Refusal(404, "RoleAssignmentNotFound", `The role assignment '${guid}' is not found.`)
      }
      return { status: 200, body: shown(found) }
    }
  }
}

const described = (scope: string, role: World.WireRole): object => ({
  properties: {
    roleName: role.roleName,
    type: "BuiltInRole",
    description: "",
    assignableScopes: ["/"],
    permissions: [{ actions: ["*/read"], notActions: [], dataActions: [], notDataActions: [] }]
  },
  id: World.definitionId(scope, role.id),
  type: "Microsoft.Authorization/roleDefinitions",
  name: role.id
})

export const definitions = (
  world: World.World,
  scope: string,
  name: string | null,
  filter: string | null
): Done | ReadonlyArray<object> => {
  if (name === null) {
    const wanted = filter === null ? null : Filter.comparisons(filter, ["roleName"])
    return world.roles
      .filter(
        ({ roleName }) => wanted === null || wanted.some(({ value }) => value.toLowerCase() === roleName.toLowerCase())
      )
      .map((role) => described(scope, role))
  }
  const role = world.roles.find(({ id }) => id === name.toLowerCase())
  if (role === undefined) {
    throw new Refusal(
      404,
      "RoleDefinitionDoesNotExist",
      `The specified role definition with ID '${name}' does not exist.`
    )
  }
  return { status: 200, body: described(scope, role) }
}
