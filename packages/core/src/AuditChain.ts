/**
 * The port to the audit log, for readers.
 *
 * There is no append: entries come into being in `Store.commit` only, with the change that they record. Every
 * implementation must keep:
 * 1. Sequence numbers are 1, 2, 3, ... without gaps; an entry that was read once reads the same for ever.
 * 2. What is given is what is stored: payload, hashes and columns are never recomputed, repaired or left out on the way,
 *    because a verifier must see what an attacker left.
 * 3. A read sees a prefix of the log: never an entry without all its predecessors.
 * 4. Every read is safe to repeat. `AuditChainError` says nothing about the log's integrity.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { AuditAction, EntryText, Outcome } from "./AuditRecord.ts"
import type { Page } from "./Store.ts"
import type { Time } from "./Time.ts"

/** The last entry of a log or of a part of it; `{seq: 0, hash: 64 zeros}` when there is none. */
export interface Head {
  readonly seq: number
  /** 64 lower-case hexadecimal digits. */
  readonly hash: string
}

/**
 * What a store keeps beside the payload to search by. Verification compares each one that is given with the payload.
 * `time` has the payload's form (RFC 3339, UTC, six fractional digits).
 */
export interface EntryColumns {
  readonly time?: string
  readonly actorIssuer?: string
  readonly actorSubject?: string
  readonly actorEmail?: string | null
  readonly actorKind?: string
  readonly action?: string
  readonly outcome?: string
  readonly requestId?: string | null
  readonly provider?: string | null
  readonly role?: string | null
  readonly resourceScope?: string | null
}

/** One line of the log as it is stored. */
export interface Entry {
  readonly seq: number
  /** The id of the draft; not part of the evidence. */
  readonly id: string
  /** The canonical text: what counts. */
  readonly payload: string
  readonly prevHash: string
  readonly hash: string
  /** The texts that were not redacted. Those that the payload names and that are not here were. */
  readonly texts: ReadonlyArray<EntryText>
  readonly columns?: EntryColumns
}

/** All conditions must hold. */
export interface EntryFilter {
  /** A verified e-mail address, or issuer and subject as `keyOf` writes them. */
  readonly actor?: string
  readonly action?: AuditAction
  readonly requestId?: string
  readonly provider?: string
  readonly outcome?: Outcome
  /** Inclusive. */
  readonly since?: Time
  /** Exclusive. */
  readonly until?: Time
}

/** `oldest` counts up from the first entry, `newest` down from the last. */
export type Order = "oldest" | "newest"

/** The log could not be read now. A later try may succeed if `retryable`. */
export class AuditChainError extends Data.TaggedError("AuditChainError")<{
  readonly reason: "unavailable" | "corrupt"
  readonly retryable: boolean
  readonly message: string
  readonly cause?: unknown
}> {}

/** The cursor was not given out by this log for this order. */
export class InvalidCursor extends Data.TaggedError("InvalidCursor")<{ readonly cursor: string }> {
  override get message(): string {
    return "the cursor is not one of this listing: start again without it"
  }
}

export class AuditChain extends Context.Service<
  AuditChain,
  {
    readonly head: Effect.Effect<Head, AuditChainError>
    /** Entries `from` to `to` (both inclusive, clipped to the log), at most `limit`, in `order`. */
    readonly read: (options: {
      readonly from?: number
      readonly to?: number
      readonly limit: number
      readonly order: Order
    }) => Effect.Effect<ReadonlyArray<Entry>, AuditChainError>
    /** A page of what matches. Entries appended meanwhile never repeat or drop one on the pages that follow. */
    readonly query: (options: {
      readonly filter: EntryFilter
      readonly limit: number
      readonly order: Order
      readonly cursor?: string
    }) => Effect.Effect<Page<Entry>, AuditChainError | InvalidCursor>
    /** Every entry from `from` (1 if absent) to `to` (the head at the start if absent), oldest first, in constant memory. */
    readonly stream: (range?: { readonly from?: number; readonly to?: number }) => Stream.Stream<Entry, AuditChainError>
    /** The text with this hash; none where it never was or was redacted. */
    readonly text: (hash: string) => Effect.Effect<Option.Option<EntryText>, AuditChainError>
  }
>()("@jitsudo/core/AuditChain") {}
