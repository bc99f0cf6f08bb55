/**
 * The port to state: reads with the database's clock, and one way to write.
 *
 * Every implementation must keep (contract suite `StoreContract`):
 * 1. `commit` is all or nothing: state, audit entries, texts and jobs together, durable when it returns.
 * 2. Guards are exact at the instant of the commit. A guard that fails is a `Conflict`, never an error, and leaves
 *    nothing behind.
 * 3. Entries get the next sequence numbers without gaps, linked in commit order.
 * 4. A step id commits at most once; repeating a committed step gives its first receipt, whatever has changed since.
 * 5. After `StoreError` with `outcome: "unknown"` the same step may be given to `commit` again.
 * 6. `invalid` (a malformed step, an unknown policy revision, a foreign cursor, a page limit below 1) changes nothing and
 *    is not retryable.
 * 7. There is no other write to requests, principals, locks, policies, credentials and entries.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Locks } from "./Lock.ts"
import type { PolicyRevision } from "./Policy.ts"
import type { PolicySource } from "./PolicySet.ts"
import type { Principal, PrincipalKey } from "./Principal.ts"
import type { Neighbour } from "./Provider.ts"
import type { Request, RequestId, State } from "./Request.ts"
import type { SealedCredentials } from "./Sealer.ts"
import type { Conflict, Receipt, Step } from "./Step.ts"
import type * as Stream from "effect/Stream"
import type { Time } from "./Time.ts"

export class StoreError extends Data.TaggedError("StoreError")<{
  /** `none`: nothing was written. `unknown`: a commit whose answer was lost. */
  readonly outcome: "none" | "unknown"
  readonly retryable: boolean
  /** `overloaded` when the commit queue is full. */
  readonly reason: "unavailable" | "overloaded" | "invalid" | "corrupt"
  readonly message: string
  readonly cause?: unknown
}> {}

/** The commit lost a race. The engine reads and decides again. */
export class StepConflict extends Data.TaggedError("StepConflict")<{ readonly conflict: Conflict }> {
  override get message(): string {
    return `the guard ${this.conflict.kind} no longer holds: ${this.conflict.id}`
  }
}

/** What to read together for a decision. */
export interface FactsQuery {
  readonly requestId?: RequestId
  /** Principals with their owners. Unknown ones are absent from the answer. */
  readonly principals?: ReadonlyArray<PrincipalKey>
  /** Read the deciders of the request too. */
  readonly withDeciders?: boolean
  /** This requester's `activeGrants`, whatever the role, and their `held` intervals of this role and scope. */
  readonly history?: {
    readonly principal: PrincipalKey
    readonly provider: string
    readonly role: string
    readonly resourceScope: string
  }
  /** A principal's use of an idempotency key in the last 24 h. */
  readonly idempotency?: { readonly principal: PrincipalKey; readonly route: string; readonly key: string }
}

export interface HeldInterval {
  readonly from: Time
  readonly to: Time
}

export interface StoredFacts {
  readonly now: Time
  readonly request: Request | undefined
  /** By `keyOf`. Owners of those asked for are included, and theirs. */
  readonly principals: ReadonlyMap<string, Principal>
  readonly locks: Locks
  readonly policy: PolicyRevision
  /** In ACTIVE, by id. Empty without `history`. */
  readonly activeGrants: ReadonlyArray<Request>
  /**
   * One for each grant that was issued, earliest first: from `issuedAt` to `notAfter`, or, once it is over, to
   * `ending.since` if that is earlier. Intervals may overlap (where they are many, overlapping ones may come as one) and
   * may end in the future. Empty without `history`.
   */
  readonly held: ReadonlyArray<HeldInterval>
  readonly idempotency: { readonly bodyHash: string; readonly requestId: RequestId } | undefined
}

