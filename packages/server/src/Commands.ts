/** The commands of `jitsudod`. */
import { Signer, VerifierKey } from "@jitsudo/audit"
import * as CliError from "effect/cli/CliError"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { createHash } from "node:crypto"
import { open } from "node:fs/promises"
import { stringify } from "yaml"
import * as Config from "./Config.ts"
import * as ConfiguredProviders from "./ConfiguredProviders.ts"
import { showAddress } from "./config/Address.ts"
import * as GoDuration from "./config/GoDuration.ts"
import * as Development from "./dev/Development.ts"
import { isDevelopmentIssuer } from "./dev/DevelopmentIssuer.ts"
import * as AcceptRestore from "./evidence/AcceptRestore.ts"
import * as Keys from "./evidence/Keys.ts"
import * as Log from "./Log.ts"
import { daemon, database, StartRefused } from "./Main.ts"
import * as ProviderCheck from "./ProviderCheck.ts"
import * as Migrations from "./store/Migrations.ts"
import * as SqlAuditChain from "./store/SqlAuditChain.ts"
import * as SqlStore from "./store/SqlStore.ts"

/** An error as one line for people, with the exit code for scripts. */
class Failed extends Schema.TaggedError<Failed>()("Failed", { text: Schema.String, exit: Schema.Int }) {
  override get [Runtime.errorExitCode]() {
    return this.exit
  }
  override get [CliError.userMessage]() {
    return `error: ${this.text}`
  }
}

const failed = (error: unknown): Failed =>
  error instanceof Failed
    ? error
    : new Failed({
        exit: 1,
        text: error instanceof Error ? error.message : typeof error === "string" ? error : "it failed; see the log"
      })

/** Something was looked at and has to be put right: the answer is out, and the exit code is its own. */
class ToPutRight extends Schema.TaggedError<ToPutRight>()("ToPutRight", { text: Schema.String }) {
  override get [Runtime.errorExitCode]() {
    return 6
  }
  override get [CliError.userMessage]() {
    return this.text
  }
}

const configFlag = Flag.Path("config", { pathType: "file" }).pipe(
  Flag.withAlias("c"),
  Flag.withDescription("Configuration file (default: $JITSUDOD_CONFIG, else environment alone)"),
  Flag.optional
)

const load = (file: Option.Option<string>, purpose: "serve" | "migrate" | "providers") => {
  const path = Option.getOrElse(file, () => process.env["JITSUDOD_CONFIG"] ?? "")
  const { JITSUDOD_CONFIG: _, ...env } = process.env
  return Config.load({ ...(path === "" ? {} : { file: path }), env, purpose })
}

/** The hash that the log shows of the configuration: without its secrets. */
const hashOf = (config: Config.Config): string =>
  createHash("sha256")
    .update(JSON.stringify(Config.show(config)))
    .digest("hex")

