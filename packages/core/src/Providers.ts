/**
 * The registry: the providers that this process may use, by name.
 *
 * 1. Names are unique, lower-case and URL-safe; anything else is a mistake in the composition and stops the start.
 * 2. What is not configured is not there: `get` gives `undefined`, and the caller refuses with a typed error.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type Provider, ProviderError, Providers } from "./Provider.ts"

/** Lower-case, begins with a letter, safe in a URL and in a file name, at most 64 characters. */
export const isName = (name: string): boolean => /^[a-z][a-z0-9-]{0,63}$/u.test(name)

/**
 * The same provider under another name: for a second one of its kind. Its errors carry the new name, and hints that
 * name its configuration (`providers.<old name>.<key>`) name `section` instead (default `providers.<new name>`).
 */
export const named = (provider: Provider, name: string, section = `providers.${name}`): Provider => {
  const old = `providers.${provider.name}.`
  const renamed = (error: ProviderError): ProviderError =>
    new ProviderError({
      provider: name,
      reason: error.reason,
      retryable: error.retryable,
      effect: error.effect,
      message: error.message,
      hint: error.hint.replaceAll(old, `${section}.`),
      ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds })
    })
  const said = <A>(call: Effect.Effect<A, ProviderError>) => Effect.mapError(call, renamed)
  const { diagnose } = provider
  return {
    name,
    capabilities: provider.capabilities,
    parse: (ask) => Result.mapError(provider.parse(ask), renamed),
    check: (canonical, grantee) => said(provider.check(canonical, grantee)),
    grant: (request) => said(provider.grant(request)),
    end: (request) => said(provider.end(request)),
    resourceKey: provider.resourceKey,
    inspect: (request) => said(provider.inspect(request)),
    list: () => said(provider.list()),
    ...(diagnose === undefined ? {} : { diagnose: (probe) => said(diagnose(probe)) })
  }
}

/** A registry of `providers`, in the order of their names. Throws when two have one name or a name is unusable. */
export const make = (providers: ReadonlyArray<Provider>): Providers["Service"] => {
  const byName = new Map<string, Provider>()
  for (const provider of providers) {
    if (!isName(provider.name)) {
      throw new Error(
        `a provider is called ${JSON.stringify(provider.name)}: names are lower-case letters, digits and "-", beginning with a letter`
      )
    }
    if (byName.has(provider.name)) {
      throw new Error(`two providers are called "${provider.name}": give one of them another name`)
    }
    byName.set(provider.name, provider)
  }
  const names = [...byName.keys()].sort()
  return { get: (name) => byName.get(name), names }
}

/** The layer of `make(providers)`; the mistakes it names are defects of the composition. */
export const layerOf = (providers: ReadonlyArray<Provider>): Layer.Layer<Providers> =>
  Layer.sync(Providers, () => Providers.of(make(providers)))
