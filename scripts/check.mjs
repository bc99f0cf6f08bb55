// npm run check: types, lint, format, boundaries. Runs all of them, says what failed, and ends with one line:
// `check: ok` (exit 0) or `check: FAILED (names)` (exit 1).

import "./requirements.mjs"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const json = (file) => JSON.parse(fs.readFileSync(path.join(root, file), "utf8"))

function run(command, args) {
  const shown = [path.relative(root, command) || command].concat(args).join(" ")
  console.log("  $ " + shown)
  const env = Object.assign({}, process.env, { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" })
  const { status, error } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" })
  if (error) console.error("  could not run " + shown + ": " + error.message)
  return status === 0
}

/** Every directory with a tsconfig.json: the workspace packages, and the root for `test/` and the configurations. */
function typedProjects() {
  const directories = json("package.json").workspaces.flatMap((pattern) =>
    pattern.endsWith("/*")
      ? fs.existsSync(path.join(root, pattern.slice(0, -2)))
        ? fs.readdirSync(path.join(root, pattern.slice(0, -2))).map((name) => pattern.slice(0, -1) + name)
        : []
      : [pattern]
  )
  return directories.concat(".").filter((directory) => fs.existsSync(path.join(root, directory, "tsconfig.json")))
}

/** The compiler to check types with: Effect's build of the same tsc finds more, where it is packaged. */
function compiler() {
  const version = json("node_modules/typescript/package.json").version
  const platform = process.platform + "-" + process.arch
  const effect = "node_modules/@effect/tsgo-" + platform + "/artifacts/typescript/" + version + "/tsc"
  if (fs.existsSync(path.join(root, effect))) return path.join(root, effect)
  console.log("  Effect diagnostics skipped: @effect/tsgo has no build of TypeScript " + version + " for " + platform)
  return "tsc"
}

const checks = {
  types: () => {
    const tsc = compiler()
    // All projects, even after one failed, so that one run shows every error.
    return typedProjects()
      .map((directory) => run(tsc, ["-p", path.join(directory, "tsconfig.json"), "--noEmit"]))
      .every((ok) => ok)
  },
  lint: () => run("oxlint", ["--deny-warnings"]),
  format: () => run("oxfmt", ["--check", "."]),
  boundaries: () =>
    run("vitest", ["run", "--project", "repository", "test/boundaries.test.ts", "test/house-rules.test.ts"])
}

const failed = Object.keys(checks).filter((name) => {
  console.log(name)
  return !checks[name]()
})
console.log(failed.length === 0 ? "check: ok" : "check: FAILED (" + failed.join(", ") + ")")
process.exitCode = failed.length === 0 ? 0 : 1
