/** The verifiers in docs/verify share no code with this package; they must come to the same answers. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { Case } from "./vectors/Evidence.ts"
import { pathOf } from "./vectors/Evidence.ts"
import { list as evidence } from "./vectors/Judge.ts"
import type { Vector } from "./vectors/Vectors.ts"

const run = promisify(execFile)
const path = (from: string) => fileURLToPath(new URL(from, import.meta.url))
const list: ReadonlyArray<Vector> = JSON.parse(readFileSync(path("vectors/vectors.json"), "utf8"))

interface Outcome {
  readonly code: number
  readonly out: string
}

const ended = async (program: string, args: ReadonlyArray<string>): Promise<Outcome> => {
  try {
    const { stdout } = await run(program, [...args])
    return { code: 0, out: stdout }
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "number" && "stdout" in error) {
      return { code: error.code, out: String(error.stdout) }
    }
    throw error
  }
}

const missing = async (programs: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const found = await Promise.all(
    programs.map((program) =>
      run("sh", ["-c", `command -v ${program}`]).then(
        () => true,
        () => false
      )
    )
  )
  return programs.filter((_, index) => found[index] !== true)
}

/** Python itself, behind whatever chooses its version: that takes ten times as long to start, each time. */
const python = await run("python3", ["-c", "import sys; print(sys.executable)"]).then(
  ({ stdout }) => stdout.trim(),
  () => "python3"
)

const scripts = [
  { script: "verify.py", program: python, options: ["-I", "-S"], needs: ["python3"], tiles: true },
  { script: "verify.sh", program: "bash", options: [], needs: ["bash", "jq", "openssl", "iconv"], tiles: false }
] as const

const codes = { intact: 0, broken: 1, notChecked: 2, proved: 0, refused: 1 } as const

for (const { script, program, options, needs, tiles } of scripts) {
  const absent = await missing(needs)
  const verify = (...args: ReadonlyArray<string>) =>
    ended(program, [...options, path(`../../../docs/verify/${script}`), ...args])
  const verifyVector = ({ name }: Vector, known: Vector["known"]) =>
    verify(path(`vectors/${name}.ndjson`), ...(known === undefined ? [] : [`${known.seq}:${known.hash}`]))
  const file = (name: string) => path(`vectors/evidence/${name}`)
  const verifyEvidence = (one: Case) =>
    verify(file(pathOf(one)), "--keys", file(one.keys), ...(one.seen === undefined ? [] : ["--seen", file(one.seen)]))

  describe(script, () => {
    for (const vector of list) {
      it.concurrent(`${vector.name}: ${vector.expected.verdict}`, async (context) => {
        context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
        const { code, out } = await verifyVector(vector, vector.known)
        assert.strictEqual(code, codes[vector.expected.verdict], out)
        if (vector.expected.verdict === "intact") {
          assert.include(out, `intact: ${vector.expected.entries} entries, ${vector.expected.redacted} texts redacted`)
        }
      })
    }

    for (const one of evidence.filter(({ kind }) => tiles || kind !== "tiles")) {
      const { expected } = one
      it.concurrent(`${one.name}: ${expected.verdict}`, async (context) => {
        context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
        const { code, out } = await verifyEvidence(one)
        assert.strictEqual(code, codes[expected.verdict], out)
        if (expected.verdict === "intact") {
          assert.include(out, `intact: ${expected.entries} entries, 0 texts redacted`)
          assert.include(out, ` ${expected.signed} signed, head `)
        }
        if (expected.verdict === "proved") assert.include(out, `proved: entry ${expected.seq} is in the log`)
      })
    }

    it("needs the head seen before to find a cut or rewritten log", async (context) => {
      context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
      for (const vector of list.filter(({ name }) => name === "truncated" || name === "rewritten")) {
        assert.strictEqual((await verifyVector(vector, undefined)).code, 0)
      }
    })

    it("needs the checkpoint seen before to find what the log's own key signed anew", async (context) => {
      context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
      const insider = evidence.find(({ name }) => name === "covered-rewritten-insider") ?? assert.fail("no such case")
      const { seen: _, ...alone } = insider
      assert.strictEqual((await verifyEvidence(alone)).code, 0)
    })

    it("checks nothing that hangs on a signature without the log's keys", async (context) => {
      context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
      assert.strictEqual((await verify(file("receipt.tlog-proof"))).code, 2)
      assert.include((await verify(file("covered.ndjson"))).out, "3 checkpoints fit, 0 signed")
    })
  })
}

describe("verify.sh", () => {
  it("runs nothing that stands in a file", async () => {
    const { code, out } = await ended("bash", [path("../../../docs/verify/verify.sh"), path("vectors/hostile.ndjson")])
    assert.deepStrictEqual([code, out], [2, ""])
  })
})
