/**
 * Rights as plain role assignments: Azure keeps them until they are deleted, so their end is the engine's to bring about.
 *
 * 1. Azure has one assignment per role, principal and scope, and answers `RoleAssignmentExists` to a second name
 *    (https://learn.microsoft.com/azure/role-based-access-control/role-assignments-steps). So overlapping requests hold
 *    one assignment: each adds its mark, each end takes its mark away, and the last deletes the assignment.
 * 2. An assignment without our mark, and not named after one of our requests, is somebody else's: it is neither changed
 *    nor deleted, and nobody is granted what they have by it.
 * 3. Lists run behind what was just written. Names follow from requests, so what a list does not show is asked for by
 *    name before it is believed to be absent.
 */
import type { RoleAssignment } from "@azure/arm-authorization"
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as ArmScope from "./ArmScope.ts"
import type { AzureCalls } from "./AzureCalls.ts"
import * as AzureError from "./AzureError.ts"
import * as Holders from "./Holders.ts"
import type { Ending, Keeper, Listed } from "./Keeper.ts"
import * as Mark from "./Mark.ts"
import * as OData from "./OData.ts"
import * as Right from "./Right.ts"

/** An assignment as it was read. */
interface Held {
  readonly name: string
  readonly marks: Mark.Marks
  /** By its mark or by its name. */
  readonly ours: boolean
  readonly assignment: RoleAssignment
}

const rightOf = (assignment: RoleAssignment, principalType = assignment.principalType): Right.Right | null =>
  Right.fromFacts(assignment.scope ?? "", {
    roleDefinitionId: assignment.roleDefinitionId ?? null,
    principalId: assignment.principalId ?? null,
    principalType: principalType ?? null
  })

/** What of an assignment others may have written, and is written again with its description. */
const kept = ["condition", "conditionVersion", "delegatedManagedIdentityResourceId"] as const

/** Azure answers null for what is not there, and is sent nothing for it. */
const parametersOf = (right: Right.Right, marks: Mark.Marks, before: RoleAssignment | null) => ({
  roleDefinitionId: right.roleDefinitionId,
  principalId: right.principalId,
  principalType: right.principalType,
  description: Mark.write(marks),
  ...Object.fromEntries(kept.flatMap((field) => (typeof before?.[field] === "string" ? [[field, before[field]]] : [])))
})

export const make = (calls: AzureCalls, entries: ReadonlyArray<ArmScope.Entry>): Keeper => {
  const heldBy = (right: Right.Right, assignment: RoleAssignment, names: ReadonlyArray<string>): Held | null => {
    const name = (assignment.name ?? "").toLowerCase()
    // Azure tells assignments apart by role, principal and scope, whatever it says of the principal's type.
    const found = rightOf(assignment, right.principalType)
    if (found === null || !Right.isSame(found, right) || !ArmScope.isGuid(name)) return null
    const marks = Mark.read(assignment.description)
    const ours = marks.holders.length > 0 || names.includes(name)
    return { name, marks, ours, assignment }
  }

  const find = (right: Right.Right, names: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const all = yield* calls.assignments(right.scope, `principalId eq ${OData.literal(right.principalId)}`)
      for (const assignment of all) {
        const held = heldBy(right, assignment, names)
        if (held !== null) return held
      }
      for (const name of names) {
        const assignment = yield* calls.assignment(right.scope, name)
        const held = assignment === null ? null : heldBy(right, assignment, names)
        if (held !== null) return held
      }
      return null
    })

  const grant: Keeper["grant"] = (request, right, own, key) =>
    Effect.gen(function* () {
      const names = Holders.names(request, right, null)
      const attempt = (held: Held | null, again: boolean): ReturnType<Keeper["grant"]> =>
        Effect.gen(function* () {
          if (held !== null && !held.ours) return yield* AzureError.haveItAlready(right.scope)
          const mine = held?.marks.holders.find(({ requestId }) => requestId === own.requestId)
          if (held !== null && mine !== undefined) return { until: mine.until, assignment: held.name }
          const before = held?.marks ?? { holders: [], key: null }
          const marks = {
            holders: [...Holders.others(request, right, before), own],
            key: before.key ?? key
          }
          const parameters = parametersOf(right, marks, held?.assignment ?? null)
          if (parameters.description.length > Mark.longest.description) return yield* AzureError.noRoom(right.scope)
          const name = held?.name ?? Mark.guidOf(own.requestId)
          const put = yield* calls.putAssignment(right.scope, name, parameters)
          if (put !== "exists") return { until: own.until, assignment: name }
          // Somebody was faster, or the list is behind: look once more, then leave it to a later try.
          const now = again ? yield* find(right, names) : null
          return now === null ? yield* AzureError.notShownYet(right.scope) : yield* attempt(now, false)
        })
      return yield* attempt(yield* find(right, names), true)
    })

  const end: Keeper["end"] = (request, right, reference) =>
    Effect.gen(function* () {
      const names = Holders.names(request, right, reference)
      const held = yield* find(right, names)
      const staying = Holders.others(request, right, held?.marks ?? { holders: [], key: null })
      if (held !== null && !held.ours) return { note: null }
      if (staying.length === 0) {
        // What does not show may be there: the names that it can have are deleted unseen.
        const unseen = [Mark.guidOf(request.requestId), ...(reference === null ? [] : [reference.assignment])]
        for (const name of new Set(held === null ? unseen : [held.name])) {
          yield* calls.deleteAssignment(right.scope, name)
        }
        return { note: null }
      }
      // Those who hold it know its name, and there is nothing under it: somebody removed it.
      if (held === null) return { note: null }
      const marked = held.marks.holders.some(({ requestId }) => requestId === request.requestId)
      const complete = staying.every(({ requestId }) => held.marks.holders.some((one) => one.requestId === requestId))
      if (marked || !complete) {
        const put = yield* calls.putAssignment(
          right.scope,
          held.name,
          parametersOf(right, { holders: staying, key: held.marks.key }, held.assignment)
        )
        if (put === "exists") return yield* AzureError.notShownYet(right.scope)
      }
      return { note: `${staying.length} other ${staying.length === 1 ? "grant holds" : "grants hold"} the same right` }
    })

  const inspect = (request: Ending, right: Right.Right, reference: Right.Reference | null) =>
    Effect.map(find(right, Holders.names(request, right, reference)), (held): Provider.Liveness => {
      if (held === null || !held.ours) return "ended"
      const { holders } = held.marks
      // Somebody removed the marks: the right is there all the same.
      return holders.length === 0 || holders.some(({ requestId }) => requestId === request.requestId)
        ? "active"
        : "ended"
    })

  const list: Keeper["list"] = Effect.gen(function* () {
    const found = new Map<string, Listed>()
    for (const entry of entries) {
      const all = yield* calls.assignments(entry.scope, entry.below ? undefined : "atScope()")
      for (const assignment of all) {
        const right = rightOf(assignment)
        const name = (assignment.name ?? "").toLowerCase()
        // A list shows what is above, too.
        if (right === null || !ArmScope.isGuid(name) || !entries.some((one) => ArmScope.allows(one, right.scope)))
          continue
        const { holders, key } = Mark.read(assignment.description)
        for (const holder of holders) {
          found.set(`${right.scope} ${name} ${holder.requestId}`, { right, holder, key, assignment: name })
        }
      }
    }
    return [...found.values()]
  })

  return {
    grant,
    end,
    inspect,
    list,
    isStanding: (right) => Effect.map(find(right, []), (held) => held !== null && !held.ours)
  }
}
