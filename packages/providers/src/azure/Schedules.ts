/**
 * Rights as schedules of Privileged Identity Management: an administrator's assignment with an end, which Azure keeps.
 *
 * 1. A schedule request is asynchronous: it is accepted, then carried out. It is followed until it was.
 *    (https://learn.microsoft.com/rest/api/authorization/privileged-role-assignment-rest-sample)
 * 2. Azure has one schedule per role, principal and scope. A grant that overlaps with another moves its end
 *    (`AdminUpdate`) to the latest of all; an end moves it back to the latest that is left; the last removes it.
 * 3. Marks stand in the justification of schedule requests. The newest request of a schedule that has marks says who
 *    holds it.
 * 4. A schedule whose requests have no mark is somebody else's: it is neither changed nor removed.
 * 5. Azure does not tell an answer that was lost from one that never came, but a grant's request has the name that
 *    follows from ours: a repeat finds it.
 */
import type { RoleAssignmentSchedule, RoleAssignmentScheduleRequest } from "@azure/arm-authorization"
import { type Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as ArmScope from "./ArmScope.ts"
import type { AzureCalls } from "./AzureCalls.ts"
import * as AzureError from "./AzureError.ts"
import * as AzureRole from "./AzureRole.ts"
import * as Holders from "./Holders.ts"
import type { Keeper, Listed } from "./Keeper.ts"
import * as Mark from "./Mark.ts"
import * as OData from "./OData.ts"
import * as Right from "./Right.ts"

/** A schedule as it was read. */
interface Held {
  readonly name: string
  readonly marks: Mark.Marks
  readonly ours: boolean
}

const over = new Set([
  "Denied",
  "Revoked",
  "Canceled",
  "Failed",
  "FailedAsResourceIsLocked",
  "AdminDenied",
  "TimedOut",
  "Invalid"
])
const carriedOut: Readonly<Record<string, ReadonlySet<string>>> = {
  AdminRemove: new Set(["Revoked", "Provisioned"])
}
const assigned = new Set(["Provisioned", "Granted", "ScheduleCreated"])

const isDone = ({ requestType = "", status = "" }: RoleAssignmentScheduleRequest): boolean =>
  (carriedOut[requestType] ?? assigned).has(status)

const isPending = (one: RoleAssignmentScheduleRequest): boolean => !isDone(one) && !over.has(one.status ?? "")

const rightOf = (one: RoleAssignmentSchedule, principalType = one.principalType): Right.Right | null =>
  Right.fromFacts(one.scope ?? "", {
    roleDefinitionId: one.roleDefinitionId ?? null,
    principalId: one.principalId ?? null,
    principalType: principalType ?? null
  })

const targetOf = (request: RoleAssignmentScheduleRequest): string | null =>
  AzureRole.guidIn(request.targetRoleAssignmentScheduleId ?? "")

const madeAt = (request: RoleAssignmentScheduleRequest): number => request.createdOn?.getTime() ?? 0

/** What the newest request with marks says of a schedule; none where no request has any. */
const marksFor = (name: string, requests: ReadonlyArray<RoleAssignmentScheduleRequest>): Mark.Marks => {
  const marked = requests
    .filter(
      (one) =>
        targetOf(one) === name &&
        (one.requestType === "AdminAssign" || one.requestType === "AdminUpdate") &&
        !over.has(one.status ?? "")
    )
    .map((one) => ({ at: madeAt(one), marks: Mark.read(one.justification) }))
    .filter(({ marks }) => marks.holders.length > 0)
  return (
    marked.reduce<(typeof marked)[number] | null>(
      (newest, one) => (newest === null || one.at >= newest.at ? one : newest),
      null
    )?.marks ?? { holders: [], key: null }
  )
}

export interface Options {
  readonly settleSeconds: number
  readonly newName: () => string
}

export const make = (calls: AzureCalls, entries: ReadonlyArray<ArmScope.Entry>, options: Options): Keeper => {
  const of = (principalId: string): string => `principalId eq ${OData.literal(principalId)}`

  const isFor = (right: Right.Right, schedule: RoleAssignmentSchedule): boolean => {
    const found = rightOf(schedule, right.principalType)
    return found !== null && Right.isSame(found, right) && !over.has(schedule.status ?? "")
  }

  /** The schedule of a right that names lead to, where lists do not show it. */
  const findByName = (right: Right.Right, names: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      for (const name of names) {
        // A grant's request is named after ours, and leads to the schedule; references name the schedule itself.
        const request = yield* calls.scheduleRequest(right.scope, name)
        const schedule = yield* calls.schedule(right.scope, (request === null ? null : targetOf(request)) ?? name)
        if (schedule !== null && isFor(right, schedule)) {
          return { schedule, requests: request === null ? [] : [request] }
        }
      }
      return null
    })

  const find = (right: Right.Right, names: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const shown = (yield* calls.schedules(right.scope, of(right.principalId))).find((one) => isFor(right, one))
      const found = shown === undefined ? yield* findByName(right, names) : { schedule: shown, requests: [] }
      if (found === null) return null
      const listed = yield* calls.scheduleRequests(right.scope, of(right.principalId))
      const name = (found.schedule.name ?? "").toLowerCase()
      const marks = marksFor(name, [...found.requests, ...listed])
      return { name, marks, ours: marks.holders.length > 0 || names.includes(name) } satisfies Held
    })

  /** What becomes of a request that was accepted. Whatever fails here comes after a write. */
  const settled = (
    right: Right.Right,
    name: string,
    answer: RoleAssignmentScheduleRequest
  ): Effect.Effect<RoleAssignmentScheduleRequest, Provider.ProviderError> => {
    const look = (last: RoleAssignmentScheduleRequest, wait: number): ReturnType<typeof settled> =>
      Effect.gen(function* () {
        if (!isPending(last)) return last
        if (wait > 0) yield* Effect.sleep(wait)
        const next = yield* calls.scheduleRequest(right.scope, name)
        return yield* look(next ?? last, Math.min(Math.max(wait * 2, 250), 2000))
      })
    return Effect.timeoutOrElse(look(answer, 0), {
      duration: options.settleSeconds * 1000,
      orElse: () => Effect.fail(AzureError.notSettled(right.scope, options.settleSeconds))
    }).pipe(Effect.mapError(AzureError.afterWriting))
  }

  /** Ask PIM for a change of this right, and wait until it is made. */
  const change = (
    right: Right.Right,
    name: string,
    requestType: "AdminAssign" | "AdminUpdate" | "AdminRemove",
    justification: string,
    more: RoleAssignmentScheduleRequest = {}
  ) =>
    Effect.gen(function* () {
      const put = yield* calls.putScheduleRequest(right.scope, name, {
        principalId: right.principalId,
        roleDefinitionId: right.roleDefinitionId,
        requestType,
        justification,
        ...more
      })
      if (put === "exists" || put === "absent") return put
      const last = yield* settled(right, name, put)
      return isDone(last) ? last : yield* AzureError.notCarriedOut(right.scope, last.status ?? "nothing")
    })

  const until = (now: Time.Time, end: Time.Time): RoleAssignmentScheduleRequest => ({
    scheduleInfo: {
      startDateTime: new Date(now),
      expiration: { type: "AfterDateTime", endDateTime: new Date(end) }
    }
  })

  const latest = (holders: ReadonlyArray<Mark.Holder>, first: Time.Time): Time.Time =>
    holders.reduce((end, one) => Time.max(end, one.until), first)

  const grant: Keeper["grant"] = (request, right, own, key) =>
    Effect.gen(function* () {
      const name = Mark.guidOf(own.requestId)
      const before = yield* calls.scheduleRequest(right.scope, name)
      const names = Holders.names(request, right, null).filter((one) => before !== null || one !== name)
      if (before !== null && isPending(before)) yield* settled(right, name, before)

      const attempt = (held: Held | null, again: boolean): ReturnType<Keeper["grant"]> =>
        Effect.gen(function* () {
          if (held !== null && !held.ours) return yield* AzureError.haveItAlready(right.scope)
          const mine = held?.marks.holders.find(({ requestId }) => requestId === own.requestId)
          if (held !== null && mine !== undefined) return { until: mine.until, assignment: held.name }
          // The name is spent: what it stood for was removed, or never came about.
          if (before !== null) return yield* AzureError.spent(right.scope, before.status ?? "nothing")
          const marks = held?.marks ?? { holders: [], key: null }
          const holders = [...Holders.others(request, right, marks), own]
          const justification = Mark.write({ holders, key: marks.key ?? key })
          if (justification.length > Mark.longest.justification) return yield* AzureError.noRoom(right.scope)
          const put = yield* change(right, name, held === null ? "AdminAssign" : "AdminUpdate", justification, {
            ...until(request.now, latest(holders, own.until)),
            ticketInfo: { ticketSystem: "jitsudo", ticketNumber: own.requestId },
            ...(held === null ? {} : { targetRoleAssignmentScheduleId: held.name })
          })
          if (put !== "exists" && put !== "absent") {
            return { until: own.until, assignment: targetOf(put) ?? held?.name ?? name }
          }
          // Somebody was faster, or the list is behind: look once more, then leave it to a later try.
          const now = again ? yield* find(right, names) : null
          return now === null ? yield* AzureError.notShownYet(right.scope) : yield* attempt(now, false)
        })
      return yield* attempt(yield* find(right, names), true)
    })

  const end: Keeper["end"] = (request, right, reference) =>
    Effect.gen(function* () {
      const held = yield* find(right, Holders.names(request, right, reference))
      if (held !== null && !held.ours) return { note: null }
      const staying = Holders.others(request, right, held?.marks ?? { holders: [], key: null })
      const [first] = staying
      if (held === null) {
        if (request.notAfter <= request.now) return { note: null }
        // It may be on its way still.
        const own = yield* calls.scheduleRequest(right.scope, Mark.guidOf(request.requestId))
        if (own !== null && isPending(own)) return yield* AzureError.notShownYet(right.scope)
        // Those who hold it know its name, and there is nothing under it: nothing is removed unseen that may be theirs.
        if (first !== undefined) return { note: null }
      }
      if (first === undefined) {
        const removed = yield* change(right, options.newName(), "AdminRemove", `jitsudo has ended ${request.requestId}`)
        return removed === "exists" ? yield* AzureError.notShownYet(right.scope) : { note: null }
      }
      const marks = held?.marks ?? { holders: [], key: null }
      const marked = marks.holders.some(({ requestId }) => requestId === request.requestId)
      if (marked) {
        const put = yield* change(
          right,
          options.newName(),
          "AdminUpdate",
          Mark.write({ holders: staying, key: marks.key }),
          {
            // PIM has no shorter end than five minutes; what is left of it is the end of the last holder to bring about.
            ...until(request.now, latest(staying, Time.plusSeconds(request.now, AzureError.shortestPimSeconds))),
            ...(held === null ? {} : { targetRoleAssignmentScheduleId: held.name })
          }
        )
        if (put === "exists" || put === "absent") return yield* AzureError.notShownYet(right.scope)
      }
      return { note: `${staying.length} other ${staying.length === 1 ? "grant holds" : "grants hold"} the same right` }
    })

  const inspect: Keeper["inspect"] = (request, right, reference) =>
    Effect.map(find(right, Holders.names(request, right, reference)), (held): Provider.Liveness => {
      if (held === null || !held.ours) return "ended"
      const mine = held.marks.holders.find(({ requestId }) => requestId === request.requestId)
      return mine !== undefined && request.now < mine.until ? "active" : "ended"
    })

  const list: Keeper["list"] = Effect.gen(function* () {
    const found = new Map<string, Listed>()
    for (const entry of entries) {
      const filter = entry.below ? undefined : "atScope()"
      const requests = yield* calls.scheduleRequests(entry.scope, filter)
      for (const schedule of yield* calls.schedules(entry.scope, filter)) {
        const right = rightOf(schedule)
        const name = (schedule.name ?? "").toLowerCase()
        const allowed = right !== null && entries.some((one) => ArmScope.allows(one, right.scope))
        if (!allowed || !ArmScope.isGuid(name) || over.has(schedule.status ?? "")) continue
        const { holders, key } = marksFor(name, requests)
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
