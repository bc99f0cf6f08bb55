/**
 * Each sentence of the Store, Jobs and AuditChain contracts objects to somebody: a sentence without a mutant that trips
 * it is not yet a sentence, and the last test counts them.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import * as AuditChainContract from "../src/testing/AuditChainContract.ts"
import type { Case } from "../src/testing/Case.ts"
import * as JobsContract from "../src/testing/JobsContract.ts"
import { layerTestClock } from "../src/testing/PassingTime.ts"
import * as StoreContract from "../src/testing/StoreContract.ts"
import type { Options } from "../src/testing/StoreDesk.ts"
import { layerOf, mutants } from "./support/StoreMutants.ts"

const casesFor = (options: Options): ReadonlyArray<Case> =>
  [StoreContract, JobsContract, AuditChainContract].flatMap((contract) => contract.suite(options).cases)

const sound = casesFor({ layer: Layer.merge(MemoryStore.layer, layerTestClock) })

describe("the contracts object to a store that", () => {
  for (const mutant of mutants) {
    it(mutant.wrong, async () => {
      const cases = casesFor({ layer: layerOf(mutant) })
      for (const name of mutant.objects) {
        const one = cases.find((candidate) => candidate.name === name)
        if (one === undefined) throw new Error(`no case is called "${name}"`)
        expect(Exit.isFailure(await Effect.runPromiseExit(one.run)), `"${name}" objects`).toBe(true)
      }
    })
  }
})

describe("the contracts' sentences", () => {
  it("are different", () => {
    expect(new Set(sound.map((one) => one.name)).size).toBe(sound.length)
  })

  it("say nothing against a store that only passes on", async () => {
    for (const { name, run } of casesFor({ layer: layerOf({ mutate: () => ({}) }) })) {
      expect(Exit.isSuccess(await Effect.runPromiseExit(run)), `"${name}" is silent`).toBe(true)
    }
  })

  it("each object to somebody", () => {
    const objecting = new Set(mutants.flatMap((mutant) => mutant.objects))
    expect(sound.map((one) => one.name).filter((name) => !objecting.has(name))).toEqual([])
  })
})
