/**
 * `npm test` ends with one line that can be believed: what failed outside of a test counts, and a skipped test
 * without a reason counts as a failure. Shown on runs of made-up tests (`fixtures/outcomes`).
 */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "..")

/** Runs `scripts/test.mjs` on the named files of `fixtures/outcomes`. */
function run(outcomes: string, ...args: ReadonlyArray<string>) {
  return new Promise<{ lines: ReadonlyArray<string>; last: string | undefined; code: number }>((resolve) => {
    const command = ["scripts/test.mjs", "--config", "test/fixtures/outcomes/vitest.config.ts", ...args]
    const env = { ...process.env, OUTCOMES: outcomes, NO_COLOR: "1" }
    const child = execFile(process.execPath, command, { cwd: root, env }, (_failure, stdout) => {
      const lines = stdout.trimEnd().split("\n")
      resolve({ lines, last: lines.at(-1), code: child.exitCode ?? -1 })
    })
  })
}

describe.concurrent("the closing line of npm test", () => {
  it("counts passed and skipped tests, and prints every skipped test with its reason", async () => {
    const { lines, last, code } = await run("green")
    expect(last).toBe("1 passed, 0 failed, 3 skipped")
    expect(code).toBe(0)
    expect(lines.filter((line) => line.startsWith("SKIPPED "))).toEqual([
      "SKIPPED green.case.ts > says why it is skipped: no cloud account in the environment",
      "SKIPPED green.case.ts > a suite that cannot run here > first of the suite: no etcd on this machine",
      "SKIPPED green.case.ts > a suite that cannot run here > second of the suite: no etcd on this machine"
    ])
  })

  it.for([
    ["red", "1 passed, 1 failed, 3 skipped", undefined],
    [
      "silent",
      "2 passed, 1 failed, 3 skipped",
      "FAILED silent.case.ts > is skipped and does not say why: skipped without a reason"
    ],
    [
      "hook",
      "2 passed, 2 failed, 3 skipped",
      "FAILED hook.case.ts > a suite whose hook fails: the database did not start"
    ],
    ["unloadable", "1 passed, 1 failed, 3 skipped", "FAILED unloadable.case.ts: this file does not load"],
    ["stray", "2 passed, 1 failed, 3 skipped", "FAILED unhandled error: nobody waited for this"]
  ] as const)("is a failure with %s tests", async ([outcome, total, sentence]) => {
    const { lines, last, code } = await run(`green,${outcome}`)
    expect(last).toBe(total)
    expect(code).toBe(1)
    if (sentence !== undefined) expect(lines).toContain(sentence)
  })

  it("is a failure where a forgotten `only` hides tests", async () => {
    const { last, code } = await run("only")
    expect(last).toMatch(/, [1-9][0-9]* failed, /)
    expect(code).toBe(1)
  })

  it("is a failure where no test ran", async () => {
    const { lines, last, code } = await run("nothing-of-this-name")
    expect(lines).toContain("FAILED no test ran")
    expect(last).toBe("0 passed, 1 failed, 0 skipped")
    expect(code).toBe(1)
  })

  it("leaves out what a name filter leaves out", async () => {
    const { last, code } = await run("silent,red", "-t", "^passes$")
    expect(last).toBe("1 passed, 0 failed, 0 skipped")
    expect(code).toBe(0)
  })
})
