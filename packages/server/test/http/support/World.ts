/**
 * The HTTP API as the daemon serves it: a real listener on a loopback port over the engine, with the memory store, policy
 * in code, the memory provider, and tokens of a real issuer. Everything below the API can be looked at and disturbed.
 */
import {
  AuditChain,
  Engine,
  Job,
  Labels,
  Notification,
  Providers,
  Scheduler,
  Sealer,
  Settings,
  Store,
  Time
} from "@jitsudo/core"
import { MemoryProvider, MemoryStore, StaticPolicy } from "@jitsudo/core/memory"
import { Faults } from "@jitsudo/core/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Tokens } from "../../../src/auth/Tokens.ts"
import * as Config from "../../../src/Config.ts"
import type { Evidence } from "../../../src/evidence/Evidence.ts"
import { SigningStatus } from "../../../src/evidence/Checkpoints.ts"
import { Host } from "../../../src/http/Meta.ts"
import * as Server from "../../../src/http/Server.ts"
import * as Readiness from "../../../src/Readiness.ts"
import * as Authoring from "./Authoring.ts"
import * as TestEvidence from "./TestEvidence.ts"
import { type Person, startIssuer, type TestIssuer, type Who } from "./TestIssuer.ts"

export interface WorldOptions {
  readonly server?: Partial<Server.ServerOptions>
  readonly settings?: Partial<Settings.DomainSettings>
  /** More of the issuer's entry in `auth.issuers`. */
  readonly issuer?: Readonly<Record<string, unknown>>
  /** More of `auth`. */
  readonly auth?: Readonly<Record<string, unknown>>
  /** Another store than the memory store, with its chain and jobs. */
  readonly store?: Layer.Layer<Store.Store | Job.Jobs | AuditChain.AuditChain>
  /** Another signature of the log than one that is made when it is asked for. */
  readonly evidence?: Layer.Layer<Evidence>
  /** The issuer's keys cannot be read from the start. */
  readonly issuerDown?: boolean
  /** In place of the whole listener. */
  readonly listener?: (options: Server.ServerOptions) => ReturnType<typeof Server.layer>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; undefined where it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

export interface CallOptions {
  readonly as?: Who | null
  /** In place of the token of `as`. */
  readonly token?: string
  readonly json?: unknown
  readonly body?: RequestInit["body"]
  readonly headers?: Readonly<Record<string, string>>
}

export type Services =
  | Store.Store
  | Job.Jobs
  | AuditChain.AuditChain
  | Faults.Faults
  | HttpServer.HttpServer
  | Engine.Services
  | Engine.Ports

export interface World {
  readonly url: string
  readonly port: number
  readonly issuer: TestIssuer
  readonly platform: MemoryProvider.Platform
  /** The daemon's log as it stands before anything is cut out of it. */
  readonly lines: ReadonlyArray<string>
  /** A token for somebody, the same on each call. */
  readonly token: (who: Who | Person) => Promise<string>
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Answer>
  readonly run: <A, E>(effect: Effect.Effect<A, E, Services>) => Promise<A>
  /** Everything that is stored, except bookkeeping of sign-ins. */
  readonly contents: () => Promise<Contents>
  readonly entries: () => Promise<ReadonlyArray<Entry>>
  /** Asks and answers with the request. */
  readonly ask: (who: Who, changed?: Readonly<Record<string, unknown>>) => Promise<Asked>
  readonly close: () => Promise<void>
}

const AskedSchema = Schema.Struct({
  id: Schema.String,
  digest: Schema.String,
  state: Schema.String,
  version: Schema.Int
})
export type Asked = typeof AskedSchema.Type
const decodeAsked = Schema.decodeUnknownSync(AskedSchema)

export interface Entry {
  readonly seq: number
  readonly action: string
  readonly outcome: string
  readonly actor: { readonly subject: string }
  readonly details: Readonly<Record<string, unknown>>
  readonly payload: string
}

export interface Contents {
  readonly requests: ReadonlyArray<unknown>
  readonly principals: ReadonlyArray<unknown>
  readonly locks: unknown
  readonly policyRevision: number
  readonly jobs: unknown
  readonly grants: ReadonlyArray<unknown>
  readonly actions: ReadonlyArray<string>
}

export const ask = {
  provider: "memory",
  role: "admin",
  resourceScope: "123456789012",
  durationSeconds: 600,
  reason: "INC-1"
}

/**
 * Who asks must be an engineer. A role that begins with `reader` needs nobody; `ai` is for an agent's review; `open` leaves
 * it to whom policy admits; everything else is for two groups of people, one after the other where the role says `twice`.
 */
const rules: StaticPolicy.Rules = {
  eligibility: (input) => ({
    allowed: input.requester.groups.includes("sre"),
    reasons: ["only engineers may ask", "and only for what they work on"]
  }),
  routing: (input) =>
    input.request.role.startsWith("reader")
      ? { tier: "auto" }
      : input.request.role === "ai"
        ? { tier: "ai_review" }
        : input.request.role === "open"
          ? { tier: "human", openQuorum: 1 }
          : {
              tier: "human",
              stages: [
                { policy: "leads", groups: ["sre-leads"], users: [], quorum: input.request.role === "twice" ? 2 : 1 }
              ]
            },
  admission: (input) => ({ allowed: input.user.groups.includes("sre-leads") })
}

const many = { perPrincipalPerMinute: 1_000_000, perAddressPerMinute: 1_000_000, refusedTokensPerMinute: 1_000_000 }

const capture = (lines: Array<string>) =>
  Logger.make<unknown, void>((options) => {
    lines.push(JSON.stringify(Logger.formatStructured.log(options)))
  })

export const startWorld = async (options: WorldOptions = {}): Promise<World> => {
  const issuer = await startIssuer()
  issuer.setDown(options.issuerDown === true)
  const memory = MemoryProvider.make()
  memory.platform.setNow(Time.make(Date.now()))
  const lines: Array<string> = []

  const config = await Effect.runPromise(
    Config.load({
      env: {},
      base: {
        database: { data_dir: "/unused" },
        sealing: { key: Buffer.alloc(32).toString("base64") },
        auth: {
          issuers: [
            {
              issuer: issuer.url,
              jwks_url: issuer.jwksUrl,
              audiences: ["jitsudo"],
              interactive_clients: ["jitsudo-cli"],
              ...options.issuer
            }
          ],
          ...options.auth
        }
      }
    })
  )

  const ports = Layer.mergeAll(
    StaticPolicy.layer(rules),
    Providers.layerOf([memory.provider]),
    Labels.layerTable([]),
    Settings.layer({ alertChannels: ["log"], ...options.settings }),
    Sealer.layerMemory,
    Notification.layerNone
  ).pipe(Layer.provideMerge(Faults.over(options.store ?? MemoryStore.layer)))
  const engine = Engine.layer().pipe(Layer.provideMerge(ports))
  const tokens = Tokens.layer(config.auth)
  const host = Layer.effect(
    Host,
    Effect.map(Readiness.checks, (checks) =>
      Host.of({
        version: "1.2.3",
        development: false,
        signIn: {
          issuers: [{ issuer: issuer.url, clientId: "jitsudo-cli", audience: "jitsudo", scopes: ["openid"] }]
        },
        checks
      })
    )
  )
  const serverOptions: Server.ServerOptions = {
    host: "127.0.0.1",
    port: 0,
    headerBytes: 16 * 1024,
    bodyBytes: 1024 * 1024,
    timeout: Duration.seconds(30),
    concurrent: 256,
    drain: Duration.seconds(5),
    limits: many,
    ...options.server
  }
  const listener = (options.listener ?? Server.layer)(serverOptions)
  const daemon = listener.pipe(
    Layer.provide(host),
    Layer.provide(Layer.succeed(SigningStatus, SigningStatus.of({ refused: () => null }))),
    Layer.provide(tokens),
    Layer.provide(Authoring.layer),
    Layer.provide(options.evidence ?? TestEvidence.layer),
    Layer.provideMerge(engine),
    Layer.provide(
      Layer.merge(Logger.layer([capture(lines)]), Layer.succeed(References.MinimumLogLevel, "Debug" as const))
    )
  )
  const runtime = ManagedRuntime.make(daemon)
  const server = await runtime.runPromise(HttpServer.HttpServer)
  if (server.address._tag === "UnixPathAddress") throw new Error("the listener has no port")
  const { port } = server.address
  const url = `http://127.0.0.1:${port}`
  const known = new Map<string, Promise<string>>()

  const token = (who: Who | Person): Promise<string> => {
    const key = typeof who === "string" ? who : JSON.stringify(who)
    const made = known.get(key) ?? issuer.token(who)
    known.set(key, made)
    return made
  }

  const call: World["call"] = async (method, path, { as = null, body, headers = {}, json, token: given } = {}) => {
    const bearer = given ?? (as === null ? undefined : await token(as))
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: "manual",
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(json === undefined && body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(json === undefined ? (body === undefined ? {} : { body }) : { body: JSON.stringify(json) })
    })
    const text = await response.text()
    let parsed: Answer["json"]
    try {
      parsed = JSON.parse(text)
    } catch {
      // Not everything is JSON: the caller sees `undefined`.
      parsed = undefined
    }
    return { status: response.status, headers: response.headers, text, json: parsed }
  }

