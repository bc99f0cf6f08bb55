/**
 * The mock's truth in a file under several processes: no lock, one right per request, whole lines after a kill.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { readJournal, readTruth, writeControl } from "@jitsudo/providers/mock"
import * as Effect from "effect/Effect"

const program = `
  import { Time } from "@jitsudo/core"
  import { make, MockConfig } from "@jitsudo/providers/mock"
  import * as Effect from "effect/Effect"
  import * as Schema from "effect/Schema"
  const [where, count] = process.argv.slice(1)
  const { provider } = make(Schema.decodeUnknownSync(MockConfig)({
    state_file: where + "/state", journal_file: where + "/journal", control_file: where + "/control"
  }))
  const tokens = {}
  for (let index = 0; index < Number(count); index += 1) {
    const granted = await Effect.runPromise(provider.grant({
      requestId: "req_" + index, grantee: { issuer: "i", subject: "s", email: null },
      canonical: { role: "r", resourceScope: "s", durationSeconds: 60 },
      checked: {}, reason: "", metadata: {}, now: Time.make(1_800_000_000_000 + index), neighbours: []
    }))
    tokens["req_" + index] = granted.credentials.MOCK_SESSION_TOKEN
  }
  process.stdout.write(JSON.stringify(tokens))
`

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "jitsudo-mock-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const run = (where: string, count: number) =>
  new Promise<{ readonly out: string; readonly signal: string | null }>((resolve) => {
    const options = ["--conditions=@jitsudo/source", "--input-type=module", "--eval", program, where, String(count)]
    const child = spawn(process.execPath, options, { stdio: ["ignore", "pipe", "inherit"], cwd: import.meta.dirname })
    let out = ""
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()))
    child.once("close", (_, signal) => resolve({ out, signal }))
  })

describe("the mock under several processes", () => {
  it.live("gives every process the same right for a request", () =>
    Effect.gen(function* () {
      const where = yield* directory
      const answers = yield* Effect.promise(() => Promise.all([run(where, 200), run(where, 200), run(where, 200)]))
      const [first, ...others] = answers.map(({ out }) => JSON.parse(out))
      assert.lengthOf(Object.keys(first), 200)
      for (const other of others) assert.deepStrictEqual(other, first)
      assert.lengthOf(readTruth(join(where, "state")), 200)
    })
  )

  it.live.each([
    ["killBefore", 2, 2],
    ["killAfter", 2, 3]
  ] as const)("keeps its truth when a process dies by %s, and goes on in the next", ([kind, answered, granted]) =>
    Effect.gen(function* () {
      const where = yield* directory
      writeControl(join(where, "control"), {
        faults: [{ id: "crash", operation: "grant", kind, times: 1, requestId: "req_2" }]
      })
      const killed = yield* Effect.promise(() => run(where, 5))
      assert.strictEqual(killed.signal, "SIGKILL")
      assert.lengthOf(readTruth(join(where, "state")), granted)
      const calls = readJournal(join(where, "journal"))
      assert.lengthOf(
        calls.filter(({ phase }) => phase === "answered"),
        answered
      )
      const next = yield* Effect.promise(() => run(where, 5))
      assert.isNull(next.signal)
      assert.lengthOf(readTruth(join(where, "state")), 5)
      assert.match(readFileSync(join(where, "state"), "utf8"), /\n$/u)
    })
  )
})
