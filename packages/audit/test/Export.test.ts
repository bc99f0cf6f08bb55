import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { genesis } from "../src/Chain.ts"
import { decodeEntry, encode, encodeEntry } from "../src/Export.ts"
import { verifyExport } from "../src/verify.ts"
import { honestLog, linked } from "./vectors/Log.ts"

const empty = { seq: 0, hash: genesis }
const asBytes = Stream.map((text: string) => new TextEncoder().encode(text))

describe("an export", () => {
  it.effect("of any part of the log verifies, and says where it ends", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      for (const [from, to] of [
        [1, 10],
        [1, 0],
        [4, 8],
        [11, 10]
      ] as const) {
        const before = log[from - 2]
        const start = before === undefined ? empty : { seq: before.seq, hash: before.hash }
        const part = Stream.fromArray(log.slice(from - 1, to)).pipe(Stream.rechunk(3))
        const verdict = yield* verifyExport(asBytes(encode(start, part)))
        const last = log[to - 1] ?? { seq: 0, hash: genesis }
        assert.deepInclude(verdict, { _tag: "Intact", from, to, head: { seq: last.seq, hash: last.hash } })
      }
    })
  )

  it.effect("leaves ids and columns out, which are no evidence", () =>
    Effect.gen(function* () {
      const stored = (yield* honestLog).map((entry) => ({ ...entry, id: "ent_1", columns: { action: "x" } }))
      const text = (yield* Stream.runCollect(encode(empty, Stream.fromArray(stored)))).join("")
      assert.notInclude(text, "ent_1")
      assert.notInclude(text, "columns")
    })
  )

  it.effect("whose source fails has no last line, and is no whole export", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      let text = ""
      const failed = yield* encode(empty, Stream.concat(Stream.fromArray(log), Stream.fail("gone"))).pipe(
        Stream.runForEach((part) => Effect.sync(() => (text += part))),
        Effect.flip
      )
      assert.strictEqual(failed, "gone")
      assert.include(text, '{"seq":10,')
      const verdict = yield* verifyExport(asBytes(Stream.succeed(text)))
      assert.deepInclude(verdict, { _tag: "Broken", why: "truncated", seq: 11 })
    })
  )
})

describe("a line", () => {
  const Text = Schema.Struct({ hash: Schema.String, salt: Schema.String, text: Schema.String })

  it.prop(
    "is read back as it was written, whatever it says",
    [Schema.String, Schema.Array(Text), Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2 ** 53 - 1 }))],
    ([any, texts, seq]) => {
      const [honest] = linked([{ payload: any.toWellFormed(), texts }])
      if (honest === undefined) return assert.fail("nothing was linked")
      const entry = { ...honest, seq }
      assert.deepStrictEqual(decodeEntry(encodeEntry(entry)), entry)
    },
    { arbitrary: { runs: 300 } }
  )

  it("that says the same in another way is refused", () => {
    const line = encodeEntry({
      seq: 12,
      payload: 'a"\\/\u00e9',
      prevHash: genesis,
      hash: genesis,
      texts: [{ hash: "h", salt: "s", text: "t/\u00e9" }]
    })
    assert.isDefined(decodeEntry(line))
    for (const [from, to] of [
      ['"seq":12', '"seq":12.0'],
      ['"seq":12', '"seq":1.2e1'],
      ['"seq":12', '"seq":012'],
      ['"seq":12', '"seq": 12'],
      ['{"seq"', ' {"seq"'],
      ["]}", "] }"],
      ["]}", "]} "],
      ["]}", '],"more":1}'],
      ['/\u00e9"', '\\/\u00e9"'],
      ['\u00e9"', '\\u00e9"'],
      ['\\"', "\\u0022"],
      ['"t/', '"t\\/'],
      ['"salt":"s","text"', '"text"'],
      ['"hash":"h","salt":"s"', '"salt":"s","hash":"h"'],
      ['"payload"', '"payload":"x","payload"'],
      ['"texts"', '"text"']
    ] as const) {
      const other = line.replace(from, to)
      assert.notStrictEqual(other, line, `${from} is not there`)
      assert.isUndefined(decodeEntry(other), other)
    }
  })
})
