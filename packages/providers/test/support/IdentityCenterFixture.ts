/**
 * The provider `aws` in the mode `identity_center` over the official SDK, against the wire server.
 */
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { AwsConfig, make, type Options } from "@jitsudo/providers/aws"
import type { AwsWire, ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { alice, daemon, home, other } from "./AwsFixture.ts"

const instance = "ssoins-0123456789abcdef"
export const instanceArn = `arn:aws:sso:::instance/${instance}`
export const identityStoreId = "d-1234567890"

export const permissionSetArn = (number: number): string =>
  `arn:aws:sso:::permissionSet/${instance}/ps-${String(number).padStart(16, "0")}`

export const aliceId = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
export const bobId = "1234567890-f81d4fae-7dec-11d0-a765-00a0c91e6bf7"

/** Exactly what the mode needs, on anything. */
export const leastPrivilege = [
  "sso:CreateAccountAssignment",
  "sso:DeleteAccountAssignment",
  "sso:DescribeAccountAssignmentCreationStatus",
  "sso:DescribeAccountAssignmentDeletionStatus",
  "sso:DescribePermissionSet",
  "sso:ListAccountAssignmentCreationStatus",
  "sso:ListAccountAssignmentDeletionStatus",
  "sso:ListAccountAssignments",
  "sso:ListPermissionSets",
  "identitystore:GetUserId"
]

export const center: AwsWire.WireIdentityCenter = {
  instanceArn,
  identityStoreId,
  permissionSets: [
    { name: "unrelated", arn: permissionSetArn(1) },
    { name: "reader", arn: permissionSetArn(2) },
    { name: "admin", arn: permissionSetArn(3), sessionDuration: "PT8H" }
  ],
  users: [
    { userId: aliceId, userName: "alice@example.com", email: "alice@mail.example.com" },
    { userId: bobId, userName: "bob@example.com", email: "bob@mail.example.com" }
  ],
  accounts: [home, other]
}

export const wireOptions = (allowed: Pick<AwsWire.WireIdentity, "actions" | "policy"> = { actions: leastPrivilege }) =>
  ({
    now: Date.now,
    identities: [{ ...daemon, arn: `arn:aws:iam::${home}:user/jitsudod`, ...allowed }],
    roles: [],
    identityCenter: center
  }) satisfies AwsWire.WireOptions

export const configOf = (wire: AwsWire.AwsWire, fields: object = {}): AwsConfig =>
  Schema.decodeUnknownSync(AwsConfig)(
    {
      mode: "identity_center",
      accounts: [home],
      instance_arn: instanceArn,
      identity_store_id: identityStoreId,
      permission_sets: ["reader", "admin", "missing-*"],
      endpoint_url: wire.url,
      ...fields
    },
    { onExcessProperty: "error" }
  )

export const providerOf = (
  wire: AwsWire.AwsWire,
  fields: object = {},
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  make(configOf(wire, fields), { credentials: daemon, pollMillis: 1, ...options })

const operations = { grant: "sso:CreateAccountAssignment", end: "sso:DeleteAccountAssignment" } as const

/** A fault is for one call of the provider: one that needed no call to AWS has met it, too. */
const meetingFaults = <A, E>(
  wire: AwsWire.AwsWire,
  operation: string,
  call: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const made = () => wire.calls().filter((one) => one.operation === operation).length
    const before = made()
    return Effect.ensuring(
      call,
      Effect.sync(() => {
        if (made() === before) wire.forgetFaults(operation)
      })
    )
  })

/** What was asked of the provider, because AWS's assignments carry no mark of a request. */
interface Entry {
  readonly key: string
  over: boolean
  notAfter: Time.Time
}

const numberOf: Readonly<Record<string, string>> = { reader: permissionSetArn(2), admin: permissionSetArn(3) }

/**
 * The provider, and what is alive: a request whose place is assigned and which is not over. What stays assigned although
 * every request is over is the right of all of them.
 */
const watched = (wire: AwsWire.AwsWire) => {
  const book = new Map<string, Entry>()
  const placeOf = ({ resourceScope, role }: Provider.Canonical): string => `${resourceScope} ${numberOf[role] ?? role}`
  const watch = (provider: Provider.Provider): Provider.Provider => ({
    ...provider,
    grant: (request) => {
      const asked = Time.plusSeconds(request.now, request.canonical.durationSeconds)
      const known = book.get(request.requestId)
      const entry: Entry = known ?? { key: placeOf(request.canonical), over: false, notAfter: asked }
      book.set(request.requestId, entry)
      return meetingFaults(wire, operations.grant, provider.grant(request)).pipe(
        Effect.tap(({ notAfter }) =>
          Effect.sync(() => {
            entry.notAfter = notAfter
          })
        ),
        Effect.tapError(({ effect }) =>
          Effect.sync(() => {
            if (effect === "none" && known === undefined) book.delete(request.requestId)
          })
        )
      )
    },
    end: (request) =>
      Effect.tap(meetingFaults(wire, operations.end, provider.end(request)), () =>
        Effect.sync(() => {
          const entry = book.get(request.requestId)
          if (entry !== undefined) entry.over = true
        })
      )
  })
  const live = () => {
    const assigned = new Set(
      wire.assignments
        .all()
        .filter(({ principalId }) => principalId === aliceId)
        .map(({ account, permissionSetArn: arn }) => `${account} ${arn}`)
    )
    return [...book]
      .filter(([, { key, over }]) => {
        const held = [...book.values()].some((one) => one.key === key && !one.over)
        return assigned.has(key) && (!over || !held)
      })
      .map(([requestId, { notAfter }]) => ({ requestId, notAfter }))
  }
  return { watch, live }
}

export const fixtureOf = (
  wire: AwsWire.AwsWire,
  provider: Provider.Provider,
  elsewhere: Provider.Provider = provider
): ProviderFixture => {
  const { live, watch } = watched(wire)
  const ask = (role: string) => ({ role, resourceScope: home, durationSeconds: 1800 })
  const inject = (kind: "throttle" | "unavailable" | "loseAnswer") => (of: "grant" | "end") =>
    Effect.sync(() => wire.inject(operations[of], { kind }))
  return {
    provider: watch(provider),
    elsewhere: watch(elsewhere),
    asks: [ask("reader"), ask("admin")],
    grantee: alice,
    now: Effect.sync(() => Time.make(wire.now())),
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => wire.advance(seconds)),
    live: Effect.sync(live),
    faults: {
      failBefore: inject("unavailable"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: (of) =>
        Effect.sync(() => {
          const held = wire.hold(operations[of])
          return { reached: Effect.promise(() => held.reached), release: Effect.sync(held.release) }
        })
    },
    hide: Effect.sync(() => wire.setLag(1000)),
    smallPages: Effect.sync(() => wire.setPageSize(1)),
    missing: ask("missing-set")
  }
}
