/** What `jitsudod provider check aws` finds: which of the documented permissions is missing, and nothing is written. */
import { assert, describe, it } from "@effect/vitest"
import { Diagnosis, type Provider, Time } from "@jitsudo/core"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as IdentityCenter from "./support/IdentityCenterFixture.ts"
import { alice, home, leastPrivilege, other, providerOf, roleArn, wireOptions } from "./support/AwsFixture.ts"

const reader = { role: "reader", resourceScope: home, durationSeconds: 1800 }

const found = (provider: Provider.Provider, ask: Provider.Ask | null = reader) =>
  Diagnosis.run(provider, { ask, grantee: null, now: Time.make(0) })

const simulate = "iam:SimulatePrincipalPolicy"

/** What only reads: everything else would be a trace. */
const reads = ["sts:GetCallerIdentity", simulate, "iam:GetRole"]

const named = (findings: ReadonlyArray<Provider.Finding>, what: string) =>
  findings.find((one) => one.what.startsWith(what))

describe("provider check in the mode sts_assume_role", () => {
  it.live("says who the daemon is, and cannot tell more without a permission of its own", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      const findings = yield* found(yield* providerOf(wire))
      assert.isTrue(Diagnosis.isGood(findings))
      assert.strictEqual(named(findings, "credentials")?.hint, `signed in as arn:aws:iam::${home}:user/jitsudod`)
      for (const action of leastPrivilege) {
        assert.deepInclude(named(findings, action), { ok: null, missing: null })
        assert.include(named(findings, action)?.hint, simulate)
      }
      assert.isTrue(wire.calls().every(({ operation }) => reads.includes(operation)))
      assert.deepStrictEqual([wire.sessions(), wire.policies(roleArn("reader"))], [[], {}])
    })
  )

  it.live("names each permission that is missing, and no other", () =>
    Effect.gen(function* () {
      for (const missing of [null, ...leastPrivilege]) {
        const actions = [simulate, ...leastPrivilege.filter((action) => action !== missing)]
        const wire = yield* AwsWire.scoped(wireOptions(actions))
        const findings = yield* found(yield* providerOf(wire))
        const wrong = findings.filter(({ ok }) => ok === false)
        assert.deepStrictEqual(
          wrong.map((one) => [one.what, one.missing]),
          missing === null ? [] : [[`${missing} on ${roleArn("reader")}`, missing]]
        )
        assert.deepStrictEqual(wire.sessions(), [])
      }
    })
  )

  it.live("finds credentials that do not work, or are of another account", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      const wrongSecret = { accessKeyId: "AKIAJITSUDODAEMON000", secretAccessKey: "not-the-secret-of-the-daemon" }
      const unknown = yield* found(yield* providerOf(wire, {}, { credentials: wrongSecret }), null)
      assert.deepInclude(named(unknown, "credentials"), { ok: false })
      assert.notInclude(JSON.stringify(unknown), wrongSecret.secretAccessKey)

      const elsewhere = { account_id: other, accounts: [other] }
      const foreign = yield* found(yield* providerOf(wire, elsewhere), null)
      assert.deepInclude(named(foreign, "account of the daemon"), { ok: false })
    })
  )

  it.live("signs in as the revoker of another account, where it may", () =>
    Effect.gen(function* () {
      const fields = {
        accounts: [home, other],
        revoker_role_arn_template: "arn:aws:iam::{scope}:role/jitsudo-revoker"
      }
      const revoker = { arn: `arn:aws:iam::${other}:role/jitsudo-revoker` }
      const without = yield* AwsWire.scoped(wireOptions([], [revoker]))
      const refused = yield* found(yield* providerOf(without, fields), null)
      assert.deepInclude(named(refused, "sts:AssumeRole"), { ok: false, missing: "sts:AssumeRole" })
      const wire = yield* AwsWire.scoped(wireOptions(leastPrivilege, [revoker]))
      const findings = yield* found(yield* providerOf(wire, fields), null)
      assert.deepInclude(named(findings, "sts:AssumeRole"), { ok: true })
    })
  )
})

describe("provider check in the mode identity_center", () => {
  it.live("names each reading permission that is missing, and writes nothing", () =>
    Effect.gen(function* () {
      const reading = IdentityCenter.leastPrivilege.filter(
        (action) => !/Describe.*Status|Create\w+Assignment$|Delete\w+Assignment$/u.test(action)
      )
      for (const missing of [null, ...reading]) {
        const actions = IdentityCenter.leastPrivilege.filter((action) => action !== missing)
        const wire = yield* AwsWire.scoped(IdentityCenter.wireOptions({ actions }))
        const provider = yield* IdentityCenter.providerOf(wire)
        const findings = yield* Diagnosis.run(provider, { ask: reader, grantee: alice, now: Time.make(Date.now()) })
        const wrong = findings.filter(({ ok }) => ok === false)
        assert.strictEqual(wrong.length > 0, missing !== null, missing ?? JSON.stringify(wrong))
        if (missing !== null) assert.include(JSON.stringify(wrong), missing)
        assert.deepInclude(named(findings, "sso:CreateAccountAssignment"), { ok: null })
        assert.deepStrictEqual(wire.assignments.all(), [])
      }
    })
  )
})

const diagnosed = (provider: Provider.Provider, grantee: Provider.Grantee | null = null) =>
  provider.diagnose === undefined
    ? Effect.die(new Error("there is no diagnosis"))
    : provider.diagnose({ canonical: reader, grantee })

const wrongIn = (findings: ReadonlyArray<Provider.Finding>) => findings.filter(({ ok }) => ok === false)

describe("the diagnosis of identity_center", () => {
  const reading = IdentityCenter.leastPrivilege.filter((action) => !/:(Create|Delete)/u.test(action))
  const started = (actions: ReadonlyArray<string> = reading) =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(IdentityCenter.wireOptions({ actions }))
      return { wire, provider: yield* IdentityCenter.providerOf(wire) }
    })

  it.live("looks at every permission that reads, writes nothing, and says what only a grant would show", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const findings = yield* diagnosed(provider)
      assert.deepStrictEqual(wrongIn(findings), [])
      assert.deepStrictEqual(
        findings.map(({ what }) => what.split(" ")[0] ?? "").toSorted(),
        IdentityCenter.leastPrivilege.toSorted()
      )
      assert.lengthOf(wire.assignments.operations("create"), 0)
    })
  )

  it.live.each(reading)("names %s when it is missing, and goes on", (permission) =>
    Effect.gen(function* () {
      const { provider } = yield* started(reading.filter((action) => action !== permission))
      const findings = yield* diagnosed(provider, alice)
      assert.deepStrictEqual(
        wrongIn(findings).map(({ missing }) => missing),
        [permission]
      )
    })
  )

  it.live("does not call active what nobody was granted", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const principal = { principalId: IdentityCenter.aliceId, principalType: "USER" } as const
      const permissionSetArn = IdentityCenter.permissionSetArn(2)
      wire.assignments.put({ account: home, permissionSetArn, ...principal })
      const { facts: checked } = yield* provider.check(reader, alice)
      const now = Time.make(wire.now())
      const request = { canonical: reader, checked, grantee: alice, now, notAfter: now, neighbours: [] }
      const ending = { ...request, requestId: `req_${"0".repeat(26)}`, reference: null, why: "early" as const }
      assert.strictEqual(yield* provider.inspect(ending), "unknown")
    })
  )
})
