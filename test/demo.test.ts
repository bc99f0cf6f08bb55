/**
 * The demo plays, and fails when what it shows does not hold: every step is broken for real, and each time the demo
 * must end with exit code 1 and name that step, for the reason that the sabotage is.
 */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, inject, it } from "vitest"
import { sabotages } from "../scripts/demo/Sabotage.ts"
import { steps, upTo } from "../scripts/demo/Tour.ts"
import { root } from "./support/Sources.ts"

/** The full size plays the whole tour up to the broken step, from an empty directory; otherwise what it stands on. */
const isFull = process.env["JITSUDO_TEST_FULL"] === "1"

const patience = 300_000

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** What is left of the temporary files when it has ended. */
  readonly left: ReadonlyArray<string>
}

/** Runs Node with a directory of its own for temporary files. */
const node = (
  name: string,
  args: ReadonlyArray<string>,
  onStdout: (soFar: string, child: ReturnType<typeof spawn>) => void = () => undefined
): Promise<Ran> => {
  const temporary = join(inject("scratch"), "demo", name)
  const cache = join(inject("scratch"), "node-compile-cache")
  mkdirSync(temporary, { recursive: true })
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, TMPDIR: temporary, NODE_COMPILE_CACHE: cache }
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk
      onStdout(stdout, child)
    })
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk
    })
    child.once("error", reject)
    child.once("close", (code) => {
      resolve({ code, stdout, stderr, left: readdirSync(temporary) })
    })
  })
}

const demo = (name: string, ...args: ReadonlyArray<string>) => node(name, ["scripts/demo.mjs", ...args])

const lastLine = ({ stdout }: Ran): string => stdout.trimEnd().split("\n").at(-1) ?? ""

/** Command lines of this machine's processes that name a directory. */
const processesNaming = (directory: string): ReadonlyArray<string> =>
  existsSync("/proc/self/cmdline")
    ? readdirSync("/proc")
        .filter((entry) => /^\d+$/u.test(entry) && existsSync(`/proc/${entry}/cmdline`))
        .flatMap((pid) => {
          try {
            return [readFileSync(`/proc/${pid}/cmdline`, "utf8")]
          } catch (error) {
            // It ended meanwhile.
            if (error instanceof Error) return []
            throw error
          }
        })
        .filter((line) => line.includes(directory))
    : []

/** What the demo sees when the step is broken: that it fails for this reason and no other. */
const seen: Readonly<Record<number, RegExp>> = {
  1: /saw exit code 1, .*providrs: there is no such key/u,
  2: /saw bob@example\.test/u,
  3: /expected the request to be PENDING; saw ACTIVE/u,
  4: /expected Alice to be refused .*saw exit code 0, .*ACTIVE/u,
  5: /expected Carol to be refused .*saw exit code 0, .*ACTIVE/u,
  6: /expected the request to be ACTIVE; saw FAILED/u,
  7: /expected none of them in the command line of any process; saw one/u,
  8: /expected AWS to refuse the revoked session.*saw 3 roles/u,
  9: /expected the request to be ACTIVE at once, without anybody; saw PENDING/u,
  10: /expected no credentials of the expired grant.*saw exit code 0, "the program ran"/u,
  11: /expected break-glass to be taken; saw exit code 4/u,
  12: /expected the log to be intact as the daemon gives it out; saw exit code 1/u,
  13: /expected the edit to be found .*saw exit code 0, .*intact/u,
  14: /expected an orderly stop .*saw ended by SIGKILL/u
}

