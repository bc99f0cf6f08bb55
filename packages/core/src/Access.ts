/** Who may see and administer what. Reads are scoped; a thing that one may not see is not found. */
import { refuse, type Refused } from "./ElevationError.ts"
import type { Principal } from "./Principal.ts"
import { keyOf } from "./Principal.ts"
import type { Request } from "./Request.ts"
import { isNamed } from "./rules/Standing.ts"
import type { DomainSettings } from "./Settings.ts"
import type { Actor } from "./Elevation.ts"

const inAny = (principal: Principal, groups: ReadonlyArray<string>): boolean =>
  groups.some((group) => principal.groups.includes(group))

/** Administrators are people in the configured groups, nobody else. */
export const isAdmin = (principal: Principal, settings: DomainSettings): boolean =>
  principal.kind === "human" && inAny(principal, settings.adminGroups)

export const isAuditor = (principal: Principal, settings: DomainSettings): boolean =>
  principal.kind === "human" && (inAny(principal, settings.auditorGroups) || inAny(principal, settings.adminGroups))

/** Theirs: the requester, or a person who owns the requester. */
export const isOwn = (request: Request, principal: Principal): boolean =>
  keyOf(principal) === keyOf(request.requester) ||
  (principal.kind === "human" && request.party.includes(`key:${keyOf(principal)}`))

/** Named by a stage of the request's routing. */
export const isNamedApprover = (request: Request, actor: Actor): boolean =>
  request.routing.stages.some((stage) => isNamed(stage, actor.principal))

/** Decided on it before. */
export const hasDecided = (request: Request, principal: Principal): boolean =>
  request.decisions.some((decision) => !("policy" in decision.by) && keyOf(decision.by) === keyOf(principal))

export const adminRefusal = (what: string): Refused =>
  refuse(
    "not_admin",
    `${what} is for administrators`,
    "an administrator is a person in one of the groups in `auth.admin_groups`"
  )
