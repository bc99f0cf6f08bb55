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

/** How the daemon reaches one cluster: exactly one of `kubeconfig`, `in_cluster` and `server`. */
const Cluster = Schema.Struct({
  /** A kubeconfig file for the daemon's own identity. */
  kubeconfig: Schema.optionalKey(Schema.NonEmptyString),
  /** The context in it; its current one when absent. */
  context: Schema.optionalKey(Schema.NonEmptyString),
  /** The service account of the pod that the daemon runs in. */
  in_cluster: Schema.optionalKey(Schema.Literal(true)),
  /** Address of the API server; with `token_file`. Without TLS on the loopback interface only. */
  server: Schema.optionalKey(url),
  /** PEM of the authorities that signed the server's certificate; the system's when absent. */
  ca_file: Schema.optionalKey(Schema.NonEmptyString),
  /** The daemon's bearer token, read again for every call. */
  token_file: Schema.optionalKey(Schema.NonEmptyString),
  /** Mode `service_account`: the API server's address in the kubeconfig that programs get, where it is another. */
  child_server: Schema.optionalKey(url),
  /** PEM of the authorities for `child_server`; the daemon's own when absent. */
  child_ca_file: Schema.optionalKey(Schema.NonEmptyString)
})
export type Cluster = typeof Cluster.Type

export const KubernetesConfig = Schema.Struct({
  /** Clusters by the name that scopes begin with: `cluster/namespace`. */
  clusters: Schema.Record(Schema.String, Cluster),
  /** The cluster of a scope that names none; needed for that only where there are several. */
  default_cluster: Schema.optionalKey(Schema.NonEmptyString),
  /** The namespace of a scope that names none: `cluster/`. */
  default_namespace: Schema.optionalKey(namespace),
  /** Namespaces that may be asked for: `namespace` in every cluster, or `cluster/namespace`; `*` and `?` within each. */
  namespaces: Schema.Array(Schema.NonEmptyString).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([]))),
  /** Roles that may be asked for in a namespace: names of ClusterRoles, or `Role/name`; `*` and `?` within each. */
  roles: Schema.Array(Schema.NonEmptyString).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([]))),
  /** ClusterRoles that may be asked for on a whole cluster, `cluster/*`. */
  cluster_wide_roles: Schema.Array(Schema.NonEmptyString).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([]))),
  /**
   * `user`: the right is bound to the requester's own name in the cluster. `service_account`: it is bound to an account
   * made for this request alone, and only who has the grant's kubeconfig can use it.
   */
  mode: Schema.Literals(["user", "service_account"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user" as const))
  ),
  /** Mode `user`: the requester's user name in the clusters, from `{email}`, `{subject}` and `{issuer}`. */
  user_template: Schema.optionalKey(Schema.NonEmptyString),
  /** Mode `user`, instead: the name of a group that the requester alone is in. */
  group_template: Schema.optionalKey(Schema.NonEmptyString),
  /** Mode `service_account`: where the accounts are made. Nobody else may make pods or tokens there. */
  service_account_namespace: Schema.optionalKey(namespace),
  /** The label that everything of jitsudo's carries, with the value `true`. */
  managed_label: Schema.String.check(
    Schema.isPattern(/^(?:[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?$/u)
  ).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("jitsudo.dev/managed"))),
  /** The longest grant, in seconds. */
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 600, maximum: 604_800 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(3600))
  ),
  /** Longest time for one call of this provider. */
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(10))
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
