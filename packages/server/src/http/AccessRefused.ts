/** Refusals of this edge about rights: entries of the log, like those that core makes. */
import { Records, type AuditRecord, type ElevationError, type Principal, type Transitions } from "@jitsudo/core"
import * as Effect from "effect/Effect"

/** Records the refusal, then fails with it. A refusal that cannot be recorded is trouble, not an answer. */
export const refuseAccess = (
  transitions: Transitions.Transitions["Service"],
  by: Principal.Principal,
  refusal: ElevationError.Refused,
  action: Extract<AuditRecord.AuditAction, "access.refused" | "principal.refused" | "lock.refused"> = "access.refused"
): Effect.Effect<never, ElevationError.ElevationError> =>
  Effect.gen(function* () {
    const { now } = yield* transitions.facts({})
    yield* transitions
      .commit({
        now,
        records: [Records.plain(Records.actorOf(by), action, "refused", Records.refusalDetails(refusal))]
      })
      // Nothing is guarded, so that nothing can be in the way.
      .pipe(Effect.catchTag("StepConflict", (conflict) => Effect.die(conflict)))
    return yield* refusal
  })
