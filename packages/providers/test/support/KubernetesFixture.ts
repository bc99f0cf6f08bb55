/**
 * The provider `kubernetes` over the official client, against the wire server, as an identity that may do what the guide's
 * manifests say and nothing else.
 */
import { loadAllYaml } from "@kubernetes/client-node"
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { KubernetesConfig, make } from "@jitsudo/providers/kubernetes"
import type { KubernetesWire, ProviderFixture } from "@jitsudo/providers/testing"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

export type Manifest = KubernetesWire.Manifest

/** Who the guide's manifests give permissions to. */
export const daemon = { name: "system:serviceaccount:jitsudo:jitsudod", token: "made-up-token-of-the-daemon" }
export const cluster = "main"
export const managed = "jitsudo.dev/managed"
export const rbac = "rbac.authorization.k8s.io"

/** The documents of a manifest of the guide. */
export const guideManifests = (file: string): ReadonlyArray<Manifest> =>
  loadAllYaml(readFileSync(new URL(`../../../../docs/guides/providers/${file}`, import.meta.url), "utf8"))

export const rbacManifests = guideManifests("kubernetes-rbac.yaml")
export const accountManifests = guideManifests("kubernetes-rbac-accounts.yaml")

const role = (
  kind: "Role" | "ClusterRole",
  name: string,
  verbs: ReadonlyArray<string>,
  namespace?: string
): Manifest => ({
  apiVersion: `${rbac}/v1`,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
  rules: [{ apiGroups: [""], resources: ["configmaps", "pods"], verbs }]
})

const named = (name: string): Manifest => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** What the guide's manifests speak of: its namespaces and the roles that are granted there. */
export const world: ReadonlyArray<Manifest> = [
  named("team-a"),
  named("team-b"),
  role("ClusterRole", "view", ["get", "list", "watch"]),
  role("ClusterRole", "edit", ["get", "list", "watch", "create", "update", "delete"]),
  role("Role", "deployer", ["create"], "team-a")
]

export const wireOptions = (
  objects: ReadonlyArray<Manifest> = [...world, ...rbacManifests],
  users: ReadonlyArray<KubernetesWire.WireUser> = []
): KubernetesWire.WireOptions => ({ now: Date.now, users: [daemon, ...users], objects })

export const userMode = { user_template: "oidc:{email}" }
export const accountMode = { mode: "service_account", service_account_namespace: "jitsudo-sessions" }

export const decode = (section: object): KubernetesConfig =>
  Schema.decodeUnknownSync(KubernetesConfig)(section, { onExcessProperty: "error" })

export const sectionOf = (url: string, tokenFile: string, fields: object = userMode): object => ({
  clusters: { [cluster]: { server: url, token_file: tokenFile } },
  namespaces: ["team-*", "missing-*"],
  roles: ["view", "edit", "missing-*", "Role/*"],
  cluster_wide_roles: ["view"],
  ...fields
})

/** A directory that goes with the scope. */
export const directory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-k8s-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A file with the daemon's token. */
export const tokenFile = (token: string = daemon.token): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(directory, (path) => {
    const file = join(path, "token")
    // As an editor leaves it.
    writeFileSync(file, `${token}\n`, { mode: 0o600 })
    return file
  })

export const providerOf = (
  wire: { readonly url: string },
  fields: object = userMode
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError, Scope.Scope> =>
  Effect.flatMap(tokenFile(), (file) => make(decode(sectionOf(wire.url, file, fields))))

export const alice: Provider.Grantee = {
  issuer: "https://issuer.test",
  subject: "alice",
  email: "alice@example.com"
}
export const aliceInCluster = { name: "oidc:alice@example.com", groups: [] }

const endOf = (annotations: Readonly<Record<string, string>> | undefined): Time.Time =>
  Time.make(Date.parse(annotations?.["jitsudo.dev/expires-at"] ?? ""))

/** Bindings with our mark that somebody can use. */
export const liveRights = (wire: KubernetesWire.KubernetesWire) =>
  wire.rights(managed).map(({ binding }) => ({
    requestId: binding.metadata.labels?.["jitsudo.dev/request-id"] ?? "",
    notAfter: endOf(binding.metadata.annotations)
  }))

export const ask = (askedRole: string, resourceScope: string): Provider.Ask => ({
  role: askedRole,
  resourceScope,
  durationSeconds: 1800
})

export const asks = [
  ask("view", `${cluster}/team-a`),
  ask("edit", `${cluster}/team-b`),
  ask("Role/deployer", `${cluster}/team-a`),
  ask("view", `${cluster}/*`)
] as const

/** `first` is what a grant calls first: before it, nothing has happened. */
export const fixtureOf = (
  wire: KubernetesWire.KubernetesWire,
  provider: Provider.Provider,
  first = `${rbac}/rolebindings:create`
): ProviderFixture => {
  const operation = { grant: first, end: `${rbac}/rolebindings:delete` } as const
  const inject = (kind: "throttle" | "unavailable" | "loseAnswer") => (which: "grant" | "end") =>
    Effect.sync(() => wire.inject(operation[which], { kind }))
  return {
    provider,
    asks,
    grantee: alice,
    now: Effect.sync(() => Time.make(wire.now())),
    // The time that a call takes.
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => wire.advance(seconds)),
    live: Effect.sync(() => liveRights(wire)),
    faults: {
      failBefore: inject("unavailable"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: (which) =>
        Effect.sync(() => {
          // Held is what makes the right, whatever comes before it.
          const held = wire.hold(which === "grant" ? `${rbac}/rolebindings:create` : operation.end)
          return { reached: Effect.promise(() => held.reached), release: Effect.sync(held.release) }
        })
    },
    hide: null,
    missing: ask("missing-role", `${cluster}/team-a`)
  }
}
