/**
 * The official SDKs, loaded when a provider is made: optional peers that only those need who use Azure.
 */
import type * as Authorization from "@azure/arm-authorization"
import type * as Identity from "@azure/identity"
import { ProviderPlugin } from "@jitsudo/core"
import type * as Graph from "@microsoft/microsoft-graph-client"
import * as Effect from "effect/Effect"

export interface AzureSdk {
  readonly identity: Pick<
    typeof Identity,
    "ClientSecretCredential" | "DefaultAzureCredential" | "ManagedIdentityCredential" | "WorkloadIdentityCredential"
  >
  readonly authorization: Pick<typeof Authorization, "AuthorizationManagementClient">
  readonly graph: Pick<typeof Graph, "AuthenticationHandler" | "Client" | "HTTPMessageHandler">
}

/** How the packages are imported. */
export interface Loaders {
  readonly identity: () => Promise<AzureSdk["identity"]>
  readonly authorization: () => Promise<AzureSdk["authorization"]>
  readonly graph: () => Promise<AzureSdk["graph"]>
}

export const installed: Loaders = {
  identity: () => import("@azure/identity"),
  authorization: () => import("@azure/arm-authorization"),
  graph: () => import("@microsoft/microsoft-graph-client")
}

/** The package itself is not there, rather than something within it. */
const isMissing = (name: string, thrown: unknown): boolean =>
  thrown instanceof Error &&
  "code" in thrown &&
  thrown.code === "ERR_MODULE_NOT_FOUND" &&
  thrown.message.includes(`package '${name}'`)

const load = <A>(name: string, loader: () => Promise<A>): Effect.Effect<A, ProviderPlugin.ProviderConfigError> =>
  Effect.tryPromise({
    try: loader,
    catch: (thrown) =>
      new ProviderPlugin.ProviderConfigError({
        provider: "azure",
        key: "tenant_id",
        message: isMissing(name, thrown)
          ? `the provider azure needs the package ${name}: install it beside jitsudo (npm install ${name})`
          : `the package ${name} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      })
  })

/** All three, or an error that names the package to install. */
export const loadSdk = (loaders: Loaders): Effect.Effect<AzureSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.all({
    identity: load("@azure/identity", loaders.identity),
    authorization: load("@azure/arm-authorization", loaders.authorization),
    graph: load("@microsoft/microsoft-graph-client", loaders.graph)
  })
