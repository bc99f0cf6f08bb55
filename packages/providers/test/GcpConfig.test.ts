import { assert, describe, it } from "@effect/vitest"
import { GcpConfig, make, plugin } from "@jitsudo/providers/gcp"
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import * as MemberRule from "../src/gcp/MemberRule.ts"
import * as ResourceName from "../src/gcp/ResourceName.ts"
import * as RoleName from "../src/gcp/RoleName.ts"

const people = [{ email_domain: "example.com", member: "user:{email}" }]
const sound = { resources: ["projects/shop-prod"], roles: ["roles/storage.*"], members: people }
const decode = Schema.decodeUnknownSync(GcpConfig)
const decoded = (fields: object) => decode({ ...sound, ...fields }, { onExcessProperty: "error" })
const account = "serviceAccount:jit-{local}@jitsudo-home.iam.gserviceaccount.com"

describe("the configuration of gcp", () => {
  it.each([
    ["an unknown key", { organization_id: "1" }],
    ["a source of credentials that is none", { credentials: "workload_identity_federation" }],
    ["a key without a file", { credentials: { service_account_key: "" } }],
    ["two sources of credentials", { credentials: { service_account_key: "a", external_account: "b" } }],
    ["no resource at all", { resources: [] }],
    ["no role at all", { roles: [] }],
    ["no member at all", { members: [] }],
    ["a grant of more than 30 days", { max_duration_seconds: 2_592_001 }],
    ["a token of more than 12 hours", { impersonate: { max_token_seconds: 43_201 } }],
    ["a scope that is no address", { impersonate: { scopes: ["cloud-platform"] } }],
    ["an endpoint with a path", { endpoints: { iam: "https://iam.example.com/v1" } }],
    ["an endpoint that nobody calls", { endpoints: { storage: "https://storage.example.com" } }]
  ])("refuses %s", (_, fields) => {
    assert.throws(() => decoded(fields))
  })

  it.effect.each([
    ["a bare project", "resources", { resources: ["shop-prod"] }],
    ["a project by its number", "resources", { resources: ["projects/123456789012"] }],
    ["all projects", "resources", { resources: ["projects/*"] }],
    ["a role without its prefix", "roles", { roles: ["storage.admin"] }],
    ["a pattern over projects", "roles", { roles: ["projects/*/roles/onCall"] }],
    ["a basic role", "roles", { roles: ["roles/editor"] }],
    ["a prefix that leaves no room for an id", "condition_title_prefix", { condition_title_prefix: "j".repeat(70) }],
    ["a prefix in other letters", "condition_title_prefix", { condition_title_prefix: "Jitsudo" }],
    ["people instead of accounts with impersonate", "members", { impersonate: {} }]
  ] as const)("refuses %s, naming the key", ([, key, fields]) =>
    Effect.gen(function* () {
      const refusal = yield* Effect.flip(make(decoded(fields)))
      assert.deepStrictEqual([refusal.provider, refusal.key], ["gcp", key])
      assert.notStrictEqual(refusal.message, "")
    })
  )

  it("has a default for everything but what may be touched", () => {
    assert.deepStrictEqual(decoded({}), {
      ...decoded({}),
      credentials: "application_default",
      condition_title_prefix: "jitsudo",
      max_duration_seconds: 28_800,
      read_roles: true,
      endpoints: {},
      timeout_seconds: 15
    })
    assert.strictEqual(plugin.name, "gcp")
  })

  it("is what the guide shows", () => {
    const guide = readFileSync(new URL("../../../docs/guides/providers/gcp.md", import.meta.url), "utf8")
    const sections = [...guide.matchAll(/^```yaml\n(providers:\n[^`]+)```$/gmu)].map(([, text = ""]) =>
      Reflect.get(Object(Reflect.get(Object(Yaml.parse(text)), "providers")), "gcp")
    )
    assert.lengthOf(sections, 2)
    for (const section of sections) {
      const config = decode(section, { onExcessProperty: "error" })
      assert.isNull(MemberRule.whyNotRules(config.members))
    }
  })

  it.effect("names the package that is missing", () =>
    Effect.gen(function* () {
      const missing = Object.assign(new Error("Cannot find package 'google-auth-library' imported from x"), {
        code: "ERR_MODULE_NOT_FOUND"
      })
      const refusal = yield* Effect.flip(
        make(decoded({}), {
          load: {
            auth: () => Promise.reject(missing),
            resourceManager: () => import("@google-cloud/resource-manager")
          }
        })
      )
      assert.include(refusal.message, "npm install google-auth-library")
    })
  )
})

describe("a rule for members of gcp", () => {
  const grantee = (email: string | null, subject = "sub-1", issuer = "https://issuer.test") => ({
    email,
    subject,
    issuer
  })
  const memberOf = (rules: ReadonlyArray<MemberRule.MemberRule>, of: ReturnType<typeof grantee>) =>
    MemberRule.memberOf(rules, of)

  it.each([
    [people, grantee("alice@example.com"), "user:alice@example.com"],
    [people, grantee("Alice@Example.COM"), "user:alice@example.com"],
    [people, grantee("alice@other.example"), null],
    [people, grantee("alice@sub.example.com"), null],
    [people, grantee("alice@evil@example.com"), null],
    [people, grantee("alice,user:eve@example.com"), null],
    [people, grantee("al ice@example.com"), null],
    [people, grantee("а@example.com"), null],
    [people, grantee(null), null],
    [
      [{ email_domain: "example.com", member: account }],
      grantee("alice@example.com"),
      account.replace("{local}", "alice")
    ],
    [[{ email_domain: "example.com", member: account }], grantee("alice.smith@example.com"), null],
    [[{ email_domain: "example.com", member: account }], grantee(`${"a".repeat(27)}@example.com`), null],
    [
      [{ email: "ci@example.com", member: "group:ci@groups.example.com" }, ...people],
      grantee("ci@example.com"),
      "group:ci@groups.example.com"
    ],
    [
      [{ issuer: "https://other.test", email_domain: "example.com", member: "user:{email}" }],
      grantee("alice@example.com"),
      null
    ],
    [
      [
        {
          issuer: "https://issuer.test",
          member: "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/{subject}"
        }
      ],
      grantee(null, "00u1abc"),
      "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/00u1abc"
    ],
    [
      [
        {
          issuer: "https://issuer.test",
          member: "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/{subject}"
        }
      ],
      grantee(null, "../*"),
      null
    ]
  ])("makes of %j, for %j: %s", (rules, of, expected) => {
    assert.strictEqual(memberOf(rules, of), expected)
  })

  it.each([
    ["fits nobody", [{ member: "user:{email}" }]],
    ["keep one", [{ email: "a@example.com", email_domain: "example.com", member: "user:{email}" }]],
    ["one member", [{ email_domain: "example.com", member: "group:all@example.com" }]],
    ["needs email_domain", [{ issuer: "https://issuer.test", member: account }]],
    ["needs issuer", [{ email_domain: "example.com", member: "principal://iam.googleapis.com/x/{subject}" }]],
    ["is none of", [{ email_domain: "example.com", member: "user:{mail}" }]],
    ["more than one", [{ email_domain: "example.com", member: "user:{local}{email}" }]],
    ["must make", [{ email: "a@example.com", member: "allUsers" }]],
    ["must make", [{ email_domain: "example.com", member: "domain:{email}" }]],
    [
      "could give two people",
      [
        { email: "a@example.com", member: "group:x@example.com" },
        { email: "b@example.com", member: "group:x@example.com" }
      ]
    ],
    [
      "could give two people",
      [
        { email_domain: "example.com", member: account },
        { email_domain: "example.org", member: account }
      ]
    ],
    ["could give two people", [{ email_domain: "corp.example", member: "user:{local}@example.com" }, ...people]],
    [
      "could give two people",
      [
        { email: "carol@example.org", member: account.replace("{local}", "alice") },
        { email_domain: "example.com", member: account }
      ]
    ],
    [
      "could give two people",
      [
        { issuer: "https://issuer.test", member: "user:{email}" },
        { email_domain: "corp.example", member: "user:{local}@example.com" }
      ]
    ],
    [
      "could give two people",
      ["https://one.test", "https://two.test"].map((issuer) => ({
        issuer,
        member: "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/{subject}"
      }))
    ]
  ] as const)("is refused: %s", (why, rules) => {
    assert.include(MemberRule.whyNotRules(rules) ?? "", why)
  })

  it("may name one person twice", () => {
    const rules = [
      { email: "alice.smith@example.com", member: "serviceAccount:jit-asmith@jitsudo-home.iam.gserviceaccount.com" },
      { email: "ci@example.com", member: "user:ci@example.com" },
      { email_domain: "example.com", member: "user:{email}" },
      { email_domain: "example.org", member: "user:{email}" },
      { issuer: "https://issuer.test", member: "user:{email}" },
      { issuer: "https://one.test", email_domain: "example.net", member: account.replace("home", "net") },
      { issuer: "https://two.test", email_domain: "example.net", member: account.replace("home", "net") }
    ]
    assert.isNull(MemberRule.whyNotRules(rules))
  })
})

describe("names at Google Cloud", () => {
  it.each([
    ["shop-prod", "projects/shop-prod"],
    ["projects/shop-prod", "projects/shop-prod"],
    ["folders/210987654321", "folders/210987654321"],
    ["organizations/987654321098", "organizations/987654321098"],
    ["projects/123456", null],
    ["projects/Shop-Prod", null],
    ["projects/shop-prod/", null],
    ["/projects/shop-prod", null],
    ["folders/007", null],
    ["folders/shop", null],
    ["billingAccounts/1", null],
    ["", null]
  ])("of a resource: %j is %j", (text, expected) => {
    assert.strictEqual(ResourceName.canonical(text), expected)
  })

  it.each([
    ["storage.admin", "roles/storage.admin"],
    ["roles/compute.instanceAdmin.v1", "roles/compute.instanceAdmin.v1"],
    ["projects/shop-prod/roles/onCall", "projects/shop-prod/roles/onCall"],
    ["organizations/987654321098/roles/on.call_2", "organizations/987654321098/roles/on.call_2"],
    ["folders/1/roles/onCall", null],
    ["roles/", null],
    ["roles/a b", null],
    ["roles/storage.admin_withcond_2b17cc25d2cd9e2c54d8", "roles/storage.admin_withcond_2b17cc25d2cd9e2c54d8"],
    ["roles/storage.admin?x=1", null],
    ["projects/shop-prod/roles/../../x", null]
  ])("of a role: %j is %j", (text, expected) => {
    assert.strictEqual(RoleName.canonical(text), expected)
  })

  it("a pattern matches whole names, within one resource", () => {
    assert.isTrue(RoleName.matches("roles/storage.*", "roles/storage.admin"))
    assert.isFalse(RoleName.matches("roles/storage.*", "roles/storagetransfer.admin"))
    assert.isFalse(RoleName.matches("roles/storage.admin", "roles/storage.admins"))
    assert.isFalse(RoleName.matches("roles/*", "projects/p/roles/x"))
  })

  it("the schema refuses what is no configuration at all", () => {
    assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(GcpConfig)(null)))
  })
})
