/**
 * What an operator can find out about the configured Azure without changing anything.
 *
 * Reads are tried. Whether the daemon may write and delete shows only when it does: ARM lists a caller's own permissions
 * for resource groups and resources alone, and says nothing of conditions on an assignment.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as ArmScope from "./ArmScope.ts"
import type { AzureCalls } from "./AzureCalls.ts"
import type { AzureConfig } from "./AzureConfig.ts"
import type { Principal } from "./Directory.ts"

export interface Means {
  readonly entries: ReadonlyArray<ArmScope.Entry>
  readonly definitionOf: (scope: string, role: string) => Effect.Effect<string, Provider.ProviderError>
  readonly find: (grantee: Provider.Grantee) => Effect.Effect<Principal, Provider.ProviderError>
}

const rbac = "Microsoft.Authorization"

export const make = (
  config: AzureConfig,
  calls: AzureCalls,
  { definitionOf, entries, find }: Means
): NonNullable<Provider.Provider["diagnose"]> => {
  const look = <A>(
    what: string,
    permission: string | null,
    call: Effect.Effect<A, Provider.ProviderError>,
    found: (value: A) => string
  ): Effect.Effect<Provider.Finding> =>
    Effect.map(Effect.result(call), (outcome) => {
      if (Result.isSuccess(outcome)) return { what, ok: true, missing: null, hint: found(outcome.success) }
      const { hint, message, reason } = outcome.failure
      const denied = reason === "ProviderDenied" && !outcome.failure.retryable
      return { what, ok: false, missing: denied ? permission : null, hint: `${reason}: ${message}. ${hint}` }
    })

  const reads = config.pim
    ? (scope: string) => [
        look(
          `schedules at ${scope}`,
          `${rbac}/roleAssignmentSchedules/read`,
          calls.schedules(scope, "atScope()"),
          () => ""
        ),
        look(
          `schedule requests at ${scope}`,
          `${rbac}/roleAssignmentScheduleRequests/read`,
          calls.scheduleRequests(scope, "atScope()"),
          () => ""
        )
      ]
    : (scope: string) => [
        look(
          `role assignments at ${scope}`,
          `${rbac}/roleAssignments/read`,
          calls.assignments(scope, "atScope()"),
          () => ""
        )
      ]
  const writes = config.pim
    ? [`${rbac}/roleAssignmentScheduleRequests/write`]
    : [`${rbac}/roleAssignments/write`, `${rbac}/roleAssignments/delete`]

  return ({ canonical, grantee }) => {
    const scopes = canonical === null ? [...new Set(entries.map(({ scope }) => scope))] : [canonical.resourceScope]
    return Effect.all([
      look("a token for Azure Resource Manager", null, calls.signIn("arm"), () => ""),
      look("a token for Microsoft Graph", null, calls.signIn("graph"), () => ""),
      ...scopes.flatMap(reads),
      ...(canonical === null
        ? []
        : [
            look(
              `the role ${canonical.role} at ${canonical.resourceScope}`,
              `${rbac}/roleDefinitions/read`,
              definitionOf(canonical.resourceScope, canonical.role),
              (id) => id
            )
          ]),
      ...(grantee === null
        ? []
        : [look("the requester in the directory", "User.Read.All", find(grantee), (one) => one.principalId)]),
      ...writes.map((permission) =>
        Effect.succeed<Provider.Finding>({
          what: permission,
          ok: null,
          missing: null,
          hint: "Only a grant shows it; see the role document of the guide."
        })
      )
    ])
  }
}
