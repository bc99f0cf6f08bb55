/** What the steps of one demo share: a directory, the processes, the people, and what came about so far. */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { present, StepFailed } from "./Expectation.ts"
import * as Gateway from "./Gateway.ts"
import { Person, plainEnvironment, saw } from "./Person.ts"
import type { PersonId } from "./Person.ts"
import { Processes, within } from "./Processes.ts"
import type { Running } from "./Processes.ts"
import type { Sabotage } from "./Sabotage.ts"
import type { Transcript } from "./Transcript.ts"

export interface Wire {
  readonly url: string
  readonly account: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Of a session at AWS, as the wire server tells. */
export interface WireSession {
  readonly sessionName: string
  readonly roleArn: string
  readonly live: boolean
}

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
  readonly sabotage: Sabotage
  /** A data directory to start on a copy of, so that the database need not be made. */
  readonly data: string | undefined
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
  readonly sabotage: Sabotage
  readonly processes = new Processes()
  /** What was done, in order: the log must have all of it. */
  readonly deeds: Array<Deed> = []
  /** Requests by what they are in the tour. */
  readonly requests = new Map<"first" | "second" | "reader" | "emergency", string>()
  /** The head of the log that Carol's verification saw: `SEQ:HASH`. */
  headSeen: string | undefined

  readonly #people = new Map<PersonId, Person>()
  #wire: Wire | undefined
  #daemon: { readonly running: Running; readonly addresses: Addresses } | undefined
  #gateway: Gateway.Gateway | undefined

  constructor(options: WorldOptions) {
    this.root = options.root
    this.directory = options.directory
    this.transcript = options.transcript
    this.sabotage = options.sabotage
    if (options.data !== undefined) cpSync(options.data, join(options.directory, "data"), { recursive: true })
  }

  get alertFile(): string {
    return join(this.directory, "alerts.jsonl")
  }

  get daemon(): Running {
    return present(this.#daemon, "the daemon to run", "it was not started").running
  }

  get wire(): Wire {
    return present(this.#wire, "the AWS wire server to run", "it was not started")
  }

  request(which: "first" | "second" | "reader" | "emergency"): string {
    return present(this.requests.get(which), `the ${which} request`, "none")
  }

  async startWire(): Promise<void> {
    const running = this.processes.start(
      {
        program: process.execPath,
        args: ["--conditions=@jitsudo/source", join(this.root, "packages/providers/src/testing/aws-wire-main.ts")],
        env: plainEnvironment(this.directory),
        cwd: this.root
      },
      "the AWS wire server",
      join(this.directory, "wire.log")
    )
    const line = present(await running.line(), "the AWS wire server to say where it is", "it ended")
    this.#wire = JSON.parse(line)
  }

  /** `jitsudod dev` with a data directory of its own and AWS beside the mock provider. */
  async startDaemon(): Promise<Addresses> {
    const { accessKeyId, account, secretAccessKey, url } = this.wire
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
          providers: {
            aws: {
              region: "us-east-1",
              accounts: [account],
              roles: ["read-only", "incident-responder", "prod-admin"],
              role_arn_template: "arn:aws:iam::{scope}:role/jitsudo-{role}",
              endpoint_url: url,
              child_endpoint_url: url
            }
          },
          ...this.sabotage.config
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
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_EC2_METADATA_DISABLED: "true"
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
    return addresses
  }

  /** What the sabotage wants to be in place when everything runs. */
  async sabotageRunning(): Promise<void> {
    const { gateway, policies, wire } = this.sabotage
    const { addresses } = present(this.#daemon, "the daemon to run", "it was not started")
    if (gateway !== undefined) this.#gateway = await Gateway.start(addresses.api, await gateway(addresses.issuer))
    if (wire !== undefined) await this.knockAtWire(wire.door, wire.body)
    if (policies !== undefined) {
      const carol = await this.person("carol")
      const applied = await carol.jitsudo("policy", "apply", "-f", join(this.root, "scripts/demo/policies", policies))
      if (applied.code !== 0) throw new Error(`the sabotage could not be done: ${saw(applied)}`)
    }
  }

  async knockAtWire(door: string, body: unknown): Promise<void> {
    const answer = await fetch(`${this.wire.url}/_wire/${door}`, { method: "POST", body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`the wire server's door ${door} answers with status ${answer.status}`)
  }

  /** Every session that AWS ever issued here. */
  async sessions(): Promise<ReadonlyArray<WireSession>> {
    const answer = await fetch(`${this.wire.url}/_wire/state`)
    const { sessions }: { readonly sessions: ReadonlyArray<WireSession> } = JSON.parse(await answer.text())
    return sessions
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
      server: this.#gateway?.url ?? addresses.api,
      cliLoads: this.sabotage.cliLoads,
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
