/** What the steps of one demo share: a directory, the processes, the people, and what came about so far. */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { present, StepFailed } from "./Expectation.ts"
import * as Gateway from "./Gateway.ts"
import { Person, plainEnvironment, saw } from "./Person.ts"
import type { PersonId } from "./Person.ts"
import type { Place, Platform, Right } from "./platforms/Platform.ts"
import { Processes, within } from "./Processes.ts"
import type { Running } from "./Processes.ts"
import type { Knock, Sabotage } from "./Sabotage.ts"
import type { Transcript } from "./Transcript.ts"

/** Something that must be in the audit log. */
export interface Deed {
  readonly action: string
  readonly by: string
  readonly request?: string
}

export interface WorldOptions {
  readonly root: string
  readonly directory: string
  readonly transcript: Transcript
  readonly platform: Platform
  /** By the number of the step that each is to break. */
  readonly sabotages: ReadonlyMap<number, Sabotage>
  /** A data directory to start on a copy of, so that the database need not be made. */
  readonly data: string | undefined
  /** The CLI's program; this checkout's when absent. */
  readonly cli: string | undefined
}

/** Where the daemon is and the issuer whose tokens it takes. */
interface Addresses {
  readonly api: string
  readonly issuer: string
}

export class World {
  readonly root: string
  readonly directory: string
  readonly transcript: Transcript
  readonly platform: Platform
  readonly sabotages: ReadonlyMap<number, Sabotage>
  readonly cli: string
  readonly processes = new Processes()
  /** What was done, in order: the log must have all of it. */
  readonly deeds: Array<Deed> = []
  /** Requests by what they are in the tour. */
  readonly requests = new Map<"first" | "second" | "reader" | "emergency", string>()
  /** The head of the log that Carol's verification saw: `SEQ:HASH`. */
  headSeen: string | undefined

  readonly #people = new Map<PersonId, Person>()
  #place: Place | undefined
  #daemon: { readonly running: Running; readonly addresses: Addresses } | undefined
  #gateway: Gateway.Gateway | undefined
  #step = 0

  constructor(options: WorldOptions) {
    this.root = options.root
    this.directory = options.directory
    this.transcript = options.transcript
    this.platform = options.platform
    this.sabotages = options.sabotages
    this.cli = options.cli ?? join(options.root, "packages/cli/bin/jitsudo.mjs")
    if (options.data !== undefined) cpSync(options.data, join(options.directory, "data"), { recursive: true })
  }

  get alertFile(): string {
    return join(this.directory, "alerts.jsonl")
  }

