/**
 * The rule book of an elevation request: `decide(request, command, facts) -> events | refusal`, pure and total.
 *
 * ```
 *             ┌───────────── CANCELLED   the requester withdrew
 *             ├───────────── REJECTED    an approver, an agent or policy said no
 * PENDING ────┼───────────── LAPSED      nobody decided before the deadline
 *             └─ APPROVED ──┬─ FAILED    every attempt was refused without effect
 *                           ├─ ACTIVE ──┐
 *                           └───────────┴─ ENDING ──┬─ EXPIRED
 *                                                   ├─ REVOKED
 *                                                   └─ FAILED
 * ```
 *
 * Invariants (tests cite the numbers; docs/spec/lifecycle.md says them for people):
 * 1. No member of a request's party decides on it.
 * 2. A decision counts once per party of the decider in each stage that it belongs to; a quorum is `>=`.
 * 3. PENDING becomes APPROVED only before its deadline, on policy and principal facts of that instant; an earlier
 *    approval that no longer holds is struck, and a group fact that is too old does not count.
 * 4. `EXPIRED` and `REVOKED` follow only the provider's confirmation. `FAILED` follows it too, or attempts that were
 *    all refused without effect.
 * 5. A decision on another digest does not count.
 * 6. What is granted is within what was approved: `notAfter <= issuedAt + durationSeconds`, written once.
 * 7. An agent decides only in `ai_review`, before its deadline, on the version it read, where `ai_allow` says so.
 *    What fails there escalates; anywhere else it changes nothing.
 * 8. Break-glass is for people, alerts before the grant, opens a review, and is refused while nobody can be alerted.
 * 9. Nothing new for a locked target, and nobody locked decides.
 * 10. Only the requester reads credentials, only while ACTIVE, unlocked and before `notAfter`.
 * 11. Each step leaves its entries; reasons and comments stand beside them.
 * 12. Deadlines are exact: at the instant itself the time is over.
 * 13. Approving and denying take the same right; giving back is always possible.
 * Terminal states stay as they are.
 *
 * Not here: who may see what (`Access.ts`), how facts are read and steps committed (`Transitions.ts`), what a
 * provider is asked (`Granter.ts`).
 */
import type * as Result from "effect/Result"
import type { Refused } from "./ElevationError.ts"
import type { Event } from "./Event.ts"
import type { JsonObject } from "./Json.ts"
import type { Locks } from "./Lock.ts"
import type { Admission, Eligibility, RoutingVerdict } from "./Policy.ts"
import type { Party, Principal } from "./Principal.ts"
import type { Granted, ProviderError } from "./Provider.ts"
import type { Asked, Request } from "./Request.ts"
import * as Deciding from "./rules/Deciding.ts"
import * as Ending from "./rules/Ending.ts"
import * as Granting from "./rules/Granting.ts"
import * as Reviewing from "./rules/Reviewing.ts"
import * as Submitting from "./rules/Submitting.ts"
import type { DomainSettings } from "./Settings.ts"
import type { Time } from "./Time.ts"

/** Facts that every decision is made on. */
export interface Facts {
  readonly now: Time
  readonly locks: Locks
  readonly settings: DomainSettings
}

/** Somebody who acts, with their party. */
export interface Actor {
  readonly principal: Principal
  readonly party: Party
}

/** An earlier approval, looked at again: its principal as they are now, and what policy says now. */
export interface Recheck {
  /** Position in `request.decisions`. */
  readonly index: number
  /** Undefined when the principal is gone. */
  readonly actor: Actor | undefined
  readonly admission: Admission
}

/** What policy says at the instant of the decision. */
export interface PolicyAnswers {
  readonly revision: number
  readonly hash: string
  readonly eligibility: Eligibility
  readonly routing: RoutingVerdict
  /** Not policy's own word, but bounded by it: how long the requester has held this role and scope without a break, now. */
  readonly heldSeconds: number
}

export interface Submit {
  readonly type: "Submit"
  readonly id: string
  readonly by: Actor
  readonly asked: Asked
  readonly roleAsked: string
  readonly digest: string
  readonly checked: JsonObject
  readonly labels: JsonObject
  readonly channel: string
  readonly sourceIp: string
  readonly extends: string | null
  /** Break-glass reviews of this person that nobody closed yet, under whatever identity. */
  readonly openReviews: number
  readonly answers: PolicyAnswers
}

export interface Approve {
  readonly type: "Approve"
  readonly by: Actor
  readonly comment: string
  readonly digest: string
  readonly admission: Admission
  readonly requester: Actor
  readonly earlier: ReadonlyArray<Recheck>
  readonly answers: PolicyAnswers
}

