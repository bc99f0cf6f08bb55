/** The verifiers in docs/verify share no code with this package; they must come to the same answers. */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Signer from "../src/Signer.ts"
import * as TileWriter from "../src/TileWriter.ts"
import type { Case } from "./vectors/Evidence.ts"
import { pathOf } from "./vectors/Evidence.ts"
import { list as evidence } from "./vectors/Judge.ts"
import { honestLog } from "./vectors/Log.ts"
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

describe("verify.py", () => {
  const directory = mkdtempSync(join(tmpdir(), "jitsudo-tiles-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const put = (path: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), bytes)
  }

  /** As many tiles as it takes to have some above others: nothing of this size is kept in the repository. */
  const write = Effect.gen(function* () {
    const [entry] = yield* honestLog
    const pair = yield* Signer.generate("log.example.com/audit", 1, new Uint8Array(32).fill(1))
    const signer = yield* Signer.parse(pair.privateKey)
    const writer = TileWriter.make()
    for (let at = 0; at < 600; at++) {
      const payload = (entry?.payload ?? "").replace(
        /"configHash":"\w{8}/u,
        `"configHash":"${String(at).padStart(8, "0")}`
      )
      for (const { bytes, path: to } of Result.getOrThrow(writer.append(payload))) put(to, bytes)
    }
    for (const { bytes, path: to } of writer.edge()) put(to, bytes)
    const checkpoint = { ...writer.head(), origin: signer.key.name, extensions: [] }
    put("checkpoint", Buffer.from(yield* Signer.signCheckpoint(checkpoint, [signer])))
  })

  it("reads tiles above tiles", async (context) => {
    context.skip((await missing(["python3"])).length > 0, "not installed here: python3")
    await Effect.runPromise(write)
    const args = ["-I", "-S", path("../../../docs/verify/verify.py"), directory]
    const keys = ["--keys", path("vectors/evidence/plain.keys")]
    const { code, out } = await ended(python, [...args, ...keys])
    assert.strictEqual(code, 0, out)
    assert.include(out, "intact: 600 entries")
    const above = readFileSync(join(directory, "tile/1/000.p/2"))
    above.writeUInt8((above[32] ?? 0) ^ 1, 32)
    put("tile/1/000.p/2", above)
    assert.strictEqual((await ended(python, [...args, ...keys])).code, 1)
  })
})
