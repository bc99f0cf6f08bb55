import { providerSuite } from "@jitsudo/core/testing/vitest"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { whyNot } from "./support/KubernetesControlPlane.ts"
import { lanes } from "./support/KubernetesLanes.ts"

for (const { gaps, make, name } of lanes) {
  providerSuite(name, { make: Effect.map(make, ({ fixture }) => fixture), gaps })
}

it("a real API server runs the contract, too", ({ skip }) => {
  if (whyNot !== null) skip(whyNot)
  expect(lanes.length).toBe(4)
})
