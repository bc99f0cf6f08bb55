/** How suites run the provider `azure`: with plain role assignments, and with Privileged Identity Management. */
import * as Effect from "effect/Effect"
import { fixtureOf, leastPrivilege, leastPrivilegeWithPim, providerOf, started, wireOptions } from "./AzureFixture.ts"
import type { Lane } from "./Lane.ts"

export const lanes: ReadonlyArray<Lane> = [
  {
    name: "azure",
    make: Effect.gen(function* () {
      const wire = yield* started(wireOptions(leastPrivilege))
      return { wire, fixture: fixtureOf(wire, yield* Effect.orDie(providerOf(wire))) }
    }),
    gaps: {}
  },
  {
    name: "azure with PIM",
    make: Effect.gen(function* () {
      const wire = yield* started(wireOptions(leastPrivilegeWithPim))
      return { wire, fixture: fixtureOf(wire, yield* Effect.orDie(providerOf(wire, { pim: true })), "pim") }
    }),
    gaps: {}
  }
]
