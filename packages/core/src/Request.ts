/**
 * An elevation request with its routing, decisions and grant: the aggregate as plain data.
 *
 * Everything here is JSON: it is stored, hashed, compared and sent as it stands. The rules that move it are in
 * `Elevation.ts`.
 */
import type { JsonObject } from "./Json.ts"
import type { Tier, Approvers, Finding } from "./Policy.ts"
import type { Party, PrincipalKey, PrincipalKind } from "./Principal.ts"
import type { Canonical } from "./Provider.ts"
import type { Time } from "./Time.ts"

/** `req_` + ULID. */
export type RequestId = string

export const states = [
  "PENDING",
  "APPROVED",
  "ACTIVE",
  "ENDING",
  "CANCELLED",
  "REJECTED",
  "LAPSED",
  "FAILED",
  "EXPIRED",
  "REVOKED"
] as const
export type State = (typeof states)[number]

/** States that nothing leaves. */
export const terminal: ReadonlySet<State> = new Set(["CANCELLED", "REJECTED", "LAPSED", "FAILED", "EXPIRED", "REVOKED"])

/** The requester as they were when they asked. Current facts are read again at each decision. */
export interface Requester extends PrincipalKey {
  readonly email: string | null
  readonly kind: PrincipalKind
}

/** What was asked, in the provider's canonical form; `digest` covers exactly this and the requester's key. */
export interface Asked extends Canonical {
  readonly provider: string
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  readonly breakGlass: boolean
}

export interface Stage extends Approvers {
  readonly policy: string
  readonly quorum: number
  /** It names nobody outside the requester's party. */
  readonly unmeetable: boolean
}

/** Who decides, and what said so. */
export interface Routing {
  readonly tier: Tier
  readonly stages: ReadonlyArray<Stage>
  readonly openQuorum: number
  readonly policyRevision: number
  readonly policyHash: string
  readonly findings: ReadonlyArray<Finding>
}

export interface Decision {
  readonly by: Requester | { readonly policy: string }
  readonly party: Party
  /** The decider's groups when they decided. */
  readonly groups: ReadonlyArray<string>
  readonly verdict: "approve" | "deny" | "escalate"
  readonly comment: string
  /** What the decision was made on; another digest does not count. */
  readonly digest: string
  readonly at: Time
  readonly policyRevision: number
  /** Set when a later evaluation found that it no longer holds. */
  readonly struck: { readonly at: Time; readonly why: string } | null
}

export type EndingWhy =
  | "expired"
  | "revoked"
  | "locked"
  | "session_closed"
  | "removed"
  | "start_deadline"
  | "unknown_outcome"

export interface Ending {
  readonly why: EndingWhy
  readonly by: Requester | null
  readonly reason: string
  readonly since: Time
  readonly attempts: number
  readonly lastError: string | null
  readonly nextAttemptAt: Time | null
  readonly needsAttention: boolean
  /** The state that the provider's confirmation leads to. */
  readonly into: "EXPIRED" | "REVOKED" | "FAILED"
}

export interface Grant {
  readonly resourceKey: string
  /** When the first attempt began. */
  readonly startedAt: Time
  readonly attempts: number
  /** When the last attempt began. */
  readonly attemptedAt: Time
  readonly issuedAt: Time | null
  /** Absolute, written once when the provider confirmed: its own end or what was approved, whichever is earlier. */
  readonly notAfter: Time | null
  /** What the provider enforces by itself; later than `notAfter` only if it granted more than was approved. */
  readonly providerNotAfter: Time | null
  /** The latest instant at which anything of any attempt can live at the provider. */
  readonly latestEnd: Time
  readonly reference: JsonObject | null
  /** Attempts that were begun and whose answer was never committed. */
  readonly openAttempts: number
  /** An attempt may have had an effect that we do not know of: a second ending is due. */
  readonly outcomeUnknown: boolean
  readonly lastError: string | null
  /** A second `end` is due after this instant, because an attempt was repeated or lost its lease. */
  readonly sweepAgainAt: Time | null
}

/** The review that every break-glass opens. */
export interface Review {
  readonly openedAt: Time
  readonly dueAt: Time
  readonly remindedAt: Time | null
  readonly closed: { readonly by: Requester; readonly at: Time; readonly comment: string } | null
}

export interface Request {
  readonly id: RequestId
  /** 1 when created; rises by one with every step. */
  readonly version: number
  readonly state: State
  readonly requester: Requester
  readonly party: Party
  readonly asked: Asked
  /** The requester's own words for the role. */
  readonly roleAsked: string
  readonly digest: string
  /** What the provider's `check` found. */
  readonly checked: JsonObject
  /** The operator's labels as they were read. */
  readonly labels: JsonObject
  readonly channel: string
  readonly sourceIp: string
  readonly routing: Routing
  readonly decisions: ReadonlyArray<Decision>
  /** Why it waits although enough people approved (for example who must sign in again). */
  readonly waitingFor: string | null
  /** When the current tier's time is over: `ai_review` escalates, `human` lapses. */
  readonly decideBy: Time
  /** When PENDING lapses whatever tier it is in. */
  readonly lapsesAt: Time
  /** APPROVED must be ACTIVE by then. */
  readonly startBy: Time | null
  readonly grant: Grant | null
  readonly ending: Ending | null
  readonly review: Review | null
  /** Why it is REJECTED, CANCELLED or FAILED, for people. */
  readonly outcome: string | null
  readonly extends: RequestId | null
  readonly extendedBy: RequestId | null
  readonly createdAt: Time
  readonly updatedAt: Time
}
