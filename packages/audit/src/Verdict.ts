/**
 * What a verification found: the chain is intact, or which entry broke first and how.
 *
 * A verdict is about evidence. That the evidence could not be read is none (`NotChecked`), and has an exit code of its
 * own, so that a script cannot take "I could not look" for "nothing was changed".
 */
import type { AuditChain } from "@jitsudo/core"
import * as Data from "effect/Data"

/** How an entry is wrong. `docs/spec/audit.md`, section 6, says of each what it means. */
export type Why =
  /** A sequence number is absent, and does not come later. */
  | "missing"
  /** A sequence number comes a second time. */
  | "duplicate"
  /** An entry stands after its successor. */
  | "reordered"
  /** The payload is not what was hashed. */
  | "payload-edited"
  /** The stored hash is not that of the entry, while the next entry still knows the right one. */
  | "hash-edited"
  /** The entry names another predecessor: one was taken out or put in here, or `prevHash` was edited. */
  | "prev-mismatch"
  /** A column that a reader searches by does not say what the payload says. */
  | "columns-disagree"
  /** A text, or its salt or hash, is not what the payload stands for. */
  | "text-edited"
  /** The entry, or a line of the export, does not have its form. */
  | "malformed"
  /** The log ends before a head that was seen. */
  | "truncated"
  /** The log has another hash than a head that was seen: it was rewritten, or that head is forged. */
  | "head-mismatch"

export interface Intact {
  readonly _tag: "Intact"
  /** First and last sequence number that were checked; `to` is `from - 1` when there was none. */
  readonly from: number
  readonly to: number
  /** To be kept: the next verification can go on from here, and must find it. */
  readonly head: AuditChain.Head
  /** How many entries were checked. */
  readonly entries: number
  /** Texts that were there and right. */
  readonly texts: number
  /** Texts that payloads stand for and that were deleted. */
  readonly redacted: number
  /** How many of the known heads stood where they must. */
  readonly heads: number
}

export interface Broken {
  readonly _tag: "Broken"
  /** The first entry that is wrong, by the position where it must stand. */
  readonly seq: number
  readonly why: Why
  /** What must stand there, and what stands there: for people, at most 200 characters each. */
  readonly expected: string
  readonly found: string
  /** How many entries before were checked and right. */
  readonly entries: number
}

export type Verdict = Intact | Broken

/** The evidence could not be checked. Says nothing about whether it was changed. */
export class NotChecked extends Data.TaggedError("NotChecked")<{
  /** `format`: no export of ours. `version`: a newer one. `unconnected`: it starts behind the point to go on from. */
  readonly reason: "format" | "version" | "unconnected"
  readonly message: string
}> {}

/** The exit codes of every program that verifies. */
export const exitCodes = { intact: 0, tampered: 1, notChecked: 2 } as const

export const exitCodeOf = (verdict: Verdict): number =>
  verdict._tag === "Intact" ? exitCodes.intact : exitCodes.tampered

const meanings: Readonly<Record<Why, string>> = {
  missing: "is missing",
  duplicate: "comes twice",
  reordered: "stands in the wrong place",
  "payload-edited": "was edited",
  "hash-edited": "has an edited hash",
  "prev-mismatch": "does not follow the entry before it",
  "columns-disagree": "has a column that disagrees with its payload",
  "text-edited": "has an edited text",
  malformed: "does not have the form of an entry",
  truncated: "was cut off, with everything after it",
  "head-mismatch": "is not the entry that was seen there before"
}

const counted = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`

/** One sentence for people. Quoted parts are foreign text: escape them for the place where they are shown. */
export const describe = (verdict: Verdict): string => {
  if (verdict._tag === "Broken") {
    const { expected, found } = verdict
    return `Chain broken: entry ${verdict.seq} ${meanings[verdict.why]} (${verdict.why}): expected ${expected}, found ${found}`
  }
  const redacted = verdict.redacted === 0 ? "" : `, ${counted(verdict.redacted, "text", "texts")} redacted`
  return `Chain intact: ${counted(verdict.entries, "event", "events")} verified${redacted}; head ${verdict.head.seq}:${verdict.head.hash}`
}
