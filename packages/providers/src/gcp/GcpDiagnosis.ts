/**
 * What an operator who sets the provider up can be told without anything being written: whether the daemon signs in,
 * and which permissions it lacks where.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { GcpCalls } from "./GcpCalls.ts"
import type { GcpConfig } from "./GcpConfig.ts"
import * as MemberRule from "./MemberRule.ts"
import * as ResourceName from "./ResourceName.ts"

/** What granting on a resource needs. */
const neededOn = (resource: string): ReadonlyArray<string> => [
  ResourceName.permissionOn(resource, "getIamPolicy"),
  ResourceName.permissionOn(resource, "setIamPolicy")
]

/** Which of it the daemon lacks. Asking needs no permission. */
export const missingOn = (
  calls: Pick<GcpCalls, "testPermissions">,
  resource: string
): Effect.Effect<ReadonlyArray<string>, Provider.ProviderError> =>
  Effect.map(calls.testPermissions(resource, neededOn(resource)), (allowed) =>
    neededOn(resource).filter((one) => !allowed.includes(one))
  )

const finding = (what: string, ok: boolean | null, hint = "", missing: string | null = null): Provider.Finding => ({
  what,
  ok,
  missing,
  hint
})

const permissionsOn = (calls: GcpCalls, resource: string): Effect.Effect<ReadonlyArray<Provider.Finding>> =>
  Effect.map(Effect.result(missingOn(calls, resource)), (missing) =>
    Result.isFailure(missing)
      ? [finding(`permissions on ${resource}`, false, missing.failure.hint)]
      : neededOn(resource).map((one) =>
          missing.success.includes(one)
            ? finding(`${one} on ${resource}`, false, "Grant the daemon a role that has it.", one)
            : finding(`${one} on ${resource}`, true)
        )
  )

export const diagnose = (
  config: GcpConfig,
  calls: GcpCalls,
  { canonical, grantee }: Provider.Probe
): Effect.Effect<ReadonlyArray<Provider.Finding>> =>
  Effect.gen(function* () {
    const signedIn = yield* Effect.result(calls.signIn)
    if (Result.isFailure(signedIn)) return [finding("credentials", false, signedIn.failure.hint)]
    const resources = canonical === null ? config.resources : [canonical.resourceScope]
    const permissions = yield* Effect.forEach(resources, (resource) => permissionsOn(calls, resource), {
      concurrency: 4
    })
    const findings = [finding("credentials", true), ...permissions.flat()]
    const member = grantee === null ? null : MemberRule.memberOf(config.members, grantee)
    if (grantee !== null) {
      findings.push(
        member === null
          ? finding("member", false, "No rule of `providers.gcp.members` makes a member of this grantee.")
          : finding("member", true, `bound as ${member}`)
      )
    }
    if (config.impersonate !== undefined) {
      const account = member === null ? "" : ` on ${MemberRule.accountOf(member)}`
      findings.push(
        finding(`iam.serviceAccounts.getAccessToken${account}`, null, "Only a grant shows it: it issues a token.")
      )
    }
    return findings
  })
