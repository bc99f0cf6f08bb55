// Sabotage of step 7: a CLI that hands credentials to its child on a command line, where every user of the machine can
// read them. Loaded before the CLI (`--import`); it replaces how Node starts programs, in that process only.

import childProcess from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"

const spawn = childProcess.spawn

childProcess.spawn = (program, args, options) => {
  // What the child gets beyond what its parent has.
  const leaked = Object.entries(options?.env ?? {}).filter(([name, value]) => process.env[name] !== value)
  if (leaked.length === 0) return spawn(program, args, options)
  // What is in a file that was made for it, too.
  const words = leaked.flatMap(([name, value]) => [
    `${name}=${value}`,
    ...(value.startsWith("/") && existsSync(value) ? [`${name}_TEXT=${readFileSync(value, "utf8")}`] : [])
  ])
  const shell = `n=$1; shift; while [ "$n" -gt 0 ]; do export "$1"; shift; n=$((n - 1)); done; "$@"; exit $?`
  return spawn("sh", ["-c", shell, "sh", String(words.length), ...words, program, ...args], options)
}
syncBuiltinESMExports()
