/** What commands are made of: how one runs, and the flags and arguments that several have. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Ended, Failure } from "../Failure.ts"
import { fromFlags, Invocation } from "../Invocation.ts"
import * as Length from "../Length.ts"
import { reporting } from "../Output.ts"

/** Runs an action of a module that is loaded now, with what was said for every command. */
export const act = <Module, Input, R>(
  load: () => Promise<Module>,
  run: (module: Module, input: Input) => Effect.Effect<void, Failure | Ended, R>
) =>
  Effect.fnUntraced(function* (input: Input) {
    const invocation = yield* fromFlags
    return yield* reporting(Effect.flatMap(Effect.promise(load), (module) => run(module, input))).pipe(
      Effect.provideService(Invocation, invocation)
    )
  })

/** A request, by its id. */
export const requestId = Argument.String("id").pipe(
  Argument.withDescription("The request, req_..."),
  Argument.filter(
    (id) => /^req_[0-9A-HJKMNP-TV-Z]{26}$/u.test(id),
    (id) => `the id of a request (req_ and 26 letters and digits), not ${JSON.stringify(id)}`
  )
)
/** `--yes` */
export const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withoutNegation,
  Flag.withDescription("Do not ask"),
  Flag.withDefault(false)
)
/** A switch. */
export const on = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))
/** Text that must be given. */
export const text = (name: string, description: string, metavar = "TEXT") =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description))
/** Text that may be given. */
export const optionalText = (name: string, description: string, metavar = "TEXT") =>
  Flag.optional(text(name, description, metavar))
/** Text that may be given several times. */
export const several = (name: string, description: string, metavar: string) =>
  text(name, description, metavar).pipe(Flag.atLeast(0))

/** A length of time, in seconds. */
export const length = (name: string, description: string) =>
  text(name, description, "LENGTH").pipe(
    Flag.filterMap(
      (typed) => Result.getSuccess(Length.parse(typed)),
      (typed) => Result.match(Length.parse(typed), { onFailure: (why) => why, onSuccess: () => "" })
    )
  )
/** How many of a list. */
export const limit = (otherwise: number) =>
  Flag.Int("limit").pipe(
    Flag.withDescription(`How many at most (${otherwise})`),
    Flag.filterMap(
      (number) => (number >= 1 && number <= 1_000_000 ? Option.some(number) : Option.none()),
      () => "a number from 1 to 1000000"
    ),
    Flag.withDefault(otherwise)
  )
