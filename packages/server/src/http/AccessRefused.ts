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
    yield* transitions.state([Records.plain(Records.actorOf(by), action, "refused", Records.refusalDetails(refusal))])
    return yield* refusal
  })
