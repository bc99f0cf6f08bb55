/**
 * What may be asked of the provider `gcp`, as whom it signs in, which permissions suffice, what a token can do, and what
 * it shows of what stands at Google.
 */
import { assert, describe, it } from "@effect/vitest"
import { Diagnosis, type Provider, Time } from "@jitsudo/core"
import { GcpWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Yaml from "effect/encoding/Yaml"
import * as Result from "effect/Result"
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { vi } from "vitest"
import {
  admin,
  alice,
  aliceAccount,
  configOf,
  custom,
  daemon,
  folder,
  impersonate,
  impersonating,
  leastPrivilege,
  liveRights,
  project,
  providerOf,
  reader,
  wireOptions
} from "./support/GcpFixture.ts"
import { make } from "@jitsudo/providers/gcp"

const idOf = (number: number): string => `req_${String(number).padStart(26, "0")}`
const canonical = { role: reader, resourceScope: project, durationSeconds: 1800 }

const grantOf = (
  wire: GcpWire.GcpWire,
  number: number,
  part: Partial<Provider.GrantRequest> = {}
): Provider.GrantRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical,
  checked: {},
  reason: "INC-1: look at the queue",
  metadata: {},
  now: Time.make(wire.now()),
  neighbours: [],
  ...part
})

const endOf = (
  wire: GcpWire.GcpWire,
  number: number,
  part: Partial<Provider.EndRequest> = {}
): Provider.EndRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical,
  checked: {},
  reference: null,
  notAfter: Time.plusSeconds(Time.make(wire.now()), 1800),
  why: "early",
  now: Time.make(wire.now()),
  neighbours: [],
  ...part
})

const started = (
  fields: object = {},
  permissions: ReadonlyArray<string> = leastPrivilege,
  more: Partial<GcpWire.WireOptions> = {}
) =>
  Effect.gen(function* () {
    const wire = yield* GcpWire.scoped(wireOptions(permissions, more))
    return { wire, provider: yield* providerOf(wire, fields) }
  })

/** Check, grant and end, as the engine does. */
const wholeLife = (provider: Provider.Provider, wire: GcpWire.GcpWire, form: Provider.Canonical = canonical) =>
  Effect.gen(function* () {
    const { facts } = yield* provider.check(form, alice)
    yield* provider.grant(grantOf(wire, 1, { canonical: form, checked: facts }))
    yield* provider.end(endOf(wire, 1, { canonical: form, checked: facts }))
    return yield* provider.list()
  })

