/** Verification against signed trees: goes on, at scale, and every single byte of what is signed. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { genesis, leafOf } from "../src/Chain.ts"
import type { ExportedEntry } from "../src/Export.ts"
import { decodeCheckpoint, decodeHeader, encode, encodeCheckpoint, encodeHeader } from "../src/Export.ts"
import * as Frontier from "../src/Frontier.ts"
import type { Head } from "../src/Merkle.ts"
import * as Signer from "../src/Signer.ts"
import * as TileWriter from "../src/TileWriter.ts"
import type { Broken, Verdict } from "../src/verify.ts"
import {
  describe as inWords,
  explain,
  LogKey,
  Receipt,
  verifyEntries,
  verifyExport,
  verifyTiles
} from "../src/verify.ts"
import { honestLog, linked } from "./vectors/Log.ts"

const evidence = (name: string) => readFileSync(new URL(`vectors/evidence/${name}`, import.meta.url))
const keys = Result.getOrThrow(LogKey.parse(evidence("plain.keys").toString()))
const trust = { keys }

/** A log of `size` entries that are all different. */
const logOf = (size: number) =>
  Effect.map(honestLog, ([one]) => {
    if (one === undefined) return assert.fail("no log")
    const payload = (at: number) =>
      one.payload.replace(/"configHash":"\w{8}/u, `"configHash":"${String(at).padStart(8, "0")}`)
    return linked(Array.from({ length: size }, (_, at) => ({ payload: payload(at), texts: [] })))
  })

const stateOf = (log: ReadonlyArray<ExportedEntry>, size = log.length): Frontier.State => {
  const tree = Frontier.make()
  for (const { payload } of log.slice(0, size)) tree.append(leafOf(payload))
  return tree.state()
}
const headAt = (log: ReadonlyArray<ExportedEntry>, size: number): Head => ({
  size,
  root: Frontier.rootOf(stateOf(log, size))
})
const brokenIn = (verdict: Verdict): Broken => (verdict._tag === "Broken" ? verdict : assert.fail(inWords(verdict)))
const entries = (log: ReadonlyArray<ExportedEntry>) => Stream.fromArray(log)

describe("entries from a daemon", () => {
  it.effect("are held against signed trees, from the first on or from where an earlier verification ended", () =>
    Effect.gen(function* () {
      const log = yield* logOf(20)
      const checkpoints = [headAt(log, 20), headAt(log, 5), headAt(log, 0)]
      const verdict = yield* verifyEntries(entries(log), { checkpoints })
      if (verdict._tag === "Broken" || verdict.tree === undefined) return assert.fail(inWords(verdict))
      assert.deepInclude(verdict.tree, { head: headAt(log, 20), known: 3, checkpoints: 0, signed: 0 })
      assert.deepStrictEqual(verdict.tree.frontier, stateOf(log))
      assert.include(inWords(verdict), "20 events verified, 3 checkpoints fit; head 20:")

      const half = yield* verifyEntries(entries(log.slice(0, 12)), { before: Frontier.empty })
      if (half._tag === "Broken" || half.tree === undefined) return assert.fail(inWords(half))
      const later = { resume: half.head, before: half.tree.frontier, checkpoints: [headAt(log, 12), headAt(log, 20)] }
      for (const from of [0, 5, 11]) {
        const rest = yield* verifyEntries(entries(log.slice(from)), later)
        if (rest._tag === "Broken") return assert.fail(inWords(rest))
        assert.deepInclude(rest.tree, { head: headAt(log, 20), known: 2 })
      }
      // From the first entry on, the tree needs no help.
      const { before: _, ...alone } = later
      assert.deepInclude(yield* verifyEntries(entries(log), alone), { _tag: "Intact", from: 13 })
      assert.deepInclude(brokenIn(yield* verifyEntries(entries(log.slice(5)), alone)), { why: "missing", seq: 1 })
    })
  )

  it.effect("that were rewritten are narrowed down by the checkpoints that still fit", () =>
    Effect.gen(function* () {
      const log = yield* logOf(20)
      const rewritten = linked(log.with(8, log[2] ?? assert.fail("no entry")))
      const checkpoints = [5, 8, 12, 20].map((size) => headAt(log, size))
      const broken = brokenIn(yield* verifyEntries(entries(rewritten), { checkpoints }))
      assert.deepInclude(broken, { why: "root-mismatch", seq: 12, since: 9, entries: 11 })
      assert.deepStrictEqual(explain(broken), { layer: "consistency", fits: ["rewritten"] })
      const cut = brokenIn(yield* verifyEntries(entries(log.slice(0, 15)), { checkpoints }))
      assert.deepInclude(cut, { why: "truncated", seq: 16 })
      assert.strictEqual(explain(cut).layer, "consistency")
      const fork = [headAt(log, 12), headAt(rewritten, 12)]
      assert.deepInclude(brokenIn(yield* verifyEntries(entries(log), { checkpoints: fork.toReversed() })), { seq: 12 })
      const beyond = [headAt(log, 30), { ...headAt(log, 30), root: genesis }]
      assert.deepInclude(brokenIn(yield* verifyEntries(entries(log), { checkpoints: beyond })), { why: "forked" })
    })
  )

  it.effect("need no tree, and then say nothing of one", () =>
    Effect.gen(function* () {
      const verdict = yield* verifyEntries(entries(yield* logOf(3)))
      assert.notProperty(verdict, "tree")
    })
  )
})

describe("a payload that can be read in two ways", () => {
  it.effect("is in no receipt and no tiles, and in no export when it is asked for", () =>
    Effect.gen(function* () {
      const [first] = yield* logOf(1)
      if (first === undefined) return assert.fail("no entry")
      const action = '"action":"config.loaded"'
      for (const payload of [
        first.payload.replace(action, `"action":"grant.issued",${action}`),
        first.payload.replace(action, action.replace("config", "\\u0063onfig")),
        first.payload.replace(`${action},`, "").replace(/\}$/u, `,${action}}`),
        first.payload.replace("{", "{ ")
      ]) {
        assert.notStrictEqual(payload, first.payload)
        const log = linked([{ payload, texts: [] }])
        assert.deepInclude(yield* verifyEntries(entries(log)), { _tag: "Intact" })
        const wrong = brokenIn(yield* verifyEntries(entries(log), { canonical: true }))
        assert.deepInclude(wrong, { why: "malformed", seq: 1 })
        assert.strictEqual(explain(wrong).layer, "form")
        const text = (yield* Stream.runCollect(encode({ seq: 0, hash: genesis }, entries(log)))).join("")
        const bytes = Stream.succeed(Buffer.from(text))
        assert.deepInclude(yield* verifyExport(bytes), { _tag: "Intact" })
        assert.deepInclude(yield* verifyExport(bytes, { canonical: true }), { why: "malformed", seq: 1 })
        const pair = yield* Signer.generate("log.example.com/audit", 1, new Uint8Array(32).fill(1))
        const signer = yield* Signer.parse(pair.privateKey)
        const head = { ...headAt(log, 1), origin: signer.key.name, extensions: [] }
        const note = yield* Signer.signCheckpoint(head, [signer])
        const refused = yield* Effect.flip(Receipt.verify(Receipt.encode({ payload, seq: 1, proof: [], note }), trust))
        assert.strictEqual(refused.reason, "malformed")
        const writer = TileWriter.make()
        Result.getOrThrow(writer.append(payload))
        const files = new Map<string, Uint8Array>(writer.edge().map((file) => [file.path, file.bytes]))
        files.set("checkpoint", Buffer.from(note))
        const tiles = yield* verifyTiles((path) => Effect.sync(() => files.get(path)), { trust })
        assert.deepInclude(tiles, { why: "malformed", seq: 1 })
      }
      assert.deepInclude(yield* verifyEntries(entries([first]), { canonical: true }), { _tag: "Intact" })
    })
  )
})

describe("an export with checkpoints", () => {
  it.effect("has those of its sizes, and goes on from an earlier verification", () =>
    Effect.gen(function* () {
      const log = yield* logOf(20)
      const pair = yield* Signer.generate("log.example.com/audit", 1, new Uint8Array(32).fill(1))
      const signer = yield* Signer.parse(pair.privateKey)
      const notes = yield* Effect.forEach([2, 5, 8, 20, 25], (size) =>
        Effect.map(
          Signer.signCheckpoint({ ...headAt(log, Math.min(size, 20)), size, origin: signer.key.name, extensions: [] }, [
            signer
          ]),
          (note) => ({ size, note })
        )
      )
      const at = log[4] ?? assert.fail("no entry")
      const covering = { tree: stateOf(log, 5), checkpoints: notes }
      const text = (yield* Stream.runCollect(encode({ seq: 5, hash: at.hash }, entries(log.slice(5)), covering))).join(
        ""
      )
      assert.strictEqual(text.split('{"checkpoint":').length - 1, 3)
      const bytes = Stream.succeed(Buffer.from(text))
      const resume = { seq: 10, hash: log[9]?.hash ?? "" }
      for (const options of [{}, { resume }]) {
        const verdict = yield* verifyExport(bytes, { trust, checkpoints: [headAt(log, 7), headAt(log, 3)], ...options })
        if (verdict._tag === "Broken") return assert.fail(inWords(verdict))
        assert.deepInclude(verdict.tree, { head: headAt(log, 20), known: 1, checkpoints: 3, signed: 3 })
      }
      const unasked = yield* verifyExport(bytes)
      assert.include(inWords(unasked), "3 checkpoints fit (0 of 3 signed)")
      const wrong = encode({ seq: 5, hash: at.hash }, entries([]), { ...covering, tree: stateOf(log, 4) })
      assert.include(String(yield* Effect.exit(Stream.runCollect(wrong))), "RangeError")
    })
  )

  it("has first lines and checkpoint lines of one spelling", () => {
    const hashes = [genesis, genesis]
    const header = encodeHeader({ from: 4, prevHash: genesis, tree: hashes })
    assert.deepStrictEqual(decodeHeader(header), { from: 4, prevHash: genesis, tree: hashes })
    assert.strictEqual(decodeHeader(encodeHeader({ from: 5, prevHash: genesis, tree: hashes })), "none")
    assert.strictEqual(decodeHeader(header.replace('"tree":[', '"tree":[ ')), "none")
    assert.strictEqual(decodeHeader(header.replace(genesis, genesis.replace("0", "A"))), "none")
    const line = encodeCheckpoint(evidence("seen-7.checkpoint").toString())
    assert.isDefined(decodeCheckpoint(line))
    for (const other of [line.replace(":", ": "), line.replace("}", ',"more":1}'), '{"checkpoint":7}', line.slice(1)]) {
      assert.isUndefined(decodeCheckpoint(other))
    }
  })
})

const filesOf = Effect.fnUntraced(function* (log: ReadonlyArray<ExportedEntry>, edit = log) {
  const pair = yield* Signer.generate("log.example.com/audit", 1, new Uint8Array(32).fill(1))
  const signer = yield* Signer.parse(pair.privateKey)
  const write = Effect.fnUntraced(function* (of: ReadonlyArray<ExportedEntry>) {
    const files = new Map<string, Uint8Array>()
    const payloads = entries(of).pipe(Stream.map(({ payload }) => payload))
    yield* Stream.runForEach(TileWriter.files(TileWriter.make(), payloads), ({ bytes, path }) =>
      Effect.sync(() => files.set(path, bytes))
    )
    return files
  })
  const files = yield* write(log)
  // The tiles of the true log, with the entries of the other.
  for (const [path, bytes] of yield* write(edit)) if (path.startsWith("tile/entries/")) files.set(path, bytes)
  const head = { ...headAt(log, log.length), origin: signer.key.name, extensions: [] }
  return files.set("checkpoint", Buffer.from(yield* Signer.signCheckpoint(head, [signer])))
})
const verdictOn = (
  files: ReadonlyMap<string, Uint8Array>,
  options: { readonly checkpoints?: ReadonlyArray<Head> } = {}
) => verifyTiles((path) => Effect.sync(() => files.get(path)), { trust, ...options })

describe("a directory of tiles", () => {
  it.effect("of many bundles is verified, with its chain, older checkpoints and progress", () =>
    Effect.gen(function* () {
      const log = yield* logOf(700)
      const files = yield* filesOf(log)
      const last = log[699] ?? assert.fail("no entry")
      const told: Array<number> = []
      const verdict = yield* verifyTiles((path) => Effect.sync(() => files.get(path)), {
        trust,
        checkpoints: [headAt(log, 0), headAt(log, 300), headAt(log, 700)],
        known: [{ seq: 512, hash: log[511]?.hash ?? "" }],
        onProgress: ({ head }) => Effect.sync(() => told.push(head.seq))
      })
      if (verdict._tag === "Broken") return assert.fail(inWords(verdict))
      assert.deepInclude(verdict, { entries: 700, heads: 1, head: { seq: 700, hash: last.hash } })
      assert.deepInclude(verdict.tree, { known: 3, checkpoints: 1, signed: 1, head: headAt(log, 700) })
      assert.deepStrictEqual(told, [256, 512, 700])
      for (const known of [
        { seq: 512, hash: genesis },
        { seq: 701, hash: genesis }
      ]) {
        const wrong = yield* verifyTiles((path) => Effect.sync(() => files.get(path)), { trust, known: [known] })
        assert.include(["head-mismatch", "truncated"], brokenIn(wrong).why)
      }
    })
  )

  const log = logOf(700)
  for (const [what, edit, seq, why, fits] of [
    [
      "one entry edited",
      (l: ReadonlyArray<ExportedEntry>) => l.with(399, l[3] ?? assert.fail()),
      400,
      "payload-edited",
      "edited"
    ],
    [
      "one taken out",
      (l: ReadonlyArray<ExportedEntry>) => [...l.toSpliced(399, 1), l[0] ?? assert.fail()],
      400,
      "missing",
      "removed"
    ],
    [
      "one put in",
      (l: ReadonlyArray<ExportedEntry>) => l.toSpliced(399, 0, l[0] ?? assert.fail()).slice(0, 700),
      400,
      "inserted",
      "inserted"
    ],
    [
      "two exchanged",
      (l: ReadonlyArray<ExportedEntry>) => l.with(399, l[450] ?? assert.fail()).with(450, l[399] ?? assert.fail()),
      400,
      "reordered",
      "reordered"
    ],
    [
      "all from one on made anew",
      (l: ReadonlyArray<ExportedEntry>) =>
        l.map((e, at) => (at < 399 ? e : { ...e, payload: e.payload.replace("00000", "11111") })),
      400,
      "rewritten",
      "rewritten"
    ]
  ] as const) {
    it.effect(`with ${what} says so, and where`, () =>
      Effect.gen(function* () {
        const whole = yield* log
        const broken = brokenIn(yield* verdictOn(yield* filesOf(whole, edit(whole))))
        assert.deepInclude(broken, { seq, why, entries: 399 })
        assert.deepStrictEqual(explain(broken), { layer: "leaf", fits: [fits] })
      })
    )
  }

  it.effect("is not intact with any byte changed", () =>
    Effect.gen(function* () {
      const files = yield* filesOf((yield* log).slice(0, 300))
      for (const [path, bytes] of files) {
        // Every byte of a bundle would take minutes; every seventh meets lengths, texts and their borders.
        for (let at = 0; at < bytes.length; at += bytes.length > 10_000 ? 997 : path === "checkpoint" ? 1 : 7) {
          const copy = Buffer.from(bytes)
          copy.writeUInt8((bytes[at] ?? 0) ^ 1, at)
          const verdict = yield* verdictOn(new Map(files).set(path, copy))
          if (verdict._tag === "Intact") assert.fail(`${path}, byte ${at}`)
        }
      }
    })
  )
})

describe("somebody who can write everything but an old checkpoint", () => {
  const manipulations: ReadonlyArray<
    readonly [string, (log: ReadonlyArray<ExportedEntry>, at: number, to: number) => ReadonlyArray<ExportedEntry>]
  > = [
    ["edits", (log, at, to) => log.with(at, { ...pick(log, at), payload: pick(log, to).payload })],
    ["takes out", (log, at) => log.toSpliced(at, 1)],
    ["puts in", (log, at, to) => log.toSpliced(at, 0, pick(log, to))],
    ["puts one for another", (log, at, to) => log.toSpliced(at, 1).toSpliced(to, 0, pick(log, at))],
    ["exchanges", (log, at, to) => log.with(at, pick(log, to)).with(to, pick(log, at))],
    ["cuts off", (log, at) => log.slice(0, at)],
    [
      "turns round",
      (log, at, to) => log.toSpliced(Math.min(at, to), 40, ...log.slice(Math.min(at, to)).slice(0, 40).toReversed())
    ]
  ]
  const pick = (log: ReadonlyArray<ExportedEntry>, at: number): ExportedEntry =>
    log[at] ?? assert.fail(`no entry ${at}`)
  const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 119 }))

  for (const [what, manipulate] of manipulations) {
    it.effect.prop(
      `${what}, links and signs it anew, and is noticed`,
      [Place, Place],
      ([at, to]) =>
        Effect.gen(function* () {
          const log = yield* logOf(120)
          const changed = manipulate(log, at, to)
          if (changed.length === log.length && changed.every(({ payload }, one) => payload === log[one]?.payload))
            return
          const anew = linked(changed)
          const checkpoints = [headAt(log, 120)]
          assert.strictEqual((yield* verifyEntries(entries(anew)))._tag, "Intact")
          const broken = brokenIn(yield* verifyEntries(entries(anew), { checkpoints }))
          assert.include(["rewritten", "truncated"], explain(broken).fits[0])
          // Growing on behind the manipulation does not help.
          const other = { payload: pick(log, 0).payload.replace("00000000", "other"), texts: [] }
          const grown = linked([...changed, ...Array.from({ length: 120 }, () => other)])
          assert.strictEqual(
            explain(brokenIn(yield* verifyEntries(entries(grown), { checkpoints }))).fits[0],
            "rewritten"
          )
          const tiles = yield* verdictOn(yield* filesOf(anew), { checkpoints })
          assert.strictEqual(explain(brokenIn(tiles)).layer, "consistency")
        }),
      { arbitrary: { runs: 30 } }
    )
  }
})

describe("an edit of one byte", () => {
  it.effect("is found at every place of an export with checkpoints", () =>
    Effect.gen(function* () {
      const whole = evidence("covered-range.ndjson")
      const verdictOn = (bytes: Uint8Array) =>
        verifyExport(Stream.succeed(bytes), { trust }).pipe(
          Effect.match({ onFailure: () => "NotChecked", onSuccess: ({ _tag }) => _tag })
        )
      assert.strictEqual(yield* verdictOn(whole), "Intact")
      for (let at = 0; at < whole.length; at++) {
        const copy = Buffer.from(whole)
        copy.writeUInt8((whole[at] ?? 0) ^ 1, at)
        if ((yield* verdictOn(copy)) === "Intact") assert.fail(`byte ${at}`)
      }
    })
  )

  it.effect("is found at every place of a receipt", () =>
    Effect.gen(function* () {
      const whole = evidence("receipt-last.tlog-proof")
      const proved = (bytes: Uint8Array) => Effect.isSuccess(Receipt.verify(new TextDecoder().decode(bytes), trust))
      assert.isTrue(yield* proved(whole))
      for (let at = 0; at < whole.length; at++) {
        for (const bit of [0x01, 0x20]) {
          const copy = Buffer.from(whole)
          copy.writeUInt8((whole[at] ?? 0) ^ bit, at)
          if (yield* proved(copy)) assert.fail(`byte ${at} with bit ${bit} flipped`)
        }
      }
    })
  )
})
