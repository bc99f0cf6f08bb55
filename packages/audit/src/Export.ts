/**
 * The export: a file that proves a stretch of the log without the daemon (docs/spec/audit.md, section 5).
 *
 *     {"format":"jitsudo-audit","v":1,"from":1,"prevHash":"00..."}
 *     {"seq":1,"payload":"...","prevHash":"...","hash":"...","texts":[{"hash":"...","salt":"...","text":"..."}]}
 *     {"head":{"seq":1,"hash":"..."},"count":1}
 *
 * 1. NDJSON in UTF-8, each line ended by one line feed, members in this order and without white space: `JSON.stringify`
 *    of what a line says is the line. So there is one file for one stretch, and every byte of it is checked.
 * 2. The last line is written only after the last entry: a file without it was cut off.
 * 3. Nothing in it is not covered by the hashes. Who exported it and when is an entry of the log.
 * 4. An export with checkpoints says so in its first line, by the tree before the first entry, and has each of them
 *    behind the last entry that it covers: `{"checkpoint":"<the signed note>"}`.
 *
 * Columns are not exported: they are no evidence.
 */
import type { AuditChain, AuditRecord } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { isHash } from "./Chain.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Frontier from "./Frontier.ts"

/** What the first line says: the first entry's sequence number, and the hash before it. */
export interface Header {
  readonly from: number
  readonly prevHash: string
  /** The tree before the first entry (`Frontier.State.hashes`); there when the export may have checkpoints. */
  readonly tree?: ReadonlyArray<string>
}

/** What the last line says. `head` is the last entry, or what stands before the first if there is none. */
export interface Footer {
  readonly head: AuditChain.Head
  readonly count: number
}

export type ExportedEntry = Omit<AuditChain.Entry, "id" | "columns">

const format = "jitsudo-audit"

export const encodeHeader = (header: Header): string =>
  JSON.stringify({
    format,
    v: 1,
    from: header.from,
    prevHash: header.prevHash,
    ...(header.tree === undefined ? {} : { tree: header.tree })
  })

const textsOf = (texts: ReadonlyArray<AuditRecord.EntryText>) =>
  texts.map(({ hash, salt, text }) => ({ hash, salt, text }))

export const encodeEntry = ({ seq, payload, prevHash, hash, texts }: ExportedEntry): string =>
  JSON.stringify({ seq, payload, prevHash, hash, texts: textsOf(texts) })

/** A signed checkpoint among the entries, behind the last one that it covers. */
export const encodeCheckpoint = (note: string): string => JSON.stringify({ checkpoint: note })

export const encodeFooter = ({ head, count }: Footer): string =>
  JSON.stringify({ head: { seq: head.seq, hash: head.hash }, count })

/** A signed checkpoint with its size, as a stream of them is sorted. */
export interface CheckpointLine {
  readonly size: number
  readonly note: string
}

/** The tree that an export begins with, and the checkpoints to put into it: by rising size, each once. */
export interface WithCheckpoints {
  readonly tree: Frontier.State
  readonly checkpoints: ReadonlyArray<CheckpointLine>
}

const startsThere = (start: AuditChain.Head, tree: Frontier.State): boolean =>
  Frontier.isState(tree) && tree.size === start.seq

/**
 * The export of `entries`, which follow `start` in order, as text to be written in UTF-8. `start` is the empty log
 * (`{seq: 0, hash: genesis}`) or the head before the first entry.
 *
 * If reading the entries fails the text ends without the last line, so what was written is no whole export.
 *
 * With `covering`, checkpoints of sizes that are not passed are left out. A tree of another size than `start` is a
 * defect.
 */
export const encode = <E, R>(
  start: AuditChain.Head,
  entries: Stream.Stream<ExportedEntry, E, R>,
  covering?: WithCheckpoints
) =>
  Stream.suspend(() => {
    let head = start
    let count = 0
    if (covering !== undefined && !startsThere(start, covering.tree)) {
      return Stream.fromEffect(Effect.die(new RangeError(`no tree of ${start.seq} entries: ${covering.tree.size}`)))
    }
    const rest = (covering?.checkpoints ?? []).filter(({ size }) => size >= start.seq)
    let next = 0
    /** The checkpoints of the size that the export has reached. */
    const reached = (): string => {
      let text = ""
      for (let one = rest[next]; one !== undefined && one.size <= head.seq; one = rest[++next]) {
        text += one.size === head.seq ? `${encodeCheckpoint(one.note)}\n` : ""
      }
      return text
    }
    const body = Stream.mapArray(entries, (chunk) => {
      let text = ""
      for (const entry of chunk) {
        text += `${encodeEntry(entry)}\n`
        head = { seq: entry.seq, hash: entry.hash }
        count++
        if (next < rest.length) text += reached()
      }
      return [text]
    })
    const tree = covering === undefined ? {} : { tree: covering.tree.hashes }
    const header = encodeHeader({ from: start.seq + 1, prevHash: start.hash, ...tree })
    return Stream.succeed(`${header}\n${reached()}`).pipe(
      Stream.concat(body),
      Stream.concat(Stream.suspend(() => Stream.succeed(`${encodeFooter({ head, count })}\n`)))
    )
  })

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

