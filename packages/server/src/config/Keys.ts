/**
 * Every configuration key but those of `providers`, which plug-ins declare (`ProviderSections.ts`): one line each of what
 * it means, in the order in which the reference page shows them.
 */
import * as Schema from "effect/Schema"
import { auth } from "./AuthKeys.ts"
import * as Kinds from "./Kinds.ts"
import type { ProviderSection } from "./ProviderSections.ts"
import { defaulted, list, optional, required, section } from "./Setting.ts"

const server = section("How the daemon is reached.", {
  http_addr: defaulted(Kinds.address, "127.0.0.1:8080", {
    description: "Where the one listener for API, pages and agents binds.",
    env: "JITSUDOD_HTTP_ADDR"
  }),
  allow_insecure_bind: defaulted(Kinds.flag, false, {
    description:
      "Allow binding beyond this machine without TLS, because something in front of the daemon speaks TLS. Tokens and credentials pass this listener."
  }),
  metrics_addr: optional(Kinds.address, {
    description: "A second listener for `/healthz`, `/readyz` and `/metrics`, which then leave the first."
  }),
  body_limit: defaulted(Kinds.bytes(1024, 16 * 1024 ** 2), "1MiB", { description: "Largest request body." }),
  header_limit: defaulted(Kinds.bytes(4096, 256 * 1024), "16KiB", { description: "Largest sum of request headers." }),
  request_timeout: defaulted(Kinds.duration("1s", "10m"), "30s", {
    description:
      "Longest time from the first byte of a request to the last byte of its answer. Event streams are exempt."
  }),
  drain_timeout: defaulted(Kinds.duration("0s", "10m"), "30s", {
    description: "How long a stopping daemon lets requests finish."
  })
})

const tls = section("TLS on the listener. Certificate and key belong together; half of it refuses to start.", {
  cert_file: optional(Kinds.path, { description: "PEM file of the certificate chain.", env: "JITSUDOD_TLS_CERT_FILE" }),
  key_file: optional(Kinds.path, { description: "PEM file of the private key.", env: "JITSUDOD_TLS_KEY_FILE" }),
  ca_file: optional(Kinds.path, {
    description: "PEM file of the authorities whose client certificates are demanded (mutual TLS).",
    env: "JITSUDOD_TLS_CA_FILE"
  })
})

const installation = Kinds.pattern(
  "installation",
  "lower-case letters, digits and inner dashes, at most 20",
  /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/u
)

const database = section("Where requests and the audit log are kept: exactly one of `url` and `data_dir`.", {
  url: optional(Kinds.databaseUrl, {
    description: "A PostgreSQL server, version 14 or later.",
    env: "JITSUDOD_DATABASE_URL",
    secret: true
  }),
  data_dir: optional(Kinds.path, {
    description: "A directory for the embedded database: one process, nothing else to run."
  }),
  direct_url: optional(Kinds.databaseUrl, {
    description: "A connection that passes no pooler, for `LISTEN`; without it a poll each second does the same.",
    secret: true
  }),
  pool_size: defaulted(Kinds.integer(1, 500), 10, { description: "Most connections." }),
  connect_timeout: defaulted(Kinds.duration("100ms", "5m"), "10s", { description: "Longest wait for a connection." }),
  statement_timeout: defaulted(Kinds.duration("100ms", "10m"), "30s", {
    description: "Longest that a statement may run."
  }),
  lock_timeout: defaulted(Kinds.duration("10ms", "10m"), "10s", { description: "Longest wait for a lock." }),
  installation: optional(installation, {
    description:
      "The word for this installation in the marks of its grants, instead of the one that was made with the database. A copy that runs beside the original needs one of its own."
  })
})

const sealingKeyId = Kinds.pattern(
  "key id",
  "letters, digits, dot, dash and underscore, at most 64",
  /^[A-Za-z0-9._-]{1,64}$/u
)

const sealing = section("Keys under which stored credentials are encrypted.", {
  keys: list("The active key seals, all of them open: keep an old one until its grants have ended.", "key", {
    id: required(sealingKeyId, { description: "Name of the key; stored beside what it sealed." }),
    key: required(Kinds.key256, { description: "32 random bytes in base64.", secret: true })
  }),
  key: optional(Kinds.key256, {
    description: "Short form of one entry of `sealing.keys`, with the id `default`.",
    secret: true
  }),
  active: optional(sealingKeyId, { description: "Id of the key that seals; needed when there are several." })
})

