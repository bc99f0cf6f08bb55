/** The command line of this process, to its exit. Ctrl-C is 130, a termination 143, after everything is cleaned up. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constants } from "node:os"
import { exits } from "./Failure.ts"
import { Io } from "./Io.ts"
import { main } from "./Main.ts"

export const run = (args: ReadonlyArray<string>): void => {
  let interruptedBy: number = exits.interrupted
  process.once("SIGTERM", () => {
    interruptedBy = 128 + constants.signals.SIGTERM
  })
  NodeRuntime.runMain(main(args).pipe(Effect.provide(Io.layer)), {
    disableErrorReporting: true,
    teardown: (exit) => {
      const code = Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : interruptedBy
      // What was written must leave first; what still listens (sockets kept alive, threads) must not keep us.
      process.stdout.write("", () => process.exit(code))
    }
  })
}
