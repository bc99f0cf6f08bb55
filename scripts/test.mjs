// npm test: every test of every project, once. `--full` runs the sizes that take longer (JITSUDO_TEST_FULL=1);
// any other argument is vitest's: `npm test -- --project @jitsudo/core`.
//
// The last line is `P passed, F failed, S skipped`; the exit code is not 0 when F > 0 or when nothing passed.
// It is printed here, after vitest has ended, so that nothing can be printed behind it.

import "./requirements.mjs"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const args = process.argv.slice(2)
const full = args.includes("--full")
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "jitsudo-report-"))
const report = path.join(scratch, "totals.json")
// Hundreds of processes load the same modules: the first compiles them for all.
const compiled = process.env.NODE_COMPILE_CACHE || path.join(scratch, "compiled")

const { status, error } = spawnSync(
  "vitest",
  ["run", "--allowOnly=false", "--reporter=default", "--reporter=./scripts/TotalsReporter.mjs"].concat(
    args.filter((arg) => arg !== "--full")
  ),
  {
    cwd: root,
    stdio: "inherit",
    env: Object.assign(
      {},
      process.env,
      { JITSUDO_TEST_REPORT: report, NODE_COMPILE_CACHE: compiled },
      full ? { JITSUDO_TEST_FULL: "1" } : {}
    )
  }
)
if (error) console.error("could not run vitest: " + error.message)

const totals = fs.existsSync(report)
  ? JSON.parse(fs.readFileSync(report, "utf8"))
  : { passed: 0, failed: 0, skipped: 0, failures: ["the run ended before its results were written"] }
fs.rmSync(scratch, { recursive: true, force: true })

// What vitest fails for but no test shows (a teardown that threw, a process that died) is a failure like any other.
const failures = totals.failures
if (status !== 0 && totals.failed + failures.length === 0) failures.push("vitest ended with exit code " + status)
if (totals.passed + totals.failed === 0 && failures.length === 0) failures.push("no test ran")

failures.forEach((failure) => console.log("FAILED " + failure))
const failed = totals.failed + failures.length
console.log(totals.passed + " passed, " + failed + " failed, " + totals.skipped + " skipped")
process.exitCode = failed === 0 ? 0 : 1
