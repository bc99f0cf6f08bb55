/** The commands of `jitsudod`. */
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import { createHash } from "node:crypto"
import { stringify } from "yaml"
import * as Config from "./Config.ts"
import { showAddress } from "./config/Address.ts"
import * as Development from "./dev/Development.ts"
import { isDevelopmentIssuer } from "./dev/DevelopmentIssuer.ts"
import * as Log from "./Log.ts"
import { daemon, database, StartRefused } from "./Main.ts"
import * as Migrations from "./store/Migrations.ts"

/** An error as one line for people, with the exit code for scripts. */
class Failed extends Schema.TaggedError<Failed>()("Failed", { text: Schema.String }) {
  override get [Runtime.errorExitCode]() {
    return 1
  }
  override get [CliError.userMessage]() {
    return `error: ${this.text}`
  }
}

const failed = (error: unknown): Failed =>
  new Failed({
    text: error instanceof Error ? error.message : typeof error === "string" ? error : "it failed; see the log"
  })

const configFlag = Flag.Path("config", { pathType: "file" }).pipe(
  Flag.withAlias("c"),
  Flag.withDescription("Configuration file (default: $JITSUDOD_CONFIG, else environment alone)"),
  Flag.optional
)

const load = (file: Option.Option<string>, purpose: "serve" | "migrate") => {
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
    yield* load(file, "serve")
    yield* Console.log("the configuration is valid")
  }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("Say every fault of the configuration at once"))

const show = Command.make("show", { config: configFlag }, ({ config: file }) =>
  Effect.gen(function* () {
    const config = yield* load(file, "serve")
    yield* Console.log(stringify(Config.show(config)).trimEnd())
  }).pipe(Effect.mapError(failed))
).pipe(Command.withDescription("The configuration in force, secrets masked"))

const configCommand = Command.make("config").pipe(
  Command.withDescription("Check or show the configuration"),
  Command.withSubcommands([check, show])
)

export const cli = Command.make("jitsudod").pipe(
  Command.withDescription("The jitsudo daemon: just-in-time privileged access for people and agents"),
  Command.withSubcommands([serve, dev, migrate, configCommand])
)
