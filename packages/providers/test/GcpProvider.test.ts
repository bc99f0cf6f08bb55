/**
 * The provider `gcp` over the official SDKs against the wire server: what a grant is and when it ends, how it gets on
 * with others who change the same policy, which permissions that takes, and what happens when Google refuses.
 */
import { assert, describe, it } from "@effect/vitest"
import { type Provider, Time } from "@jitsudo/core"
import { GcpWire } from "@jitsudo/providers/testing"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  admin,
  alice,
  daemon,
  folder,
  leastPrivilege,
  liveRights,
  organization,
  project,
  providerOf,
  reader,
  strangers,
  wireOptions
} from "./support/GcpFixture.ts"

const idOf = (number: number): string => `req_${String(number).padStart(26, "0")}`
const nowOf = (wire: GcpWire.GcpWire): Time.Time => Time.make(wire.now())

const read = "resourcemanager.projects.getIamPolicy"
const write = "resourcemanager.projects.setIamPolicy"

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
  now: nowOf(wire),
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
  notAfter: Time.plusSeconds(nowOf(wire), 1800),
  why: "early",
  now: nowOf(wire),
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

/** Bindings with the title of a request. */
const bindingsOf = (wire: GcpWire.GcpWire, number: number, resource = project): ReadonlyArray<GcpWire.Binding> =>
  wire.policy(resource).bindings.filter(({ condition }) => condition?.title === `jitsudo-${idOf(number)}`)

const foreign = (wire: GcpWire.GcpWire): string =>
  JSON.stringify(
    wire.policy(project).bindings.filter(({ condition }) => condition?.title.startsWith("jitsudo-") !== true)
  )

const livingIds = (wire: GcpWire.GcpWire): ReadonlyArray<string> => liveRights(wire).map(({ requestId }) => requestId)

const writes = (wire: GcpWire.GcpWire): number => wire.calls().filter(({ operation }) => operation === write).length

/** A clock whose short pauses are over at once and written down; the limits of calls stay what they are. */
const impatient = Effect.map(Clock.Clock, (real) => {
  const slept: Array<number> = []
  const clock: Clock.Clock = Object.assign(Object.create(real), {
    sleep: (duration: Duration.Duration) => {
      const millis = Duration.toMillis(duration)
      if (millis > 5000) return real.sleep(duration)
      slept.push(millis)
      return Effect.void
    }
  })
  return { clock, slept }
})

