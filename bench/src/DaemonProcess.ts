/** The daemon as it is shipped, in a process of its own, with a configuration file. */
import * as Effect from "effect/Effect"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, openSync, readFileSync } from "node:fs"
import { createServer } from "node:net"
import * as HttpCalls from "./HttpCalls.ts"

export interface DaemonProcess {
  readonly url: string
  /** From the start of the process until it said that it is ready. */
  readonly readyMillis: number
  /** Memory that it holds now. */
  readonly residentBytes: () => number
}

const pageBytes = 4096

const residentBytes = (pid: number): number =>
  existsSync(`/proc/${pid}/statm`)
    ? Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * pageBytes
    : Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) * 1024

export const freePort: Effect.Effect<number> = Effect.promise(
  () =>
    new Promise<number>((resolve, reject) => {
      const probe = createServer()
        .once("error", reject)
        .listen(0, "127.0.0.1", () => {
          const address = probe.address()
          const port = typeof address === "object" && address !== null ? address.port : 0
          probe.close(() => resolve(port))
        })
    })
)

/** How long a daemon may take to be ready before the bench gives it up. */
const longestMillis = 60_000

/**
 * Starts `program` and waits until `url` answers that it is ready. Its log goes to `logFile`. Ended with the scope, and
 * it must end well.
 */
export const start = (options: {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly url: string
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
}) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const log = openSync(options.logFile, "a", 0o600)
      const started = performance.now()
      const child = spawn(process.execPath, [options.program, ...options.args], {
        stdio: ["ignore", log, log],
        env: { PATH: process.env["PATH"] ?? "", ...options.env }
      })
      const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)))
      const pid = child.pid
      if (pid === undefined) return yield* Effect.die(new Error(`${options.program} could not be started`))
      const isReady = HttpCalls.get(`${options.url}/readyz`).pipe(
        Effect.map((answer) => answer.status === 200),
        Effect.catchDefect(() => Effect.succeed(false))
      )
      while (!(yield* isReady)) {
        if (child.exitCode !== null || performance.now() - started > longestMillis) {
          child.kill("SIGKILL")
          const said = readFileSync(options.logFile, "utf8").slice(-2_000)
          return yield* Effect.die(new Error(`the daemon is not ready (exit ${child.exitCode}): ${said}`))
        }
        yield* Effect.sleep("5 millis")
      }
      const daemon: DaemonProcess = {
        url: options.url,
        readyMillis: performance.now() - started,
        residentBytes: () => residentBytes(pid)
      }
      return { daemon, child, ended }
    }),
    ({ child, ended }) =>
      Effect.promise(async () => {
        child.kill("SIGTERM")
        const code = await ended
        if (code !== 0)
          throw new Error(`the daemon ended with ${code}: ${readFileSync(options.logFile, "utf8").slice(-2_000)}`)
      })
  ).pipe(Effect.map(({ daemon }) => daemon))
