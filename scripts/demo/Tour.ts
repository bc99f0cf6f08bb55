/**
 * The tour, step by step. It stops at the first that does not hold, unless that one is broken on purpose and another one,
 * too: then it goes on with whatever does not stand on a step that failed.
 */
import { deciding } from "./Deciding.ts"
import { emergency } from "./Emergency.ts"
import type { Platform } from "./platforms/Platform.ts"
import { StepFailed } from "./Expectation.ts"
import { proving } from "./Proving.ts"
import { starting, stopping } from "./Starting.ts"
import type { Step } from "./Step.ts"
import { using } from "./Using.ts"
import type { World } from "./World.ts"

export const stepsOn = (platform: Platform): ReadonlyArray<Step> => [
  ...starting(platform),
  ...deciding(platform),
  ...using(platform),
  ...emergency,
  ...proving,
  ...stopping(platform)
]

/** These steps and those that they stand on, in order. */
export const upTo = (steps: ReadonlyArray<Step>, numbers: ReadonlyArray<number>): ReadonlyArray<Step> => {
  const wanted = new Set<number>()
  const want = (one: number): void => {
    wanted.add(one)
    steps.find((step) => step.number === one)?.needs.forEach(want)
  }
  numbers.forEach(want)
  return steps.filter((step) => wanted.has(step.number))
}

export interface Failed {
  readonly step: Step
  readonly expected: string
  readonly seen: string
}

const failure = async (world: World, step: Step): Promise<Failed | undefined> => {
  try {
    await world.begin(step.number)
    await step.run(world)
    return undefined
  } catch (error) {
    if (error instanceof StepFailed) return { step, expected: error.expected, seen: error.seen }
    // A daemon that is gone in the middle of a step, an answer that cannot be read.
    return { step, expected: "the step to run to its end", seen: error instanceof Error ? error.message : "an error" }
  }
}

/** The steps that did not hold. */
export const play = async (world: World, chosen: ReadonlyArray<Step>): Promise<ReadonlyArray<Failed>> => {
  const failed: Array<Failed> = []
  for (const step of chosen) {
    world.transcript.title(step.number, step.title)
    const lacking = upTo(chosen, step.needs).find(({ number }) => failed.some((one) => one.step.number === number))
    if (lacking !== undefined) {
      world.transcript.note(`(left out: it stands on step ${lacking.number})`)
      continue
    }
    const found = await failure(world, step)
    if (found === undefined) continue
    failed.push(found)
    const isLast = !chosen.some(({ number }) => number > step.number && world.sabotages.has(number))
    if (isLast || !world.sabotages.has(step.number)) return failed
    world.transcript.line(`    FAILED: expected ${found.expected}; saw ${found.seen}`)
  }
  return failed
}
