/**
 * A program as it is shipped: one minified file made of the sources as they stand, without the cost of stripping types
 * or of finding hundreds of modules. What was built before is not looked at: it may be old.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { build } from "rolldown"

const root = join(import.meta.dirname, "../..")

/** Files beside the program that a bundler cannot see, such as PGlite's database image. */
const external = [/^@electric-sql\/pglite/u, /^oidc-provider$/u]

/** Bundles entry points (paths from the repository's root, by name) into one directory, and gives its path. */
export const bundle = async (name: string, entries: Readonly<Record<string, string>>): Promise<string> => {
  // Below the repository, so that what is external is found.
  const directory = join(root, "bench/results/bundles", name, "dist")
  mkdirSync(directory, { recursive: true })
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
  return directory
}
