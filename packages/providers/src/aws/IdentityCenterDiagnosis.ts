/**
 * What an operator has to put right before the mode `identity_center` works: which of the reading permissions are there.
 * The two that write (`sso:CreateAccountAssignment`, `sso:DeleteAccountAssignment`) can only be known by writing.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { IdentityCenterCalls } from "./IdentityCenterCalls.ts"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"

export const make = (
  config: IdentityCenterConfig,
  calls: IdentityCenterCalls
): NonNullable<Provider.Provider["diagnose"]> => {
  const reads = (permission: string, call: Effect.Effect<unknown, Provider.ProviderError>) =>
    Effect.map(Effect.result(call), (outcome): Provider.Finding => {
      const what = `${permission} on ${config.instance_arn}`
      if (Result.isSuccess(outcome)) return { what, ok: true, missing: null, hint: "" }
      const { hint, message, reason } = outcome.failure
      const missing = reason === "ProviderDenied" ? permission : null
      return { what, ok: false, missing, hint: `${reason}: ${message}. ${hint}` }
    })
  const writes = (permission: string): Provider.Finding => {
    const hint = "It shows at the first grant."
    return { what: `${permission} on ${config.instance_arn}`, ok: null, missing: null, hint }
  }
  return () =>
    Effect.gen(function* () {
      return [
        yield* reads("sso:ListPermissionSets", calls.permissionSetArns),
        yield* reads("sso:ListAccountAssignmentCreationStatus", calls.operations("create")),
        yield* reads("sso:ListAccountAssignmentDeletionStatus", calls.operations("delete")),
        writes("sso:CreateAccountAssignment"),
        writes("sso:DeleteAccountAssignment")
      ]
    })
}
