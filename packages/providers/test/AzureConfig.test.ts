import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { AzureConfig, make, plugin } from "@jitsudo/providers/azure"
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { endpointsOf } from "../src/azure/AzureConfig.ts"
import * as AzureCalls from "../src/azure/AzureCalls.ts"
import * as AzureCredential from "../src/azure/AzureCredential.ts"
import * as Directory from "../src/azure/Directory.ts"
import * as AzureSdk from "../src/azure/AzureSdk.ts"
import * as ArmScope from "../src/azure/ArmScope.ts"
import * as AzureRole from "../src/azure/AzureRole.ts"
import * as TtlCache from "../src/azure/TtlCache.ts"
import {
  alice,
  clientId,
  group,
  home,
  leastPrivilege,
  providerOf,
  started,
  tenant,
  wireOptions
} from "./support/AzureFixture.ts"

const sound = { tenant_id: tenant, scopes: [home], roles: ["Reader"] }
const decode = Schema.decodeUnknownSync(AzureConfig)
const decoded = (fields: object) => decode({ ...sound, ...fields }, { onExcessProperty: "error" })

describe("the configuration of azure", () => {
  it.each([
    ["a key that nothing reads", { default_subscription_id: home }],
    ["a tenant by name", { tenant_id: "contoso.onmicrosoft.com" }],
    ["no scope at all", { scopes: [] }],
    ["no role at all", { roles: [] }],
    ["another kind of credentials", { credentials: "environment" }],
    ["another cloud", { cloud: "moon" }],
    ["another lookup", { lookup: "displayName" }],
    [
      "an endpoint without TLS",
      { endpoints: { login: "http://a.test", graph: "https://b.test", arm: "https://c.test" } }
    ],
    ["half of the endpoints", { endpoints: { arm: "https://c.test" } }],
    ["an object id that is none", { principals: [{ requester: "a@b.test", object_id: "alice" }] }],
    ["grants of more than thirty days", { max_duration_seconds: 2_592_001 }]
  ])("refuses %s", (_, fields) => {
    assert.throws(() => decoded(fields))
  })

  it.effect.each([
    ["scopes", { scopes: [home, "payments"] }],
    ["scopes", { scopes: ["/*"] }],
    ["scopes", { scopes: ["/providers/Microsoft.Management/managementGroups/platform/*"] }],
    ["scopes", { scopes: [`${group}/../x`] }],
    ["client_id", { credentials: "client_secret", client_secret: "s" }],
    ["client_secret", { credentials: "client_secret", client_id: clientId }],
    ["client_secret", { credentials: "managed_identity", client_secret: "s" }],
    ["federated_token_path", { federated_token_path: "/var/run/token" }],
    [
      "cloud",
      { cloud: "china", endpoints: { login: "https://a.test", graph: "https://b.test", arm: "https://c.test" } }
    ],
    [
      "principals",
      {
        principals: [
          { requester: "a@b.test", object_id: tenant },
          { requester: "a@b.test", object_id: clientId }
        ]
      }
    ],
    ["principals", { principals: [{ requester: "alice", object_id: tenant }] }],
    ["object_id_issuer", { object_id_issuer: "https://issuer.test" }],
    ["roles", { roles: [" Reader"] }]
  ] as const)("names %s when it does not go with the rest", ([key, fields]) =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(make(decoded(fields)))
      assert.strictEqual(failure.key, key)
      assert.notInclude(failure.message, "undefined")
    })
  )

  it("keeps the secret out of what is printed", () => {
    const config = decoded({ credentials: "client_secret", client_id: clientId, client_secret: "not-for-logs" })
    assert.notInclude(JSON.stringify(config), "not-for-logs")
    assert.notInclude(String(config.client_secret), "not-for-logs")
  })

  it("goes to the cloud that it names, and nowhere else", () => {
    assert.strictEqual(endpointsOf(decoded({})).arm, "https://management.azure.com")
    assert.strictEqual(endpointsOf(decoded({ cloud: "usgov" })).login, "https://login.microsoftonline.us")
    assert.strictEqual(endpointsOf(decoded({ cloud: "china" })).graph, "https://microsoftgraph.chinacloudapi.cn")
  })

  it.effect("comes into the daemon by its plug-in", () =>
    Effect.gen(function* () {
      const provider = yield* plugin.make(yield* Schema.decodeUnknownEffect(plugin.config)(sound))
      assert.strictEqual(provider.name, plugin.name)
    })
  )

  it.effect.each(["@azure/identity", "@azure/arm-authorization", "@microsoft/microsoft-graph-client"] as const)(
    "names %s when it is missing",
    (name) =>
      Effect.gen(function* () {
        const missing = async (): Promise<never> => {
          throw Object.assign(new Error(`Cannot find package '${name}' imported from here`), {
            code: "ERR_MODULE_NOT_FOUND"
          })
        }
        const { authorization, graph, identity } = AzureSdk.installed
        const load = {
          identity: name === "@azure/identity" ? missing : identity,
          authorization: name === "@azure/arm-authorization" ? missing : authorization,
          graph: name === "@microsoft/microsoft-graph-client" ? missing : graph
        }
        const failure = yield* Effect.flip(make(decoded({}), { load }))
        assert.include(failure.message, `npm install ${name}`)
      })
  )

  it.effect("does not take a broken package for a missing one", () =>
    Effect.gen(function* () {
      const broken = async (): Promise<never> => {
        throw new SyntaxError("Unexpected token")
      }
      const failure = yield* Effect.flip(make(decoded({}), { load: { ...AzureSdk.installed, graph: broken } }))
      assert.notInclude(failure.message, "install")
      assert.include(failure.message, "Unexpected token")
    })
  )
})

