/**
 * The provider `aws` in the mode `identity_center` over the official SDK against the wire server: whose an assignment
 * is, what happens while AWS is at it, and which permissions that takes.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Provider, Time } from "@jitsudo/core"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { alice, daemon, home, other } from "./support/AwsFixture.ts"
import {
  aliceId,
  bobId,
  center,
  leastPrivilege,
  permissionSetArn,
  providerOf,
  wireOptions
} from "./support/IdentityCenterFixture.ts"

/** A request's id whose instant is the wire server's now. */
const idAt = (wire: AwsWire.AwsWire, number: number): string => {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
  let time = wire.now()
  let text = ""
  for (let place = 0; place < 10; place += 1) {
    text = (digits[time % 32] ?? "0") + text
    time = Math.floor(time / 32)
  }
  return `req_${text}${String(number).padStart(16, "0")}`
}

const nowOf = (wire: AwsWire.AwsWire): Time.Time => Time.make(wire.now())
const canonicalOf = (role = "reader", resourceScope = home): Provider.Canonical => ({
  role,
  resourceScope,
  durationSeconds: 1800
})

/** A request as the engine would hold it. */
interface Held {
  readonly requestId: string
  readonly canonical: Provider.Canonical
  readonly grantee: Provider.Grantee
  readonly checked: Provider.EndRequest["checked"]
}

const asked = (
  wire: AwsWire.AwsWire,
  provider: Provider.Provider,
  number: number,
  { canonical = canonicalOf(), grantee = alice }: Partial<Pick<Held, "canonical" | "grantee">> = {}
) =>
  Effect.map(provider.check(canonical, grantee), ({ facts }): Held => ({
    requestId: idAt(wire, number),
    canonical,
    grantee,
    checked: facts
  }))

const grantOf = (
  wire: AwsWire.AwsWire,
  held: Held,
  neighbours: ReadonlyArray<Provider.Neighbour> = []
): Provider.GrantRequest => ({ ...held, reason: "INC-1", metadata: {}, now: nowOf(wire), neighbours })

const endOf = (
  wire: AwsWire.AwsWire,
  held: Held,
  reference: Provider.EndRequest["reference"],
  part: Partial<Provider.EndRequest> = {}
): Provider.EndRequest => ({
  ...held,
  reference,
  notAfter: Time.plusSeconds(nowOf(wire), held.canonical.durationSeconds),
  why: "early",
  now: nowOf(wire),
  neighbours: [],
  ...part
})

const beside = (
  wire: AwsWire.AwsWire,
  { requestId }: Held,
  state: Provider.Neighbour["state"],
  reference: Provider.Neighbour["reference"]
): Provider.Neighbour => ({ requestId, state, reference, notAfter: Time.plusSeconds(nowOf(wire), 1800) })

const started = (fields: object = {}, options: Parameters<typeof providerOf>[2] = {}) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(wireOptions())
    return { wire, provider: yield* providerOf(wire, fields, options) }
  })

/** The same provider in another process: it knows nothing of this one. */
const elsewhere = (wire: AwsWire.AwsWire, fields: object = {}) => providerOf(wire, fields)

const standing = {
  account: home,
  permissionSetArn: permissionSetArn(2),
  principalId: aliceId,
  principalType: "USER"
} as const

const assigned = (wire: AwsWire.AwsWire): ReadonlyArray<string> =>
  wire.assignments.all().map(({ account, permissionSetArn: arn, principalId }) => `${account} ${arn} ${principalId}`)

const callsOf = (wire: AwsWire.AwsWire, operation: string): number =>
  wire.calls().filter((call) => call.operation === operation).length

