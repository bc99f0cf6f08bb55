/**
 * The provider `azure` over the official SDKs against the wire server: what becomes of overlapping grants, of what
 * somebody has without jitsudo, of strangers' edits, of marks, and of lost answers.
 */
import { assert, describe, it } from "@effect/vitest"
import { Time } from "@jitsudo/core"
import { Mark } from "@jitsudo/providers/azure"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { canonical, deskOf, idOf, living, nowOf, only, operations, rbac, withPim, world } from "./support/AzureDesk.ts"
import { alice, group, home, leastPrivilege, other, people, providerOf, roles, tenant } from "./support/AzureFixture.ts"

describe("a role assignment", () => {
  it.live("is named after the request, says for whom, which type and until when, and gives nothing secret", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      const granted = yield* desk.grant(1, { installation: "prod-1" })
      const made = only(wire)
      assert.strictEqual(made.name, Mark.guidOf(idOf(1)))
      assert.match(made.name, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u)
      assert.deepStrictEqual(
        [made.scope, made.roleId, made.principalId, made.principalType],
        [group, roles.reader.id, people.alice.id, "User"]
      )
      const { holders } = Mark.read(made.description ?? "")
      assert.deepStrictEqual(holders, [{ requestId: idOf(1), installation: "prod-1", until: granted.notAfter }])
      assert.deepStrictEqual(granted.credentials, {
        AZURE_TENANT_ID: tenant,
        AZURE_SUBSCRIPTION_ID: home.slice("/subscriptions/".length)
      })
      assert.strictEqual(granted.notAfter - granted.issuedAt, 1_800_000)
    })
  )

  it.live("answers a repeat with the end that the first one wrote, whichever process asks", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      const first = yield* desk.grant(1)
      wire.advance(600)
      const second = deskOf(wire, yield* providerOf(wire))
      const again = yield* second.grant(1)
      assert.deepStrictEqual([again.notAfter, again.issuedAt], [first.notAfter, first.issuedAt])
      assert.deepStrictEqual(again.reference, first.reference)
      assert.deepStrictEqual(living(wire), [idOf(1)])
    })
  )

  it.live("is held by all overlapping requests and deleted with the last, in whatever order they end", () =>
    Effect.gen(function* () {
      for (const order of [
        [1, 2, 3],
        [3, 1, 2],
        [2, 3, 1]
      ]) {
        const { desk, wire } = yield* world()
        for (const number of [1, 2, 3]) yield* desk.grant(number)
        assert.deepStrictEqual(living(wire), [1, 2, 3].map(idOf))
        assert.strictEqual(only(wire).name, Mark.guidOf(idOf(1)))
        const left = new Set([1, 2, 3])
        for (const number of order) {
          left.delete(number)
          const { note } = yield* desk.end(number)
          assert.deepStrictEqual(living(wire), [...left].map(idOf))
          if (left.size > 0) assert.include(note ?? "", `${left.size} other`)
        }
        assert.deepStrictEqual(wire.assignments(), [])
      }
    })
  )

  it.live("of an extension outlives the grant that it extends, and its first name", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1)
      wire.advance(1700)
      yield* desk.grant(2)
      wire.advance(200)
      yield* desk.end(1, { why: "expired" })
      assert.deepStrictEqual(living(wire), [idOf(2)])
      wire.advance(1800)
      yield* desk.end(2, { why: "expired" })
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("by name and by GUID is one right, and so is one resource key", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world()
      const byGuid = { ...canonical, role: roles.reader.id }
      assert.strictEqual(provider.resourceKey(canonical, alice), provider.resourceKey(byGuid, alice))
      yield* desk.grant(1)
      yield* desk.grant(2, { canonical: byGuid })
      assert.deepStrictEqual(living(wire), [idOf(1), idOf(2)])
      yield* desk.end(1)
      assert.deepStrictEqual(living(wire), [idOf(2)])
    })
  )

  it.live("that grew full of marks takes no more, and says that it will again", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      let count = 0
      const failure = yield* Effect.flip(
        Effect.forever(
          Effect.suspend(() => {
            count += 1
            return desk.grant(count, { installation: "a-long-installation" })
          })
        )
      )
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["QuotaExceeded", "none", true])
      assert.isAbove(count, 10)
      assert.strictEqual(living(wire).length, count - 1)
    })
  )
})