export interface Deny {
  readonly type: "Deny"
  readonly by: Actor
  readonly comment: string
  readonly digest: string
  readonly admission: Admission
  readonly requester: Actor
  readonly answers: PolicyAnswers
}

/** Look at a waiting request again, because somebody signed in. */
export interface Recheckup {
  readonly type: "Recheck"
  readonly requester: Actor
  readonly earlier: ReadonlyArray<Recheck>
  readonly answers: PolicyAnswers
}

export interface AiDecide {
  readonly type: "AiDecide"
  readonly by: Actor
  readonly verdict: "approve" | "deny" | "escalate"
  readonly reasoning: string
  /** 0 to 1. */
  readonly confidence: number
  readonly risk: string
  readonly model: string
  readonly digest: string
  /** The version that the agent read. */
  readonly version: number
  /** What is wrong with the answer as it was given, or null. */
  readonly malformed: string | null
  readonly admission: Admission
  readonly requester: Actor
  readonly answers: PolicyAnswers
}

export type Command =
  | Submit
  | Approve
  | Deny
  | Recheckup
  | AiDecide
  | { readonly type: "Cancel"; readonly by: Actor; readonly reason: string }
  | {
      readonly type: "Revoke"
      readonly by: Actor
      readonly reason: string
      readonly admin: boolean
      readonly admission: Admission
    }
  /** `requester`: as they are now, with their owners of today. */
  | { readonly type: "LockHit"; readonly requester: Actor | undefined }
  /** A deadline job is due. */
  | { readonly type: "Deadline" }
  | { readonly type: "StartGrant"; readonly resourceKey: string; readonly requester: Actor }
  | { readonly type: "GrantSucceeded"; readonly granted: Granted }
  | { readonly type: "GrantRefused"; readonly error: ProviderError }
  /** `grant` returned to somebody who no longer holds the job. */
  | { readonly type: "LeaseLost"; readonly granted: Granted | undefined }
  | { readonly type: "Expire" }
  | { readonly type: "EndConfirmed"; readonly note: string | null }
  | { readonly type: "EndRefused"; readonly error: ProviderError }
  | { readonly type: "RemovedExternally" }
  | { readonly type: "ReadCredentials"; readonly by: Actor }
  | { readonly type: "RemindReview" }
  | {
      readonly type: "CloseReview"
      readonly by: Actor
      readonly admin: boolean
      readonly comment: string
      readonly requester: Actor | undefined
    }
  | { readonly type: "LinkExtension"; readonly extension: string }

/** What is to be done. `refused` is set when the caller is refused although something changes (an escalation). */
export interface Decided {
  readonly events: ReadonlyArray<Event>
  readonly refused?: Refused
}

export const decide = (
  request: Request | undefined,
  command: Command,
  facts: Facts
): Result.Result<Decided, Refused> => {
  if (command.type === "Submit") return Submitting.submit(command, facts)
  if (request === undefined) return Deciding.notFound
  switch (command.type) {
    case "Approve":
      return Deciding.approve(request, command, facts)
    case "Deny":
      return Deciding.deny(request, command, facts)
    case "Recheck":
      return Deciding.recheck(request, command, facts)
    case "AiDecide":
      return Deciding.aiDecide(request, command, facts)
    case "Cancel":
      return Ending.cancel(request, command)
    case "Revoke":
      return Ending.revoke(request, command)
    case "LockHit":
      return Ending.lockHit(request, command, facts)
    case "Deadline":
      return Ending.deadline(request, facts)
    case "StartGrant":
      return Granting.start(request, command, facts)
    case "GrantSucceeded":
      return Granting.succeeded(request, command.granted, facts)
    case "GrantRefused":
      return Granting.refused(request, command.error, facts)
    case "LeaseLost":
      return Granting.leaseLost(request, command.granted)
    case "Expire":
      return Ending.expire(request, facts)
    case "EndConfirmed":
      return Ending.confirmed(request, command.note, facts)
    case "EndRefused":
      return Ending.refused(request, command.error, facts)
    case "RemovedExternally":
      return Ending.removed(request)
    case "ReadCredentials":
      return Granting.readCredentials(request, command, facts)
    case "RemindReview":
      return Reviewing.remind(request, facts)
    case "CloseReview":
      return Reviewing.close(request, command, facts)
    case "LinkExtension":
      return Granting.linkExtension(request, command.extension)
  }
}
