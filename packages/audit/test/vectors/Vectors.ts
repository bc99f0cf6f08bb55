/**
 * Exports as they come, honest and tampered with, and what a verifier must say of each.
 *
 * Everything is made from one log by one edit, so that a verifier that overlooks this kind of edit is caught.
 */
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { genesis, link, textHashOf } from "../../src/Chain.ts"
import type { ExportedEntry } from "../../src/Export.ts"
import { encodeEntry, encodeFooter, encodeHeader } from "../../src/Export.ts"
import type { Why } from "../../src/Verdict.ts"
import { honestLog, linked } from "./Log.ts"

/** What must come out. `redacted` counts texts; `notChecked` is exit code 2. */
export type Expected =
  | { readonly verdict: "intact"; readonly entries: number; readonly redacted: number }
  | { readonly verdict: "broken"; readonly seq: number; readonly why: Why }
  | { readonly verdict: "notChecked" }

export interface Vector {
  /** `NAME.ndjson` is the export. */
  readonly name: string
  /** What was done to it, in a sentence. */
  readonly what: string
  /** A head that the verifier is told to look for. */
  readonly known?: AuditChain.Head
  readonly expected: Expected
}

export interface Made extends Vector {
  readonly bytes: Uint8Array
}

const utf8 = new TextEncoder()

const text = (lines: ReadonlyArray<string>): Uint8Array => utf8.encode(lines.map((line) => `${line}\n`).join(""))

const headOf = (entries: ReadonlyArray<ExportedEntry>): AuditChain.Head => {
  const last = entries.at(-1)
  return last === undefined ? { seq: 0, hash: genesis } : { seq: last.seq, hash: last.hash }
}

interface Frame {
  readonly from?: number
  readonly prevHash?: string
  readonly head?: AuditChain.Head
  readonly count?: number
}

const exported = (entries: ReadonlyArray<ExportedEntry>, frame: Frame = {}): Uint8Array =>
  text([
    encodeHeader({ from: frame.from ?? 1, prevHash: frame.prevHash ?? genesis }),
    ...entries.map(encodeEntry),
    encodeFooter({ head: frame.head ?? headOf(entries), count: frame.count ?? entries.length })
  ])

const intact = (entries: number, redacted = 0): Expected => ({ verdict: "intact", entries, redacted })
const broken = (seq: number, why: Why): Expected => ({ verdict: "broken", seq, why })

/** `bytes` with the first occurrence of `from` replaced by as many bytes `to`. */
const patched = (bytes: Uint8Array, from: ReadonlyArray<number>, to: ReadonlyArray<number>): Uint8Array => {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from))
  if (at < 0 || from.length !== to.length) throw new Error("nothing to patch")
  const copy = bytes.slice()
  copy.set(to, at)
  return copy
}

const replaced = (entry: ExportedEntry, from: string, to: string): ExportedEntry => {
  if (!entry.payload.includes(from)) throw new Error(`entry ${entry.seq} does not say ${from}`)
  return { ...entry, payload: entry.payload.replace(from, to) }
}

/** A hash with its last digit changed. */
const nudged = (hash: string): string => hash.slice(0, -1) + (hash.endsWith("0") ? "1" : "0")

const renumbered = (entries: ReadonlyArray<ExportedEntry>): ReadonlyArray<ExportedEntry> =>
  entries.map((entry, index) => ({ ...entry, seq: index + 1 }))

