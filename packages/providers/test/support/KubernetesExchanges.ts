/**
 * Requests and what an API server says to them, as data: the wire server and a real API server answer the same table, so
 * that the one is shown to be as strict as the other.
 */
import { type Manifest, rbac } from "./KubernetesFixture.ts"

export type Who = "admin" | "daemon" | "alice" | "maker" | "nobody"

export interface Exchange {
  readonly name: string
  readonly as: Who
  readonly method: "GET" | "POST" | "DELETE"
  readonly path: string
  readonly body?: object
  readonly status: number
  /** Of a refusal. */
  readonly reason?: string
  /** What the body must have in it. */
  readonly says?: RegExp
}

const team = `/apis/${rbac}/v1/namespaces/team-a`
const whole = `/apis/${rbac}/v1`
const home = "/api/v1/namespaces/jitsudo-sessions/serviceaccounts"

export const binding = (name: string, part: object = {}): object => ({
  apiVersion: `${rbac}/v1`,
  kind: "RoleBinding",
  metadata: { name },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "view" },
  subjects: [{ kind: "User", name: "somebody", apiGroup: rbac }],
  ...part
})

const clusterBinding = (name: string, part: object = {}): object =>
  binding(name, { kind: "ClusterRoleBinding", ...part })

const role = (name: string, resources: ReadonlyArray<string>): object => ({
  apiVersion: `${rbac}/v1`,
  kind: "Role",
  metadata: { name },
  rules: [{ apiGroups: [""], resources, verbs: ["get"] }]
})

const account = (name: string, part: object = {}): object => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, ...part }
})

const tokenRequest = (seconds: number): object => ({
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenRequest",
  spec: { audiences: [], expirationSeconds: seconds }
})

const deletion = (uid: string): object => ({ apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } })

const access = (attributes: object): object => ({
  apiVersion: "authorization.k8s.io/v1",
  kind: "SelfSubjectAccessReview",
  spec: { resourceAttributes: attributes }
})

const refRole = (kind: string, name: string, apiGroup: string = rbac): object => ({ roleRef: { apiGroup, kind, name } })
const subject = (part: object): object => ({ subjects: [part] })

/** Somebody who may make roles and bindings, and holds one right, but may neither `bind` nor `escalate`. */
export const makerManifests: ReadonlyArray<Manifest> = [
  // A real server brings it.
  {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRole",
    metadata: { name: "cluster-admin" },
    rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRole",
    metadata: { name: "maker" },
    rules: [
      { apiGroups: [rbac], resources: ["roles", "rolebindings"], verbs: ["create"] },
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get"] }
    ]
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: "RoleBinding",
    metadata: { name: "maker", namespace: "team-a" },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "maker" },
    subjects: [{ kind: "User", name: "maker", apiGroup: rbac }]
  },
  {
    apiVersion: `${rbac}/v1`,
    kind: "Role",
    metadata: { name: "held", namespace: "team-a" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get"] }]
  },
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "team-c" } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "somebody", namespace: "jitsudo-sessions" } },
  {
    apiVersion: `${rbac}/v1`,
    kind: "RoleBinding",
    metadata: { name: "there", namespace: "team-a", labels: { "example.test/group": "one" } },
    roleRef: { apiGroup: rbac, kind: "Role", name: "held" },
    subjects: []
  }
]

