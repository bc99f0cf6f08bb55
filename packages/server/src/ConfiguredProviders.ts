/**
 * The providers of the configuration. Loaded only where configured, so that nobody needs an SDK of a cloud that they do
 * not use. One that cannot be made stops the start: it is never skipped.
 */
import type { Provider } from "@jitsudo/core"
import { ProviderPlugin, Providers } from "@jitsudo/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Config } from "./Config.ts"

const decoded = <C>(plugin: ProviderPlugin.ProviderPlugin<C>, section: unknown) =>
  Effect.mapError(
    Schema.decodeUnknownEffect(plugin.config, { errors: "all", onExcessProperty: "error" })(section),
    (error) =>
      new ProviderPlugin.ProviderConfigError({ provider: plugin.name, key: "", message: String(error.message) })
  ).pipe(Effect.flatMap(plugin.make))

const without = (section: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(section).filter(([, value]) => value !== undefined))

const mock = (config: NonNullable<Config["providers"]["mock"]>) =>
  Effect.flatMap(
    Effect.promise(() => import("@jitsudo/providers/mock")),
    ({ plugin }) =>
      decoded(
        plugin,
        without({
          latency_millis: Duration.toMillis(config.latency),
          max_duration_seconds: Duration.toSeconds(config.max_duration),
          state_file: config.state_file,
          journal_file: config.journal_file,
          control_file: config.control_file
        })
      )
  )

const aws = (config: NonNullable<Config["providers"]["aws"]>) =>
  Effect.flatMap(
    Effect.promise(() => import("@jitsudo/providers/aws")),
    ({ plugin }) => {
      const { max_session: maxSession, account_id: accountId, ...rest } = config
      return decoded(
        plugin,
        without({
          ...rest,
          account_id: accountId ?? config.accounts[0],
          max_session_seconds: Duration.toSeconds(maxSession)
        })
      )
    }
  )

export const layer = (
  config: Config["providers"]
): Layer.Layer<Provider.Providers, ProviderPlugin.ProviderConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const made = [
        ...(config.mock === undefined ? [] : [yield* mock(config.mock)]),
        ...(config.aws === undefined ? [] : [yield* aws(config.aws)])
      ]
      return Providers.layerOf(made)
    })
  )
