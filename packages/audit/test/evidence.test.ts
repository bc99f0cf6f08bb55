/** The committed evidence: what it is made of, and what the verifier says of it. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as verify from "../src/verify.ts"
import { listOf, make } from "./vectors/Evidence.ts"
import { file, judge, list } from "./vectors/Judge.ts"

describe("the committed evidence", () => {
  it.effect("is what the script makes", () =>
    Effect.gen(function* () {
      const { cases, files } = yield* make
      assert.strictEqual(file("evidence.json").toString(), listOf(cases))
      for (const [path, bytes] of files) {
        assert.isTrue(file(path).equals(bytes), `${path}: run test/vectors/generate.ts`)
      }
    })
  )

  for (const one of list) {
    it.effect(`${one.name}: ${one.what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* judge(verify, one), one.expected)
        // However the bytes are cut, the verdict is the same.
        if (one.kind === "export") assert.deepStrictEqual(yield* judge(verify, one, 17), one.expected)
      })
    )
  }

  it("has a case for every reason to refuse a receipt but too few witnesses, which is policy", () => {
    const reasons = list.flatMap(({ expected }) => (expected.verdict === "refused" ? [expected.reason] : []))
    assert.deepStrictEqual([...new Set(reasons)].sort(), [
      "malformed",
      "origin",
      "proof",
      "range",
      "signature",
      "unsigned"
    ])
  })
})

it("verification cannot reach what signs or writes", () => {
  const reached = new Set<string>()
  const follow = (file: string): void => {
    if (reached.has(file)) return
    reached.add(file)
    const text = readFileSync(new URL(`../src/${file}`, import.meta.url), "utf8")
    for (const [, next] of text.matchAll(/ from "\.\/(\w+\.ts)"/gu)) if (next !== undefined) follow(next)
  }
  follow("verify.ts")
  assert.include([...reached], "Ed25519.ts")
  assert.notInclude([...reached], "Signer.ts")
  assert.notInclude([...reached], "TileWriter.ts")
})
