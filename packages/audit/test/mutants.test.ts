/**
 * Verifiers with one fault each, built around the real one. The vectors must tell every one of them from it: a fault
 * that no vector shows is a kind of tampering that nobody would notice if we made that fault.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import type { AuditChain } from "@jitsudo/core"
import { genesis, link } from "../src/Chain.ts"
import type { ChainVerifier, Evidence } from "../src/ChainVerifier.ts"
import { make } from "../src/ChainVerifier.ts"
import type { ExportedEntry, Footer } from "../src/Export.ts"
import { decodeEntry, decodeFooter, decodeHeader, isFooter } from "../src/Export.ts"
import type { Expected, Vector } from "./vectors/Vectors.ts"

const file = (name: string) => readFileSync(new URL(`vectors/${name}`, import.meta.url))
const list: ReadonlyArray<Vector> = JSON.parse(file("vectors.json").toString())

/** Where a verifier can go wrong. Each part has the right answer as its default. */
interface Parts {
  readonly text: (bytes: Uint8Array) => string | undefined
  readonly entry: (line: string) => ExportedEntry | "skip" | undefined
  /** What the verifier takes the entry for, with the head up to there. */
  readonly seen: (entry: ExportedEntry, head: AuditChain.Head) => Evidence
  /** What it does with the verdict on one entry. */
  readonly step: (verdict: ReturnType<ChainVerifier["push"]>, entry: ExportedEntry) => ReturnType<ChainVerifier["push"]>
  readonly footer: (footer: Footer | undefined) => Footer | "missing" | undefined
  readonly known: (vector: Vector) => ReadonlyArray<AuditChain.Head>
  readonly start: (head: AuditChain.Head) => AuditChain.Head
  readonly count: (footer: Footer, lines: number) => boolean
}

const right: Parts = {
  text: (bytes) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    } catch {
      return undefined
    }
  },
  entry: decodeEntry,
  seen: (entry) => entry,
  step: (verdict) => verdict,
  footer: (footer) => footer ?? "missing",
  known: ({ known }) => (known === undefined ? [] : [known]),
  start: (head) => (head.seq === 0 ? { seq: 0, hash: genesis } : head),
  count: (footer, lines) => footer.count === lines
}

const inWords = (verdict: ReturnType<ChainVerifier["finish"]>): Expected =>
  verdict._tag === "Intact"
    ? { verdict: "intact", entries: verdict.entries, redacted: verdict.redacted }
    : { verdict: "broken", seq: verdict.seq, why: verdict.why }

/** A whole verifier of exports in one plain function, from the parts. */
const judge = (vector: Vector, parts: Parts): Expected => {
  // The bytes of a line are read for themselves, so that a line that is no UTF-8 is found in its place.
  const bytes = file(`${vector.name}.ndjson`)
  const lines: Array<string | undefined> = []
  for (let from = 0; from < bytes.length;) {
    const feed = bytes.indexOf(10, from)
    if (feed === -1) break
    lines.push(parts.text(bytes.subarray(from, feed)))
    from = feed + 1
  }
  const header = decodeHeader(lines[0] ?? "")
  if (typeof header === "string") return { verdict: "notChecked" }
  const start = parts.start({ seq: header.from - 1, hash: header.prevHash })
  const verifier = make({ start, known: parts.known(vector) })
  let footer: Footer | undefined
  let count = 0
  for (const line of lines.slice(1)) {
    if (line !== undefined && isFooter(line)) {
      footer = decodeFooter(line)
      continue
    }
    const entry = line === undefined ? undefined : parts.entry(line)
    if (entry === "skip") continue
    if (entry === undefined) return inWords(verifier.fail("malformed", "an entry", "something else"))
    count++
    const wrong = parts.step(verifier.push(parts.seen(entry, verifier.head())), entry)
    if (wrong !== undefined) return inWords(wrong)
  }
  const end = parts.footer(footer)
  if (end === "missing") return inWords(verifier.fail("truncated", "the last line", "the end"))
  const verdict = verifier.finish(end?.head)
  return verdict._tag === "Intact" && footer !== undefined && !parts.count(footer, count)
    ? inWords(verifier.fail("malformed", "another count", "this"))
    : inWords(verdict)
}

