/**
 * Durable work and the port that hands it out.
 *
 * A job is inserted by the step that causes it, in the same commit, and is claimed under a numbered lease. A result
 * counts only under the number that claimed it. Leases, attempts and due times are bookkeeping: they change outside
 * of steps; a job is settled (removed) only by a step, or by `giveUp` for kinds that may be given up.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { JsonObject } from "./Json.ts"
import type { StoreError } from "./Store.ts"
import type { Time } from "./Time.ts"

export type JobKind =
  /** Ask the provider to grant. */
  | "grant"
  /** Ask the provider to take back, until it confirms. No maximum age, never dead. */
  | "end"
  /** A grant reaches `notAfter`. */
  | "expire"
  /** PENDING: escalate or lapse; APPROVED: the start deadline. */
  | "deadline"
  /** Tell somebody. */
  | "notify"
  /** End what a new lock hits. */
  | "lock_sweep"
  /** Remind of an open break-glass review. */
  | "review"

export interface NewJob {
  /** Unique and derived from its cause, so that a repeated step cannot double it. */
  readonly id: string
  readonly kind: JobKind
  readonly requestId: string | null
  /** Jobs with the same key never run side by side, on any instance. */
  readonly serialKey: string | null
  readonly runAt: Time
  /** Not claimable before that job was claimed at least once, or is gone (break-glass: the alert goes first). */
  readonly after: string | null
  readonly payload: JsonObject
}

export interface Job extends NewJob {
  /** How often it was claimed, this time included. */
  readonly attempts: number
  readonly createdAt: Time
  /**
   * The number under which this claim holds the job; rises with every claim, and is never given out again for this id,
   * also when a settled id is inserted anew.
   */
  readonly lease: number
  readonly leaseUntil: Time
  readonly lastError: string | null
}

export class Jobs extends Context.Service<
  Jobs,
  {
    /**
     * Claim up to `limit` due jobs, the longest due first (`id` and `kinds` narrow it; a job asked for by id must be due
     * too). Skips what another holds, what has a live neighbour on its serial key (two jobs of one key never come out
     * of one claim either), what waits for another job (`after`), and the dead. Must be one short transaction; holds
     * nothing afterwards but the lease, which is over by itself `leaseSeconds` after the claim.
     */
    readonly claim: (options: {
      readonly holder: string
      readonly limit: number
      readonly leaseSeconds: number
      readonly id?: string
      readonly kinds?: ReadonlyArray<JobKind>
    }) => Effect.Effect<ReadonlyArray<Job>, StoreError>
    /**
     * True while this lease holds (as the guard `lease` says); it then ends `leaseSeconds` from now. False means
     * another may have the job: stop.
     */
    readonly renew: (job: Job, leaseSeconds: number) => Effect.Effect<boolean, StoreError>
    /** Hand it back: due `inSeconds` from now, with the error for people. No effect if the lease is lost. */
    readonly release: (
      job: Job,
      retry: { readonly inSeconds: number; readonly error: string | null }
    ) => Effect.Effect<void, StoreError>
    /** Into the dead-letter state, which alerts. `invalid` for `end`. No effect if the lease is lost. */
    readonly giveUp: (job: Job, error: string) => Effect.Effect<void, StoreError>
    /**
     * The earliest instant at which `claim` may give something if nothing else happens; null when there is none. It may
     * be past. What is held counts from the end of its lease, what has a live neighbour on its serial key from the end
     * of that lease; what waits for another job (`after`) does not count, nor do the dead.
     */
    readonly nextDue: Effect.Effect<Time | null, StoreError>
    /** `ready`: due and not held. Kinds of which there is nothing may be missing. */
    readonly counts: Effect.Effect<
      ReadonlyArray<{ readonly kind: JobKind; readonly ready: number; readonly leased: number; readonly dead: number }>,
      StoreError
    >
  }
>()("@jitsudo/core/Jobs") {}
