/**
 * How a provider comes into the stock daemon: by module name from the configuration, with a schema of its own.
 *
 * A plug-in's module exports `plugin`. The daemon decodes the provider's section with `config`, refuses unknown keys,
 * and calls `make`. A plug-in that cannot be made stops the start: it is never skipped.
 */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Provider } from "./Provider.ts"

/** Why a provider cannot be made from its configuration: names the key, the rule and the next step. */
export class ProviderConfigError extends Data.TaggedError("ProviderConfigError")<{
  readonly provider: string
  /** The configuration key at fault, as the operator wrote it (`role_arn_template`). */
  readonly key: string
  readonly message: string
}> {}

export interface ProviderPlugin<Config> {
  readonly name: string
  /** Decodes the provider's section of the configuration file (snake_case keys). */
  readonly config: Schema.Codec<Config, unknown>
  readonly make: (config: Config) => Effect.Effect<Provider, ProviderConfigError>
}
