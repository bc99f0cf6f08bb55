import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AuditChain } from "../src/AuditChain.ts"
import { Elevations, type AskInput } from "../src/Elevations.ts"
import * as Engine from "../src/Engine.ts"
import { layerTable } from "../src/Labels.ts"
import * as MemoryProvider from "../src/memory/MemoryProvider.ts"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import * as StaticPolicy from "../src/memory/StaticPolicy.ts"
import { layerNone } from "../src/Notification.ts"
import { Principals, type SignIn } from "../src/Principals.ts"
import * as Providers from "../src/Providers.ts"
import { Scheduler } from "../src/Scheduler.ts"
import * as Sealer from "../src/Sealer.ts"
import * as Settings from "../src/Settings.ts"
import { Store } from "../src/Store.ts"
import * as Times from "../src/Time.ts"

const start = Times.make(Date.parse("2026-01-01T00:00:00Z"))

const person = (name: string, groups: ReadonlyArray<string>): SignIn => ({
  issuer: "https://idp.test",
  subject: `sub-${name}`,
  email: `${name}@example.test`,
  groups,
  groupsReadAt: start,
  kind: "human",
  owner: null,
  authTime: start,
  amr: []
})
const alice = person("alice", ["sre"])
const bob = person("bob", ["sre-leads"])
const carol = person("carol", ["jitsudo-admins"])

const ask: AskInput = {
  provider: "memory",
  role: "admin",
  resourceScope: "123456789012",
  durationSeconds: 3600,
  reason: "INC-1",
  metadata: {},
  breakGlass: false
}

const world = () => {
  const platform = MemoryProvider.make()
  const ports = Layer.mergeAll(
    MemoryStore.layer,
    StaticPolicy.layer({
      eligibility: (input) => ({
        allowed:
          input.action === "break_glass"
            ? input.requester.groups.includes("sre")
            : input.requester.groups.includes("sre"),
        reasons: ["only sre"]
      }),
      routing: (input) =>
        input.request.role === "reader"
          ? { tier: "auto" }
          : { tier: "human", stages: [{ policy: "leads", groups: ["sre-leads"], users: [], quorum: 1 }] }
    }),
    Providers.layerOf([platform.provider]),
    layerTable([]),
    Settings.layer({ alertChannels: ["log"] }),
    Sealer.layerMemory,
    layerNone
  )
  return { platform, layer: Engine.layer().pipe(Layer.provideMerge(ports)) }
}

const signedIn = Effect.gen(function* () {
  yield* TestClock.setTime(start)
  const principals = yield* Principals
  yield* Effect.forEach([alice, bob, carol], principals.signIn)
})

const origin = { channel: "test", sourceIp: "" }

describe("Elevations", () => {
  it.effect("goes from asking to the end, and every step is in the log", () => {
    const { layer, platform } = world()
    return Effect.gen(function* () {
      yield* signedIn
      const elevations = yield* Elevations
      const asked = yield* elevations.request(alice, ask, origin)
      assert.strictEqual(asked.state, "PENDING")
      const approved = yield* elevations.approve(bob, asked.id, { comment: "ok", digest: asked.digest })
      assert.strictEqual(approved.state, "ACTIVE")
      assert.strictEqual(platform.platform.live().length, 1)
      const credentials = yield* elevations.credentials(alice, asked.id)
      assert.isAbove(Object.keys(credentials.values).length, 0)
      const revoked = yield* elevations.revoke(alice, asked.id, "done")
      assert.strictEqual(revoked.state, "REVOKED")
      assert.strictEqual(platform.platform.live().length, 0)
      const store = yield* Store
      assert.isTrue(Option.isNone(yield* store.credentials(asked.id)))
      const chain = yield* AuditChain
      const entries = yield* Stream.runCollect(chain.stream({}))
      const actions = entries.map((entry) => (JSON.parse(entry.payload) as { action: string }).action)
      assert.deepStrictEqual(
        actions.filter((action) => !action.startsWith("principal.")),
        [
          "request.created",
          "request.routed",
          "request.approval_recorded",
          "request.approved",
          "grant.started",
          "grant.issued",
          "credentials.read",
          "grant.ending",
          "grant.revoked"
        ]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("grants at once what policy allows automatically, and ends it by itself", () => {
    const { layer, platform } = world()
    return Effect.gen(function* () {
      yield* signedIn
      const elevations = yield* Elevations
      const scheduler = yield* Scheduler
      const active = yield* elevations.request(alice, { ...ask, role: "reader" }, origin)
      assert.strictEqual(active.state, "ACTIVE")
      yield* TestClock.adjust("59 minutes")
      while ((yield* scheduler.tick) > 0);
      assert.strictEqual((yield* elevations.get(alice, active.id)).state, "ACTIVE")
      yield* TestClock.adjust("1 minute")
      platform.platform.setNow(Times.plusSeconds(start, 3600))
      while ((yield* scheduler.tick) > 0);
      assert.strictEqual((yield* elevations.get(alice, active.id)).state, "EXPIRED")
      assert.strictEqual(platform.platform.live().length, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("never lets the requester decide, and hides requests from strangers", () => {
    const { layer } = world()
    return Effect.gen(function* () {
      yield* signedIn
      const elevations = yield* Elevations
      const principals = yield* Principals
      const stranger = person("dave", [])
      yield* principals.signIn(stranger)
      yield* principals.signIn({ ...alice, groups: ["sre", "sre-leads"] })
      const asked = yield* elevations.request(alice, ask, origin)
      const own = yield* Effect.flip(elevations.approve(alice, asked.id, { comment: "", digest: asked.digest }))
      assert.strictEqual(own._tag === "Refused" ? own.code : own._tag, "self_decision")
      const hidden = yield* Effect.flip(elevations.get(stranger, asked.id))
      assert.strictEqual(hidden._tag === "Refused" ? hidden.code : hidden._tag, "not_found")
    }).pipe(Effect.provide(layer))
  })

  it.effect("break-glass alerts, grants, and opens a review that an administrator closes", () => {
    const { layer, platform } = world()
    return Effect.gen(function* () {
      yield* signedIn
      const elevations = yield* Elevations
      const broken = yield* elevations.request(alice, { ...ask, breakGlass: true }, origin)
      assert.strictEqual(broken.state, "ACTIVE")
      assert.strictEqual(platform.platform.live().length, 1)
      assert.isNotNull(broken.review)
      const mine = yield* Effect.flip(elevations.closeReview(alice, broken.id, "fine"))
      assert.strictEqual(mine._tag === "Refused" ? mine.code : mine._tag, "not_admin")
      const closed = yield* elevations.closeReview(carol, broken.id, "looked at it")
      assert.isNotNull(closed.review?.closed)
    }).pipe(Effect.provide(layer))
  })
})
