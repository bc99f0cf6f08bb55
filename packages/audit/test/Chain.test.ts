import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { ChainHasher } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { genesis, isHash, isSalt, leafOf, link, textHashOf } from "../src/Chain.ts"
import { layer } from "../src/ChainHasher.ts"

/** Made by Python's hashlib; core's layer over WebCrypto is held to the same file. */
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
const vectors = Schema.decodeSync(Vectors)(readFileSync(new URL("vectors/links.json", import.meta.url), "utf8"))

describe("a link", () => {
  for (const vector of vectors) {
    const payload = vector.payload ?? vector.repeat?.[0].repeat(vector.repeat[1]) ?? assert.fail("no payload")
    it(vector.name, () => {
      assert.strictEqual(leafOf(payload), vector.leaf)
      assert.strictEqual(link(vector.prevHash, vector.seq, payload), vector.hash)
    })
    it.effect(`${vector.name}, as core's service`, () =>
      Effect.gen(function* () {
        const hasher = yield* ChainHasher.ChainHasher
        assert.deepStrictEqual(yield* hasher.link(vector.prevHash, vector.seq, payload), {
          leaf: vector.leaf,
          hash: vector.hash
        })
      }).pipe(Effect.provide(layer))
    )
  }

  it.effect.prop(
    "is the same in both layers of ChainHasher",
    [Schema.String, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))],
    ([any, seq]) =>
      Effect.gen(function* () {
        const payload = any.toWellFormed()
        const over = (of: typeof layer) =>
          ChainHasher.ChainHasher.use((hasher) => hasher.link(genesis, seq, payload)).pipe(Effect.provide(of))
        assert.deepStrictEqual(yield* over(layer), yield* over(ChainHasher.layer))
      })
  )

  for (const [why, prevHash, seq, payload] of [
    ["upper-case digits", "A".repeat(64), 1, "{}"],
    ["position 0", genesis, 0, "{}"],
    ["a lone surrogate", genesis, 1, "\ud800"]
  ] as const) {
    it.effect(`${why} is a defect`, () =>
      Effect.gen(function* () {
        const hasher = yield* ChainHasher.ChainHasher
        assert.isTrue(Exit.hasDies(yield* Effect.exit(hasher.link(prevHash, seq, payload))))
      }).pipe(Effect.provide(layer))
    )
  }

  it("leaves no trace of a longer payload in the next one", () => {
    const short = leafOf("b")
    leafOf("a".repeat(20_000))
    assert.strictEqual(leafOf("b"), short)
  })
})

it("both sides agree on the genesis", () => {
  assert.strictEqual(genesis, ChainHasher.genesis)
})

it("only lower-case hexadecimal of the right length is a hash or a salt", () => {
  assert.isTrue(isHash(genesis))
  for (const no of ["", "0".repeat(63), "0".repeat(65), `${"0".repeat(63)}A`, `${"0".repeat(63)}g`, `${genesis}\n`]) {
    assert.isFalse(isHash(no))
  }
  assert.isTrue(isSalt("00ff".repeat(8)))
  assert.isFalse(isSalt("00FF".repeat(8)))
})

it("a text hash is SHA-256 over salt and text", () => {
  // By openssl, as in core's test of drafts.
  assert.strictEqual(
    textHashOf("000102030405060708090a0b0c0d0e0f", "INC-7: the caf\u00e9 is down"),
    "4160f52d356a606fb33feff16f17524ae387b0f0d821b70a2ef827e5953199f3"
  )
})
