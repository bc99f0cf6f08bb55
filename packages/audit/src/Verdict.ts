/**
 * What a verification found: the chain is intact, or which entry broke first and how.
 *
 * A verdict is about evidence. That the evidence could not be read is none (`NotChecked`), and has an exit code of its
 * own, so that a script cannot take "I could not look" for "nothing was changed".
 */
import type { AuditChain } from "@jitsudo/core"
import * as Data from "effect/Data"
import type * as Frontier from "./Frontier.ts"
import type { Head } from "./Merkle.ts"

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
  /** The entries up to a checkpoint do not make the tree that it names. */
  | "root-mismatch"
  /** Two signed checkpoints, or a checkpoint and what it stands for, cannot be of one log. */
  | "forked"
  /** A checkpoint is not what a key of the log signed, or too few witnesses saw it. */
  | "checkpoint-refused"
  /** A tile is not there, or is not the one that the tree has in its place. */
  | "tile-mismatch"
  /** An entry stands there that the signed tree does not know. */
  | "inserted"
  /** From here on everything is another than the signed tree knows. */
  | "rewritten"

/** What showed it: the first of these that did not hold. */
export type Layer =
  /** The form of lines and payloads. */
  | "form"
  /** Positions without gaps. */
  | "sequence"
  /** Hash over hash. */
  | "chain"
  /** Texts beside entries against the hashes that stand for them. */
  | "text"
  /** What a reader searches by against the payload. */
  | "columns"
  /** An entry against the leaf of a signed tree. */
  | "leaf"
  /** Entries or tiles against the root of a checkpoint that came with them. */
  | "tree"
  /** A checkpoint against the keys of the log and its witnesses. */
  | "signature"
  /** All of it against what was seen earlier or elsewhere. */
  | "consistency"

/** What was done to the log, if it was done on purpose. */
export type Tampering =
  | "edited"
  | "removed"
  | "inserted"
  | "reordered"
  | "truncated"
  /** Everything from an entry on was made anew, so that it hangs together. */
  | "rewritten"
  /** Two logs under one name were shown to different people. */
  | "forked"
  /** What should prove the log was made by somebody else. */
  | "forged"

/** The tree over the log, as far as a verification computed it. */
export interface TreeFound {
  readonly head: Head
  /** To go on from, with `Intact.head`. */
  readonly frontier: Frontier.State
  /** How many known checkpoints stood where they must. */
  readonly known: number
  /** How many checkpoints came with the evidence and fit, and how many of these a key of the log signed. */
  readonly checkpoints: number
  readonly signed: number
}

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
  /** Absent when nothing asked for the tree. */
  readonly tree?: TreeFound
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
  /** When another layer showed it than the one that mostly does (`explain`). */
  readonly layer?: Layer
  /** The first entry that can be at fault, when `seq` is only where it showed: what is before is proved. */
  readonly since?: number
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
  "head-mismatch": "is not the entry that was seen there before",
  "root-mismatch": "ends another tree than a checkpoint names",
  forked: "belongs to another log than the one that was signed and seen before",
  "checkpoint-refused": "is covered by a checkpoint that is not the log's",
  "tile-mismatch": "stands under a tile that is missing or not the tree's",
  inserted: "was put in",
  rewritten: "was made anew, with everything after it"
}

const layers: Readonly<Record<Why, Layer>> = {
  missing: "sequence",
  duplicate: "sequence",
  reordered: "sequence",
  "payload-edited": "chain",
  "hash-edited": "chain",
  "prev-mismatch": "chain",
  "columns-disagree": "columns",
  "text-edited": "text",
  malformed: "form",
  truncated: "sequence",
  "head-mismatch": "consistency",
  "root-mismatch": "tree",
  forked: "consistency",
  "checkpoint-refused": "signature",
  "tile-mismatch": "tree",
  inserted: "leaf",
  rewritten: "leaf"
}

const fitting: Readonly<Record<Why, ReadonlyArray<Tampering>>> = {
  missing: ["removed"],
  duplicate: ["inserted"],
  reordered: ["reordered"],
  "payload-edited": ["edited"],
  "hash-edited": ["edited"],
  "prev-mismatch": ["inserted", "removed", "edited"],
  "columns-disagree": ["edited"],
  "text-edited": ["edited"],
  malformed: ["edited"],
  truncated: ["truncated"],
  "head-mismatch": ["rewritten", "forged"],
  "root-mismatch": ["rewritten"],
  forked: ["forked"],
  "checkpoint-refused": ["forged"],
  "tile-mismatch": ["edited", "removed"],
  inserted: ["inserted"],
  rewritten: ["rewritten"]
}

/** What showed that a log is broken, and what kinds of tampering fit, the likeliest first. */
export const explain = ({
  layer,
  why
}: Broken): { readonly layer: Layer; readonly fits: ReadonlyArray<Tampering> } => ({
  layer: layer ?? layers[why],
  fits: fitting[why]
})

const counted = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`

/** One sentence for people. Quoted parts are foreign text: escape them for the place where they are shown. */
export const describe = (verdict: Verdict): string => {
  if (verdict._tag === "Broken") {
    const { expected, found } = verdict
    return `Chain broken: entry ${verdict.seq} ${meanings[verdict.why]} (${verdict.why}): expected ${expected}, found ${found}`
  }
  const redacted = verdict.redacted === 0 ? "" : `, ${counted(verdict.redacted, "text", "texts")} redacted`
  const { tree } = verdict
  const trees = tree === undefined ? 0 : tree.known + tree.checkpoints
  const fits = tree === undefined ? "" : `, ${counted(trees, "checkpoint fits", "checkpoints fit")}`
  const signed = tree === undefined || tree.checkpoints === 0 ? "" : ` (${tree.signed} of ${tree.checkpoints} signed)`
  return `Chain intact: ${counted(verdict.entries, "event", "events")} verified${redacted}${fits}${signed}; head ${verdict.head.seq}:${verdict.head.hash}`
}
