/**
 * What one test run shares: started once, before any project, and ended whatever happens. A further service is one more
 * name in this list; it listens on a free loopback port and provides it.
 *
 * It does not decide what a suite needs: a suite that cannot run here says so by `ctx.skip("reason")`.
 */
import type { TestProject } from "vitest/node"
import { postgres } from "./Postgres.ts"
import { scratch } from "./Scratch.ts"
import { startAll } from "./RunServices.ts"

declare module "vitest" {
  interface TaskMeta {
    /** Why a suite skipped by `describe.skipIf(condition)(name, { meta: { skipReason } }, ...)` cannot run here. */
    skipReason?: string
  }
}

export default (project: TestProject) => startAll([scratch, postgres], project)