export const make: Effect.Effect<ReadonlyArray<Made>> = Effect.map(honestLog, (log) => {
  const head = headOf(log)
  const at = (seq: number): ExportedEntry => {
    const entry = log[seq - 1]
    if (entry === undefined) throw new Error(`no entry ${seq}`)
    return entry
  }
  /** The log with one entry changed. */
  const edited = (seq: number, change: (entry: ExportedEntry) => ExportedEntry): ReadonlyArray<ExportedEntry> =>
    log.with(seq - 1, change(at(seq)))
  const textOf = (seq: number) => {
    const [one] = at(seq).texts
    if (one === undefined) throw new Error(`entry ${seq} has no text`)
    return one
  }
  const whole = exported(log)
  const forged = replaced(at(4), "same_party", "not_named")
  const without = (name: string) => {
    const payload: Record<string, unknown> = JSON.parse(at(5).payload)
    delete payload[name]
    return JSON.stringify(payload)
  }

  return [
    { name: "intact", what: "nothing was done to it", known: at(7), bytes: whole, expected: intact(10) },
    { name: "intact-empty", what: "a log without entries", bytes: exported([]), expected: intact(0) },
    {
      name: "intact-range",
      what: "entries 4 to 8 only",
      known: { seq: 8, hash: at(8).hash },
      bytes: exported(log.slice(3, 8), { from: 4, prevHash: at(3).hash }),
      expected: intact(5)
    },
    {
      name: "intact-range-known",
      what: "entries 4 to 8 only, behind a head that was seen before",
      known: { seq: 3, hash: at(3).hash },
      bytes: exported(log.slice(3, 8), { from: 4, prevHash: at(3).hash }),
      expected: intact(5)
    },
    {
      name: "forged-range",
      what: "entries 4 to 8 only, relinked behind another entry 3 than the one that was seen before",
      known: { seq: 3, hash: at(3).hash },
      bytes: exported(linked(log.slice(3, 8), { seq: 3, hash: nudged(at(3).hash) }), {
        from: 4,
        prevHash: nudged(at(3).hash)
      }),
      expected: broken(3, "head-mismatch")
    },
    {
      name: "intact-redacted",
      what: "the reason of entry 2 and the comment of entry 6 were redacted",
      bytes: exported(log.map((entry) => (entry.seq === 2 || entry.seq === 6 ? { ...entry, texts: [] } : entry))),
      expected: intact(10, 2)
    },
    {
      name: "truncated",
      what: "the last three entries were removed and the last line made to fit; a head seen earlier shows it",
      known: head,
      bytes: exported(log.slice(0, 7)),
      expected: broken(8, "truncated")
    },
    {
      name: "truncated-footer-kept",
      what: "the last three entries were removed, the last line was kept",
      bytes: exported(log.slice(0, 7), { head, count: 10 }),
      expected: broken(8, "truncated")
    },
    {
      name: "truncated-file",
      what: "the file was cut off in the middle of a line",
      bytes: whole.slice(0, Math.floor(whole.length * 0.7)),
      expected: broken(7, "truncated")
    },
    {
      name: "truncated-to-nothing",
      what: "every entry was removed",
      known: head,
      bytes: exported([]),
      expected: broken(1, "truncated")
    },
    {
      name: "swapped",
      what: "entries 4 and 5 stand the other way round",
      bytes: exported(log.with(3, at(5)).with(4, at(4))),
      expected: broken(4, "reordered")
    },
    {
      name: "displaced",
      what: "entry 3 was moved to the end",
      bytes: exported([...log.toSpliced(2, 1), at(3)], { head }),
      expected: broken(3, "reordered")
    },
    {
      name: "swapped-content",
      what: "entries 4 and 5 exchanged payloads and texts, positions and hashes stayed",
      bytes: exported(
        log
          .with(3, { ...at(4), payload: at(5).payload, texts: at(5).texts })
          .with(4, { ...at(5), payload: at(4).payload, texts: at(4).texts })
      ),
      expected: broken(4, "payload-edited")
    },
    {
      name: "swapped-renumbered",
      what: "entries 4 and 5 exchanged everything but their positions",
      bytes: exported(log.with(3, { ...at(5), seq: 4 }).with(4, { ...at(4), seq: 5 })),
      expected: broken(4, "prev-mismatch")
    },
    {
      name: "edited-payload",
      what: "in entry 6 the approver was changed",
      bytes: exported(edited(6, (entry) => replaced(entry, "00u2bob", "00u3bob"))),
      expected: broken(6, "payload-edited")
    },
    {
      name: "edited-details",
      what: "in entry 2 the duration was changed",
      bytes: exported(edited(2, (entry) => replaced(entry, '"durationSeconds":900', '"durationSeconds":9000'))),
      expected: broken(2, "payload-edited")
    },
    {
      name: "edited-last",
      what: "in the last entry the outcome was changed",
      bytes: exported(edited(10, (entry) => replaced(entry, '"refused"', '"success"'))),
      expected: broken(10, "payload-edited")
    },
    {
      name: "edited-and-rehashed",
      what: "entry 4 was changed and got the hash that fits, the entries after it stayed",
      bytes: exported(log.with(3, { ...forged, hash: link(forged.prevHash, 4, forged.payload) })),
      expected: broken(5, "prev-mismatch")
    },
    {
      name: "removed",
      what: "entry 5 is gone",
      bytes: exported(log.toSpliced(4, 1)),
      expected: broken(5, "missing")
    },
    {
      name: "removed-first",
      what: "entry 1 is gone",
      bytes: exported(log.slice(1)),
      expected: broken(1, "missing")
    },
    {
      name: "removed-renumbered",
      what: "entry 5 is gone and the entries after it moved up",
      bytes: exported(renumbered(log.toSpliced(4, 1))),
      expected: broken(5, "prev-mismatch")
    },
    {
      name: "inserted",
      what: "an entry was put in behind entry 4, correctly linked, and the entries after it moved down",
      bytes: exported(
        renumbered(
          log.toSpliced(4, 0, ...linked([{ payload: forged.payload, texts: [] }], { seq: 4, hash: at(4).hash }))
        )
      ),
      expected: broken(6, "prev-mismatch")
    },
    {
      name: "appended",
      what: "an entry was added behind the head that the last line names",
      bytes: exported([...log, ...linked([{ payload: forged.payload, texts: [] }], head)], { head, count: 10 }),
      expected: broken(11, "head-mismatch")
    },
    {
      name: "duplicate-sequence",
      what: "entry 5 stands there twice",
      bytes: exported(log.toSpliced(5, 0, at(5))),
      expected: broken(5, "duplicate")
    },
    {
      name: "edited-hash",
      what: "the hash of entry 5 was changed",
      bytes: exported(edited(5, (entry) => ({ ...entry, hash: nudged(entry.hash) }))),
      expected: broken(5, "hash-edited")
    },
    {
      name: "edited-hash-last",
      what: "the hash of the last entry was changed",
      bytes: exported(
        edited(10, (entry) => ({ ...entry, hash: nudged(entry.hash) })),
        { head }
      ),
      expected: broken(10, "hash-edited")
    },
    {
      name: "edited-hash-case",
      what: "the hash of entry 5 was written in capitals",
      bytes: exported(edited(5, (entry) => ({ ...entry, hash: entry.hash.toUpperCase() }))),
      expected: broken(5, "hash-edited")
    },
    {
      name: "edited-prev-hash",
      what: "the prevHash of entry 5 was changed",
      bytes: exported(edited(5, (entry) => ({ ...entry, prevHash: nudged(entry.prevHash) }))),
      expected: broken(5, "prev-mismatch")
    },
    {
      name: "forged-genesis",
      what: "the log claims to begin behind something else than nothing",
      bytes: exported(linked(log, { seq: 0, hash: nudged(genesis) }), { prevHash: nudged(genesis) }),
      expected: broken(1, "prev-mismatch")
    },
    {
      name: "forged-head",
      what: "the last line names another hash",
      bytes: exported(log, { head: { ...head, hash: nudged(head.hash) } }),
      expected: broken(10, "head-mismatch")
    },
    {
      name: "forged-count",
      what: "the last line names another count",
      bytes: exported(log, { count: 11 }),
      expected: broken(11, "malformed")
    },
    {
      name: "rewritten",
      what: "entry 4 was changed and everything after it made anew; a head seen earlier shows it",
      known: { seq: 7, hash: at(7).hash },
      bytes: exported(linked(log.with(3, forged))),
      expected: broken(7, "head-mismatch")
    },
    {
      name: "edited-text",
      what: "one word of the reason of entry 2 was changed",
      bytes: exported(
        edited(2, (e) => ({ ...e, texts: [{ ...textOf(2), text: textOf(2).text.replace("42", "43") }] }))
      ),
      expected: broken(2, "text-edited")
    },
    {
      name: "edited-salt",
      what: "the salt of the comment of entry 6 was written in capitals",
      bytes: exported(edited(6, (e) => ({ ...e, texts: [{ ...textOf(6), salt: textOf(6).salt.toUpperCase() }] }))),
      expected: broken(6, "text-edited")
    },
    {
      name: "exchanged-text",
      what: "entry 5 got a text of its own making, with the hash that fits the text",
      bytes: exported(
        edited(5, (e) => ({
          ...e,
          texts: [{ ...textOf(5), text: "Fine.", hash: textHashOf(textOf(5).salt, "Fine.") }]
        }))
      ),
      expected: broken(5, "text-edited")
    },
    {
      name: "foreign-text",
      what: "the text of entry 5 was put beside entry 7",
      bytes: exported(edited(7, (e) => ({ ...e, texts: [textOf(5)] }))),
      expected: broken(7, "text-edited")
    },
    {
      name: "doubled-text",
      what: "the text of entry 5 stands beside it twice",
      bytes: exported(edited(5, (e) => ({ ...e, texts: [textOf(5), textOf(5)] }))),
      expected: broken(5, "text-edited")
    },
    {
      name: "look-alike",
      what: "in entry 9 a Latin a became a Cyrillic one",
      bytes: exported(edited(9, (entry) => replaced(entry, "alice@", "\u0430lice@"))),
      expected: broken(9, "payload-edited")
    },
    {
      name: "look-alike-decomposed",
      what: "in entry 8 an accented letter became a letter and an accent",
      bytes: exported(edited(8, (entry) => replaced(entry, "caf\u00e9", "cafe\u0301"))),
      expected: broken(8, "payload-edited")
    },
    {
      name: "look-alike-surrogate",
      what: "in entry 10 U+FFFD became a lone surrogate, for which encoders write U+FFFD",
      bytes: exported(edited(10, (entry) => replaced(entry, "\ufffd", "\ud800"))),
      expected: broken(10, "payload-edited")
    },
    {
      name: "look-alike-surrogate-text",
      what: "in the reason of entry 2 U+FFFD became a lone surrogate",
      bytes: exported(
        edited(2, (e) => ({ ...e, texts: [{ ...textOf(2), text: textOf(2).text.replace("\ufffd", "\ud800") }] }))
      ),
      expected: broken(2, "text-edited")
    },
    {
      name: "look-alike-bytes",
      what: "in entry 8 an accented letter lost a bit, and the file is no UTF-8 any more",
      bytes: patched(whole, [0x63, 0x61, 0x66, 0xc3, 0xa9, 0x2d], [0x63, 0x61, 0x66, 0xc3, 0x29, 0x2d]),
      expected: broken(8, "malformed")
    },
    {
      name: "malformed-payload",
      what: "entry 5 was written without a field, by somebody who could link",
      bytes: exported(linked(log.with(4, { ...at(5), payload: without("resourceScope") }))),
      expected: broken(5, "malformed")
    },
    {
      name: "malformed-line",
      what: "the line of entry 5 is no JSON",
      bytes: text(new TextDecoder().decode(whole).trimEnd().split("\n").with(5, '{"seq":5,"payload":')),
      expected: broken(5, "malformed")
    },
    {
      name: "not-an-export",
      what: "something else",
      bytes: text(['{"level":"info","msg":"hello"}', '{"level":"info","msg":"bye"}']),
      expected: { verdict: "notChecked" }
    },
    {
      name: "newer-format",
      what: "an export in a format that does not exist yet",
      bytes: text(['{"format":"jitsudo-audit","v":2,"from":1}']),
      expected: { verdict: "notChecked" }
    },
    { name: "empty-file", what: "no bytes at all", bytes: new Uint8Array(0), expected: { verdict: "notChecked" } }
  ]
})

/** The list of vectors without their bytes, as it is committed. */
export const listOf = (vectors: ReadonlyArray<Made>): string =>
  `${JSON.stringify(
    vectors.map(({ name, what, known, expected }) => ({
      name,
      what,
      ...(known === undefined ? {} : { known: { seq: known.seq, hash: known.hash } }),
      expected
    })),
    null,
    2
  )}\n`
