/**
 * What may be asked for: a scope and a role of the configuration, each in its one canonical form.
 */
import { AskCheck, type Provider } from "@jitsudo/core"
import * as Result from "effect/Result"
import type { GcpConfig } from "./GcpConfig.ts"
import { refuse } from "./Refuse.ts"
import * as ResourceName from "./ResourceName.ts"
import * as RoleName from "./RoleName.ts"

/** Whether the configuration lets jitsudo touch grants of this role. */
const mayTouch = (config: GcpConfig, role: string): boolean =>
  config.roles.some((pattern) => RoleName.matches(pattern, role))

const scopeOf = (config: GcpConfig, text: string): Result.Result<string, Provider.ProviderError> => {
  const resource = ResourceName.canonical(text)
  if (resource === null) {
    return Result.fail(
      refuse(
        "InvalidScope",
        "the scope must be a project's id, projects/ID, folders/NUMBER or organizations/NUMBER",
        "A project is asked for by its id, not by its number."
      )
    )
  }
  return config.resources.includes(resource)
    ? Result.succeed(resource)
    : Result.fail(
        refuse(
          "InvalidScope",
          "jitsudo does not reach this resource",
          "Add it to `providers.gcp.resources` if it should."
        )
      )
}

const roleOn = (config: GcpConfig, text: string, resource: string): Result.Result<string, Provider.ProviderError> => {
  const role = RoleName.canonical(text)
  if (role === null) {
    return Result.fail(
      refuse(
        "InvalidRole",
        "the role must be a predefined role's name, projects/ID/roles/NAME or organizations/NUMBER/roles/NAME",
        "Predefined roles may be asked for with or without roles/ before them."
      )
    )
  }
  if (RoleName.isBasic(role)) {
    return Result.fail(
      refuse(
        "InvalidRole",
        "owner, editor and viewer cannot be granted for a time: Google accepts no condition on basic roles",
        "Ask for the predefined roles that the task needs, or define a custom role."
      )
    )
  }
  const elsewhere = RoleName.whyNotOn(role, resource)
  if (elsewhere !== null) {
    return Result.fail(refuse("InvalidRole", elsewhere, "Ask for a role that is defined where the scope is."))
  }
  return mayTouch(config, role)
    ? Result.succeed(role)
    : Result.fail(
        refuse("InvalidRole", "jitsudo does not grant this role", "Add it to `providers.gcp.roles` if it should.")
      )
}

export const parse = (
  config: GcpConfig,
  capabilities: Provider.Capabilities,
  ask: Provider.Ask
): Result.Result<Provider.Canonical, Provider.ProviderError> =>
  Result.gen(function* () {
    const { durationSeconds, ...asked } = yield* AskCheck.check("gcp", capabilities, ask)
    const resourceScope = yield* scopeOf(config, asked.resourceScope)
    const role = yield* roleOn(config, asked.role, resourceScope)
    return { role, resourceScope, durationSeconds }
  })