describe("what somebody has without jitsudo", () => {
  it.live("is said at the request, is not granted, and is not taken away", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world()
      const standing = { scope: group, roleId: roles.reader.id, principalId: people.alice.id }
      wire.assign({ ...standing, description: "on call, asked for by hand" })
      const asked = yield* Effect.flip(provider.check(canonical, alice))
      assert.deepStrictEqual([asked.reason, asked.effect, asked.retryable], ["ProviderConflict", "none", false])
      assert.include(asked.message, "has the role at this scope already")
      const granted = yield* Effect.flip(
        provider.grant({
          requestId: idOf(1),
          grantee: alice,
          canonical,
          checked: {
            roleDefinitionId: `${home}/providers/${rbac}/roleDefinitions/${roles.reader.id}`,
            principalId: people.alice.id,
            principalType: "User"
          },
          reason: "",
          metadata: {},
          now: nowOf(wire),
          neighbours: []
        })
      )
      assert.deepStrictEqual([granted.reason, granted.effect], ["ProviderConflict", "none"])
      yield* desk.end(1, {
        checked: {
          roleDefinitionId: `${home}/providers/${rbac}/roleDefinitions/${roles.reader.id}`,
          principalId: people.alice.id,
          principalType: "User"
        },
        notAfter: Time.plusSeconds(nowOf(wire), 900)
      })
      assert.strictEqual(only(wire).description, "on call, asked for by hand")
    })
  )

  it.live("is neither granted nor removed with PIM", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* withPim()
      wire.assign({ scope: group, roleId: roles.reader.id, principalId: people.alice.id })
      const asked = yield* Effect.flip(provider.check(canonical, alice))
      assert.deepStrictEqual([asked.reason, asked.effect], ["ProviderConflict", "none"])
      yield* desk.end(1, {
        checked: {
          roleDefinitionId: `${home}/providers/${rbac}/roleDefinitions/${roles.reader.id}`,
          principalId: people.alice.id,
          principalType: "User"
        },
        notAfter: Time.plusSeconds(nowOf(wire), 900)
      })
      assert.strictEqual(wire.assignments().length, 1)
    })
  )

  it.live("at another scope, or of another role, is nothing to a grant", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      wire.assign({ scope: home, roleId: roles.reader.id, principalId: people.alice.id })
      wire.assign({ scope: group, roleId: roles.owner.id, principalId: people.alice.id })
      yield* desk.grant(1)
      assert.deepStrictEqual(living(wire), [idOf(1)])
      yield* desk.end(1)
      assert.strictEqual(wire.assignments().length, 2)
    })
  )
})

describe("strangers", () => {
  it.live("who strip the mark cut nobody off and hide nothing from an end", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1)
      yield* desk.grant(2)
      wire.describe(only(wire).name, "tidied up")
      assert.strictEqual(yield* desk.inspect(1), "active")
      yield* desk.end(1)
      assert.deepStrictEqual(living(wire), [idOf(2)])
      wire.describe(only(wire).name, null)
      yield* desk.end(2)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("who put a condition on it keep it there", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      const condition = "@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'ledger'"
      yield* desk.grant(1)
      wire.describe(only(wire).name, only(wire).description, condition)
      yield* desk.grant(2)
      yield* desk.end(1)
      assert.deepStrictEqual([only(wire).condition, only(wire).conditionVersion], [condition, "2.0"])
      assert.deepStrictEqual(living(wire), [idOf(2)])
    })
  )

  it.live("who delete it are seen, and what they took away is not made again by an end", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world()
      yield* desk.grant(1)
      wire.unassign(only(wire).name)
      assert.strictEqual(yield* desk.inspect(1), "ended")
      assert.deepStrictEqual(yield* provider.list(), [])
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("who delete what several hold leave nothing to end, and it is not made again for the others", () =>
    Effect.gen(function* () {
      for (const { desk, wire } of [yield* world(), yield* withPim()]) {
        yield* desk.grant(1)
        yield* desk.grant(2)
        wire.unassign(only(wire).name)
        yield* desk.end(1)
        assert.strictEqual(yield* desk.inspect(2), "ended")
        yield* desk.end(2)
        assert.deepStrictEqual(wire.assignments(), [])
      }
    })
  )

  it.live("who assign the same right between a look and a write are not overwritten", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world()
      yield* provider.check(canonical, alice)
      // What was read a moment ago does not show it.
      wire.setLag(1000)
      wire.assign({ scope: group, roleId: roles.reader.id, principalId: people.alice.id })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.retryable, failure.effect], ["ProviderConflict", true, "none"])
      assert.deepStrictEqual(living(wire), [])
      assert.strictEqual(wire.assignments().length, 1)
    })
  )

  it.live("who put a lock on the scope are named to the operator, and the end is tried again", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1)
      wire.lock(home)
      const failure = yield* Effect.flip(desk.end(1))
      assert.deepStrictEqual([failure.reason, failure.retryable], ["ProviderConflict", true])
      assert.include(failure.hint, "lock")
      assert.deepStrictEqual(living(wire), [idOf(1)])
      wire.unlock(home)
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("who delete the resource group leave nothing to take back", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world()
      yield* desk.grant(1)
      wire.removeScope(group)
      yield* desk.end(1)
      assert.deepStrictEqual(yield* provider.list(), [])
    })
  )
})

