/**
 * The demo: the whole of jitsudo in one tour, against real processes, every step asserted.
 *
 * Exit codes: 0 every step held; 1 one did not, or the demo itself failed; 2 it was asked for what there is not.
 */
import { mkdtempSync, realpathSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import type { Platform } from "./platforms/Platform.ts"
import { load, names } from "./platforms/Platforms.ts"
import { sabotagesOn } from "./Sabotage.ts"
import { play, stepsOn, upTo } from "./Tour.ts"
import { Transcript } from "./Transcript.ts"
import { World } from "./World.ts"

const usage = `npm run demo                     the tour; ends with: demo: ok
npm run demo -- --provider NAME  the tour on another platform than aws: ${names.join(", ")}
npm run demo -- --break N[,N]    breaks step N for real; ends with: demo: FAILED at step N
npm run demo -- --list           the steps, and how each is broken
             --only N[,N]        only these steps, and those that they stand on
             --keep              leaves the directory with data and logs, and says where
             --cli FILE          the CLI as bundled there, instead of this checkout's
             --data DIR          starts on a copy of a data directory of \`jitsudod dev\` instead of an empty one`

interface Asked {
  readonly platform: Platform
  readonly broken: ReadonlyArray<number>
  /** All of them when there is none. */
  readonly only: ReadonlyArray<number>
  readonly keep: boolean
  readonly data: string | undefined
  readonly cli: string | undefined
}

const write = (text: string): void => {
  process.stdout.write(text)
}

const list = (platform: Platform): void => {
  const sabotages = sabotagesOn(platform)
  for (const { number, title } of stepsOn(platform)) {
    write(`${String(number).padStart(2)}  ${title}\n      --break ${number}: ${sabotages[number]?.what ?? "nothing"}\n`)
  }
}

const parsed = async (): Promise<Asked | "help" | { readonly list: Platform } | { readonly wrong: string }> => {
  try {
    const { values } = parseArgs({
      options: {
        break: { type: "string" },
        cli: { type: "string" },
        data: { type: "string" },
        keep: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        only: { type: "string" },
        provider: { type: "string", default: "aws" },
        help: { type: "boolean", short: "h", default: false }
      }
    })
    if (values.help) return "help"
    const platform = await load(values.provider)
    if (platform === undefined) {
      return {
        wrong: `there is no tour on ${JSON.stringify(values.provider)}; --provider is one of ${names.join(", ")}`
      }
    }
    if (values.list) return { list: platform }
    const steps = stepsOn(platform)
    const numbers = (text = "") => (text === "" ? [] : text.split(",").map(Number))
    for (const text of [values.break, values.only]) {
      if (!numbers(text).every((one) => steps.some(({ number }) => number === one))) {
        return { wrong: `there is no step ${JSON.stringify(text)}: --list shows those that there are` }
      }
    }
    const { cli, data, keep } = values
    return { platform, broken: numbers(values.break), only: numbers(values.only), keep, data, cli }
  } catch (error) {
    return { wrong: error instanceof Error ? error.message : "the arguments cannot be read" }
  }
}

const tour = async ({ broken, cli, data, keep, only, platform }: Asked): Promise<number> => {
  const root = resolve(import.meta.dirname, "..", "..")
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "jitsudo-demo-")))
  const transcript = new Transcript(write)
  transcript.name(directory, "$DEMO")
  transcript.name(`${root}/`, "")
  transcript.name(process.execPath, "node")
  const all = sabotagesOn(platform)
  const sabotages = new Map(broken.map((number) => [number, all[number] ?? { what: "nothing" }]))
  const steps = stepsOn(platform)
  const chosen = only.length > 0 ? upTo(steps, only) : steps
  const world = new World({ root, directory, transcript, platform, sabotages, data, cli })

  let stopping = false
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129]
  ] as const) {
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      void world.end(keep).finally(() => {
        write(`\ndemo: stopped by ${signal}\n`)
        process.exit(code)
      })
    })
  }

  // Nobody listens any more (`npm run demo | head`): there is nothing left to do but to clean up.
  process.stdout.on("error", () => {
    if (stopping) return
    stopping = true
    void world.end(keep).finally(() => process.exit(141))
  })

  write(`jitsudo, ${chosen.length} steps against real processes. $DEMO is a temporary directory.\n`)
  for (const [number, { what }] of sabotages) write(`Step ${number} is sabotaged: ${what}.\n`)
  const began = performance.now()
  const failed = await play(world, chosen)
  // What goes wrong while everything is being ended says nothing, and the exit code is the signal's.
  if (stopping) return new Promise<never>(() => undefined)
  stopping = true
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  await world.end(keep)
  if (keep) write(`\nkept: ${directory}\n`)
  if (failed.length === 0) {
    transcript.line(`\n${chosen.length} steps in ${seconds} s\ndemo: ok`)
    return 0
  }
  transcript.line("")
  for (const { expected, seen, step } of failed) {
    transcript.line(`demo: FAILED at step ${step.number}: ${step.title}: expected ${expected}; saw ${seen}`)
  }
  return 1
}

const asked = await parsed()
if (asked === "help") write(`${usage}\n`)
else if ("list" in asked) list(asked.list)
else if ("wrong" in asked) {
  process.stderr.write(`error: ${asked.wrong}\n${usage}\n`)
  process.exitCode = 2
} else {
  process.exitCode = await tour(asked)
}
