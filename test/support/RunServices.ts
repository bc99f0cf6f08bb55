/**
 * Starting and ending what one test run shares.
 *
 * 1. Started in order; ended in reverse order, all of them, even when one fails to end.
 * 2. When one fails to start, those before it are ended, and the run does not begin.
 */
import type { TestProject } from "vitest/node"

export type Stop = () => Promise<void>

/** Starts one thing, provides where it is (`project.provide`), and gives what ends it. */
export type RunService = (project: Pick<TestProject, "provide">) => Promise<Stop>

async function stopAll(stops: ReadonlyArray<Stop>): Promise<void> {
  const failures: Array<unknown> = []
  for (const stop of stops.toReversed()) await stop().catch((failure: unknown) => failures.push(failure))
  if (failures.length > 0) throw new AggregateError(failures, "something that the tests shared did not end cleanly")
}

export async function startAll(
  services: ReadonlyArray<RunService>,
  project: Pick<TestProject, "provide">
): Promise<Stop> {
  const stops: Array<Stop> = []
  for (const start of services) {
    try {
      stops.push(await start(project))
    } catch (failure) {
      await stopAll(stops)
      throw failure
    }
  }
  return () => stopAll(stops)
}
