/**
 * The provider `kubernetes` over the official client against the wire server: what is particular to Kubernetes, which
 * permissions that takes, and what happens when strangers are at the same objects.
 */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node"
import { assert, describe, it } from "@effect/vitest"
import { Provider, Time } from "@jitsudo/core"
import { make, type Options } from "@jitsudo/providers/kubernetes"
import { hostileTexts, KubernetesWire } from "@jitsudo/providers/testing"
import { createServer } from "node:http"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import {
  accountManifests,
  accountMode,
  alice,
  aliceInCluster,
  asks,
  cluster,
  daemon,
  decode,
  liveRights,
  managed,
  type Manifest,
  providerOf,
  rbac,
  rbacManifests,
  sectionOf,
  tokenFile,
  userMode,
  wireOptions,
  world
} from "./support/KubernetesFixture.ts"

type Wire = KubernetesWire.KubernetesWire

const idOf = (number: number): string => `req_${String(number).padStart(26, "0")}`
const nameOf = (number: number): string => `jitsudo-${idOf(number)}`
const nowOf = (wire: Wire): Time.Time => Time.make(wire.now())
const view: Provider.Canonical = { role: "view", resourceScope: `${cluster}/team-a`, durationSeconds: 1800 }

const grantOf = (wire: Wire, number: number, part: Partial<Provider.GrantRequest> = {}): Provider.GrantRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical: view,
  checked: {},
  reason: "INC-1: look at the queue",
  metadata: {},
  now: nowOf(wire),
  neighbours: [],
  ...part
})

const endOf = (wire: Wire, number: number, part: Partial<Provider.EndRequest> = {}): Provider.EndRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical: view,
  checked: {},
  reference: null,
  notAfter: Time.plusSeconds(nowOf(wire), 1800),
  why: "early",
  now: nowOf(wire),
  neighbours: [],
  ...part
})

const everything = [...world, ...rbacManifests, ...accountManifests]

const started = (fields: object = userMode, objects: ReadonlyArray<Manifest> = everything) =>
  Effect.gen(function* () {
    const wire = yield* KubernetesWire.scoped(wireOptions(objects))
    return { wire, provider: yield* providerOf(wire, fields) }
  })

const binding = (wire: Wire, number: number) => wire.get("RoleBinding", "team-a", nameOf(number))

/** A binding that somebody else made, for somebody else, unless said otherwise. */
const strangers = (name: string, part: object = {}): Manifest => ({
  apiVersion: `${rbac}/v1`,
  kind: "RoleBinding",
  metadata: { name, namespace: "team-a" },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "edit" },
  subjects: [{ kind: "User", name: "mallory", apiGroup: rbac }],
  ...part
})

const livingIds = (wire: Wire): ReadonlyArray<string> => liveRights(wire).map(({ requestId }) => requestId)
const told = ({ effect, reason, retryable }: Provider.ProviderError) => [reason, retryable, effect]

/** Whether somebody may read pods in a namespace. */
const mayRead = (
  wire: Wire,
  namespace: string,
  who: { name: string; groups: ReadonlyArray<string> } = aliceInCluster
) => wire.allows(who, { verb: "get", group: "", resource: "pods", namespace, name: "one" })

