/** The program under test: in this process with streams and a terminal of our own, or as a real process. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { LookEvery } from "../../src/Follow.ts"
import { Io } from "../../src/Io.ts"
import { main } from "../../src/Main.ts"

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Options {
  readonly env?: Readonly<Record<string, string>>
  /** Whether somebody sits at all three streams. */
  readonly tty?: boolean
  /** What they type, line by line. */
  readonly typed?: ReadonlyArray<string>
  readonly columns?: number
  readonly input?: string
  /** In place of the 10 s between looks beside live events. */
  readonly lookEvery?: Duration.Duration
}

/** A user of this program: a home directory of their own. */
export interface User {
  readonly home: string
  readonly run: (args: ReadonlyArray<string>, options?: Options) => Promise<Ran>
  /** The same, as a process. */
  readonly spawn: (args: ReadonlyArray<string>, options?: SpawnOptions) => Promise<Ran>
  readonly remove: () => void
}

export interface SpawnOptions extends Pick<Options, "env"> {
  readonly onStart?: (started: Started) => void
  /** Standard error so far, whenever there is more of it. */
  readonly onError?: (err: string) => void
}

/** A process that runs. */
export interface Started {
  readonly kill: (signal: NodeJS.Signals) => void
  /** Resolves once standard output has this. */
  readonly says: (text: string) => Promise<void>
}

const bin = fileURLToPath(new URL("../../src/bin.ts", import.meta.url))

export const user = (env: Readonly<Record<string, string>> = {}): User => {
  const home = mkdtempSync(join(tmpdir(), "jitsudo-cli-"))
  const own = { XDG_CONFIG_HOME: join(home, "config"), XDG_STATE_HOME: join(home, "state"), ...env }
  return {
    home,
    run: async (args, options = {}) => {
      let out = ""
      let err = ""
      const typed = [...(options.typed ?? [])]
      const tty = options.tty === true
      const io = Io.of({
        env: { ...own, ...options.env },
        home,
        out: (text) => Effect.sync(() => void (out += text)),
        outBytes: (bytes) => Effect.sync(() => void (out += Buffer.from(bytes).toString("utf8"))),
        err: (text) => Effect.sync(() => void (err += text)),
        isTty: { stdin: tty, stdout: tty, stderr: tty },
        columns: options.columns,
        readLine: Effect.sync(() => typed.shift() ?? null),
        input: Stream.make(new TextEncoder().encode(options.input ?? ""))
      })
      const { lookEvery } = options
      const program = Effect.provideService(main(args), Io, io)
      const code = await Effect.runPromise(
        lookEvery === undefined ? program : Effect.provideService(program, LookEvery, lookEvery)
      )
      return { code, out, err }
    },
    spawn: (args, options = {}) =>
      new Promise((resolve, reject) => {
        const { PATH } = process.env
        const child = spawn(process.execPath, ["--conditions=@jitsudo/source", bin, ...args], {
          stdio: ["ignore", "pipe", "pipe"],
          env: { PATH, HOME: home, ...own, ...options.env }
        })
        let out = ""
        let err = ""
        const waiting: Array<{ readonly text: string; readonly done: () => void }> = []
        child.stdout.on("data", (data) => {
          out += String(data)
          for (const { done, text } of waiting) if (out.includes(text)) done()
        })
        child.stderr.on("data", (data) => {
          err += String(data)
          options.onError?.(err)
        })
        child.once("error", reject)
        child.once("close", (code) => resolve({ code: code ?? -1, out, err }))
        options.onStart?.({
          kill: (signal) => void child.kill(signal),
          says: (text) =>
            new Promise((done) => {
              if (out.includes(text)) done()
              else waiting.push({ text, done })
            })
        })
      }),
    remove: () => rmSync(home, { recursive: true, force: true })
  }
}
