/**
 * Verification by anyone: of the entries that a daemon gives out, and of an export without a daemon.
 *
 * Readers only: nothing that this module reaches can write a log, and it needs no more of core than types. Everything
 * runs in constant memory and stops at the first thing that is wrong.
 *
 * A verdict is the success of the Effect, also a bad one; `NotChecked` and the errors of the source mean that there is
 * none. Exit codes: `exitCodeOf(verdict)`, and `exitCodes.notChecked` for every failure.
 */
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Evidence } from "./ChainVerifier.ts"
import * as ChainVerifier from "./ChainVerifier.ts"
import * as ExportVerifier from "./ExportVerifier.ts"
import type { NotChecked, Verdict } from "./Verdict.ts"

export type { Evidence } from "./ChainVerifier.ts"
export { describe, exitCodeOf, exitCodes, NotChecked } from "./Verdict.ts"
export type { Broken, Intact, Verdict, Why } from "./Verdict.ts"

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
  /** Called after every part of the source. */
  readonly onProgress?: (progress: Progress) => Effect.Effect<void>
}

const resumed = ({ resume }: Options): ChainVerifier.Options =>
  resume === undefined || resume.seq === 0 ? {} : { start: resume, startIncluded: true }

const knownOf = ({ known }: Options): Pick<Options, "known"> => (known === undefined ? {} : { known })

/** True, so that reading goes on. */
const told = ({ onProgress }: Options, head: AuditChain.Head, bytes: number): Effect.Effect<boolean> =>
  onProgress === undefined ? Effect.succeed(true) : Effect.as(onProgress({ head, bytes }), true)

/**
 * Verify entries in order: all of them, or from `resume.seq` on.
 *
 * `head`, if given, is what the source claims as its end, read before the entries.
 */
export const verifyEntries = <E, R>(
  entries: Stream.Stream<Evidence, E, R>,
  options: Options & { readonly head?: AuditChain.Head } = {}
): Effect.Effect<Verdict, E, R> =>
  Effect.suspend(() => {
    const verifier = ChainVerifier.make({ ...resumed(options), ...knownOf(options) })
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

/**
 * Verify an export (docs/spec/audit.md, section 5): all of it, or what follows `resume`.
 *
 * Fails with `NotChecked` when the bytes are no export of ours in a version that is known here, or begin behind
 * `resume`.
 */
export const verifyExport = <E, R>(
  bytes: Stream.Stream<Uint8Array, E, R>,
  options: Options = {}
): Effect.Effect<Verdict, E | NotChecked, R> =>
  Effect.suspend(() => {
    const verifier = ExportVerifier.make({ ...knownOf(options), resume: options.resume })
    let result: Verdict | NotChecked | undefined
    let read = 0
    return Stream.runForEachWhile(bytes, (part) =>
      Effect.suspend(() => {
        result = verifier.push(part)
        read += part.length
        return result === undefined ? told(options, verifier.head(), read) : Effect.succeed(false)
      })
    ).pipe(
      Effect.flatMap((): Effect.Effect<Verdict, NotChecked> => {
        const end = result ?? verifier.finish()
        return end._tag === "NotChecked" ? Effect.fail(end) : Effect.succeed(end)
      })
    )
  })
