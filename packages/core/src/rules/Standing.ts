/** Questions that several rules ask about somebody's standing: locked, fresh, named, of the same party. */
import type { Actor, Facts } from "../Elevation.ts"
import { refuse, type Refused } from "../ElevationError.ts"
import type { Lock } from "../Lock.ts"
import { lockOn } from "../Lock.ts"
import type { Approvers, Eligibility } from "../Policy.ts"
import type { Party, PrincipalKey } from "../Principal.ts"
import { keyOf, sameParty } from "../Principal.ts"
import type { Asked, Request, Requester, Stage } from "../Request.ts"
import type { DomainSettings } from "../Settings.ts"
import type { Time } from "../Time.ts"
import { secondsBetween } from "../Time.ts"

export const snapshot = (actor: Actor): Requester => ({
  issuer: actor.principal.issuer,
  subject: actor.principal.subject,
  email: actor.principal.email,
  kind: actor.principal.kind
})

/** How somebody is called in a message. */
export const nameOf = (who: {
  readonly email: string | null
  readonly issuer: string
  readonly subject: string
}): string => who.email ?? keyOf(who)

/** The request's party as it is now: what was stored, and what the requester's current facts add. */
export const partyNow = (request: Request, requester: Actor | undefined): Party =>
  requester === undefined ? request.party : [...new Set([...request.party, ...requester.party])].sort()

export const isOfParty = (request: Request, requester: Actor | undefined, actor: Actor): boolean =>
  sameParty(partyNow(request, requester), actor.party)

/** The lock that stops anything new for this target, if any. */
export const lockOnAsked = (asked: Asked, party: Party, facts: Facts): Lock | undefined =>
  lockOn(facts.locks, { party, provider: asked.provider, role: asked.role, resourceScope: asked.resourceScope })

/** The lock on a person (or on everything) that stops them from acting. */
export const lockOnActor = (actor: Actor, facts: Facts): Lock | undefined =>
  lockOn(
    { ...facts.locks, active: facts.locks.active.filter((lock) => lock.target.kind === "principal") },
    { party: actor.party, provider: "", role: "", resourceScope: "" }
  )

export const lockedRefusal = (lock: Lock): Refused =>
  refuse(
    "locked",
    `locked since ${new Date(lock.since).toISOString()}: ${lock.target.kind}`,
    "ask an administrator; `jitsudo principal locks` shows who locked it and why"
  )

/** Why this much longer is too long without a break, if it is. Policy's own limit goes before the default. */
export const tooLong = (
  eligibility: Eligibility,
  settings: DomainSettings,
  heldSeconds: number,
  durationSeconds: number
): string | undefined => {
  const most = eligibility.maxTotalSeconds ?? settings.maxTotalSeconds
  return heldSeconds + durationSeconds > most
    ? `this role has been held for ${heldSeconds} s without a break, and ${durationSeconds} s more would exceed ${most} s`
    : undefined
}

export const isStale = (readAt: Time, maxAgeSeconds: number, now: Time): boolean =>
  secondsBetween(readAt, now) > maxAgeSeconds

/** As far as naming goes. */
export interface Nameable extends PrincipalKey {
  readonly email: string | null
  readonly groups: ReadonlyArray<string>
}

/** Whether a policy's naming admits this principal: by group, verified e-mail, or `issuer#subject`. */
export const isNamed = (approvers: Approvers, who: Nameable): boolean =>
  approvers.groups.some((group) => who.groups.includes(group)) ||
  approvers.users.some((user) => user === who.email || user === keyOf(who))

/** The positions of the stages that an approval by this principal counts in. */
export const stagesOf = (stages: ReadonlyArray<Approvers>, who: Nameable): ReadonlyArray<number> =>
  stages.flatMap((stage, index) => (isNamed(stage, who) ? [index] : []))

/** A stage is unmeetable when it names nobody, or only people of the requester's party. */
export const isUnmeetable = (stage: Approvers, party: Party): boolean =>
  stage.groups.length === 0 &&
  stage.users.every((user) => party.includes(`email:${user}`) || party.includes(`key:${user}`))

export const describeStage = (stage: Stage): string =>
  [...stage.groups.map((group) => `group ${group}`), ...stage.users].join(" or ") || "nobody"