describe("the guide", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../../docs/guides/providers/azure.md"), "utf8")

  it.effect("has a configuration that the daemon takes", () =>
    Effect.gen(function* () {
      const [, example = ""] = /```yaml\n(providers:\n {2}azure:\n[^]*?)```/u.exec(guide) ?? []
      const Document = Schema.Struct({ providers: Schema.Struct({ azure: AzureConfig }) })
      const { providers } = Schema.decodeUnknownSync(Document)(Yaml.parse(example), { onExcessProperty: "error" })
      const provider = yield* make(providers.azure)
      assert.isTrue(provider.capabilities.nativeExpiry)
    })
  )

  it("names every reason that the provider gives", () => {
    const reasons = ["InvalidRole", "InvalidScope", "RoleNotFound", "PrincipalNotFound", "DurationOutOfRange"]
    const more = ["ProviderDenied", "ProviderConflict", "ProviderThrottled", "ProviderUnavailable", "QuotaExceeded"]
    for (const reason of [...reasons, ...more]) assert.include(guide.slice(guide.indexOf("## 7.")), reason)
  })
})

describe("the daemon's own identity", () => {
  it.live("is an application with a secret, in the configured tenant", () =>
    Effect.gen(function* () {
      const wire = yield* started(wireOptions())
      const provider = yield* providerOf(wire)
      yield* provider.check({ role: "Reader", resourceScope: group, durationSeconds: 600 }, alice)
      const elsewhere = yield* providerOf(wire, { tenant_id: clientId })
      const failure = yield* Effect.flip(elsewhere.list())
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
    })
  )

  it.live("is a workload's, by the federated token of its file", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-azure-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const path = join(directory, "token")
      writeFileSync(path, "from-the-cluster")
      const wire = yield* started(wireOptions(leastPrivilege, { federatedToken: "from-the-cluster" }))
      const config = decode({
        ...sound,
        credentials: "workload_identity",
        client_id: clientId,
        federated_token_path: path,
        endpoints: wire.endpoints
      })
      const provider = yield* make(config)
      assert.deepStrictEqual(yield* provider.list(), [])
    })
  )

  it.effect("is of the kind that is configured, whether or not this machine has one", () =>
    Effect.gen(function* () {
      const sdk = yield* AzureSdk.loadSdk(AzureSdk.installed)
      const kindOf = (fields: object): string => AzureCredential.make(sdk.identity, decoded(fields)).constructor.name
      assert.strictEqual(kindOf({}), "DefaultAzureCredential")
      assert.strictEqual(kindOf({ credentials: "managed_identity", client_id: clientId }), "ManagedIdentityCredential")
      assert.strictEqual(
        kindOf({ credentials: "workload_identity", client_id: clientId, federated_token_path: "/nowhere" }),
        "WorkloadIdentityCredential"
      )
    })
  )
})