/** All that is given must hold; equality is exact. */
export interface RequestFilter {
  /** Any of these; of an empty list, none. */
  readonly states?: ReadonlyArray<State>
  readonly requester?: PrincipalKey
  readonly requesterEmail?: string
  readonly provider?: string
  /** In canonical form. */
  readonly role?: string
  readonly resourceScope?: string
  /** Created at or after. */
  readonly since?: Time
  /** Created before. */
  readonly until?: Time
  readonly breakGlass?: boolean
  /** Has a review that nobody closed. */
  readonly openReview?: boolean
  /** `waitingFor` is set: enough approved, but somebody must sign in again. */
  readonly waiting?: boolean
}

export interface Page<A> {
  readonly items: ReadonlyArray<A>
  /** Give it back for the next page; null at the end. */
  readonly nextCursor: string | null
}

export class Store extends Context.Service<
  Store,
  {
    readonly facts: (query: FactsQuery) => Effect.Effect<StoredFacts, StoreError>
    readonly commit: (step: Step) => Effect.Effect<Receipt, StepConflict | StoreError>
    readonly request: (id: RequestId) => Effect.Effect<Option.Option<Request>, StoreError>
    /**
     * Newest first: by `createdAt`, then by id. Pages neither repeat nor skip what was there when the first was read.
     * `visibleTo` restricts to what a person may see: their own, and that of agents whom they own; what a stage names them in (one of its groups, their
     * e-mail or their `issuer#subject` among its users); and what routing leaves to an open quorum of people (tier `human`, no stages: the engine
     * then asks policy about each of those).
     */
    readonly requests: (options: {
      readonly filter: RequestFilter
      readonly limit: number
      readonly cursor?: string
      readonly visibleTo?: {
        readonly principal: PrincipalKey
        readonly email: string | null
        readonly groups: ReadonlyArray<string>
      }
    }) => Effect.Effect<Page<Request>, StoreError>
    /**
     * Grants with this resource key that are active, ending, or ended by us (in a final state after an ending) and not
     * yet past the instant at which anything of them can live. `notAfter` of each is that instant: `grant.latestEnd`.
     * In id order.
     */
    readonly neighbours: (resourceKey: string, except: RequestId) => Effect.Effect<ReadonlyArray<Neighbour>, StoreError>
    /** Requests in APPROVED, ACTIVE or ENDING of a provider, for reconciliation. In id order. */
    readonly live: (options: {
      readonly provider?: string
      readonly limit: number
      readonly cursor?: string
    }) => Effect.Effect<Page<Request>, StoreError>
    readonly credentials: (id: RequestId) => Effect.Effect<Option.Option<SealedCredentials>, StoreError>
    readonly principal: (key: PrincipalKey) => Effect.Effect<Option.Option<Principal>, StoreError>
    /** By issuer, then subject, both by code points. `email` is exact. */
    readonly principals: (options: {
      readonly email?: string
      readonly limit: number
      readonly cursor?: string
    }) => Effect.Effect<Page<Principal>, StoreError>
    readonly locks: Effect.Effect<Locks, StoreError>
    /** The current set, or an older one. Revision 0 has none. An unknown revision is `invalid`. */
    readonly policies: (
      revision?: number
    ) => Effect.Effect<
      { readonly revision: PolicyRevision; readonly policies: ReadonlyArray<PolicySource> },
      StoreError
    >
    /**
     * Bookkeeping outside of steps: a sign-in that changed nothing else. Never raises the version, and never moves
     * `groupsReadAt` back; `authTime` and `amr` are those given. No effect on somebody unknown.
     */
    readonly touchPrincipal: (
      key: PrincipalKey,
      seen: { readonly groupsReadAt: Time; readonly authTime: Time | null; readonly amr: ReadonlyArray<string> }
    ) => Effect.Effect<void, StoreError>
    /**
     * Announces, after each commit on any instance, which requests changed, whether policy did, and whether there is new
     * work. Several commits may come as one, and a commit of none of these need not come. A hint to read again, not a
     * log: what was committed while nobody listened is not announced.
     */
    readonly changes: Stream.Stream<Change>
  }
>()("@jitsudo/core/Store") {}

/** Something was committed. `requestIds` may be empty. */
export interface Change {
  readonly requestIds: ReadonlyArray<RequestId>
  readonly policy: boolean
  readonly jobs: boolean
}
