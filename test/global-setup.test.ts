/** What a run shares is there for the tests of every project, and ends whatever happens. */
import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import { scratch } from "./support/Scratch.ts"
import { startAll } from "./support/RunServices.ts"
import type { RunService } from "./support/RunServices.ts"

/** Takes what is provided, and provides it to nobody. */
const provided = new Map<string, unknown>()
const project = { provide: (key: string, value: unknown) => void provided.set(key, value) }

describe("what a test run shares", () => {
  /** A service that writes down its start and its end. */
  const service =
    (name: string, log: Array<string>, fails: "start" | "stop" | "never" = "never"): RunService =>
    async () => {
      log.push(`start ${name}`)
      if (fails === "start") throw new Error(`${name} does not start`)
      return async () => {
        log.push(`stop ${name}`)
        if (fails === "stop") throw new Error(`${name} does not stop`)
      }
    }

  it("starts in order and ends in reverse order", async () => {
    const log: Array<string> = []
    const stop = await startAll([service("a", log), service("b", log)], project)
    await stop()
    expect(log).toEqual(["start a", "start b", "stop b", "stop a"])
  })

  it("ends what was started when the next one does not start", async () => {
    const log: Array<string> = []
    const starting = startAll([service("a", log), service("b", log, "start"), service("c", log)], project)
    await expect(starting).rejects.toThrow("b does not start")
    expect(log).toEqual(["start a", "start b", "stop a"])
  })

  it("ends all of them even when one does not stop, and says so", async () => {
    const log: Array<string> = []
    const stop = await startAll([service("a", log), service("b", log, "stop")], project)
    await expect(stop()).rejects.toThrow("did not end cleanly")
    expect(log).toEqual(["start a", "start b", "stop b", "stop a"])
  })
})

describe("the scratch directory", () => {
  it("is there during the run, below the machine's temporary directory", () => {
    expect(inject("scratch").startsWith(join(tmpdir(), "jitsudo-test-"))).toBe(true)
    expect(existsSync(inject("scratch"))).toBe(true)
  })

  it("goes away with what is in it", async () => {
    const stop = await scratch(project)
    const directory = String(provided.get("scratch"))
    expect(existsSync(directory)).toBe(true)
    await stop()
    expect(existsSync(directory)).toBe(false)
  })
})
