/**
 * Verification by anyone: of the entries that a daemon gives out, and, without a daemon, of an export, of a directory of
 * tiles, and of a receipt.
 *
 * Readers only: nothing that this module reaches can write or sign a log, and it needs no more of core than types and
 * canonical JSON. Everything runs in constant memory and stops at the first thing that is wrong.
 *
 * A verdict is the success of the Effect, also a bad one; `NotChecked` and the errors of the source mean that there is
 * none. Exit codes: `exitCodeOf(verdict)`, and `exitCodes.notChecked` for every failure.
 */
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Evidence } from "./ChainVerifier.ts"
import * as ChainVerifier from "./ChainVerifier.ts"
import type { Trust } from "./Checkpoint.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as ExportVerifier from "./ExportVerifier.ts"
import type * as Frontier from "./Frontier.ts"
import type { Head as Tree } from "./Merkle.ts"
import type { Broken, NotChecked, Verdict } from "./Verdict.ts"

export * as Checkpoint from "./Checkpoint.ts"
export * as Cosignature from "./Cosignature.ts"
export * as LogKey from "./LogKey.ts"
export * as Merkle from "./Merkle.ts"
export * as Receipt from "./Receipt.ts"
export * as Tiles from "./Tiles.ts"
export * as VerifiedTiles from "./VerifiedTiles.ts"
export * as VerifierKey from "./VerifierKey.ts"
export type { Evidence } from "./ChainVerifier.ts"
export { verifyTiles } from "./TilesVerifier.ts"
export type { TilesOptions } from "./TilesVerifier.ts"
export { describe, exitCodeOf, exitCodes, explain, NotChecked } from "./Verdict.ts"
export type { Broken, Intact, Layer, Tampering, TreeFound, Verdict, Why } from "./Verdict.ts"

export interface Progress {
  /** The last entry that was checked. */
  readonly head: AuditChain.Head
  /** Bytes read; 0 for entries that come from a daemon. */
  readonly bytes: number
}

export interface Options {
  /**
   * Go on from the head of an earlier verification. The entries given must begin at it or before: what lies before is
   * passed over, and the entry there must still have that hash.
   */
  readonly resume?: AuditChain.Head
  /** Heads that must be found (the newest that a client saw, an anchor): what shows a cut or a rewritten log. */
  readonly known?: ReadonlyArray<AuditChain.Head>
  /**
   * Signed trees that must be found: checkpoints seen earlier or anchored elsewhere, from `Checkpoint.verify`. They must
   * be of this log's origin. With none, and no tree in the export, no tree is computed.
   */
  readonly checkpoints?: ReadonlyArray<Tree>
  /** Also ask whether every payload is the canonical text of what it says: a sixth slower. */
  readonly canonical?: boolean
  /** Called after every part of the source. */
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

const resumed = ({ resume }: Options): ChainVerifier.Options =>
  resume === undefined || resume.seq === 0 ? {} : { start: resume, startIncluded: true }

/** For `verifyEntries`: which tree to hold against the checkpoints. */
const treeOf = ({ before, checkpoints }: EntriesOptions): Pick<ChainVerifier.Options, "tree"> =>
  before === undefined && checkpoints === undefined
    ? {}
    : {
        tree: {
          ...(before === undefined ? {} : { before }),
          ...(checkpoints === undefined ? {} : { known: checkpoints })
        }
      }

const canonicalOf = ({ canonical }: Options): Pick<Options, "canonical"> =>
  canonical === undefined ? {} : { canonical }

const knownOf = ({ known }: Options): Pick<Options, "known"> => (known === undefined ? {} : { known })

/** True, so that reading goes on. */
const told = ({ onProgress }: Options, head: AuditChain.Head, bytes: number): Effect.Effect<boolean> =>
  onProgress === undefined ? Effect.succeed(true) : Effect.as(onProgress({ head, bytes }), true)

export interface EntriesOptions extends Options {
  /** What the source claims as its end, read before the entries. */
  readonly head?: AuditChain.Head
  /** The tree of an earlier verification (`TreeFound.frontier`): needed with `checkpoints` when entry 1 is not given. */
  readonly before?: Frontier.State
}

/** Verify entries in order: all of them, or from `resume.seq` on. */
export const verifyEntries = <E, R>(
  entries: Stream.Stream<Evidence, E, R>,
  options: EntriesOptions = {}
): Effect.Effect<Verdict, E, R> =>
  Effect.suspend(() => {
    const verifier = ChainVerifier.make({
      ...resumed(options),
      ...knownOf(options),
      ...treeOf(options),
      ...canonicalOf(options)
    })
    let verdict: Verdict | undefined
    return Stream.runForEachWhile(Stream.chunks(entries), (chunk) =>
      Effect.suspend(() => {
        for (const entry of chunk) {
          verdict = verifier.push(entry)
          if (verdict !== undefined) return Effect.succeed(false)
        }
        return told(options, verifier.head(), 0)
      })
    ).pipe(Effect.map(() => verdict ?? verifier.finish(options.head)))
  })

export interface ExportOptions extends Options {
  /** The log's keys: with them, every checkpoint in the export must be signed, and seen by as many witnesses as needed. */
  readonly trust?: Trust
}

/** The first of the checkpoints just read that nobody has to believe. */
const firstRefused = (
  verifier: ExportVerifier.ExportVerifier,
  { trust }: ExportOptions
): Effect.Effect<Broken | undefined> =>
  Effect.gen(function* () {
    // Taken even when nobody asks: what is read is not kept.
    const notes = verifier.notes()
    if (trust === undefined) return undefined
    for (const found of notes) {
      const why = yield* Checkpoint.verify(found.note, trust).pipe(
        Effect.match({ onFailure: ({ message }) => message, onSuccess: () => undefined })
      )
      if (why !== undefined) return verifier.refused(found, why)
      verifier.signed()
    }
    return undefined
  })

/**
 * Verify an export (docs/spec/audit.md, section 5): all of it, or what follows `resume`.
 *
 * Fails with `NotChecked` when the bytes are no export of ours in a version that is known here, begin behind `resume`, or
 * have no tree to hold `checkpoints` against.
 */
export const verifyExport = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: ExportOptions = {}
): Effect.Effect<Verdict, E | NotChecked, R> =>
  Effect.suspend(() => {
    const { checkpoints } = options
    const trees = checkpoints === undefined ? {} : { checkpoints }
    const verifier = ExportVerifier.make({
      ...knownOf(options),
      ...canonicalOf(options),
      ...trees,
      resume: options.resume
    })
    let result: Verdict | NotChecked | undefined
    let read = 0
    return Stream.runForEachWhile(bytes, (part) =>
      Effect.gen(function* () {
        const next = verifier.push(part)
        // What stands before the end of this part is judged before it.
        result = (yield* firstRefused(verifier, options)) ?? next
        read += part.length
        return result === undefined ? yield* told(options, verifier.head(), read) : false
      })
    ).pipe(
      Effect.flatMap((): Effect.Effect<Verdict, NotChecked> => {
        const end = result ?? verifier.finish()
        return end._tag === "NotChecked" ? Effect.fail(end) : Effect.succeed(end)
      })
    )
  })
