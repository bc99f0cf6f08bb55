/**
 * A real API server and etcd, with RBAC: the contract, and what only they can show.
 */
import { providerSuite } from "@jitsudo/core/testing/vitest"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { realLanes, sharedPlane, stopShared, whyNot } from "./support/KubernetesControlPlane.ts"
import { exchanges, makerManifests, whyNotExpected } from "./support/KubernetesExchanges.ts"

afterAll(stopShared)

for (const { gaps, make, name } of realLanes) {
  providerSuite(name, { make: Effect.map(make, ({ fixture }) => fixture), gaps })
}

describe("the wire server's table of answers", () => {
  it("is what a real API server answers", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot)
    const plane = await sharedPlane()
    await plane.clear()
    await plane.apply(...makerManifests)
    const wrong: Array<string> = []
    for (const exchange of exchanges) {
      const answered = await plane.send(exchange)
      const why = whyNotExpected(exchange, answered)
      if (why !== null) wrong.push(`${exchange.name}: ${why}`)
    }
    expect(wrong).toEqual([])
  })
})
