/**
 * The policy that the suites bring: group `sre` may ask; roles that begin with `read` need nobody; others need one of
 * `sre-leads`, and roles that begin with `two` need two of them.
 */
import { PolicyAdmin, type PolicySet, Settings, Transitions } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inject } from "vitest"
import * as Postgres from "../../src/store/Postgres.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
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

/** Applied by an administrator over the API, and compiled there. */
export const apply = Effect.fnUntraced(function* (place: Daemons.Place, daemon: Daemons.Daemon) {
  const carol = yield* Effect.promise(() => place.people.token(admin))
  const answer = yield* Daemons.answered(daemon.api, carol, "POST", "/policies", { policies: drafts, replaceAll: true })
  if (answer.status !== 200) {
    return yield* Effect.die(new Error(`the policy was not taken: ${answer.status} ${JSON.stringify(answer.body)}`))
  }
})

/** Policy as an administrator of the database changes it: core's own, over connections of this process. */
export const administration = (url: string): Layer.Layer<PolicyAdmin.PolicyAdmin> =>
  PolicyAdmin.layer.pipe(
    Layer.provide(Transitions.layer),
    Layer.provide(Settings.layer()),
    Layer.provide(SqlStore.layer()),
    Layer.provide(Postgres.layer({ url: Redacted.make(url), maxConnections: 2 })),
    Layer.orDie
  )

/**
 * The policy on the database at `url`: compiled by the first suite of a run to come, and stored as it was compiled by
 * the others, because compiling takes longer than most of what they do.
 */
export const install = (place: Daemons.Place, daemon: Daemons.Daemon, url: string) =>
  Effect.gen(function* () {
    const policies = yield* PolicyAdmin.PolicyAdmin
    const file = join(inject("scratch"), "compiled-policy.json")
    if (existsSync(file)) {
      const { revision } = yield* policies.current
      const compiled: ReadonlyArray<PolicySet.PolicySource> = JSON.parse(readFileSync(file, "utf8"))
      yield* policies.replace(null, revision.number, compiled)
      return
    }
    yield* apply(place, daemon)
    const draft = `${file}-${process.pid}`
    writeFileSync(draft, JSON.stringify((yield* policies.current).policies))
    renameSync(draft, file)
  }).pipe(Effect.provide(administration(url)), Effect.orDie)
