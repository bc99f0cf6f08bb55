/**
 * What one test run shares, started once and ended whatever happens.
 *
 * 1. Everything that a test writes lies under one directory of this run, which is removed at the end:
 *    `inject("scratch")`. A test that is killed leaves nothing behind.
 * 2. A shared service starts here, provides the address it was given (port 0, loopback), and its `stop` is
 *    registered before anything else may fail. Stops run in reverse order, all of them, even when one fails.
 *
 * It does not decide what a suite needs: a suite that cannot run says so by `ctx.skip("reason")`.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"

declare module "vitest" {
  interface ProvidedContext {
    /** Absolute path of this run's own directory; it exists, and is removed after the last test. */
    readonly scratch: string
  }
  interface TaskMeta {
    /** Why a suite skipped by `describe.skipIf(condition)(name, { meta: { skipReason } }, ...)` cannot run here. */
    skipReason?: string
  }
}

type Stop = () => Promise<void>

export default async function setup(project: TestProject): Promise<Stop> {
  const stops: Array<Stop> = []

  const scratch = await mkdtemp(join(tmpdir(), "jitsudo-test-"))
  stops.push(() => rm(scratch, { recursive: true, force: true }))
  project.provide("scratch", scratch)

  return async () => {
    const failures: Array<unknown> = []
    for (const stop of stops.reverse()) await stop().catch((failure: unknown) => failures.push(failure))
    if (failures.length > 0) throw new AggregateError(failures, "a shared test service did not stop cleanly")
  }
}
