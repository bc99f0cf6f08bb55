/**
 * Evidence that hangs on signatures: exports with checkpoints, receipts and directories of tiles, honest and tampered
 * with, and what a verifier with the log's public key must say of each.
 *
 * Keys come from fixed seeds and sign nothing but these vectors.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { leafOf } from "../../src/Chain.ts"
import * as Checkpoint from "../../src/Checkpoint.ts"
import type { ExportedEntry } from "../../src/Export.ts"
import { encode } from "../../src/Export.ts"
import * as Frontier from "../../src/Frontier.ts"
import * as LogKey from "../../src/LogKey.ts"
import * as Proofs from "../../src/Proofs.ts"
import * as Receipt from "../../src/Receipt.ts"
import * as SignedNote from "../../src/SignedNote.ts"
import * as Signer from "../../src/Signer.ts"
import * as TileWriter from "../../src/TileWriter.ts"
import type { Layer, Why } from "../../src/Verdict.ts"
import { treeOf } from "../NaiveTree.ts"
import { honestLog, linked } from "./Log.ts"

/** What must come out. Receipts are `proved` or `refused`, all else as `Vectors.ts` has it. */
export type Outcome =
  | { readonly verdict: "intact"; readonly entries: number; readonly signed: number }
  | { readonly verdict: "broken"; readonly seq: number; readonly why: Why; readonly layer: Layer }
  | { readonly verdict: "notChecked" }
  | { readonly verdict: "proved"; readonly seq: number }
  | { readonly verdict: "refused"; readonly reason: Receipt.ReceiptRefused["reason"] }

export interface Case {
  readonly name: string
  /** What was done to it, in a sentence. */
  readonly what: string
  /** `NAME.ndjson`, `NAME.tlog-proof`, or the directory `NAME`. */
  readonly kind: "export" | "receipt" | "tiles"
  /** The file with the keys that the verifier is given. */
  readonly keys: string
  /** The file with a checkpoint that the verifier saw earlier and has believed. */
  readonly seen?: string
  readonly expected: Outcome
}

/** A case with its files, and files that several cases share, by path below `evidence/`. */
export interface Made {
  readonly cases: ReadonlyArray<Case>
  readonly files: ReadonlyMap<string, Uint8Array>
}

export const origin = "log.example.com/audit"

export const pathOf = ({ kind, name }: Case): string =>
  kind === "export" ? `${name}.ndjson` : kind === "receipt" ? `${name}${Receipt.extension}` : name

const signerFrom = (name: string, type: 1 | 4, seed: number) =>
  Effect.flatMap(Signer.generate(name, type, new Uint8Array(32).fill(seed)), ({ privateKey }) =>
    Signer.parse(privateKey)
  ).pipe(Effect.orDie)

const nudged = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1)

