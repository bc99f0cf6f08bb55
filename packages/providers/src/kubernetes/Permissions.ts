/**
 * What the daemon's identity must be allowed, asked of the API server itself by SelfSubjectAccessReview: every signed-in
 * identity may ask what it may do, and nothing is changed
 * (https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access).
 *
 * Without a target it asks about what is not of any one namespace; with one about that right as well.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { Access, KubernetesCalls } from "./KubernetesCalls.ts"
import type { KubernetesConfig } from "./KubernetesConfig.ts"
import type { Subject } from "./Subject.ts"
import type { Target } from "./Target.ts"

const group = "rbac.authorization.k8s.io"

/** For reconciliation, in every cluster. */
const listing: ReadonlyArray<Access> = [
  { verb: "list", group, resource: "rolebindings" },
  { verb: "list", group, resource: "clusterrolebindings" }
]

const accounts = (namespace: string): ReadonlyArray<Access> => [
  ...["create", "get", "delete", "list"].map((verb) => ({ verb, group: "", resource: "serviceaccounts", namespace })),
  { verb: "create", group: "", resource: "serviceaccounts", subresource: "token", namespace }
]

/** For one right. A binding in a namespace may be made by who may `bind` there. */
const granting = ({ namespace, role }: Target): ReadonlyArray<Access> => {
  const within = namespace === null ? {} : { namespace }
  const resource = namespace === null ? "clusterrolebindings" : "rolebindings"
  const roles = { group, resource: role.kind === "Role" ? "roles" : "clusterroles", name: role.name }
  return [
    ...["create", "get", "delete"].map((verb) => ({ verb, group, resource, ...within })),
    { verb: "get", ...roles, ...(role.kind === "Role" ? within : {}) },
    { verb: "bind", ...roles, ...within },
    ...(namespace === null ? [] : [{ verb: "get", group: "", resource: "namespaces", name: namespace, namespace }])
  ]
}

/** As a rule of RBAC would have to name it. */
const spelled = ({ group: of, name, namespace, resource, subresource, verb }: Access): string =>
  [
    `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`}${of === "" ? "" : `.${of}`}`,
    ...(name === undefined ? [] : [`resourceNames: ${name}`]),
    ...(namespace === undefined ? ["in the whole cluster"] : [`in the namespace ${namespace}`])
  ].join(", ")

const hintOf = ({ verb }: Access): string =>
  verb === "bind"
    ? "Add it to a role of the daemon's identity. Without it only an identity that has every permission of the role itself may bind it."
    : "Add it to a role of the daemon's identity."

const diagnoseIn = (
  config: KubernetesConfig,
  calls: KubernetesCalls,
  cluster: string,
  target: Target | null
): Effect.Effect<ReadonlyArray<Provider.Finding>, Provider.ProviderError> =>
  Effect.gen(function* () {
    const who = yield* Effect.result(calls.whoAmI(cluster))
    const signedIn: Provider.Finding =
      who._tag === "Success"
        ? { what: `${cluster}: credentials`, ok: true, missing: null, hint: `signed in as ${who.success}` }
        : {
            what: `${cluster}: credentials`,
            ok: false,
            missing: null,
            hint: `${who.failure.message}. ${who.failure.hint}`
          }
    if (!signedIn.ok) return [signedIn]
    const home = config.service_account_namespace
    const asked = [
      ...listing,
      ...(home === undefined ? [] : accounts(home)),
      ...(target === null ? [] : granting(target))
    ]
    const findings = yield* Effect.forEach(asked, (access) =>
      Effect.map(calls.may(cluster, access), (ok): Provider.Finding => {
        const what = spelled(access)
        return { what: `${cluster}: ${what}`, ok, missing: ok ? null : what, hint: ok ? "" : hintOf(access) }
      })
    )
    return [signedIn, ...findings]
  })

/** `subject`: whom the grant would bind; null when the requester has no name there, undefined when nobody was named. */
export const diagnose = (
  config: KubernetesConfig,
  calls: KubernetesCalls,
  target: Target | null,
  subject: Subject | null | undefined
): Effect.Effect<ReadonlyArray<Provider.Finding>, Provider.ProviderError> => {
  const clusters = target === null ? Object.keys(config.clusters) : [target.cluster]
  const named: ReadonlyArray<Provider.Finding> =
    subject === undefined || config.mode === "service_account"
      ? []
      : [
          subject === null
            ? {
                what: "the requester's name in the cluster",
                ok: false,
                missing: null,
                hint: "`user_template` (or `group_template`) gives none for this requester."
              }
            : {
                what: "the requester's name in the cluster",
                ok: true,
                missing: null,
                hint: `${subject.kind} ${subject.name}; whether the cluster knows it, only a sign-in shows`
              }
        ]
  return Effect.map(
    Effect.forEach(clusters, (cluster) => diagnoseIn(config, calls, cluster, target)),
    (found) => [...found.flat(), ...named]
  )
}
