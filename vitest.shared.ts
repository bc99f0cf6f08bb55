import { defineConfig } from "vitest/config"

/** `@jitsudo/source` resolves workspace imports to `src/*.ts`, so tests need no build. */
export default defineConfig({
  resolve: { conditions: ["@jitsudo/source"] },
  ssr: { resolve: { conditions: ["@jitsudo/source", "node", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores are the smallest machine that we promise to be pleasant on. Said here, for every project: what the root
    // says of it does not reach them, and the default is one less than the cores.
    maxWorkers: 2
  }
})
