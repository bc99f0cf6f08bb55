#!/usr/bin/env node
// Plain JavaScript that any Node can parse: an old Node must get a sentence, not a syntax error.
import { existsSync } from "node:fs"
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

const major = Number(process.versions.node.split(".")[0])
if (major < 24) {
  console.error(
    `jitsudod needs Node 24 or newer; this is Node ${process.versions.node}. Install it from https://nodejs.org/, or run jitsudod through npx in a checkout, which brings its own.`
  )
  process.exit(1)
}
enableCompileCache?.()
const built = new URL("../dist/bin.js", import.meta.url)
if (existsSync(built)) {
  await import(built.href)
} else {
  // A checkout that was not built: run the sources, which Node 24 can do by itself.
  const source = fileURLToPath(new URL("../src/bin.ts", import.meta.url))
  process.execve(
    process.execPath,
    [process.execPath, "--conditions=@jitsudo/source", source, ...process.argv.slice(2)],
    process.env
  )
}
