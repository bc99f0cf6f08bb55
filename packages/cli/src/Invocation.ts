/** What was said on the command line for every command, and the flags by which it is said. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Option from "effect/Option"

export const formats = ["table", "json", "yaml"] as const
export type Format = (typeof formats)[number]

export class Invocation extends Context.Service<
  Invocation,
  {
    /** As typed; undefined where it was not. */
    readonly server: string | undefined
    readonly context: string | undefined
    readonly tokenFile: string | undefined
    readonly format: Format
    /** Ids alone on standard output, and no progress on standard error. */
    readonly quiet: boolean
  }
>()("@jitsudo/cli/Invocation") {}

const Server = GlobalFlag.Setting("server")({
  flag: Flag.String("server").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("The daemon, https://jitsudo.example.com (or JITSUDO_SERVER)"),
    Flag.optional
  )
})

const ContextName = GlobalFlag.Setting("context")({
  flag: Flag.String("context").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("The server and sign-in of that name (or JITSUDO_CONTEXT)"),
    Flag.optional
  )
})

const TokenFile = GlobalFlag.Setting("token-file")({
  flag: Flag.Path("token-file", { pathType: "file" }).pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Read the access token from a file (or JITSUDO_TOKEN_FILE; or the token in JITSUDO_TOKEN)"),
    Flag.optional
  )
})

const Output = GlobalFlag.Setting("output")({
  flag: Flag.Literals("output", formats).pipe(
    Flag.withAlias("o"),
    Flag.withDescription("table for people; json or yaml for programs"),
    Flag.withDefault("table" as const)
  )
})

const Quiet = GlobalFlag.Setting("quiet")({
  flag: Flag.Boolean("quiet").pipe(
    Flag.withAlias("q"),
    Flag.withoutNegation,
    Flag.withDescription("Ids only, and no progress"),
    Flag.withDefault(false)
  )
})

/** To be put on the root command. */
export const globalFlags = [Server, ContextName, TokenFile, Output, Quiet] as const

/** The invocation, from the parsed flags. */
export const fromFlags = Effect.gen(function* () {
  return Invocation.of({
    server: Option.getOrUndefined(yield* Server),
    context: Option.getOrUndefined(yield* ContextName),
    tokenFile: Option.getOrUndefined(yield* TokenFile),
    format: yield* Output,
    quiet: yield* Quiet
  })
})
