/**
 * What the daemon shows of its log to whoever does not trust it: checkpoints, the tree's hashes, and the log's keys.
 *
 * 1. `latest` and `hashes` give only what is committed. A hash of a complete subtree never changes.
 * 2. Nothing here has to be believed: checkpoints carry signatures, and hashes are held against a checkpoint.
 */
import type { LogKey, Proofs } from "@jitsudo/audit"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"

/** A checkpoint that was signed and committed. */
export interface Signed {
  readonly size: number
  /** 64 lower-case hexadecimal digits. */
  readonly root: string
  readonly origin: string
  /** The signed note. */
  readonly note: string
}

/** Checkpoint or tree could not be read now. Says nothing about the log's integrity. */
export class EvidenceError extends Data.TaggedError("EvidenceError")<{
  readonly message: string
  readonly retryable: boolean
  readonly cause?: unknown
}> {}

export class Evidence extends Context.Service<
  Evidence,
  {
    /** Every key whose signatures count, with the sizes that it speaks for; none where the log is not signed. */
    readonly keys: ReadonlyArray<LogKey.LogKey>
    /** The checkpoint of the largest size. */
    readonly latest: Effect.Effect<Option.Option<Signed>, EvidenceError>
    /** Hashes of subtrees that are complete in the latest checkpoint's tree. */
    readonly hashes: Proofs.HashReader<EvidenceError>
  }
>()("@jitsudo/server/Evidence") {}

/** A log that nobody signs. */
export const layerNone: Layer.Layer<Evidence> = Layer.succeed(
  Evidence,
  Evidence.of({
    keys: [],
    latest: Effect.succeedNone,
    hashes: () => Effect.die(new Error("a log without checkpoints has no tree"))
  })
)