export const make: Effect.Effect<Made> = Effect.gen(function* () {
  const log = yield* honestLog
  const signer = yield* signerFrom(origin, 1, 1)
  const next = yield* signerFrom(origin, 1, 2)
  const stranger = yield* signerFrom(origin, 1, 3)
  const other = yield* signerFrom("other.example.com/audit", 1, 4)
  const witness = yield* signerFrom("witness.example.com", 4, 5)

  const forged = log.map((entry) =>
    entry.seq === 4 ? { ...entry, payload: entry.payload.replace("same_party", "not_named") } : entry
  )
  const rewritten = linked(forged)

  const leaves = (of: ReadonlyArray<ExportedEntry>) => of.map(({ payload }) => leafOf(payload))
  const checkpointOf = (of: ReadonlyArray<ExportedEntry>, size: number): Checkpoint.Checkpoint => ({
    origin,
    size,
    root: treeOf(leaves(of).slice(0, size)),
    extensions: []
  })
  const signed = (of: ReadonlyArray<ExportedEntry>, size: number, by: Signer.Signer = signer) =>
    Effect.orDie(Signer.signCheckpoint(checkpointOf(of, size), [by]))
  const stateOf = (of: ReadonlyArray<ExportedEntry>, size: number): Frontier.State => {
    const tree = Frontier.make()
    leaves(of).slice(0, size).forEach(tree.append)
    return tree.state()
  }

  const files = new Map<string, Uint8Array>()
  const cases: Array<Case> = []
  const utf8 = (text: string) => Buffer.from(text, "utf8")
  const plain = "plain.keys"
  const rotated = "rotated.keys"
  files.set(plain, utf8(`${LogKey.format({ key: signer.key, from: 0 })}\n`))
  files.set(
    rotated,
    utf8(
      "# The key was exchanged at size 7.\n" +
        `${LogKey.format({ key: signer.key, from: 0, to: 7 })}\n${LogKey.format({ key: next.key, from: 7 })}\n`
    )
  )
  const notes = new Map<number, string>()
  for (const size of [0, 1, 4, 6, 7, 8, 10]) notes.set(size, yield* signed(log, size))
  const note = (size: number): string => {
    const text = notes.get(size)
    if (text === undefined) throw new Error(`no checkpoint of size ${size}`)
    return text
  }
  for (const size of [7, 10]) files.set(`seen-${size}.checkpoint`, utf8(note(size)))

  interface Rest {
    readonly keys?: string
    readonly seen?: string
  }
  const add = (kind: Case["kind"], name: string, what: string, expected: Outcome, rest: Rest) =>
    cases.push({
      name,
      what,
      kind,
      keys: rest.keys ?? plain,
      ...(rest.seen === undefined ? {} : { seen: rest.seen }),
      expected
    })

  const exported = (
    of: ReadonlyArray<ExportedEntry>,
    checkpoints: ReadonlyArray<readonly [number, string]>,
    from = 1,
    tree = stateOf(of, from - 1)
  ) => {
    const before = of[from - 2]
    const start = { seq: from - 1, hash: before?.hash ?? "0".repeat(64) }
    const covering = { tree, checkpoints: checkpoints.map(([size, text]) => ({ size, note: text })) }
    return Effect.map(Stream.runCollect(encode(start, Stream.fromArray(of.slice(from - 1)), covering)), (parts) =>
      parts.join("")
    )
  }
  const addExport = (name: string, what: string, text: string, expected: Outcome, rest: Rest = {}) => {
    files.set(`${name}.ndjson`, utf8(text))
    add("export", name, what, expected, rest)
  }
  const honest = [4, 7, 10].map((size) => [size, note(size)] as const)
  const resigned = (by: Signer.Signer) =>
    Effect.forEach([4, 7, 10], (size) => Effect.map(signed(rewritten, size, by), (text) => [size, text] as const))
  const covered = yield* exported(log, honest)
  const intact = (entries: number, count: number): Outcome => ({ verdict: "intact", entries, signed: count })
  const broken = (seq: number, why: Why, layer: Layer): Outcome => ({ verdict: "broken", seq, why, layer })

  addExport("covered", "nothing was done to it; a checkpoint seen earlier is in it", covered, intact(10, 3), {
    seen: "seen-7.checkpoint"
  })
  addExport(
    "covered-empty",
    "a log without entries, and its checkpoint",
    yield* exported([], [[0, note(0)]]),
    intact(0, 1)
  )
  addExport(
    "covered-range",
    "entries 5 to 10 only, with the tree before them",
    yield* exported(log, honest, 5),
    intact(6, 3),
    { seen: "seen-7.checkpoint" }
  )
  const both = yield* Effect.orDie(Signer.signCheckpoint(checkpointOf(log, 7), [signer, next]))
  addExport(
    "covered-rotated",
    "the key was exchanged at size 7, whose checkpoint both keys signed",
    yield* exported(log, [
      [4, note(4)],
      [7, both],
      [10, yield* signed(log, 10, next)]
    ]),
    intact(10, 3),
    { keys: rotated }
  )
  const parsed = Result.getOrThrow(SignedNote.parse(note(10)))
  const cosigned = SignedNote.format(
    SignedNote.withSignature(parsed, yield* Effect.orDie(Signer.cosign(parsed.text, 1_795_426_200, witness)))
  )
  addExport(
    "covered-cosigned",
    "a witness that the verifier does not know cosigned the checkpoint",
    yield* exported(log, [[10, cosigned]]),
    intact(10, 1)
  )
  addExport(
    "covered-rewritten",
    "entry 4 was changed and the chain made anew; the checkpoints were kept",
    yield* exported(rewritten, honest),
    broken(4, "root-mismatch", "tree")
  )
  addExport(
    "covered-rewritten-stranger",
    "entry 4 was changed, chain and tree made anew, and signed by another key of the same name",
    yield* exported(rewritten, yield* resigned(stranger)),
    broken(4, "checkpoint-refused", "signature")
  )
  addExport(
    "covered-rewritten-insider",
    "entry 4 was changed, and all of it signed by the log's own key; a checkpoint seen earlier shows it",
    yield* exported(rewritten, yield* resigned(signer)),
    broken(7, "root-mismatch", "consistency"),
    { seen: "seen-7.checkpoint" }
  )
  addExport(
    "covered-truncated",
    "the last three entries and their checkpoint were removed; a checkpoint seen earlier shows it",
    yield* exported(log.slice(0, 7), honest.slice(0, 2)),
    broken(8, "truncated", "consistency"),
    { seen: "seen-10.checkpoint" }
  )
  const edited = (from: string, to: string): string => {
    if (!covered.includes(from)) throw new Error(`not in the export: ${from}`)
    return covered.replace(from, to)
  }
  const [line7 = ""] = note(7).split("\n").slice(-2)
  const [, , signature7 = ""] = line7.split(" ")
  const [, , root7 = ""] = note(7).split("\n")
  addExport(
    "covered-signature",
    "one character of a signature was changed",
    edited(signature7.slice(20), nudged(signature7.slice(20))),
    broken(7, "checkpoint-refused", "signature")
  )
  const hash7 = log[6]?.hash ?? ""
  const otherHash = hash7.replace(/.$/u, (digit) => (digit === "0" ? "1" : "0"))
  addExport(
    "covered-hash",
    "the hash of entry 7, which a checkpoint follows, was changed",
    edited(`"hash":"${hash7}"`, `"hash":"${otherHash}"`),
    broken(7, "hash-edited", "chain")
  )
  addExport(
    "covered-root",
    "the root in a checkpoint was changed",
    edited(root7, nudged(root7)),
    broken(7, "root-mismatch", "tree")
  )
  addExport(
    "covered-size",
    "a checkpoint claims one entry more than it covers",
    edited(`${origin}\\n7\\n`, `${origin}\\n8\\n`),
    broken(8, "malformed", "form")
  )
  addExport(
    "covered-misplaced",
    "a checkpoint stands behind the entry before the one that it covers",
    yield* exported(log, [[6, note(7)]]),
    broken(7, "malformed", "form")
  )
  addExport(
    "covered-unsigned",
    "a checkpoint lost its signature",
    edited(`\\n${line7}\\n`, ""),
    broken(8, "malformed", "form")
  )
  addExport(
    "covered-undeclared",
    "an export whose first line has no tree has a checkpoint",
    covered.replace(',"tree":[]', ""),
    broken(5, "malformed", "form"),
    { seen: "seen-7.checkpoint" }
  )
  addExport(
    "covered-foreign",
    "the checkpoint of another log, of the same tree",
    yield* exported(log, [
      [10, yield* Effect.orDie(Signer.signCheckpoint({ ...checkpointOf(log, 10), origin: other.key.name }, [other]))]
    ]),
    broken(10, "checkpoint-refused", "signature")
  )
  addExport(
    "covered-renamed",
    "the checkpoint of another log, signed by this log's key",
    yield* exported(log, [
      [
        10,
        SignedNote.format({
          text: Checkpoint.encode({ ...checkpointOf(log, 10), origin: other.key.name }),
          signatures: [
            yield* Effect.orDie(
              Signer.signNote(Checkpoint.encode({ ...checkpointOf(log, 10), origin: other.key.name }), signer)
            )
          ]
        })
      ]
    ]),
    broken(10, "checkpoint-refused", "signature")
  )
  addExport(
    "covered-retired",
    "a checkpoint of size 10 is signed by the key that was retired at size 7",
    yield* exported(log, honest),
    broken(10, "checkpoint-refused", "signature"),
    { keys: rotated }
  )
  addExport(
    "covered-premature",
    "a checkpoint of size 4 is signed by the key that came at size 7",
    yield* exported(log, [[4, yield* signed(log, 4, next)]]),
    broken(4, "checkpoint-refused", "signature"),
    { keys: rotated }
  )
  addExport(
    "covered-range-forged",
    "entries 5 to 10 only, behind the tree of another log",
    yield* exported(log, honest.slice(1), 5, stateOf(rewritten, 4)),
    broken(7, "root-mismatch", "tree")
  )
  addExport(
    "uncovered",
    "an export without checkpoints from entry 1 on, held against a checkpoint seen earlier",
    (yield* exported(rewritten, [])).replace(',"tree":[]', ""),
    broken(7, "root-mismatch", "consistency"),
    { seen: "seen-7.checkpoint" }
  )
  addExport(
    "uncovered-range",
    "entries 5 to 10 without the tree before them cannot be held against a checkpoint",
    (yield* exported(log, [], 5)).replace(/,"tree":\[[^\]]*\]/u, ""),
    { verdict: "notChecked" },
    { seen: "seen-7.checkpoint" }
  )

  const receiptOf = Effect.fnUntraced(function* (
    of: ReadonlyArray<ExportedEntry>,
    seq: number,
    size: number,
    text: string
  ) {
    const proof = yield* Proofs.inclusion(seq - 1, size, (nodes) =>
      Effect.sync(() =>
        nodes.map(({ index, level }) => treeOf(leaves(of).slice(index * 2 ** level, (index + 1) * 2 ** level)))
      )
    )
    const entry = of[seq - 1]
    if (entry === undefined) throw new Error(`no entry ${seq}`)
    return Receipt.encode({ payload: entry.payload, seq, proof, note: text })
  })
  const addReceipt = (name: string, what: string, text: string, expected: Outcome, rest: Rest = {}) => {
    files.set(`${name}${Receipt.extension}`, utf8(text))
    add("receipt", name, what, expected, rest)
  }
  const proved = (seq: number): Outcome => ({ verdict: "proved", seq })
  const refused = (reason: Receipt.ReceiptRefused["reason"]): Outcome => ({ verdict: "refused", reason })
  const receipt = yield* receiptOf(log, 6, 10, cosigned)
  const lines = receipt.split("\n")
  const [, extra = "", , first = "", second = ""] = lines
  const swap = (from: string, to: string): string => {
    if (!receipt.includes(from)) throw new Error(`not in the receipt: ${from}`)
    return receipt.replace(from, to)
  }
  const encoded = (payload: string) => `extra ${Buffer.from(payload, "utf8").toString("base64")}`
  const sixth = log[5]?.payload ?? ""
  addReceipt("receipt", "entry 6 in the tree of 10", receipt, proved(6))
  addReceipt("receipt-only", "the only entry of a log", yield* receiptOf(log, 1, 1, note(1)), proved(1))
  addReceipt("receipt-last", "the last entry of seven", yield* receiptOf(log, 7, 7, note(7)), proved(7))
  addReceipt(
    "receipt-rotated",
    "of a checkpoint from before the key was exchanged",
    yield* receiptOf(log, 2, 7, both),
    proved(2),
    {
      keys: rotated
    }
  )
  addReceipt(
    "receipt-payload",
    "another person approved, says the entry",
    swap(extra, encoded(sixth.replace("bob@", "eve@"))),
    refused("proof")
  )
  addReceipt("receipt-index", "another place", swap("index 5\n", "index 4\n"), refused("proof"))
  addReceipt("receipt-beyond", "a place behind the end of the tree", swap("index 5\n", "index 10\n"), refused("proof"))
  addReceipt("receipt-proof", "a hash of the proof was changed", swap(first, nudged(first)), refused("proof"))
  addReceipt(
    "receipt-order",
    "two hashes of the proof were exchanged",
    swap(`${first}\n${second}`, `${second}\n${first}`),
    refused("proof")
  )
  addReceipt("receipt-short", "the proof lacks its first hash", swap(`${first}\n`, ""), refused("proof"))
  addReceipt(
    "receipt-long",
    "the proof has a hash too many",
    swap(`${first}\n`, `${first}\n${first}\n`),
    refused("proof")
  )
  addReceipt(
    "receipt-rewritten",
    "an entry of a rewritten log under the checkpoint of the true one",
    yield* receiptOf(rewritten, 4, 10, note(10)),
    refused("proof")
  )
  const [, , root10 = ""] = note(10).split("\n")
  addReceipt(
    "receipt-root",
    "the root in its checkpoint was changed",
    swap(root10, nudged(root10)),
    refused("signature")
  )
  addReceipt(
    "receipt-stranger",
    "an entry of a rewritten log, signed by another key of the same name",
    yield* receiptOf(rewritten, 4, 10, yield* signed(rewritten, 10, stranger)),
    refused("unsigned")
  )
  addReceipt(
    "receipt-foreign",
    "an entry of another log",
    yield* receiptOf(
      log,
      6,
      10,
      yield* Effect.orDie(Signer.signCheckpoint({ ...checkpointOf(log, 10), origin: other.key.name }, [other]))
    ),
    refused("origin")
  )
  addReceipt("receipt-retired", "signed by a key that was retired", receipt, refused("range"), { keys: rotated })
  addReceipt("receipt-zero", "the place has a leading zero", swap("index 5\n", "index 05\n"), refused("malformed"))
  addReceipt("receipt-extra", "it has no entry", swap(`${extra}\n`, ""), refused("malformed"))
  addReceipt("receipt-base64", "a hash in another spelling", swap(first, first.replace("=", "")), refused("malformed"))
  addReceipt(
    "receipt-unsigned",
    "its checkpoint lost its signatures",
    `${receipt.slice(0, receipt.lastIndexOf("\n\n"))}\n`,
    refused("malformed")
  )

  const directoryOf = (of: ReadonlyArray<ExportedEntry>, text: string) => {
    const writer = TileWriter.make()
    for (const { payload } of of) Result.getOrThrow(writer.append(payload))
    const directory = new Map<string, Uint8Array>([["checkpoint", utf8(text)]])
    for (const { bytes, path } of writer.edge()) directory.set(path, bytes)
    return directory
  }
  const addTiles = (
    name: string,
    what: string,
    directory: ReadonlyMap<string, Uint8Array>,
    expected: Outcome,
    rest: Rest = {}
  ) => {
    for (const [path, bytes] of directory) files.set(`${name}/${path}`, bytes)
    add("tiles", name, what, expected, rest)
  }
  const tiles = directoryOf(log, note(10))
  const bundle = "tile/entries/000.p/10"
  const tile = "tile/0/000.p/10"
  const bundleOf = (of: ReadonlyArray<ExportedEntry>) =>
    directoryOf(of, note(10)).get(`tile/entries/000.p/${of.length}`)
  const withBundle = (of: ReadonlyArray<ExportedEntry>) => new Map(tiles).set(bundle, bundleOf(of) ?? new Uint8Array())
  addTiles("tiles", "nothing was done to them; a checkpoint seen earlier is in them", tiles, intact(10, 1), {
    seen: "seen-7.checkpoint"
  })
  addTiles("tiles-edited", "entry 4 was changed", withBundle(forged), broken(4, "payload-edited", "leaf"))
  addTiles("tiles-removed", "entry 4 was removed", withBundle(log.toSpliced(3, 1)), broken(4, "missing", "leaf"))
  addTiles(
    "tiles-reordered",
    "entries 4 and 5 stand the other way round",
    withBundle(log.toSpliced(3, 2, ...log.slice(3, 5).toReversed())),
    broken(4, "reordered", "leaf")
  )
  addTiles(
    "tiles-inserted",
    "an entry was put in behind entry 3, and the last one taken out",
    withBundle([...log.slice(0, 3), ...forged.slice(3, 4), ...log.slice(3, 9)]),
    broken(4, "inserted", "leaf")
  )
  addTiles("tiles-cut", "the bundle ends behind entry 7", withBundle(log.slice(0, 7)), broken(8, "missing", "leaf"))
  addTiles(
    "tiles-rehashed",
    "entry 4 was changed, and the tile with it; the checkpoint was kept",
    directoryOf(forged, note(10)),
    broken(1, "tile-mismatch", "tree")
  )
  addTiles(
    "tiles-stranger",
    "entry 4 was changed, and all of it signed by another key of the same name",
    directoryOf(rewritten, yield* signed(rewritten, 10, stranger)),
    broken(1, "checkpoint-refused", "signature")
  )
  addTiles(
    "tiles-insider",
    "entry 4 was changed, and all of it signed by the log's own key; a checkpoint seen earlier shows it",
    directoryOf(rewritten, yield* signed(rewritten, 10)),
    broken(7, "forked", "consistency"),
    { seen: "seen-7.checkpoint" }
  )
  addTiles(
    "tiles-insider-same",
    "the same, held against a checkpoint of the same size: that takes no tile at all",
    new Map([["checkpoint", utf8(yield* signed(rewritten, 10))]]),
    broken(10, "forked", "consistency"),
    { seen: "seen-10.checkpoint" }
  )
  addTiles(
    "tiles-rolled-back",
    "an older state was put back; a checkpoint seen earlier shows it",
    directoryOf(log.slice(0, 7), note(7)),
    broken(8, "truncated", "consistency"),
    { seen: "seen-10.checkpoint" }
  )
  const lost = new Map(tiles)
  lost.delete(tile)
  addTiles("tiles-lost", "a tile is missing", lost, broken(1, "tile-mismatch", "tree"))
  const bare = new Map(tiles)
  bare.delete("checkpoint")
  addTiles("tiles-bare", "there is no checkpoint", bare, { verdict: "notChecked" })

  return { cases, files }
})

/** The list of cases without their files, as it is committed. */
export const listOf = (cases: ReadonlyArray<Case>): string => `${JSON.stringify(cases, null, 2)}\n`