describe("what is asked for", () => {
  const parsed = (fields: object, role: string, resourceScope: string) =>
    Effect.map(started({ ...userMode, ...fields }), ({ provider }) =>
      Result.match(provider.parse({ role, resourceScope, durationSeconds: 1800 }), {
        onSuccess: (canonical) => `${canonical.resourceScope} ${canonical.role}`,
        onFailure: ({ reason }) => reason
      })
    )

  it.live.each([
    ["a namespace of the only cluster", {}, "view", "team-a", "main/team-a view"],
    ["a namespace of a cluster", {}, "view", "main/team-a", "main/team-a view"],
    ["a ClusterRole, said so", {}, "ClusterRole/view", "team-a", "main/team-a view"],
    ["a Role of the namespace", {}, "Role/deployer", "team-a", "main/team-a Role/deployer"],
    ["the whole cluster", {}, "view", "*", "main/* view"],
    [
      "the whole cluster, although there is a default namespace",
      { default_namespace: "team-a" },
      "view",
      "*",
      "main/* view"
    ],
    ["the whole cluster by its name", { default_namespace: "team-a" }, "view", "main/*", "main/* view"],
    ["an empty namespace, with a default", { default_namespace: "team-b" }, "view", "main/", "main/team-b view"],
    ["an empty namespace, without a default", {}, "view", "main/", "InvalidScope"],
    ["no cluster's name", {}, "view", "/team-a", "InvalidScope"],
    ["another cluster", {}, "view", "other/team-a", "InvalidScope"],
    ["a path", {}, "view", "main/team-a/pods", "InvalidScope"],
    ["a namespace in capitals", {}, "view", "Team-A", "InvalidScope"],
    ["a namespace with a dot", {}, "view", "team-a.b", "InvalidScope"],
    ["64 characters", {}, "view", `team-${"a".repeat(59)}`, "InvalidScope"],
    ["a namespace that is not listed", {}, "view", "default", "InvalidScope"],
    ["stars within", {}, "view", "team-*", "InvalidScope"],
    ["a role that is not listed", {}, "admin", "team-a", "InvalidRole"],
    ["a Role on the whole cluster", {}, "Role/deployer", "*", "InvalidRole"],
    ["a role on the whole cluster that is for namespaces only", {}, "edit", "*", "InvalidRole"],
    ["a kind of role that there is none of", {}, "Group/view", "team-a", "InvalidRole"],
    ["a path as a role", { roles: ["*"] }, "..", "team-a", "InvalidRole"],
    ["an encoded path as a role", { roles: ["*"] }, "%2e%2e", "team-a", "InvalidRole"],
    ["cluster-admin, which no wildcard reaches", { roles: ["*"] }, "cluster-admin", "team-a", "InvalidRole"],
    [
      "cluster-admin, written out",
      { roles: ["*", "cluster-admin"] },
      "cluster-admin",
      "team-a",
      "main/team-a cluster-admin"
    ],
    ["a role of the system, which no wildcard reaches", { roles: ["*", "s*"] }, "system:node", "team-a", "InvalidRole"],
    ["kube-system, which no wildcard reaches", { namespaces: ["*"] }, "view", "kube-system", "InvalidScope"],
    ["kube-system, written out", { namespaces: ["*", "kube-system"] }, "view", "kube-system", "main/kube-system view"]
  ] as const)("%s", ([, fields, role, scope, expected]) =>
    Effect.map(parsed(fields, role, scope), (found) => assert.strictEqual(found, expected))
  )

  it.live("must name its cluster where there are several, unless one is the default", () =>
    Effect.gen(function* () {
      const file = yield* tokenFile()
      const clusters = {
        prod: { server: "http://127.0.0.1:1", token_file: file },
        staging: { server: "http://127.0.0.1:2", token_file: file }
      }
      const section = { ...sectionOf("", file), clusters, namespaces: ["prod/team-a", "staging/*"] }
      const ask = (resourceScope: string) => ({ role: "view", resourceScope, durationSeconds: 600 })
      const without = yield* make(decode(section))
      const refused = Result.flip(without.parse(ask("team-a")))
      assert.include(Result.isSuccess(refused) ? refused.success.message : "", "must name its cluster")
      assert.deepStrictEqual(Result.isSuccess(without.parse(ask("prod/team-b"))), false)
      assert.deepStrictEqual(Result.isSuccess(without.parse(ask("staging/team-b"))), true)
      const withDefault = yield* make(decode({ ...section, default_cluster: "staging" }))
      const parsedScope = Result.map(withDefault.parse(ask("team-a")), ({ resourceScope }) => resourceScope)
      assert.deepStrictEqual(Result.getOrNull(parsedScope), "staging/team-a")
    })
  )

  it.live("is looked for in the cluster before anybody decides", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const check = (role: string, resourceScope: string, grantee = alice) =>
        Effect.map(Effect.result(provider.check({ role, resourceScope, durationSeconds: 600 }, grantee)), (answer) =>
          Result.isSuccess(answer) ? "ok" : answer.failure.reason
        )
      assert.strictEqual(yield* check("view", "main/team-a"), "ok")
      assert.strictEqual(yield* check("view", "main/*"), "ok")
      assert.strictEqual(yield* check("Role/deployer", "main/team-a"), "ok")
      assert.strictEqual(yield* check("view", "main/missing-1"), "InvalidScope")
      wire.edit("Namespace", null, "team-b", (before) => ({ ...before, status: { phase: "Terminating" } }))
      assert.strictEqual(yield* check("view", "main/team-b"), "InvalidScope")
      wire.remove("ClusterRole", null, "view")
      assert.strictEqual(yield* check("view", "main/team-a"), "RoleNotFound")
      assert.strictEqual(yield* check("edit", "main/team-a", { ...alice, email: null }), "PrincipalNotFound")
    })
  )

  it.live("goes to the cluster that was named, and to no other", () =>
    Effect.gen(function* () {
      const [prod, staging] = [
        yield* KubernetesWire.scoped(wireOptions(everything)),
        yield* KubernetesWire.scoped(wireOptions(everything))
      ]
      const file = yield* tokenFile()
      const clusters = {
        prod: { server: prod.url, token_file: file },
        staging: { server: staging.url, token_file: file }
      }
      const provider = yield* make(decode({ ...sectionOf("", file), clusters }))
      const canonical = { ...view, resourceScope: "staging/team-a" }
      yield* provider.grant(grantOf(prod, 1, { canonical }))
      assert.deepStrictEqual([livingIds(prod), livingIds(staging)], [[], [idOf(1)]])
      yield* provider.grant(grantOf(prod, 2, { canonical: { ...view, resourceScope: "prod/team-a" } }))
      const listed = yield* provider.list()
      assert.deepStrictEqual(listed.map(({ resourceKey }) => resourceKey).toSorted(), [
        "prod/team-a view",
        "staging/team-a view"
      ])
      yield* provider.end(endOf(prod, 1, { canonical }))
      assert.deepStrictEqual([livingIds(prod), livingIds(staging)], [[idOf(2)], []])
    })
  )
})

