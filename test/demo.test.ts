/**
 * The demo plays on every platform, and fails when what it shows does not hold: every step is broken for real, and each
 * time the demo must end with exit code 1 and name that step, for the reason that the sabotage is.
 */
import { spawn } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { beforeAll, describe, expect, inject, it } from "vitest"
import { platform as aws } from "../scripts/demo/platforms/Aws.ts"
import { load, names } from "../scripts/demo/platforms/Platforms.ts"
import { sabotagesOn } from "../scripts/demo/Sabotage.ts"
import { stepsOn, upTo } from "../scripts/demo/Tour.ts"
import { root } from "./support/Sources.ts"

const steps = stepsOn(aws)
const sabotages = sabotagesOn(aws)
const others = names.filter((name) => name !== aws.name)

/** What differs from platform to platform: a right is granted, used, taken back, and compared at the end. */
const particular = [8, 14]

/**
 * The full size breaks each step in a world of its own, from an empty directory, after all the steps before it, and plays
 * the whole tour on every platform. Otherwise steps that do not get in each other's way share a world, and the other
 * platforms play what is particular to them.
 */
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
  4: /expected Alice to be refused .*saw exit code 0, .*(?:ACTIVE|APPROVED)/u,
  5: /expected Carol to be refused .*saw exit code 0, .*(?:ACTIVE|APPROVED)/u,
  6: /expected the request to be ACTIVE; saw FAILED/u,
  7: /expected none of them in the command line of any process; saw one/u,
  8: /expected AWS to refuse the program whose session was revoked.*saw 3 roles/u,
  9: /expected the request to be ACTIVE at once, without anybody; saw PENDING/u,
  10: /expected no credentials of the expired grant.*saw exit code 0, "the program ran"/u,
  11: /expected break-glass to be taken; saw exit code 4/u,
  12: /expected the log to be intact as the daemon gives it out; saw exit code 1/u,
  13: /expected the edit to be found .*saw exit code 0, .*intact/u,
  14: /expected an orderly stop .*saw ended by SIGKILL/u
}

/** Steps that are broken in a way of each platform's own, by the runs that break them. */
const sabotagedThere: ReadonlyArray<ReadonlyArray<number>> = [[6], [7, 8]]

/** What is seen then. */
const seenThere: Readonly<Record<number, RegExp>> = {
  6: /expected the request to be ACTIVE; saw FAILED/u,
  7: /saw one that everybody on this machine can read|expected Azure to let the program .*; saw refused: \w*Authentication/u,
  8: /to refuse the program whose [\w ]+ was revoked, .*; saw (?!refused)/u
}

/** A data directory in which nothing happened yet, and the CLI in one file, which starts in half the time. */
interface Made {
  readonly data: string
  readonly cli: string
}

const madeOnce = async (): Promise<Made> => {
  const cli = join(inject("scratch"), "demo-cli")
  const bundled = await node("bundle", ["packages/cli/scripts/bundle.mjs", join(cli, "dist")])
  if (bundled.code !== 0) throw new Error(`the CLI cannot be bundled: ${bundled.stderr}`)
  cpSync(join(root, "packages/cli/package.json"), join(cli, "package.json"))
  return { data: await startedOnce(), cli: join(cli, "dist", "bin.js") }
}

const startedOnce = async (): Promise<string> => {
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

/**
 * Steps that are broken in one run. None stands on another of its world, and no sabotage is felt by the others. Those that
 * take longest come first.
 */
const worlds: ReadonlyArray<ReadonlyArray<number>> = [[3, 10, 11, 12, 14], [7, 8], [6, 9], [5, 13], [4], [2], [1]]

/** The runs by their names: two at a time, in the order of the tests, each of which waits for its own. */
const runs = new Map<string, Promise<Ran>>()

/** What is prepared for a run of the small size. */
const prepared = async (made: Promise<Made>, steps: ReadonlyArray<number>): Promise<ReadonlyArray<string>> => {
  const { cli, data } = await made
  return ["--only", steps.join(), "--data", data, "--cli", cli]
}

const begin = (made: Promise<Made>): void => {
  const waiting: Array<() => Promise<unknown>> = []
  const run = (name: string, ran: () => Promise<Ran>): void => {
    const { promise, reject, resolve } = Promise.withResolvers<Ran>()
    runs.set(name, promise)
    // Whoever waits for it hears of it.
    promise.catch(() => undefined)
    waiting.push(() => ran().then(resolve, reject))
  }
  run("aws", () => demo("aws"))
  for (const name of others) {
    run(name, async () => demo(name, "--provider", name, ...(isFull ? [] : await prepared(made, particular))))
  }
  run("stopped", async () =>
    node("stopped", ["scripts/demo.mjs", "--data", (await made).data], (stdout, child) => {
      if (stdout.includes("daemon at http")) child.kill("SIGINT")
    })
  )
  for (const numbers of isFull ? steps.map(({ number }) => [number]) : worlds) {
    const name = `break-${numbers.join("-")}`
    run(name, async () => demo(name, "--break", numbers.join(), ...(isFull ? [] : await prepared(made, numbers))))
  }
  for (const name of isFull ? others : []) {
    for (const numbers of sabotagedThere) {
      const broken = `${name}-break-${numbers.join("-")}`
      run(broken, async () =>
        demo(broken, "--provider", name, "--break", numbers.join(), ...(await prepared(made, numbers)))
      )
    }
  }
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await next()
  }
  void lane()
  void lane()
}