  get daemon(): Running {
    return present(this.#daemon, "the daemon to run", "it was not started").running
  }

  get place(): Place {
    return present(this.#place, `the ${this.platform.title} wire server to run`, "it was not started")
  }

  /** How the step that plays now is broken. */
  get broken(): Partial<Sabotage> {
    return this.sabotages.get(this.#step) ?? {}
  }

  request(which: "first" | "second" | "reader" | "emergency"): string {
    return present(this.requests.get(which), `the ${which} request`, "none")
  }

  async startWire(): Promise<void> {
    const running = this.processes.start(
      {
        program: process.execPath,
        args: ["--conditions=@jitsudo/source", join(this.root, "packages/providers/src/testing", this.platform.server)],
        env: plainEnvironment(this.directory),
        cwd: this.root
      },
      `the ${this.platform.title} wire server`,
      join(this.directory, "wire.log")
    )
    const line = present(await running.line(), `the ${this.platform.title} wire server to say where it is`, "it ended")
    this.#place = this.platform.placeOf(line, this.directory)
  }

  /** `jitsudod dev` with a data directory of its own and the platform beside the mock provider. */
  async startDaemon(): Promise<Addresses> {
    const sabotaged = [...this.sabotages.values()].map((sabotage) => sabotage.config)
    const config = join(this.directory, "jitsudod.yaml")
    const data = join(this.directory, "data")
    const log = join(this.directory, "jitsudod.log")
    // JSON is YAML.
    writeFileSync(
      config,
      `${JSON.stringify(
        {
          server: { http_addr: "127.0.0.1:0" },
          dev: { issuer_addr: "127.0.0.1:0" },
          // The default is for a machine that has time for its daemon; one that plays demos may be busy.
          policy: { budget: "5s" },
          alerts: [{ type: "file", path: this.alertFile }],
          providers: { [this.platform.name]: this.place.section },
          ...Object.assign({}, ...sabotaged)
        },
        null,
        2
      )}\n`,
      { mode: 0o600 }
    )
    const args = ["dev", "--quiet", "--config", config, "--data-dir", data]
    this.transcript.command("operator", ["jitsudod", ...args])
    const running = this.processes.start(
      {
        program: process.execPath,
        args: [join(this.root, "packages/server/bin/jitsudod.mjs"), ...args],
        env: {
          ...plainEnvironment(this.directory),
          ...this.place.daemon
        },
        cwd: this.directory
      },
      "jitsudod",
      log
    )
    const line = await running.line()
    if (line === undefined) {
      const { code } = await within(running.ended, "jitsudod to end")
      throw new StepFailed(
        "jitsudod to be ready",
        `exit code ${code}, ${JSON.stringify(readFileSync(log, "utf8").trim())}`
      )
    }
    const addresses: Addresses = JSON.parse(line)
    this.#daemon = { running, addresses }
    await this.#startGateway(addresses)
    return addresses
  }

  /** What stands in front of the daemon where a sabotage wants something there. */
  async #startGateway({ api, issuer }: Addresses): Promise<void> {
    const mischiefs = await Promise.all(
      [...this.sabotages].flatMap(([step, { gateway }]) =>
        gateway === undefined ? [] : [gateway(issuer).then((mischief) => ({ step, mischief }))]
      )
    )
    if (mischiefs.length === 0) return
    this.#gateway = await Gateway.start(api, {
      onCall: (call) =>
        mischiefs.reduce((passed, { mischief, step }) => {
          const given = mischief.onCall?.(passed) ?? passed
          return step === this.#step ? given : passed
        }, call),
      onAnswer: (call, answer) =>
        mischiefs.reduce((passed, { mischief, step }) => {
          const given = mischief.onAnswer?.(call, passed) ?? passed
          return step === this.#step ? given : passed
        }, answer)
    })
  }

  /** What comes now is this step, and what breaks it is done. */
  async begin(step: number): Promise<void> {
    this.#step = step
    const { policies, wire } = this.broken
    await this.knockAtWire(wire)
    if (policies !== undefined) {
      const carol = await this.person("carol")
      const applied = await carol.jitsudo("policy", "apply", "-f", join(this.root, "scripts/demo/policies", policies))
      if (applied.code !== 0) throw new Error(`the sabotage could not be done: ${saw(applied)}`)
    }
  }

  async knockAtWire(knocks: ReadonlyArray<Knock> = []): Promise<void> {
    for (const { body, door } of knocks) {
      const answer = await fetch(`${this.place.url}/_wire/${door}`, { method: "POST", body: JSON.stringify(body) })
      if (!answer.ok) throw new Error(`the wire server's door ${door} answers with status ${answer.status}`)
    }
  }

  /** Every right of a request in the platform's truth. */
  async rights(): Promise<ReadonlyArray<Right>> {
    const answer = await fetch(`${this.place.url}/_wire/state`)
    return this.platform.rightsIn(await answer.text())
  }

  /** At the terminal, without being signed in. */
  stranger(id: PersonId): Person {
    const known = this.#people.get(id)
    if (known !== undefined) return known
    const { addresses } = present(this.#daemon, "the daemon to run", "it was not started")
    const person = new Person({
      id,
      home: join(this.directory, id),
      root: this.root,
      cli: this.cli,
      server: this.#gateway?.url ?? addresses.api,
      own: () => (id === "alice" ? { ...this.place.alice, ...this.broken.own } : {}),
      cliLoads: () => this.broken.cliLoads,
      processes: this.processes,
      transcript: this.transcript
    })
    this.#people.set(id, person)
    return person
  }

  /** Signed in, now if not before. */
  async person(id: PersonId): Promise<Person> {
    const known = this.#people.get(id)
    if (known !== undefined) return known
    const person = this.stranger(id)
    const ran = await person.signIn(id)
    if (ran.code !== 0) throw new StepFailed(`${person.name} to be signed in`, saw(ran))
    return person
  }

  /** Ends every process; the directory goes unless it is to be kept. */
  async end(keep: boolean): Promise<void> {
    await this.#gateway?.close()
    await this.processes.endAll()
    if (!keep) rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}
