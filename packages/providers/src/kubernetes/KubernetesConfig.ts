/**
 * The `providers.kubernetes` section of the daemon's configuration.
 *
 * 1. Clusters, namespaces and roles that jitsudo may touch are listed; nothing is allowed by leaving it out.
 * 2. A right in a whole cluster has a list of its own, `cluster_wide_roles`. No pattern for namespaces reaches that far.
 * 3. What Kubernetes keeps for itself is reached by no wildcard: namespaces that begin with `kube-`, the role
 *    `cluster-admin`, and roles that begin with `system:` must be written out.
 * 4. A key that has no effect in the chosen mode is refused.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Subject from "./Subject.ts"
import * as Target from "./Target.ts"

const namespace = Schema.String.check(Schema.isPattern(Target.dnsLabel))
const url = Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s?#]+$/u))

/** A key, and what stands of it in the reference of the configuration. */
const described = Schema.annotateKey

/** How the daemon reaches one cluster: exactly one of `kubeconfig`, `in_cluster` and `server`. */
const Cluster = Schema.Struct({
  kubeconfig: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "A kubeconfig file for the daemon's own identity." })
  ),
  context: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "The context in `kubeconfig`; its current one when absent." })
  ),
  in_cluster: Schema.optionalKey(Schema.Literal(true)).pipe(
    described({ description: "The service account of the pod that the daemon runs in." })
  ),
  server: Schema.optionalKey(url).pipe(
    described({
      description: "Address of the API server, with `token_file`. Without TLS on the loopback interface only."
    })
  ),
  ca_file: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({
      description: "PEM of the authorities that signed the certificate of `server`; the system's when absent."
    })
  ),
  token_file: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "The daemon's bearer token for `server`, read again for every call." })
  ),
  child_server: Schema.optionalKey(url).pipe(
    described({
      description:
        "Mode `service_account`: the API server's address in the kubeconfig that programs get, where it is another."
    })
  ),
  child_ca_file: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "PEM of the authorities for `child_server`; the daemon's own when absent." })
  )
})
export type Cluster = typeof Cluster.Type

const patterns = (description: string) =>
  Schema.Array(Schema.NonEmptyString).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed([])),
    described({ description })
  )

/** A label's key: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set */
const labelKey = /^(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/u

export const KubernetesConfig = Schema.Struct({
  clusters: Schema.Record(Schema.String, Cluster).pipe(
    described({ description: "Clusters by the name that scopes begin with: `cluster/namespace`." })
  ),
  default_cluster: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "The cluster of a scope that names none, where there are several." })
  ),
  default_namespace: Schema.optionalKey(namespace).pipe(
    described({ description: "The namespace of a scope that names none: `cluster/`." })
  ),
  namespaces: patterns(
    "Namespaces that may be asked for: `namespace` in every cluster, or `cluster/namespace`; `*` and `?` within each."
  ),
  roles: patterns(
    "Roles that may be asked for in a namespace: names of ClusterRoles, or `Role/name`; `*` and `?` within each."
  ),
  cluster_wide_roles: patterns("ClusterRoles that may be asked for on a whole cluster: `cluster/*`."),
  mode: Schema.Literals(["user", "service_account"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user" as const)),
    described({
      description:
        "`user` binds the right to the requester's own name in the cluster. `service_account` binds it to an account made for this request alone, and only who has the grant's kubeconfig can use it."
    })
  ),
  user_template: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({
      description: "Mode `user`: the requester's user name in the clusters, from `{email}`, `{subject}` and `{issuer}`."
    })
  ),
  group_template: Schema.optionalKey(Schema.NonEmptyString).pipe(
    described({ description: "Mode `user`, instead: the name of a group that the requester alone is in." })
  ),
  service_account_namespace: Schema.optionalKey(namespace).pipe(
    described({
      description: "Mode `service_account`: where the accounts are made. Nobody else may make pods or tokens there."
    })
  ),
  managed_label: Schema.String.check(Schema.isPattern(labelKey)).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("jitsudo.dev/managed")),
    described({ description: "The label that everything of jitsudo's carries, with the value `true`." })
  ),
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 600, maximum: 604_800 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(3600)),
    described({ description: "The longest grant." })
  ),
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(10)),
    described({ description: "The longest time for one call of this provider." })
  )
})
export type KubernetesConfig = typeof KubernetesConfig.Type

export const wrong = (key: string, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "kubernetes", key, message })

const isLoopback = (address: string): boolean => {
  const { hostname } = new URL(address)
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(hostname)
}

/** Whether a token sent to this address could be read on the way. */
export const isReadable = (address: string): boolean => address.startsWith("http://") && !isLoopback(address)

