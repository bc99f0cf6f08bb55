/** `server`. */
import * as Command from "effect/cli/Command"
import { act } from "./Parts.ts"

export const server = Command.make("server").pipe(
  Command.withShortDescription("The daemon: health and version"),
  Command.withDescription("Whether the daemon is there and well. Nobody needs to be signed in."),
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
    ).pipe(Command.withDescription("Versions of the daemon, its API and this program"))
  ])
)
