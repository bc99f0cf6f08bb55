/**
 * The official SDKs, loaded when a provider is made: optional peers that only those need who use Google Cloud.
 *
 * `@google-cloud/resource-manager` brings google-gax, which is heavy: nothing of it is loaded before.
 */
import type { protos } from "@google-cloud/resource-manager"
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type * as Auth from "google-auth-library"

/** What the three generated clients have in common, as far as it is used. */
export interface PolicyClient {
  getIamPolicy(request: protos.google.iam.v1.IGetIamPolicyRequest, options: Once): Promise<[SdkPolicy, ...Rest]>
  setIamPolicy(request: protos.google.iam.v1.ISetIamPolicyRequest, options: Once): Promise<[SdkPolicy, ...Rest]>
  testIamPermissions(
    request: protos.google.iam.v1.ITestIamPermissionsRequest,
    options: Once
  ): Promise<[protos.google.iam.v1.ITestIamPermissionsResponse, ...Rest]>
}

export type SdkPolicy = protos.google.iam.v1.IPolicy
type Rest = ReadonlyArray<unknown>

/** Switches the clients' own repetitions off. */
export interface Once {
  readonly retry: { readonly retryCodes: Array<number> }
}

/** How a client is made, but for `auth` (see `GcpCalls.ts`). */
export type ClientOptions = {
  readonly fallback: "rest"
  readonly apiEndpoint: string
  readonly protocol: string
  readonly port: number
  readonly universeDomain: string
}

interface PolicyClientClass {
  new (options: ClientOptions): PolicyClient
}

export interface GcpSdk {
  readonly resourceManager: {
    readonly ProjectsClient: PolicyClientClass
    readonly FoldersClient: PolicyClientClass
    readonly OrganizationsClient: PolicyClientClass
  }
  readonly auth: Pick<typeof Auth, "GoogleAuth">
}

/** How the two packages are imported. */
export interface Loaders {
  readonly resourceManager: () => Promise<GcpSdk["resourceManager"]>
  readonly auth: () => Promise<GcpSdk["auth"]>
}

export const installed: Loaders = {
  resourceManager: () => import("@google-cloud/resource-manager"),
  auth: () => import("google-auth-library")
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
        provider: "gcp",
        key: "credentials",
        message: isMissing(name, thrown)
          ? `the provider gcp needs the package ${name}: install it beside jitsudo (npm install ${name})`
          : `the package ${name} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      })
  })

/** Both packages, or an error that names the one to install. */
export const loadSdk = (loaders: Loaders): Effect.Effect<GcpSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.all({
    resourceManager: load("@google-cloud/resource-manager", loaders.resourceManager),
    auth: load("google-auth-library", loaders.auth)
  })
