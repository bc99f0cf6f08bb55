/**
 * A real API server and etcd, with RBAC: what only they can show. The contract runs on them in `kubernetes.contract.test.ts`.
 */
import { afterAll, describe, expect, it } from "vitest"
import { sharedPlane, stopShared, whyNot } from "./support/KubernetesControlPlane.ts"
import { exchanges, makerManifests, whyNotExpected } from "./support/KubernetesExchanges.ts"

afterAll(stopShared)

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
