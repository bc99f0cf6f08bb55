/**
 * `.ci/run` closes with a line that adds up, whatever fails. Run on a made-up npm, so that it takes no time; a machine
 * that lacks a tool would be asked to install it, so the tools are made up as well.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import { root } from "./support/Sources.ts"

/** Ends of the three commands: exit code, and the last line of `npm test`. */
interface Ends {
  readonly ci?: number
  readonly test?: number
  readonly line?: string
  readonly demo?: number
}

function run({ ci = 0, test = 0, line = "12 passed, 0 failed, 1 skipped", demo = 0 }: Ends) {
  const bin = mkdtempSync(join(inject("scratch"), "bin-"))
  const program = (name: string, body: string) => {
    writeFileSync(join(bin, name), `#!/usr/bin/env bash\n${body}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program(
    "npm",
    `case "$*" in
  ci) exit ${ci} ;;
  test) echo "${line}"; exit ${test} ;;
  "run demo") echo "demo: ok"; exit ${demo} ;;
esac
exit 99`
  )
  for (const tool of ["postgres", "jq", "openssl", "python3"]) program(tool, "exit 0")
  program("apt-get", "exit 99")
  for (const tool of ["bash", "env", "dirname", "mktemp", "rm", "tee", "grep", "tail", "id", "cat"]) {
    const found = spawnSync("bash", ["-c", `type -P ${tool}`], { encoding: "utf8" }).stdout.trim()
    symlinkSync(found, join(bin, tool))
  }
  const { status, stdout } = spawnSync(join(root, ".ci", "run"), [], {
    env: { PATH: bin, TMPDIR: inject("scratch") },
    encoding: "utf8"
  })
  return { status, last: stdout.trimEnd().split("\n").at(-1) }
}

describe(".ci/run", () => {
  it("counts the tests and the demo, and succeeds", () => {
    expect(run({})).toEqual({ status: 0, last: "13 passed, 0 failed" })
  })

  it.each<[string, Ends, string]>([
    ["a test fails", { test: 1, line: "10 passed, 2 failed, 1 skipped" }, "11 passed, 2 failed"],
    ["the demo fails", { demo: 1 }, "12 passed, 1 failed"],
    ["the tests end without a count", { test: 3, line: "Segmentation fault" }, "1 passed, 1 failed"],
    ["the tests claim success without a count", { line: "all good" }, "1 passed, 1 failed"],
    ["the tests fail without a failing test", { test: 1 }, "13 passed, 1 failed"],
    ["the installation fails", { ci: 1 }, "0 passed, 1 failed"]
  ])("fails when %s", (_when, ends, last) => {
    expect(run(ends)).toEqual({ status: 1, last })
  })
})