const lower = (entry: ExportedEntry): ExportedEntry => ({
  ...entry,
  hash: entry.hash.toLowerCase(),
  texts: entry.texts.map((one) => ({ ...one, salt: one.salt.toLowerCase() }))
})

/** A name, the fault, and a vector that must show it. */
const mutants: ReadonlyArray<readonly [string, Partial<Parts>, string]> = [
  ["takes the position for granted", { seen: (entry, head) => ({ ...entry, seq: head.seq + 1 }) }, "removed"],
  [
    "skips what it has seen",
    { step: (verdict) => (verdict?.why === "duplicate" ? undefined : verdict) },
    "duplicate-sequence"
  ],
  ["takes prevHash for granted", { seen: (entry, head) => ({ ...entry, prevHash: head.hash }) }, "edited-prev-hash"],
  [
    "looks at prevHash only, not at the hash",
    { seen: (entry, head) => ({ ...entry, hash: link(head.hash, entry.seq, entry.payload) }) },
    "edited-hash-case"
  ],
  [
    "looks at the entry only, not at what came before",
    {
      seen: (entry, head) =>
        link(entry.prevHash, entry.seq, entry.payload) === entry.hash
          ? { ...entry, prevHash: head.hash, hash: link(head.hash, entry.seq, entry.payload) }
          : entry
    },
    "edited-and-rehashed"
  ],
  ["ignores texts", { seen: (entry) => ({ ...entry, texts: [] }) }, "edited-text"],
  [
    "checks the first text of an entry only",
    { seen: (entry) => ({ ...entry, texts: entry.texts.slice(0, 1) }) },
    "doubled-text"
  ],
  [
    "believes a text by its hash",
    { step: (verdict, { texts }) => (verdict?.why === "text-edited" && texts.length === 1 ? undefined : verdict) },
    "exchanged-text"
  ],
  ["reads hexadecimal in any case", { seen: lower }, "edited-hash-case"],
  ["reads salts in any case", { seen: lower }, "edited-salt"],
  [
    "encodes lone surrogates as U+FFFD",
    { seen: (entry) => ({ ...entry, payload: entry.payload.toWellFormed() }) },
    "look-alike-surrogate"
  ],
  [
    "encodes lone surrogates in texts as U+FFFD",
    {
      seen: (entry) => ({ ...entry, texts: entry.texts.map((one) => ({ ...one, text: one.text.toWellFormed() })) })
    },
    "look-alike-surrogate-text"
  ],
  [
    "composes accents before hashing",
    { seen: (entry) => ({ ...entry, payload: entry.payload.normalize("NFC") }) },
    "look-alike-decomposed"
  ],
  ["decodes bytes that are no UTF-8", { text: (bytes) => new TextDecoder().decode(bytes) }, "look-alike-bytes"],
  ["skips lines that it cannot read", { entry: (line) => decodeEntry(line) ?? "skip" }, "malformed-line"],
  [
    "never reads payloads",
    { step: (verdict) => (verdict?.why === "malformed" ? undefined : verdict) },
    "malformed-payload"
  ],
  ["needs no last line", { footer: (footer) => footer }, "truncated-file"],
  ["ignores the head in the last line", { footer: () => undefined }, "forged-head"],
  ["ignores the count in the last line", { count: () => true }, "forged-count"],
  ["ignores heads seen earlier", { known: () => [] }, "rewritten"],
  [
    "looks for heads seen earlier by position only",
    { known: ({ known }) => (known === undefined || known.seq < 10 ? [] : [known]) },
    "rewritten"
  ],
  ["believes any genesis", { start: (head) => head }, "forged-genesis"],
  [
    "stops in the middle of a gap",
    { step: (verdict) => (verdict?.why === "reordered" ? undefined : verdict) },
    "swapped"
  ]
]

describe("the plain verifier made of the right parts", () => {
  for (const vector of list) {
    it(vector.name, () => assert.deepStrictEqual(judge(vector, right), vector.expected))
  }
})

describe("a verifier that", () => {
  for (const [name, fault, shown] of mutants) {
    it(`${name} is caught by ${shown}`, () => {
      const vector = list.find((one) => one.name === shown) ?? assert.fail(`no vector ${shown}`)
      assert.notDeepEqual(judge(vector, { ...right, ...fault }), vector.expected)
    })
  }
})
