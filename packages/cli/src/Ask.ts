/** A question to whoever sits at the terminal. The question goes to standard error: standard output is for answers. */
import * as Effect from "effect/Effect"
import { Ended, exits, misused } from "./Failure.ts"
import { Io } from "./Io.ts"

/** Ends the command unless somebody says yes, by `--yes` or by typing it. Where nobody can type, `--yes` is needed. */
export const confirm = Effect.fn("Ask.confirm")(function* (question: string, options: { readonly yes: boolean }) {
  if (options.yes) return
  const io = yield* Io
  if (!io.isTty.stdin || !io.isTty.stderr) {
    return yield* misused(
      "nobody can be asked here: standard input is not a terminal",
      "look at it first, then add --yes"
    )
  }
  yield* io.err(`${question} [y/N] `)
  const typed = yield* io.readLine
  if (typed === null) yield* io.err("\n")
  if (typed === null || !/^\s*y(?:es)?\s*$/iu.test(typed)) {
    yield* io.err("nothing was done\n")
    return yield* new Ended({ exit: exits.error })
  }
})
