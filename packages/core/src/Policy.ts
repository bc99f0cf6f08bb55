/**
 * The port to policy: facts in, verdict out.
 *
 * Implementations must fail closed: an evaluation that is undefined, conflicting, ill-typed, slow or crashed is a
 * denial inside the verdict, with the policy's name among the findings. Only "facts or the revision could not be
 * read" is an error, and it makes the request unavailable; it never allows.
 * Combination over several policies is the implementation's job (docs/spec/policy.md).
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { JsonObject } from "./Json.ts"
import type { PrincipalKind, TrustTier } from "./Principal.ts"

export type PolicyAction = "request" | "route" | "approve" | "deny" | "ai_approve" | "revoke" | "break_glass"

export type Tier = "auto" | "ai_review" | "human"

/** A person or agent as policies see it. Every field is always present. */
export interface PolicyPrincipal {
  readonly email: string
  readonly subject: string
  readonly issuer: string
  readonly groups: ReadonlyArray<string>
  readonly groups_age_seconds: number
  readonly kind: PrincipalKind
  /** RFC 3339, or empty. */
  readonly auth_time: string
  readonly amr: ReadonlyArray<string>
}

/** The one document that all policies get. Names are part of the public contract. */
export interface PolicyInput {
  readonly version: 1
  readonly action: PolicyAction
  readonly user: PolicyPrincipal
  readonly requester: PolicyPrincipal
  readonly request: {
    readonly id: string
    readonly provider: string
    readonly role: string
    readonly role_asked: string
    readonly resource_scope: string
    readonly duration_seconds: number
    readonly reason: string
    readonly break_glass: boolean
    readonly metadata: Readonly<Record<string, string>>
    /** RFC 3339. */
    readonly created_at: string
  }
  readonly review: { readonly confidence: number; readonly risk: string; readonly model: string }
  readonly context: {
    readonly trust_tier: TrustTier
    readonly requester_trust_tier: TrustTier
    readonly now: string
    /** Nanoseconds since the epoch. */
    readonly now_ns: number
    readonly channel: string
    readonly source_ip: string
    readonly approvals: ReadonlyArray<{ readonly email: string; readonly subject: string; readonly at: string }>
    readonly active_grants: ReadonlyArray<{
      readonly request_id: string
      readonly provider: string
      readonly role: string
      readonly resource_scope: string
      readonly not_after: string
    }>
    readonly held_seconds: number
    readonly open_breakglass_reviews: number
    /** From the operator only; `facts_ok` is always there. */
    readonly labels: JsonObject
  }
}

/** What one policy said: part of the decision record. */
export interface Finding {
  readonly policy: string
  readonly says: string
  readonly reasons: ReadonlyArray<string>
}

/** Somebody or some group that a policy names. A bare string with `@` is a user's e-mail, another is a group. */
export interface Approvers {
  readonly groups: ReadonlyArray<string>
  readonly users: ReadonlyArray<string>
}

/** A policy that names approvers makes a stage; all stages must be met. */
export interface StageRule extends Approvers {
  readonly policy: string
  readonly quorum: number
}

/** May it be asked for? (`request`, `break_glass`) */
export interface Eligibility {
  readonly allowed: boolean
  /** Denials first, then reasons; all of them, for the requester. */
  readonly reasons: ReadonlyArray<string>
  /** The longest unbroken time that policy accepts, in seconds; null means the default (24 h). */
  readonly maxTotalSeconds: number | null
  /** Break-glass only: an open review of the same person blocks the next one. */
  readonly blockOnOpenReview: boolean
  readonly findings: ReadonlyArray<Finding>
}

/** Who decides? (`route`) */
export interface RoutingVerdict {
  readonly tier: Tier
  readonly stages: ReadonlyArray<StageRule>
  /** Used when `stages` is empty: how many of whoever `allow` admits. */
  readonly openQuorum: number
  readonly findings: ReadonlyArray<Finding>
}

/** May this one decide or act? (`approve`, `deny`, `ai_approve`, `revoke`) */
export interface Admission {
  /** Some policy's `allow` (for `ai_approve`: `ai_allow`) is true. Not needed by those whom a stage names. */
  readonly allowed: boolean
  /** Some policy denies, or failed: final. */
  readonly denied: boolean
  readonly reasons: ReadonlyArray<string>
  readonly findings: ReadonlyArray<Finding>
}

/** A revision of the whole set of policies. */
export interface PolicyRevision {
  /** 0 before anything was applied; rises by one with every change. */
  readonly number: number
  /** SHA-256 over the sources, hex; 64 zeros at revision 0. */
  readonly hash: string
}

export class PolicyUnavailable extends Data.TaggedError("PolicyUnavailable")<{ readonly message: string }> {}

export class Policy extends Context.Service<
  Policy,
  {
    /**
     * Evaluate on exactly this revision number, loading it if this process serves another. A repeat is safe.
     * Fails when that revision cannot be loaded; never answers from another one.
     */
    readonly eligibility: (revision: number, input: PolicyInput) => Effect.Effect<Eligibility, PolicyUnavailable>
    readonly routing: (revision: number, input: PolicyInput) => Effect.Effect<RoutingVerdict, PolicyUnavailable>
    readonly admission: (revision: number, input: PolicyInput) => Effect.Effect<Admission, PolicyUnavailable>
  }
>()("@jitsudo/core/Policy") {}
