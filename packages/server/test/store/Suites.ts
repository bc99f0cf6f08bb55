/** What the store's suites share: the run's PostgreSQL server, and how a suite says that it cannot run here. */
import { describe, inject } from "vitest"

declare module "vitest" {
  interface TaskMeta {
    skipReason?: string
  }
  interface ProvidedContext {
    readonly scratch: string
    readonly postgres: { readonly url: string; readonly version: string } | { readonly unavailable: string }
  }
}

const server = inject("postgres")

/** Superuser URL of the run's server; empty where there is none, and then no suite of `onPostgres` runs. */
export const postgresUrl = "url" in server ? server.url : ""

/** A suite on the run's PostgreSQL, or one skipped test that says why. */
export const onPostgres = (title: string, tests: () => void): void => {
  if ("url" in server) describe(`${title} (PostgreSQL ${server.version})`, tests)
  else describe.skipIf(true)(title, { meta: { skipReason: server.unavailable } }, tests)
}

/** Sizes that issue and gates name run with JITSUDO_TEST_FULL=1; everyday runs are smaller. */
export const full = process.env["JITSUDO_TEST_FULL"] === "1"

/** For tests whose size grows with `full`: a limit against hanging, not a measure. */
export const patience = full ? 600_000 : 120_000