const whyNotCluster = (name: string, cluster: Cluster, mode: KubernetesConfig["mode"]) => {
  const key = (part: string): string => `clusters.${name}.${part}`
  if (!Target.dnsLabel.test(name)) {
    return wrong(`clusters.${name}`, "a cluster's name must be of lower-case letters, digits and -, at most 63")
  }
  const ways = [cluster.kubeconfig, cluster.in_cluster, cluster.server].filter((way) => way !== undefined)
  if (ways.length !== 1) {
    return wrong(`clusters.${name}`, "must have exactly one of kubeconfig, in_cluster and server")
  }
  if (cluster.context !== undefined && cluster.kubeconfig === undefined) {
    return wrong(key("context"), "has no effect without kubeconfig")
  }
  if (cluster.server === undefined) {
    if (cluster.token_file !== undefined) return wrong(key("token_file"), "has no effect without server")
    if (cluster.ca_file !== undefined) return wrong(key("ca_file"), "has no effect without server")
  } else {
    if (cluster.token_file === undefined) return wrong(key("token_file"), "is needed with server")
    if (isReadable(cluster.server))
      return wrong(key("server"), "must be https: anybody in between could read the token")
  }
  if (mode === "user") {
    if (cluster.child_server !== undefined) return wrong(key("child_server"), "has no effect in the mode user")
    if (cluster.child_ca_file !== undefined) return wrong(key("child_ca_file"), "has no effect in the mode user")
    return null
  }
  if (cluster.in_cluster === true && cluster.child_server === undefined) {
    return wrong(key("child_server"), "is needed: programs outside of the cluster cannot reach its inner address")
  }
  if (cluster.child_server !== undefined && isReadable(cluster.child_server)) {
    return wrong(key("child_server"), "must be https: anybody in between could read the token")
  }
  return cluster.child_ca_file !== undefined && cluster.child_server === undefined
    ? wrong(key("child_ca_file"), "has no effect without child_server")
    : null
}

const whyNotMode = (config: KubernetesConfig): ProviderPlugin.ProviderConfigError | null => {
  const { group_template: group, mode, service_account_namespace: home, user_template: user } = config
  if (mode === "service_account") {
    if (user !== undefined) return wrong("user_template", "has no effect in the mode service_account")
    if (group !== undefined) return wrong("group_template", "has no effect in the mode service_account")
    return home === undefined ? wrong("service_account_namespace", "is needed in the mode service_account") : null
  }
  if (home !== undefined) return wrong("service_account_namespace", "has no effect in the mode user")
  if ((user === undefined) === (group === undefined)) {
    return wrong(
      "user_template",
      'exactly one of user_template and group_template is needed, for example "oidc:{email}": what the API server calls the requester'
    )
  }
  return Subject.isTemplate(user ?? group ?? "")
    ? null
    : wrong(
        user === undefined ? "group_template" : "user_template",
        "must have {email} or {subject}, no placeholder but these and {issuer}, and must not begin with system:"
      )
}

/** What the schema cannot say; null when the configuration is sound. */
export const whyNotConfig = (config: KubernetesConfig): ProviderPlugin.ProviderConfigError | null => {
  const names = Object.keys(config.clusters)
  if (names.length === 0) return wrong("clusters", "must name at least one cluster")
  for (const [name, cluster] of Object.entries(config.clusters)) {
    const why = whyNotCluster(name, cluster, config.mode)
    if (why !== null) return why
  }
  if (config.default_cluster !== undefined && !names.includes(config.default_cluster)) {
    return wrong("default_cluster", `must be one of clusters: ${names.join(", ")}`)
  }
  if (config.namespaces.length === 0 && config.cluster_wide_roles.length === 0) {
    return wrong("namespaces", "nothing can be asked for: list namespaces (with roles), cluster_wide_roles, or both")
  }
  if (config.namespaces.length > 0 !== config.roles.length > 0) {
    return wrong(config.roles.length === 0 ? "roles" : "namespaces", "namespaces and roles are listed together")
  }
  for (const pattern of config.namespaces) {
    const cluster = pattern.includes("/") ? pattern.slice(0, pattern.indexOf("/")) : null
    if (!Target.isNamespacePattern(pattern)) {
      return wrong("namespaces", `${JSON.stringify(pattern)} is no pattern for a namespace or a cluster/namespace`)
    }
    if (cluster !== null && !names.some((name) => Target.matches(cluster, name))) {
      return wrong("namespaces", `${JSON.stringify(pattern)} names no cluster of this configuration`)
    }
  }
  for (const pattern of config.roles) {
    if (!Target.isRolePattern(pattern)) {
      return wrong("roles", `${JSON.stringify(pattern)} is no pattern for a ClusterRole or a Role/name`)
    }
  }
  for (const pattern of config.cluster_wide_roles) {
    if (!Target.isRolePattern(pattern) || pattern.startsWith("Role/")) {
      return wrong("cluster_wide_roles", `${JSON.stringify(pattern)} is no pattern for a ClusterRole`)
    }
  }
  return whyNotMode(config)
}

/** What two sections must not have in common: a label in a cluster, as far as the configuration tells clusters apart. */
export const territory = ({ clusters, managed_label: label }: KubernetesConfig): ReadonlyArray<string> =>
  Object.values(clusters).map(
    ({ context, in_cluster: inside, kubeconfig, server }) =>
      `${label} in ${inside === true ? "the daemon's own cluster" : (server ?? [kubeconfig, context].filter((part) => part !== undefined).join("#"))}`
  )
