/**
 * A grant as it stands in an allow policy: a role binding of its own under a condition that ends by Google's clock.
 *
 * 1. The title is `<prefix>-<request id>`: bindings of two requests never merge, and a grant is found by its request
 *    alone, also when nobody got an answer.
 * 2. The expression is `request.time < timestamp("...")` in whole seconds, never later than approved.
 * 3. The description names the member and the installation: a binding shows whose it is.
 * 4. What somebody else made of a binding of ours is read as it is: an expression in other words has no known end, and
 *    a member that the description does not name is not ours.
 *
 * Title at most 100 characters, description at most 256:
 * https://cloud.google.com/iam/docs/conditions-overview#structure
 */
import { Provider, Time } from "@jitsudo/core"

export interface Condition {
  readonly expression: string
  readonly title: string
  readonly description?: string
  readonly location?: string
}

export interface Binding {
  readonly role: string
  readonly members: ReadonlyArray<string>
  readonly condition?: Condition
}

/** Characters of a title: https://cloud.google.com/iam/docs/conditions-overview#structure */
const longestTitle = 100
const requestId = /^req_[0-9A-HJKMNP-TV-Z]{26}$/u

/** Whether a request's id can stand in a title. */
export const isMarkable = (id: string): boolean => requestId.test(id)

/** A prefix of titles that leaves room for a request's id. */
export const isPrefix = (prefix: string): boolean =>
  /^[a-z][a-z0-9-]*$/u.test(prefix) && prefix.length + 1 + 30 <= longestTitle

export const titleOf = (prefix: string, id: string): string => `${prefix}-${id}`

/** Until when, in whole seconds and never later. */
export const endOf = (now: Time.Time, durationSeconds: number): Time.Time =>
  Time.make(Math.floor(Time.plusSeconds(now, durationSeconds) / 1000) * 1000)

const stamp = (instant: Time.Time): string => Time.toRfc3339(instant).replace(/\.\d{3}Z$/u, "Z")

export interface Grant {
  readonly prefix: string
  readonly requestId: string
  readonly role: string
  readonly member: string
  readonly notAfter: Time.Time
  readonly installation: string | null
}

/** The binding that a grant is. */
export const make = ({ installation, member, notAfter, prefix, requestId: id, role }: Grant): Binding => ({
  role,
  members: [member],
  condition: {
    title: titleOf(prefix, id),
    description: `jitsudo grant for ${member}${installation === null ? "" : ` by installation ${installation}`}`,
    expression: `request.time < timestamp("${stamp(notAfter)}")`
  }
})

/** A binding that carries our mark. */
export interface Marked {
  readonly requestId: string
  /** Whom the description names; null where somebody changed it. */
  readonly member: string | null
  readonly installation: string | null
  /** When the condition ends it; null where it is not in our words. */
  readonly notAfter: Time.Time | null
}

const described = /^jitsudo grant for (\S+)(?: by installation (\S+))?$/u
const ending = /^request\.time < timestamp\("(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)"\)$/u

const instantIn = (expression: string): Time.Time | null => {
  const instant = Date.parse(ending.exec(expression)?.[1] ?? "")
  return Number.isSafeInteger(instant) && instant >= 0 ? Time.make(instant) : null
}

/** Our mark on a binding; null where it carries none. */
export const markOf = (prefix: string, { condition }: Binding): Marked | null => {
  if (condition?.title.startsWith(`${prefix}-`) !== true) return null
  const id = condition.title.slice(prefix.length + 1)
  if (!requestId.test(id)) return null
  const [, member = null, installation = null] = described.exec(condition.description ?? "") ?? []
  return {
    requestId: id,
    member,
    installation: installation !== null && Provider.isInstallation(installation) ? installation : null,
    notAfter: instantIn(condition.expression)
  }
}

/** Whether `present` is `member`, also after Google marked it as deleted (`deleted:user:a@example.com?uid=1`). */
export const isMember = (present: string, member: string): boolean =>
  present === member || present.startsWith(`deleted:${member}?uid=`)

/** Which members of a marked binding are the grant's own; all of them where nothing says whom it was for. */
export const ownMembers = (binding: Binding, ...whose: ReadonlyArray<string | null>): ReadonlyArray<string> => {
  const known = whose.filter((member) => member !== null)
  return known.length === 0
    ? binding.members
    : binding.members.filter((present) => known.some((member) => isMember(present, member)))
}
