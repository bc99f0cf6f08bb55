import { providerSuite } from "@jitsudo/core/testing/vitest"
import * as Effect from "effect/Effect"
import { lanes } from "./support/MockLanes.ts"

for (const { gaps, make, name } of lanes) {
  providerSuite(name, { make: Effect.map(make, ({ fixture }) => fixture), gaps })
}
