/**
 * Daemon processes over one database and one mock platform, and what is said to them over HTTP.
 *
 * Every process is started here and ended by its own handle. Nothing waits for a fixed time: `until` looks again and
 * again, and says what never came.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { Scope } from "effect/Scope"
import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { inject } from "vitest"
import { type MockFault, writeControl } from "@jitsudo/providers/mock"
import type { Drill } from "../../src/testing/Drill.ts"
import * as SignedPeople from "./SignedPeople.ts"

/** Something that a test waited for did not come. */
export class NeverCame extends Data.TaggedError("NeverCame")<{ readonly message: string }> {}

/** Looks until there is something, at most `seconds`. */
export const until = <A, E, R>(
  what: string,
  look: Effect.Effect<A | undefined, E, R>,
  seconds = 30
): Effect.Effect<A, E | NeverCame, R> =>
  look.pipe(
    Effect.map(Option.fromUndefinedOr),
    Effect.repeat({ schedule: Schedule.spaced("40 millis"), until: Option.isSome }),
    Effect.flatMap((found) =>
      Option.isSome(found) ? Effect.succeed(found.value) : Effect.die(new Error("a repetition ended without its end"))
    ),
    Effect.timeoutOrElse({
      duration: Duration.seconds(seconds),
      orElse: () => Effect.fail(new NeverCame({ message: `${what} did not come within ${seconds} s` }))
    })
  )

/** An answer, or null where the connection broke before there was one. */
export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** One call. `undefined`: the daemon went away before it answered. */
export const call = (
  api: string,
  token: string,
  method: "GET" | "POST" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<Answer | undefined> =>
  Effect.promise(async () => {
    try {
      const response = await fetch(`${api}/api/v1alpha1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await response.text()
      return { status: response.status, body: text === "" ? {} : JSON.parse(text) }
    } catch (error) {
      // fetch fails by a TypeError where no answer comes; anything else is a fault of the test.
      if (error instanceof TypeError) return undefined
      throw error
    }
  })

/** A call that must be answered. */
export const answered = (...args: Parameters<typeof call>): Effect.Effect<Answer> =>
  Effect.flatMap(call(...args), (answer) =>
    answer === undefined ? Effect.die(new Error(`no answer to ${args[2]} ${args[3]}`)) : Effect.succeed(answer)
  )

export interface Daemon {
  readonly api: string
  readonly child: ChildProcess
  /** The places where it ended or paused itself, in order. */
  readonly reached: ReadonlyArray<string>
  /** It paused itself, at a stop of its drill or in a call to the platform. */
  readonly paused: Effect.Effect<void>
  /** Exit code or signal, once it ended. */
  readonly ended: Effect.Effect<number | NodeJS.Signals>
  /** Everything that it logged. */
  readonly log: () => string
}

/** Halves the time that a daemon takes to start; keyed by content, so that it is never stale. */
const compiled = fileURLToPath(new URL("../../../../node_modules/.cache/jitsudo-test-daemon", import.meta.url))

const program = fileURLToPath(new URL("../../src/testing/crashing-daemon.ts", import.meta.url))

export interface Place {
  readonly people: SignedPeople.SignedPeople
  /** The platform's truth, and its journal of calls. */
  readonly files: { readonly state: string; readonly journal: string }
  /** Starts a daemon, and waits until it listens. It is killed when the scope closes. The faults meet its calls only. */
  readonly start: (
    drill?: Partial<Drill>,
    faults?: ReadonlyArray<Pick<MockFault, "operation" | "kind">>
  ) => Effect.Effect<Daemon, never, Scope>
}

export type DatabaseOf = { readonly url: string; readonly pool_size: number } | { readonly data_dir: string }

/** Leases short enough to wait for, long enough for a busy machine. */
export const shortLeases = { leaseSeconds: 3, callTimeoutSeconds: 2 } as const

/** A place for daemons: one database, one platform. `more` is laid over the configuration's sections. */
export const makePlace = Effect.fnUntraced(function* (
  database: DatabaseOf,
  more: Readonly<Record<string, unknown>> = {},
  env: Readonly<Record<string, string>> = {}
) {
  const people = yield* SignedPeople.make
  const directory = join(inject("scratch"), `place-${randomBytes(6).toString("hex")}`)
  mkdirSync(directory)
  const files = {
    state: join(directory, "platform.jsonl"),
    journal: join(directory, "journal.jsonl")
  }
  const key = randomBytes(32).toString("base64")
  const config = (control: string) => ({
    server: { http_addr: "127.0.0.1:0", request_timeout: "60s", drain_timeout: "1s" },
    database,
    auth: { issuers: people.config },
    sealing: { keys: [{ id: "crash", key }] },
    providers: { mock: { state_file: files.state, journal_file: files.journal, control_file: control } },
    policy: { budget: "10s" },
    limits: {
      requests_per_minute: 1_000_000,
      requests_per_minute_address: 1_000_000,
      concurrent_requests: 2_000,
      max_pending_per_principal: 10_000
    },
    log: { level: "warn", format: "text" },
    ...more
  })
  let count = 0

  const start: Place["start"] = Effect.fnUntraced(function* (drill = {}, faults = []) {
    const id = ++count
    const configFile = join(directory, `jitsudod-${id}.yaml`)
    const drillFile = join(directory, `drill-${id}.json`)
    const control = join(directory, `control-${id}.json`)
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify(config(control)), { mode: 0o600 })
    writeControl(control, { faults: faults.map((fault) => ({ id: `${id}-${fault.kind}`, times: 1, ...fault })) })
    writeFileSync(drillFile, JSON.stringify({ settings: shortLeases, ...drill }))
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--conditions=@jitsudo/source", program, configFile, drillFile], {
          stdio: ["pipe", "pipe", "pipe"],
          env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...env }
        })
      ),
      (one) =>
        Effect.promise(async () => {
          if (one.exitCode !== null || one.signalCode !== null) return
          const gone = once(one, "exit")
          one.kill("SIGKILL")
          await gone
        })
    )
    const reached: Array<string> = []
    let api: string | undefined
    let log = ""
    let rest = ""
    child.stdout.on("data", (chunk: Buffer) => {
      const lines = `${rest}${chunk.toString("utf8")}`.split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        const said: { readonly api?: string; readonly reached?: string } = JSON.parse(line)
        if (said.api !== undefined) api = said.api
        if (said.reached !== undefined) reached.push(said.reached)
      }
    })
    child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString("utf8")))
    const end = once(child, "close").then(([code, signal]: ReadonlyArray<unknown>) => {
      return (code ?? signal) as number | NodeJS.Signals
    })
    const address = yield* until(
      "a listening daemon",
      Effect.suspend(() =>
        child.exitCode === null ? Effect.succeed(api) : Effect.die(new Error(`the daemon did not start: ${log}`))
      ),
      60
    ).pipe(Effect.orDie)
    const used = () => existsSync(files.state) && readFileSync(files.state, "utf8").includes(`"id":"${id}-stop`)
    const paused = until(
      "a pause",
      Effect.sync(() => (reached.length > 0 || used() ? true : undefined)),
      60
    ).pipe(Effect.asVoid, Effect.orDie)
    return { api: address, child, reached, paused, ended: Effect.promise(() => end), log: () => log }
  })

  return { people, files, start } satisfies Place
})
