/** Somebody at a terminal of their own: a home directory, and the CLI as a process. */
import { DevLogin } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { present, StepFailed } from "./Expectation.ts"
import type { Launch, Processes, Ran, Running } from "./Processes.ts"
import type { Transcript } from "./Transcript.ts"

export type PersonId = "alice" | "bob" | "carol"

export interface PersonOptions {
  readonly id: PersonId
  readonly home: string
  /** Where the repository is. */
  readonly root: string
  /** The CLI's program. */
  readonly cli: string
  /** The daemon, or what stands before it. */
  readonly server: string
  /** Their own sign-in at the platform, as their environment has it now. */
  readonly own: () => Readonly<Record<string, string>>
  /** A module for the CLI to load first, now. */
  readonly cliLoads: () => string | undefined
  readonly processes: Processes
  readonly transcript: Transcript
}

/** What every process of the demo gets of the caller's environment: enough to be found and to print. */
export const plainEnvironment = (home: string): Record<string, string> => ({
  PATH: process.env["PATH"] ?? "",
  HOME: home,
  TMPDIR: process.env["TMPDIR"] ?? "/tmp",
  LANG: "C.UTF-8",
  NO_COLOR: "1",
  TERM: "dumb",
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? ""
})

export class Person {
  readonly id: PersonId
  readonly name: string
  readonly #options: PersonOptions

  constructor(options: PersonOptions) {
    this.id = options.id
    this.name = `${options.id.slice(0, 1).toUpperCase()}${options.id.slice(1)}`
    this.#options = options
    mkdirSync(options.home, { recursive: true, mode: 0o700 })
  }

  #launch(args: ReadonlyArray<string>): Launch {
    const { cli, home, own, root, server } = this.#options
    const cliLoads = this.#options.cliLoads()
    const env = {
      ...plainEnvironment(home),
      ...own(),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_STATE_HOME: join(home, "state"),
      JITSUDO_SERVER: server,
      ...(cliLoads === undefined ? {} : { NODE_OPTIONS: `--import=${join(root, "scripts", "demo", cliLoads)}` })
    }
    return {
      program: process.execPath,
      args: [cli, ...args],
      env,
      cwd: root
    }
  }

  /** Runs `jitsudo ARGS` to its end and shows it. */
  async jitsudo(...args: ReadonlyArray<string>): Promise<Ran> {
    const { processes, transcript } = this.#options
    transcript.command(this.id, ["jitsudo", ...args])
    const ran = await processes.run(this.#launch(args), `jitsudo ${args[0] ?? ""}`)
    transcript.answer(ran.said)
    return ran
  }

  /** The same, showing no more than what became of it. */
  async tersely(...args: ReadonlyArray<string>): Promise<Ran> {
    const { processes, transcript } = this.#options
    transcript.command(this.id, ["jitsudo", ...args])
    const ran = await processes.run(this.#launch(args), `jitsudo ${args[0] ?? ""}`)
    const errors = ran.stderr.split("\n").filter((line) => /^(?:error|hint):/u.test(line))
    transcript.answer(ran.code === 0 ? (ran.stdout.split("\n")[0] ?? "") : errors.join("\n"))
    return ran
  }

  /** The same for programs: not shown, and what it answers in JSON. */
  async ask<A>(...args: ReadonlyArray<string>): Promise<A> {
    const ran = await this.#options.processes.run(this.#launch([...args, "-o", "json"]), `jitsudo ${args[0] ?? ""}`)
    if (ran.code !== 0) throw new StepFailed(`jitsudo ${args.join(" ")} to succeed`, saw(ran))
    return JSON.parse(ran.stdout)
  }

  /** Starts `jitsudo ARGS` and leaves it running. */
  start(...args: ReadonlyArray<string>): Running {
    const { home, processes, transcript } = this.#options
    transcript.command(this.id, ["jitsudo", ...args])
    return processes.start(this.#launch(args), `jitsudo ${args[0] ?? ""}`, join(home, "errors.log"))
  }

  /** The device flow: the CLI shows a URL and a code, and `as` enters it in a browser. */
  async signIn(as: PersonId): Promise<Ran> {
    const { processes, transcript } = this.#options
    const args = ["login"]
    transcript.command(this.id, ["jitsudo", ...args])
    let entered: Promise<void> | undefined
    const running = processes.run(this.#launch(args), "jitsudo login", (said) => {
      const url = /https?:\/\/\S+\/device\S*/u.exec(said)?.[0]
      const userCode = /\b[A-Z0-9]{4}-[A-Z0-9]{4}\b/u.exec(said.replace(url ?? "", ""))?.[0]
      if (entered !== undefined || url === undefined || userCode === undefined) return
      const verificationUri = url.replace(/\?.*$/u, "")
      transcript.note(`(in the browser: ${verificationUri}, code ${userCode}, "I am ${as}")`)
      entered = Effect.runPromise(DevLogin.completeDeviceFlow({ verificationUri, userCode, person: as }))
    })
    const ran = await running
    await present(entered, "the CLI to show a URL and a code", saw(ran))
    transcript.answer(ran.stdout)
    return ran
  }
}

/** What a program answered, for what was seen: its error, else its first line. */
export const saw = ({ code, stderr, stdout }: Ran): string => {
  const lines = [...stderr.split("\n"), ...stdout.split("\n")].filter((line) => line.trim() !== "")
  const answer = code === 0 ? stdout.trim().split("\n")[0] : lines.find((line) => line.startsWith("error:"))
  const said = answer === undefined || answer === "" ? (lines.at(-1) ?? "") : answer
  return said === "" ? `exit code ${code}` : `exit code ${code}, ${JSON.stringify(said.slice(0, 300))}`
}
