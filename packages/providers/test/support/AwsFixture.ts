/**
 * The provider `aws` over the official SDK, against the wire server.
 */
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { AwsConfig, make, type Options } from "@jitsudo/providers/aws"
import type { AwsWire, ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const home = "111122223333"
export const other = "444455556666"
export const daemon = {
  accessKeyId: "AKIAJITSUDODAEMON000",
  secretAccessKey: "wire-server-secret-of-the-daemon"
}

export const roleArn = (role: string, account = home): string => `arn:aws:iam::${account}:role/jitsudo-${role}`

/** Exactly what the default configuration needs. */
export const leastPrivilege = ["sts:AssumeRole", "iam:PutRolePolicy"]

export const wireOptions = (
  actions: ReadonlyArray<string> = leastPrivilege,
  roles: ReadonlyArray<Partial<AwsWire.WireRole> & { readonly arn: string }> = []
): AwsWire.WireOptions => ({
  now: Date.now,
  identities: [{ ...daemon, arn: `arn:aws:iam::${home}:user/jitsudod`, actions }],
  roles: [{ arn: roleArn("reader") }, { arn: roleArn("admin") }, ...roles]
})

export const configOf = (wire: AwsWire.AwsWire, fields: object = {}): AwsConfig =>
  Schema.decodeUnknownSync(AwsConfig)(
    { account_id: home, accounts: [home], roles: ["reader", "admin", "missing-*"], endpoint_url: wire.url, ...fields },
    { onExcessProperty: "error" }
  )

export const providerOf = (
  wire: AwsWire.AwsWire,
  fields: object = {},
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  make(configOf(wire, fields), { credentials: daemon, ...options })

export const alice: Provider.Grantee = {
  issuer: "https://issuer.test",
  subject: "alice",
  email: "alice@example.com"
}

const requestIdOf = ({ sessionName }: AwsWire.WireSession): string => sessionName.replace(/^jitsudo-/u, "")

/**
 * What is alive, by user id: sessions of one name are one right, because AWS and one denial see them as one. The end
 * of a right is the latest of its sessions.
 */
export const liveRights = (wire: AwsWire.AwsWire) => {
  const rights = new Map<string, { requestId: string; notAfter: Time.Time }>()
  for (const session of wire.liveSessions()) {
    const notAfter = Time.make(Math.max(session.expiresAt, rights.get(session.userid)?.notAfter ?? 0))
    rights.set(session.userid, { requestId: requestIdOf(session), notAfter })
  }
  return [...rights.values()]
}

export const fixtureOf = (
  wire: AwsWire.AwsWire,
  provider: Provider.Provider,
  elsewhere: Provider.Provider = provider
): ProviderFixture => {
  const ask = (role: string) => ({ role, resourceScope: home, durationSeconds: 1800 })
  const action = { grant: "sts:AssumeRole", end: "iam:PutRolePolicy" } as const
  const inject = (kind: "throttle" | "unavailable" | "loseAnswer") => (operation: "grant" | "end") =>
    Effect.sync(() => wire.inject(action[operation], { kind }))
  return {
    provider,
    elsewhere,
    asks: [ask("reader"), ask("admin")],
    grantee: alice,
    now: Effect.sync(() => Time.make(wire.now())),
    // Whole seconds at AWS, and the time that a call takes.
    toleranceSeconds: 5,
    advance: (seconds) => Effect.sync(() => wire.advance(seconds)),
    live: Effect.sync(() => liveRights(wire)),
    faults: {
      failBefore: inject("unavailable"),
      loseAnswer: inject("loseAnswer"),
      throttle: inject("throttle"),
      hold: (operation) =>
        Effect.sync(() => {
          const held = wire.hold(action[operation])
          return { reached: Effect.promise(() => held.reached), release: Effect.sync(held.release) }
        })
    },
    hide: null,
    missing: ask("missing-role")
  }
}
