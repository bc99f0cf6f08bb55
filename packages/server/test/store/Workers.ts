/** Worker processes of the store's tests: started on source, heard line by line, ended by their own handle. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

export interface Worker {
  readonly child: ChildProcess
  /** Everything said so far, line by line. */
  readonly lines: ReadonlyArray<string>
  /** Resolves when that many lines were said; rejects when the worker ends before. */
  readonly said: (count: number) => Promise<void>
  /** Exit code or signal, once it ended. */
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly errors: () => string
}

export const startWorker = (name: "committing" | "deciding" | "changing", ...args: ReadonlyArray<string>): Worker => {
  const file = fileURLToPath(new URL(`./workers/${name}.ts`, import.meta.url))
  const child = spawn(process.execPath, ["--conditions=@jitsudo/source", file, ...args], {
    stdio: ["pipe", "pipe", "pipe"]
  })
  const lines: Array<string> = []
  const listeners = new Set<() => void>()
  let rest = ""
  let errors = ""
  let over = false
  const tell = () => {
    for (const listener of listeners) listener()
  }
  child.stdout.on("data", (chunk: Buffer) => {
    const parts = `${rest}${chunk.toString("utf8")}`.split("\n")
    rest = parts.pop() ?? ""
    lines.push(...parts)
    tell()
  })
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString("utf8")))
  const ended = once(child, "close").then(([code, signal]: ReadonlyArray<unknown>) => {
    over = true
    tell()
    return (code ?? signal) as number | NodeJS.Signals | null
  })
  const said = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (lines.length >= count) resolve()
        else if (over) reject(new Error(`the worker ${name} ended after ${lines.length} of ${count} lines: ${errors}`))
        else return
        listeners.delete(look)
      }
      listeners.add(look)
      look()
    })
  return { child, lines, said, ended, errors: () => errors }
}
