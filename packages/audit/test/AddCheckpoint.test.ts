/** The exchange between a log and a witness: what is written, answered and taken. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AddCheckpoint from "../src/AddCheckpoint.ts"
import { leafOf } from "../src/Chain.ts"
import type { Head } from "../src/Merkle.ts"
import * as Proofs from "../src/Proofs.ts"
import * as SignedNote from "../src/SignedNote.ts"
import * as Signer from "../src/Signer.ts"
import { treeOf } from "./NaiveTree.ts"

const origin = "log.example.com/audit"
const leaves = Array.from({ length: 9 }, (_, at) => leafOf(`${at}`))
const head = (size: number, of = leaves): Head => ({ size, root: treeOf(of.slice(0, size)) })
const read: Proofs.HashReader = (nodes) =>
  Effect.sync(() => nodes.map(({ index, level }) => treeOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))))
const signer = (name: string, type: 1 | 4, seed: number) =>
  Effect.flatMap(Signer.generate(name, type, new Uint8Array(32).fill(seed)), ({ privateKey }) =>
    Signer.parse(privateKey)
  )
const noteOf = (of: Head, by: Signer.Signer) =>
  Signer.signCheckpoint({ ...of, origin: by.key.name, extensions: [] }, [by])

describe("a request", () => {
  // The example of c2sp.org/tlog-witness, shortened.
  const note = `example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n`
  const body = `old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n\n${note}`

  it("is the specification's, both ways", () => {
    const request = AddCheckpoint.parse(body) ?? assert.fail("no request")
    assert.deepInclude(request, { oldSize: 20_852_014, note })
    assert.strictEqual(request.proof.length, 2)
    assert.strictEqual(AddCheckpoint.encode(request), body)
    assert.strictEqual(AddCheckpoint.encode({ oldSize: 0, proof: [], note }), `old 0\n\n${note}`)
  })

  it("has one form", () => {
    const line = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    for (const other of [
      "",
      note,
      body.replace("old ", "old  "),
      body.replace("old 2", "old 02"),
      body.replace("old ", "new "),
      body.replace("kaw=", "kax="),
      `old 1\n${line.repeat(64)}\n${note}`
    ]) {
      assert.isUndefined(AddCheckpoint.parse(other), other)
    }
    assert.isDefined(AddCheckpoint.parse(`old 1\n${line.repeat(63)}\n${note}`))
    const hash = leaves[0] ?? ""
    assert.throws(() => AddCheckpoint.encode({ oldSize: -1, proof: [], note }), RangeError)
    assert.throws(() => AddCheckpoint.encode({ oldSize: 1, proof: ["x"], note }), RangeError)
    assert.throws(
      () => AddCheckpoint.encode({ oldSize: 1, proof: Array.from({ length: 64 }, () => hash), note }),
      RangeError
    )
  })
})

describe("a witness", () => {
  it.effect("cosigns what has grown, and nothing else", () =>
    Effect.gen(function* () {
      const log = yield* signer(origin, 1, 1)
      const stranger = yield* signer(origin, 1, 2)
      const other = yield* signer("other.example.com", 1, 3)
      const trust = { keys: [{ key: log.key, from: 0 }] }
      const answer = Effect.fnUntraced(function* (
        last: Head | null,
        oldSize: number,
        note: string,
        proof?: ReadonlyArray<string>
      ) {
        const made = proof ?? (yield* Proofs.consistency(oldSize, 9, read))
        const given = yield* AddCheckpoint.judge(AddCheckpoint.encode({ oldSize, proof: made, note }), last, trust)
        return given.status === 409 ? `409 ${given.size}` : String(given.status)
      })
      const note = yield* noteOf(head(9), log)
      assert.strictEqual(yield* answer(null, 0, note), "200")
      assert.strictEqual(yield* answer(head(4), 4, note), "200")
      assert.strictEqual(yield* answer(head(9), 9, note), "200")
      // It knows another size, or another tree of this size.
      assert.strictEqual(yield* answer(head(4), 0, note), "409 4")
      assert.strictEqual(yield* answer(null, 4, note), "409 0")
      assert.strictEqual(yield* answer(head(5), 4, note), "409 5")
      assert.strictEqual(yield* answer(head(9, leaves.toReversed()), 9, note), "409 9")
      // It has not grown, or nobody shows that it has.
      assert.strictEqual(yield* answer(head(4), 4, note, []), "422")
      assert.strictEqual(yield* answer(null, 0, note, [leaves[0] ?? ""]), "422")
      assert.strictEqual(yield* answer(head(4), 4, yield* noteOf(head(9, leaves.toReversed()), log)), "422")
      assert.strictEqual(yield* answer(head(9), 9, yield* noteOf(head(4), log), []), "400")
      // It is not this log that asks.
      assert.strictEqual(yield* answer(null, 0, yield* noteOf(head(9), stranger)), "403")
      assert.strictEqual(yield* answer(null, 0, note.replace("\n9\n", "\n8\n")), "403")
      assert.strictEqual(yield* answer(null, 0, yield* noteOf(head(9), other)), "404")
      assert.strictEqual(yield* answer(null, 0, "hello"), "400")
      assert.deepInclude(yield* AddCheckpoint.judge("hello", null, trust), { status: 400 })
    })
  )

  it.effect("is believed when it is known and cosigned this", () =>
    Effect.gen(function* () {
      const log = yield* signer(origin, 1, 1)
      const [one, two] = [yield* signer("w1.example.com", 4, 4), yield* signer("w2.example.com", 4, 5)]
      const note = Result.getOrThrow(SignedNote.parse(yield* noteOf(head(9), log)))
      const lines = (...signatures: ReadonlyArray<SignedNote.Signature>) =>
        SignedNote.format({ text: note.text, signatures }).slice(note.text.length + 1)
      const mine = yield* Signer.cosign(note.text, 100, one)
      const others = yield* Signer.cosign(note.text, 100, two)
      const taken = yield* AddCheckpoint.collect(note, lines(mine, others), [one.key])
      assert.deepStrictEqual(
        taken.signatures.map(({ name }) => name),
        [origin, "w1.example.com"]
      )
      assert.deepStrictEqual(yield* AddCheckpoint.collect(taken, lines(mine), [one.key]), taken)
      const reason = (answer: string) =>
        Effect.map(Effect.flip(AddCheckpoint.collect(note, answer, [one.key])), (refused) => refused.reason)
      assert.strictEqual(yield* reason(lines(others)), "unsigned")
      assert.strictEqual(yield* reason(lines(yield* Signer.cosign("other\n", 100, one))), "signature")
      assert.strictEqual(yield* reason(""), "malformed")
      assert.strictEqual(yield* reason("hello\n"), "malformed")
    })
  )
})
