/**
 * A step: one change as plain data. `Store.commit` is all or nothing over it.
 *
 * Guards say what the decision was made on; if one no longer holds the commit changes nothing and names it, and the
 * engine reads and decides again. A step with records only (a refused login, an agent's tool call) is a step too.
 */
import type { EntryDraft } from "./AuditRecord.ts"
import type { NewJob } from "./Job.ts"
import type { Lock } from "./Lock.ts"
import type { PolicySource } from "./PolicySet.ts"
import type { Principal, PrincipalKey } from "./Principal.ts"
import type { Request, RequestId } from "./Request.ts"
import type { SealedCredentials } from "./Sealer.ts"
import type { Time } from "./Time.ts"

export type Guard =
  /** The request stands at this version (0: there is none). */
  | { readonly kind: "request"; readonly id: RequestId; readonly version: number }
  /** The principal stands at this version (0: nobody has seen it yet). */
  | { readonly kind: "principal"; readonly key: PrincipalKey; readonly version: number }
  /** 0 before the first. */
  | { readonly kind: "policy"; readonly revision: number }
  /** 0 before the first. */
  | { readonly kind: "locks"; readonly revision: number }
  /**
   * The job is still held under this lease: the number is the last one given out, it was not handed back, and its time
   * is not over. A lease whose time is over is lost even if nobody claimed the job since (its serial key was free).
   */
  | { readonly kind: "lease"; readonly jobId: string; readonly lease: number }

export type Write =
  /** Insert (`expect` 0) or replace version `expect` by `next`, whose version is `expect + 1`. Guards it as well. */
  | { readonly kind: "request"; readonly expect: number; readonly next: Request }
  | { readonly kind: "principal"; readonly expect: number; readonly next: Principal }
  /** Raises the locks' revision by one. A lock whose id is in place fails the guard `lock`. */
  | { readonly kind: "lock"; readonly lock: Lock }
  /** Raises it too. A lock that is not in place fails the guard `lock`. */
  | { readonly kind: "unlock"; readonly id: string }
  /** Replaces the whole set of policies: revision `expect` by `expect + 1`. */
  | {
      readonly kind: "policies"
      readonly expect: number
      readonly hash: string
      readonly policies: ReadonlyArray<PolicySource>
    }
  /** Null wipes. */
  | { readonly kind: "credentials"; readonly requestId: RequestId; readonly sealed: SealedCredentials | null }
  /**
   * First use of an idempotency key by this principal on this route; a second use fails the guard `idempotency`. Keys
   * are remembered for 24 h from the commit; afterwards the next use is a first one.
   */
  | {
      readonly kind: "idempotency"
      readonly principal: PrincipalKey
      readonly route: string
      readonly key: string
      readonly bodyHash: string
      readonly requestId: RequestId
    }
  /** Remove a job that is done, dead ones too; nothing happens if it is gone. With its lease as a guard where that matters. */
  | { readonly kind: "settle"; readonly jobId: string }
  /** Change a job's due time (the ending is moved to now), not its lease; nothing happens if it is gone or dead. */
  | { readonly kind: "reschedule"; readonly jobId: string; readonly runAt: Time }

/**
 * Guards and what writes expect are compared with the state before the step; then its writes are made, then its jobs
 * inserted (a job whose id is already there, dead or alive, is left as it is), then its entries linked. A step that
 * contradicts itself (`StepShape.whyMalformed`) is refused as `invalid` before anything else.
 */
export interface Step {
  /** `stp_` + ULID, made by the client: after a lost answer the store is asked whether it was committed. */
  readonly id: string
  /** The instant that was decided on; the commit refuses it when more than 5 s from the database's clock. */
  readonly now: Time
  readonly guards: ReadonlyArray<Guard>
  readonly writes: ReadonlyArray<Write>
  readonly entries: ReadonlyArray<EntryDraft>
  readonly jobs: ReadonlyArray<NewJob>
}

/** What a commit gave. */
export interface Receipt {
  readonly stepId: string
  /** Sequence numbers and hashes of the step's entries, in order. */
  readonly entries: ReadonlyArray<{ readonly seq: number; readonly hash: string }>
}

/**
 * Which guard failed: a lost race, not an error. When several fail, one of them is named.
 *
 * `id` is the request's id, the principal's `keyOf`, the job's id for `lease`, the key for `idempotency`, the lock's id
 * for `lock`, and the kind itself for `policy`, `locks` and `clock`. What a write expects counts as its guard: a policies
 * write on another revision is `policy`.
 */
export type Conflict =
  | { readonly kind: Guard["kind"] | "idempotency" | "lock"; readonly id: string }
  | { readonly kind: "clock"; readonly id: string }
