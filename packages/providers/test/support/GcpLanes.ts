/** How suites run the provider `gcp`: one lane for each way that changes what is called. */
import { GcpWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { fixtureOf, impersonate, impersonating, providerOf, wireOptions } from "./GcpFixture.ts"
import type { Lane } from "./Lane.ts"

const laneOf = (name: string, fields: object, permissions?: ReadonlyArray<string>): Lane => ({
  name,
  make: Effect.gen(function* () {
    const wire = yield* GcpWire.scoped(wireOptions(permissions))
    return { wire, fixture: fixtureOf(wire, yield* Effect.orDie(providerOf(wire, fields))) }
  }),
  gaps: {}
})

export const lanes: ReadonlyArray<Lane> = [
  laneOf("gcp", {}),
  laneOf("gcp with impersonated access token", impersonate, impersonating)
]
