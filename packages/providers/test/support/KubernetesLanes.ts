/**
 * `kubernetes` in both modes against the wire server, and against a real API server where there is one
 * (`KubernetesControlPlane.ts`).
 */
import { KubernetesWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { realLanes } from "./KubernetesControlPlane.ts"
import {
  accountManifests,
  accountMode,
  fixtureOf,
  providerOf,
  rbacManifests,
  userMode,
  wireOptions,
  world
} from "./KubernetesFixture.ts"
import type { Lane } from "./Lane.ts"

export const gaps = { hide: "an API server's reads are consistent: nothing that was made is hidden from them" }

const lane = (name: string, fields: object, first?: string): Lane => ({
  name,
  make: Effect.gen(function* () {
    const wire = yield* KubernetesWire.scoped(wireOptions([...world, ...rbacManifests, ...accountManifests]))
    const provider = yield* Effect.orDie(providerOf(wire, fields))
    return { fixture: fixtureOf(wire, provider, first), wire }
  }),
  gaps
})

export const lanes: ReadonlyArray<Lane> = [
  lane("kubernetes", userMode),
  lane("kubernetes with ephemeral service account", accountMode, "core/serviceaccounts:create"),
  ...realLanes
]
