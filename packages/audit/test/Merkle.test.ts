/** The tree against the vectors of the certificate transparency projects, and against a naive one. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { leafOf } from "../src/Chain.ts"
import * as Frontier from "../src/Frontier.ts"
import { emptyRoot, isConsistent, isIncluded, nodeOf, rootByInclusion } from "../src/Merkle.ts"
import type { HashReader } from "../src/Proofs.ts"
import * as Proofs from "../src/Proofs.ts"
import { sha256Hex } from "../src/Sha256.ts"
import { treeOf } from "./NaiveTree.ts"

const Known = Schema.fromJsonString(
  Schema.Struct({
    source: Schema.String,
    leaves: Schema.Array(Schema.String),
    roots: Schema.Array(Schema.String),
    inclusion: Schema.Array(Schema.Struct({ index: Schema.Int, size: Schema.Int, proof: Schema.Array(Schema.String) })),
    consistency: Schema.Array(
      Schema.Struct({ older: Schema.Int, newer: Schema.Int, proof: Schema.Array(Schema.String) })
    )
  })
)
const known = Schema.decodeSync(Known)(readFileSync(new URL("vectors/tree.json", import.meta.url), "utf8"))
const knownLeaves = known.leaves.map((hex) => sha256Hex(Buffer.from(`00${hex}`, "hex")))

const leavesOf = (size: number): ReadonlyArray<string> => Array.from({ length: size }, (_, at) => leafOf(`leaf ${at}`))

const readerOf =
  (leaves: ReadonlyArray<string>): HashReader =>
  (nodes) =>
    Effect.sync(() =>
      nodes.map(({ level, index }) => treeOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)))
    )

const grown = (leaves: ReadonlyArray<string>): Frontier.Frontier => {
  const tree = Frontier.make()
  leaves.forEach(tree.append)
  return tree
}

describe("the vectors of RFC 6962's implementations", () => {
  it("have our roots", () => {
    assert.strictEqual(emptyRoot, known.roots[0])
    for (const [size, root] of known.roots.entries()) {
      assert.deepStrictEqual(grown(knownLeaves.slice(0, size)).head(), { size, root })
      assert.strictEqual(treeOf(knownLeaves.slice(0, size)), root)
    }
  })

  it.effect("have our proofs of inclusion", () =>
    Effect.gen(function* () {
      assert.isAbove(known.inclusion.length, 3)
      for (const { index, size, proof } of known.inclusion) {
        assert.deepStrictEqual(yield* Proofs.inclusion(index, size, readerOf(knownLeaves)), proof)
        const root = known.roots[size] ?? assert.fail("no root")
        assert.isTrue(isIncluded(index, { size, root }, knownLeaves[index] ?? "", proof))
      }
    })
  )

  it.effect("have our proofs of consistency", () =>
    Effect.gen(function* () {
      assert.isAbove(known.consistency.length, 3)
      for (const { newer, older, proof } of known.consistency) {
        assert.deepStrictEqual(yield* Proofs.consistency(older, newer, readerOf(knownLeaves)), proof)
        const head = (size: number) => ({ size, root: known.roots[size] ?? assert.fail("no root") })
        assert.isTrue(isConsistent(head(older), head(newer), proof))
      }
    })
  )
})

describe("a tree that grows", () => {
  it("has the root of a naive one at every size, whether it was kept or read back", () => {
    const leaves = leavesOf(300)
    let tree = Frontier.make()
    for (const [at, leaf] of leaves.entries()) {
      tree.append(leaf)
      assert.strictEqual(tree.head().root, treeOf(leaves.slice(0, at + 1)))
      const stored: Frontier.State = JSON.parse(JSON.stringify(tree.state()))
      assert.isTrue(Frontier.isState(stored))
      assert.isAtMost(stored.hashes.length, 9)
      assert.strictEqual(Frontier.rootOf(stored), tree.head().root)
      tree = Frontier.make(stored)
    }
  })

  it("does not go on from what is no tree", () => {
    const { hashes } = grown(leavesOf(5)).state()
    for (const state of [
      { size: 5, hashes: hashes.slice(1) },
      { size: 4, hashes },
      { size: -1, hashes: [] },
      { size: 1.5, hashes: [] },
      { size: 5, hashes: hashes.map((hash) => hash.toUpperCase()) }
    ]) {
      assert.isFalse(Frontier.isState(state))
      assert.throws(() => Frontier.make(state), RangeError)
    }
  })
})

const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 }))
const Part = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))

describe("every proof", () => {
  it.effect("up to 40 leaves is right, and fits no other place, size, leaf or tree", () =>
    Effect.gen(function* () {
      const leaves = leavesOf(40)
      const read = readerOf(leaves)
      for (let size = 1; size <= leaves.length; size++) {
        const tree = { size, root: treeOf(leaves.slice(0, size)) }
        assert.strictEqual(yield* Proofs.root(size, read), tree.root)
        for (let index = 0; index < size; index++) {
          const leaf = leaves[index] ?? ""
          const proof = yield* Proofs.inclusion(index, size, read)
          assert.isTrue(isIncluded(index, tree, leaf, proof), `${index} in ${size}`)
          assert.isFalse(isIncluded(index, tree, leafOf("other"), proof))
          assert.isFalse(isIncluded(index, tree, leaf, [...proof, leaf]))
          assert.isFalse(isIncluded(size, tree, leaf, proof))
          if (proof.length === 0) continue
          assert.isFalse(isIncluded(index, tree, leaf, proof.slice(1)))
          assert.isFalse(isIncluded(index, tree, leaf, proof.slice(0, -1)))
          assert.isFalse(isIncluded((index + 1) % size, tree, leaf, proof))
        }
      }
    })
  )

  it.effect("between any two of 40 sizes is right, and nothing else is", () =>
    Effect.gen(function* () {
      const leaves = leavesOf(40)
      const read = readerOf(leaves)
      const head = (size: number) => ({ size, root: treeOf(leaves.slice(0, size)) })
      for (let newer = 0; newer <= leaves.length; newer++) {
        for (let older = 0; older <= newer; older++) {
          const proof = yield* Proofs.consistency(older, newer, read)
          const between = `${older} and ${newer}`
          assert.isTrue(isConsistent(head(older), head(newer), proof), between)
          assert.isFalse(isConsistent(head(older), head(newer), [...proof, emptyRoot]), between)
          assert.isFalse(isConsistent({ size: older, root: leafOf("other") }, head(newer), proof), between)
          if (older < newer) assert.isFalse(isConsistent(head(newer), head(older), proof), between)
          // The empty tree grows into any: there is nothing to hold against it.
          if (older > 0) {
            assert.isFalse(isConsistent(head(older), { size: newer, root: leafOf("other") }, proof), between)
          }
          for (let at = 0; at < proof.length; at++) {
            assert.isFalse(isConsistent(head(older), head(newer), proof.toSpliced(at, 1)), between)
            assert.isFalse(isConsistent(head(older), head(newer), proof.with(at, emptyRoot)), between)
          }
        }
      }
    })
  )

  it.effect.prop(
    "of any leaf and size is right",
    [Size, Part],
    ([size, part]) =>
      Effect.gen(function* () {
        const leaves = leavesOf(size)
        const index = part % size
        const proof = yield* Proofs.inclusion(index, size, readerOf(leaves))
        assert.strictEqual(rootByInclusion(index, size, leaves[index] ?? "", proof), grown(leaves).head().root)
        assert.isAtMost(proof.length, 10)
      }),
    { arbitrary: { runs: 60 } }
  )

  it.effect.prop(
    "between any sizes is right, and no other history has it",
    [Size, Part],
    ([newer, part]) =>
      Effect.gen(function* () {
        const leaves = leavesOf(newer)
        const older = 1 + (part % newer)
        const read = readerOf(leaves)
        const head = (of: ReadonlyArray<string>) => grown(of).head()
        const proof = yield* Proofs.consistency(older, newer, read)
        assert.isTrue(isConsistent(head(leaves.slice(0, older)), head(leaves), proof))
        const other = leaves.with(part % older, leafOf("other"))
        const forged = yield* Proofs.consistency(older, newer, readerOf(other))
        assert.isFalse(isConsistent(head(leaves.slice(0, older)), head(other), forged))
        assert.isFalse(isConsistent(head(leaves.slice(0, older)), head(other), proof))
      }),
    { arbitrary: { runs: 60 } }
  )

  it.effect("reaches beyond 32 bits, in few hashes", () =>
    Effect.gen(function* () {
      // A tree of 2 ** 45 + 3 equal leaves: only its complete subtrees are ever computed.
      const leaf = leafOf("same")
      const levels = [leaf]
      for (let level = 1; level <= 45; level++) levels.push(nodeOf(levels[level - 1] ?? "", levels[level - 1] ?? ""))
      const read: HashReader = (nodes) => Effect.sync(() => nodes.map(({ level }) => levels[level] ?? ""))
      const size = 2 ** 45 + 3
      const tree = { size, root: yield* Proofs.root(size, read) }
      for (const index of [0, 2 ** 33 + 1, 2 ** 45 - 1, 2 ** 45, size - 1]) {
        assert.isTrue(isIncluded(index, tree, leaf, yield* Proofs.inclusion(index, size, read)), `${index}`)
      }
      for (const older of [1, 2 ** 32 + 1, 2 ** 45, 2 ** 45 + 1]) {
        const proof = yield* Proofs.consistency(older, size, read)
        assert.isTrue(isConsistent({ size: older, root: yield* Proofs.root(older, read) }, tree, proof), `${older}`)
      }
    })
  )

  it.effect("of what is not there is a defect", () =>
    Effect.gen(function* () {
      const read = readerOf(leavesOf(4))
      const asked: ReadonlyArray<Effect.Effect<unknown>> = [
        Proofs.inclusion(4, 4, read),
        Proofs.inclusion(-1, 4, read),
        Proofs.consistency(5, 4, read),
        Proofs.root(0.5, read)
      ]
      for (const effect of asked) assert.include(String(yield* Effect.exit(effect)), "RangeError")
    })
  )
})
