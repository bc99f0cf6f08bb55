/**
 * What can be asked for: a role on a scope, in the words of Kubernetes.
 *
 * 1. A scope is `cluster/namespace`, or `cluster/*` for the whole cluster: `*` never means anything else. The cluster may
 *    be left out where there is one, or a default; an empty namespace (`cluster/`) is the default namespace.
 * 2. A role is the name of a ClusterRole (`ClusterRole/name` says the same), or `Role/name` for one of the namespace.
 *    No name of a role has a slash (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names).
 * 3. The canonical form names the cluster and leaves `ClusterRole/` out.
 */
import type { Provider } from "@jitsudo/core"
import * as Result from "effect/Result"

/** RFC 1123 label: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names */
export const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u

/** Narrower than Kubernetes, which takes any path segment: what looks like another name, or like a path, is no role. */
const roleName = /^[A-Za-z0-9](?:[\w.:@-]{0,251}[A-Za-z0-9])?$/u

export interface Target {
  readonly cluster: string
  /** Null: the whole cluster. */
  readonly namespace: string | null
  readonly role: { readonly kind: "ClusterRole" | "Role"; readonly name: string }
}

export interface Allowed {
  readonly clusters: ReadonlyArray<string>
  readonly defaultCluster: string | undefined
  readonly defaultNamespace: string | undefined
  readonly namespaces: ReadonlyArray<string>
  readonly roles: ReadonlyArray<string>
  readonly clusterWideRoles: ReadonlyArray<string>
}

/** Why something cannot be asked for: the part at fault, the rule, and the operator's next step. */
export interface Refusal {
  readonly reason: "InvalidRole" | "InvalidScope"
  readonly message: string
  readonly hint: string
}

const refuse = (reason: Refusal["reason"], message: string, hint: string): Result.Result<never, Refusal> =>
  Result.fail({ reason, message, hint })

/** `*` for any characters and `?` for one, as a whole; neither stands for a slash. */
export const matches = (pattern: string, text: string): boolean => {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/gu, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]")
  return new RegExp(`^${source}$`, "u").test(text)
}

const hasWildcard = (pattern: string): boolean => /[*?]/u.test(pattern)

export const isNamespacePattern = (pattern: string): boolean =>
  /^(?:[a-z0-9*?-]{1,63}\/)?[a-z0-9*?-]{1,63}$/u.test(pattern)

export const isRolePattern = (pattern: string): boolean => /^(?:Role\/)?[\w.:@*?-]{1,253}$/u.test(pattern)

const allowsNamespace = (pattern: string, cluster: string, namespace: string): boolean => {
  const slash = pattern.indexOf("/")
  const [inCluster, named] = slash === -1 ? ["*", pattern] : [pattern.slice(0, slash), pattern.slice(slash + 1)]
  // The prefix is kept for Kubernetes' own: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
  if (namespace.startsWith("kube-") && hasWildcard(named)) return false
  return matches(inCluster, cluster) && matches(named, namespace)
}

const allowsRole = (pattern: string, role: string): boolean =>
  // https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings
  (role === "cluster-admin" || role.includes("system:")) && hasWildcard(pattern) ? false : matches(pattern, role)

export const roleText = ({ kind, name }: Target["role"]): string => (kind === "Role" ? `Role/${name}` : name)

export const scopeText = ({ cluster, namespace }: Target): string => `${cluster}/${namespace ?? "*"}`

const roleOf = (text: string): Result.Result<Target["role"], Refusal> => {
  const slash = text.indexOf("/")
  const [kind, name] = slash === -1 ? ["ClusterRole", text] : [text.slice(0, slash), text.slice(slash + 1)]
  return (kind === "ClusterRole" || kind === "Role") && roleName.test(name)
    ? Result.succeed({ kind, name })
    : refuse(
        "InvalidRole",
        "the role must be the name of a ClusterRole, or Role/name for a Role of the namespace",
        "Names are letters, digits and . : _ @ -, beginning and ending with a letter or digit."
      )
}

