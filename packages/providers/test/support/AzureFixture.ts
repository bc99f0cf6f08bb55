/**
 * The provider `azure` over the official SDKs, against the wire server.
 */
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { AzureConfig, make, Mark } from "@jitsudo/providers/azure"
import { AzureWire, type ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

export const tenant = "7d0c6a5e-0000-4000-8000-00000000000a"
export const home = "/subscriptions/11111111-2222-4333-8444-555566667777"
export const group = `${home}/resourcegroups/payments`
export const other = "/subscriptions/99999999-2222-4333-8444-555566667777"

export const roles = {
  reader: { id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", roleName: "Reader" },
  contributor: { id: "b24988ac-6180-42a0-ab88-20f7382dd24c", roleName: "Contributor" },
  owner: { id: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", roleName: "Owner" }
} as const

export const people = {
  alice: {
    id: "a11ce000-0000-4000-8000-000000000001",
    type: "User",
    userPrincipalName: "alice@example.com",
    mail: "alice@example.com"
  },
  /** Somebody with a quote in their name: the address is as good as any. */
  obrien: {
    id: "0b21e000-0000-4000-8000-000000000002",
    type: "User",
    userPrincipalName: "o'brien@example.com",
    mail: "o'brien@example.com"
  },
  guest: {
    id: "90e57000-0000-4000-8000-000000000003",
    type: "User",
    userPrincipalName: "bob_partner.test#EXT#@example.com",
    mail: "bob@partner.test"
  },
  team: { id: "7ea30000-0000-4000-8000-000000000004", type: "Group" },
  agent: { id: "a6e27000-0000-4000-8000-000000000005", type: "ServicePrincipal" }
} as const

export const clientId = "da3a0000-0000-4000-8000-00000000000d"
const clientSecret = "wire-server-secret-of-the-daemon"

const rbac = "Microsoft.Authorization"

/** Exactly what the default configuration needs. */
export const leastPrivilege = [
  `${rbac}/roleDefinitions/read`,
  `${rbac}/roleAssignments/read`,
  `${rbac}/roleAssignments/write`,
  `${rbac}/roleAssignments/delete`
]

/** Exactly what it needs with `pim`. */
export const leastPrivilegeWithPim = [
  `${rbac}/roleDefinitions/read`,
  `${rbac}/roleAssignmentSchedules/read`,
  `${rbac}/roleAssignmentScheduleRequests/read`,
  `${rbac}/roleAssignmentScheduleRequests/write`
]

export const wireOptions = (
  actions: ReadonlyArray<string> = leastPrivilege,
  client: Partial<AzureWire.WireClient> = {},
  more: Partial<AzureWire.WireOptions> = {}
): AzureWire.WireOptions => ({
  now: Date.now,
  tenantId: tenant,
  clients: [
    {
      clientId,
      objectId: "da3a0000-0000-4000-8000-0000000000ff",
      clientSecret,
      actions,
      graph: ["User.Read.All"],
      ...client
    }
  ],
  principals: Object.values(people),
  roles: Object.values(roles),
  scopes: [home, group, other],
  // PIM removes nothing in its first five minutes, whoever asks. What the provider does then has a test of its own; here
  // everything else is to be seen.
  pim: { keepsFiveMinutes: false },
  ...more
})

const roots = getCACertificates("default")
const trusted = new Set<string>()

/** While there are such servers this process trusts them and nobody else: no test speaks to anybody else. */
const trust = (): void => setDefaultCACertificates(trusted.size === 0 ? roots : [...trusted])

/** A server that this process trusts, for as long as the scope is open. */
export const started = (options: AzureWire.WireOptions): Effect.Effect<AzureWire.AzureWire, never, Scope.Scope> =>
  Effect.tap(AzureWire.scoped(options), ({ certificate }) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        trusted.add(certificate)
        trust()
      }),
      () =>
        Effect.sync(() => {
          trusted.delete(certificate)
          trust()
        })
    )
  )

export const configOf = (wire: AzureWire.AzureWire, fields: object = {}): AzureConfig =>
  Schema.decodeUnknownSync(AzureConfig)(
    {
      tenant_id: tenant,
      credentials: "client_secret",
      client_id: clientId,
      client_secret: clientSecret,
      scopes: [home, group, other],
      roles: ["Reader", "Contributor", "Missing *", roles.reader.id],
      endpoints: wire.endpoints,
      ...fields
    },
    { onExcessProperty: "error" }
  )

export const providerOf = (
  wire: AzureWire.AzureWire,
  fields: object = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> => make(configOf(wire, fields))

export const alice: Provider.Grantee = {
  issuer: "https://issuer.test",
  subject: "alice",
  email: "alice@example.com"
}

/** The text that carries the marks of what counts now: a description, or the newest justification of a schedule. */
const markedText = (wire: AzureWire.AzureWire, one: AzureWire.Assigned): string => {
  if (one.schedule.requestName === null) return one.description ?? ""
  const asked = wire
    .scheduleRequests()
    .filter(({ outcome, target }) => target === one.schedule.name && outcome === "Provisioned")
  return asked.at(-1)?.justification ?? ""
}

/**
 * What counts, by request: every mark on an assignment that Azure would let through now. With PIM a mark's right is over
 * at its own end or the schedule's, whichever comes first; a plain assignment has no end but being deleted.
 */
export const liveRights = (wire: AzureWire.AzureWire) =>
  wire
    .assignments()
    .flatMap((one) =>
      Mark.read(markedText(wire, one)).holders.map(({ requestId, until }) => ({
        requestId,
        notAfter: Time.make(Math.min(until, one.schedule.end ?? until)),
        over: one.schedule.end !== null && wire.now() >= Math.min(until, one.schedule.end)
      }))
    )
    .filter(({ over }) => !over)
    .map(({ notAfter, requestId }) => ({ requestId, notAfter }))

/** Which operation the next call that grants or ends is: an end writes while others hold the right, too. */
const operationOf = (wire: AzureWire.AzureWire, how: "plain" | "pim", what: "grant" | "end"): string => {
  if (how === "pim") return `${rbac}/roleAssignmentScheduleRequests/write`
  const shared = wire.assignments().some((one) => Mark.read(markedText(wire, one)).holders.length > 1)
  return `${rbac}/roleAssignments/${what === "end" && !shared ? "delete" : "write"}`
}

export const fixtureOf = (
  wire: AzureWire.AzureWire,
  provider: Provider.Provider,
  how: "plain" | "pim" = "plain"
): ProviderFixture => {
  const ask = (role: string, resourceScope: string) => ({ role, resourceScope, durationSeconds: 1800 })
  const inject = (kind: "throttle" | "unavailable" | "loseAnswer") => (operation: "grant" | "end") =>
    Effect.sync(() => wire.inject(operationOf(wire, how, operation), { kind }))
  return {
    provider,
    asks: [ask("Reader", group), ask("Contributor", home), ask(roles.reader.id, other)],
    grantee: alice,
    now: Effect.sync(() => Time.make(wire.now())),
    // Whole seconds, and the time that a call takes.
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => wire.advance(seconds)),
    live: Effect.sync(() => liveRights(wire)),
    faults: {
      failBefore: inject("unavailable"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: (operation) =>
        Effect.sync(() => {
          const held = wire.hold(operationOf(wire, how, operation))
          return { reached: Effect.promise(() => held.reached), release: Effect.sync(held.release) }
        })
    },
    hide: Effect.sync(() => wire.setLag(1000)),
    smallPages: Effect.sync(() => wire.setPageSize(5)),
    missing: ask("Missing Role", group)
  }
}
