/** One directory for everything that the tests of a run write: `inject("scratch")`. A killed test leaves nothing else. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RunService } from "./RunServices.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Absolute path of this run's own directory; it exists, and is removed after the last test. */
    readonly scratch: string
  }
}

export const scratch: RunService = async (project) => {
  const directory = await mkdtemp(join(tmpdir(), "jitsudo-test-"))
  project.provide("scratch", directory)
  return () => rm(directory, { recursive: true, force: true })
}
