/**
 * The provider `aws` over the official SDK against the wire server: what a session can do before and after it is ended,
 * which permissions that takes, and what happens when AWS refuses.
 */
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam"
import { assert, describe, it } from "@effect/vitest"
import { type Provider, Time } from "@jitsudo/core"
import { RevocationPolicy } from "@jitsudo/providers/aws"
import { AwsWire, hostileTexts } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  alice,
  daemon,
  home,
  leastPrivilege,
  liveRights,
  other,
  providerOf,
  roleArn,
  wireOptions
} from "./support/AwsFixture.ts"

const idOf = (number: number): string => `req_${String(number).padStart(26, "0")}`
const nowOf = (wire: AwsWire.AwsWire): Time.Time => Time.make(wire.now())

const grantOf = (
  wire: AwsWire.AwsWire,
  number: number,
  part: Partial<Provider.GrantRequest> = {}
): Provider.GrantRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical: { role: "reader", resourceScope: home, durationSeconds: 1800 },
  checked: {},
  reason: "INC-1: look at the queue",
  metadata: {},
  now: nowOf(wire),
  neighbours: [],
  ...part
})

const endOf = (
  wire: AwsWire.AwsWire,
  number: number,
  part: Partial<Provider.EndRequest> = {}
): Provider.EndRequest => ({
  requestId: idOf(number),
  grantee: alice,
  canonical: { role: "reader", resourceScope: home, durationSeconds: 1800 },
  checked: {},
  reference: null,
  notAfter: Time.plusSeconds(nowOf(wire), 1800),
  why: "early",
  now: nowOf(wire),
  neighbours: [],
  ...part
})

const started = (
  fields: object = {},
  actions: ReadonlyArray<string> = leastPrivilege,
  roles: ReadonlyArray<AwsWire.WireRole> = []
) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(wireOptions(actions, roles))
    return { wire, provider: yield* providerOf(wire, fields) }
  })

/** What a program does that has a grant's credentials. */
const sessionOf = (wire: AwsWire.AwsWire, granted: Provider.Granted) => {
  const shared = {
    endpoint: wire.url,
    region: granted.credentials["AWS_REGION"] ?? "",
    maxAttempts: 1,
    credentials: {
      accessKeyId: granted.credentials["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: granted.credentials["AWS_SECRET_ACCESS_KEY"] ?? "",
      sessionToken: granted.credentials["AWS_SESSION_TOKEN"] ?? ""
    }
  }
  const [iam, sts] = [new IAMClient(shared), new STSClient(shared)]
  const outcome = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "ok",
      (thrown: unknown) => (thrown instanceof Error ? thrown.name : "thrown")
    )
  return {
    listRoles: () => outcome(iam.send(new ListRolesCommand({}))),
    whoAmI: () => outcome(sts.send(new GetCallerIdentityCommand({}))),
    assume: (arn: string) => sts.send(new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: "onwards" }))
  }
}

const livingIds = (wire: AwsWire.AwsWire): ReadonlyArray<string> => liveRights(wire).map(({ requestId }) => requestId)

const policyOf = (wire: AwsWire.AwsWire, arn = roleArn("reader")): string =>
  wire.policies(arn)[RevocationPolicy.policyName] ?? "none"