describe("a binding", () => {
  it.live("gives its subject the right, and says whose it is, why, and until when", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      assert.isFalse(mayRead(wire, "team-a"))
      const granted = yield* provider.grant(
        grantOf(wire, 1, { installation: "here", metadata: { ticket: "INC-1" }, reason: "now\nreally\u202e" })
      )
      assert.isTrue(mayRead(wire, "team-a"))
      assert.isFalse(mayRead(wire, "team-b"))
      const made = binding(wire, 1)
      assert.deepStrictEqual(made?.metadata.labels, {
        [managed]: "true",
        "jitsudo.dev/request-id": idOf(1),
        "jitsudo.dev/installation": "here"
      })
      assert.deepStrictEqual(made?.metadata.annotations, {
        "jitsudo.dev/expires-at": Time.toRfc3339(granted.notAfter),
        "jitsudo.dev/request-id": idOf(1),
        "jitsudo.dev/user": "alice@example.com",
        "jitsudo.dev/reason": "now\\u{a}really\\u{202e}",
        "jitsudo.dev/role": "view",
        "jitsudo.dev/scope": "main/team-a",
        "jitsudo.dev/metadata": '{"ticket":"INC-1"}'
      })
      assert.deepStrictEqual(made?.["subjects"], [{ apiGroup: rbac, kind: "User", name: "oidc:alice@example.com" }])
      assert.deepStrictEqual(granted.credentials, {
        JITSUDO_K8S_CLUSTER: "main",
        JITSUDO_K8S_NAMESPACE: "team-a",
        JITSUDO_K8S_ROLE: "view"
      })
      yield* provider.end(endOf(wire, 1, { reference: granted.reference }))
      assert.isFalse(mayRead(wire, "team-a"))
    })
  )

  it.live("of the whole cluster is one, and of a namespace never is", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ ...userMode, default_namespace: "team-a" })
      const parsed = provider.parse({ role: "view", resourceScope: "*", durationSeconds: 1800 })
      const canonical = Result.getOrElse(parsed, () => view)
      const granted = yield* provider.grant(grantOf(wire, 1, { canonical }))
      assert.isDefined(wire.get("ClusterRoleBinding", null, nameOf(1)))
      assert.isUndefined(binding(wire, 1))
      assert.isTrue(mayRead(wire, "team-a") && mayRead(wire, "team-b"))
      assert.strictEqual(granted.credentials["JITSUDO_K8S_NAMESPACE"], "*")
      yield* provider.end(endOf(wire, 1, { canonical }))
      assert.isFalse(mayRead(wire, "team-a") || mayRead(wire, "team-b"))
    })
  )

  it.live("to a Role gives what the Role of that namespace says", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const canonical = { ...view, role: "Role/deployer" }
      yield* provider.grant(grantOf(wire, 1, { canonical }))
      assert.deepStrictEqual(binding(wire, 1)?.["roleRef"], { apiGroup: rbac, kind: "Role", name: "deployer" })
      const create = { verb: "create", group: "", resource: "pods", namespace: "team-a", name: "" }
      assert.isTrue(wire.allows(aliceInCluster, create))
    })
  )

  it.live("may be a group's, and never a name of the system's", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ group_template: "{subject}" })
      yield* provider.grant(grantOf(wire, 1, { grantee: { ...alice, subject: "one-of-a-kind" } }))
      assert.deepStrictEqual(binding(wire, 1)?.["subjects"], [{ apiGroup: rbac, kind: "Group", name: "one-of-a-kind" }])
      for (const subject of ["system:masters", "SYSTEM:masters", "system:authenticated", " x", "a\nb", ""]) {
        const failure = yield* Effect.flip(provider.grant(grantOf(wire, 2, { grantee: { ...alice, subject } })))
        assert.deepStrictEqual(told(failure), ["PrincipalNotFound", false, "none"])
      }
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
    })
  )

  it.live("keeps what it is filled in with as it is: a name is no placeholder", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ user_template: "{issuer}#{subject}" })
      yield* provider.grant(
        grantOf(wire, 1, { grantee: { issuer: "https://i.test", subject: "{email}$&", email: null } })
      )
      assert.deepStrictEqual(binding(wire, 1)?.["subjects"], [
        { apiGroup: rbac, kind: "User", name: "https://i.test#{email}$&" }
      ])
    })
  )

  it.live("takes reasons and metadata of any kind, cut and written out", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      let number = 0
      for (const { text } of hostileTexts) {
        number += 1
        yield* provider.grant(grantOf(wire, number, { reason: text, metadata: { [text]: text, note: text } }))
        const annotations = binding(wire, number)?.metadata.annotations ?? {}
        for (const value of Object.values(annotations)) {
          assert.notMatch(value, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
          assert.isAtMost(value.length, 10_000)
        }
      }
      assert.lengthOf(livingIds(wire), hostileTexts.length)
    })
  )

  it.live("counts for authorization a little later: said in the capabilities, and true of the end as well", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.setLag(3)
      yield* provider.grant(grantOf(wire, 1))
      assert.isFalse(mayRead(wire, "team-a"))
      for (let call = 0; call < 3; call += 1) yield* provider.inspect(endOf(wire, 1))
      assert.isTrue(mayRead(wire, "team-a"))
      assert.deepStrictEqual(
        [provider.capabilities.nativeExpiry, provider.capabilities.earlyRevocation.withinSeconds > 0],
        [false, true]
      )
      assert.match(provider.capabilities.earlyRevocation.note, /Streams that are open already/u)
    })
  )
})

