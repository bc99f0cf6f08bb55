// npm run demo: the tour by itself, against real processes. What it can do: npm run demo -- --help
//
// The demo is TypeScript that imports workspace packages from their sources, which needs a Node flag: it takes this
// process over, so that signals and the exit code are its own.

import "./requirements.mjs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"

// Where Node keeps it by itself when a program asks: every process after the first starts in half the time.
const cache = process.env.NODE_COMPILE_CACHE || path.join(os.tmpdir(), "node-compile-cache")
const main = path.join(path.dirname(fileURLToPath(import.meta.url)), "demo", "main.ts")
process.execve(
  process.execPath,
  [process.execPath, "--conditions=@jitsudo/source", main].concat(process.argv.slice(2)),
  Object.assign({}, process.env, { NODE_COMPILE_CACHE: cache })
)