describe("a session of the provider aws", () => {
  it.live("is refused once it is revoked, and another session of the same role is not", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const mine = yield* provider.grant(grantOf(wire, 1))
      const yours = yield* provider.grant(grantOf(wire, 2))
      const [me, you] = [sessionOf(wire, mine), sessionOf(wire, yours)]
      assert.deepStrictEqual([yield* Effect.promise(me.listRoles), yield* Effect.promise(you.listRoles)], ["ok", "ok"])
      const ended = yield* provider.end(endOf(wire, 1, { reference: mine.reference }))
      assert.isNull(ended.note)
      assert.deepStrictEqual(
        [yield* Effect.promise(me.listRoles), yield* Effect.promise(you.listRoles)],
        ["AccessDenied", "ok"]
      )
      // AWS never denies this call; it must not be taken for a sign of life.
      assert.strictEqual(yield* Effect.promise(me.whoAmI), "ok")
    })
  )

  it.live("carries its environment, its end by AWS's clock, and no secret in its reference", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ region: "eu-central-1", child_endpoint_url: "http://127.0.0.1:1" })
      const granted = yield* provider.grant(grantOf(wire, 1))
      assert.deepStrictEqual(Object.keys(granted.credentials).toSorted(), [
        "AWS_ACCESS_KEY_ID",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN"
      ])
      const [session] = wire.sessions()
      assert.strictEqual(granted.notAfter, session?.expiresAt)
      assert.strictEqual(granted.issuedAt, session?.issuedAt)
      assert.strictEqual(granted.notAfter - granted.issuedAt, 1_800_000)
      assert.strictEqual(granted.credentials["AWS_CREDENTIAL_EXPIRATION"], new Date(granted.notAfter).toISOString())
      assert.strictEqual(granted.credentials["AWS_REGION"], "eu-central-1")
      assert.strictEqual(session?.sessionName, `jitsudo-${idOf(1)}`)
      assert.deepStrictEqual([session?.tags, session?.sourceIdentity], [{}, null])
      const reference = JSON.stringify(granted.reference)
      for (const variable of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]) {
        assert.notInclude(reference, granted.credentials[variable] ?? "missing")
      }
    })
  )

  it.live("lives on in a session of another role that was assumed from it, as the capabilities say", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const granted = yield* provider.grant(grantOf(wire, 1))
      const answer = yield* Effect.promise(() => sessionOf(wire, granted).assume(roleArn("admin")))
      yield* provider.end(endOf(wire, 1))
      const [onwards] = wire.liveSessions()
      assert.strictEqual(onwards?.accessKeyId, answer.Credentials?.AccessKeyId)
      assert.isTrue(onwards?.chained)
      assert.include(provider.capabilities.earlyRevocation.note, "live on")
    })
  )

  it.live("is let through for as long as IAM has not spread the denial, and no longer", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const session = sessionOf(wire, yield* provider.grant(grantOf(wire, 1)))
      wire.setLag(2)
      yield* provider.end(endOf(wire, 1))
      const seen: Array<string> = []
      for (let call = 0; call < 4; call += 1) seen.push(yield* Effect.promise(session.listRoles))
      assert.deepStrictEqual(seen, ["ok", "ok", "AccessDenied", "AccessDenied"])
    })
  )

  it.live("is denied although nobody got its answer", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.inject("sts:AssumeRole", { kind: "loseAnswer" })
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderUnavailable", "unknown", true]
      )
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
      // One call to AWS, not the SDK's repetitions behind our back.
      assert.lengthOf(wire.sessions(), 1)
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )

  it.live("that AWS does not answer for in time is an unknown outcome", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ timeout_seconds: 1 })
      const held = wire.hold("sts:AssumeRole")
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      held.release()
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderUnavailable", "unknown"])
    })
  )

  it.live("that is granted again ends with the first, and both under one denial", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const first = yield* provider.grant(grantOf(wire, 1))
      wire.advance(600)
      const again = yield* provider.grant(grantOf(wire, 1))
      assert.isAtMost(again.notAfter, first.notAfter)
      assert.isAbove(again.notAfter, first.notAfter - 5000)
      assert.lengthOf(wire.liveSessions(), 2)
      yield* provider.end(endOf(wire, 1))
      assert.lengthOf(wire.liveSessions(), 0)
    })
  )

  it.live("that another process granted, and lost the answer of, ends with that one at the latest", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const elsewhere = yield* providerOf(wire)
      const unknownSince = nowOf(wire)
      wire.inject("sts:AssumeRole", { kind: "loseAnswer" })
      yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      wire.advance(600)
      const again = yield* elsewhere.grant(grantOf(wire, 1, { unknownSince }))
      assert.isAtMost(again.notAfter, Time.plusSeconds(unknownSince, 1800))
      assert.isAtLeast(again.notAfter, Time.plusSeconds(unknownSince, 1795))
      wire.advance(600)
      const late = yield* Effect.flip(elsewhere.grant(grantOf(wire, 1, { unknownSince })))
      assert.deepStrictEqual([late.reason, late.effect], ["ProviderConflict", "unknown"])
    })
  )

  it.live("cannot be granted again when AWS has no session short enough", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.advance(1000)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      // A session of the request exists, so the engine must end it.
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderConflict", "unknown", false]
      )
      assert.lengthOf(wire.sessions(), 1)
    })
  )

  it.live("that nobody waits for any more is still taken back", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = wire.hold("sts:AssumeRole")
      const attempt = yield* Effect.forkChild(provider.grant(grantOf(wire, 1)), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      yield* Fiber.interrupt(attempt)
      held.release()
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )
})

