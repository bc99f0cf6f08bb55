/** The verifiers in docs/verify share no code with this package; they must come to the same answers. */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import type { Vector } from "./vectors/Vectors.ts"

const run = promisify(execFile)
const path = (from: string) => fileURLToPath(new URL(from, import.meta.url))
const list: ReadonlyArray<Vector> = JSON.parse(readFileSync(path("vectors/vectors.json"), "utf8"))

const scripts = [
  { script: "verify.py", program: "python3", needs: ["python3"] },
  { script: "verify.sh", program: "bash", needs: ["bash", "jq", "openssl", "iconv"] }
] as const

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

const codes = { intact: 0, broken: 1, notChecked: 2 } as const

for (const { script, program, needs } of scripts) {
  const absent = await missing(needs)
  const verify = (vector: Vector, known = vector.known) =>
    ended(program, [
      path(`../../../docs/verify/${script}`),
      path(`vectors/${vector.name}.ndjson`),
      ...(known === undefined ? [] : [`${known.seq}:${known.hash}`])
    ])

  describe(script, () => {
    for (const vector of list) {
      it.concurrent(`${vector.name}: ${vector.expected.verdict}`, async (context) => {
        context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
        const { code, out } = await verify(vector)
        assert.strictEqual(code, codes[vector.expected.verdict], out)
        if (vector.expected.verdict === "intact") {
          assert.include(out, `intact: ${vector.expected.entries} entries, ${vector.expected.redacted} texts redacted`)
        }
      })
    }

    it("needs the head seen before to find a cut or rewritten log", async (context) => {
      context.skip(absent.length > 0, `not installed here: ${absent.join(", ")}`)
      for (const vector of list.filter(({ name }) => name === "truncated" || name === "rewritten")) {
        const { known: _, ...alone } = vector
        assert.strictEqual((await verify(alone, undefined)).code, 0)
        assert.strictEqual((await verify(vector)).code, 1)
      }
    })
  })
}