/** In order: a later one may speak of what an earlier one made. */
export const exchanges: ReadonlyArray<Exchange> = [
  // Signing in.
  { name: "no token", as: "nobody", method: "GET", path: `${team}/rolebindings`, status: 401, reason: "Unauthorized" },

  // Permissions.
  {
    name: "a list that the daemon may read",
    as: "daemon",
    method: "GET",
    path: `${whole}/rolebindings`,
    status: 200,
    says: /"RoleBindingList"/u
  },
  {
    name: "a list in one namespace, by a permission for all",
    as: "daemon",
    method: "GET",
    path: `${team}/rolebindings?labelSelector=example.test/group%3Done`,
    status: 200,
    says: /"there"/u
  },
  {
    name: "a selector that matches nothing",
    as: "daemon",
    method: "GET",
    path: `${team}/rolebindings?labelSelector=example.test/group%3Dother`,
    status: 200,
    says: /"items":\[\]/u
  },
  {
    name: "a list without permission",
    as: "alice",
    method: "GET",
    path: `${whole}/rolebindings`,
    status: 403,
    reason: "Forbidden"
  },
  {
    name: "a role by its name, where resourceNames has it",
    as: "daemon",
    method: "GET",
    path: `${whole}/clusterroles/view`,
    status: 200
  },
  {
    name: "another role, where resourceNames has it not",
    as: "daemon",
    method: "GET",
    path: `${whole}/clusterroles/cluster-admin`,
    status: 403,
    reason: "Forbidden"
  },
  {
    name: "a list of roles, which resourceNames never allows",
    as: "daemon",
    method: "GET",
    path: `${whole}/clusterroles`,
    status: 403,
    reason: "Forbidden"
  },
  {
    name: "a namespace",
    as: "daemon",
    method: "GET",
    path: "/api/v1/namespaces/team-a",
    status: 200,
    says: /"team-a"/u
  },
  {
    name: "a namespace that is not there",
    as: "daemon",
    method: "GET",
    path: "/api/v1/namespaces/team-z",
    status: 404,
    reason: "NotFound"
  },
  {
    name: "asking what one may, as anybody",
    as: "alice",
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: access({ verb: "create", group: rbac, resource: "rolebindings", namespace: "team-a" }),
    status: 201,
    says: /"allowed":false/u
  },
  {
    name: "asking what one may, and one may",
    as: "daemon",
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: access({ verb: "bind", group: rbac, resource: "clusterroles", namespace: "team-a", name: "view" }),
    status: 201,
    says: /"allowed":true/u
  },
  {
    name: "asking what one may elsewhere",
    as: "daemon",
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    body: access({ verb: "bind", group: rbac, resource: "clusterroles", namespace: "team-c", name: "edit" }),
    status: 201,
    says: /"allowed":false/u
  },
  {
    name: "asking who one is",
    as: "alice",
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
    status: 201,
    says: /oidc:alice@example\.com/u
  },

  // Escalation.
  {
    name: "binding with the verb bind",
    as: "daemon",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("by-bind"),
    status: 201
  },
  {
    name: "binding a Role with the verb bind",
    as: "daemon",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("by-bind-role", refRole("Role", "deployer")),
    status: 201
  },
  {
    name: "binding another role than resourceNames has",
    as: "daemon",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("not-bindable", refRole("ClusterRole", "cluster-admin")),
    status: 403,
    reason: "Forbidden",
    says: /not currently held/u
  },
  {
    name: "binding where nothing was given",
    as: "daemon",
    method: "POST",
    path: `/apis/${rbac}/v1/namespaces/team-c/rolebindings`,
    body: binding("elsewhere"),
    status: 403,
    reason: "Forbidden"
  },
  {
    name: "binding on the whole cluster with the verb bind",
    as: "daemon",
    method: "POST",
    path: `${whole}/clusterrolebindings`,
    body: clusterBinding("everywhere"),
    status: 201
  },
  {
    name: "binding on the whole cluster what may be bound in namespaces only",
    as: "daemon",
    method: "POST",
    path: `${whole}/clusterrolebindings`,
    body: clusterBinding("edit-everywhere", refRole("ClusterRole", "cluster-admin")),
    status: 403,
    reason: "Forbidden",
    says: /not currently held/u
  },
  {
    name: "binding what one holds",
    as: "maker",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("by-holding", refRole("Role", "held")),
    status: 201
  },
  {
    name: "binding what one does not hold",
    as: "maker",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("not-held", refRole("ClusterRole", "cluster-admin")),
    status: 403,
    reason: "Forbidden",
    says: /not currently held/u
  },
  {
    name: "binding what does not exist, without bind",
    as: "maker",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("to-nothing", refRole("Role", "no-such-role")),
    status: 404,
    reason: "NotFound"
  },
  {
    name: "making a role of what one holds",
    as: "maker",
    method: "POST",
    path: `${team}/roles`,
    body: role("of-held", ["configmaps"]),
    status: 201
  },
  {
    name: "making a role of more",
    as: "maker",
    method: "POST",
    path: `${team}/roles`,
    body: role("of-more", ["configmaps", "secrets"]),
    status: 403,
    reason: "Forbidden",
    says: /not currently held/u
  },

  // Names and fields.
  {
    name: "a binding whose name has an underscore",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("with_underscore"),
    status: 201
  },
  {
    name: "a binding whose name has a percent sign",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("50%"),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a binding without a name",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding(""),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a name that is there already",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("there"),
    status: 409,
    reason: "AlreadyExists"
  },
  {
    name: "an account whose name has an underscore",
    as: "admin",
    method: "POST",
    path: home,
    body: account("with_underscore"),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a label that is no label",
    as: "admin",
    method: "POST",
    path: home,
    body: account("labelled", { labels: { "jitsudo.dev/reason": "look at it" } }),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a label that is too long",
    as: "admin",
    method: "POST",
    path: home,
    body: account("labelled", { labels: { long: "x".repeat(64) } }),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "annotations beyond 256 KiB",
    as: "admin",
    method: "POST",
    path: home,
    body: account("noted", { annotations: { long: "x".repeat(262_144) } }),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "an annotation of any text",
    as: "admin",
    method: "POST",
    path: home,
    body: account("noted", { annotations: { "jitsudo.dev/reason": 'é — \\u0000 "<>' } }),
    status: 201
  },
  {
    name: "an annotation that is a number",
    as: "admin",
    method: "POST",
    path: home,
    body: account("numbered", { annotations: { "jitsudo.dev/reason": 1 } }),
    status: 400,
    reason: "BadRequest"
  },
  {
    name: "an unknown field",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings?fieldValidation=Strict`,
    body: binding("unknown", { subject: [] }),
    status: 400,
    reason: "BadRequest"
  },
  {
    name: "another kind than the address says",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: clusterBinding("other-kind"),
    status: 400,
    reason: "BadRequest"
  },
  {
    name: "another namespace than the address says",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("other-namespace", { metadata: { name: "other-namespace", namespace: "team-b" } }),
    status: 400,
    reason: "BadRequest"
  },
  {
    name: "a namespace that does not exist",
    as: "admin",
    method: "POST",
    path: `/apis/${rbac}/v1/namespaces/team-z/rolebindings`,
    body: binding("nowhere"),
    status: 404,
    reason: "NotFound",
    says: /"kind":"namespaces"/u
  },
  {
    name: "a group of another API",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("other-group", refRole("ClusterRole", "view", "apps")),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a kind of role that there is none of",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("other-kind", refRole("Roles", "view")),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a Role for the whole cluster",
    as: "admin",
    method: "POST",
    path: `${whole}/clusterrolebindings`,
    body: clusterBinding("a-role", refRole("Role", "deployer")),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a kind of subject that there is none of",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("robot", subject({ kind: "Robot", name: "r" })),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a subject without a name",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("nobody", subject({ kind: "User", name: "", apiGroup: rbac })),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a subject of another API",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("apps-user", subject({ kind: "User", name: "u", apiGroup: "apps" })),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "an account as a subject of the whole cluster, without its namespace",
    as: "admin",
    method: "POST",
    path: `${whole}/clusterrolebindings`,
    body: clusterBinding("homeless", subject({ kind: "ServiceAccount", name: "s" })),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "an account as a subject, with a name that no account has",
    as: "admin",
    method: "POST",
    path: `${team}/rolebindings`,
    body: binding("no-account", subject({ kind: "ServiceAccount", name: "s_s", namespace: "team-a" })),
    status: 422,
    reason: "Invalid"
  },

  // Trying out.
  {
    name: "a binding as a dry run",
    as: "daemon",
    method: "POST",
    path: `${team}/rolebindings?dryRun=All`,
    body: binding("tried"),
    status: 201
  },
  {
    name: "what a dry run made",
    as: "admin",
    method: "GET",
    path: `${team}/rolebindings/tried`,
    status: 404,
    reason: "NotFound"
  },

  // Tokens.
  {
    name: "a token for ten minutes",
    as: "daemon",
    method: "POST",
    path: `${home}/somebody/token`,
    body: tokenRequest(600),
    status: 201,
    says: /"expirationTimestamp"/u
  },
  {
    name: "a token for less",
    as: "daemon",
    method: "POST",
    path: `${home}/somebody/token`,
    body: tokenRequest(599),
    status: 422,
    reason: "Invalid"
  },
  {
    name: "a token for nobody",
    as: "daemon",
    method: "POST",
    path: `${home}/nobody/token`,
    body: tokenRequest(600),
    status: 404,
    reason: "NotFound"
  },
  {
    name: "a token without permission",
    as: "alice",
    method: "POST",
    path: `${home}/somebody/token`,
    body: tokenRequest(600),
    status: 403,
    reason: "Forbidden"
  },

  // Deleting.
  {
    name: "deleting an object of that name with another uid",
    as: "daemon",
    method: "DELETE",
    path: `${team}/rolebindings/by-bind`,
    body: deletion("00000000-0000-4000-8000-000000000000"),
    status: 409,
    reason: "Conflict"
  },
  {
    name: "deleting it",
    as: "daemon",
    method: "DELETE",
    path: `${team}/rolebindings/by-bind`,
    status: 200,
    says: /"Success"/u
  },
  {
    name: "deleting it again",
    as: "daemon",
    method: "DELETE",
    path: `${team}/rolebindings/by-bind`,
    status: 404,
    reason: "NotFound",
    says: /"kind":"rolebindings"/u
  },
  {
    name: "reading it then",
    as: "daemon",
    method: "GET",
    path: `${team}/rolebindings/by-bind`,
    status: 404,
    reason: "NotFound"
  },
  { name: "deleting an account", as: "daemon", method: "DELETE", path: `${home}/noted`, status: 200 },
  {
    name: "deleting without permission",
    as: "alice",
    method: "DELETE",
    path: `${team}/rolebindings/there`,
    status: 403,
    reason: "Forbidden"
  },

  // Pages.
  {
    name: "a first page",
    as: "daemon",
    method: "GET",
    path: `${whole}/rolebindings?limit=1`,
    status: 200,
    says: /"continue":"[^"]+"/u
  },
  {
    name: "a page that nobody gave",
    as: "daemon",
    method: "GET",
    path: `${whole}/rolebindings?limit=1&continue=made-up`,
    status: 400,
    reason: "BadRequest"
  }
]

export interface Answered {
  readonly status: number
  readonly text: string
}

/** Why an answer is not the expected one; null when it is. */
export const whyNotExpected = ({ reason, says, status }: Exchange, answered: Answered): string | null => {
  const body: { reason?: string } = answered.text.startsWith("{") ? JSON.parse(answered.text) : {}
  const told = `${answered.status} ${body.reason ?? ""}: ${answered.text.slice(0, 600)}`
  if (answered.status !== status) return `status ${status} expected, got ${told}`
  if (reason !== undefined && body.reason !== reason) return `reason ${reason} expected, got ${told}`
  return says === undefined || says.test(answered.text.replaceAll(/":\s+/gu, '":'))
    ? null
    : `${says} expected in ${told}`
}