describe("the denial", () => {
  it.live("needs no call at natural expiry", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const granted = yield* provider.grant(grantOf(wire, 1))
      yield* provider.grant(
        grantOf(wire, 2, { canonical: { role: "reader", resourceScope: home, durationSeconds: 3600 } })
      )
      wire.advance(1801)
      const before = wire.calls().length
      // The engine's notAfter lies a little later: its clock starts before the call.
      const notAfter = Time.plusSeconds(granted.notAfter, 90)
      const ended = yield* provider.end(endOf(wire, 1, { why: "expired", reference: granted.reference, notAfter }))
      assert.deepStrictEqual(ended, { note: null })
      assert.lengthOf(wire.calls(), before)
      assert.strictEqual(policyOf(wire), "none")
      assert.deepStrictEqual(livingIds(wire), [idOf(2)])
    })
  )

  it.live("is rebuilt from the neighbours: ended ones stay, active ones are free, expired ones are gone", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      for (const number of [1, 2, 3, 4]) yield* provider.grant(grantOf(wire, number))
      const now = nowOf(wire)
      const soon = Time.plusSeconds(now, 1800)
      yield* provider.end(
        endOf(wire, 1, {
          neighbours: [
            { requestId: idOf(2), state: "ended", notAfter: soon, reference: null },
            { requestId: idOf(3), state: "active", notAfter: soon, reference: null },
            { requestId: idOf(4), state: "ending", notAfter: soon, reference: null },
            { requestId: idOf(5), state: "ended", notAfter: now, reference: null }
          ]
        })
      )
      assert.deepStrictEqual(livingIds(wire), [idOf(3)])
      assert.deepStrictEqual(JSON.parse(policyOf(wire)).Statement, [
        {
          Sid: "JitsudoEndedSessions",
          Effect: "Deny",
          Action: "*",
          Resource: "*",
          Condition: { StringLike: { "aws:userid": [1, 2, 4].map((number) => `*:jitsudo-${idOf(number)}`) } }
        }
      ])
    })
  )

  it.live("matches no session when the list is empty", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 2))
      yield* provider.end(endOf(wire, 1, { notAfter: nowOf(wire) }))
      assert.deepStrictEqual(JSON.parse(policyOf(wire)).Statement[0].Condition, {
        StringLike: { "aws:userid": ["no-session"] }
      })
      assert.deepStrictEqual(livingIds(wire), [idOf(2)])
    })
  )

  const manyEnded = (wire: AwsWire.AwsWire, count: number): ReadonlyArray<Provider.Neighbour> =>
    Array.from({ length: count }, (_, index) => ({
      requestId: idOf(1000 + index),
      state: "ended",
      notAfter: Time.plusSeconds(nowOf(wire), 800 + index),
      reference: { durationSeconds: 1800, issuedAt: nowOf(wire) - (1000 - index) * 1000 }
    }))

  /** Somebody else's inline policy of about so many characters. */
  const fillQuota = (wire: AwsWire.AwsWire, characters: number): void => {
    const statement = { Effect: "Allow", Action: `s3:${"x".repeat(characters - 100)}`, Resource: "*" }
    wire.putPolicy(roleArn("reader"), "others", JSON.stringify({ Version: "2012-10-17", Statement: [statement] }))
  }

  it.live("is folded when the list outgrows the quota, says so, and spares sessions that are not jitsudo's", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const old = yield* provider.grant(grantOf(wire, 1))
      const own = yield* provider.grant(grantOf(wire, 2))
      const sts = new STSClient({ endpoint: wire.url, region: "us-east-1", credentials: daemon })
      yield* Effect.promise(() =>
        sts.send(new AssumeRoleCommand({ RoleArn: roleArn("reader"), RoleSessionName: "somebody-else" }))
      )
      wire.advance(1000)
      const young = yield* provider.grant(grantOf(wire, 3))
      const living = [
        { requestId: idOf(1), state: "active" as const, notAfter: old.notAfter, reference: old.reference },
        { requestId: idOf(3), state: "active" as const, notAfter: young.notAfter, reference: young.reference }
      ]
      const { note } = yield* provider.end(
        endOf(wire, 2, {
          reference: own.reference,
          notAfter: own.notAfter,
          neighbours: [...manyEnded(wire, 400), ...living]
        })
      )
      const document = policyOf(wire)
      assert.isAtMost(document.length, RevocationPolicy.quota)
      assert.match(note ?? "", /quota .* full: \d+ ended sessions .* until .*; 1 active grant is among them/u)
      const names = wire.liveSessions().map(({ sessionName }) => sessionName)
      assert.deepStrictEqual(names.toSorted(), [`jitsudo-${idOf(3)}`, "somebody-else"])
      assert.deepStrictEqual(JSON.parse(document).Statement[1].Condition.StringLike, { "aws:userid": ["*:jitsudo-*"] })
    })
  )

  it.live("is folded further when others' policies share the quota", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      fillQuota(wire, 8_000)
      yield* provider.grant(grantOf(wire, 1))
      const neighbours = manyEnded(wire, 60)
      const { note } = yield* provider.end(endOf(wire, 1, { neighbours }))
      assert.include(note ?? "", "quota")
      assert.deepStrictEqual(livingIds(wire), [])
      const outcomes = wire.calls().filter(({ operation }) => operation === "iam:PutRolePolicy")
      assert.deepStrictEqual(
        outcomes.map(({ outcome }) => outcome),
        ["LimitExceeded", "ok"]
      )
    })
  )

  it.live("is not confirmed when there is no room at all", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      fillQuota(wire, 10_150)
      yield* provider.grant(grantOf(wire, 1))
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual([failure.reason, failure.retryable, failure.effect], ["QuotaExceeded", true, "none"])
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
    })
  )

  it.live("is not confirmed when the role is gone", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.removeRole(roleArn("reader"))
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual([failure.reason, failure.retryable], ["RoleNotFound", true])
    })
  )

  it.live("comes through throttling and conflicts of IAM by being tried again", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.inject("iam:PutRolePolicy", { kind: "throttle" })
      const throttled = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual([throttled.reason, throttled.retryable], ["ProviderThrottled", true])
      wire.inject("iam:PutRolePolicy", { kind: "conflict" })
      const conflict = yield* Effect.flip(provider.end(endOf(wire, 1)))
      assert.deepStrictEqual([conflict.reason, conflict.retryable, conflict.effect], ["ProviderConflict", true, "none"])
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )
})

