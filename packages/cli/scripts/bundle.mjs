// One minified file for the program, so that it starts fast, and the compiler's thread beside it as a file of its own.
// Siblings are bundled from their sources: nothing else has to be built before. An argument names another directory than
// `dist`.

import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const out = process.argv[2] ?? here("../dist")

async function bundle(input, file) {
  const build = await rolldown({
    input,
    platform: "node",
    resolve: { conditionNames: ["@jitsudo/source", "node", "import", "default"] },
    // The warnings are about code of dependencies.
    onLog: (level, log, handle) => (level === "warn" ? undefined : handle(level, log))
  })
  const { output } = await build.write({ file, format: "esm", minify: true, codeSplitting: false })
  await build.close()
  for (const chunk of output) console.log(chunk.fileName + " " + Math.round(chunk.code.length / 1024) + " kB")
}

await bundle(here("../src/bin.ts"), join(out, "bin.js"))
const rego = import.meta.resolve("@jitsudo/rego/compiler")
await bundle(fileURLToPath(new URL("../src/compiler-worker.ts", rego)), join(out, "compiler-worker.js"))
