/**
 * `jitsudod dev`: the whole of jitsudo in one process for trying out.
 *
 * Embedded database, an OpenID Connect issuer whose people need no password (loopback only), the mock provider, the
 * starter policy. It marks its database, so that `serve` never runs on it.
 */
import { Signer, VerifierKey } from "@jitsudo/audit"
import { PolicyAdmin } from "@jitsudo/core"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createHash, randomBytes } from "node:crypto"
import { join, resolve } from "node:path"
import * as HttpServer from "effect/http/HttpServer"
import * as Config from "../Config.ts"
import * as Log from "../Log.ts"
import { daemon, StartRefused } from "../Main.ts"
import * as StarterPolicy from "../policy/StarterPolicy.ts"
import { agentClientId, issuerEntry } from "./DevelopmentIssuer.ts"
import type { DevIssuerFailed } from "./DevState.ts"
import { DevIssuer } from "./Issuer.ts"
import { people } from "./People.ts"

export interface DevOptions {
  readonly dataDir: string
  readonly config: Option.Option<string>
  readonly quiet: boolean
}

/** The key under which credentials are sealed: made once, kept in the data directory. */
const sealingKey = (dataDir: string): string => {
  const file = join(dataDir, "sealing.key")
  if (existsSync(file)) return readFileSync(file, "utf8").trim()
  const key = randomBytes(32).toString("base64")
  writeFileSync(file, `${key}\n`, { mode: 0o600, flag: "wx" })
  chmodSync(file, 0o600)
  return key
}

/** The key that signs the log: made once, under a name of its own, since nobody looks after this log but its maker. */
const auditKey = Effect.fnUntraced(function* (dataDir: string) {
  const file = join(dataDir, "audit.key")
  if (existsSync(file)) return readFileSync(file, "utf8").trim()
  const { privateKey } = yield* Signer.generate(`jitsudo-dev-${randomBytes(6).toString("hex")}`, VerifierKey.noteType)
  const key = Redacted.value(privateKey)
  writeFileSync(file, `${key}\n`, { mode: 0o600, flag: "wx" })
  chmodSync(file, 0o600)
  return key
})

const base = (dataDir: string, issuer: string, signingKey: string) => ({
  server: { http_addr: "127.0.0.1:8080" },
  database: { data_dir: join(dataDir, "data") },
  auth: { issuers: [issuerEntry(issuer)] },
  sealing: { keys: [{ id: "dev", key: sealingKey(dataDir) }] },
  providers: { mock: { state_file: join(dataDir, "mock-platform.jsonl") } },
  policy: {
    labels: [{ provider: "*", role: "*", scope: "*", ticket: "INC-*", labels: { ticket_open: true } }]
  },
  alerts: [{ type: "log" }],
  audit: { signing_key: signingKey, state_file: join(dataDir, "audit-signed.json") },
  log: { level: "warn", format: "text" }
})

const explanation = (api: string, issuer: string): string =>
  [
    "",
    "jitsudo is running, for trying out only: its people need no password.",
    "",
    `  API      ${api}   (its description: ${api}/docs)`,
    `  Sign-in  ${issuer}`,
    ...people.map((person) => `  ${person.name.padEnd(8)} ${person.email.padEnd(18)}  ${person.groups.join(", ")}`),
    `  Agent    client id ${agentClientId}`,
    "",
    "In a second terminal:",
    "",
    `  export JITSUDO_SERVER=${api}`,
    "  npx jitsudo --context alice login      # open the URL, choose Alice",
    "  npx jitsudo --context alice request --provider mock --role reader --scope demo --duration 15m \\",
    "      --reason 'looking around' --wait",
    "",
    "Ctrl-C stops it.",
    ""
  ].join("\n")

export const run = Effect.fn("Development.run")(function* (
  options: DevOptions
): Effect.fn.Return<void, Config.ConfigInvalid | DevIssuerFailed | StartRefused> {
  const dataDir = resolve(options.dataDir)
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const { JITSUDOD_CONFIG: _, ...env } = process.env
  const file = Option.getOrUndefined(options.config)
  const signingKey = yield* auditKey(dataDir)
  const load = (issuer: string) =>
    Config.load({ ...(file === undefined ? {} : { file }), env, base: base(dataDir, issuer, signingKey) })
  // The issuer's address is configuration, and its URL is configuration's: read once to find where it listens.
  const first = yield* load("http://127.0.0.1/jitsudo-development-issuer")
  const issuer = DevIssuer.layer({ address: first.dev.issuer_addr, dataDir })
  const whole = Layer.unwrap(
    Effect.gen(function* () {
      const { url } = yield* DevIssuer
      const config = yield* load(url)
      const hash = createHash("sha256")
        .update(JSON.stringify(Config.show(config)))
        .digest("hex")
      const starter = Layer.effectDiscard(
        Effect.gen(function* () {
          const policies = yield* PolicyAdmin.PolicyAdmin
          const { revision } = yield* policies.current
          if (revision.number === 0) yield* policies.replace(null, 0, yield* StarterPolicy.load)
        }).pipe(Effect.mapError((error) => new StartRefused({ message: `the starter policy: ${error.message}` })))
      )
      const told = Layer.effectDiscard(
        Effect.gen(function* () {
          const { address } = yield* HttpServer.HttpServer
          const api = HttpServer.formatAddress(address)
          if (options.quiet) yield* Console.log(JSON.stringify({ api, issuer: url }))
          else yield* Console.log(explanation(api, url))
        })
      )
      return told.pipe(
        Layer.provideMerge(starter),
        Layer.provideMerge(daemon({ config, development: true, migrate: true }, hash)),
        Layer.provide(Log.layer(config.log))
      )
    })
  )
  return yield* Layer.launch(whole.pipe(Layer.provide(issuer)))
})
