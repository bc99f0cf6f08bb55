import { assert, describe, it } from "@effect/vitest"
import { AwsConfig, make, plugin } from "@jitsudo/providers/aws"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { home, other } from "./support/AwsFixture.ts"

const sound = { account_id: home, accounts: [home], roles: ["read-*", "prod-admin", "a.b"] }
const decode = Schema.decodeUnknownSync(AwsConfig)
const decoded = (fields: object) => decode({ ...sound, ...fields }, { onExcessProperty: "error" })

const instanceArn = "arn:aws:sso:::instance/ssoins-0123456789abcdef"
const setArn = (instance = "ssoins-0123456789abcdef", last = "0") =>
  `arn:aws:sso:::permissionSet/${instance}/ps-${last.padStart(16, "0")}`

/** A sound section of the mode identity_center. */
const people = (fields: object = {}): AwsConfig =>
  decode(
    {
      mode: "identity_center",
      accounts: [home],
      instance_arn: instanceArn,
      identity_store_id: "d-1234567890",
      permission_sets: ["Read*"],
      ...fields
    },
    { onExcessProperty: "error" }
  )

const providerOf = (fields: object = {}) =>
  make(decoded(fields), { credentials: { accessKeyId: "a", secretAccessKey: "b" } })

describe("the configuration of aws", () => {
  it.each([
    ["another mode", { mode: "assume" }],
    ["a key of the other mode", { instance_arn: "arn:aws:sso:::instance/ssoins-0123456789abcdef" }],
    ["an unknown key", { max_duration: "4h" }],
    ["an account that is none", { accounts: ["12345678901"] }],
    ["no account at all", { accounts: [] }],
    ["no role at all", { roles: [] }],
    ["a session over 12 hours", { max_session_seconds: 43_201 }],
    ["a session under 15 minutes", { max_session_seconds: 899 }],
    ["an endpoint that is no address", { endpoint_url: "file:///etc/passwd" }]
  ])("refuses %s", (_, fields) => {
    assert.throws(() => decoded(fields))
  })

  it.effect.each([
    "arn:aws:iam::{scope}:role/{role}-jitsudo",
    "arn:aws:iam::{scope}:role/jitsudo",
    "arn:aws:iam::111122223333:role/jitsudo-{role}",
    "arn:aws:iam::{scope}:role/{role}/{role}",
    "arn:aws:iam::{scope}:role/{scope}-{role}",
    "arn:aws:iam::{scope}:user/jitsudo-{role}",
    "arn:aws:iam::{scope}:role/jitsudo-{role}\n",
    ""
  ])("refuses the role template %j", (role_arn_template) =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(providerOf({ role_arn_template }))
      assert.strictEqual(failure.key, "role_arn_template")
    })
  )

  it.effect("refuses an account that it could grant in and never revoke in", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(providerOf({ accounts: [home, other] }))
      assert.strictEqual(failure.key, "revoker_role_arn_template")
      assert.include(failure.message, other)
      const wrong = yield* Effect.flip(
        providerOf({ accounts: [home, other], revoker_role_arn_template: "arn:aws:iam::{scope}:role/{role}" })
      )
      assert.strictEqual(wrong.key, "revoker_role_arn_template")
    })
  )

  it.effect.each(["@aws-sdk/client-sts", "@aws-sdk/client-iam"] as const)("names %s when it is missing", (name) =>
    Effect.gen(function* () {
      const missing = async (): Promise<never> => {
        throw Object.assign(new Error(`Cannot find package '${name}' imported from here`), {
          code: "ERR_MODULE_NOT_FOUND"
        })
      }
      const load = {
        sts: name === "@aws-sdk/client-sts" ? missing : () => import("@aws-sdk/client-sts"),
        iam: name === "@aws-sdk/client-iam" ? missing : () => import("@aws-sdk/client-iam")
      }
      const failure = yield* Effect.flip(make(decoded({}), { load }))
      assert.include(failure.message, `npm install ${name}`)
    })
  )

  it.effect.each(["@aws-sdk/client-sso-admin", "@aws-sdk/client-identitystore"] as const)(
    "names %s when it is missing, in the mode that needs it",
    (name) =>
      Effect.gen(function* () {
        const missing = async (): Promise<never> => {
          throw Object.assign(new Error(`Cannot find package '${name}' imported from here`), {
            code: "ERR_MODULE_NOT_FOUND"
          })
        }
        const load = name === "@aws-sdk/client-sso-admin" ? { sso: missing } : { identitystore: missing }
        const failure = yield* Effect.flip(make(people(), { load }))
        assert.include(failure.message, `npm install ${name}`)
        // The other mode does without.
        yield* make(decoded({}), { load })
      })
  )

  it.effect("does not take a broken package for a missing one", () =>
    Effect.gen(function* () {
      const broken = async (): Promise<never> => {
        throw new SyntaxError("Unexpected token")
      }
      const load = { sts: broken, iam: () => import("@aws-sdk/client-iam") }
      const failure = yield* Effect.flip(make(decoded({}), { load }))
      assert.notInclude(failure.message, "install")
      assert.include(failure.message, "Unexpected token")
    })
  )

  it.effect("comes into the daemon by its plug-in", () =>
    Effect.gen(function* () {
      const provider = yield* plugin.make(yield* Schema.decodeUnknownEffect(plugin.config)(sound))
      assert.strictEqual(provider.name, plugin.name)
    })
  )
})

