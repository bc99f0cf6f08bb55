/**
 * The wire server as a process of its own, for demos and crash tests: prints one line of JSON (its address and the
 * daemon's made-up token) and serves until it gets SIGTERM or SIGINT, or its standard input ends.
 *
 * An argument names a JSON file with `users` and `objects` as `KubernetesWire.start` takes them; without one there is the
 * demo's cluster. `GET /_wire/state`, `POST /_wire/faults`, `POST /_wire/advance` and `POST /_wire/lag` are its door for
 * tests.
 */
import { readFileSync } from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as KubernetesWire from "./KubernetesWire.ts"

const group = "rbac.authorization.k8s.io"
const daemon = "jitsudod"
const sessions = "jitsudo-sessions"
const namespaces = ["team-a", "team-b"]

const namespace = (name: string): KubernetesWire.Manifest => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name }
})

const clusterRole = (name: string, ...rules: ReadonlyArray<object>): KubernetesWire.Manifest => ({
  apiVersion: `${group}/v1`,
  kind: "ClusterRole",
  metadata: { name },
  rules
})

const reading = (resources: ReadonlyArray<string>): object => ({ apiGroups: [""], resources, verbs: ["get", "list"] })

const bound = (kind: "RoleBinding" | "ClusterRoleBinding", role: string, where?: string): KubernetesWire.Manifest => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name: role, ...(where === undefined ? {} : { namespace: where }) },
  roleRef: { apiGroup: group, kind: "ClusterRole", name: role },
  subjects: [{ apiGroup: group, kind: "User", name: daemon }]
})

/** The demo's cluster: two teams, two roles, and one identity that may hand them out, in both modes. */
const demo: Omit<KubernetesWire.WireOptions, "now"> = {
  users: [{ name: daemon, token: "made-up-for-the-wire-server" }],
  objects: [
    ...[...namespaces, sessions].map(namespace),
    clusterRole("view", reading(["pods", "configmaps"])),
    clusterRole("edit", reading(["pods", "configmaps", "serviceaccounts"]), {
      apiGroups: [""],
      resources: ["pods", "configmaps"],
      verbs: ["create", "update", "delete"]
    }),
    clusterRole(
      "jitsudo-reader",
      { apiGroups: [group], resources: ["rolebindings", "clusterrolebindings"], verbs: ["list"] },
      { apiGroups: [group], resources: ["clusterroles"], resourceNames: ["view", "edit"], verbs: ["get"] },
      { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] }
    ),
    clusterRole(
      "jitsudo-granter",
      { apiGroups: [group], resources: ["rolebindings"], verbs: ["create", "get", "delete"] },
      { apiGroups: [group], resources: ["clusterroles"], resourceNames: ["view", "edit"], verbs: ["bind"] }
    ),
    clusterRole(
      "jitsudo-accounts",
      { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["create", "get", "delete", "list"] },
      { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] }
    ),
    bound("ClusterRoleBinding", "jitsudo-reader"),
    ...namespaces.map((where) => bound("RoleBinding", "jitsudo-granter", where)),
    bound("RoleBinding", "jitsudo-accounts", sessions)
  ]
}

const file = process.argv[2]
const given: typeof demo = file === undefined ? demo : JSON.parse(readFileSync(file, "utf8"))
const wire = await KubernetesWire.start({ ...given, now: () => Effect.runSync(Clock.currentTimeMillis) })
const [user] = given.users

process.stdout.write(
  `${JSON.stringify({
    url: wire.url,
    pid: process.pid,
    token: user?.token,
    namespaces,
    roles: ["view", "edit"],
    serviceAccountNamespace: sessions
  })}\n`
)

const stop = (): void => {
  void wire.close().then(() => process.exit(0))
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
process.stdin.once("end", stop).resume()