const placeOf = (text: string, allowed: Allowed): Result.Result<Pick<Target, "cluster" | "namespace">, Refusal> => {
  const slash = text.indexOf("/")
  const only = allowed.clusters.length === 1 ? allowed.clusters[0] : undefined
  const cluster = slash === -1 ? (allowed.defaultCluster ?? only) : text.slice(0, slash)
  if (cluster === undefined) {
    return refuse(
      "InvalidScope",
      "the scope must name its cluster: cluster/namespace",
      "There are several clusters and `providers.kubernetes.default_cluster` is not set."
    )
  }
  if (!allowed.clusters.includes(cluster)) {
    return refuse(
      "InvalidScope",
      "jitsudo does not know this cluster",
      "A scope is cluster/namespace, with a name from `providers.kubernetes.clusters`."
    )
  }
  const named = text.slice(slash + 1)
  if (named === "*") return Result.succeed({ cluster, namespace: null })
  const namespace = named === "" ? allowed.defaultNamespace : named
  if (namespace === undefined) {
    return refuse(
      "InvalidScope",
      "the scope must name its namespace: cluster/namespace, or cluster/* for the whole cluster",
      "`providers.kubernetes.default_namespace` is not set."
    )
  }
  return dnsLabel.test(namespace)
    ? Result.succeed({ cluster, namespace })
    : refuse(
        "InvalidScope",
        "a namespace is lower-case letters, digits and -, at most 63, beginning and ending with a letter or digit",
        "It is an RFC 1123 label; `*` alone stands for the whole cluster."
      )
}

/** What an ask means, whether or not it may be asked for. */
const targetOf = (
  ask: Pick<Provider.Ask, "role" | "resourceScope">,
  allowed: Allowed
): Result.Result<Target, Refusal> =>
  Result.flatMap(placeOf(ask.resourceScope, allowed), (place) =>
    Result.flatMap(roleOf(ask.role), (role) =>
      place.namespace === null && role.kind === "Role"
        ? refuse("InvalidRole", "a Role belongs to a namespace, not to the whole cluster", "Ask for a ClusterRole.")
        : Result.succeed({ ...place, role })
    )
  )

/** The target of an ask that may be asked for. */
export const parse = (
  ask: Pick<Provider.Ask, "role" | "resourceScope">,
  allowed: Allowed
): Result.Result<Target, Refusal> =>
  Result.flatMap(targetOf(ask, allowed), (target) => {
    const { cluster, namespace } = target
    const role = roleText(target.role)
    if (namespace === null) {
      return allowed.clusterWideRoles.some((pattern) => allowsRole(pattern, role))
        ? Result.succeed(target)
        : refuse(
            "InvalidRole",
            "jitsudo does not grant this role on a whole cluster",
            "Add it to `providers.kubernetes.cluster_wide_roles` if it should."
          )
    }
    if (!allowed.namespaces.some((pattern) => allowsNamespace(pattern, cluster, namespace))) {
      return refuse(
        "InvalidScope",
        "jitsudo does not reach this namespace",
        "Add it to `providers.kubernetes.namespaces` if it should; names that begin with kube- in full."
      )
    }
    return allowed.roles.some((pattern) => allowsRole(pattern, role))
      ? Result.succeed(target)
      : refuse(
          "InvalidRole",
          "jitsudo does not grant this role",
          "Add it to `providers.kubernetes.roles` if it should; cluster-admin and names with system: in full."
        )
  })

/**
 * The target of a canonical form that was accepted once, whatever the configuration allows today; null when the text is
 * no canonical form.
 */
export const fromCanonical = ({
  role,
  resourceScope
}: Pick<Provider.Canonical, "role" | "resourceScope">): Target | null => {
  const slash = resourceScope.indexOf("/")
  const cluster = slash === -1 ? "" : resourceScope.slice(0, slash)
  if (!dnsLabel.test(cluster)) return null
  const target = targetOf(
    { role, resourceScope },
    {
      clusters: [cluster],
      defaultCluster: undefined,
      defaultNamespace: undefined,
      namespaces: [],
      roles: [],
      clusterWideRoles: []
    }
  )
  return Result.isSuccess(target) ? target.success : null
}
