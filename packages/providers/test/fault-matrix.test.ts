/**
 * Every external call of every provider failed, before and after it took effect, while the real engine grants, overlaps,
 * extends and ends: nothing is left that nobody knows of, and nothing is lost. Here a sample of the call numbers, all of
 * them with `npm run test:full` and `npm run test:providers -- --report`.
 */
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { allLanes } from "./support/AllLanes.ts"
import { broken, type BrokenName, isBroken } from "./support/BrokenProviders.ts"
import { kinds, leastInjected, matrix, type Matrix, totalOf, whyNotPlayed } from "./support/FaultMatrix.ts"
import type { Lane } from "./support/Lane.ts"
import { lanes as mocks } from "./support/MockLanes.ts"

const full = process.env["JITSUDO_TEST_FULL"] === "1"
const lanes = await allLanes()

/** For machines that are busy with something else, in milliseconds. */
const bound = 600_000

// One after the other: some of the platforms' clients keep what belongs to the process.
describe("the fault matrix", () => {
  const played: Array<Matrix> = []
  afterAll(() => {
    process.stdout.write(`${totalOf(played)}\n`)
    const injected = played.reduce((sum, one) => sum + one.injected, 0)
    expect(injected).toBeGreaterThanOrEqual(full ? leastInjected : kinds.length * played.length)
  })

  it("is played on all five providers, in every mode", () => {
    expect(lanes.length).toBeGreaterThanOrEqual(12)
    expect(new Set(lanes.map(({ name }) => name.split(" ")[0]))).toEqual(
      new Set(["aws", "azure", "gcp", "kubernetes", "mock"])
    )
  })

  for (const lane of lanes) {
    const why = whyNotPlayed(lane)
    if (why !== null) {
      it(`is not played on ${lane.name}: ${why}`, ({ skip }) => skip(why))
      continue
    }
    it(
      `of ${lane.name} leaves nothing`,
      async () => {
        const result = await Effect.runPromise(matrix(lane, full ? {} : { sample: 1 }))
        played.push(result)
        expect(result.found).toEqual([])
        expect(result.injected).toBe(full ? result.calls * kinds.length : kinds.length)
      },
      bound
    )
  }
})

describe("the fault matrix sees a provider that", () => {
  /** Every fault on one lane, which is sound without the mistake and without a fault. */
  const seen = async (lane: Lane | undefined, name: BrokenName) => {
    if (lane === undefined) throw new Error("there is no such lane")
    const { leaves, mutate } = broken[name]
    const result = await Effect.runPromise(matrix(lane, { mutate }))
    expect([name, leaves, result[leaves] > 0]).toEqual([name, leaves, true])
    // Only faults bring it to light: a test of what works would not see it.
    expect(result.found.map(({ fault }) => fault)).not.toContain("without faults")
  }

  for (const name of Object.keys(broken).filter(isBroken)) {
    it(name, () => seen(mocks[0], name), bound)
  }

  it.each(["confirms an ending that failed", "takes a refusal for a grant"] as const)(
    "%s, over a wire as well",
    (name) =>
      seen(
        lanes.find((lane) => lane.name === "aws with two permissions"),
        name
      ),
    bound
  )
})