describe("permissions", () => {
  it.live("the default takes exactly sts:AssumeRole and iam:PutRolePolicy", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({}, ["sts:AssumeRole", "iam:PutRolePolicy"])
      const canonical = { role: "reader", resourceScope: home, durationSeconds: 1800 }
      yield* provider.check(canonical, alice)
      const granted = yield* provider.grant(grantOf(wire, 1))
      yield* provider.inspect(endOf(wire, 1, { reference: granted.reference }))
      yield* provider.list()
      yield* provider.end(endOf(wire, 1, { reference: granted.reference }))
      assert.deepStrictEqual(
        wire.calls().map(({ operation, outcome }) => [operation, outcome]),
        [
          ["sts:AssumeRole", "ok"],
          ["iam:PutRolePolicy", "ok"]
        ]
      )
    })
  )

  it.live.each([
    ["sts:AssumeRole", {}, ["iam:PutRolePolicy"]],
    ["iam:PutRolePolicy", {}, ["sts:AssumeRole"]],
    ["sts:TagSession", { session_tags: true }, leastPrivilege],
    ["sts:SetSourceIdentity", { source_identity: true }, leastPrivilege],
    ["iam:GetRole", { read_limits: true }, leastPrivilege]
  ] as const)("without %s the hint names it, and the requester hears no internals", ([permission, fields, actions]) =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(fields, actions)
      const canonical = { role: "reader", resourceScope: home, durationSeconds: 1800 }
      const failure = yield* Effect.flip(
        provider
          .check(canonical, alice)
          .pipe(Effect.andThen(provider.grant(grantOf(wire, 1))), Effect.andThen(provider.end(endOf(wire, 1))))
      )
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderDenied", "none", false])
      assert.include(failure.hint, permission)
      assert.include(failure.hint, roleArn("reader"))
      assert.notMatch(failure.message, /arn:|\d{12}/u)
    })
  )

  it.live("each switch adds the one permission that it names", () =>
    Effect.gen(function* () {
      const switches = { session_tags: true, source_identity: true, read_limits: true }
      const { wire, provider } = yield* started(switches, [
        ...leastPrivilege,
        "sts:TagSession",
        "sts:SetSourceIdentity",
        "iam:GetRole"
      ])
      yield* provider.check({ role: "reader", resourceScope: home, durationSeconds: 1800 }, alice)
      yield* provider.grant(grantOf(wire, 1, { reason: "Ticket #42 — “urgent” (see, please!)" }))
      const [session] = wire.sessions()
      assert.deepStrictEqual(session?.tags, {
        "jitsudo:RequestID": idOf(1),
        "jitsudo:Requester": "alice@example.com",
        "jitsudo:Reason": "Ticket 42 urgent see please"
      })
      assert.strictEqual(session?.sourceIdentity, "alice@example.com")
    })
  )

  it.live("hostile reasons and names become tags that AWS accepts", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ session_tags: true, source_identity: true }, ["sts:*"])
      let number = 0
      for (const { text } of hostileTexts) {
        number += 1
        const grantee = { issuer: "i", subject: text, email: null }
        yield* provider.grant(grantOf(wire, number, { grantee, reason: text }))
      }
      assert.lengthOf(wire.sessions(), hostileTexts.length)
    })
  )

  it.live("AWS that does not know the daemon says so to the operator", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      const provider = yield* providerOf(wire, {}, { credentials: { ...daemon, secretAccessKey: "wrong" } })
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
      assert.include(failure.hint, "own credentials")
    })
  )
})

