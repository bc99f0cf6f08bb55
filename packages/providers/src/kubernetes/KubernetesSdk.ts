/**
 * The official client, loaded when a provider is made: an optional peer that only those need who use Kubernetes.
 */
import type * as Client from "@kubernetes/client-node"
import type { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { wrong } from "./KubernetesConfig.ts"

export type KubernetesSdk = Pick<
  typeof Client,
  "KubeConfig" | "CoreV1Api" | "RbacAuthorizationV1Api" | "AuthorizationV1Api" | "AuthenticationV1Api" | "Observable"
>

/** How the package is imported. */
export type Loader = () => Promise<KubernetesSdk>

const packageName = "@kubernetes/client-node"

export const installed: Loader = () => import("@kubernetes/client-node")

/** The package itself is not there, rather than something within it. */
const isMissing = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  "code" in thrown &&
  thrown.code === "ERR_MODULE_NOT_FOUND" &&
  thrown.message.includes(`package '${packageName}'`)

/** The client, or an error that names the package to install. */
export const loadSdk = (loader: Loader): Effect.Effect<KubernetesSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.tryPromise({
    try: loader,
    catch: (thrown) =>
      wrong(
        "clusters",
        isMissing(thrown)
          ? `the provider kubernetes needs the package ${packageName}: install it beside jitsudo (npm install ${packageName})`
          : `the package ${packageName} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      )
  })