describe("a permission set assigned for a time", () => {
  it.live("is assigned to exactly the person, in exactly the account, and taken back", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ region: "eu-central-1" })
      const held = yield* asked(wire, provider, 1)
      const granted = yield* provider.grant(grantOf(wire, held))
      assert.deepStrictEqual(assigned(wire), [`${home} ${permissionSetArn(2)} ${aliceId}`])
      assert.deepStrictEqual(granted.credentials, {
        AWS_REGION: "eu-central-1",
        AWS_DEFAULT_REGION: "eu-central-1",
        JITSUDO_AWS_ACCOUNT_ID: home,
        JITSUDO_AWS_PERMISSION_SET: "reader"
      })
      assert.strictEqual(granted.notAfter - granted.issuedAt, 1_800_000)
      const { note } = yield* provider.end(endOf(wire, held, granted.reference))
      assert.deepStrictEqual(assigned(wire), [])
      assert.include(note ?? "", "live on")
      assert.include(note ?? "", Time.toRfc3339(Time.plusSeconds(nowOf(wire), 3600)).slice(0, 16))
    })
  )

  it.live("says until when its sessions live on, by the session duration of the permission set", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1, { canonical: canonicalOf("admin") })
      const { reference } = yield* provider.grant(grantOf(wire, held))
      const { note } = yield* provider.end(endOf(wire, held, reference))
      assert.include(note ?? "", Time.toRfc3339(Time.plusSeconds(nowOf(wire), 8 * 3600)).slice(0, 16))
      assert.include(provider.capabilities.earlyRevocation.note, "go on working until their own end")
      assert.deepStrictEqual([provider.capabilities.nativeExpiry, provider.capabilities.listing], [false, false])
    })
  )

  it.live("is found by its name although there are several pages, and read once", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.setPageSize(1)
      yield* asked(wire, provider, 1, { canonical: canonicalOf("admin") })
      yield* asked(wire, provider, 2)
      assert.strictEqual(callsOf(wire, "sso:ListPermissionSets"), 3)
      const failure = yield* Effect.flip(provider.check(canonicalOf("missing-set"), alice))
      assert.deepStrictEqual([failure.reason, failure.effect], ["RoleNotFound", "none"])
      assert.strictEqual(callsOf(wire, "sso:ListPermissionSets"), 3)
    })
  )

  it.live("may be asked for by an ARN that the configuration knows, and means the same", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ permission_set_arns: { reader: permissionSetArn(2) } })
      const byName = Result.getOrThrow(provider.parse(canonicalOf()))
      const byArn = Result.getOrThrow(provider.parse(canonicalOf(permissionSetArn(2))))
      assert.deepStrictEqual(byArn, byName)
      assert.isTrue(Result.isFailure(provider.parse(canonicalOf(permissionSetArn(3)))))
      yield* asked(wire, provider, 1)
      assert.strictEqual(callsOf(wire, "sso:ListPermissionSets"), 0)
    })
  )

  it.live("is not taken for another whose name the ARN has", () =>
    Effect.gen(function* () {
      const { provider } = yield* started({ permission_set_arns: { reader: permissionSetArn(3) } })
      const failure = yield* Effect.flip(provider.check(canonicalOf(), alice))
      assert.strictEqual(failure.reason, "RoleNotFound")
      assert.include(failure.hint, "permission_set_arns")
    })
  )

  it.live("survives an instance that asks to slow down while it is being looked at", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.assignments.setLooks(2)
      wire.inject("sso:DescribeAccountAssignmentCreationStatus", { kind: "throttle" }, { kind: "unavailable" })
      const held = yield* asked(wire, provider, 1)
      yield* provider.grant(grantOf(wire, held))
      assert.strictEqual(callsOf(wire, "sso:DescribeAccountAssignmentCreationStatus"), 4)
    })
  )
})

