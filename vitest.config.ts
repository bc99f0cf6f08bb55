import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Begun first, so that no file of half a minute is left to one worker at the end while the other has nothing. */
const longest = [
  "test/demo.test.ts",
  "/crash/Kill.test.ts",
  "/fault-matrix.test.ts",
  "/crash/Stop.test.ts",
  "/crash/Embedded.test.ts",
  "/store/Pglite.test.ts",
  "/concurrency/Changes.test.ts",
  "/concurrency/Decisions.test.ts",
  "/CompilerThread.test.ts",
  "/store/Crash.test.ts"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((end) => moduleId.endsWith(end))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

/**
 * One run over every workspace package, plus the project `repository`: the tests in `test/` that look at the
 * repository as a whole. `globalSetup` runs once per run, before any project; what it provides, every test can
 * `inject`.
 */
export default defineConfig({
  // Global setups load in an environment of vitest's own: it needs to be told where workspace imports lead, too.
  environments: { __vitest__: { resolve: { conditions: ["@jitsudo/source", "node", "module", "default"] } } },
  test: {
    projects: ["packages/*", "examples/*", "policies", { extends: "./vitest.shared.ts", test: { name: "repository" } }],
    globalSetup: ["./test/support/global-setup.ts"],
    sequence: { sequencer: LongestFirst }
  }
})
