import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { genesis, leafOf, link, textHashOf } from "../src/Chain.ts"
import { verifyExport } from "../src/verify.ts"
import { file as evidenceFile, list as evidence } from "./vectors/Judge.ts"
import { honestLog } from "./vectors/Log.ts"
import { listOf, make } from "./vectors/Vectors.ts"
import type { Expected, Vector } from "./vectors/Vectors.ts"

const file = (name: string) => readFileSync(new URL(`vectors/${name}`, import.meta.url))
const list: ReadonlyArray<Vector> = JSON.parse(file("vectors.json").toString())

/** The verdict on a committed file, in the words of the list, read `size` bytes at a time. */
const judged = (vector: Vector, size: number) =>
  verifyExport(
    Stream.fromArray(
      Array.from({ length: Math.ceil(file(`${vector.name}.ndjson`).length / size) }, (_, index) =>
        file(`${vector.name}.ndjson`).subarray(index * size, (index + 1) * size)
      )
    ),
    vector.known === undefined ? {} : { known: [vector.known] }
  ).pipe(
    Effect.result,
    Effect.map(
      Result.match({
        onFailure: (): Expected => ({ verdict: "notChecked" }),
        onSuccess: (verdict): Expected =>
          verdict._tag === "Intact"
            ? { verdict: "intact", entries: verdict.entries, redacted: verdict.redacted }
            : { verdict: "broken", seq: verdict.seq, why: verdict.why }
      })
    )
  )

describe("the committed vectors", () => {
  it.effect("are what the script makes", () =>
    Effect.gen(function* () {
      const vectors = yield* make
      assert.strictEqual(file("vectors.json").toString(), listOf(vectors))
      for (const { name, bytes } of vectors) {
        assert.isTrue(file(`${name}.ndjson`).equals(bytes), `${name}.ndjson: run test/vectors/generate.ts`)
      }
    })
  )

  for (const vector of list) {
    it.effect(`${vector.name}: ${vector.what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* judged(vector, 1 << 20), vector.expected)
        // However the bytes are cut, the verdict is the same.
        assert.deepStrictEqual(yield* judged(vector, 17), vector.expected)
      })
    )
  }

  it("have a case for every way to be broken, but for columns, which exports do not have", () => {
    const whys = new Set(list.flatMap(({ expected }) => (expected.verdict === "broken" ? [expected.why] : [])))
    assert.deepStrictEqual([...whys].sort(), [
      "duplicate",
      "hash-edited",
      "head-mismatch",
      "malformed",
      "missing",
      "payload-edited",
      "prev-mismatch",
      "reordered",
      "text-edited",
      "truncated"
    ])
  })
})

describe("docs/spec/audit.md", () => {
  const page = readFileSync(new URL("../../../docs/spec/audit.md", import.meta.url), "utf8")

  it.effect("works its example out on the vectors", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const [first] = log
      const [comment] = log[5]?.texts ?? []
      if (first === undefined || comment === undefined) return assert.fail("the log has no entry 1, or 6 no text")
      assert.include(page, `The payload (${Buffer.byteLength(first.payload)} bytes):\n\n\`\`\`\n${first.payload}\n`)
      assert.include(page, `= ${leafOf(first.payload)}\n`)
      assert.include(page, `= ${link(genesis, 1, first.payload)}\n`)
      assert.include(page, `the salt \`${comment.salt}\` and the text \`${comment.text}\``)
      assert.include(page, `= ${textHashOf(comment.salt, comment.text)}\n`)
    })
  )

  it("explains every way to be broken, and no other", () => {
    const table = page.slice(page.indexOf("## 6."), page.indexOf("## 7."))
    const explained = [...table.matchAll(/^\| `([a-z-]+)` \| /gmu)].map(([, why]) => why)
    const whys = [...list, ...evidence].flatMap(({ expected }) => (expected.verdict === "broken" ? [expected.why] : []))
    // Columns are not in files; a log that is rewritten from one entry on takes more entries than the vectors have.
    assert.deepStrictEqual(explained.sort(), [...new Set([...whys, "columns-disagree", "rewritten"])].sort())
  })

  it("shows the checkpoint, the keys and the receipt of the vectors", () => {
    for (const name of ["seen-7.checkpoint", "plain.keys", "rotated.keys"]) {
      assert.include(page, `\n${evidenceFile(name).toString()}\`\`\`\n`, name)
    }
    const receipt = evidenceFile("receipt-last.tlog-proof").toString()
    assert.include(page, `\n${receipt.replace(/^(extra \S{40})\S*/mu, "$1...")}\`\`\`\n`)
  })

  it("names every layer and kind of tampering", () => {
    const section = page.slice(page.indexOf("## 6."), page.indexOf("## 7."))
    for (const { expected } of evidence) {
      if (expected.verdict === "broken") assert.include(section, `\`${expected.layer}\``)
    }
    for (const kind of ["edited", "removed", "inserted", "reordered", "truncated", "rewritten", "forked", "forged"]) {
      assert.include(section, kind)
    }
  })
})