const policy = section("How policy is evaluated.", {
  directory: optional(Kinds.path, {
    description: "A directory of Rego files that is the only source of policy; `jitsudo policy apply` is then refused."
  }),
  budget: defaulted(Kinds.duration("1ms", "10s"), "50ms", {
    description: "Longest that policy may take for one decision; over it the request is denied."
  }),
  labels: list(
    "What the operator says about roles and scopes; policy reads it as `context.labels`. Later rows win.",
    "row",
    {
      provider: defaulted(Kinds.text, "*", { description: "Provider name or pattern; `*` stands for any characters." }),
      role: defaulted(Kinds.text, "*", { description: "Role or pattern." }),
      scope: defaulted(Kinds.text, "*", { description: "Resource scope or pattern." }),
      ticket: optional(Kinds.text, {
        description: "Only for requests whose metadata names this `ticket`, or one of this pattern."
      }),
      labels: required(Kinds.labels, { description: "The labels, such as `blast_radius: high`." })
    }
  )
})

const limits = section("Deadlines and bounds.", {
  pending_deadline: defaulted(Kinds.duration("1m", "720h"), "24h", {
    description: "A request that nobody decided lapses."
  }),
  ai_review_deadline: defaulted(Kinds.duration("10s", "24h"), "5m", {
    description: "A review by an agent that takes longer goes to people."
  }),
  start_deadline: defaulted(Kinds.duration("10s", "24h"), "15m", {
    description: "An approved request that the provider has not granted by then fails."
  }),
  review_deadline: defaulted(Kinds.duration("1h", "2160h"), "72h", {
    description: "Break-glass must be reviewed by then; reminders follow at the same interval."
  }),
  max_duration: defaulted(Kinds.duration("1m", "720h"), "12h", { description: "The longest single grant." }),
  max_total: defaulted(Kinds.duration("1m", "2160h"), "24h", {
    description: "The longest unbroken time in one role and scope, extensions included, unless policy says less."
  }),
  max_pending_per_principal: defaulted(Kinds.integer(1, 10_000), 50, {
    description: "Most undecided requests of one requester."
  }),
  requests_per_minute: defaulted(Kinds.integer(1, 1_000_000), 600, { description: "Calls of one principal." }),
  requests_per_minute_address: defaulted(Kinds.integer(1, 1_000_000), 1200, { description: "Calls from one address." }),
  refused_tokens_per_minute: defaulted(Kinds.integer(1, 100_000), 30, {
    description: "Refused tokens from one address; beyond it the address waits."
  }),
  concurrent_requests: defaulted(Kinds.integer(1, 100_000), 256, { description: "Calls in progress at one time." })
})

const alerts = list("Where alerts go. Break-glass is refused while no channel is configured.", "channel", {
  name: optional(Kinds.text, { description: "Name of the channel in records; otherwise its type." }),
  type: required(Kinds.oneOf("log", "file"), {
    description: "`log`: the daemon's own log; `file`: one JSON line per alert."
  }),
  path: optional(Kinds.path, { description: "The file, for `file`." })
})

const audit = section("The log's signature: what an auditor checks without trusting the database.", {
  signing_key: optional(Kinds.signingKey, {
    description:
      "The private key that signs the log's checkpoints, as `jitsudod audit key generate` makes it; its name is the log's origin. Without one nothing is signed.",
    secret: true
  }),
  state_file: optional(Kinds.path, {
    description:
      "Where the last size and root that were signed are remembered, outside the database; needed with `signing_key`. Each instance has its own, best where whoever administers the database cannot write."
  }),
  previous_keys: list("Keys that signed before, so that old checkpoints stay verifiable.", "key", {
    key: required(Kinds.verifierKey, { description: "The public key: name, id and base64 with plus signs between." }),
    to: optional(Kinds.integer(1, Number.MAX_SAFE_INTEGER), {
      description:
        "A size that it signed nothing beyond: the newest checkpoint's, when no instance signs with it any more. Left out until then; it counts for every size meanwhile."
    })
  })
})

const log = section("The daemon's own log, on standard error.", {
  level: defaulted(Kinds.oneOf("debug", "info", "warn", "error"), "info", { description: "The least that is logged." }),
  format: defaulted(Kinds.oneOf("json", "text"), "json", {
    description: "One JSON object per line, or text for reading."
  })
})

const dev = section("`jitsudod dev` only.", {
  issuer_addr: defaulted(Kinds.address, "127.0.0.1:5556", {
    description: "Where the development issuer listens; only loopback addresses are taken."
  })
})

export const fields = { server, tls, database, auth, sealing, policy, limits, alerts, audit, log, dev }

export const ConfigSchema = Schema.Struct(fields)

/** The configuration after defaults, environment and secret files: named as in the file. */
export type Config = typeof ConfigSchema.Type & {
  /** In the order of the file; plug-ins bring their own keys. */
  readonly providers: ReadonlyArray<ProviderSection>
}

export type IssuerConfig = Config["auth"]["issuers"][number]
