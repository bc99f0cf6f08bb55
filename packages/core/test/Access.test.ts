/** Who administers, audits and sees: by group and kind, never by address. */
import { assert, describe, it } from "@effect/vitest"
import * as Access from "../src/Access.ts"
import { partyOf } from "../src/Principal.ts"
import { defaults } from "../src/Settings.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"

const { ana, ben, cleo, scout, stray } = Fixtures
const actor = (principal: typeof ana) => ({ principal, party: partyOf(principal, []) })
const auditor = { ...ben, groups: ["jitsudo-auditors"] }

describe("an administrator", () => {
  it("is a person in a configured group", () => {
    assert.isTrue(Access.isAdmin(cleo, defaults))
    assert.isFalse(Access.isAdmin(ana, defaults))
    assert.isFalse(Access.isAdmin(auditor, defaults))
    assert.isTrue(Access.isAdmin(ana, { ...defaults, adminGroups: ["sre"] }))
    assert.isFalse(Access.isAdmin(cleo, { ...defaults, adminGroups: [] }))
  })

  it("is never an agent or the system, whatever groups they have", () => {
    for (const kind of ["agent", "system"] as const) {
      assert.isFalse(Access.isAdmin({ ...cleo, kind }, defaults))
      assert.isFalse(Access.isAuditor({ ...cleo, kind }, defaults))
    }
  })

  it("audits too; an auditor does not administer", () => {
    assert.isTrue(Access.isAuditor(cleo, defaults))
    assert.isTrue(Access.isAuditor(auditor, defaults))
    assert.isFalse(Access.isAuditor(ana, defaults))
  })
})

describe("a request", () => {
  const request = Fixtures.pending()
  const agents = Fixtures.pending({
    requester: Fixtures.requester(scout),
    party: partyOf(scout, [ana])
  })

  it("is its requester's, and an agent's is also its owner's", () => {
    assert.isTrue(Access.isOwn(request, ana))
    assert.isFalse(Access.isOwn(request, ben))
    assert.isTrue(Access.isOwn(agents, scout))
    assert.isTrue(Access.isOwn(agents, ana))
    assert.isFalse(Access.isOwn(agents, stray))
  })

  it("is not somebody's because of an address, nor an agent's because of its owner", () => {
    assert.isFalse(Access.isOwn(request, { ...ben, email: ana.email }))
    assert.isFalse(Access.isOwn(request, scout))
  })

  it("names its approvers by group, verified address or key", () => {
    const named = (groups: ReadonlyArray<string>, users: ReadonlyArray<string>) =>
      Fixtures.pending({
        routing: { ...request.routing, stages: [{ policy: "p", groups, users, quorum: 1, unmeetable: false }] }
      })
    assert.isTrue(Access.isNamedApprover(named(["sre-leads"], []), actor(ben)))
    assert.isTrue(Access.isNamedApprover(named([], ["ben@example.com"]), actor(ben)))
    assert.isTrue(Access.isNamedApprover(named([], [`${ben.issuer}#ben`]), actor(ben)))
    assert.isFalse(Access.isNamedApprover(named(["other"], ["BEN@example.com"]), actor(ben)))
    assert.isFalse(Access.isNamedApprover(named([], ["null"]), actor({ ...ben, email: null })))
  })

  it("stays visible to whom decided on it", () => {
    const decided = Fixtures.pending({ decisions: [Fixtures.decision("approve")] })
    assert.isTrue(Access.hasDecided(decided, ben))
    assert.isFalse(Access.hasDecided(decided, { ...ben, issuer: "https://other.example" }))
    assert.isFalse(
      Access.hasDecided(Fixtures.pending({ decisions: [Fixtures.decision("approve", { by: { policy: "ben" } })] }), ben)
    )
  })
})
