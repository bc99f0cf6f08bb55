/**
 * Who acts: people, agents and the system, keyed by issuer and subject.
 *
 * An e-mail address is an attribute and a display name, never a key. It may forbid (two principals with the same
 * verified address are one party), never allow.
 */
import type { Time } from "./Time.ts"

export interface PrincipalKey {
  readonly issuer: string
  readonly subject: string
}

export type PrincipalKind = "human" | "agent" | "system"

/** 0 (unknown) to 4; policy decides what a tier is worth. */
export type TrustTier = 0 | 1 | 2 | 3 | 4

export interface Principal extends PrincipalKey {
  /** Rises with every change that matters to a decision; a re-read that changes nothing does not raise it. */
  readonly version: number
  /** Verified, lower case; null when there is none. */
  readonly email: string | null
  readonly groups: ReadonlyArray<string>
  /** When the groups were read from the issuer. */
  readonly groupsReadAt: Time
  readonly kind: PrincipalKind
  /** Every agent has one; null for people, and for agents that nobody has claimed. */
  readonly owner: PrincipalKey | null
  readonly trustTier: TrustTier
  readonly trustNotes: string
  /** Break-glass reviews of this person that nobody closed yet. */
  readonly openReviews: number
  readonly authTime: Time | null
  readonly amr: ReadonlyArray<string>
  readonly firstSeenAt: Time
}

/** One string for a key: safe to compare, store and show. */
export const keyOf = (key: PrincipalKey): string => `${key.issuer}#${key.subject}`

/** The principal in whose name the scheduler and recovery act. */
export const system: PrincipalKey = { issuer: "jitsudo", subject: "system" }

/** The owner of agents from the daemon's own configuration: a party of its own. */
export const operator: PrincipalKey = { issuer: "jitsudo", subject: "operator" }

/**
 * A party as the set of marks by which two principals are recognised as one side: own key, owners' keys, verified
 * e-mail addresses of oneself and of one's owners. Sorted, without doubles.
 */
export type Party = ReadonlyArray<string>

/** The party of a principal, given its owners from the nearest to the farthest. */
export const partyOf = (principal: Principal, owners: ReadonlyArray<Principal>): Party => {
  const marks = new Set<string>()
  for (const one of [principal, ...owners]) {
    marks.add(`key:${keyOf(one)}`)
    if (one.email !== null) marks.add(`email:${one.email}`)
    if (one.owner !== null) marks.add(`key:${keyOf(one.owner)}`)
  }
  return [...marks].sort()
}

export const sameParty = (a: Party, b: Party): boolean => {
  const marks = new Set(a)
  return b.some((mark) => marks.has(mark))
}

/** How many different parties there are among some: connected ones count once. */
export const countParties = (parties: ReadonlyArray<Party>): number => {
  let groups: Array<Set<string>> = []
  for (const party of parties) {
    const touching = groups.filter((group) => party.some((mark) => group.has(mark)))
    const merged = new Set(party)
    for (const group of touching) for (const mark of group) merged.add(mark)
    groups = [...groups.filter((group) => !touching.includes(group)), merged]
  }
  return groups.length
}

/** An agent without an owner may neither review nor get anything without a person. */
export const isUnownedAgent = (principal: Principal): boolean => principal.kind === "agent" && principal.owner === null
