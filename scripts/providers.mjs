// npm run test:providers: the tests of all providers.
//
// npm run test:providers -- --report: the contract table (provider x sentence) and the whole fault matrix, by running
// them; ends with `providers: P providers, S sentences, V violated`. Takes some minutes. What else it can do stands in
// packages/providers/test/support/report-main.ts.

import "./requirements.mjs"
import { spawnSync } from "node:child_process"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const args = process.argv.slice(2)
const report = path.join(root, "packages", "providers", "test", "support", "report-main.ts")
const command = args.includes("--report")
  ? ["--conditions=@jitsudo/source", report].concat(args)
  : [path.join(root, "scripts", "test.mjs"), "--project", "@jitsudo/providers"].concat(args)

const { status, error } = spawnSync(process.execPath, command, { cwd: root, stdio: "inherit" })
if (error) console.error("could not run: " + error.message)
process.exitCode = status === null ? 1 : status
