/**
 * Why something was not done, as the caller may hear it.
 *
 * `Refused` is a decision of ours: typed, audited, with a stable code and one next action. `Unavailable` is trouble
 * that a later try may outlive. HTTP statuses and exit codes are decided at the edges from `code`.
 */
import * as Data from "effect/Data"

export type RefusalCode =
  | "not_found"
  | "invalid_input"
  | "unknown_provider"
  | "provider_refused"
  | "not_eligible"
  | "not_approver"
  | "self_decision"
  | "human_only"
  | "agent_not_allowed"
  | "stale_groups"
  | "locked"
  | "wrong_state"
  | "changed_meanwhile"
  | "already_decided"
  | "idempotency_mismatch"
  | "break_glass_unavailable"
  | "review_open"
  | "too_many_pending"
  | "not_requester"
  | "not_admin"
  | "not_permitted"
  | "grant_over"
  | "policy_rejected"
  | "policy_managed_elsewhere"

export interface Problem {
  /** The field at fault, as a path in the caller's input (`durationSeconds`), where there is one. */
  readonly field?: string
  readonly message: string
}

export class Refused extends Data.TaggedError("Refused")<{
  readonly code: RefusalCode
  /** Names the object and the rule, quotes foreign text, holds no secret. */
  readonly message: string
  /** What the caller can do next. */
  readonly hint: string
  /** All of them: policy's reasons, or every invalid field. */
  readonly problems?: ReadonlyArray<Problem>
  /** The state in which the request stands, for `wrong_state`. */
  readonly state?: string
  /** Leave a `refused` entry: set for everything that concerns rights. */
  readonly audited: boolean
}> {}

export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly what: "store" | "policy" | "provider" | "contention" | "overload" | "facts"
  readonly message: string
  readonly retryAfterSeconds: number
}> {}

export type ElevationError = Refused | Unavailable

/** A refusal about rights: recorded. */
export const refuse = (
  code: RefusalCode,
  message: string,
  hint: string,
  more: { readonly reasons?: ReadonlyArray<string>; readonly state?: string } = {}
): Refused =>
  new Refused({
    code,
    message,
    hint,
    audited: true,
    ...(more.reasons === undefined ? {} : { problems: more.reasons.map((reason) => ({ message: reason })) }),
    ...(more.state === undefined ? {} : { state: more.state })
  })

/** A refusal that is nobody's business but the caller's (a typo, a missing request): not recorded. */
export const decline = (
  code: RefusalCode,
  message: string,
  hint: string,
  more: { readonly problems?: ReadonlyArray<Problem>; readonly state?: string } = {}
): Refused => new Refused({ code, message, hint, audited: false, ...more })
