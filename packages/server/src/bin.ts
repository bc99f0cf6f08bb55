/** `jitsudod`: runs the command, logs to standard error, and exits with a code that supervisors can use. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { cli } from "./Commands.ts"
import { redact } from "./Redaction.ts"
import { version } from "./Version.ts"

/** Usage errors are one line on standard error and exit 2; the help is for whoever asks for it. */
const output = Layer.merge(
  CliOutput.layer(CliOutput.defaultFormatter({ globalFlags: "summary" })),
  CliOutput.layerPresenter({
    present: (event) =>
      event._tag === "InvalidInvocation"
        ? Console.error(
            `${event.errors.map((error) => `error: ${error.message}`).join("\n")}\nSee '${event.commandPath.join(" ")} --help'.`
          )
        : CliOutput.defaultPresenter.present(event)
  })
)

/** A drained stop is exit 0; usage is 2; anything else as the error says. */
const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isFailure(exit)) {
    if (Cause.hasInterruptsOnly(exit.cause)) return onExit(0)
    const error = Cause.squash(exit.cause)
    if (CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length > 0) return onExit(2)
    // What nobody expected has told nobody yet.
    if (Cause.hasDies(exit.cause)) {
      const said = error instanceof Error ? `${error.name}: ${error.message}` : "no error"
      process.stderr.write(
        `error: a fault in jitsudod itself (${redact(said.split("\n", 1)[0] ?? "")}); please report it\n`
      )
    }
  }
  Runtime.defaultTeardown(exit, onExit)
}

// A second signal while draining ends the process at once: whoever sends it means it. One Ctrl-C can be two signals,
// though: the terminal sends it to everybody, and npx sends on what it got.
let firstSignal: number | undefined
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    firstSignal ??= performance.now()
    if (performance.now() - firstSignal > 1000) process.exit(130)
  })
}

cli.pipe(
  Command.run({ version }),
  Effect.provide([output, NodeServices.layer]),
  NodeRuntime.runMain({ teardown, disableErrorReporting: true })
)