describe("a person", () => {
  it.live.each([
    ["by user name", {}, aliceId, alice],
    ["by e-mail", { user_lookup: "email" }, aliceId, { ...alice, email: "alice@mail.example.com" }],
    ["by subject", { user_template: "{subject}@example.com" }, bobId, { ...alice, subject: "bob", email: null }]
  ] as const)("is found %s, letter for letter", ([, fields, userId, grantee]) =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started(fields)
      const { checked } = yield* asked(wire, provider, 1, { grantee })
      assert.strictEqual(checked["userId"], userId)
      for (const email of ["ALICE@example.com", "alice@example.com.evil.test", "ali"]) {
        const failure = yield* Effect.flip(provider.check(canonicalOf(), { ...grantee, subject: email, email }))
        assert.deepStrictEqual([failure.reason, failure.effect], ["PrincipalNotFound", "none"])
      }
    })
  )

  it.live("without a verified address is nobody, and AWS is not asked", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const failure = yield* Effect.flip(provider.check(canonicalOf(), { ...alice, email: null }))
      assert.strictEqual(failure.reason, "PrincipalNotFound")
      assert.strictEqual(callsOf(wire, "identitystore:GetUserId"), 0)
    })
  )

  it.live("has one key, however the address is spelt, and no other person has it", () =>
    Effect.gen(function* () {
      const { provider } = yield* started()
      const keyOf = (email: string | null, subject = "s") =>
        provider.resourceKey(canonicalOf(), { issuer: "https://i.test", subject, email })
      assert.strictEqual(keyOf("alice@example.com"), keyOf("Alice@example.com"))
      assert.strictEqual(new Set([keyOf("alice@example.com"), keyOf("bob@example.com"), keyOf(null)]).size, 3)
      assert.notStrictEqual(keyOf(null, "a"), keyOf(null, "b"))
    })
  )
})

describe("what was assigned before", () => {
  it.live("is neither made again nor ever deleted, and the audit entry says so", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.assignments.put(standing)
      const held = yield* asked(wire, provider, 1)
      const { reference } = yield* provider.grant(grantOf(wire, held))
      const { note } = yield* provider.end(endOf(wire, held, reference))
      assert.include(note ?? "", "before the request was made")
      assert.deepStrictEqual(assigned(wire), [`${home} ${permissionSetArn(2)} ${aliceId}`])
      assert.deepStrictEqual(
        [callsOf(wire, "sso:CreateAccountAssignment"), callsOf(wire, "sso:DeleteAccountAssignment")],
        [0, 0]
      )
    })
  )

  it.live("stays when the answer was lost, wherever it is ended", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.assignments.put(standing)
      wire.advance(86_400)
      const held = yield* asked(wire, provider, 1)
      yield* provider.grant(grantOf(wire, held))
      const ender = yield* elsewhere(wire)
      const { note } = yield* ender.end(endOf(wire, held, null))
      assert.include(note ?? "", "stays assigned")
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("stays after two grants on top of it, in whichever order they end", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.assignments.put(standing)
      const [one, two] = [yield* asked(wire, provider, 1), yield* asked(wire, provider, 2)]
      const first = yield* provider.grant(grantOf(wire, one))
      const second = yield* provider.grant(grantOf(wire, two, [beside(wire, one, "active", first.reference)]))
      yield* provider.end(
        endOf(wire, one, first.reference, { neighbours: [beside(wire, two, "active", second.reference)] })
      )
      yield* provider.end(
        endOf(wire, two, second.reference, { neighbours: [beside(wire, one, "ended", first.reference)] })
      )
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("is a refusal when somebody assigned it between asking and granting, and stays", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.assignments.put(standing)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderConflict", "none", false])
      assert.include(failure.hint, "Ask again")
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("is not taken for what an attempt made that AWS refused", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.inject("sso:CreateAccountAssignment", { kind: "throttle" })
      const throttled = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([throttled.reason, throttled.effect], ["ProviderThrottled", "none"])
      wire.assignments.put(standing)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderConflict", "none"])
      wire.assignments.remove(standing)
      wire.advance(60)
      const granted = yield* provider.grant(grantOf(wire, held))
      // Its time begins with the attempt that came to be.
      assert.isAtLeast(granted.notAfter, Time.plusSeconds(nowOf(wire), 1799))
    })
  )

  it.live("stays when the grant that it kept from coming to be is ended", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.assignments.put(standing)
      yield* Effect.flip(provider.grant(grantOf(wire, held)))
      yield* provider.end(endOf(wire, held, null, { neverGranted: true }))
      assert.lengthOf(wire.assignments.all(), 1)
      assert.strictEqual(callsOf(wire, "sso:DeleteAccountAssignment"), 0)
    })
  )

  it.live("of another person, another account or by a group has nothing to do with it", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const others = [
        { ...standing, principalId: bobId },
        { ...standing, account: other },
        { ...standing, principalId: "1234567890-f81d4fae-7dec-11d0-a765-00a0c91e6bf8", principalType: "GROUP" as const }
      ]
      for (const one of others) wire.assignments.put(one)
      const held = yield* asked(wire, provider, 1)
      assert.strictEqual(held.checked["existed"], false)
      const { reference } = yield* provider.grant(grantOf(wire, held))
      assert.lengthOf(wire.assignments.all(), 4)
      yield* provider.end(endOf(wire, held, reference))
      assert.deepStrictEqual(wire.assignments.all(), others)
    })
  )
})

