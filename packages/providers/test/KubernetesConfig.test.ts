/** The section `providers.kubernetes`: what is refused, with the key at fault, and what is read at the start. */
import { loadYaml } from "@kubernetes/client-node"
import { assert, describe, it } from "@effect/vitest"
import { ProviderPlugin } from "@jitsudo/core"
import { KubernetesConfig, make, plugin } from "@jitsudo/providers/kubernetes"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { accountMode, decode, directory, sectionOf, tokenFile, userMode } from "./support/KubernetesFixture.ts"

const https = { server: "https://k8s.example.test:6443", token_file: "/nowhere/token" }
const sound = {
  clusters: { prod: https },
  namespaces: ["team-a"],
  roles: ["view"],
  user_template: "oidc:{email}"
}

/** The key at fault, or what `make` says beside it. */
const refused = (section: object): Effect.Effect<string> =>
  Effect.map(Effect.result(Effect.scoped(make(decode(section)))), (made) =>
    Result.isFailure(made) && made.failure instanceof ProviderPlugin.ProviderConfigError ? made.failure.key : "made"
  )

describe("the configuration", () => {
  it("has defaults that allow nothing", () => {
    const { cluster_wide_roles: wide, ...read } = decode({ clusters: {} })
    assert.deepStrictEqual([wide, read.namespaces, read.roles], [[], [], []])
    assert.deepStrictEqual([read.mode, read.managed_label], ["user", "jitsudo.dev/managed"])
    assert.deepStrictEqual([read.max_duration_seconds, read.timeout_seconds], [3600, 10])
  })

  it.effect.each([
    ["no cluster", { clusters: {} }, "clusters"],
    ["a cluster's name with a slash", { clusters: { "a/b": https } }, "clusters.a/b"],
    ["a cluster called *", { clusters: { "*": https } }, "clusters.*"],
    ["two ways to one cluster", { clusters: { prod: { ...https, in_cluster: true } } }, "clusters.prod"],
    ["no way to a cluster", { clusters: { prod: {} } }, "clusters.prod"],
    ["a context without a kubeconfig", { clusters: { prod: { ...https, context: "x" } } }, "clusters.prod.context"],
    ["a server without a token", { clusters: { prod: { server: https.server } } }, "clusters.prod.token_file"],
    [
      "a token without a server",
      { clusters: { prod: { in_cluster: true, token_file: "/x" } } },
      "clusters.prod.token_file"
    ],
    [
      "an authority without a server",
      { clusters: { prod: { in_cluster: true, ca_file: "/x" } } },
      "clusters.prod.ca_file"
    ],
    [
      "a token in clear over the network",
      { clusters: { prod: { ...https, server: "http://10.0.0.1" } } },
      "clusters.prod.server"
    ],
    [
      "a name that only begins like this machine's",
      { clusters: { prod: { ...https, server: "http://127.0.0.1.example.test" } } },
      "clusters.prod.server"
    ],
    ["a default that is no cluster", { default_cluster: "staging" }, "default_cluster"],
    ["nothing that can be asked for", { namespaces: [], roles: [] }, "namespaces"],
    ["namespaces without roles", { roles: [] }, "roles"],
    ["roles without namespaces", { namespaces: [], cluster_wide_roles: ["view"] }, "namespaces"],
    ["a pattern that is no namespace's", { namespaces: ["Team A"] }, "namespaces"],
    ["a pattern for the whole of everything", { namespaces: ["*/*/*"] }, "namespaces"],
    ["a namespace of another cluster", { namespaces: ["staging/team-a"] }, "namespaces"],
    ["a pattern that is no role's", { roles: ["a/b"] }, "roles"],
    ["a Role for whole clusters", { cluster_wide_roles: ["Role/x"] }, "cluster_wide_roles"],
    ["nobody's name", { user_template: undefined }, "user_template"],
    ["two names", { group_template: "{email}" }, "user_template"],
    ["one name for everybody", { user_template: "everybody" }, "user_template"],
    ["a placeholder that there is none of", { user_template: "{email}{name}" }, "user_template"],
    ["a name of the system's", { user_template: "system:{email}" }, "user_template"],
    ["a group of the system's", { user_template: undefined, group_template: "system:{subject}" }, "group_template"],
    ["an account's namespace in the mode user", { service_account_namespace: "x" }, "service_account_namespace"],
    [
      "an address for programs in the mode user",
      { clusters: { prod: { ...https, child_server: "https://x" } } },
      "clusters.prod.child_server"
    ],
    [
      "an authority for programs in the mode user",
      { clusters: { prod: { ...https, child_ca_file: "/x" } } },
      "clusters.prod.child_ca_file"
    ],
    ["a template in the mode service_account", { ...accountMode }, "user_template"],
    ["no namespace for accounts", { mode: "service_account", user_template: undefined }, "service_account_namespace"],
    [
      "an inner address for programs outside",
      { ...accountMode, user_template: undefined, clusters: { prod: { in_cluster: true } } },
      "clusters.prod.child_server"
    ],
    [
      "a program's token in clear over the network",
      { ...accountMode, user_template: undefined, clusters: { prod: { ...https, child_server: "http://10.0.0.1" } } },
      "clusters.prod.child_server"
    ],
    ["a token that cannot be read", {}, "clusters.prod.token_file"],
    [
      "a kubeconfig that cannot be read",
      { clusters: { prod: { kubeconfig: "/nowhere/config" } } },
      "clusters.prod.kubeconfig"
    ],
    ["a pod that is none", { clusters: { prod: { in_cluster: true } } }, "clusters.prod.in_cluster"]
  ] as const)("refuses %s", ([, part, key]) =>
    Effect.gen(function* () {
      const section = Object.fromEntries(
        Object.entries({ ...sound, ...part }).filter(([, value]) => value !== undefined)
      )
      assert.strictEqual(yield* refused(section), key)
    })
  )

  it.each([
    ["an unknown key", { max_duration: "1h" }],
    ["an unknown key of a cluster", { clusters: { prod: { ...https, insecure: true } } }],
    ["in_cluster: false", { clusters: { prod: { in_cluster: false } } }],
    ["a default namespace that is none", { default_namespace: "*" }],
    ["a label that is none", { managed_label: "no label" }],
    ["a grant shorter than a token can be", { max_duration_seconds: 599 }],
    ["no time at all", { timeout_seconds: 0 }],
    ["another mode", { mode: "impersonate" }]
  ])("cannot be read with %s", (_, part) => {
    const read = Schema.decodeUnknownResult(KubernetesConfig, { onExcessProperty: "error" })({ ...sound, ...part })
    assert.isTrue(Result.isFailure(read))
  })

  it.effect("takes a kubeconfig with the context that is named, and none that does not verify its server", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = join(yield* directory, "config")
        const write = (cluster: object) =>
          writeFileSync(
            file,
            JSON.stringify({
              apiVersion: "v1",
              kind: "Config",
              clusters: [{ name: "c", cluster }],
              users: [{ name: "u", user: { token: "t" } }],
              contexts: [{ name: "one", context: { cluster: "c", user: "u" } }],
              "current-context": "none"
            })
          )
        const section = (context: object) => ({ ...sound, clusters: { prod: { kubeconfig: file, ...context } } })
        write({ server: https.server })
        assert.strictEqual(yield* refused(section({})), "clusters.prod.kubeconfig")
        assert.strictEqual(yield* refused(section({ context: "two" })), "clusters.prod.context")
        assert.strictEqual(yield* refused(section({ context: "one" })), "made")
        write({ server: https.server, "insecure-skip-tls-verify": true })
        assert.strictEqual(yield* refused(section({ context: "one" })), "clusters.prod.kubeconfig")
        write({ server: "http://10.0.0.1" })
        assert.strictEqual(yield* refused(section({ context: "one" })), "clusters.prod.kubeconfig")
        writeFileSync(file, "not: [a kubeconfig")
        assert.strictEqual(yield* refused(section({ context: "one" })), "clusters.prod.kubeconfig")
      })
    )
  )

  it.effect("is made in both modes, and by the plug-in that the daemon loads", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* tokenFile()
        for (const mode of [userMode, accountMode]) {
          const { name } = yield* plugin.make(decode(sectionOf("https://127.0.0.1:6443", file, mode)))
          assert.strictEqual(name, "kubernetes")
        }
      })
    )
  )

  it.effect("is sound wherever the guide shows one", () =>
    Effect.gen(function* () {
      const guide = readFileSync(new URL("../../../docs/guides/providers/kubernetes.md", import.meta.url), "utf8")
      const shown = [...guide.matchAll(/^```yaml\n(providers:\n[^]*?)^```/gmu)].map(([, yaml = ""]) => {
        const section: { providers: { kubernetes: object } } = loadYaml(yaml)
        return section.providers.kubernetes
      })
      assert.lengthOf(shown, 2)
      // Everything is in order until the daemon looks for the pod that it runs in.
      for (const section of shown) assert.strictEqual(yield* refused(section), "clusters.prod.in_cluster")
    })
  )
})