describe("a repeated grant", () => {
  it.live("is the binding that is there, with its end", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const first = yield* provider.grant(grantOf(wire, 1))
      wire.advance(60)
      const again = yield* provider.grant(grantOf(wire, 1))
      assert.deepStrictEqual([again.notAfter, again.issuedAt], [first.notAfter, first.issuedAt])
      assert.deepStrictEqual(again.reference, first.reference)
      assert.lengthOf(livingIds(wire), 1)
    })
  )

  it.live("at the same time makes one binding", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const request = grantOf(wire, 1)
      const all = yield* Effect.all([provider.grant(request), provider.grant(request), provider.grant(request)], {
        concurrency: "unbounded"
      })
      assert.lengthOf(new Set(all.map(({ reference }) => JSON.stringify(reference))), 1)
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
    })
  )

  it.live.each([
    ["another subject", { subjects: [{ kind: "User", name: "mallory", apiGroup: rbac }] }],
    [
      "a further subject",
      {
        subjects: [
          { kind: "User", name: "oidc:alice@example.com", apiGroup: rbac },
          { kind: "User", name: "mallory", apiGroup: rbac }
        ]
      }
    ],
    ["a group of that name", { subjects: [{ kind: "Group", name: "oidc:alice@example.com", apiGroup: rbac }] }],
    ["another role", { roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "edit" } }]
  ] as const)("is a conflict when the binding has %s by now", ([, part]) =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.edit("RoleBinding", "team-a", nameOf(1), (before) => ({ ...before, ...part }))
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      // Something of this request is there, so it must be ended.
      assert.deepStrictEqual(told(failure), ["ProviderConflict", false, "unknown"])
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )

  it.live("is a conflict when the name is a stranger's, whose object stays as it is", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.apply(strangers(nameOf(1)))
      const before = JSON.stringify(binding(wire, 1))
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderConflict", false, "none"])
      assert.include(failure.hint, nameOf(1))
      const { note } = yield* provider.end(endOf(wire, 1))
      assert.match(note ?? "", /left alone/u)
      assert.strictEqual(JSON.stringify(binding(wire, 1)), before)
    })
  )

  it.live("is a conflict when its end was moved, or is over", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      for (const expiresAt of ["9999-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "soon", ""]) {
        yield* provider.grant(grantOf(wire, 1))
        wire.edit("RoleBinding", "team-a", nameOf(1), (before) => ({
          ...before,
          metadata: {
            ...before.metadata,
            annotations: { ...before.metadata.annotations, "jitsudo.dev/expires-at": expiresAt }
          }
        }))
        const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
        assert.deepStrictEqual(told(failure), ["ProviderConflict", false, "unknown"])
        yield* provider.end(endOf(wire, 1))
      }
    })
  )

  it.live("waits for what is still being deleted", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      hold(wire, 1)
      wire.remove("RoleBinding", "team-a", nameOf(1))
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderConflict", true, "unknown"])
    })
  )
})

/** Somebody's controller wants to know before the binding goes. */
const hold = (wire: Wire, number: number): void =>
  wire.edit("RoleBinding", "team-a", nameOf(number), (before) => ({
    ...before,
    metadata: { ...before.metadata, finalizers: ["example.test/hold"] }
  }))

