/**
 * The configured clusters: how the daemon signs in to each, and the kubeconfig for programs that get an account there.
 *
 * 1. What cannot be read when the daemon starts stops the start, with the key at fault.
 * 2. A token goes over TLS with a verified certificate, or stays on this machine.
 * 3. The kubeconfig for a program has its own token and the server's address and authorities: nothing of the daemon's.
 */
import type { Cluster as KubeCluster, KubeConfig, User } from "@kubernetes/client-node"
import type { ProviderPlugin } from "@jitsudo/core"
import { readFileSync } from "node:fs"
import { readFile } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { type Cluster, isReadable, type KubernetesConfig, wrong } from "./KubernetesConfig.ts"
import type { KubernetesSdk } from "./KubernetesSdk.ts"

export interface Connection {
  readonly kubeConfig: KubeConfig
  /** What a program needs to know of the cluster. */
  readonly child: { readonly server: string; readonly authorities: string | null; readonly verifies: boolean }
}

/** Our own way to sign in: the file is read for every call, so that a token that was renewed counts at once. */
const tokenFileAuth = "jitsudo-token-file"

const attempt = <A>(key: string, what: string, run: () => A): Effect.Effect<A, ProviderPlugin.ProviderConfigError> =>
  Effect.try({
    try: run,
    catch: (thrown) => {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "malformed"
      return wrong(key, `${what} cannot be read (${code}): the daemon needs it to reach the cluster`)
    }
  })

const fromServer = (sdk: KubernetesSdk, name: string, { ca_file: ca, server = "", token_file: token }: Cluster) => {
  const kubeConfig = new sdk.KubeConfig()
  kubeConfig.addAuthenticator({
    isAuthProvider: (user: User) => user.authProvider?.name === tokenFileAuth,
    applyAuthentication: async (_user, options) => {
      const text = await readFile(token ?? "", "utf8")
      options.headers = { ...options.headers, Authorization: `Bearer ${text.trim()}` }
    }
  })
  kubeConfig.loadFromClusterAndUser(
    // Plain HTTP is for this machine only; the client takes it in no other way.
    { name, server, skipTLSVerify: server.startsWith("http://"), ...(ca === undefined ? {} : { caFile: ca }) },
    { name: "jitsudod", authProvider: { name: tokenFileAuth, config: {} } }
  )
  return kubeConfig
}

const fromFile = (sdk: KubernetesSdk, file: string, context: string | undefined) => {
  const kubeConfig = new sdk.KubeConfig()
  kubeConfig.loadFromFile(file, { onInvalidEntry: "throw" })
  if (context !== undefined) kubeConfig.setCurrentContext(context)
  return kubeConfig
}

const inCluster = (sdk: KubernetesSdk) => {
  const kubeConfig = new sdk.KubeConfig()
  kubeConfig.loadFromCluster()
  return kubeConfig
}

const authoritiesOf = ({ caData, caFile }: KubeCluster): string | null => {
  if (caData !== undefined && caData !== "") return caData
  return caFile === undefined || caFile === "" ? null : readFileSync(caFile).toString("base64")
}

const connect = (
  sdk: KubernetesSdk,
  config: KubernetesConfig,
  name: string,
  cluster: Cluster
): Effect.Effect<Connection, ProviderPlugin.ProviderConfigError> =>
  Effect.gen(function* () {
    const key = (part: string): string => `clusters.${name}.${part}`
    const { child_ca_file: childCa, child_server: childServer, context, kubeconfig: file } = cluster
    if (cluster.token_file !== undefined) {
      const token = cluster.token_file
      yield* attempt(key("token_file"), "the token", () => readFileSync(token, "utf8"))
    }
    const kubeConfig =
      file !== undefined
        ? yield* attempt(key("kubeconfig"), "the kubeconfig", () => fromFile(sdk, file, context))
        : cluster.in_cluster === true
          ? inCluster(sdk)
          : fromServer(sdk, name, cluster)
    const found = kubeConfig.getCurrentCluster()
    if (found === null || kubeConfig.getCurrentUser() === null) {
      return yield* wrong(
        key(context === undefined ? "kubeconfig" : "context"),
        "names no context with a cluster and a user in the kubeconfig"
      )
    }
    if (cluster.in_cluster === true && found.server.includes("undefined")) {
      return yield* wrong(key("in_cluster"), "the daemon does not run in a pod: KUBERNETES_SERVICE_HOST is not set")
    }
    if (isReadable(found.server) || (found.skipTLSVerify && !found.server.startsWith("http://"))) {
      return yield* wrong(
        key("kubeconfig"),
        "the server's certificate is not verified: anybody in between could read the daemon's token"
      )
    }
    const authorities =
      config.mode === "user"
        ? null
        : childCa === undefined
          ? yield* attempt(key("ca_file"), "the authorities' certificate", () => authoritiesOf(found))
          : yield* attempt(key("child_ca_file"), "the authorities' certificate", () =>
              readFileSync(childCa).toString("base64")
            )
    const server = childServer ?? found.server
    return { kubeConfig, child: { server, authorities, verifies: !server.startsWith("http://") } }
  })

/** Every configured cluster by its name. */
export const connectAll = (
  sdk: KubernetesSdk,
  config: KubernetesConfig
): Effect.Effect<ReadonlyMap<string, Connection>, ProviderPlugin.ProviderConfigError> =>
  Effect.map(
    Effect.forEach(Object.entries(config.clusters), ([name, cluster]) =>
      Effect.map(connect(sdk, config, name, cluster), (connection) => [name, connection] as const)
    ),
    (connections) => new Map(connections)
  )

/**
 * A kubeconfig for one program (JSON is YAML): https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export const childKubeconfig = (
  { child }: Connection,
  cluster: string,
  namespace: string | null,
  user: string,
  token: string
): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: cluster,
        cluster: {
          server: child.server,
          ...(child.authorities === null ? {} : { "certificate-authority-data": child.authorities }),
          ...(child.verifies ? {} : { "insecure-skip-tls-verify": true })
        }
      }
    ],
    users: [{ name: user, user: { token } }],
    contexts: [
      {
        name: cluster,
        context: { cluster, user, ...(namespace === null ? {} : { namespace }) }
      }
    ],
    "current-context": cluster
  })
