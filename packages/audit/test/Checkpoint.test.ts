/** Checkpoints: their form, whom to believe, and what two of them say of each other. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { leafOf } from "../src/Chain.ts"
import * as Checkpoint from "../src/Checkpoint.ts"
import { emptyRoot } from "../src/Merkle.ts"
import * as Proofs from "../src/Proofs.ts"
import * as Receipt from "../src/Receipt.ts"
import * as SignedNote from "../src/SignedNote.ts"
import * as Signer from "../src/Signer.ts"
import { treeOf } from "./NaiveTree.ts"
import { honestLog } from "./vectors/Log.ts"

const origin = "log.example.com/audit"
const leaves = Array.from({ length: 9 }, (_, at) => leafOf(`${at}`))
const at = (size: number, of = leaves): Checkpoint.Checkpoint => ({
  origin,
  size,
  root: treeOf(of.slice(0, size)),
  extensions: []
})
const signer = (name: string, type: 1 | 4, seed: number) =>
  Effect.flatMap(Signer.generate(name, type, new Uint8Array(32).fill(seed)), ({ privateKey }) =>
    Signer.parse(privateKey)
  )

describe("a checkpoint's text", () => {
  it("is the specification's", () => {
    // The example of c2sp.org/tlog-checkpoint.
    const text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    const checkpoint = Result.getOrThrow(Checkpoint.parse(text))
    assert.deepInclude(checkpoint, { origin: "example.com/behind-the-sofa", size: 20_852_163, extensions: [] })
    assert.strictEqual(checkpoint.root, "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62")
    assert.strictEqual(Checkpoint.encode(checkpoint), text)
    const more = Result.getOrThrow(Checkpoint.parse(`${text}one\ntwo words\n`))
    assert.deepStrictEqual(more.extensions, ["one", "two words"])
    assert.strictEqual(Checkpoint.encode(more), `${text}one\ntwo words\n`)
  })

  const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
  for (const [why, text] of [
    ["nothing", ""],
    ["two lines", "log\n1\n"],
    ["no last line feed", `log\n1\n${root}`],
    ["no origin", `\n1\n${root}\n`],
    ["a size with a leading zero", `log\n01\n${root}\n`],
    ["a size with a sign", `log\n+1\n${root}\n`],
    ["a size in other digits", `log\n\u0661\n${root}\n`],
    ["a size beyond what can be counted", `log\n9007199254740992\n${root}\n`],
    ["no size", `log\n\n${root}\n`],
    ["a root of 31 bytes", `log\n1\n${root.slice(0, 40)}QA==\n`],
    ["a root in hexadecimal", `log\n1\n${emptyRoot}\n`],
    ["a root in another spelling", `log\n1\n${root.replace("q2I=", "q2J=")}\n`],
    ["an empty line behind the root", `log\n1\n${root}\n\n`],
    ["an empty extension line", `log\n1\n${root}\n\nmore\n`],
    ["a carriage return", `log\r\n1\n${root}\n`],
    ["another root than that of nothing", `log\n0\n${root}\n`]
  ] as const) {
    it(`is none with ${why}`, () => {
      const parsed = Checkpoint.parse(text)
      if (Result.isSuccess(parsed)) return assert.fail("taken for a checkpoint")
      assert.strictEqual(parsed.failure.reason, "malformed")
    })
  }

  it("is not written for what is none", () => {
    for (const wrong of [
      { ...at(3), origin: "" },
      { ...at(3), origin: "a\nb" },
      { ...at(3), size: -1 },
      { ...at(3), root: "00" },
      { ...at(3), extensions: [""] },
      { ...at(3), extensions: ["a\nb"] }
    ]) {
      assert.throws(() => Checkpoint.encode(wrong), RangeError)
    }
  })
})

describe("a checkpoint", () => {
  it.effect("is believed with the witnesses that are needed, and their times", () =>
    Effect.gen(function* () {
      const log = yield* signer(origin, 1, 1)
      const witnesses = yield* Effect.forEach([2, 3, 4], (seed) => signer(`w${seed}.example.com`, 4, seed))
      const note = Result.getOrThrow(SignedNote.parse(yield* Signer.signCheckpoint(at(5), [log])))
      const [first, second] = witnesses
      if (first === undefined || second === undefined) return assert.fail("no witnesses")
      const once = SignedNote.withSignature(note, yield* Signer.cosign(note.text, 100, first))
      const later = SignedNote.withSignature(once, yield* Signer.cosign(note.text, 200, first))
      const both = SignedNote.withSignature(later, yield* Signer.cosign(note.text, 150, second))
      const keys = [{ key: log.key, from: 0 }]
      const trust = (needed: number) => ({ keys, witnesses: { witnesses: witnesses.map(({ key }) => key), needed } })
      const verdict = (of: SignedNote.Note, needed: number) =>
        Checkpoint.verify(SignedNote.format(of), trust(needed)).pipe(
          Effect.match({
            onFailure: ({ reason }) => reason,
            onSuccess: ({ cosignedBy }) => cosignedBy.map(({ time, witness }) => `${witness.name} ${time}`).join(", ")
          })
        )
      assert.strictEqual(yield* verdict(note, 0), "")
      assert.strictEqual(yield* verdict(note, 1), "witnesses")
      // One that signs twice is one, with the later of its times.
      assert.strictEqual(yield* verdict(later, 1), "w2.example.com 200")
      assert.strictEqual(yield* verdict(later, 2), "witnesses")
      assert.strictEqual(yield* verdict(both, 2), "w2.example.com 200, w3.example.com 150")
      assert.strictEqual(yield* verdict(both, 3), "witnesses")
      const other = yield* Signer.cosign(at(6).origin + "\n6\n" + note.text.split("\n")[2] + "\n", 300, second)
      const spoilt = SignedNote.withSignature(both, other)
      assert.strictEqual(yield* verdict(spoilt, 1), "signature")
      // Without a policy nobody looks at witnesses.
      assert.deepStrictEqual((yield* Checkpoint.verify(SignedNote.format(both), { keys })).cosignedBy, [])
      const broken = { keys, witnesses: { witnesses: [], needed: 1 } }
      assert.include(String(yield* Effect.exit(Checkpoint.verify(SignedNote.format(both), broken))), "RangeError")

      const entry = (yield* honestLog)[0]?.payload ?? ""
      const one = Result.getOrThrow(
        SignedNote.parse(yield* Signer.signCheckpoint({ ...at(1), root: leafOf(entry) }, [log]))
      )
      const cosigned = SignedNote.withSignature(one, yield* Signer.cosign(one.text, 1, first))
      const receipt = (of: SignedNote.Note) =>
        Receipt.encode({ payload: entry, seq: 1, proof: [], note: SignedNote.format(of) })
      const proved = yield* Receipt.verify(receipt(cosigned), trust(1))
      assert.strictEqual(proved.checkpoint.cosignedBy.length, 1)
      assert.strictEqual(proved.entry.action, "config.loaded")
      assert.strictEqual((yield* Effect.flip(Receipt.verify(receipt(one), trust(1)))).reason, "witnesses")
    })
  )

  it.effect("needs a key, and one with the origin's name signs it", () =>
    Effect.gen(function* () {
      const log = yield* signer(origin, 1, 1)
      const note = yield* Signer.signCheckpoint(at(5), [log])
      assert.strictEqual((yield* Effect.flip(Checkpoint.verify(note, { keys: [] }))).reason, "origin")
      const wrong = Signer.signCheckpoint({ ...at(5), origin: "other" }, [log])
      assert.include(String(yield* Effect.exit(wrong)), "RangeError")
    })
  )
})

describe("two checkpoints", () => {
  const read: Proofs.HashReader = (nodes) =>
    Effect.sync(() =>
      nodes.map(({ index, level }) => treeOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)))
    )
  const other = leaves.with(2, leafOf("other"))

  it.effect("are the same, grown, forked, rolled back, or of two logs", () =>
    Effect.gen(function* () {
      const { compare } = Checkpoint
      const proof = yield* Proofs.consistency(4, 9, read)
      assert.strictEqual(compare(at(4), at(4)), "same")
      assert.strictEqual(compare(at(4), at(9), proof), "grown")
      assert.strictEqual(compare(at(0), at(9)), "grown")
      assert.strictEqual(compare(at(0), at(9), []), "grown")
      assert.strictEqual(compare(at(4), at(9)), "unproven")
      assert.strictEqual(compare(at(4), at(4, other)), "forked")
      assert.strictEqual(compare(at(4), at(9, other), proof), "forked")
      assert.strictEqual(compare(at(4, other), at(9), proof), "forked")
      assert.strictEqual(compare(at(4), at(9), proof.slice(1)), "forked")
      assert.strictEqual(compare(at(9), at(4)), "rolledBack")
      assert.strictEqual(compare(at(9), at(4), proof), "stale")
      assert.strictEqual(compare(at(9), at(4, other), proof), "forked")
      assert.strictEqual(compare(at(4), { ...at(9), origin: "other" }, proof), "otherLog")
    })
  )
})