describe("what Graph finds", () => {
  it.effect("is believed only where it is what was asked for", () =>
    Effect.gen(function* () {
      const sdk = yield* AzureSdk.loadSdk(AzureSdk.installed)
      const config = decoded({ lookup: "mail" })
      const id = "0bad0000-0000-4000-8000-000000000001"
      const found = (mail: string | null, objectId = id) => {
        const usersWith = () => Effect.succeed([{ id: objectId, mail, userPrincipalName: alice.email }])
        return Directory.make({ ...AzureCalls.make(sdk, config), usersWith }, config).find(alice)
      }
      assert.strictEqual((yield* found("Alice@Example.com")).principalId, id)
      for (const wrong of [found("mallory@example.com"), found(null), found("alice@example.com", "../groups/x")]) {
        assert.strictEqual((yield* Effect.flip(wrong)).reason, "PrincipalNotFound")
      }
    })
  )
})

describe("a scope", () => {
  it.each([
    [home.slice(15).toUpperCase(), home],
    [home, home],
    [`${home}/resourceGroups/Pay-(1)_x.y`, `${home}/resourcegroups/pay-(1)_x.y`],
    [
      `${group}/providers/Microsoft.Sql/servers/a/databases/B`,
      `${group}/providers/microsoft.sql/servers/a/databases/b`
    ],
    [
      `${group}/providers/Microsoft.Web/sites/a/providers/Microsoft.Insights/diagnosticSettings/b`,
      `${group}/providers/microsoft.web/sites/a/providers/microsoft.insights/diagnosticsettings/b`
    ],
    [`${home}/providers/Microsoft.Insights/actionGroups/a`, `${home}/providers/microsoft.insights/actiongroups/a`],
    ["/providers/Microsoft.Management/managementGroups/Root", "/providers/microsoft.management/managementgroups/root"],
    ["/", "/"]
  ])("%s is %s", (asked, canonical) => {
    assert.strictEqual(ArmScope.canonical(asked), canonical)
    assert.strictEqual(ArmScope.canonical(canonical), canonical)
  })

  it.each([
    "",
    "payments",
    "//",
    `${home}/`,
    `${home}/resourcegroups`,
    `${home}/resourcegroups/`,
    `${home}/resourcegroups/..`,
    `${home}/resourcegroups/a.`,
    `${home}/resourcegroups/a/b`,
    `${group}/providers`,
    `${group}/providers/microsoft.sql`,
    `${group}/providers/microsoft.sql/servers`,
    `${group}/providers/microsoft.sql/servers/a/databases`,
    `${group}/providers/microsoft.sql/providers/microsoft.sql/a/b`,
    `${home}%2fresourcegroups%2fa`,
    `${home}?x=1`,
    `${home}#x`,
    "/subscriptions/1",
    "/providers/microsoft.management/managementgroups/a/b",
    // A Kelvin sign, which lower-cases to a k.
    `${home}/resourcegroups/\u212a`
  ])("%j is none", (asked) => {
    assert.isNull(ArmScope.canonical(asked))
  })

  it("that was made to be slow is refused as quickly as any", () => {
    assert.isNull(ArmScope.canonical(`${group}${"/providers/a".repeat(40)}/!`))
  })
})

describe("a role of the allow-list", () => {
  const owner = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
  it.each([
    ["Reader", "Reader", true],
    ["Reader", "reader", false],
    ["Key Vault * (preview)", "Key Vault Reader (preview)", true],
    ["Read.r", "Reader", false],
    ["*", "Owner", true],
    ["*", owner, false],
    [owner.toUpperCase(), owner, true],
    [`/providers/Microsoft.Authorization/roleDefinitions/${owner}`, owner, true],
    [owner, "Owner", false]
  ] as const)("%s and %s: %s", (entry, role, allowed) => {
    assert.strictEqual(AzureRole.allows(entry, role), allowed)
  })
})

describe("what was read a moment ago", () => {
  it.effect("is kept for its time and within its room, and a failure is not kept", () =>
    Effect.gen(function* () {
      const cache = TtlCache.make<number>({ ttlSeconds: 60, capacity: 2 })
      let reads = 0
      const read = Effect.sync(() => {
        reads += 1
        return reads
      })
      assert.strictEqual(yield* cache.get("a", read), 1)
      assert.strictEqual(yield* cache.get("a", read), 1)
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(yield* cache.get("a", read), 2)
      yield* cache.get("b", read)
      yield* cache.get("c", read)
      assert.strictEqual(cache.size(), 2)
      assert.strictEqual(yield* cache.get("a", read), 5)
      assert.strictEqual(yield* Effect.flip(cache.get("d", Effect.fail("none"))), "none")
      assert.strictEqual(yield* cache.get("d", read), 6)
    })
  )
})
