/**
 * The policy that the suites bring: group `sre` may ask; roles that begin with `read` need nobody; others need one of
 * `sre-leads`, and roles that begin with `two` need two of them.
 */
import * as Effect from "effect/Effect"
import * as Daemons from "./Daemons.ts"

const eligibility = `package jitsudo.eligibility

default allow := false

allow if "sre" in input.requester.groups
`

const approval = `package jitsudo.approval

default approver_tier := "human"

approver_tier := "auto" if startswith(input.request.role, "read")

approver_group := "sre-leads" if not startswith(input.request.role, "read")

min_approvals := 2 if startswith(input.request.role, "two")
`

const drafts = [
  { name: "who-may-ask", type: "eligibility", files: [{ path: "eligibility.rego", source: eligibility }] },
  { name: "who-decides", type: "approval", files: [{ path: "approval.rego", source: approval }] }
]

export const admin = { subject: "carol", groups: ["jitsudo-admins"] } as const
export const requester = { subject: "alice", groups: ["sre"] } as const
export const approver = { subject: "bob", groups: ["sre-leads"] } as const

/** Applied by an administrator over the API. */
export const apply = Effect.fnUntraced(function* (place: Daemons.Place, daemon: Daemons.Daemon) {
  const carol = yield* Effect.promise(() => place.people.token(admin))
  const answer = yield* Daemons.answered(daemon.api, carol, "POST", "/policies", { policies: drafts, replaceAll: true })
  if (answer.status !== 200) {
    return yield* Effect.die(new Error(`the policy was not taken: ${answer.status} ${JSON.stringify(answer.body)}`))
  }
})
