/**
 * Permission sets by name: pinned in the configuration, or found by reading all of them.
 *
 * 1. A name is compared letter for letter.
 * 2. What was read is kept for ten minutes; a name that is not in it is looked for again when it is half a minute old.
 */
import { Provider } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { IdentityCenterCalls, PermissionSet } from "./IdentityCenterCalls.ts"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"

const keptMillis = 600_000
const missedMillis = 30_000
/** Describing runs into SSO-Admin's limit of calls soon; see the quotas of the instance. */
const sideBySide = 4

const notThere = (name: string, hint: string): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "aws",
    reason: "RoleNotFound",
    retryable: false,
    effect: "none",
    message: "this permission set does not exist",
    hint: `${name}: ${hint}`
  })

/** Looks permission sets up. */
export const make = (
  config: IdentityCenterConfig,
  calls: Pick<IdentityCenterCalls, "permissionSet" | "permissionSetArns">
): ((name: string) => Effect.Effect<PermissionSet, Provider.ProviderError>) => {
  let known: { readonly at: number; readonly sets: ReadonlyMap<string, PermissionSet> } | null = null
  const pinned = new Map<string, { readonly at: number; readonly set: PermissionSet }>()

  const readAll = Effect.gen(function* () {
    const arns = yield* calls.permissionSetArns
    const sets = yield* Effect.forEach(arns, calls.permissionSet, { concurrency: sideBySide })
    return new Map(sets.map((set) => [set.name, set]))
  })

  const findPinned = (name: string, arn: string): Effect.Effect<PermissionSet, Provider.ProviderError> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const kept = pinned.get(name)
      if (kept !== undefined && now < kept.at + keptMillis) return kept.set
      const set = yield* calls.permissionSet(arn)
      if (set.name !== name) {
        return yield* notThere(name, "`providers.aws.permission_set_arns` names a permission set of another name.")
      }
      pinned.set(name, { at: now, set })
      return set
    })

  return (name) => {
    const arn = config.permission_set_arns?.[name]
    if (arn !== undefined) return findPinned(name, arn)
    return Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const kept = known?.sets.get(name)
      if (known !== null && kept !== undefined && now < known.at + keptMillis) return kept
      if (known === null || now >= known.at + missedMillis) known = { at: now, sets: yield* readAll }
      const found = known.sets.get(name)
      if (found !== undefined) return found
      return yield* notThere(name, `The instance ${config.instance_arn} has no permission set of this name.`)
    })
  }
}