describe("a lost answer", () => {
  it.live("leaves what another process takes back", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([failure.effect, failure.retryable], ["unknown", true])
      assert.lengthOf(wire.assignments.all(), 1)
      yield* Effect.flatMap(elsewhere(wire), (ender) => ender.end(endOf(wire, held, null)))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("is taken back although another grant of ours stood when it was asked for", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const one = yield* asked(wire, provider, 1)
      const first = yield* provider.grant(grantOf(wire, one))
      wire.advance(600)
      const two = yield* asked(wire, provider, 2)
      assert.strictEqual(two.checked["existed"], true)
      wire.advance(600)
      yield* provider.end(endOf(wire, one, first.reference))
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      yield* Effect.flip(provider.grant(grantOf(wire, two, [beside(wire, one, "ended", first.reference)])))
      assert.lengthOf(wire.assignments.all(), 1)
      const ender = yield* elsewhere(wire)
      yield* ender.end(endOf(wire, two, null, { neighbours: [beside(wire, one, "ended", first.reference)] }))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("of a repeat in the same process is the same right, and lives no longer", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      const first = nowOf(wire)
      yield* Effect.flip(provider.grant(grantOf(wire, held)))
      wire.advance(120)
      const again = yield* provider.grant(grantOf(wire, held))
      assert.isAtMost(again.notAfter, Time.plusSeconds(first, 1801))
      assert.lengthOf(wire.assignments.all(), 1)
      wire.advance(1800)
      const late = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([late.reason, late.effect], ["ProviderConflict", "unknown"])
    })
  )

  it.live("of an attempt in another process is picked up, and lives no longer", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      const unknownSince = nowOf(wire)
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      yield* Effect.flip(provider.grant(grantOf(wire, held)))
      wire.advance(120)
      const other1 = yield* elsewhere(wire)
      // Without being told, it is what somebody else assigned meanwhile.
      assert.strictEqual((yield* Effect.flip(other1.grant(grantOf(wire, held)))).reason, "ProviderConflict")
      const again = yield* other1.grant({ ...grantOf(wire, held), unknownSince })
      assert.strictEqual(again.notAfter, Time.plusSeconds(unknownSince, 1800))
      yield* other1.end(endOf(wire, held, again.reference))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("of an attempt on top of what stood before stays nobody's to delete", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      wire.assignments.put(standing)
      wire.advance(86_400)
      const held = yield* asked(wire, provider, 1)
      const other1 = yield* elsewhere(wire)
      const { reference } = yield* other1.grant({ ...grantOf(wire, held), unknownSince: nowOf(wire) })
      yield* other1.end(endOf(wire, held, reference))
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("without stored facts is judged by AWS's own record of creations", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = { ...(yield* asked(wire, provider, 1)), checked: {} }
      wire.assignments.put(standing)
      const kept = yield* provider.end(endOf(wire, held, null))
      assert.include(kept.note ?? "", "stays assigned")
      wire.assignments.remove(standing)
      const other1 = yield* asked(wire, provider, 2)
      yield* provider.grant(grantOf(wire, other1))
      yield* Effect.flatMap(elsewhere(wire), (ender) => ender.end(endOf(wire, { ...other1, checked: {} }, null)))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )
})

describe("grants that share an assignment", () => {
  it.live("end it with the last of them, and each says what it leaves", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const [one, two] = [yield* asked(wire, provider, 1), yield* asked(wire, provider, 2)]
      const first = yield* provider.grant(grantOf(wire, one))
      const second = yield* provider.grant(grantOf(wire, two, [beside(wire, one, "active", first.reference)]))
      const { note } = yield* provider.end(
        endOf(wire, one, first.reference, { neighbours: [beside(wire, two, "active", second.reference)] })
      )
      assert.include(note ?? "", "another grant")
      assert.lengthOf(wire.assignments.all(), 1)
      yield* provider.end(
        endOf(wire, two, second.reference, { neighbours: [beside(wire, one, "ended", first.reference)] })
      )
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("follow one another although reads still show what was just deleted", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const one = yield* asked(wire, provider, 1)
      const first = yield* provider.grant(grantOf(wire, one))
      wire.setLag(3)
      yield* provider.end(endOf(wire, one, first.reference))
      const two = yield* asked(wire, provider, 2)
      const second = yield* provider.grant(grantOf(wire, two, [beside(wire, one, "ended", first.reference)]))
      assert.lengthOf(wire.assignments.all(), 1)
      yield* provider.end(endOf(wire, two, second.reference))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("wait for one whose outcome nobody knows", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const [one, two] = [yield* asked(wire, provider, 1), yield* asked(wire, provider, 2)]
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      yield* Effect.flip(provider.grant(grantOf(wire, one)))
      wire.advance(60)
      const waiting = yield* Effect.flip(provider.grant(grantOf(wire, two, [beside(wire, one, "ending", null)])))
      assert.deepStrictEqual([waiting.reason, waiting.effect, waiting.retryable], ["ProviderConflict", "none", true])
      yield* provider.end(endOf(wire, one, null))
      yield* provider.grant(grantOf(wire, two, [beside(wire, one, "ended", null)]))
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )
})

describe("an operation that AWS is still at", () => {
  it.live("when the time is up is an unknown outcome, which the next try waits for", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started({ operation_seconds: 1 })
      wire.assignments.setLooks(Infinity)
      const held = yield* asked(wire, provider, 1)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderUnavailable", "unknown", true]
      )
      assert.include(failure.hint, "operation_seconds")
      wire.assignments.setLooks(2)
      yield* provider.grant(grantOf(wire, held))
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("is waited for before the same is taken back", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.assignments.setLooks(3)
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      yield* Effect.flip(provider.grant(grantOf(wire, held)))
      yield* Effect.flatMap(elsewhere(wire), (ender) => ender.end(endOf(wire, held, null)))
      assert.deepStrictEqual(assigned(wire), [])
      const outcomes = wire.calls().filter(({ operation }) => operation === "sso:DeleteAccountAssignment")
      assert.deepStrictEqual(
        outcomes.map(({ outcome }) => outcome),
        ["ConflictException", "ok"]
      )
    })
  )

  it.live("and fails is said with AWS's reason, and is taken back for certain", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.assignments.failNext("create", "Cannot exceed quota for RolesPerAccount: 1000\u0000")
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, held)))
      assert.deepStrictEqual([failure.effect, failure.retryable], ["unknown", true])
      assert.match(failure.hint, /FAILED: Cannot exceed quota for RolesPerAccount: 1000 ?/u)
      yield* provider.end(endOf(wire, held, null))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )

  it.live("and fails to delete confirms nothing", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      const { reference } = yield* provider.grant(grantOf(wire, held))
      wire.assignments.failNext("delete", "An unexpected internal service exception was encountered")
      const failure = yield* Effect.flip(provider.end(endOf(wire, held, reference)))
      assert.isTrue(failure.retryable)
      assert.lengthOf(wire.assignments.all(), 1)
      yield* provider.end(endOf(wire, held, reference))
      assert.deepStrictEqual(assigned(wire), [])
    })
  )
})