describe("a grant of the provider gcp", () => {
  it.live("is a binding of its own, under a condition that Google ends", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const granted = yield* provider.grant(grantOf(wire, 1, { installation: "prod-eu" }))
      const end = new Date(granted.notAfter).toISOString().replace(".000Z", "Z")
      assert.deepStrictEqual(bindingsOf(wire, 1), [
        {
          role: reader,
          members: ["user:alice@example.com"],
          condition: {
            title: `jitsudo-${idOf(1)}`,
            expression: `request.time < timestamp("${end}")`,
            description: "jitsudo grant for user:alice@example.com by installation prod-eu"
          }
        }
      ])
      assert.strictEqual(wire.policy(project).version, 3)
      assert.deepStrictEqual(granted.credentials, {
        CLOUDSDK_CORE_PROJECT: "shop-prod",
        GOOGLE_CLOUD_PROJECT: "shop-prod"
      })
      assert.deepStrictEqual(granted.reference, {
        resource: project,
        role: reader,
        member: "user:alice@example.com",
        title: `jitsudo-${idOf(1)}`
      })
      wire.advance(1801)
      assert.isFalse(wire.allows("user:alice@example.com", "storage.buckets.get", project))
    })
  )

  it.live("reports on a repeat the end that stands in the condition, and writes nothing", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const first = yield* provider.grant(grantOf(wire, 1))
      wire.advance(600)
      const again = yield* provider.grant(grantOf(wire, 1))
      assert.deepStrictEqual([again.issuedAt, again.notAfter], [first.issuedAt, first.notAfter])
      assert.strictEqual(first.notAfter - first.issuedAt, 1_800_000)
      assert.strictEqual(again.notAfter, liveRights(wire)[0]?.notAfter)
      assert.strictEqual(writes(wire), 1)
    })
  )

  it.live("on a folder or an organisation holds below it, with the permissions of that kind", () =>
    Effect.gen(function* () {
      for (const [resource, kind] of [
        [folder, "folders"],
        [organization, "organizations"]
      ] as const) {
        const permissions = [`resourcemanager.${kind}.getIamPolicy`, `resourcemanager.${kind}.setIamPolicy`]
        const { provider, wire } = yield* started({ resources: [resource] }, permissions)
        const form = { ...canonical, role: admin, resourceScope: resource }
        const checked = yield* provider.check(form, alice)
        const granted = yield* provider.grant(grantOf(wire, 1, { canonical: form, checked: checked.facts }))
        assert.deepStrictEqual(granted.credentials, {})
        assert.isTrue(wire.allows("user:alice@example.com", "storage.buckets.delete", project))
        yield* provider.end(endOf(wire, 1, { canonical: form }))
        assert.isFalse(wire.allows("user:alice@example.com", "storage.buckets.delete", project))
        assert.deepStrictEqual(bindingsOf(wire, 1, resource), [])
      }
    })
  )

  it.live("takes as long to begin and to stop as Google takes to spread it, and the capabilities say so", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const may = () => wire.allows("user:alice@example.com", "storage.buckets.delete", project)
      const form = { ...canonical, role: admin }
      wire.setSpread(2)
      yield* provider.grant(grantOf(wire, 1, { canonical: form }))
      assert.deepStrictEqual([may(), may(), may()], [false, false, true])
      yield* provider.end(endOf(wire, 1, { canonical: form }))
      assert.deepStrictEqual([may(), may(), may()], [true, true, false])
      const { note, withinSeconds } = provider.capabilities.earlyRevocation
      assert.strictEqual(withinSeconds, 420)
      assert.include(note, "until then everything goes on working")
    })
  )

  it.live("that somebody gave a later end is not confirmed again, and is taken back", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.edit(project, (bindings) =>
        bindings.map((binding) =>
          binding.condition?.title.startsWith("jitsudo-") === true
            ? {
                ...binding,
                condition: { ...binding.condition, expression: 'request.time < timestamp("2039-01-01T00:00:00Z")' }
              }
            : binding
        )
      )
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderConflict", "unknown"])
      wire.advance(4000)
      assert.strictEqual(
        yield* provider.inspect(endOf(wire, 1, { notAfter: Time.plusSeconds(nowOf(wire), -2200) })),
        "active"
      )
      yield* provider.end(endOf(wire, 1, { why: "expired", notAfter: Time.plusSeconds(nowOf(wire), -2200) }))
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )
})