describe("an end", () => {
  it.live("is confirmed when the last finalizer has let go, and not before", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      hold(wire, 1)
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderConflict", true, "unknown"])
      assert.include(failure.hint, "example.test/hold")
      assert.isNumber(failure.retryAfterSeconds)
      // It goes on granting, so it is not said to have ended.
      assert.isTrue(mayRead(wire, "team-a"))
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1)), "active")
      wire.edit("RoleBinding", "team-a", nameOf(1), (before) => ({
        ...before,
        metadata: { ...before.metadata, finalizers: [] }
      }))
      assert.deepStrictEqual(yield* provider.end(endOf(wire, 1)), { note: null })
    })
  )

  it.live("never deletes what took its name between the look and the deletion", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      const held = wire.hold(`${rbac}/rolebindings:get`)
      const ending = yield* Effect.forkChild(provider.end(endOf(wire, 1)), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      wire.remove("RoleBinding", "team-a", nameOf(1))
      wire.apply(strangers(nameOf(1)))
      held.release()
      const { note } = yield* Fiber.join(ending)
      assert.match(note ?? "", /left alone/u)
      assert.isDefined(binding(wire, 1))
      const deletes = wire.calls().filter(({ operation }) => operation === `${rbac}/rolebindings:delete`)
      assert.deepStrictEqual(
        deletes.map(({ outcome }) => outcome),
        ["Conflict"]
      )
    })
  )

  it.live.each([
    ["its labels", { labels: {} }],
    ["its annotations", { annotations: {} }]
  ] as const)("finds its binding although somebody removed %s", ([, part]) =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.edit("RoleBinding", "team-a", nameOf(1), (before) => ({
        ...before,
        metadata: { ...before.metadata, ...part }
      }))
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1)), "active")
      yield* provider.end(endOf(wire, 1))
      assert.isUndefined(binding(wire, 1))
    })
  )

  it.live(
    "finds its binding by uid when every mark was removed, and refuses to confirm what it cannot be sure of",
    () =>
      Effect.gen(function* () {
        const { wire, provider } = yield* started()
        const granted = yield* provider.grant(grantOf(wire, 1))
        wire.edit("RoleBinding", "team-a", nameOf(1), (before) => ({
          ...before,
          metadata: { ...before.metadata, labels: {}, annotations: {} }
        }))
        const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
        assert.deepStrictEqual(told(failure), ["ProviderConflict", true, "unknown"])
        assert.include(failure.hint, nameOf(1))
        yield* provider.end(endOf(wire, 1, { reference: granted.reference }))
        assert.isUndefined(binding(wire, 1))
      })
  )

  it.live("is confirmed when somebody took the binding, or its whole namespace, away", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.remove("RoleBinding", "team-a", nameOf(1))
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1)), "ended")
      assert.deepStrictEqual(yield* provider.list(), [])
      assert.deepStrictEqual(yield* provider.end(endOf(wire, 1)), { note: null })
      wire.remove("Namespace", null, "team-b")
      const canonical = { ...view, resourceScope: `${cluster}/team-b` }
      assert.deepStrictEqual(yield* provider.end(endOf(wire, 2, { canonical })), { note: null })
    })
  )

  it.live("is not confirmed by something else that answers at the address", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      // A cluster that is no longer configured cannot be asked.
      const canonical = { ...view, resourceScope: "gone/team-a" }
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1, { canonical })))
      assert.deepStrictEqual(told(failure), ["ProviderUnavailable", true, "none"])
      assert.include(failure.hint, "providers.kubernetes.clusters")
    })
  )

  it.live("comes through throttling, and says when to come back", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.inject(`${rbac}/rolebindings:delete`, { kind: "throttle" })
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual([...told(failure), failure.retryAfterSeconds], ["ProviderThrottled", true, "none", 1])
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )
})

describe("the list", () => {
  it.live("is whole, page by page, and begun again when its pages became too old", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const many = Array.from({ length: 1100 }, (_, index) =>
        strangers(nameOf(index), {
          metadata: {
            name: nameOf(index),
            namespace: "team-a",
            labels: { [managed]: "true", "jitsudo.dev/request-id": idOf(index) }
          }
        })
      )
      wire.apply(...many)
      const listed = yield* provider.list()
      assert.lengthOf(new Set(listed.map(({ requestId }) => requestId)), 1100)
      const lists = () => wire.calls().filter(({ operation }) => operation === `${rbac}/rolebindings:list`)
      assert.lengthOf(lists(), 3)

      const held = wire.hold(`${rbac}/rolebindings:list`)
      const listing = yield* Effect.forkChild(provider.list(), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      wire.compact()
      held.release()
      assert.lengthOf(yield* Fiber.join(listing), 1100)
      assert.deepStrictEqual(
        lists().map(({ outcome }) => outcome),
        ["ok", "ok", "ok", "ok", "Expired", "ok", "ok", "ok"]
      )
    })
  )

  it.live("has what carries the mark, whoever left it, and nothing that only looks like it", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1, { installation: "one" }))
      yield* provider.grant(grantOf(wire, 2, { canonical: { ...view, resourceScope: "main/*" } }))
      const marked = (id: string) => ({ [managed]: "true", "jitsudo.dev/request-id": id })
      wire.apply(
        // Another name than the mark says, no request's id, and no mark.
        strangers("elsewhere", { metadata: { name: "elsewhere", namespace: "team-a", labels: marked(idOf(3)) } }),
        strangers("jitsudo-x", { metadata: { name: "jitsudo-x", namespace: "team-a", labels: marked("x") } }),
        strangers(nameOf(4))
      )
      const listed = yield* provider.list()
      assert.deepStrictEqual(
        listed.map(({ canonical, installation, requestId, resourceKey }) => [
          requestId,
          resourceKey,
          installation,
          canonical?.resourceScope
        ]),
        [
          [idOf(1), "main/team-a view", "one", "main/team-a"],
          [idOf(2), "main/* view", null, "main/*"]
        ]
      )
    })
  )
})

