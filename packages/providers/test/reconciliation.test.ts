/**
 * Reconciliation by the real engine on every platform that can list: what a restored backup forgot is taken back, what is
 * another installation's is not, and what somebody removed is noticed.
 */
import { type AuditChain, Elevations, type Engine, Reconciler, Store } from "@jitsudo/core"
import type { ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import { describe, expect, it } from "vitest"
import { allLanes } from "./support/AllLanes.ts"
import { engineOver, handling, origin } from "./support/EngineOnLane.ts"
import { whyNotPlayed } from "./support/FaultMatrix.ts"
import type { Lane } from "./support/Lane.ts"

const listing: Array<Lane> = []
for (const lane of await allLanes()) {
  if (whyNotPlayed(lane) !== null) continue
  const lists = Effect.map(lane.make, ({ fixture }) => fixture.provider.capabilities.listing)
  if (await Effect.runPromise(Effect.scoped(lists))) listing.push(lane)
}

/** What an engine with a store of its own does on the platform. */
const engineOf =
  ({ fixture, wire }: Effect.Success<Lane["make"]>, installation: string) =>
  <A, E>(
    body: (
      hands: Effect.Success<ReturnType<typeof handling>>,
      fixture: ProviderFixture
    ) => Effect.Effect<A, E, Engine.Services | Engine.Ports | AuditChain.AuditChain>
  ) =>
    handling(fixture, () => wire?.calls().length ?? 0).pipe(
      Effect.flatMap((hands) => body(hands, fixture)),
      Effect.provide(engineOver(fixture.provider, installation)),
      Effect.provideService(References.MinimumLogLevel, "None")
    )

const grantOne = (hands: Effect.Success<ReturnType<typeof handling>>, { asks, grantee, provider }: ProviderFixture) =>
  Effect.gen(function* () {
    const elevations = yield* Elevations.Elevations
    yield* hands.signIn
    const input = { ...asks[0], provider: provider.name, reason: "INC-1", metadata: {}, breakGlass: false }
    const request = yield* hands.drive(elevations.request(grantee, input, origin))
    expect(request.state).toBe("ACTIVE")
    return request
  })

const alive = (fixture: ProviderFixture) =>
  Effect.map(fixture.live ?? Effect.succeed([]), (all) => all.map(({ requestId }) => requestId))

describe.each(listing.map((lane) => [lane.name, lane] as const))("reconciliation on %s", (_, lane) => {
  it("takes back what a restored backup forgot, and nothing of another installation", () =>
    Effect.gen(function* () {
      const made = yield* lane.make
      const { fixture } = made
      const forgotten = yield* engineOf(made, "ours")(grantOne)
      const seen = yield* engineOf(
        made,
        "neighbour"
      )((hands) =>
        Effect.gen(function* () {
          const reconciler = yield* Reconciler.Reconciler
          yield* hands.drive(reconciler.run)
          yield* hands.pass(100)
          yield* hands.drive(reconciler.run)
          yield* hands.pass(61)
          return yield* hands.drive(reconciler.difference(fixture.provider.name))
        })
      )
      expect([seen.orphans, seen.unclaimed, seen.foreign.map((one) => [one.requestId, one.installation])]).toEqual([
        [],
        [],
        [[forgotten.id, "ours"]]
      ])
      expect(yield* alive(fixture)).toEqual([forgotten.id])
      const after = yield* engineOf(
        made,
        "ours"
      )((hands) =>
        Effect.gen(function* () {
          const reconciler = yield* Reconciler.Reconciler
          yield* hands.drive(reconciler.run)
          yield* hands.pass(70)
          return yield* hands.drive(reconciler.difference(fixture.provider.name))
        })
      )
      expect([after.orphans, after.unclaimed, after.foreign]).toEqual([[], [], []])
      expect(yield* alive(fixture)).toEqual([])
    }).pipe(Effect.scoped, Effect.runPromise))

  it("notices and ends what somebody removed", () =>
    Effect.gen(function* () {
      const made = yield* lane.make
      const state = yield* engineOf(
        made,
        "ours"
      )((hands, fixture) =>
        Effect.gen(function* () {
          const reconciler = yield* Reconciler.Reconciler
          const store = yield* Store.Store
          const granted = yield* grantOne(hands, fixture)
          yield* hands.pass(61)
          const now = yield* fixture.now
          yield* hands.drive(
            fixture.provider.end({
              requestId: granted.id,
              grantee: granted.requester,
              canonical: granted.asked,
              checked: granted.checked,
              reference: granted.grant?.reference ?? null,
              notAfter: granted.grant?.latestEnd ?? now,
              why: "early",
              now,
              neighbours: []
            })
          )
          // Longer than any platform's reads lag behind.
          yield* hands.pass(100)
          const [difference] = yield* hands.drive(reconciler.run)
          expect(difference?.removed).toEqual([granted.id])
          yield* hands.pass(10)
          const after = yield* store.request(granted.id)
          return Option.isSome(after) ? [after.value.state, after.value.ending?.why] : []
        })
      )
      expect(state).toEqual(["REVOKED", "removed"])
    }).pipe(Effect.scoped, Effect.runPromise))
})