describe("what others have in the policy", () => {
  it.live("stays as it is, byte for byte, with conditions and audit logs", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const [before, audit] = [JSON.stringify(strangers), JSON.stringify(wire.policy(project).auditConfigs)]
      assert.strictEqual(foreign(wire), before)
      yield* provider.grant(grantOf(wire, 1))
      yield* provider.grant(grantOf(wire, 2, { canonical: { ...canonical, role: admin } }))
      assert.strictEqual(foreign(wire), before)
      yield* provider.end(endOf(wire, 1))
      yield* provider.end(endOf(wire, 3))
      yield* provider.end(endOf(wire, 2, { canonical: { ...canonical, role: admin } }))
      assert.strictEqual(JSON.stringify(wire.policy(project).bindings), before)
      assert.strictEqual(JSON.stringify(wire.policy(project).auditConfigs), audit)
    })
  )

  it.live("is not lost when it comes between reading and writing, at a grant and at an ending", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const late = (name: string): GcpWire.Binding => ({
        role: `roles/${name}.viewer`,
        members: [`user:${name}@example.com`]
      })
      const meanwhile = (call: Effect.Effect<unknown, Provider.ProviderError>, name: string) =>
        Effect.gen(function* () {
          const held = wire.hold(read)
          const fiber = yield* Effect.forkChild(call, { startImmediately: true })
          yield* Effect.promise(() => held.reached)
          wire.edit(project, (bindings) => [...bindings, late(name)])
          held.release()
          yield* Fiber.join(fiber)
        })
      yield* meanwhile(provider.grant(grantOf(wire, 1)), "dave")
      assert.deepStrictEqual(livingIds(wire), [idOf(1)])
      yield* meanwhile(provider.end(endOf(wire, 1)), "erin")
      assert.deepStrictEqual(livingIds(wire), [])
      const outcomes = wire.calls().flatMap(({ operation, outcome }) => (operation === write ? [outcome] : []))
      assert.deepStrictEqual(outcomes, ["ABORTED", "ok", "ABORTED", "ok"])
      assert.strictEqual(foreign(wire), JSON.stringify([...strangers, late("dave"), late("erin")]))
    })
  )

  it.live("and grants of other instances come through although all write at once", () =>
    Effect.gen(function* () {
      const { wire, provider } = yield* started()
      const other = yield* providerOf(wire)
      const numbers = [1, 2, 3, 4, 5, 6]
      yield* Effect.forEach(numbers, (number) => (number % 2 === 0 ? provider : other).grant(grantOf(wire, number)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(livingIds(wire).toSorted(), numbers.map(idOf))
      yield* Effect.forEach(numbers, (number) => (number % 2 === 0 ? other : provider).end(endOf(wire, number)), {
        concurrency: "unbounded"
      })
      assert.strictEqual(JSON.stringify(wire.policy(project).bindings), JSON.stringify(strangers))
    })
  )

  it.live("may have come into our own binding: an ending leaves it there and says so", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.edit(project, (bindings) =>
        bindings.map((binding) =>
          binding.condition?.title.startsWith("jitsudo-") === true
            ? { ...binding, members: [...binding.members, "user:mallory@example.com"] }
            : binding
        )
      )
      const { note } = yield* provider.end(endOf(wire, 1))
      assert.include(note ?? "", "1 more member")
      assert.deepStrictEqual(
        bindingsOf(wire, 1).map(({ members }) => members),
        [["user:mallory@example.com"]]
      )
      assert.deepStrictEqual(yield* provider.list(), [])
      assert.strictEqual(yield* provider.inspect(endOf(wire, 1)), "ended")
      assert.isNull((yield* provider.end(endOf(wire, 1))).note)
    })
  )
})

