/** One PostgreSQL server for the whole run, where there are binaries: `inject("postgres")`. Suites make databases on it. */
import { PostgresServer } from "@jitsudo/server/testing"
import type { RunService } from "./RunServices.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the run's server, or why there is none. */
    readonly postgres: { readonly url: string; readonly version: string } | { readonly unavailable: string }
  }
}

export const postgres: RunService = async (project) => {
  const server = await PostgresServer.start()
  if ("unavailable" in server) {
    project.provide("postgres", server)
    return async () => {}
  }
  project.provide("postgres", { url: server.url, version: server.version })
  return server.stop
}