describe("an account of its own", () => {
  const kubeconfigOf = ({ credentials }: Provider.Granted): KubeConfig => {
    const kubeConfig = new KubeConfig()
    kubeConfig.loadFromString(credentials["JITSUDO_FILE_KUBECONFIG"] ?? "")
    return kubeConfig
  }
  /** What a program can do that has a grant's kubeconfig: reads its own account, which its role does not allow. */
  const tried = (granted: Provider.Granted) =>
    Effect.promise(() =>
      kubeconfigOf(granted)
        .makeApiClient(CoreV1Api)
        .readNamespacedServiceAccount({ name: "any", namespace: "team-a" })
        .then(
          () => 200,
          (thrown: unknown) => (thrown instanceof Error && "code" in thrown ? thrown.code : thrown)
        )
    )
  const account = (number: number) => `jitsudo-req-${idOf(number).slice(4)}`
  const sessions = "jitsudo-sessions"
  const asAccount = (number: number) => ({ name: `system:serviceaccount:${sessions}:${account(number)}`, groups: [] })

  it.live("has the right, and the requester's own name does not", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      const granted = yield* provider.grant(grantOf(wire, 1))
      assert.isTrue(mayRead(wire, "team-a", asAccount(1)))
      assert.isFalse(mayRead(wire, "team-a"))
      const file = granted.credentials["JITSUDO_FILE_KUBECONFIG"] ?? ""
      assert.notInclude(file, daemon.token)
      assert.strictEqual(kubeconfigOf(granted).getContextObject(cluster)?.namespace, "team-a")
      assert.notInclude(JSON.stringify(granted.reference), kubeconfigOf(granted).getCurrentUser()?.token ?? "missing")
      assert.strictEqual(wire.get("ServiceAccount", sessions, account(1))?.["automountServiceAccountToken"], false)
      // Signed in, and refused by its role.
      assert.strictEqual(yield* tried(granted), 403)
    })
  )

  it.live("goes at the end with all of its tokens, and takes nobody else's along", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      const [mine, yours] = [yield* provider.grant(grantOf(wire, 1)), yield* provider.grant(grantOf(wire, 2))]
      const again = yield* provider.grant(grantOf(wire, 1))
      assert.deepStrictEqual([yield* tried(mine), yield* tried(again), yield* tried(yours)], [403, 403, 403])
      yield* provider.end(endOf(wire, 1, { reference: mine.reference }))
      assert.deepStrictEqual([yield* tried(mine), yield* tried(again), yield* tried(yours)], [401, 401, 403])
      assert.isUndefined(wire.get("ServiceAccount", sessions, account(1)))
      assert.deepStrictEqual(livingIds(wire), [idOf(2)])
    })
  )

  it.live("has tokens that end with the grant, and are never asked for less than ten minutes", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      assert.strictEqual(provider.capabilities.minDurationSeconds, 600)
      const granted = yield* provider.grant(grantOf(wire, 1))
      wire.advance(1795)
      assert.strictEqual(yield* tried(granted), 403)
      // A repeat shortly before the end: the API server gives no token for less.
      const late = yield* provider.grant(grantOf(wire, 1))
      assert.strictEqual(late.notAfter, granted.notAfter)
      wire.advance(10)
      assert.deepStrictEqual([yield* tried(granted), yield* tried(late)], [401, 403])
      yield* provider.end(endOf(wire, 1))
      assert.strictEqual(yield* tried(late), 401)
    })
  )

  it.live("that was made before the binding failed is taken away again", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      wire.inject(`${rbac}/rolebindings:create`, { kind: "deny" })
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      // The account is there: the outcome is not nothing.
      assert.deepStrictEqual(told(failure), ["ProviderDenied", false, "unknown"])
      assert.isDefined(wire.get("ServiceAccount", sessions, account(1)))
      const [left, ...others] = yield* provider.list()
      assert.deepStrictEqual([left?.requestId, left?.resourceKey, others.length], [idOf(1), "main/team-a view", 0])
      assert.isDefined(left)
      if (left === undefined) return
      yield* provider.end(Provider.endOfTagged(left, endOf(wire, 1)))
      assert.isUndefined(wire.get("ServiceAccount", sessions, account(1)))
      assert.deepStrictEqual(yield* provider.list(), [])
    })
  )

  it.live("that somebody took away ends the grant, although its binding is there", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      const { reference } = yield* provider.grant(grantOf(wire, 1))
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1, { reference })), "active")
      wire.remove("ServiceAccount", sessions, account(1))
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1, { reference })), "ended")
      yield* provider.end(endOf(wire, 1, { reference }))
      assert.isUndefined(binding(wire, 1))
    })
  )

  it.live("is ended where it was made, whatever the configuration says by then", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      const { reference } = yield* provider.grant(grantOf(wire, 1))
      yield* provider.grant(grantOf(wire, 2))
      const later = yield* providerOf(wire, userMode)
      yield* later.end(endOf(wire, 1, { reference }))
      assert.isUndefined(wire.get("ServiceAccount", sessions, account(1)))
      // One that is found by its mark, and that nobody knows more of.
      const [found] = yield* later.list()
      assert.isDefined(found)
      if (found === undefined) return
      yield* later.end(Provider.endOfTagged(found, endOf(wire, 2)))
      assert.isUndefined(wire.get("ServiceAccount", sessions, account(2)))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )
})

