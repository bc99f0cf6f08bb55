/** Ids: a prefix that says what it is, and a ULID that sorts by time and cannot be guessed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ids from "../src/Ids.ts"
import * as Times from "../src/Time.ts"

const zeros = (size: number) => new Uint8Array(size)
const ones = (size: number) => new Uint8Array(size).fill(255)

describe("an id", () => {
  it("has the instant in its first ten characters (ULID's own example)", () => {
    // https://github.com/ulid/spec: 1469918176385 is 01ARYZ6S41.
    assert.strictEqual(Ids.make("req", Times.make(1_469_918_176_385), zeros), "req_01ARYZ6S410000000000000000")
    assert.strictEqual(Ids.make("pol", Times.make(0), ones), "pol_0000000000ZZZZZZZZZZZZZZZZ")
  })

  it("sorts by time as text", () => {
    const at = [0, 1, 31, 32, 1e6, 1_469_918_176_385, 253_402_300_799_999]
    const ids = at.map((time) => Ids.make("req", Times.make(time), zeros))
    assert.deepStrictEqual([...ids].sort(), ids)
  })

  it("is recognised with its own prefix only", () => {
    const id = Ids.make("req", Times.make(1), ones)
    assert.isTrue(Ids.isId(id, "req"))
    assert.isFalse(Ids.isId(id, "pol"))
    for (const other of ["", "req_", `${id}0`, id.slice(0, -1), id.toLowerCase(), `${id}\n`, id.replace("Z", "I")]) {
      assert.isFalse(Ids.isId(other, "req"), other)
    }
  })

  it.effect("has 80 random bits: ten thousand of one instant differ", () =>
    Effect.gen(function* () {
      const random = yield* Ids.RandomBytes
      const ids = new Set(Array.from({ length: 10_000 }, () => Ids.make("ent", Times.make(1), random)))
      assert.strictEqual(ids.size, 10_000)
      const letters = new Set([...ids].map((id) => id.slice(-16)).join(""))
      assert.strictEqual(letters.size, 32)
      for (const id of ids) assert.isTrue(Ids.isId(id, "ent"))
    })
  )
})
