/**
 * A program as it is shipped: one minified file made of the sources as they stand, without the cost of stripping types
 * or of finding hundreds of modules. What was built before is not looked at: it may be old.
 */
import { cpSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { build } from "rolldown"

const root = join(import.meta.dirname, "../..")

/** Files beside the program that a bundler cannot see, such as PGlite's database image. */
const external = [/^@electric-sql\/pglite/u, /^oidc-provider$/u]

/**
 * Bundles entry points (paths from the repository's root, by name) into the directory `dist` of a package of its own,
 * whose path it gives. `beside`: what stands in that package beside `dist`, by name.
 */
export const bundle = async (
  name: string,
  entries: Readonly<Record<string, string>>,
  beside: Readonly<Record<string, string>> = {}
): Promise<string> => {
  // Below the repository, so that what is external is found.
  const home = join(root, "bench/results/bundles", name)
  const directory = join(home, "dist")
  mkdirSync(directory, { recursive: true })
  for (const [to, from] of Object.entries(beside)) cpSync(join(root, from), join(home, to), { recursive: true })
  await build({
    input: Object.fromEntries(Object.entries(entries).map(([entry, path]) => [entry, join(root, path)])),
    platform: "node",
    resolve: { conditionNames: ["@jitsudo/source", "node", "import", "module", "default"] },
    external,
    logLevel: "warn",
    output: {
      dir: directory,
      format: "esm",
      minify: true,
      entryFileNames: "[name].js",
      chunkFileNames: "[name]-[hash].js",
      cleanDir: true
    }
  })
  return home
}

/** The daemon with its launcher: run the file that this gives. */
export const daemon = async (): Promise<string> => {
  const home = await bundle(
    "jitsudod",
    {
      bin: "packages/server/src/bin.ts",
      "evaluation-worker": "packages/rego/src/evaluation-worker.ts",
      "compiler-worker": "packages/rego/src/compiler-worker.ts"
    },
    {
      "package.json": "packages/server/package.json",
      bin: "packages/server/bin",
      starter: "packages/rego/starter",
      compiler: "packages/rego/compiler"
    }
  )
  return join(home, "bin/jitsudod.mjs")
}

/** The command line with its launcher. */
export const commandLine = async (): Promise<string> => {
  const home = await bundle(
    "jitsudo",
    { bin: "packages/cli/src/bin.ts" },
    { "package.json": "packages/cli/package.json", bin: "packages/cli/bin" }
  )
  return join(home, "bin/jitsudo.mjs")
}
