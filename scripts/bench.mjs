// npm run bench: every bench of bench/src in a process of its own, one after the other. With names, only these:
// `npm run bench -- audit-append`. JITSUDO_BENCH_FULL=1 runs the sizes that take longer.
//
// The last line is `bench: R rows, S short`. Short rows miss their target: that is reported and exits 0. A bench that
// breaks, or that finds a wrong result (a broken log, a lost entry, an error), exits 1.

import "./requirements.mjs"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const results = path.join(root, "bench/results")
const all = [
  "policy-decision",
  "policy-apply",
  "lifecycle-step",
  "audit-append",
  "checkpoints",
  "chain-verification",
  "auto-approved-request",
  "cli-start-up",
  "daemon-start"
]

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !all.includes(name))
if (unknown.length > 0) {
  console.error("there is no bench called " + unknown.join(", ") + "; there are: " + all.join(", "))
  process.exit(2)
}

const load = os.loadavg()[0]
if (load > os.cpus().length / 2) {
  console.log("This machine is busy (load average " + load.toFixed(1) + "): only ratios of one run say something.")
}

const broken = []
const rows = []
for (const name of asked.length > 0 ? asked : all) {
  const result = path.join(results, name + ".json")
  fs.rmSync(result, { force: true })
  console.log("\n" + name)
  const started = Date.now()
  const { status, error } = spawnSync(
    process.execPath,
    ["--conditions=@jitsudo/source", path.join(root, "bench/src", name + ".ts")],
    { cwd: root, stdio: "inherit" }
  )
  console.log("  (" + Math.round((Date.now() - started) / 1000) + " s)")
  if (error) console.error("  could not be run: " + error.message)
  if (status !== 0 || !fs.existsSync(result)) broken.push(name)
  else JSON.parse(fs.readFileSync(result, "utf8")).rows.forEach((row) => rows.push(row))
}

const short = rows.filter((row) => row.short)
console.log("")
short.forEach((row) => {
  const ratio = row.ratio === null ? "" : ", " + row.ratio.toPrecision(3) + " x " + row.floor.name
  console.log(
    "short: " +
      row.name +
      ": " +
      Number(row.value.toPrecision(4)) +
      " " +
      row.unit +
      ratio +
      " (target " +
      row.target +
      ")"
  )
})
broken.forEach((name) => console.log("FAILED " + name))
console.log(
  "bench: " +
    rows.length +
    " rows, " +
    short.length +
    " short" +
    (broken.length > 0 ? ", " + broken.length + " failed" : "")
)
process.exitCode = broken.length === 0 ? 0 : 1
