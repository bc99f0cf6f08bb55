import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { verifyExport } from "../src/verify.ts"

const whole = readFileSync(new URL("vectors/intact.ndjson", import.meta.url))

/** "Intact" only if nobody touched it: no verdict is as good as a bad one here. */
const verdictOn = (bytes: Uint8Array) =>
  verifyExport(Stream.succeed(bytes)).pipe(
    Effect.result,
    Effect.map(Result.match({ onFailure: () => "NotChecked", onSuccess: ({ _tag }) => _tag }))
  )

const Position = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: whole.length - 1 }))
const Byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const runs = { arbitrary: { runs: 3_000 } }

describe("an edit of one byte", () => {
  it.effect("is found at every place of an export (the lowest bit, the case bit, and the highest bit)", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* verdictOn(whole), "Intact")
      for (let at = 0; at < whole.length; at++) {
        for (const bit of [0x01, 0x20, 0x80]) {
          const copy = Uint8Array.from(whole)
          copy.set([(whole[at] ?? 0) ^ bit], at)
          if ((yield* verdictOn(copy)) === "Intact") assert.fail(`byte ${at} with bit ${bit} flipped`)
        }
      }
    })
  )

  it.effect.prop(
    "is found whatever it becomes",
    [Position, Byte],
    ([at, byte]) =>
      Effect.gen(function* () {
        if (whole[at] === byte) return
        assert.notStrictEqual(yield* verdictOn(Uint8Array.from(whole).with(at, byte)), "Intact")
      }),
    runs
  )

  it.effect.prop(
    "is found when the byte was put in",
    [Position, Byte],
    ([at, byte]) =>
      Effect.gen(function* () {
        const more = Buffer.concat([whole.subarray(0, at), Buffer.from([byte]), whole.subarray(at)])
        assert.notStrictEqual(yield* verdictOn(more), "Intact")
      }),
    runs
  )

  it.effect.prop(
    "is found when bytes were taken out",
    [Position, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 400 }))],
    ([at, count]) =>
      Effect.gen(function* () {
        const less = Buffer.concat([whole.subarray(0, at), whole.subarray(at + count)])
        assert.notStrictEqual(yield* verdictOn(less), "Intact")
      }),
    runs
  )
})
