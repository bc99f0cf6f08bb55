/**
 * The processes of one demo. Each is a process of its own with an environment of its own, none of the caller's secrets
 * or settings in it; all of them have ended when `endAll` returns.
 */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { createWriteStream } from "node:fs"
import { createInterface } from "node:readline"
import { StepFailed } from "./Expectation.ts"

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Both, as they came. */
  readonly said: string
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Launch {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

export interface Running {
  readonly name: string
  readonly pid: number
  readonly ended: Promise<Ended>
  /** The next line of its standard output; undefined when there will be none. */
  readonly line: () => Promise<string | undefined>
  readonly say: (line: string) => void
  readonly signal: (signal: NodeJS.Signals) => void
}

const graceMillis = 8_000

/** What holds up longer than this will not come. */
const patienceMillis = 45_000

/** The promise, or a failed step that says what did not come. */
export const within = async <A>(promise: Promise<A>, what: string, millis = patienceMillis): Promise<A> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StepFailed(what, `nothing within ${millis / 1000} s`)), millis)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export class Processes {
  /** How long the slowest program that waited for nobody took so far: how busy this machine is. */
  slowestMillis = 0
  readonly #alive = new Map<ChildProcess, Promise<Ended>>()
  #closed = false

  #spawn(launch: Launch): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
    if (this.#closed) throw new Error("the demo is ending")
    const child = spawn(launch.program, [...launch.args], { env: launch.env, cwd: launch.cwd, stdio: "pipe" })
    const ended = new Promise<Ended>((resolve, reject) => {
      child.once("error", reject)
      child.once("close", (code, signal) => resolve({ code, signal }))
    }).finally(() => this.#alive.delete(child))
    this.#alive.set(child, ended)
    // Whoever reads or writes to a process that has gone hears of it by its end.
    child.stdin?.on("error", () => undefined)
    return { child, ended }
  }

  /** Runs a program to its end. `onStderr` hears its standard error as it comes. */
  async run(launch: Launch, name: string, onStderr?: (soFar: string) => void): Promise<Ran> {
    const { child, ended } = this.#spawn(launch)
    let stdout = ""
    let stderr = ""
    let said = ""
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk
      said += chunk
    })
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk
      said += chunk
      onStderr?.(stderr)
    })
    child.stdin?.end()
    const began = performance.now()
    try {
      const { code, signal } = await within(ended, `${name} to end`)
      if (onStderr === undefined) this.slowestMillis = Math.max(this.slowestMillis, performance.now() - began)
      const note = signal === null ? "" : `ended by ${signal}\n`
      return { code: code ?? 128, stdout, stderr: stderr + note, said: said + note }
    } catch (error) {
      child.kill("SIGKILL")
      throw error
    }
  }

  /** Starts a program that stays. Its standard error goes to a file. */
  start(launch: Launch, name: string, log: string): Running {
    const { child, ended } = this.#spawn(launch)
    child.stderr?.pipe(createWriteStream(log, { flags: "a", mode: 0o600 }))
    if (child.stdout === null || child.pid === undefined)
      throw new StepFailed(`${name} to start`, "it cannot be started")
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return {
      name,
      pid: child.pid,
      ended,
      line: async () => {
        const next = await within(lines.next(), `${name} to say something`)
        return next.done === true ? undefined : next.value
      },
      say: (line) => child.stdin?.write(`${line}\n`),
      signal: (signal) => {
        child.kill(signal)
      }
    }
  }

  /** Asks everything that still runs to end, and makes it. */
  async endAll(): Promise<void> {
    this.#closed = true
    const ends = [...this.#alive].map(async ([child, ended]) => {
      child.kill("SIGTERM")
      child.stdin?.end()
      const kill = setTimeout(() => child.kill("SIGKILL"), graceMillis)
      await ended.catch(() => undefined)
      clearTimeout(kill)
    })
    await Promise.all(ends)
  }
}