describe("an ending", () => {
  it.live("finds a member that Google has marked as deleted", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      yield* provider.grant(grantOf(wire, 1))
      wire.edit(project, (bindings) =>
        bindings.map((binding) =>
          binding.condition?.title.startsWith("jitsudo-") === true
            ? { ...binding, members: ["deleted:user:alice@example.com?uid=123456789012345678901"] }
            : binding
        )
      )
      assert.lengthOf(yield* provider.list(), 1)
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(bindingsOf(wire, 1), [])
    })
  )

  it.live("reaches a write that is still under way: Google refuses it afterwards", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      // What a cancelled attempt sent, and what only arrives when the grant has been ended.
      wire.inject(write, { kind: "unavailable" })
      yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      const late = wire.requests().findLast(({ operation }) => operation === write)
      yield* provider.end(endOf(wire, 1))
      const token = yield* Effect.promise(async () => {
        const { credential_source: source, token_url: exchange } = wire.credentials(daemon)
        const subject = await (await fetch(source.url)).text()
        const form = new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
          scope: "https://www.googleapis.com/auth/cloud-platform",
          subject_token: subject
        })
        const answer: unknown = await (await fetch(exchange, { method: "POST", body: form })).json()
        return String(Reflect.get(Object(answer), "access_token"))
      })
      const arrived = yield* Effect.promise(() =>
        fetch(`${wire.url}${late?.target}`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: late?.body ?? ""
        })
      )
      assert.strictEqual(arrived.status, 409)
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )

  it.live("in time clears away what is left, and asks for no write where nothing is left", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const { notAfter } = yield* provider.grant(grantOf(wire, 1))
      wire.advance(1805)
      yield* provider.end(endOf(wire, 1, { why: "expired", notAfter }))
      assert.deepStrictEqual(bindingsOf(wire, 1), [])
      const before = writes(wire)
      yield* provider.end(endOf(wire, 1, { why: "expired", notAfter }))
      assert.strictEqual(writes(wire), before)
    })
  )

  it.live("in time is confirmed by Google's clock where the project is gone, and says what was left", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const { notAfter } = yield* provider.grant(grantOf(wire, 1))
      wire.inject(read, { kind: "deny" }, { kind: "deny" })
      const early = yield* Effect.flip(provider.end(endOf(wire, 1, { notAfter })))
      assert.deepStrictEqual([early.reason, early.effect], ["ProviderDenied", "none"])
      wire.advance(1805)
      const ended = yield* provider.end(endOf(wire, 1, { why: "expired", notAfter }))
      assert.include(ended.note ?? "", "could not be cleared away")
    })
  )

  it.live("clears away other grants of the same role that are over, and nothing else that is over", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const past: GcpWire.Binding = {
        role: reader,
        members: ["user:carol@example.com"],
        condition: { title: "last year", expression: "request.time < timestamp('2020-01-01T00:00:00Z')" }
      }
      wire.edit(project, (bindings) => [...bindings, past])
      yield* provider.grant(grantOf(wire, 1))
      yield* provider.grant(grantOf(wire, 2, { canonical: { ...canonical, role: admin } }))
      wire.advance(1800 + 61)
      yield* provider.grant(grantOf(wire, 3))
      assert.deepStrictEqual([bindingsOf(wire, 1), bindingsOf(wire, 2).length], [[], 1])
      assert.strictEqual(foreign(wire), JSON.stringify([...strangers, past]))
    })
  )
})

describe("a policy that is full", () => {
  it.live("of conditions for one role and member is refused before anything is written, until grants are over", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      for (let number = 1; number <= 20; number += 1) yield* provider.grant(grantOf(wire, number))
      const before = writes(wire)
      const full = yield* Effect.flip(provider.grant(grantOf(wire, 21)))
      assert.deepStrictEqual([full.reason, full.effect, full.retryable], ["QuotaExceeded", "none", true])
      assert.strictEqual(writes(wire), before)
      assert.include(full.hint, "20 conditional bindings")
      wire.advance(1800 + 61)
      yield* provider.grant(grantOf(wire, 21))
      assert.strictEqual(livingIds(wire).length, 1)
      assert.lengthOf(bindingsOf(wire, 1), 0)
    })
  )

  it.live("of principals is refused before anything is written; one that is too large is refused by Google", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const crowd = (count: number, name: (index: number) => string): GcpWire.Binding => ({
        role: admin,
        members: Array.from({ length: count }, (_, index) => name(index))
      })
      const rest = 1500 - strangers.flatMap(({ members }) => members).length
      wire.edit(project, () => [...strangers, crowd(rest, (index) => `user:p${index}@example.com`)])
      const full = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual([full.reason, full.effect, writes(wire)], ["QuotaExceeded", "none", 0])
      wire.edit(project, () => [...strangers, crowd(1000, (index) => `user:${"x".repeat(60)}${index}@example.com`)])
      const large = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual([large.reason, large.effect, writes(wire)], ["QuotaExceeded", "none", 1])
    })
  )
})

