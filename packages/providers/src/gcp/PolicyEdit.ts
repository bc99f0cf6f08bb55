/**
 * What is done to an allow policy: put one grant in, take one out, and clear away grants of ours that are over.
 *
 * 1. Everything else in the policy stays as it was read, in its order: other bindings, their conditions, and members
 *    that somebody else put into a binding of ours.
 * 2. Limits are looked at before anything is written, so that a full policy is a refusal without effect:
 *    https://cloud.google.com/iam/quotas#limits
 * 3. It is pure. Reading, writing and repeating is `GcpProvider.ts`'s.
 */
import type { Time } from "@jitsudo/core"
import { type Binding, isMember, type Marked, markOf, ownMembers } from "./ConditionalBinding.ts"

export interface Policy {
  /** As Google gave it, in base64: a write with another one is refused. */
  readonly etag: string
  readonly bindings: ReadonlyArray<Binding>
}

/** A binding of one request, as it was found. */
export interface Found {
  readonly binding: Binding
  readonly mark: Marked
  /** Those of its members that are the grant's own. */
  readonly members: ReadonlyArray<string>
}

/** Bindings that carry our mark and still hold a member of the grant; `member`: whom it was for, if that is known. */
export const found = (prefix: string, policy: Policy, requestId: string, member: string | null): ReadonlyArray<Found> =>
  policy.bindings.flatMap((binding) => {
    const mark = markOf(prefix, binding)
    if (mark?.requestId !== requestId) return []
    const members = ownMembers(binding, mark.member, member)
    return members.length === 0 ? [] : [{ binding, mark, members }]
  })

const without = (policy: Policy, taken: ReadonlyArray<Found>): Policy => ({
  etag: policy.etag,
  bindings: policy.bindings.flatMap((binding) => {
    const own = taken.find((one) => one.binding === binding)?.members
    if (own === undefined) return [binding]
    const left = binding.members.filter((present) => !own.includes(present))
    return left.length === 0 ? [] : [{ ...binding, members: left }]
  })
})

/** Left after its end before a binding is cleared away: clocks differ. */
const inertAfterMillis = 60_000

/**
 * The policy without grants of ours of this role that are over. Other roles stay, so that a write changes one role only:
 * the daemon may be limited to lists of roles, and Google refuses a write that goes beyond one list as a whole
 * (https://cloud.google.com/iam/docs/setting-limits-on-granting-roles).
 */
export const cleared = (prefix: string, policy: Policy, now: Time.Time, role: string, except: string): Policy =>
  without(
    policy,
    policy.bindings.flatMap((binding) => {
      const mark = markOf(prefix, binding)
      const isOver = mark !== null && mark.notAfter !== null && mark.notAfter + inertAfterMillis <= now
      if (!isOver || mark.requestId === except || binding.role !== role) return []
      const members = ownMembers(binding, mark.member)
      return members.length === 0 ? [] : [{ binding, mark, members }]
    })
  )

export const withGrant = (policy: Policy, binding: Binding): Policy => ({
  etag: policy.etag,
  bindings: [...policy.bindings, binding]
})

export const withoutGrant = (policy: Policy, taken: ReadonlyArray<Found>): Policy => without(policy, taken)

/** Each occurrence counts: https://cloud.google.com/iam/docs/reference/rest/v1/Policy#Binding */
export const mostPrincipals = 1500
export const mostGroups = 250
/** Bindings of one role and one member under different conditions. */
export const mostConditions = 20

/** Which limit the policy breaks with this binding in it; null when there is room. */
export const whyFull = ({ bindings }: Policy, added: Binding): string | null => {
  const all = bindings.flatMap(({ members }) => members)
  if (all.length > mostPrincipals) return `${mostPrincipals} principals in the policy`
  if (added.members.some((one) => one.startsWith("group:"))) {
    const groups = all.filter((one) => one.startsWith("group:"))
    if (groups.length > mostGroups) return `${mostGroups} groups in the policy`
  }
  const crowded = added.members.some(
    (member) =>
      bindings.filter(
        ({ condition, members, role }) =>
          condition !== undefined && role === added.role && members.some((one) => isMember(one, member))
      ).length > mostConditions
  )
  return crowded ? `${mostConditions} conditional bindings of one role and one member` : null
}
