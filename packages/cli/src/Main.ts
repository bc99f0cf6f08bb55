/** The program: a command line in, an exit code out. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { jitsudo } from "./Commands.ts"
import { Ended, exits } from "./Failure.ts"
import { Io } from "./Io.ts"
import { paintFor, safeLines } from "./Terminal.ts"
import { version } from "./Version.ts"

/** Help on standard output; what is wrong with a command line in a line each on standard error. */
const presenting = Layer.unwrap(
  Effect.map(Io, (io) => {
    const colours = (stream: "stdout" | "stderr") => paintFor(io, stream)("", "bold") !== ""
    const formatter = (globalFlags: "full" | "summary") =>
      CliOutput.defaultFormatter({ colors: colours("stdout"), globalFlags })
    const help = (event: CliOutput.Presenter.Help) =>
      `${formatter(event.commandPath.length === 1 ? "full" : "summary")
        .formatHelpDoc(event.helpDoc)
        .trimEnd()}\n`
    return Layer.merge(
      CliOutput.layer(formatter("full")),
      CliOutput.layerPresenter({
        present: (event) => {
          switch (event._tag) {
            case "Version":
              return io.out(`${event.version}\n`)
            case "Help":
              return event.reason === "Requested" ? io.out(help(event)) : io.err(help(event))
            case "InvalidInvocation":
              return io.err(
                event.errors
                  .map((error) => `${paintFor(io, "stderr")("error:", "red")} ${safeLines(error.message).join("\n")}\n`)
                  .concat(`${paintFor(io, "stderr")("hint:", "cyan")} ${event.commandPath.join(" ")} --help\n`)
                  .join("")
              )
          }
        }
      })
    )
  })
)

/** Tokens on a command line are in the list of processes, for everybody on the machine. */
const refuseToken = (args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  return (end < 0 ? args : args.slice(0, end)).some((arg) => arg === "--token" || arg.startsWith("--token="))
}

/** Runs one command line. Succeeds with the exit code, whatever happens but an interruption. */
export const main = Effect.fn("main")(function* (args: ReadonlyArray<string>) {
  const io = yield* Io
  if (refuseToken(args)) {
    yield* io.err(
      "error: --token would show the token to everybody who can list processes\nhint: set JITSUDO_TOKEN, or use --token-file FILE\n"
    )
    return exits.usage
  }
  return yield* Command.runWith(jitsudo, { version })(args).pipe(
    Effect.as<number>(exits.ok),
    Effect.catch((error) => {
      if (error instanceof Ended) return Effect.succeed(error.exit)
      // No subcommand was named, or the command line is wrong: it was presented.
      return Effect.succeed(CliError.isCliError(error) ? exits.usage : exits.error)
    }),
    Effect.provide([
      presenting,
      CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
      NodeServices.layer
    ])
  )
})
