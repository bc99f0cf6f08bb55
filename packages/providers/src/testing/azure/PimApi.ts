/**
 * ARM's Privileged Identity Management for Azure resources, API version 2020-10-01: requests for schedules, and the
 * schedules that come of them (https://learn.microsoft.com/rest/api/authorization/role-assignment-schedule-requests,
 * .../role-assignment-schedules).
 *
 * 1. A request is accepted (201) and then carried out; its status says how far it is. What it asks for takes effect here
 *    when it is accepted.
 * 2. An assignment that exists is 400 `RoleAssignmentExists`, one that does not, to an update or a removal,
 *    `RoleAssignmentDoesNotExist`; a request while another is under way `PendingRoleAssignmentRequest`
 *    (https://learn.microsoft.com/graph/api/governanceroleassignmentrequest-post, error codes).
 * 3. Ends outside of the role's settings are `RoleAssignmentRequestPolicyValidationFailed` with `ExpirationRule`. An
 *    assignment is for five minutes at least, and cannot be removed in its first five
 *    (https://learn.microsoft.com/entra/id-governance/privileged-identity-management/pim-resource-roles-assign-roles).
 * 4. Without a licence nothing is accepted (`AadPremiumLicenseRequired`).
 */
import { Refusal } from "./Refusal.ts"
import type { Done } from "./Rbac.ts"
import type { WireClient } from "./Tokens.ts"
import * as World from "./World.ts"

export const apiVersion = "2020-10-01"

const shortestMillis = 300_000
const iso = (millis: number): string => new Date(millis).toISOString().replace("Z", "0000Z")

const idOf = (scope: string, type: string, name: string): string =>
  `${scope === "/" ? "" : World.spelled(scope)}/providers/Microsoft.Authorization/${type}/${name}`

const isPending = (world: World.World, one: World.Asked): boolean => world.call() < one.settledAt

const shownRequest = (world: World.World, one: World.Asked): object => ({
  properties: {
    targetRoleAssignmentScheduleId: one.target,
    targetRoleAssignmentScheduleInstanceId: null,
    scope: World.spelled(one.scope),
    roleDefinitionId: World.definitionId(one.scope, one.roleId),
    principalId: one.principalId,
    principalType: one.principalType,
    requestType: one.requestType,
    status: isPending(world, one) ? "PendingProvisioning" : one.outcome,
    approvalId: null,
    scheduleInfo: one.scheduleInfo,
    ticketInfo: one.ticketInfo,
    justification: one.justification,
    requestorId: one.requestorId,
    createdOn: iso(one.createdAt),
    condition: null,
    conditionVersion: null
  },
  name: one.name,
  id: idOf(one.scope, "roleAssignmentScheduleRequests", one.name),
  type: "Microsoft.Authorization/RoleAssignmentScheduleRequests"
})

const shownSchedule = (one: World.Assigned): object => ({
  properties: {
    ...(one.schedule.requestName === null
      ? {}
      : {
          roleAssignmentScheduleRequestId: idOf(one.scope, "roleAssignmentScheduleRequests", one.schedule.requestName)
        }),
    scope: World.spelled(one.scope),
    roleDefinitionId: World.definitionId(one.scope, one.roleId),
    principalId: one.principalId,
    principalType: one.principalType,
    status: "Provisioned",
    assignmentType: "Assigned",
    memberType: "Direct",
    startDateTime: iso(one.schedule.startedAt),
    ...(one.schedule.end === null ? {} : { endDateTime: iso(one.schedule.end) }),
    createdOn: iso(one.createdAt),
    updatedOn: iso(one.updatedAt)
  },
  name: one.schedule.name,
  id: idOf(one.scope, "roleAssignmentSchedules", one.schedule.name),
  type: "Microsoft.Authorization/RoleAssignmentSchedules"
})

const field = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined

const invalid = (message: string): Refusal => new Refusal(400, "InvalidRequestContent", message)
const expirationRule = (): Refusal =>
  new Refusal(
    400,
    "RoleAssignmentRequestPolicyValidationFailed",
    'The following policy rules failed: ["ExpirationRule"]'
  )

