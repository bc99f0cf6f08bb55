/**
 * How a provider comes into the stock daemon: by name (a built-in) or by module (a plug-in), with a schema of its own.
 *
 * A plug-in's module exports `plugin`. The daemon decodes the provider's section of the configuration with `config`,
 * and calls `make`. What it relies on:
 * 1. Keys are snake_case; lengths of time are whole seconds under `..._seconds`. Unknown keys are refused by the daemon.
 * 2. A key whose type is `Redacted` (`Schema.RedactedFromValue(Schema.String)`), or that is annotated `secret: true`, is
 *    a secret: it may be given as `<key>_file`, and no message and no output shows it.
 * 3. A key's `description` annotation (`Schema.annotateKey({ description })`) is its line in the reference of the
 *    configuration; its `expected` annotation completes "expected ..." in messages.
 * 4. A hint of an error that names a key spells it `providers.<name of the plug-in>.<key>`; the daemon puts in where the
 *    operator wrote it.
 * 5. A plug-in that cannot be made stops the start: it is never skipped.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Provider } from "./Provider.ts"

/** Why a provider cannot be made from its configuration: names the key, the rule and the next step. */
export class ProviderConfigError extends Data.TaggedError("ProviderConfigError")<{
  readonly provider: string
  /** The configuration key at fault, as the operator wrote it (`role_arn_template`); empty for none. */
  readonly key: string
  readonly message: string
}> {}

export interface ProviderPlugin<Config> {
  /** The name of its provider, unless the operator's section has another. */
  readonly name: string
  /** Decodes the provider's section of the configuration file (snake_case keys). */
  readonly config: Schema.Codec<Config, unknown>
  /** What it holds (connections, timers) goes with the scope: that of the daemon. */
  readonly make: (config: Config) => Effect.Effect<Provider, ProviderConfigError, Scope.Scope>
  /**
   * What this configuration can reach at the platform, in words of the plug-in (`account 111122223333`): an operator
   * may have several sections of one plug-in as long as no two have a word in common, because each would take the
   * other's grants for strangers. Absent: one section.
   */
  readonly territory?: (config: Config) => ReadonlyArray<string>
}

/** A plug-in as promises, beside `defineProvider`. */
export interface PluginDefinition<Config> extends Omit<ProviderPlugin<Config>, "make"> {
  /** Throws `ProviderConfigError` for what the schema cannot say. */
  readonly make: (config: Config) => Provider | Promise<Provider>
}

/** A `ProviderPlugin` for authors who do not know Effect. What `make` throws otherwise is a defect. */
export const definePlugin = <Config>(definition: PluginDefinition<Config>): ProviderPlugin<Config> => ({
  ...definition,
  make: (config) =>
    Effect.promise(async () => definition.make(config)).pipe(
      Effect.catchDefect((thrown) => (thrown instanceof ProviderConfigError ? Effect.fail(thrown) : Effect.die(thrown)))
    )
})
