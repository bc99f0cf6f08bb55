/** Who asks and who decides in the benches: as many as wanted, each signed in a moment ago. */
import { type Elevation, Principal, type Time } from "@jitsudo/core"
import { Fixtures } from "@jitsudo/core/testing"

export const person = (name: string, groups: ReadonlyArray<string>, now: Time.Time): Principal.Principal => ({
  ...Fixtures.ana,
  subject: name,
  email: `${name}@example.com`,
  groups,
  groupsReadAt: now,
  authTime: now,
  firstSeenAt: now
})

/** Somebody with their party, as the rules take them. */
export const acting = (principal: Principal.Principal): Elevation.Actor => ({
  principal,
  party: Principal.partyOf(principal, [])
})
