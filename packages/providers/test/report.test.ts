/** `npm run test:providers -- --report` at small size: what it prints, and that it fails for a provider that is wrong. */
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { ProviderContract } from "@jitsudo/providers/testing"
import { describe, expect, it } from "vitest"

const program = fileURLToPath(new URL("./support/report-main.ts", import.meta.url))

const report = (...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number; readonly lines: ReadonlyArray<string> }>((resolve) => {
    const command = ["--conditions=@jitsudo/source", program, "--report", ...args]
    const child = execFile(process.execPath, command, (_failure, stdout) =>
      resolve({ code: child.exitCode ?? -1, lines: stdout.trimEnd().split("\n") })
    )
  })

describe.concurrent("the report of the providers", () => {
  it("has a row for each sentence, a column for each lane, and ends with its count", async () => {
    const { code, lines } = await report("--lanes", "mock", "--sample", "1")
    expect([code, lines.at(-1)]).toEqual([
      0,
      expect.stringMatching(/^providers: 1 providers, \d+ sentences, 0 violated$/u)
    ])
    expect(lines.at(-2)).toBe("faults: 15 injected, 0 orphaned, 0 lost")
    for (const sentence of ProviderContract.names) {
      const row = lines.find((line) => line.startsWith(`${sentence}  `)) ?? "no row"
      expect(row.slice(sentence.length).trim().split(/ +/u)).toEqual(
        expect.arrayContaining([expect.stringMatching(/^(?:ok|g\d+)$/u)])
      )
    }
    expect(lines.some((line) => line.startsWith("g1  declared gap: "))).toBe(true)
  })

  it("counts what a provider that is wrong violates, orphans and loses", async () => {
    const { code, lines } = await report(
      "--lanes",
      "mock in memory",
      "--sample",
      "15",
      "--broken",
      "confirms an ending that failed"
    )
    expect(code).toBe(1)
    expect(lines.at(-1)).toMatch(/^providers: 1 providers, \d+ sentences, [1-9]\d* violated$/u)
    expect(lines.at(-2)).toMatch(/^faults: 75 injected, [1-9]\d* orphaned, \d+ lost$/u)
    expect(lines.some((line) => line.startsWith("XX  mock in memory: an ending is confirmed"))).toBe(true)
  })

  it("fails when there is nothing to look at", async () => {
    const { code, lines } = await report("--lanes", "no such lane")
    expect([code, lines.at(-1)]).toEqual([1, "providers: 0 providers, 0 sentences, 0 violated"])
  })
})