describe("trouble at Google", () => {
  it.live("with others who are always faster is met by pauses that double, with jitter, and an end", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      wire.inject(write, ...Array.from({ length: 9 }, () => ({ kind: "conflict" as const })))
      const { clock, slept } = yield* impatient
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1))).pipe(
        Effect.provideService(Clock.Clock, clock)
      )
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["ProviderConflict", "none", true])
      assert.deepStrictEqual(livingIds(wire), [])
      const base = [50, 100, 200, 400, 800, 1000, 1000]
      assert.strictEqual(slept.length, base.length)
      for (const [index, pause] of base.entries()) {
        assert.isAtLeast(slept[index] ?? 0, pause)
        assert.isAtMost(slept[index] ?? 0, pause * 1.5)
      }
      assert.notDeepEqual(slept, base)
    })
  )

  it.live("of a lost answer, of too many calls and of an outage is told apart", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const told = (operation: string, kind: "throttle" | "unavailable" | "loseAnswer") =>
        Effect.map(
          Effect.suspend(() => {
            wire.inject(operation, { kind })
            return Effect.flip(provider.grant(grantOf(wire, 1)))
          }),
          ({ effect, reason, retryable, retryAfterSeconds }) => [reason, effect, retryable, retryAfterSeconds]
        )
      assert.deepStrictEqual(yield* told(write, "throttle"), ["ProviderThrottled", "none", true, 2])
      assert.deepStrictEqual(yield* told(write, "unavailable"), ["ProviderUnavailable", "unknown", true, undefined])
      assert.deepStrictEqual(yield* told(read, "unavailable"), ["ProviderUnavailable", "none", true, undefined])
      assert.deepStrictEqual(yield* told(read, "loseAnswer"), ["ProviderUnavailable", "none", true, undefined])
      assert.deepStrictEqual(livingIds(wire), [])
      assert.deepStrictEqual(yield* told(write, "loseAnswer"), ["ProviderUnavailable", "unknown", true, undefined])
      // It was granted, and a repeat finds it.
      const granted = yield* provider.grant(grantOf(wire, 1))
      assert.deepStrictEqual(liveRights(wire), [{ requestId: idOf(1), notAfter: granted.notAfter }])
    })
  )

  it.live("that lasts longer than a call may take is an unknown outcome", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started({ timeout_seconds: 1 })
      const held = wire.hold(write)
      const failure = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      held.release()
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderUnavailable", "unknown"])
      assert.include(failure.hint, "timeout_seconds")
    })
  )

  it.live("does not keep a cancelled grant: its request is cut off and nothing is written after it", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      const held = wire.hold(read)
      const fiber = yield* Effect.forkChild(provider.grant(grantOf(wire, 1)), { startImmediately: true })
      yield* Effect.promise(() => held.reached)
      yield* Fiber.interrupt(fiber)
      held.release()
      yield* provider.end(endOf(wire, 1))
      assert.deepStrictEqual(
        wire.calls().flatMap(({ operation }) => (operation === write ? [operation] : [])),
        [write]
      )
      assert.deepStrictEqual(livingIds(wire), [])
    })
  )

  it.live("with the daemon's own sign-in has no effect, and a token that Google has forgotten is renewed", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* started()
      wire.inject("sts.token", { kind: "deny" }, { kind: "unavailable" })
      const refused = yield* Effect.flip(provider.grant(grantOf(wire, 1)))
      assert.deepStrictEqual([refused.reason, refused.effect], ["ProviderDenied", "none"])
      assert.include(refused.hint, "providers.gcp.credentials")
      yield* provider.grant(grantOf(wire, 1))
      // By Google's clock the daemon's token is over; this process's has not moved.
      wire.advance(3601)
      yield* provider.grant(grantOf(wire, 2))
      assert.deepStrictEqual(livingIds(wire), [idOf(2)])
    })
  )
})
