/**
 * `jitsudod dev` as a process of its own, with a configuration and a fresh data directory: for tests of plug-ins against
 * the stock daemon. People sign in as `DevLogin` does.
 *
 * Promises, because authors of plug-ins need not know Effect. Whoever starts it stops it.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { PersonId } from "../dev/People.ts"
import * as DevLogin from "./DevLogin.ts"

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export interface DevDaemon {
  /** Where its API is. */
  readonly api: string
  /** Calls the API as somebody: `call("alice", "POST", "/requests", { ... })`. */
  readonly call: (person: PersonId, method: string, path: string, body?: unknown) => Promise<Answer>
  /** What it has said on standard error. */
  readonly log: () => string
  /** Ends it and removes its data. */
  readonly stop: () => Promise<void>
}

export interface Options {
  /** Laid over the development's own, as a file would say it; paths of plug-ins must be absolute. */
  readonly config: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
}

const program = fileURLToPath(new URL("../../bin/jitsudod.mjs", import.meta.url))

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** Starts it. Rejects with what it said when it does not start. */
export const start = async (options: Options): Promise<DevDaemon> => {
  const data = await mkdtemp(join(tmpdir(), "jitsudo-dev-"))
  const file = join(data, "jitsudod.yaml")
  // JSON is YAML.
  await writeFile(
    file,
    JSON.stringify({
      server: { http_addr: "127.0.0.1:0" },
      dev: { issuer_addr: "127.0.0.1:0" },
      policy: { budget: "5s" },
      ...options.config
    }),
    { mode: 0o600 }
  )
  const child = spawn(process.execPath, [program, "dev", "--quiet", "--config", file, "--data-dir", data], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ...options.env }
  })
  let log = ""
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString("utf8")))
  const ended = once(child, "exit")
  const stop = async () => {
    child.kill("SIGTERM")
    await ended
    await rm(data, { recursive: true, force: true })
  }
  const line = await Promise.race([
    once(createInterface(child.stdout), "line").then(([text]: ReadonlyArray<unknown>) => String(text)),
    ended.then(() => undefined)
  ])
  if (line === undefined) {
    await stop()
    throw new Error(`jitsudod dev did not start:\n${log}`)
  }
  const said: { readonly api: string; readonly issuer: string } = JSON.parse(line)
  const tokens = new Map<PersonId, Promise<string>>()
  const tokenOf = (person: PersonId): Promise<string> => {
    const known = tokens.get(person)
    if (known !== undefined) return known
    const token = Effect.runPromise(
      Effect.map(DevLogin.tokenFor({ issuer: said.issuer, person }), ({ accessToken }) => Redacted.value(accessToken))
    )
    tokens.set(person, token)
    return token
  }
  return {
    api: said.api,
    call: async (person, method, path, body) => {
      const response = await fetch(`${said.api}/api/v1alpha1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${await tokenOf(person)}`,
          ...(body === undefined ? {} : { "content-type": "application/json" })
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const answer: unknown = await response.json()
      return { status: response.status, body: isObject(answer) ? answer : {} }
    },
    log: () => log,
    stop
  }
}