describe("the configuration of aws in the mode identity_center", () => {
  it.each([
    ["a key of the other mode", { roles: ["reader"] }],
    ["a switch of the other mode", { session_tags: true }],
    ["no permission set at all", { permission_sets: [] }],
    ["an instance that is none", { instance_arn: "ssoins-0123456789abcdef" }],
    ["an identity store that is none", { identity_store_id: "d-1" }],
    ["an attribute that may not be unique", { user_lookup: "display_name" }],
    ["more than a week", { max_duration_seconds: 604_801 }]
  ])("refuses %s", (_, fields) => {
    assert.throws(() => people(fields))
  })

  it("says what is wrong with the keys of the mode, and of no other", () => {
    const read = Schema.decodeUnknownResult(AwsConfig, { errors: "all", onExcessProperty: "error" })
    const told = (section: unknown): string => String(Result.getOrUndefined(Result.flip(read(section)))?.message)
    const wrong = told({ mode: "identity_center", accounts: [home], roles: ["x"], instance_arn: instanceArn })
    for (const key of ["roles", "identity_store_id", "permission_sets"]) assert.include(wrong, `["${key}"]`)
    assert.notMatch(wrong, /role_arn_template|\["mode"\]/u)
    assert.include(told({ accounts: [home], permission_sets: ["x"] }), '["permission_sets"]')
  })

  it.effect.each([
    ["user_template", { user_template: "alice" }],
    ["user_template", { user_template: "{email}{subject}" }],
    ["user_template", { user_template: "{name}" }],
    ["user_template", { user_template: "{email} x" }],
    ["permission_set_arns", { permission_set_arns: { "Read Only": setArn() } }],
    ["permission_set_arns", { permission_set_arns: { ReadOnly: setArn("ssoins-fedcba9876543210") } }],
    ["permission_set_arns", { permission_set_arns: { ReadOnly: "ReadOnly" } }],
    ["permission_set_arns", { permission_set_arns: { ReadOnly: setArn(), ReadMost: setArn() } }]
  ] as const)("refuses %s like %j", ([key, fields]) =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(make(people(fields)))
      assert.strictEqual(failure.key, key)
    })
  )

  it("says what it reaches, so that two sections do not take each other's grants for strangers", () => {
    assert.deepStrictEqual(plugin.territory?.(people()), [`identity_center in account ${home}`])
    assert.deepStrictEqual(plugin.territory?.(decoded({})), [`sts_assume_role in account ${home}`])
  })
})

describe("what may be asked of aws", () => {
  const ask = { role: "read-only", resourceScope: home, durationSeconds: 900 }

  it.effect.each([
    ["an account in words", { resourceScope: "production" }, "InvalidScope"],
    ["digits of another script", { resourceScope: "١٢٣٤٥٦٧٨٩٠١٢" }, "InvalidScope"],
    ["an account out of reach", { resourceScope: other }, "InvalidScope"],
    ["an account with a line feed", { resourceScope: `${home}\n` }, "InvalidScope"],
    ["a role out of reach", { role: "prod-owner" }, "InvalidRole"],
    ["a role that a pattern only touches", { role: "x-prod-admin" }, "InvalidRole"],
    ["a role that a dot would match as a pattern", { role: "aXb" }, "InvalidRole"],
    ["a path", { role: "read-/../../admin" }, "InvalidRole"],
    ["an ARN", { role: "arn:aws:iam::111122223333:role/read-only" }, "InvalidRole"],
    ["a wildcard", { role: "read-*" }, "InvalidRole"],
    ["a look-alike", { role: "re\u0430d-only" }, "InvalidRole"],
    ["a name that is too long with its prefix", { role: `read-${"o".repeat(52)}` }, "InvalidRole"],
    ["14 minutes", { durationSeconds: 899 }, "DurationOutOfRange"],
    ["more than an hour", { durationSeconds: 3601 }, "DurationOutOfRange"],
    ["half a second", { durationSeconds: 900.5 }, "DurationOutOfRange"]
  ] as const)("refuses %s", ([, part, reason]) =>
    Effect.gen(function* () {
      const provider = yield* providerOf()
      const parsed = provider.parse({ ...ask, ...part })
      assert.strictEqual(Result.getOrUndefined(Result.flip(parsed))?.reason, reason)
    })
  )

  it.effect("accepts what the lists name, and keys it by the role's ARN", () =>
    Effect.gen(function* () {
      const provider = yield* providerOf()
      for (const role of ["read-only", "read-", "prod-admin", "a.b"]) {
        const canonical = Result.getOrThrow(provider.parse({ ...ask, role }))
        assert.deepStrictEqual(canonical, { ...ask, role })
        const key = provider.resourceKey(canonical, { issuer: "i", subject: "s", email: null })
        assert.strictEqual(key, `arn:aws:iam::${home}:role/jitsudo-${role}`)
      }
    })
  )
})
