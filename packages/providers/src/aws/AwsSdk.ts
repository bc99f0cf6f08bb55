/**
 * The official SDK, loaded when a provider is made: an optional peer that only those need who use AWS.
 */
import type * as Iam from "@aws-sdk/client-iam"
import type * as Sts from "@aws-sdk/client-sts"
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"

export interface AwsSdk {
  readonly sts: Pick<typeof Sts, "STSClient" | "AssumeRoleCommand">
  readonly iam: Pick<typeof Iam, "IAMClient" | "PutRolePolicyCommand" | "GetRoleCommand">
}

/** How the two packages are imported. */
export interface Loaders {
  readonly sts: () => Promise<AwsSdk["sts"]>
  readonly iam: () => Promise<AwsSdk["iam"]>
}

export const installed: Loaders = {
  sts: () => import("@aws-sdk/client-sts"),
  iam: () => import("@aws-sdk/client-iam")
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
        provider: "aws",
        key: "mode",
        message: isMissing(name, thrown)
          ? `the provider aws needs the package ${name}: install it beside jitsudo (npm install ${name})`
          : `the package ${name} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      })
  })

/** Both clients, or an error that names the package to install. */
export const loadSdk = (loaders: Loaders): Effect.Effect<AwsSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.all({
    sts: load("@aws-sdk/client-sts", loaders.sts),
    iam: load("@aws-sdk/client-iam", loaders.iam)
  })