const hashesIn = (value: unknown): ReadonlyArray<string> | undefined =>
  Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined

/** `newer`: an export of ours in a later version. `none`: something else. */
export const decodeHeader = (line: string): Header | "newer" | "none" => {
  const value = parse(line)
  if (!isObject(value) || value["format"] !== format) return "none"
  const { v, from, prevHash, tree } = value
  if (v !== 1) return isCount(v) && v > 1 ? "newer" : "none"
  if (!isCount(from) || from < 1 || typeof prevHash !== "string" || !isHash(prevHash)) return "none"
  const hashes = tree === undefined ? undefined : hashesIn(tree)
  if (tree !== undefined && (hashes === undefined || !Frontier.isState({ size: from - 1, hashes }))) return "none"
  const header = { from, prevHash, ...(hashes === undefined ? {} : { tree: hashes }) }
  return encodeHeader(header) === line ? header : "none"
}

export const decodeFooter = (line: string): Footer | undefined => {
  const value = parse(line)
  if (!isObject(value) || !isObject(value["head"])) return undefined
  const { head, count } = value
  const { seq, hash } = head
  if (!isCount(seq) || typeof hash !== "string" || !isHash(hash) || !isCount(count)) return undefined
  const footer = { head: { seq, hash }, count }
  return encodeFooter(footer) === line ? footer : undefined
}

const textOf = (value: unknown): AuditRecord.EntryText | undefined => {
  if (!isObject(value)) return undefined
  const { hash, salt, text } = value
  return typeof hash === "string" && typeof salt === "string" && typeof text === "string"
    ? { hash, salt, text }
    : undefined
}

/** The texts of a line, if their JSON is exactly as `encodeEntry` writes it. */
const textsIn = (json: string): ReadonlyArray<AuditRecord.EntryText> | undefined => {
  if (json === "[]") return []
  const value = parse(json)
  if (!Array.isArray(value)) return undefined
  const texts = value.map(textOf)
  return texts.every((text) => text !== undefined) && JSON.stringify(texts) === json ? texts : undefined
}

/** A string from its JSON, if that is exactly as `JSON.stringify` writes it. */
const stringIn = (json: string): string | undefined => {
  const value = parse(json)
  if (typeof value !== "string") return undefined
  // Only escapes can be written in another way. Those of a payload are quotes and backslashes, and these cannot.
  return !/\\[^"\\]/u.test(json) || JSON.stringify(value) === json ? value : undefined
}

const seqMark = '{"seq":'
const payloadMark = ',"payload":'
const prevHashMark = ',"prevHash":"'
const hashMark = '","hash":"'
const textsMark = '","texts":'

/**
 * The entry of a line that is exactly as `encodeEntry` writes it; undefined for any other line.
 *
 * Reads the line by its fixed layout: parsing and writing it again to compare takes three times as long.
 */
export const decodeEntry = (line: string): ExportedEntry | undefined => {
  const payloadAt = line.indexOf(payloadMark)
  // The first quote that is not escaped ends a payload, so its text cannot hold what follows that quote.
  const end = line.indexOf(`"${prevHashMark}`, payloadAt) + 1
  if (!line.startsWith(seqMark) || payloadAt === -1 || end === 0 || !line.endsWith("}")) return undefined
  const digits = line.slice(seqMark.length, payloadAt)
  const seq = Number(digits)
  if (!isCount(seq) || String(seq) !== digits) return undefined
  const payload = stringIn(line.slice(payloadAt + payloadMark.length, end))
  if (payload === undefined) return undefined

  const prevHashAt = end + prevHashMark.length
  const hashAt = prevHashAt + 64 + hashMark.length
  const textsAt = hashAt + 64 + textsMark.length
  if (!line.startsWith(hashMark, prevHashAt + 64) || !line.startsWith(textsMark, hashAt + 64)) return undefined
  const texts = textsIn(line.slice(textsAt, -1))
  if (texts === undefined) return undefined
  return {
    seq,
    payload,
    prevHash: line.slice(prevHashAt, prevHashAt + 64),
    hash: line.slice(hashAt, hashAt + 64),
    texts
  }
}

/** Whether a line claims to be a checkpoint. */
export const isCheckpoint = (line: string): boolean => line.startsWith('{"checkpoint":')

/** The checkpoint of a line, which nobody has to believe yet, and its note as it stands there. */
export const decodeCheckpoint = (
  line: string
): { readonly note: string; readonly checkpoint: Checkpoint.Checkpoint } | undefined => {
  const value = parse(line)
  const note = isObject(value) ? value["checkpoint"] : undefined
  if (typeof note !== "string" || encodeCheckpoint(note) !== line) return undefined
  const read = Checkpoint.read(note)
  return Result.isFailure(read) ? undefined : { note, checkpoint: read.success.checkpoint }
}

/** Whether a line claims to be the last one. */
export const isFooter = (line: string): boolean => line.startsWith('{"head":')