/** When a schedule is to end; null for never. */
const endOf = (world: World.World, scheduleInfo: unknown): number | null => {
  const now = world.now()
  const startText = field(scheduleInfo, "startDateTime")
  const start = typeof startText === "string" ? Date.parse(startText) : now
  if (Number.isNaN(start)) throw invalid("startDateTime is no date.")
  const expiration = field(scheduleInfo, "expiration")
  const end = ((): number => {
    switch (field(expiration, "type")) {
      case "AfterDateTime": {
        const text = field(expiration, "endDateTime")
        const millis = typeof text === "string" ? Date.parse(text) : Number.NaN
        if (Number.isNaN(millis)) throw invalid("endDateTime is no date.")
        return millis
      }
      case "AfterDuration": {
        const text = field(expiration, "duration")
        const found = typeof text === "string" ? /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/u.exec(text) : null
        if (found === null) throw invalid("duration is no duration.")
        const [, hours = "0", minutes = "0", seconds = "0"] = found
        return start + (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
      }
      case "NoExpiration":
        throw expirationRule()
      default:
        throw invalid("The expiration has no type.")
    }
  })()
  // A second either way: whoever sends it stamps by another clock.
  if (end - now < shortestMillis - 1000 || end - now > world.pim().longestSeconds * 1000 + 1000) throw expirationRule()
  return end
}

const put = (world: World.World, caller: WireClient, scope: string, name: string, body: string): Done => {
  const pim = world.pim()
  const properties = World.propertiesIn(body, [
    "principalId",
    "roleDefinitionId",
    "requestType",
    "justification",
    "scheduleInfo",
    "ticketInfo",
    "targetRoleAssignmentScheduleId",
    "targetRoleAssignmentScheduleInstanceId",
    "linkedRoleEligibilityScheduleId",
    "condition",
    "conditionVersion"
  ])
  if (!pim.licensed) {
    throw new Refusal(400, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2.")
  }
  const asked = World.assignable(world, scope, properties)
  const { justification, requestType, scheduleInfo, ticketInfo } = properties
  if (world.requests.get(name) !== undefined) throw new Refusal(409, "Conflict", "The request name is in use.")
  const now = world.now()
  const under = world.requests
    .all()
    .find(
      (one) =>
        isPending(world, one) &&
        one.scope === scope &&
        one.roleId === asked.roleId &&
        one.principalId === asked.principalId
    )
  if (under !== undefined) {
    throw new Refusal(
      400,
      "PendingRoleAssignmentRequest",
      "There is already an existing pending Role assignment request."
    )
  }
  const before = World.existing(world, asked)
  const accept = (outcome: string, target: string | null): Done => {
    const accepted: World.Asked = {
      name,
      ...asked,
      requestType: String(requestType),
      justification: typeof justification === "string" ? justification : null,
      ticketInfo: typeof ticketInfo === "object" ? ticketInfo : null,
      scheduleInfo: typeof scheduleInfo === "object" ? scheduleInfo : null,
      target,
      createdAt: now,
      requestorId: caller.objectId,
      outcome,
      settledAt: world.call() + pim.pendingCalls
    }
    world.requests.set(name, accepted)
    return { status: 201, body: shownRequest(world, accepted) }
  }
  switch (requestType) {
    case "AdminAssign": {
      if (before !== undefined) {
        throw new Refusal(400, "RoleAssignmentExists", "The Role assignment already exists.")
      }
      const end = endOf(world, scheduleInfo)
      World.withinLimit(world, scope)
      if (pim.nextFails !== null) return accept(pim.nextFails, null)
      const schedule = { ...World.newSchedule(now), requestName: name, end }
      world.assignments.set(schedule.name, {
        ...asked,
        name: schedule.name,
        description: null,
        condition: null,
        conditionVersion: null,
        createdAt: now,
        updatedAt: now,
        createdBy: caller.objectId,
        schedule
      })
      return accept("Provisioned", schedule.name)
    }
    case "AdminUpdate": {
      const target = properties["targetRoleAssignmentScheduleId"]
      if (before === undefined || (target !== undefined && target !== before.schedule.name)) {
        throw new Refusal(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
      }
      const end = endOf(world, scheduleInfo)
      if (pim.nextFails !== null) return accept(pim.nextFails, before.schedule.name)
      world.assignments.set(before.name, { ...before, updatedAt: now, schedule: { ...before.schedule, end } })
      return accept("Provisioned", before.schedule.name)
    }
    case "AdminRemove": {
      if (before === undefined) {
        throw new Refusal(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist.")
      }
      if (pim.keepsFiveMinutes && now - before.schedule.startedAt < shortestMillis) {
        throw new Refusal(
          400,
          "ActiveDurationTooShort",
          "The active duration is too short. Minimum required is 5 minutes."
        )
      }
      if (pim.nextFails !== null) return accept(pim.nextFails, before.schedule.name)
      world.assignments.remove(before.name)
      return accept("Revoked", before.schedule.name)
    }
    default:
      throw invalid(`The request type '${String(requestType)}' is not supported here.`)
  }
}

export const requests = (
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
  if (name === null) return World.atScope(world.requests.shown(), scope, filter).map((one) => shownRequest(world, one))
  if (!World.isGuid(name))
    throw new Refusal(400, "InvalidRoleAssignmentScheduleRequestName", "The name must be a GUID.")
  const guid = name.toLowerCase()
  if (method === "PUT") return put(world, caller, scope, guid, body)
  const found = world.requests.get(guid)
  if (found === undefined || found.scope !== scope) {
    throw new Refusal(404, "RoleAssignmentScheduleRequestNotFound", "The requested resource is not found.")
  }
  return { status: 200, body: shownRequest(world, found) }
}

export const schedules = (
  world: World.World,
  scope: string,
  name: string | null,
  filter: string | null
): Done | ReadonlyArray<object> => {
  const alive = (all: ReadonlyArray<World.Assigned>) => all.filter((one) => World.isAlive(one, world.now()))
  if (name === null) return World.atScope(alive(world.assignments.shown()), scope, filter).map(shownSchedule)
  const found = alive(world.assignments.all()).find(
    (one) => one.scope === scope && one.schedule.name === name.toLowerCase()
  )
  if (found === undefined) {
    throw new Refusal(404, "RoleAssignmentScheduleNotFound", "The requested resource is not found.")
  }
  return { status: 200, body: shownSchedule(found) }
}
