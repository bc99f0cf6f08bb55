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
 *
 * Columns are not exported: they are no evidence.
 */
import type { AuditChain, AuditRecord } from "@jitsudo/core"
import * as Stream from "effect/Stream"
import { isHash } from "./Chain.ts"

/** What the first line says: the first entry's sequence number, and the hash before it. */
export interface Header {
  readonly from: number
  readonly prevHash: string
}

/** What the last line says. `head` is the last entry, or what stands before the first if there is none. */
export interface Footer {
  readonly head: AuditChain.Head
  readonly count: number
}

export type ExportedEntry = Omit<AuditChain.Entry, "id" | "columns">

const format = "jitsudo-audit"

export const encodeHeader = (header: Header): string =>
  JSON.stringify({ format, v: 1, from: header.from, prevHash: header.prevHash })

const textsOf = (texts: ReadonlyArray<AuditRecord.EntryText>) =>
  texts.map(({ hash, salt, text }) => ({ hash, salt, text }))

export const encodeEntry = ({ seq, payload, prevHash, hash, texts }: ExportedEntry): string =>
  JSON.stringify({ seq, payload, prevHash, hash, texts: textsOf(texts) })

export const encodeFooter = ({ head, count }: Footer): string =>
  JSON.stringify({ head: { seq: head.seq, hash: head.hash }, count })

/**
 * The export of `entries`, which follow `start` in order, as text to be written in UTF-8. `start` is the empty log
 * (`{seq: 0, hash: genesis}`) or the head before the first entry.
 *
 * If reading the entries fails the text ends without the last line, so what was written is no whole export.
 */
export const encode = <E, R>(start: AuditChain.Head, entries: Stream.Stream<ExportedEntry, E, R>) =>
  Stream.suspend(() => {
    let head = start
    let count = 0
    const body = Stream.mapArray(entries, (chunk) => {
      let text = ""
      for (const entry of chunk) {
        text += `${encodeEntry(entry)}\n`
        head = { seq: entry.seq, hash: entry.hash }
        count++
      }
      return [text]
    })
    return Stream.succeed(`${encodeHeader({ from: start.seq + 1, prevHash: start.hash })}\n`).pipe(
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

/** `newer`: an export of ours in a later version. `none`: something else. */
export const decodeHeader = (line: string): Header | "newer" | "none" => {
  const value = parse(line)
  if (!isObject(value) || value["format"] !== format) return "none"
  const { v, from, prevHash } = value
  if (v !== 1) return isCount(v) && v > 1 ? "newer" : "none"
  if (!isCount(from) || from < 1 || typeof prevHash !== "string" || !isHash(prevHash)) return "none"
  const header = { from, prevHash }
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

const textList = (value: unknown): ReadonlyArray<AuditRecord.EntryText> | undefined => {
  if (!Array.isArray(value)) return undefined
  const texts = value.map(textOf)
  return texts.every((text) => text !== undefined) ? texts : undefined
}

/** The entry of a line that is exactly as `encodeEntry` writes it; undefined for any other line. */
export const decodeEntry = (line: string): ExportedEntry | undefined => {
  const value = parse(line)
  if (!isObject(value)) return undefined
  const { seq, payload, prevHash, hash } = value
  const texts = textList(value["texts"])
  if (!isCount(seq) || typeof payload !== "string" || typeof prevHash !== "string" || typeof hash !== "string") {
    return undefined
  }
  if (texts === undefined) return undefined
  const entry = { seq, payload, prevHash, hash, texts }
  return encodeEntry(entry) === line ? entry : undefined
}

/** Whether a line claims to be the last one. */
export const isFooter = (line: string): boolean => line.startsWith('{"head":')
