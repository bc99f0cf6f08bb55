/**
 * What an operator has to put right before the mode `identity_center` works: which of the reading permissions are there,
 * asked for in the accounts of the configuration, or the one in question. Nobody and nothing that is not there is looked
 * for where there is nothing to look for: that it is not found shows the permission, too.
 *
 * The two that write (`sso:CreateAccountAssignment`, `sso:DeleteAccountAssignment`) can only be known by writing.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { IdentityCenterCalls } from "./IdentityCenterCalls.ts"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"
import * as IdentityCenterUser from "./IdentityCenterUser.ts"

/** An operation that never was. */
const noOperation = "00000000-0000-0000-0000-000000000000"

/** A user that nobody is. */
const noUser = "jitsudo-provider-check"

export const make = (
  config: IdentityCenterConfig,
  calls: IdentityCenterCalls
): NonNullable<Provider.Provider["diagnose"]> => {
  const { identity_store_id: store, instance_arn: instance } = config

  /** A read as a finding: what is refused is a missing permission, and `absent` counts as an answer. */
  const reads = <A>(
    permission: string,
    on: string,
    call: Effect.Effect<A, Provider.ProviderError>,
    absent: Provider.ProviderReason | null = null
  ): Effect.Effect<{ readonly finding: Provider.Finding; readonly found: A | undefined }> =>
    Effect.map(Effect.result(call), (outcome) => {
      const what = `${permission} on ${on}`
      if (Result.isSuccess(outcome)) {
        return { finding: { what, ok: true, missing: null, hint: "" }, found: outcome.success }
      }
      const { hint, message, reason } = outcome.failure
      if (reason === absent) return { finding: { what, ok: true, missing: null, hint: "" }, found: undefined }
      const missing = reason === "ProviderDenied" ? permission : null
      return { finding: { what, ok: false, missing, hint: `${reason}: ${message}. ${hint}` }, found: undefined }
    })

  const writes = (permission: string): Provider.Finding => ({
    what: `${permission} on ${instance}`,
    ok: null,
    missing: null,
    hint: "It shows at the first grant."
  })

  return ({ canonical, grantee }) =>
    Effect.gen(function* () {
      const findings: Array<Provider.Finding> = []
      const look = <A>(looked: ReturnType<typeof reads<A>>) =>
        Effect.map(looked, ({ finding, found }) => {
          findings.push(finding)
          return found
        })
      const arns = yield* look(reads("sso:ListPermissionSets", instance, calls.permissionSetArns))
      const [first] = [...Object.values(config.permission_set_arns ?? {}), ...(arns ?? [])]
      if (first !== undefined) {
        yield* look(reads("sso:DescribePermissionSet", first, calls.permissionSet(first)))
        for (const account of canonical === null ? config.accounts : [canonical.resourceScope]) {
          const place = { account, permissionSetArn: first }
          const on = `${first} in account ${account}`
          yield* look(reads("sso:ListAccountAssignments", on, calls.assignees(place)))
        }
      }
      const user = grantee === null ? noUser : (IdentityCenterUser.valueOf(config, grantee) ?? noUser)
      // Whether a requester is known there is for `check` to say.
      yield* look(reads("identitystore:GetUserId", store, calls.userId(user), "PrincipalNotFound"))
      for (const [kind, word] of [
        ["create", "Creation"],
        ["delete", "Deletion"]
      ] as const) {
        const list = calls.operations(kind, "IN_PROGRESS")
        yield* look(reads(`sso:ListAccountAssignment${word}Status`, instance, list))
        const one = calls.look(kind, noOperation)
        yield* look(reads(`sso:DescribeAccountAssignment${word}Status`, instance, one, "RoleNotFound"))
      }
      return [...findings, writes("sso:CreateAccountAssignment"), writes("sso:DeleteAccountAssignment")]
    })
}
