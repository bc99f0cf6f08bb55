/**
 * The provider `aws` on the wire server, in each mode and with every switch, and on a real endpoint where one is given.
 *
 * `JITSUDO_TEST_AWS_ENDPOINT` names an endpoint that answers STS and IAM as AWS does. Credentials come from the SDK's
 * default chain, for an identity that may read inline policies, too (`iam:GetRolePolicy`). `JITSUDO_TEST_AWS_ACCOUNT` is
 * the account (000000000000 when absent), which has the roles `jitsudo-reader` and `jitsudo-admin`.
 */
import { Time } from "@jitsudo/core"
import { AwsConfig, make } from "@jitsudo/providers/aws"
import { AwsWire, type ProviderFixture } from "@jitsudo/providers/testing"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AwsFixture from "./AwsFixture.ts"
import * as IdentityCenterFixture from "./IdentityCenterFixture.ts"
import type { Lane } from "./Lane.ts"

const noSessions = { hide: "STS lists no sessions, so no read can lag behind" }

const assumeRole = (name: string, fields: object, actions?: ReadonlyArray<string>): Lane => ({
  name,
  make: Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(AwsFixture.wireOptions(actions))
    const provider = Effect.orDie(AwsFixture.providerOf(wire, fields))
    return { wire, fixture: AwsFixture.fixtureOf(wire, yield* provider, yield* provider) }
  }),
  gaps: noSessions
})

const identityCenter: Lane = {
  name: "aws identity_center",
  make: Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(IdentityCenterFixture.wireOptions())
    const provider = Effect.orDie(IdentityCenterFixture.providerOf(wire))
    return { wire, fixture: IdentityCenterFixture.fixtureOf(wire, yield* provider, yield* provider) }
  }),
  gaps: {}
}

/** Where a real endpoint is; null when none is given. */
export const endpoint: string | null = process.env["JITSUDO_TEST_AWS_ENDPOINT"] ?? null
export const endpointAccount: string = process.env["JITSUDO_TEST_AWS_ACCOUNT"] ?? "000000000000"

export const endpointConfig = (url: string): AwsConfig =>
  Schema.decodeUnknownSync(AwsConfig)({
    accounts: [endpointAccount],
    roles: ["reader", "admin", "missing-*"],
    endpoint_url: url
  })

const ask = (role: string) => ({ role, resourceScope: endpointAccount, durationSeconds: 900 })

const real = (url: string): Lane => ({
  name: "aws on the endpoint that was given",
  make: Effect.gen(function* () {
    const provider = yield* Effect.orDie(make(endpointConfig(url)))
    const fixture: ProviderFixture = {
      provider,
      asks: [ask("reader"), ask("admin")],
      grantee: AwsFixture.alice,
      now: Effect.map(Clock.currentTimeMillis, Time.make),
      toleranceSeconds: 30,
      advance: null,
      live: null,
      faults: null,
      hide: null,
      missing: ask("missing-role")
    }
    return { wire: null, fixture }
  }),
  gaps: {
    advance: "real time",
    live: "STS lists no sessions",
    faults: "a real endpoint breaks when it likes",
    hide: "STS lists no sessions"
  }
})

export const lanes: ReadonlyArray<Lane> = [
  assumeRole("aws with two permissions", {}),
  assumeRole("aws with every switch", { session_tags: true, source_identity: true, read_limits: true }, [
    "sts:AssumeRole",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "iam:PutRolePolicy",
    "iam:GetRole"
  ]),
  identityCenter,
  ...(endpoint === null ? [] : [real(endpoint)])
]
