/**
 * Checks an export from its bytes, part by part: the form of every line, and through `ChainVerifier` what it says.
 *
 * Bytes are hostile until the first line is known to be ours; up to there the answer to anything wrong is `NotChecked`,
 * after it a verdict.
 *
 * Signatures are asynchronous and this is not: the notes of checkpoints whose tree fits are handed out by `notes`, for the
 * caller to verify before it believes anything that follows them.
 */
import type { AuditChain } from "@jitsudo/core"
import { genesis } from "./Chain.ts"
import type { ChainVerifier, Options as ChainOptions } from "./ChainVerifier.ts"
import * as Chain from "./ChainVerifier.ts"
import type { Footer, Header } from "./Export.ts"
import { decodeCheckpoint, decodeEntry, decodeFooter, decodeHeader, isCheckpoint, isFooter } from "./Export.ts"
import * as Lines from "./Lines.ts"
import type { Head as Tree } from "./Merkle.ts"
import type { Broken, Verdict } from "./Verdict.ts"
import { NotChecked } from "./Verdict.ts"

export interface Options {
  readonly resume?: AuditChain.Head | undefined
  readonly known?: ReadonlyArray<AuditChain.Head>
  /** Trees that somebody trustworthy signed. The export must have what it takes to compute its own. */
  readonly checkpoints?: ReadonlyArray<Tree>
  readonly canonical?: boolean
}

/** A checkpoint of the export, and where it stands. */
export interface NoteFound {
  readonly note: string
  /** The entry before it. */
  readonly seq: number
}

export interface ExportVerifier {
  /** The next bytes. A result ends the verification: give no more. */
  readonly push: (bytes: Uint8Array) => Verdict | NotChecked | undefined
  /** There are no more bytes. */
  readonly finish: () => Verdict | NotChecked
  readonly head: () => AuditChain.Head
  /** The checkpoints since the last call, each to be verified and then told of by `signed`. */
  readonly notes: () => ReadonlyArray<NoteFound>
  readonly signed: () => void
  /** A checkpoint that the log's key did not sign. */
  readonly refused: (found: NoteFound, why: string) => Broken
}

const noExport = (found: string): NotChecked =>
  new NotChecked({ reason: "format", message: `not an export of a jitsudo audit log: ${found}` })

const newer = new NotChecked({
  reason: "version",
  message: "the export has a format newer than this program: verify it with the version that made it"
})

const contradicts = (seq: number, why: Broken["why"], expected: string, found: string): Broken => ({
  _tag: "Broken",
  seq,
  why,
  expected,
  found,
  entries: 0
})

/** Where to begin behind this header, or why there is nothing to begin with. */
const startOf = (header: Header, resume: AuditChain.Head | undefined): ChainOptions | Broken | NotChecked => {
  const before = { seq: header.from - 1, hash: header.prevHash }
  if (before.seq === 0 && before.hash !== genesis) return contradicts(1, "prev-mismatch", genesis, before.hash)
  if (resume === undefined || resume.seq === 0) return { start: before }
  if (resume.seq > before.seq) return { start: resume, startIncluded: true }
  if (resume.seq === before.seq) {
    return resume.hash === before.hash
      ? { start: before }
      : contradicts(resume.seq, "head-mismatch", resume.hash, before.hash)
  }
  return new NotChecked({
    reason: "unconnected",
    message:
      `the export begins at entry ${header.from}, behind ${resume.seq}, where the verification goes on: ` +
      `export from ${resume.seq} or earlier`
  })
}

/** Whether, and from where, to compute the tree. */
const treeOf = (header: Header, known: Options["checkpoints"]): Pick<ChainOptions, "tree"> | NotChecked => {
  const wanted = known !== undefined && known.length > 0
  const hashes = header.tree ?? (wanted && header.from === 1 ? [] : undefined)
  if (hashes !== undefined) {
    return { tree: { before: { size: header.from - 1, hashes }, ...(known === undefined ? {} : { known }) } }
  }
  if (!wanted) return {}
  return new NotChecked({
    reason: "unconnected",
    message:
      `the export begins at entry ${header.from} and has not the tree before it, so no checkpoint can be held against ` +
      "it: export from 1, or with checkpoints"
  })
}

export const make = (options: Options): ExportVerifier => {
  const lines = Lines.make()
  let chain: ChainVerifier | undefined
  let covered = false
  let before = 0
  let found: Array<NoteFound> = []
  let footer: Footer | undefined
  let count = 0

  const begin = (line: string): Verdict | NotChecked | undefined => {
    const header = decodeHeader(line)
    if (header === "newer") return newer
    if (header === "none") return noExport("the first line is not that of one")
    const start = startOf(header, options.resume)
    if ("_tag" in start) return start
    const tree = treeOf(header, options.checkpoints)
    if ("_tag" in tree) return tree
    covered = header.tree !== undefined
    before = start.start?.seq ?? 0
    const canonical = options.canonical === true
    chain = Chain.make({
      ...start,
      ...tree,
      canonical,
      ...(options.known === undefined ? {} : { known: options.known })
    })
    return undefined
  }

  const checkpoint = (line: string, of: ChainVerifier): Verdict | undefined => {
    const read = covered ? decodeCheckpoint(line) : undefined
    if (read === undefined)
      return of.fail("malformed", "an entry, or a checkpoint as exports with a tree have it", line)
    const wrong = of.checkpoint(read.checkpoint)
    if (wrong === undefined) found.push({ note: read.note, seq: read.checkpoint.size })
    return wrong
  }

  const next = (line: string): Verdict | NotChecked | undefined => {
    if (chain === undefined) return begin(line)
    if (footer !== undefined) return chain.fail("malformed", "the end of the export", line)
    if (isFooter(line)) {
      footer = decodeFooter(line)
      return footer === undefined ? chain.fail("malformed", "the last line as exports have it", line) : undefined
    }
    if (isCheckpoint(line)) return checkpoint(line, chain)
    const entry = decodeEntry(line)
    if (entry === undefined) return chain.fail("malformed", "an entry as exports have it", line)
    count++
    return chain.push(entry)
  }

  const spoilt = (found: string): Verdict | NotChecked =>
    chain?.fail("malformed", "lines of UTF-8, each ended by a line feed", found) ?? noExport(found)

  return {
    push: (bytes) => {
      const complete = lines.push(bytes)
      for (const line of complete.lines) {
        const result = next(line)
        if (result !== undefined) return result
      }
      return complete.spoilt ? spoilt("bytes that are no UTF-8, or a line of more than 16 MiB") : undefined
    },
    finish: () => {
      if (chain === undefined) return noExport("it has no first line")
      if (footer === undefined) return chain.fail("truncated", "the last line of the export", "the end")
      if (lines.rest() > 0) return spoilt(`${lines.rest()} bytes behind the last line`)
      const verdict = chain.finish(footer.head)
      return verdict._tag === "Intact" && footer.count !== count
        ? chain.fail("malformed", `a count of ${count}`, `a count of ${footer.count}`)
        : verdict
    },
    head: () => chain?.head() ?? { seq: 0, hash: genesis },
    notes: () => {
      const notes = found
      found = []
      return notes
    },
    signed: () => chain?.signed(),
    refused: ({ seq }, why) => ({
      ...contradicts(seq, "checkpoint-refused", "a checkpoint that the log's key signed", why.slice(0, 200)),
      entries: Math.max(0, seq - before)
    })
  }
}