describe("what is gone already", () => {
  it.live("is confirmed, whoever removed it", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      const { reference } = yield* provider.grant(grantOf(wire, held))
      wire.assignments.remove(standing)
      wire.advance(300)
      assert.strictEqual(yield* provider.inspect(endOf(wire, held, reference)), "ended")
      yield* provider.end(endOf(wire, held, reference))
      yield* provider.end(endOf(wire, held, reference))
    })
  )

  it.live("with its permission set is confirmed only by an instance that answers", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      yield* provider.grant(grantOf(wire, held))
      const gone = { ...held, checked: { ...held.checked, permissionSetArn: permissionSetArn(9) } }
      yield* provider.end(endOf(wire, gone, null))
      const lost = yield* elsewhere(wire, { instance_arn: "arn:aws:sso:::instance/ssoins-fedcba9876543210" })
      const failure = yield* Effect.flip(lost.end(endOf(wire, gone, null)))
      assert.strictEqual(failure.reason, "RoleNotFound")
    })
  )

  it.live("is not said of what reads do not show yet", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const held = yield* asked(wire, provider, 1)
      wire.setLag(1000)
      const { reference } = yield* provider.grant(grantOf(wire, held))
      assert.strictEqual(yield* provider.inspect(endOf(wire, held, reference)), "unknown")
    })
  )
})