describe("permissions", () => {
  /** Everything that a daemon does, in both directions. */
  const everythingDone = (wire: Wire, provider: Provider.Provider) =>
    Effect.gen(function* () {
      let number = 0
      for (const { resourceScope, role } of asks) {
        number += 1
        const canonical = { role, resourceScope, durationSeconds: 1800 }
        yield* provider.check(canonical, alice)
        const { reference } = yield* provider.grant(grantOf(wire, number, { canonical }))
        yield* provider.inspect(endOf(wire, number, { canonical, reference }))
        yield* provider.list()
        yield* provider.end(endOf(wire, number, { canonical, reference }))
      }
    })

  const modes = { user: userMode, service_account: accountMode } as const

  it.live.each(["user", "service_account"] as const)("of the guide are enough in the mode %s", (mode) =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(modes[mode])
      yield* everythingDone(wire, provider)
      assert.isEmpty(wire.calls().filter(({ outcome }) => outcome !== "ok" && outcome !== "NotFound"))
    })
  )

  interface Rule {
    readonly verbs: ReadonlyArray<string>
    readonly resources: ReadonlyArray<string>
    readonly resourceNames?: ReadonlyArray<string>
  }
  const rulesIn = (manifest: Manifest): ReadonlyArray<Rule> =>
    Array.isArray(manifest["rules"]) ? manifest["rules"] : []

  /** The guide's manifests, each time without one verb on one resource, or without one name of it. */
  const reduced = everything.flatMap((manifest, index) =>
    world.includes(manifest)
      ? []
      : rulesIn(manifest).flatMap((rule, at) => {
          const without = (part: Partial<Rule>) =>
            everything.with(index, { ...manifest, rules: rulesIn(manifest).with(at, { ...rule, ...part }) })
          const missing = (verb: string, resource: string) => {
            const rest = { ...rule, resources: rule.resources.filter((one) => one !== resource) }
            const kept = { ...rule, resources: [resource], verbs: rule.verbs.filter((one) => one !== verb) }
            const rules = [rest, kept].filter(({ resources, verbs }) => resources.length > 0 && verbs.length > 0)
            return everything.with(index, { ...manifest, rules: rulesIn(manifest).toSpliced(at, 1, ...rules) })
          }
          return [
            ...rule.verbs.flatMap((verb) =>
              rule.resources.map((resource) => ({
                what: `${verb} ${resource}`,
                verb,
                objects: missing(verb, resource)
              }))
            ),
            ...(rule.resourceNames ?? []).map((one) => ({
              what: `${rule.verbs.join(", ")} ${rule.resources.join(", ")} named ${one}`,
              verb: "",
              // No name at all would be any name.
              objects: without({
                resourceNames: (rule.resourceNames ?? []).map((other) => (other === one ? "-" : other))
              })
            }))
          ].map((reduction) => ({ ...reduction, what: `${manifest.metadata.name}: ${reduction.what}` }))
        })
  )
  // `view` may be bound everywhere because it may be bound on the whole cluster.
  const spare = "jitsudo-granter: bind clusterroles named view"

  it("of the guide are taken apart into more than a few", () => {
    assert.isAbove(reduced.length, 20)
    assert.isTrue(reduced.some(({ what }) => what === spare))
  })

  it.live.each(reduced.filter(({ what }) => what !== spare))(
    "without $what something is refused, by its name",
    ({ objects, verb }) =>
      Effect.gen(function* () {
        const { wire, provider } = yield* started(accountMode, objects)
        const failure = yield* Effect.flip(everythingDone(wire, provider))
        assert.strictEqual(failure.reason, "ProviderDenied")
        assert.include(failure.hint, verb)
        assert.notMatch(failure.message, /jitsudo-|rolebinding|system:/u)
      })
  )

  it.live("without bind, the hint says so, and the diagnosis before anybody asks", () =>
    Effect.gen(function* () {
      const objects = everything.map((manifest) => ({
        ...manifest,
        ...(world.includes(manifest) || rulesIn(manifest).length === 0
          ? {}
          : {
              rules: rulesIn(manifest)
                .map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => verb !== "bind") }))
                .filter(({ verbs }) => verbs.length > 0)
            })
      }))
      const { wire, provider } = yield* started(userMode, objects)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderDenied", false, "none"])
      assert.match(
        failure.hint,
        /verb bind on clusterroles\.rbac\.authorization\.k8s\.io with this name in resourceNames/u
      )
      const findings = yield* diagnosed(provider, view)
      assert.deepStrictEqual(
        findings.flatMap(({ missing }) => missing ?? []),
        ["bind clusterroles.rbac.authorization.k8s.io, resourceNames: view, in the namespace team-a"]
      )
    })
  )

  const diagnosed = (provider: Provider.Provider, canonical: Provider.Canonical | null, grantee = alice) =>
    provider.diagnose?.({ canonical, grantee }) ?? Effect.die("it has no diagnosis")

  it.live("are diagnosed without changing anything", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(accountMode)
      const before = JSON.stringify(["RoleBinding", "ServiceAccount"].map((kind) => wire.all(kind)))
      for (const canonical of [null, view, { ...view, resourceScope: "main/*" }, { ...view, role: "Role/deployer" }]) {
        const findings = yield* diagnosed(provider, canonical)
        assert.deepStrictEqual(
          findings.filter(({ ok }) => ok !== true),
          []
        )
        assert.isTrue(findings.some(({ hint }) => hint === `signed in as ${daemon.name}`))
      }
      assert.strictEqual(JSON.stringify(["RoleBinding", "ServiceAccount"].map((kind) => wire.all(kind))), before)
    })
  )

  it.live("are diagnosed as missing, each by its name", () =>
    Effect.gen(function* () {
      const { provider } = yield* started(accountMode, world)
      const findings = yield* diagnosed(provider, { ...view, role: "Role/deployer" })
      const missing = findings.flatMap((finding) => finding.missing ?? [])
      assert.includeMembers(missing, [
        "list rolebindings.rbac.authorization.k8s.io, in the whole cluster",
        "create serviceaccounts/token, in the namespace jitsudo-sessions",
        "create rolebindings.rbac.authorization.k8s.io, in the namespace team-a",
        "bind roles.rbac.authorization.k8s.io, resourceNames: deployer, in the namespace team-a"
      ])
      assert.lengthOf(missing, 13)
    })
  )
})