describe("limits", () => {
  it.live("a role that allows less than the configuration says ends in DurationOutOfRange with a hint", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ max_session_seconds: 7200 })
      const canonical = { role: "reader", resourceScope: home, durationSeconds: 7200 }
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1, { canonical })))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["DurationOutOfRange", "none", false])
      assert.include(failure.hint, "max_session_seconds")
      assert.lengthOf(wire.sessions(), 0)
    })
  )

  it.live("with read_limits it is said before anybody decides", () =>
    Effect.gen(function* () {
      const { provider } = yield* started({ max_session_seconds: 7200, read_limits: true }, [
        ...leastPrivilege,
        "iam:GetRole"
      ])
      const within = yield* provider.check({ role: "reader", resourceScope: home, durationSeconds: 3600 }, alice)
      assert.strictEqual(within.maxDurationSeconds, 3600)
      const failure = yield* Effect.flip(
        provider.check({ role: "reader", resourceScope: home, durationSeconds: 7200 }, alice)
      )
      assert.strictEqual(failure.reason, "DurationOutOfRange")
      const missing = yield* Effect.flip(
        provider.check({ role: "missing-role", resourceScope: home, durationSeconds: 3600 }, alice)
      )
      assert.strictEqual(missing.reason, "RoleNotFound")
    })
  )

  it.live("an external id is sent when it is configured", () =>
    Effect.gen(function* () {
      const guarded = { arn: roleArn("missing-guarded"), externalId: "jitsudo-1" }
      const canonical = { role: "missing-guarded", resourceScope: home, durationSeconds: 900 }
      const without = yield* started({}, leastPrivilege, [guarded])
      const failure = yield* Effect.flip(without.provider.grant(grantOf(without.wire, 1, { canonical })))
      assert.strictEqual(failure.reason, "ProviderDenied")
      const withIt = yield* started({ external_id: "jitsudo-1" }, leastPrivilege, [guarded])
      yield* withIt.provider.grant(grantOf(withIt.wire, 1, { canonical }))
      assert.lengthOf(withIt.wire.sessions(), 1)
    })
  )
})