/** What a program does with the token that it was given. */
const permitted = (wire: GcpWire.GcpWire, token: string, permission: string): Promise<number | boolean> =>
  fetch(`${wire.url}/v3/${project}:testIamPermissions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ permissions: [permission] })
  }).then(async (answer) => {
    const body: unknown = await answer.json()
    return answer.ok ? JSON.stringify(body).includes(permission) : answer.status
  })

describe("asking the provider gcp", () => {
  const asked = (role: string, resourceScope: string, fields: object = {}) =>
    Effect.map(started(fields), ({ provider }) => provider.parse({ role, resourceScope, durationSeconds: 600 }))

  it.live("has one form for one right", () =>
    Effect.gen(function* () {
      for (const [role, scope] of [
        ["storage.admin", "shop-prod"],
        ["roles/storage.admin", "shop-prod"],
        ["storage.admin", project]
      ] as const) {
        assert.deepStrictEqual(
          yield* asked(role, scope),
          Result.succeed({ role: admin, resourceScope: project, durationSeconds: 600 })
        )
      }
    })
  )

  it.live("for a basic role is refused before anybody decides, with the reason and what to ask for", () =>
    Effect.gen(function* () {
      for (const role of ["owner", "roles/owner", "editor", "roles/editor", "viewer", "roles/viewer"]) {
        const refusal = Result.getOrThrow(Result.flip(yield* asked(role, project)))
        assert.deepStrictEqual([refusal.reason, refusal.effect, refusal.retryable], ["InvalidRole", "none", false])
        assert.include(refusal.message, "Google accepts no condition on basic roles")
        assert.include(refusal.hint, "predefined roles")
      }
    })
  )

  it.live.each([
    ["a project that is not listed", reader, "projects/shop-dev", "InvalidScope"],
    ["a project by its number", reader, "projects/123456789012", "InvalidScope"],
    ["a bucket", reader, "projects/shop-prod/buckets/x", "InvalidScope"],
    ["a role that no pattern allows", "roles/compute.admin", project, "InvalidRole"],
    ["a pattern", "roles/storage.*", project, "InvalidRole"],
    ["another project's own role", "projects/shop-dev/roles/onCall", project, "InvalidRole"],
    ["a role in another spelling", "Roles/storage.admin", project, "InvalidRole"]
  ] as const)("for %s is refused", ([, role, scope, reason]) =>
    Effect.gen(function* () {
      const fields = { roles: ["roles/storage.*", "projects/shop-dev/roles/*"] }
      const refusal = Result.getOrThrow(Result.flip(yield* asked(role, scope, fields)))
      assert.strictEqual(refusal.reason, reason)
    })
  )

  it.live("for what Google does not have, or by somebody without a rule, is refused by check without a write", () =>
    Effect.gen(function* () {
      const roles = [
        { name: "roles/storage.gone", permissions: [], deleted: true },
        { name: "roles/storage.off", permissions: [], stage: "DISABLED" }
      ]
      const { provider, wire } = yield* started({ resources: [project, "projects/not-there"] }, leastPrivilege, {
        roles
      })
      const reasonOf = (form: Partial<Provider.Canonical>, grantee = alice) =>
        Effect.map(Effect.flip(provider.check({ ...canonical, ...form }, grantee)), ({ reason }) => reason)
      assert.strictEqual(yield* reasonOf({ role: "roles/storage.none" }), "RoleNotFound")
      assert.strictEqual(yield* reasonOf({ role: "roles/storage.gone" }), "RoleNotFound")
      assert.strictEqual(yield* reasonOf({ role: "roles/storage.off" }), "RoleNotFound")
      assert.strictEqual(yield* reasonOf({ resourceScope: "projects/not-there" }), "ProviderDenied")
      assert.strictEqual(yield* reasonOf({}, { ...alice, email: "alice@elsewhere.example" }), "PrincipalNotFound")
      assert.strictEqual(yield* reasonOf({}, { ...alice, email: null }), "PrincipalNotFound")
      assert.isFalse(wire.calls().some(({ operation }) => operation.endsWith("setIamPolicy")))
    })
  )

  it.live("for what only a write shows is refused by Google without effect", () =>
    Effect.gen(function* () {
      const roles: ReadonlyArray<GcpWire.WireRole> = [
        { name: reader, permissions: [] },
        { name: "roles/storage.org", permissions: [], grantableOn: ["organizations"] }
      ]
      const { provider, wire } = yield* started({ read_roles: false }, leastPrivilege, {
        roles,
        members: ["user:carol@example.com"]
      })
      const told = (form: Partial<Provider.Canonical>, grantee: Provider.Grantee) =>
        Effect.map(
          Effect.flip(provider.grant(grantOf(wire, 1, { canonical: { ...canonical, ...form }, grantee }))),
          ({ effect, reason }) => [reason, effect]
        )
      const carol = { ...alice, email: "carol@example.com" }
      assert.deepStrictEqual(yield* told({}, alice), ["PrincipalNotFound", "none"])
      assert.deepStrictEqual(yield* told({ role: "roles/storage.org" }, carol), ["RoleNotFound", "none"])
      assert.deepStrictEqual(liveRights(wire), [])
    })
  )
})

describe("the daemon's rights at Google Cloud", () => {
  const guide = (file: string): string =>
    readFileSync(new URL(`../../../docs/guides/providers/${file}`, import.meta.url), "utf8")
  const fieldOf = (file: string, field: string): unknown => Reflect.get(Object(Yaml.parse(guide(file))), field)
  const permissionsIn = (file: string): ReadonlyArray<string> => {
    const listed = fieldOf(file, "includedPermissions")
    return Array.isArray(listed) ? listed.map(String) : []
  }
  const granter = permissionsIn("gcp-granter-role.yaml")
  const issuer = permissionsIn("gcp-token-issuer-role.yaml")

  it.live("as the guide has them suffice, and without any one of them something fails", () =>
    Effect.gen(function* () {
      assert.sameMembers([...granter], leastPrivilege)
      const lanes = [
        { fields: {}, needed: granter },
        { fields: impersonate, needed: [...granter, ...issuer] },
        { fields: { roles: [custom] }, needed: [...granter, "iam.roles.get"], form: { ...canonical, role: custom } }
      ]
      for (const { fields, form, needed } of lanes) {
        const whole = yield* started(fields, needed)
        assert.deepStrictEqual(yield* wholeLife(whole.provider, whole.wire, form), [])
        for (const missing of needed) {
          const less = yield* started(
            fields,
            needed.filter((one) => one !== missing)
          )
          const failure = yield* Effect.flip(wholeLife(less.provider, less.wire, form))
          assert.strictEqual(failure.reason, "ProviderDenied", missing)
          assert.include(failure.hint, missing)
          assert.strictEqual(failure.effect, "none")
        }
      }
    })
  )

  it.live("may be limited to roles, as the guide does it: other grants cannot be changed, whatever is asked", () =>
    Effect.gen(function* () {
      const expression = String(fieldOf("gcp-granter-condition.yaml", "expression"))
      const [, attribute] = /^api\.getAttribute\('([^']+)', \[\]\)/u.exec(expression) ?? []
      const mayModify = [...expression.matchAll(/'(roles\/[^']+)'/gu)].map(([, role]) => role ?? "")
      assert.strictEqual(attribute, "iam.googleapis.com/modifiedGrantsByRole")
      assert.deepStrictEqual(mayModify, [reader, admin])
      const { provider, wire } = yield* started({ roles: ["roles/*"] }, granter, {
        identities: [{ email: daemon, permissions: granter, mayModify }],
        roles: [reader, admin, "roles/iam.securityAdmin"].map((name) => ({ name, permissions: [] }))
      })
      yield* provider.grant(grantOf(wire, 1))
      yield* provider.grant(grantOf(wire, 2, { canonical: { ...canonical, role: admin } }))
      wire.advance(1800 + 61)
      // What is over is cleared away within one role, so no write goes beyond a list.
      yield* provider.grant(grantOf(wire, 3))
      const form = { ...canonical, role: "roles/iam.securityAdmin" }
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 4, { canonical: form })))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
      yield* provider.end(endOf(wire, 3))
      assert.deepStrictEqual(liveRights(wire), [])
    })
  )

  it.live("that are missing are named to an operator, and nothing is written for it", () =>
    Effect.gen(function* () {
      const [read = "", write = ""] = leastPrivilege
      const { provider, wire } = yield* started(impersonate, [read])
      const ask = { role: reader, resourceScope: project, durationSeconds: 600 }
      const now = Time.make(wire.now())
      const findings = yield* Diagnosis.run(provider, { ask, grantee: alice, now })
      const missing = findings.filter((one) => one.missing !== null)
      assert.deepStrictEqual(
        missing.map(({ missing: permission, ok, what }) => [permission, ok, what]),
        [[write, false, `${write} on ${project}`]]
      )
      assert.isTrue(
        findings.some(({ hint, what }) => what === "member" && hint === `bound as serviceAccount:${aliceAccount}`)
      )
      assert.isTrue(
        findings.some(({ ok, what }) => ok === null && what.startsWith("iam.serviceAccounts.getAccessToken"))
      )
      assert.isFalse(wire.calls().some(({ operation }) => operation === write || operation.endsWith("getAccessToken")))
    })
  )
})

describe("the daemon's own credentials", () => {
  const inDirectory = <A, E, R>(use: (directory: string) => Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-gcp-"))),
      use,
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )

  it.live("are a service account's key, an external account, or what the environment names", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const { privateKey, publicKey } = generateKeyPairSync("rsa", {
          modulusLength: 2048,
          publicKeyEncoding: { type: "spki", format: "pem" },
          privateKeyEncoding: { type: "pkcs8", format: "pem" }
        })
        const wire = yield* GcpWire.scoped(
          wireOptions(leastPrivilege, { identities: [{ email: daemon, permissions: leastPrivilege, publicKey }] })
        )
        const [key, external] = [join(directory, "key.json"), join(directory, "external.json")]
        writeFileSync(key, JSON.stringify({ type: "service_account", client_email: daemon, private_key: privateKey }))
        writeFileSync(external, JSON.stringify(wire.credentials(daemon)))
        vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", external)
        yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
        for (const credentials of [
          { service_account_key: key },
          { external_account: external },
          "application_default"
        ]) {
          const provider = yield* make(configOf(wire, { credentials }))
          assert.deepStrictEqual(yield* wholeLife(provider, wire), [])
        }
        const exchanges = wire.calls().filter(({ operation }) => operation === "sts.token")
        assert.lengthOf(exchanges, 2)
      })
    )
  )

  it.live("that are wrong are a refusal without effect that names the key of the configuration", () =>
    inDirectory((directory) =>
      Effect.gen(function* () {
        const wire = yield* GcpWire.scoped(wireOptions())
        const file = join(directory, "external.json")
        const sound = wire.credentials(daemon)
        writeFileSync(file, JSON.stringify({ ...sound, credential_source: { url: `${wire.url}/subject-token/x` } }))
        for (const path of [file, join(directory, "missing.json")]) {
          const provider = yield* make(configOf(wire, { credentials: { external_account: path } }))
          const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
          assert.strictEqual(failure.effect, "none")
          assert.include(failure.hint, "providers.gcp.credentials")
        }
      })
    )
  )
})

describe("an access token of the grantee's own account", () => {
  const tokenIn = ({ credentials }: Provider.Granted): string => credentials["GOOGLE_OAUTH_ACCESS_TOKEN"] ?? ""

  it.live("can what was granted until it is ended, and is only a name afterwards", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started(impersonate, impersonating)
      const form = { ...canonical, role: admin }
      const granted = yield* provider.grant(grantOf(wire, 1, { canonical: form }))
      const token = tokenIn(granted)
      assert.deepStrictEqual(Object.keys(granted.credentials).toSorted(), [
        "CLOUDSDK_AUTH_ACCESS_TOKEN",
        "CLOUDSDK_CORE_PROJECT",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_OAUTH_ACCESS_TOKEN"
      ])
      assert.strictEqual(granted.credentials["CLOUDSDK_AUTH_ACCESS_TOKEN"], token)
      assert.notInclude(JSON.stringify(granted.reference), token)
      const may = () => Effect.promise(() => permitted(wire, token, "storage.buckets.delete"))
      assert.isTrue(yield* may())
      assert.isFalse(wire.allows("user:alice@example.com", "storage.buckets.delete", project))
      yield* provider.end(endOf(wire, 1, { canonical: form }))
      assert.isFalse(yield* may())
      wire.advance(1801)
      assert.strictEqual(yield* may(), 401)
      assert.include(provider.capabilities.earlyRevocation.note, "only as a name")
    })
  )

  it.live("lasts as long as its grant, and a grant no longer than a token may", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started(impersonate, impersonating)
      assert.strictEqual(provider.capabilities.maxDurationSeconds, 3600)
      const long = provider.parse({ ...canonical, durationSeconds: 3601 })
      assert.isTrue(Result.isFailure(long) && long.failure.reason === "DurationOutOfRange")
      const { notAfter } = yield* provider.grant(grantOf(wire, 1))
      const [token] = wire.tokens().filter(({ impersonated }) => impersonated)
      const lasts = (token?.expiresAt ?? 0) - (token?.issuedAt ?? 0)
      assert.isTrue(lasts === 1_800_000 || lasts === 1_799_000)
      assert.isAtMost(notAfter - (token?.issuedAt ?? 0), 1_800_000)
      const extended = yield* started({ ...impersonate, impersonate: { max_token_seconds: 43_200 } }, impersonating)
      const half = { ...canonical, durationSeconds: 7200 }
      const refused = yield* Effect.flip(extended.provider.grant(grantOf(extended.wire, 1, { canonical: half })))
      assert.deepStrictEqual([refused.reason, refused.effect], ["DurationOutOfRange", "none"])
      assert.include(refused.hint, "allowServiceAccountCredentialLifetimeExtension")
      const allowed = yield* started({ ...impersonate, impersonate: { max_token_seconds: 43_200 } }, impersonating, {
        accounts: [{ email: aliceAccount, maxTokenSeconds: 43_200 }]
      })
      yield* allowed.provider.grant(grantOf(allowed.wire, 1, { canonical: half }))
    })
  )

  it.live("is asked for before anything is bound: without it nothing is granted", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started(impersonate, impersonating)
      const bob = { ...alice, subject: "bob", email: "bob@example.com" }
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1, { grantee: bob })))
      assert.strictEqual(failure.effect, "none")
      wire.inject("iam.serviceAccounts.getAccessToken", { kind: "loseAnswer" })
      const lost = yield* Effect.flip(provider.grant(grantOf(wire, 2)))
      assert.strictEqual(lost.effect, "none")
      assert.isFalse(wire.calls().some(({ operation }) => operation.endsWith("setIamPolicy")))
    })
  )

  it.live("never carries what another person was granted: nobody shares an account", () =>
    Effect.gen(function* () {
      const bobAccount = "jit-bobby@jitsudo-home.iam.gserviceaccount.com"
      const { provider, wire } = yield* started(impersonate, impersonating, {
        accounts: [{ email: aliceAccount }, { email: bobAccount }]
      })
      const bob = { ...alice, subject: "bobby", email: "bobby@example.com" }
      const hers = yield* provider.grant(grantOf(wire, 1))
      const his = yield* provider.grant(grantOf(wire, 2, { grantee: bob, canonical: { ...canonical, role: admin } }))
      const may = (granted: Provider.Granted) =>
        Effect.promise(() => permitted(wire, tokenIn(granted), "storage.buckets.delete"))
      assert.deepStrictEqual([yield* may(hers), yield* may(his)], [false, true])
      const shared = [
        { email: "alice@example.com", member: `serviceAccount:${aliceAccount}` },
        { email: "bobby@example.com", member: `serviceAccount:${aliceAccount}` }
      ]
      const refused = yield* Effect.flip(providerOf(wire, { ...impersonate, members: shared }))
      assert.strictEqual(refused.key, "members")
      assert.include(refused.message, "could give two people one member")
    })
  )
})

describe("what stands at Google", () => {
  it.live("is listed on every resource, with whose it is and what ending it takes", () =>
    Effect.gen(function* () {
      const permissions = [...leastPrivilege, ...leastPrivilege.map((one) => one.replace("projects", "folders"))]
      const { provider, wire } = yield* started({ resources: [project, folder] }, permissions)
      const below = { ...canonical, resourceScope: folder }
      const first = yield* provider.grant(grantOf(wire, 1, { installation: "prod-eu" }))
      const second = yield* provider.grant(grantOf(wire, 2, { canonical: below }))
      wire.edit(project, (bindings) => [
        ...bindings,
        {
          role: reader,
          members: ["user:eve@example.com"],
          condition: { title: `jitsudo2-${idOf(3)}`, expression: 'request.time < timestamp("2039-01-01T00:00:00Z")' }
        },
        {
          role: reader,
          members: ["user:eve@example.com"],
          condition: { title: "jitsudo-not-an-id", expression: 'request.time < timestamp("2039-01-01T00:00:00Z")' }
        }
      ])
      const listed = yield* provider.list()
      assert.deepStrictEqual(
        listed.map(({ installation, notAfter, requestId, resourceKey }) => [
          requestId,
          resourceKey,
          notAfter,
          installation
        ]),
        [
          [idOf(1), project, first.notAfter, "prod-eu"],
          [idOf(2), folder, second.notAfter, null]
        ]
      )
      // By one who knows nothing but the reference.
      for (const { notAfter, reference, requestId } of listed) {
        const nothing = { role: "", resourceScope: "", durationSeconds: 0 }
        const nobody = { issuer: "", subject: "", email: null }
        yield* provider.end(
          endOf(wire, 0, {
            requestId,
            reference,
            canonical: nothing,
            grantee: nobody,
            notAfter: notAfter ?? Time.make(wire.now())
          })
        )
      }
      assert.deepStrictEqual(yield* provider.list(), [])
      const lost = yield* Effect.flip(
        provider.end(endOf(wire, 1, { canonical: { role: "", resourceScope: "", durationSeconds: 0 } }))
      )
      assert.strictEqual(lost.reason, "InvalidReference")
    })
  )

  it.live("is said to have ended only by a read that is new enough", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const restarted = yield* providerOf(wire)
      const seen = (by: Provider.Provider, now = Time.make(wire.now())) => {
        const notAfter = Time.plusSeconds(Time.make(wire.now()), 1790)
        return by.inspect(endOf(wire, 1, { now, notAfter }))
      }
      yield* provider.grant(grantOf(wire, 1))
      assert.strictEqual(yield* seen(provider), "active")
      yield* provider.end(endOf(wire, 1))
      assert.strictEqual(yield* seen(provider), "ended")
      // Another process has not written and cannot tell an old read from the truth, until it is old itself.
      assert.strictEqual(yield* seen(restarted), "unknown")
      assert.strictEqual(yield* seen(restarted, Time.plusSeconds(Time.make(wire.now()), 120)), "ended")
      assert.strictEqual(yield* seen(restarted, Time.plusSeconds(Time.make(wire.now()), 1790)), "ended")
    })
  )
})
