/** Text from outside is data: bounded, well formed, and it says what it seems to say. */
import { assert, describe, it } from "@effect/vitest"
import * as Text from "../src/Text.ts"
import { hostileTexts } from "../src/testing/HostileText.ts"

const codes = (field: string, text: string, bounds: Parameters<typeof Text.problemsOf>[2]) =>
  Text.problemsOf(field, text, bounds).map((problem) => problem.message)

describe("cleaning", () => {
  it("removes what steers a terminal, a log, a reader or a model, and keeps lines and tabs", () => {
    assert.strictEqual(Text.clean("a\u001b[31mb\u0007c"), "a[31mbc")
    assert.strictEqual(Text.clean("one\r\ntwo\tthree\n"), "one\ntwo\tthree")
    assert.strictEqual(Text.clean("line\u2028forged\u2029line"), "lineforgedline")
    assert.strictEqual(Text.clean("\u202egnp.exe\u202c"), "gnp.exe")
    assert.strictEqual(Text.clean("\u2066a\u2069\u200f\u200e\u061c"), "a")
    assert.strictEqual(Text.clean("ok\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}"), "ok")
    assert.strictEqual(Text.clean("\u0085\u009b31m"), "31m")
  })

  it("leaves honest text as it is", () => {
    for (const text of ["naïve café", "日本語のテキスト", "👩‍👩‍👧‍👦", "שלום", "a – b — c", "50 % (of it)"]) {
      assert.strictEqual(Text.clean(text), text)
    }
  })

  it("done twice is done once", () => {
    for (const { text } of hostileTexts) assert.strictEqual(Text.clean(Text.clean(text)), Text.clean(text))
  })
})

describe("problems", () => {
  it("name the field and the rule", () => {
    assert.deepStrictEqual(Text.problemsOf("reason", "a\u0000", { max: 10 }), [
      { field: "reason", message: "must not contain NUL" }
    ])
    assert.deepStrictEqual(codes("x", "\udc00", { max: 10 }), ["must be well-formed Unicode (it has a lone surrogate)"])
    assert.deepStrictEqual(codes("x", "12345678901", { max: 10 }), ["must have at most 10 characters"])
    assert.deepStrictEqual(codes("x", "1234567890", { max: 10 }), [])
  })

  it("see through what would be removed: nothing visible is empty", () => {
    assert.deepStrictEqual(codes("x", " \u202e\u0007 ", { max: 10, required: true }), ["must not be empty"])
    assert.deepStrictEqual(codes("x", "", { max: 10 }), [])
  })

  it("refuse lines where one line is wanted, and anything invisible in a name", () => {
    assert.deepStrictEqual(codes("x", "a\nb", { max: 10, singleLine: true }), ["must be a single line"])
    assert.deepStrictEqual(codes("x", "ad\u0007min", { max: 10, visible: true }), [
      "must not contain control or invisible characters"
    ])
    assert.deepStrictEqual(codes("x", "a\tb", { max: 10, visible: true }), ["must be a single line"])
    assert.deepStrictEqual(codes("x", "admin", { max: 10, visible: true }), [])
  })

  it("of hostile texts leave nothing that could not be stored", () => {
    for (const { name, text } of hostileTexts) {
      const kept = Text.kept(text, 2048)
      assert.isTrue(kept.isWellFormed(), name)
      assert.notInclude(kept, "\u0000", name)
      assert.isAtMost(kept.length, 2048, name)
      assert.strictEqual(Text.clean(kept), kept, name)
    }
  })
})
