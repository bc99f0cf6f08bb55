/**
 * The providers of the configuration, made. One that cannot be made stops the start: it is never skipped.
 *
 * What a plug-in throws while it is made may quote its configuration: its secrets are taken out of the text.
 */
import type { Provider } from "@jitsudo/core"
import { ProviderPlugin, Providers } from "@jitsudo/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { Config } from "./Config.ts"
import { masked } from "./config/PluginSection.ts"
import type { ProviderSection } from "./config/ProviderSections.ts"
import { join } from "./config/Tree.ts"

const methods = ["parse", "check", "grant", "end", "resourceKey", "inspect", "list"] as const

/** What keeps an object from being a provider; null when nothing does. */
const whyNoProvider = (made: unknown): string | null => {
  if (typeof made !== "object" || made === null) return "made no provider"
  const has = new Map(Object.entries(made))
  const lacking = methods.filter((method) => typeof has.get(method) !== "function")
  if (lacking.length > 0) return `made a provider without ${lacking.map((one) => `\`${one}\``).join(", ")}`
  return typeof has.get("name") === "string" && typeof has.get("capabilities") === "object"
    ? null
    : "made a provider without `name` or `capabilities`"
}

/** The provider of one section, under the section's name. */
export const make = (
  section: ProviderSection
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError, Scope.Scope> => {
  const { name, path, plugin, secrets } = section
  const clean = (text: string) =>
    secrets.filter((secret) => secret.length >= 4).reduce((rest, secret) => rest.replaceAll(secret, masked), text)
  const wrong = (key: string, message: string) =>
    new ProviderPlugin.ProviderConfigError({
      provider: name,
      key,
      message: `${key === "" ? path : join(path, key)}: ${clean(message)}`
    })
  const noEffect = wrong(
    "",
    `\`make\` of ${plugin} returned no Effect: its author wraps promises with \`definePlugin\``
  )
  const made = Effect.suspend(() => {
    const effect = section.make()
    return Effect.isEffect(effect) ? effect : Effect.fail(noEffect)
  })
  return Effect.flatMap(Effect.exit(made), (exit) => {
    if (Exit.isSuccess(exit)) {
      const why = whyNoProvider(exit.value)
      if (why !== null) return Effect.fail(wrong("", `${plugin} ${why}: that is a matter for its author`))
      return Effect.succeed(
        exit.value.name === name && path === `providers.${name}` ? exit.value : Providers.named(exit.value, name, path)
      )
    }
    const said = Cause.findErrorOption(exit.cause)
    if (Option.isSome(said)) {
      return Effect.fail(said.value === noEffect ? noEffect : wrong(said.value.key, said.value.message))
    }
    const thrown = Cause.squash(exit.cause)
    const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : typeof thrown
    return Effect.fail(wrong("", `${plugin} failed while it was made: ${text.split("\n", 1)[0] ?? ""}`))
  })
}

/** What keeps the sections' providers from being made, all at once. */
export const problems = (
  sections: Config["providers"]
): Effect.Effect<ReadonlyArray<ProviderPlugin.ProviderConfigError>> =>
  Effect.map(
    Effect.forEach(sections, (section) => Effect.scoped(Effect.result(make(section)))),
    (results) => results.flatMap((result) => (Result.isFailure(result) ? [result.failure] : []))
  )

export const layer = (
  sections: Config["providers"]
): Layer.Layer<Provider.Providers, ProviderPlugin.ProviderConfigError> =>
  Layer.unwrap(Effect.map(Effect.forEach(sections, make), Providers.layerOf))
