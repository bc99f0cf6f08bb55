/** Whoever has too old a Node or npm reads one sentence that says what to do, not a stack trace. */
import { execFileSync, spawnSync } from "node:child_process"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { root } from "./support/Sources.ts"

const script = join(root, "scripts", "requirements.mjs")

/** What the scripts would say under these versions; null for nothing. */
const complaint = (node: string, npm?: string): string | null => {
  const program = `import(${JSON.stringify(script)}).then((m) => console.log(JSON.stringify(m.complaint(...JSON.parse(process.argv[1])) ?? null)))`
  const versions = JSON.stringify(npm === undefined ? [node] : [node, npm])
  return JSON.parse(execFileSync(process.execPath, ["-e", program, versions], { encoding: "utf8" }))
}

describe("the versions that the scripts need", () => {
  it.each([
    ["v24.21.0", "11.19.1"],
    ["v24.0.0", "10.0.0"],
    ["v26.1.0", undefined]
  ])("accept Node %s with npm %s", (node, npm) => {
    expect(complaint(node, npm)).toBeNull()
  })

  it.each([
    ["v24.21.0", "9.9.4", "npm 9.9.4 is too old"],
    ["v14.21.3", "6.14.18", "npm 6.14.18 is too old"],
    ["v20.20.2", "10.8.2", "Node v20.20.2 is too old: this needs Node 24"],
    ["v20.20.2", undefined, "Run it through npm"]
  ])("refuse Node %s with npm %s: %s", (node, npm, sentence) => {
    expect(complaint(node, npm)).toContain(sentence)
  })

  it("end a script with exit code 1 and the sentence alone", () => {
    const env = { ...process.env, npm_config_user_agent: "npm/6.14.18 node/v14.21.3 linux x64" }
    const { status, stderr, stdout } = spawnSync(process.execPath, [script], { env, encoding: "utf8" })
    expect(status).toBe(1)
    expect(stdout).toBe("")
    expect(stderr.trim().split("\n")).toEqual([expect.stringMatching(/^npm 6\.14\.18 is too old .* then run: npm ci$/)])
  })
})