/** A data directory in which nothing happened yet. */
const madeOnce = async (): Promise<string> => {
  const directory = join(inject("scratch"), "demo-data")
  const config = join(inject("scratch"), "demo-data.yaml")
  writeFileSync(config, 'server: { http_addr: "127.0.0.1:0" }\ndev: { issuer_addr: "127.0.0.1:0" }\n')
  const args = ["packages/server/bin/jitsudod.mjs", "dev", "--quiet", "--data-dir", directory, "--config", config]
  const ran = await node("data", args, (stdout, child) => {
    if (!stdout.includes("\n")) return
    // As one Ctrl-C under npx arrives: from the terminal, and once more from npx. The daemon stops in order all the same.
    child.kill("SIGINT")
    child.kill("SIGTERM")
  })
  if (ran.code !== 0) throw new Error(`jitsudod dev ended with ${ran.code}: ${ran.stderr}`)
  return directory
}

/** Two at a time, in order; each test waits for its own. */
const broken = new Map<number, Promise<Ran>>()

const breakAll = (data: string): void => {
  const lanes = [Promise.resolve(), Promise.resolve()]
  for (const [index, { number }] of steps.entries()) {
    const how = isFull ? [] : ["--brief", "--data", data]
    const ran = (lanes[index % 2] ?? Promise.resolve()).then(() =>
      demo(`break-${number}`, "--break", String(number), ...how)
    )
    broken.set(number, ran)
    lanes[index % 2] = ran.then(
      () => undefined,
      () => undefined
    )
  }
}

describe("npm run demo", () => {
  it("has steps from 1 on, each with a sabotage and what it is seen by", () => {
    const numbers = steps.map(({ number }) => number)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    expect(Object.keys(sabotages).map(Number)).toEqual(numbers)
    expect(Object.keys(seen).map(Number)).toEqual(numbers)
    expect(steps.flatMap(({ needs, number }) => needs.filter((one) => one >= number))).toEqual([])
    expect(upTo(6).map(({ number }) => number)).toEqual([1, 2, 3, 6])
  })

  it("lists its steps and how each is broken", async () => {
    const { code, stdout } = await demo("list", "--list")
    expect(code).toBe(0)
    for (const { number, title } of steps) {
      expect(stdout).toContain(`${number}  ${title}\n      --break ${number}: ${sabotages[number]?.what}`)
    }
  })

  it("refuses a step that there is not, with exit code 2", async () => {
    const { code, stderr } = await demo("usage", "--break", "15")
    expect(code).toBe(2)
    expect(stderr).toContain("there is no step")
  })

  it("plays every step, ends with demo: ok, and leaves nothing behind", { timeout: patience }, async () => {
    const ran = await demo("tour")
    expect(ran.stdout + ran.stderr).toContain("demo: ok")
    expect(ran.code).toBe(0)
    expect(lastLine(ran)).toBe("demo: ok")
    for (const { number, title } of steps) expect(ran.stdout).toContain(`${String(number).padStart(2)}  ${title}\n`)
    expect(ran.left).toEqual([])
    expect(processesNaming(join(inject("scratch"), "demo", "tour"))).toEqual([])
  })

  it("cleans up when it is stopped", { timeout: patience }, async () => {
    const ran = await node("stopped", ["scripts/demo.mjs"], (stdout, child) => {
      if (stdout.includes("daemon at http")) child.kill("SIGINT")
    })
    expect(ran.code).toBe(130)
    expect(lastLine(ran)).toBe("demo: stopped by SIGINT")
    expect(ran.left).toEqual([])
    expect(processesNaming(join(inject("scratch"), "demo", "stopped"))).toEqual([])
  })
})

describe("npm run demo -- --break N", () => {
  beforeAll(async () => {
    breakAll(await madeOnce())
  }, patience)

  it.each(steps.map(({ number, title }) => [number, title] as const))(
    "%i: %s",
    { timeout: patience },
    async (number, title) => {
      const ran = await (broken.get(number) ?? Promise.reject(new Error(`step ${number} was not broken`)))
      expect(lastLine(ran) + ran.stderr).toMatch(seen[number] ?? /never/u)
      expect(lastLine(ran)).toContain(`demo: FAILED at step ${number}: ${title}: `)
      expect(ran.code).toBe(1)
      expect(ran.left).toEqual([])
    }
  )
})