describe("across accounts", () => {
  const revoker = `arn:aws:iam::${other}:role/jitsudo-revoker`
  const fields = {
    accounts: [home, other],
    revoker_role_arn_template: "arn:aws:iam::{scope}:role/jitsudo-revoker"
  }
  const foreign = { role: "reader", resourceScope: other, durationSeconds: 1800 }
  const roles = (actions: ReadonlyArray<string>): ReadonlyArray<AwsWire.WireRole> => [
    { arn: roleArn("reader", other) },
    { arn: revoker, actions }
  ]

  it.live("the denial is put where the role is, not on its namesake at home", () =>
    Effect.gen(function* () {
      // The daemon itself may not put policies: only the revoker does, there.
      const { wire, provider } = yield* started(fields, ["sts:AssumeRole"], roles(["iam:PutRolePolicy"]))
      yield* provider.grant(grantOf(wire, 1, { canonical: foreign }))
      yield* provider.grant(grantOf(wire, 2, { canonical: foreign }))
      yield* provider.end(endOf(wire, 1, { canonical: foreign }))
      yield* provider.end(endOf(wire, 1, { canonical: foreign, notAfter: Time.plusSeconds(nowOf(wire), 1700) }))
      assert.strictEqual(policyOf(wire, roleArn("reader")), "none")
      assert.include(policyOf(wire, roleArn("reader", other)), idOf(1))
      const names = wire.liveSessions().map(({ sessionName }) => sessionName)
      assert.deepStrictEqual(names.toSorted(), [`jitsudo-${idOf(2)}`, "jitsudod-revoker"].toSorted())
      // The revoker's session is kept while it lasts.
      assert.lengthOf(
        wire.sessions().filter(({ roleArn: arn }) => arn === revoker),
        1
      )
    })
  )

  it.live("a revoker that may not act there confirms nothing", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(fields, ["sts:AssumeRole"], roles(["iam:ListRoles"]))
      yield* provider.grant(grantOf(wire, 1, { canonical: foreign }))
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1, { canonical: foreign })))
      assert.strictEqual(failure.reason, "ProviderDenied")
      assert.include(failure.hint, "iam:PutRolePolicy")
      assert.include(livingIds(wire), idOf(1))
    })
  )

  it.live("a revoker that cannot be assumed is named", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(fields, ["sts:AssumeRole"], [{ arn: roleArn("reader", other) }])
      yield* provider.grant(grantOf(wire, 1, { canonical: foreign }))
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1, { canonical: foreign })))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
      assert.include(failure.hint, revoker)
    })
  )

  it.live("an expired revoker session is replaced", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(fields, ["sts:AssumeRole"], roles(["iam:PutRolePolicy"]))
      yield* provider.grant(grantOf(wire, 1, { canonical: foreign }))
      yield* provider.end(endOf(wire, 1, { canonical: foreign }))
      wire.advance(1000)
      const failure = yield* Effect.flip(provider.end(endOf(wire, 1, { canonical: foreign })))
      assert.isTrue(failure.retryable)
      yield* provider.end(endOf(wire, 1, { canonical: foreign }))
    })
  )
})
