import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { ChainHasher, genesis, layer } from "../src/ChainHasher.ts"
import { sha256Hex } from "../src/Sha256.ts"

/** Made by Python's hashlib; the layer of @jitsudo/audit is held to the same file. */
const Vectors = Schema.fromJsonString(
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      prevHash: Schema.String,
      seq: Schema.Int,
      payload: Schema.optionalKey(Schema.String),
      repeat: Schema.optionalKey(Schema.Tuple([Schema.String, Schema.Int])),
      leaf: Schema.String,
      hash: Schema.String
    })
  )
)
const vectors = Schema.decodeSync(Vectors)(
  readFileSync(new URL("../../audit/test/vectors/links.json", import.meta.url), "utf8")
)

const link = (prevHash: string, seq: number, payload: string) =>
  ChainHasher.use((hasher) => hasher.link(prevHash, seq, payload)).pipe(Effect.provide(layer))

describe("SHA-256", () => {
  // FIPS 180-4's example, the empty text, and a text beyond ASCII.
  for (const [text, hash] of [
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["\u20ac", "c4cc90ed3d26f12d4b08a75140970a7904035c31cbb4515a83f19b9003c00d1d"]
  ] as const) {
    it.effect(`of ${JSON.stringify(text)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* sha256Hex(text), hash)
      })
    )
  }

  it.effect("of a lone surrogate is a defect, not the hash of U+FFFD", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.hasDies(yield* Effect.exit(sha256Hex("\ud800"))))
    })
  )
})

describe("a link over WebCrypto", () => {
  for (const vector of vectors) {
    it.effect(vector.name, () =>
      Effect.gen(function* () {
        const payload = vector.payload ?? vector.repeat?.[0].repeat(vector.repeat[1]) ?? assert.fail("no payload")
        assert.deepStrictEqual(yield* link(vector.prevHash, vector.seq, payload), {
          leaf: vector.leaf,
          hash: vector.hash
        })
      })
    )
  }

  for (const [why, prevHash, seq, payload] of [
    ["upper-case digits", "A".repeat(64), 1, "{}"],
    ["a short hash", genesis.slice(2), 1, "{}"],
    ["position 0", genesis, 0, "{}"],
    ["half a position", genesis, 1.5, "{}"],
    ["a lone surrogate", genesis, 1, "\ud800"]
  ] as const) {
    it.effect(`${why} is a defect`, () =>
      Effect.gen(function* () {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(link(prevHash, seq, payload))))
      })
    )
  }
})