describe("what carries our mark", () => {
  it.live("is found below every listed scope, whoever granted it, and is all that ending it takes", () =>
    Effect.gen(function* () {
      const { desk, provider, wire } = yield* world({ scopes: [home, `${home}/*`] })
      yield* desk.grant(1, { installation: "prod-1" })
      yield* desk.grant(2, { canonical: { ...canonical, resourceScope: home } })
      wire.assign({
        scope: group,
        roleId: roles.owner.id,
        principalId: people.obrien.id,
        description: "jitsudo:nonsense"
      })
      wire.assign({ scope: other, roleId: roles.owner.id, principalId: people.obrien.id })
      const listed = yield* provider.list()
      assert.deepStrictEqual(
        listed.map(({ installation, requestId, resourceKey }) => [requestId, installation, resourceKey]).toSorted(),
        [
          [idOf(1), "prod-1", provider.resourceKey(canonical, alice)],
          [idOf(2), null, provider.resourceKey({ ...canonical, resourceScope: home }, alice)]
        ]
      )
      for (const one of listed) {
        yield* provider.end({
          requestId: one.requestId,
          grantee: { issuer: "", subject: "", email: null },
          canonical: { role: "", resourceScope: "", durationSeconds: 0 },
          checked: {},
          reference: one.reference,
          notAfter: one.notAfter ?? nowOf(wire),
          why: "early",
          now: nowOf(wire),
          neighbours: []
        })
      }
      assert.deepStrictEqual(living(wire), [])
      assert.strictEqual(wire.assignments().length, 2)
    })
  )

  it.live("and is not known to anybody keeps what others hold until its own end", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1)
      // Another installation, with a database of its own, holds the same right.
      const elsewhere = deskOf(wire, yield* providerOf(wire))
      yield* elsewhere.grant(2, { installation: "elsewhere" })
      yield* desk.end(1)
      assert.deepStrictEqual(living(wire), [idOf(2)])
      yield* elsewhere.end(2)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("and is over keeps nothing, though nobody came to end it", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      // An installation that is gone left its mark.
      yield* deskOf(wire, yield* providerOf(wire)).grant(1, { installation: "gone" })
      wire.advance(1801)
      yield* desk.grant(2)
      assert.deepStrictEqual(living(wire), [idOf(2)])
      yield* desk.end(2)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("cannot be ended by who knows neither facts nor a reference", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1)
      const failure = yield* Effect.flip(desk.end(1, { checked: {}, reference: { requestId: idOf(1), scope: "../" } }))
      assert.deepStrictEqual([failure.reason, failure.effect], ["InvalidReference", "none"])
      assert.deepStrictEqual(living(wire), [idOf(1)])
    })
  )
})

describe("trouble", () => {
  it.live("of an answer that was lost is an unknown outcome, and the SDK repeats nothing behind our back", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      wire.inject(`${rbac}/roleAssignments/write`, { kind: "loseAnswer" })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryable],
        ["ProviderUnavailable", "unknown", true]
      )
      assert.strictEqual(operations(wire).filter((operation) => operation === "roleAssignments/write").length, 1)
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("of a read leaves nothing behind, and says so", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      for (const operation of ["roleDefinitions/read", "roleAssignments/read"]) {
        for (const kind of ["unavailable", "loseAnswer"] as const) {
          wire.inject(`${rbac}/${operation}`, { kind })
          const failure = yield* Effect.flip(desk.grant(1))
          assert.deepStrictEqual(
            [failure.reason, failure.effect, failure.retryable],
            ["ProviderUnavailable", "none", true]
          )
        }
      }
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("of too many calls says how long to wait", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      wire.inject(`${rbac}/roleAssignments/write`, { kind: "throttle" })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual(
        [failure.reason, failure.effect, failure.retryAfterSeconds],
        ["ProviderThrottled", "none", 7]
      )
    })
  )

  it.effect("of a call that takes too long ends the call", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world({ timeout_seconds: 3 })
      const held = wire.hold(`${rbac}/roleAssignments/write`)
      const attempt = yield* Effect.forkChild(Effect.flip(desk.grant(1)), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      yield* TestClock.adjust("4 seconds")
      const failure = yield* Fiber.join(attempt)
      held.release()
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderUnavailable", "unknown"])
      assert.include(failure.hint, "timeout_seconds")
    })
  )

  it.live("of a full subscription is a quota, and goes away by itself", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world({}, leastPrivilege, {}, { assignmentLimit: 1 })
      const name = wire.assign({ scope: home, roleId: roles.owner.id, principalId: people.obrien.id })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["QuotaExceeded", "none", true])
      wire.unassign(name)
      yield* desk.grant(1)
    })
  )

  it.live("of signing in is told to the operator, without the secret", () =>
    Effect.gen(function* () {
      const { desk } = yield* world({ client_secret: "another-secret" })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderDenied", "none", true])
      assert.notInclude(JSON.stringify(failure), "another-secret")
    })
  )
})

describe("what is said of it", () => {
  it.live("says how late a removal bites, what goes on until then, and who ends it", () =>
    Effect.gen(function* () {
      const plain = yield* world()
      const pim = yield* withPim()
      for (const [{ provider }, native, least] of [
        [plain, false, 60],
        [pim, true, 300]
      ] as const) {
        const { earlyRevocation, listing, inspection, minDurationSeconds, nativeExpiry } = provider.capabilities
        assert.deepStrictEqual([nativeExpiry, minDurationSeconds, listing, inspection], [native, least, true, true])
        assert.strictEqual(earlyRevocation.withinSeconds, native ? 900 : 600)
        assert.include(earlyRevocation.note, "ten minutes")
      }
    })
  )
})
