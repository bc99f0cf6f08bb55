/**
 * The provider `aws`, in the mode that its configuration names.
 *
 * `AssumeRoleProvider.ts` gives a session of a role to the child process; `IdentityCenterProvider.ts` assigns a
 * permission set to the person. Each loads the SDK packages that it needs and no other.
 */
import type { Provider, ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as AssumeRoleCalls from "./AssumeRoleCalls.ts"
import * as AssumeRoleConfig from "./AssumeRoleConfig.ts"
import * as AssumeRoleProvider from "./AssumeRoleProvider.ts"
import { AwsConfig } from "./AwsConfig.ts"
import * as AwsSdk from "./AwsSdk.ts"
import * as IdentityCenterCalls from "./IdentityCenterCalls.ts"
import * as IdentityCenterConfig from "./IdentityCenterConfig.ts"
import * as IdentityCenterProvider from "./IdentityCenterProvider.ts"
import type { OwnCredentials } from "./SdkCall.ts"

export interface Options {
  /** The daemon's own identity; the SDK's default chain when absent. */
  readonly credentials?: OwnCredentials
  /** How the SDK is loaded; the installed packages when absent. */
  readonly load?: Partial<AwsSdk.Loaders>
  /** Between two looks at an operation of Identity Center; a second at first when absent. */
  readonly pollMillis?: number
}

/** The provider of this configuration; an unusable one is refused with the key at fault. */
export const make = (
  config: AwsConfig,
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  Effect.gen(function* () {
    const load = { ...AwsSdk.installed, ...options.load }
    if (config.mode === "sts_assume_role") {
      const why = AssumeRoleConfig.whyNot(config)
      if (why !== null) return yield* why
      const sdk = yield* AwsSdk.loadForRoles(load)
      return AssumeRoleProvider.fromCalls(config, AssumeRoleCalls.make(sdk, config, options.credentials))
    }
    const why = IdentityCenterConfig.whyNot(config)
    if (why !== null) return yield* why
    const sdk = yield* AwsSdk.loadForIdentityCenter(load)
    return IdentityCenterProvider.fromCalls(config, IdentityCenterCalls.make(sdk, config, options.credentials), options)
  })

/** Two sections must not reach one account: each would take the other's grants for strangers. */
const territory = ({ accounts, mode }: AwsConfig): ReadonlyArray<string> =>
  accounts.map((account) => `${mode} in account ${account}`)

/** How the daemon loads it. */
export const plugin: ProviderPlugin.ProviderPlugin<AwsConfig> = {
  name: "aws",
  config: AwsConfig,
  make: (config) => make(config),
  territory
}
