import { assert, describe, it } from "@effect/vitest"
import { isWellFormed, NotCanonical, stringify } from "../src/Canonical.ts"
import type { Json } from "../src/Json.ts"

const double = (bits: string): number => {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, BigInt(`0x${bits}`))
  return view.getFloat64(0)
}

/** RFC 8785, Appendix B: the bits of a double, and its canonical text. */
const numbers = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["ffefffffffffffff", "-1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["c340000000000000", "-9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["44b52d02c7e14af7", "1.0000000000000001e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef4f", "999999999999999900000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["43143ff3c1cb0959", "1424953923781206.2"]
] as const

/** The refusal, or a failure of the test: nothing else may be thrown. */
const refusalOf = (value: unknown): NotCanonical => {
  try {
    // A caller without types can hand anything over.
    Reflect.apply(stringify, undefined, [value])
  } catch (error) {
    if (error instanceof NotCanonical) return error
    throw error
  }
  return assert.fail("was written")
}

describe("RFC 8785", () => {
  it.each(numbers)("appendix B: the double %s is %s", (bits, text) => {
    assert.strictEqual(stringify(double(bits)), text)
  })

  it.each(["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])(
    "appendix B: the double %s is refused",
    (bits) => {
      assert.match(refusalOf(double(bits)).message, /the value is -?(NaN|Infinity), which JSON cannot say/)
    }
  )

  it("section 3.2.2: primitives", () => {
    const value = {
      numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false]
    }
    assert.strictEqual(
      stringify(value),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
  })

  it("section 3.2.3: members are sorted by UTF-16 code units, not by code points", () => {
    const value = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\u{1f600}": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }
    const order = [...stringify(value).matchAll(/:"([^"]+)"/gu)].map((match) => match[1])
    assert.deepStrictEqual(order, [
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh"
    ])
  })

  it("does not normalise Unicode", () => {
    assert.notStrictEqual(stringify("A\u030a"), stringify("\u00c5"))
  })

  it("writes members named like an index, like a prototype and not at all", () => {
    const value: Json = JSON.parse('{"b":1,"10":2,"9":3,"__proto__":{"x":4},"":5,"constructor":6}')
    assert.strictEqual(stringify(value), '{"":5,"10":2,"9":3,"__proto__":{"x":4},"b":1,"constructor":6}')
  })
})

describe("what has no canonical text is refused and named", () => {
  class Money {
    amount = 1
  }
  const cycle: Record<string, unknown> = {}
  cycle["again"] = cycle
  const hole: Array<unknown> = [1]
  hole.length = 2

  it.each([
    ["a lone high surrogate", { a: ["x", "\ud800"] }, "a[1] contains a lone surrogate"],
    ["a lone low surrogate in a name", { a: { "\udc00": 1 } }, "a name in a contains a lone surrogate"],
    ["undefined", undefined, "the value is undefined"],
    ["an undefined member", { a: { b: undefined } }, "a.b is undefined"],
    ["a hole", { a: hole }, "a[1] is undefined"],
    ["a function", [() => 1], "[0] is function"],
    ["a symbol", { a: Symbol("s") }, "a is symbol"],
    ["a bigint", { a: [{ b: 1n }] }, "a[0].b is bigint"],
    ["a Date", { at: new Date(0) }, "at is no plain object"],
    ["a Map", new Map(), "the value is no plain object"],
    ["bytes", { a: new Uint8Array(2) }, "a is no plain object"],
    ["an instance of a class", { price: new Money() }, "price is no plain object"],
    ["not a number", { a: Number.NaN }, "a is NaN"]
  ])("%s", (_, value, message) => {
    assert.include(refusalOf(value).message, message)
  })

  it("a cycle, and data deeper than 256 levels", () => {
    assert.include(refusalOf(cycle).message, "nested deeper than 256")
    let deep: Json = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]
    assert.include(refusalOf(deep).message, "nested deeper than 256")
  })
})

it("isWellFormed tells pairs from lone surrogates", () => {
  assert.isTrue(isWellFormed("a\u{1f600}b"))
  assert.isFalse(isWellFormed("a\ud83db"))
  assert.isFalse(isWellFormed("\ude00\ud83d"))
})