const ranAs = (name: string): Promise<Ran> =>
  runs.get(name) ?? Promise.reject(new Error(`there was no run of the name ${name}`))

/** The run in which a step was broken. */
const broken = (number: number): Promise<Ran> =>
  ranAs(`break-${isFull ? number : worlds.find((world) => world.includes(number))?.join("-")}`)

beforeAll(() => begin(madeOnce()))

/** The tour on one platform: all of it, or these steps and what they stand on. */
const plays = async (name: string, only?: ReadonlyArray<number>): Promise<void> => {
  const platform = await load(name)
  const ran = await ranAs(name)
  expect(ran.stdout + ran.stderr).toContain("demo: ok")
  expect(ran.code).toBe(0)
  expect(lastLine(ran)).toBe("demo: ok")
  const there = platform === undefined ? [] : stepsOn(platform)
  for (const { number, title } of only === undefined ? there : upTo(there, only)) {
    expect(ran.stdout).toContain(`${String(number).padStart(2)}  ${title}\n`)
  }
  expect(ran.left).toEqual([])
  expect(processesNaming(join(inject("scratch"), "demo", name))).toEqual([])
}

describe("npm run demo", () => {
  it("has steps from 1 on, each with a sabotage and what it is seen by", () => {
    const numbers = steps.map(({ number }) => number)
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
    expect(Object.keys(sabotages).map(Number)).toEqual(numbers)
    expect(Object.keys(seen).map(Number)).toEqual(numbers)
    expect(steps.flatMap(({ needs, number }) => needs.filter((one) => one >= number))).toEqual([])
    const those = (...numbers: ReadonlyArray<number>) => upTo(steps, numbers).map(({ number }) => number)
    expect(those(6)).toEqual([1, 2, 3, 6])
    expect(worlds.flat().toSorted((a, b) => a - b)).toEqual(numbers)
    for (const world of worlds) {
      for (const one of world) expect(those(one).filter((number) => world.includes(number))).toEqual([one])
    }
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

  it("plays every step, ends with demo: ok, and leaves nothing behind", { timeout: patience }, () => plays("aws"))

  it.each(others)(
    `plays ${isFull ? "every step" : "what is particular to it"} on %s, and leaves nothing behind`,
    { timeout: patience },
    (name) => plays(name, isFull ? undefined : particular)
  )

  it("refuses a platform that there is not, and says which there are", async () => {
    const { code, stderr } = await demo("platform", "--provider", "openstack")
    expect(code).toBe(2)
    expect(stderr).toContain(`there is no tour on "openstack"; --provider is one of ${names.join(", ")}\n`)
  })

  it.each(names)("has the same steps on %s, and breaks each of them", async (name) => {
    const platform = await load(name)
    expect(platform?.name).toBe(name)
    const there = platform === undefined ? [] : stepsOn(platform)
    expect(there.map(({ needs, number }) => [number, needs])).toEqual(steps.map((one) => [one.number, one.needs]))
    const sabotaged = platform === undefined ? [] : Object.keys(sabotagesOn(platform))
    expect(sabotaged.map(Number)).toEqual(steps.map(({ number }) => number))
  })

  it("cleans up when it is stopped", { timeout: patience }, async () => {
    const ran = await ranAs("stopped")
    expect(ran.code).toBe(130)
    expect(lastLine(ran)).toBe("demo: stopped by SIGINT")
    expect(ran.left).toEqual([])
    expect(processesNaming(join(inject("scratch"), "demo", "stopped"))).toEqual([])
  })
})

describe("npm run demo -- --break N", () => {
  it.each(steps.map(({ number, title }) => [number, title] as const))(
    "%i: %s",
    { timeout: patience },
    async (number, title) => {
      const ran = await broken(number)
      const told = ran.stdout.split("\n").find((line) => line.startsWith(`demo: FAILED at step ${number}: ${title}: `))
      expect(told ?? ran.stdout + ran.stderr).toMatch(seen[number] ?? /never/u)
      const failed = ran.stdout.match(/^demo: FAILED at step \d+/gmu)?.length
      expect(failed).toBe(isFull ? 1 : worlds.find((world) => world.includes(number))?.length)
      expect(ran.code).toBe(1)
      expect(ran.left).toEqual([])
    }
  )
})

const leftOut = isFull ? {} : { skipReason: "npm run test:full breaks these steps on every platform" }

describe.skipIf(!isFull)("npm run demo -- --provider NAME --break N", { meta: leftOut }, () => {
  const all = others.flatMap((name) => sabotagedThere.map((numbers) => [name, numbers] as const))
  it.each(all)("%s: %j", { timeout: patience }, async (name, numbers) => {
    const ran = await ranAs(`${name}-break-${numbers.join("-")}`)
    const told = ran.stdout.split("\n").filter((line) => line.startsWith("demo: FAILED at step "))
    expect(told.map((line) => Number(/\d+/u.exec(line)?.[0]))).toEqual(numbers)
    for (const [index, number] of numbers.entries()) expect(told[index]).toMatch(seenThere[number] ?? /never/u)
    expect(ran.code).toBe(1)
    expect(ran.left).toEqual([])
  })
})