const serve = Command.make("serve", { config: configFlag }, ({ config: file }) =>
  Effect.gen(function* () {
    const config = yield* load(file, "serve")
    const development = config.auth.issuers.find((issuer) => isDevelopmentIssuer(issuer.issuer))
    if (development !== undefined) {
      return yield* new StartRefused({
        message: `auth.issuers names the development issuer ${development.issuer}, whose people need no password: name your own identity provider, or run \`jitsudod dev\``
      })
    }
    const ready = Effect.logInfo("ready").pipe(Effect.annotateLogs({ address: showAddress(config.server.http_addr) }))
    return yield* Layer.launch(
      Layer.effectDiscard(ready).pipe(
        Layer.provideMerge(
          daemon({ config, development: false, migrate: config.database.data_dir !== undefined }, hashOf(config))
        ),
        Layer.provide(Log.layer(config.log))
      )
    )
  }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("Run the daemon"))

const dev = Command.make(
  "dev",
  {
    dataDir: Flag.Path("data-dir").pipe(
      Flag.withDescription("Where everything is kept (default: ./.jitsudo-dev)"),
      Flag.withDefault(".jitsudo-dev")
    ),
    config: configFlag,
    quiet: Flag.Boolean("quiet").pipe(
      Flag.withDescription("No explanation on standard output"),
      Flag.withDefault(false)
    )
  },
  (options) => Effect.mapError(Development.run(options), failed)
).pipe(
  Command.withDescription(
    "Everything in one process for trying out: embedded database, sign-in without passwords, starter policy"
  )
)

const migrate = Command.make(
  "migrate",
  {
    config: configFlag,
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Only say what would be applied"),
      Flag.withDefault(false)
    )
  },
  ({ config: file, dryRun }) =>
    Effect.gen(function* () {
      const config = yield* load(file, "migrate")
      const work = Effect.gen(function* () {
        yield* SqlClient.SqlClient
        const steps = dryRun ? yield* Migrations.pending : yield* Migrations.migrate
        if (steps.length === 0) return yield* Console.log("the schema is up to date")
        for (const step of steps) yield* Console.log(`${dryRun ? "would apply" : "applied"} ${step.id} ${step.name}`)
      })
      yield* Effect.provide(work, database(config.database))
    }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("Bring the database's schema up to date"))

const check = Command.make("check", { config: configFlag }, ({ config: file }) =>
  Effect.gen(function* () {
    const config = yield* load(file, "serve")
    const problems = yield* ConfiguredProviders.problems(config.providers)
    if (problems.length > 0) return yield* failed(problems.map(({ message }) => message).join("\n"))
    yield* Console.log("the configuration is valid")
  }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("Say every fault of the configuration at once"))

const show = Command.make("show", { config: configFlag }, ({ config: file }) =>
  Effect.gen(function* () {
    const config = yield* load(file, "serve")
    yield* Console.log(stringify(Config.show(config)).trimEnd())
  }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("The configuration in force, secrets masked"))

const keys = Command.make("keys", {}, () =>
  Effect.gen(function* () {
    for (const one of yield* Config.describe) {
      const sets = one.env === null ? "" : `  ${one.env}${one.secret ? ` (or ${one.env}_FILE)` : ""}`
      const otherwise = one.required
        ? "required"
        : one.default === null
          ? "no default"
          : `default ${JSON.stringify(one.default)}`
      yield* Console.log(`${one.key}: ${one.type}, ${otherwise}${sets}\n    ${one.description}`)
    }
  })
).pipe(Command.withDescription("Every key with its meaning, its default and its variable"))

const configCommand = Command.make("config").pipe(
  Command.withDescription("Check or show the configuration"),
  Command.withSubcommands([check, show, keys])
)

const outputFlag = Flag.Literals("output", ["table", "json"]).pipe(
  Flag.withAlias("o"),
  Flag.withDescription("For people, or for programs (table)"),
  Flag.withDefault("table" as const)
)

const optionalText = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

const durationFlag = Flag.String("duration").pipe(
  Flag.withMetavar("LENGTH"),
  Flag.withDescription("For how long: 45m, 1h30m (1h, as far as it is granted)"),
  Flag.filterMap(
    (typed) => Option.map(Option.fromNullishOr(GoDuration.parse(typed)), Duration.toSeconds),
    (typed) => `a length of time such as 45m or 1h30m, not ${JSON.stringify(typed)}`
  ),
  Flag.optional
)

const checkProvider = Command.make(
  "check",
  {
    name: Argument.String("name").pipe(Argument.withDescription("Its name in the configuration")),
    config: configFlag,
    role: optionalText("role", "ROLE", "Also whether this role could be granted"),
    scope: optionalText("scope", "SCOPE", "In what: an account, a project, a namespace"),
    duration: durationFlag,
    email: optionalText("email", "ADDRESS", "To whom: their e-mail address"),
    subject: optionalText("subject", "SUBJECT", "To whom: their subject at the issuer"),
    issuer: optionalText("issuer", "URL", "To whom: their issuer (the first of auth.issuers)"),
    output: outputFlag
  },
  ({ config: file, output, ...asked }) =>
    Effect.gen(function* () {
      const config = yield* load(file, "providers")
      const [duration, email, role, scope, subject] = [
        Option.getOrNull(asked.duration),
        Option.getOrNull(asked.email),
        Option.getOrNull(asked.role),
        Option.getOrNull(asked.scope),
        Option.getOrNull(asked.subject)
      ]
      if (role === null && (scope !== null || duration !== null)) {
        return yield* new Failed({ exit: 2, text: "--scope and --duration go with --role: name the role" })
      }
      const issuer = Option.getOrElse(asked.issuer, () => config.auth.issuers[0]?.issuer ?? "")
      const report = yield* ProviderCheck.check(config, {
        name: asked.name,
        right: role === null ? null : { role, scope: scope ?? "", durationSeconds: duration },
        grantee: email === null && subject === null ? null : { issuer, subject: subject ?? email ?? "", email }
      })
      yield* Console.log(output === "json" ? JSON.stringify(report, null, 2) : ProviderCheck.text(report))
      const wrong = report.findings.filter(({ ok }) => ok === false).length
      if (!report.ok) return yield* new ToPutRight({ text: `${wrong} of ${report.findings.length} must be put right` })
    }).pipe(Effect.mapError((error) => (error instanceof ToPutRight ? error : failed(error))))
).pipe(
  Command.withShortDescription("See whether a provider could grant, changing nothing"),
  Command.withDescription(
    "See whether a provider could grant: configuration, SDK, credentials, permissions; with --role also this right. Nothing is written anywhere; what only a grant would show is marked ?. Exit code: 0 nothing has to be put right, 6 something has, 1 it could not be looked at."
  ),
  Command.withExamples([
    { command: "jitsudod provider check aws", description: "Credentials and what needs no role" },
    {
      command: "jitsudod provider check aws --role reader --scope 123456789012 --output json",
      description: "Whether this role could be granted, for a script"
    }
  ])
)

const listProviders = Command.make("list", { config: configFlag, output: outputFlag }, ({ config: file, output }) =>
  Effect.gen(function* () {
    const rows = yield* ProviderCheck.list(yield* load(file, "providers"))
    yield* Console.log(output === "json" ? JSON.stringify(rows, null, 2) : ProviderCheck.listText(rows))
    const wrong = rows.filter(({ problem }) => problem !== null).length
    if (wrong > 0) return yield* new ToPutRight({ text: `${wrong} of ${rows.length} cannot be made` })
  }).pipe(Effect.mapError((error) => (error instanceof ToPutRight ? error : failed(error))))
).pipe(
  Command.withDescription(
    "The providers of the configuration, and whether each can be made (exit code 6 unless all can)"
  )
)

const providerCommand = Command.make("provider").pipe(
  Command.withDescription("The providers of the configuration"),
  Command.withSubcommands([listProviders, checkProvider])
)

const generateKey = Command.make(
  "generate",
  {
    origin: Flag.String("origin").pipe(
      Flag.withMetavar("NAME"),
      Flag.withDescription(
        "The log's name, for good: a host of yours and a path, such as log.example.com/jitsudo; no spaces, no plus"
      )
    ),
    file: Flag.Path("out").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Where the private key goes, readable by you alone; it must not exist yet")
    )
  },
  ({ file, origin }) =>
    Effect.gen(function* () {
      if (!VerifierKey.isKeyName(origin)) {
        return yield* new Failed({ exit: 2, text: "--origin is a name without spaces and plus signs" })
      }
      const { key, privateKey } = yield* Signer.generate(origin, VerifierKey.noteType)
      yield* Effect.tryPromise({
        try: async () => {
          const handle = await open(file, "wx", 0o600)
          try {
            await handle.writeFile(`${Redacted.value(privateKey)}\n`)
            await handle.sync()
          } finally {
            await handle.close()
          }
        },
        catch: (error) => {
          const code = error instanceof Error && "code" in error ? String(error.code) : "failed"
          return new Failed({ exit: 1, text: `cannot make ${file} (${code}): name a file that is not there yet` })
        }
      })
      yield* Console.log(VerifierKey.format(key))
    }).pipe(Effect.mapError(failed))
).pipe(
  Command.withDescription(
    "Make a key that signs the log: the private one into a file for audit.signing_key_file, the public one on standard output, for everybody who verifies"
  )
)

const keyCommand = Command.make("key").pipe(
  Command.withDescription("The key that signs the log"),
  Command.withSubcommands([generateKey])
)

const acceptRestore = Command.make("accept-restore", { config: configFlag }, ({ config: file }) =>
  Effect.gen(function* () {
    const config = yield* load(file, "serve")
    const keys = yield* Keys.read(config.audit)
    const stateFile = config.audit.state_file
    if (keys === undefined || stateFile === undefined) {
      return yield* new Failed({ exit: 1, text: "audit.signing_key_file is not given: nothing is signed here" })
    }
    const { alreadyRecorded, kept, old } = yield* AcceptRestore.accept(keys.signer.key.name, stateFile).pipe(
      Effect.provide(
        Layer.mergeAll(SqlStore.layer(), SqlAuditChain.layer).pipe(
          Layer.provide(Layer.effectDiscard(Migrations.check)),
          Layer.provideMerge(database(config.database))
        )
      )
    )
    yield* Console.log(`old log: ${old.origin}, size ${old.size}, root ${old.root}`)
    yield* Console.log(`new log: ${kept.origin}, from size ${kept.size}, root ${kept.root}`)
    yield* Console.log(
      alreadyRecorded ? "the log has an entry of it already" : "the log has an entry of it: audit.restore_accepted"
    )
  }).pipe(Effect.mapError(failed))
).pipe(
  Command.withShortDescription("Begin a new log where a restored backup ends"),
  Command.withDescription(
    "After a backup was restored on purpose: begins a new log, under the name of the key that audit.signing_key_file has now, where the database ends, with an entry that names what was signed before. With the daemons stopped, once for each audit.state_file."
  )
)

const auditCommand = Command.make("audit").pipe(
  Command.withDescription("The audit log's signature"),
  Command.withSubcommands([keyCommand, acceptRestore])
)

export const cli = Command.make("jitsudod").pipe(
  Command.withDescription("The jitsudo daemon: just-in-time privileged access for people and agents"),
  Command.withSubcommands([serve, dev, migrate, configCommand, providerCommand, auditCommand])
)