describe("trouble", () => {
  it.live("with the daemon's own token is said to the operator", () =>
    Effect.gen(function* () {
      const wire = yield* KubernetesWire.scoped(wireOptions())
      const provider = yield* make(decode(sectionOf(wire.url, yield* tokenFile("another"))))
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderDenied", true, "none"])
      assert.include(failure.hint, "own credentials")
      const findings = yield* provider.diagnose?.({ canonical: null, grantee: null }) ?? Effect.succeed([])
      assert.deepStrictEqual(
        findings.map(({ ok }) => ok),
        [false]
      )
    })
  )

  it.live("with an address at which nobody listens changed nothing", () =>
    Effect.gen(function* () {
      const wire = yield* Effect.promise(() => KubernetesWire.start(wireOptions()))
      const provider = yield* providerOf(wire)
      yield* Effect.promise(wire.close)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["ProviderUnavailable", true, "none"])
    })
  )

  it.live("with an answer that takes too long is an unknown outcome", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ ...userMode, timeout_seconds: 1 })
      const held = wire.hold(`${rbac}/rolebindings:create`)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      held.release()
      assert.deepStrictEqual(told(failure), ["ProviderUnavailable", true, "unknown"])
      assert.include(failure.hint, "timeout_seconds")
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )

  it.live("with a namespace that went after the check is no trouble of jitsudo's", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.edit("Namespace", null, "team-a", (before) => ({ ...before, status: { phase: "Terminating" } }))
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(told(failure), ["InvalidScope", false, "none"])
    })
  )

  it.live("never tells a token, a header or the API server's own words", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.inject(`${rbac}/rolebindings:create`, { kind: "deny" })
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      for (const said of [failure.message, failure.hint, String(failure)]) {
        assert.notInclude(said, daemon.token)
        assert.notInclude(said, "it was asked for in a test")
        assert.notMatch(said, /Headers|authorization: /u)
      }
    })
  )

  it.live("with an answer that is no API server's confirms nothing; calls share a connection", () =>
    Effect.gen(function* () {
      let connections = 0
      const server = createServer((_request, response) => {
        response.writeHead(404, { "content-type": "text/html" }).end("<html>no such page</html>")
      }).on("connection", () => (connections += 1))
      const url = yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<string>((resolve) => {
              server.listen(0, "127.0.0.1", () => {
                const address = server.address()
                resolve(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`)
              })
            })
        ),
        () => Effect.sync(() => server.close().closeAllConnections())
      )
      const wire = yield* KubernetesWire.scoped(wireOptions())
      const provider = yield* providerOf({ url })
      for (let call = 0; call < 5; call += 1) {
        const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
        assert.deepStrictEqual(told(failure), ["ProviderUnavailable", true, "none"])
        assert.notInclude(failure.hint, "html")
      }
      assert.strictEqual(connections, 1)
    })
  )

  it.live("with the package names it", () =>
    Effect.gen(function* () {
      const file = yield* tokenFile()
      const load: Options["load"] = () =>
        Promise.reject(
          Object.assign(new Error("Cannot find package '@kubernetes/client-node' imported from x"), {
            code: "ERR_MODULE_NOT_FOUND"
          })
        )
      const failure = yield* Effect.flip(make(decode(sectionOf("http://127.0.0.1:1", file)), { load }))
      assert.include(failure.message, "npm install @kubernetes/client-node")
    })
  )
})