  const run: World["run"] = (effect) => runtime.runPromise(effect)

  const entries: World["entries"] = () =>
    run(
      Effect.gen(function* () {
        const chain = yield* AuditChain.AuditChain
        const all = yield* Stream.runCollect(chain.stream({}))
        return all.map((entry) => ({ seq: entry.seq, payload: entry.payload, ...JSON.parse(entry.payload) }))
      })
    )

  const contents: World["contents"] = async () => {
    const stored = await run(
      Effect.gen(function* () {
        const store = yield* Store.Store
        const jobs = yield* Job.Jobs
        const requests = yield* store.requests({ filter: {}, limit: 500 })
        const principals = yield* store.principals({ limit: 500 })
        return {
          requests: requests.items,
          principals: principals.items.map(({ groupsReadAt: _, authTime: __, ...one }) => one),
          locks: yield* store.locks,
          policyRevision: (yield* store.policies()).revision.number,
          jobs: yield* jobs.counts
        }
      })
    )
    return {
      ...stored,
      grants: memory.platform.grants(),
      actions: (await entries()).map((entry) => entry.action)
    }
  }

  const askFor: World["ask"] = async (who, changed = {}) => {
    const answer = await call("POST", "/api/v1alpha1/requests", { as: who, json: { ...ask, ...changed } })
    if (answer.status !== 201) throw new Error(`asking failed with ${answer.status}: ${answer.text}`)
    return decodeAsked(answer.json)
  }

  return {
    url,
    port,
    issuer,
    platform: memory.platform,
    lines,
    token,
    call,
    run,
    contents,
    entries,
    ask: askFor,
    close: async () => {
      await runtime.dispose()
      await issuer.close()
    }
  }
}

/** Does what is due, as the daemon's scheduler would. */
export const settleDue = Effect.gen(function* () {
  const scheduler = yield* Scheduler.Scheduler
  while ((yield* scheduler.tick) > 0);
})
