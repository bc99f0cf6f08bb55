import { assert, describe, it } from "@effect/vitest"
import { Canonical } from "@jitsudo/core"
import * as Schema from "effect/Schema"
import { isCanonical } from "../src/Payload.ts"

describe("a canonical text", () => {
  const Members = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Finite, Schema.Null]))

  it.prop(
    "is what core writes, and no other order or spelling",
    [Schema.Array(Members)],
    ([value]) => {
      const text = Canonical.stringify(
        value.map((one) => JSON.parse(JSON.stringify(one).replaceAll(/\\ud[89a-f]../gu, "")))
      )
      assert.isTrue(isCanonical(text), text)
      assert.isFalse(isCanonical(` ${text}`))
    },
    { arbitrary: { runs: 300 } }
  )

  for (const [text, is] of [
    ['{"10":1,"9":{"1":1,"b":2}}', true],
    ['{"9":{"1":1,"b":2},"10":1}', false],
    ['{"a":1,"b":2}', true],
    ['{"b":2,"a":1}', false],
    ['{"a":[{"d":1,"c":2}]}', false],
    ['{"a":1,"a":1}', false],
    ['{"a":1.0}', false],
    ['{"a":1e+21}', true],
    ['{"a":-0}', false],
    ['{"\u20ac":1,"\ud83d\ude02":2,"\ufb33":3}', true],
    ['{"\ufb33":3,"\ud83d\ude02":2}', false],
    ['{"a":"\\u0041"}', false],
    ['{"__proto__":1,"a":2}', true],
    ["{", false]
  ] as const) {
    it(`${is ? "is" : "is not"} ${text}`, () => assert.strictEqual(isCanonical(text), is))
  }
})
