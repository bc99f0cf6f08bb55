/** The tour, step by step; stops at the first that does not hold. */
import { deciding } from "./Deciding.ts"
import { emergency } from "./Emergency.ts"
import { StepFailed } from "./Expectation.ts"
import { proving } from "./Proving.ts"
import { starting, stopping } from "./Starting.ts"
import type { Step } from "./Step.ts"
import { using } from "./Using.ts"
import type { World } from "./World.ts"

export const steps: ReadonlyArray<Step> = [...starting, ...deciding, ...using, ...emergency, ...proving, ...stopping]

/** The steps that one stands on, and itself, in order. */
export const upTo = (number: number): ReadonlyArray<Step> => {
  const wanted = new Set<number>()
  const want = (one: number): void => {
    wanted.add(one)
    steps.find((step) => step.number === one)?.needs.forEach(want)
  }
  want(number)
  return steps.filter((step) => wanted.has(step.number))
}

export interface Failed {
  readonly step: Step
  readonly expected: string
  readonly seen: string
}

/** The step that did not hold, if one did not. */
export const play = async (world: World, chosen: ReadonlyArray<Step>): Promise<Failed | undefined> => {
  for (const step of chosen) {
    world.transcript.title(step.number, step.title)
    try {
      await step.run(world)
    } catch (error) {
      if (error instanceof StepFailed) return { step, expected: error.expected, seen: error.seen }
      // A daemon that is gone in the middle of a step, an answer that cannot be read.
      return { step, expected: "the step to run to its end", seen: error instanceof Error ? error.message : "an error" }
    }
  }
  return undefined
}
