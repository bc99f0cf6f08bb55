/**
 * The end of a case: it kept its sentence, or somebody objects.
 *
 * What a case did not expect (another error, a defect, an interruption) is a violation of that case too.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { ContractViolation } from "./ContractViolation.ts"

const told = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

export const verdict = <A, E, R>(
  contract: string,
  run: Effect.Effect<A, E, R>
): Effect.Effect<void, ContractViolation, R> =>
  Effect.flatMap(Effect.exit(run), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.void
    const failure = exit.cause.reasons.find(Cause.isFailReason)?.error
    if (failure instanceof ContractViolation) return Effect.fail(failure)
    const found = failure === undefined ? Cause.pretty(exit.cause) : told(failure)
    return Effect.fail(new ContractViolation({ contract, expected: "an answer", found }))
  })
