/** `server`. */
import * as Command from "effect/cli/Command"
import type * as Reconcile from "../actions/Reconcile.ts"
import { act, on, optionalText, several } from "./Parts.ts"

export const server = Command.make("server").pipe(
  Command.withShortDescription("The daemon: health, version, providers, reconciliation"),
  Command.withDescription(
    "Whether the daemon is there and well, which needs no sign-in; and what the platforms hold against what is live."
  ),
  Command.withSubcommands([
    Command.make(
      "status",
      {},
      act(
        () => import("../actions/Server.ts"),
        (module) => module.status()
      )
    ).pipe(Command.withDescription("Health and readiness; exit code 1 unless all is well")),
    Command.make(
      "version",
      {},
      act(
        () => import("../actions/Server.ts"),
        (module) => module.version()
      )
    ).pipe(Command.withDescription("Versions of the daemon, its API and this program")),
    Command.make(
      "providers",
      {},
      act(
        () => import("../actions/Providers.ts"),
        (module) => module.providers()
      )
    ).pipe(
      Command.withShortDescription("Where rights can be granted, and what each platform can do"),
      Command.withDescription(
        "Where rights can be granted here: for how long, whether the platform ends them by itself, and what goes on working after an early revocation."
      )
    ),
    Command.make(
      "reconcile",
      {
        provider: optionalText("provider", "Only this one", "NAME"),
        dryRun: on("dry-run", "Show what differs and change nothing"),
        takeBack: several("take-back", "Take this one back now, whosever it is", "REQUEST")
      },
      act(
        () => import("../actions/Reconcile.ts"),
        (module, input: Reconcile.ReconcileInput) => module.reconcile(input)
      )
    ).pipe(
      Command.withShortDescription("Compare the platforms with what is live here (administrators)"),
      Command.withDescription(
        "Compare what the platforms hold with what is live here, and act on it: orphans of this installation are taken back after a grace period, what was removed behind our back is ended. What may be another installation's is only shown. Exit code: 0 nothing differs or all of it is being acted on, 6 something differs (--dry-run) or waits for --take-back, 1 a provider could not be compared."
      ),
      Command.withExamples([
        { command: "jitsudo server reconcile --dry-run", description: "What differs now" },
        { command: "jitsudo server reconcile --provider azure", description: "Act on one provider's difference" }
      ])
    )
  ])
)