describe("permissions", () => {
  /** Everything that the mode does: found by name, created, conflicts, lost answers, deleted. */
  const everything = (wire: AwsWire.AwsWire, provider: Provider.Provider) =>
    Effect.gen(function* () {
      const one = yield* asked(wire, provider, 1)
      wire.assignments.setLooks(3)
      wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
      // A lost answer is no refusal; a permission that is missing is.
      yield* Effect.catchIf(
        provider.grant(grantOf(wire, one)),
        ({ reason }) => reason === "ProviderUnavailable",
        () => Effect.void
      )
      const granted = yield* provider.grant(grantOf(wire, one))
      const two = yield* asked(wire, provider, 2)
      yield* provider.inspect(endOf(wire, one, granted.reference))
      yield* provider.end(endOf(wire, one, granted.reference))
      const ender = yield* Effect.orDie(elsewhere(wire))
      yield* ender.end(endOf(wire, two, null))
    })

  it.live("the ten that are documented are enough", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      yield* everything(wire, provider)
      const used = new Set(wire.calls().map(({ operation }) => operation))
      assert.deepStrictEqual([...used].toSorted(), leastPrivilege.toSorted())
    })
  )

  it.live.each(leastPrivilege)("without %s the hint names it, and the requester hears no internals", (permission) =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(
        wireOptions({ actions: leastPrivilege.filter((action) => action !== permission) })
      )
      const failure = yield* Effect.flip(everything(wire, yield* providerOf(wire)))
      assert.strictEqual(failure.reason, "ProviderDenied")
      assert.include(failure.hint, permission)
      assert.notMatch(failure.message, /arn:|\d{12}/u)
    })
  )

  it.live("AWS that does not know the daemon says so to the operator", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      const provider = yield* providerOf(wire, {}, { credentials: { ...daemon, secretAccessKey: "wrong" } })
      const failure = yield* Effect.flip(provider.check(canonicalOf(), alice))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
      assert.include(failure.hint, "own credentials")
    })
  )

  it.live("an instance that is not there is nobody's permission set", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped({ ...wireOptions(), identityCenter: { ...center, permissionSets: [] } })
      const provider = yield* providerOf(wire)
      assert.strictEqual((yield* Effect.flip(provider.check(canonicalOf(), alice))).reason, "RoleNotFound")
    })
  )
})
