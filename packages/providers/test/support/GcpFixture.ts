/**
 * The provider `gcp` over the official SDKs, against the wire server.
 */
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { GcpConfig, make, type Options } from "@jitsudo/providers/gcp"
import type { GcpWire, ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const project = "projects/shop-prod"
export const folder = "folders/210987654321"
export const organization = "organizations/987654321098"
export const daemon = "jitsudod@jitsudo-home.iam.gserviceaccount.com"
export const aliceAccount = "jit-alice@jitsudo-home.iam.gserviceaccount.com"

export const reader = "roles/storage.objectViewer"
export const admin = "roles/storage.admin"
export const custom = `${project}/roles/onCall`

/** Exactly what predefined roles on projects need. */
export const leastPrivilege = ["resourcemanager.projects.getIamPolicy", "resourcemanager.projects.setIamPolicy"]
export const impersonating = [...leastPrivilege, "iam.serviceAccounts.getAccessToken"]

/** What somebody else manages: a basic role, a group, a condition of their own, and audit logs. */
export const strangers: ReadonlyArray<GcpWire.Binding> = [
  { role: "roles/owner", members: ["user:owner@example.com"] },
  { role: reader, members: ["group:staff@example.com", "user:alice@example.com"] },
  {
    role: admin,
    members: ["user:carol@example.com"],
    condition: {
      title: "until the audit",
      expression: "request.time < timestamp('2039-10-01T00:00:00.000Z')",
      description: "by hand"
    }
  }
]

export const wireOptions = (
  permissions: ReadonlyArray<string> = leastPrivilege,
  more: Partial<GcpWire.WireOptions> = {}
): GcpWire.WireOptions => ({
  now: Date.now,
  identities: [{ email: daemon, permissions }],
  resources: [
    { name: organization },
    { name: folder, parent: organization },
    {
      name: project,
      parent: folder,
      bindings: strangers,
      auditConfigs: [{ service: "allServices", auditLogConfigs: [{ logType: "ADMIN_READ" }] }]
    }
  ],
  roles: [
    { name: reader, permissions: ["storage.objects.get"] },
    { name: admin, permissions: ["storage.*"] },
    { name: custom, permissions: ["compute.instances.reset"] }
  ],
  accounts: [{ email: aliceAccount }],
  ...more
})

const people = [{ email_domain: "example.com", member: "user:{email}" }]
const accounts = [
  { email_domain: "example.com", member: "serviceAccount:jit-{local}@jitsudo-home.iam.gserviceaccount.com" }
]

/** Fields of a configuration in which a token of an account of the grantee's own is handed out. */
export const impersonate = { members: accounts, impersonate: {} }

export const configOf = (wire: GcpWire.GcpWire, fields: object = {}): GcpConfig =>
  Schema.decodeUnknownSync(GcpConfig)(
    {
      resources: [project],
      roles: ["roles/storage.*", "roles/missing.*"],
      members: people,
      endpoints: { resource_manager: wire.url, iam: wire.url, iam_credentials: wire.url },
      ...fields
    },
    { onExcessProperty: "error" }
  )

export const providerOf = (
  wire: GcpWire.GcpWire,
  fields: object = {},
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  make(configOf(wire, fields), { credentials: wire.credentials(daemon), ...options })

export const alice: Provider.Grantee = {
  issuer: "https://issuer.test",
  subject: "alice",
  email: "alice@example.com"
}

/** A binding of jitsudo's, as anybody can read it. */
const ours = /^jitsudo-(req_\w{26})$/u
const until = /^request\.time < timestamp\("([^"]+)"\)$/u

/** What gives somebody a right now, by Google's clock, with our mark on it. */
export const liveRights = (wire: GcpWire.GcpWire, resources: ReadonlyArray<string> = [project]) =>
  resources.flatMap((resource) =>
    wire.policy(resource).bindings.flatMap(({ condition }) => {
      const requestId = ours.exec(condition?.title ?? "")?.[1]
      const notAfter = Date.parse(until.exec(condition?.expression ?? "")?.[1] ?? "")
      return requestId !== undefined && wire.now() < notAfter ? [{ requestId, notAfter: Time.make(notAfter) }] : []
    })
  )

export const fixtureOf = (wire: GcpWire.GcpWire, provider: Provider.Provider): ProviderFixture => {
  const ask = (role: string) => ({ role, resourceScope: project, durationSeconds: 1800 })
  const write = "resourcemanager.projects.setIamPolicy"
  const inject = (kind: "throttle" | "unavailable" | "loseAnswer") => () =>
    Effect.sync(() => wire.inject(write, { kind }))
  return {
    provider,
    asks: [ask(reader), ask(admin)],
    grantee: alice,
    now: Effect.sync(() => Time.make(wire.now())),
    // Whole seconds, and the time that calls take.
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => wire.advance(seconds)),
    live: Effect.sync(() => liveRights(wire)),
    faults: {
      failBefore: inject("unavailable"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: () =>
        Effect.sync(() => {
          const held = wire.hold(write)
          return { reached: Effect.promise(() => held.reached), release: Effect.sync(held.release) }
        })
    },
    hide: Effect.sync(() => wire.setLag(2)),
    missing: ask("roles/missing.role")
  }
}
