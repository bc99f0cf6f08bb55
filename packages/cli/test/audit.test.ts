/** `audit`: the log as anybody can look at it, take it along and check it. */
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let daemon: TestDaemon.TestDaemon
let carol: User

beforeAll(async () => {
  daemon = await TestDaemon.start()
  const alice = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "alice" })
  for (const role of ["reader", "admin"]) {
    await alice.run([
      "request",
      "--provider",
      "memory",
      "--role",
      role,
      "--scope",
      "x",
      "--reason",
      "INC-1: the disk is full"
    ])
  }
  alice.remove()
})
afterAll(() => daemon.close())
beforeEach(() => {
  carol = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "carol" })
})
afterEach(() => carol.remove())

interface Verdict {
  readonly _tag: string
  readonly seq: number
  readonly why: string
  readonly exitCode: number
  readonly head: { readonly seq: number; readonly hash: string }
}
const verdictOf = (out: string): Verdict => JSON.parse(out)

const seen = (home: string): ReadonlyArray<string> => {
  const heads = join(home, "state", "jitsudo", "heads")
  return readdirSync(heads).map((file) => readFileSync(join(heads, file), "utf8"))
}

describe("audit", () => {
  it("shows the newest first, filtered, and whole for programs", async () => {
    const shown = await carol.run(["audit", "--user", "alice@example.test", "--since", "1h"])
    assert.strictEqual(shown.code, 0)
    const [head = "", ...rows] = shown.out.trimEnd().split("\n")
    assert.match(head, /^SEQ +TIME +ACTOR +ACTION +OUTCOME +REQUEST +TARGET$/u)
    const seqs = rows.map((row) => Number(row.split(" ")[0]))
    assert.deepStrictEqual(
      seqs,
      seqs.toSorted((a, b) => b - a)
    )
    assert.isTrue(rows.every((row) => row.includes("alice@example.test")))

    const json = await carol.run(["audit", "--oldest-first", "--limit", "3", "-o", "json"])
    const entries: ReadonlyArray<Readonly<Record<string, unknown>>> = JSON.parse(json.out)
    assert.deepStrictEqual(
      entries.map(({ seq }) => seq),
      [1, 2, 3]
    )
    assert.deepStrictEqual(Object.keys(entries[0] ?? {}), [
      ...["seq", "time", "actor", "action", "outcome", "requestId", "provider", "role", "resourceScope", "details"],
      ...["payload", "prevHash", "hash", "texts"]
    ])
    assert.deepStrictEqual(await carol.run(["audit", "--user", "nobody@example.test", "-o", "json"]), {
      code: 0,
      out: "[]\n",
      err: ""
    })
  })

  it.each([
    ["--since", "yesterday"],
    ["--until", "2026-99-99"],
    ["--outcome", "maybe"],
    ["--limit", "0"]
  ])("takes no %s %s", async (flag, value) => {
    assert.strictEqual((await carol.run(["audit", flag, value])).code, 2)
  })
})

describe("audit verify", () => {
  it("finds the log intact (0) and remembers its head", async () => {
    const { code, out } = await carol.run(["audit", "verify", "-o", "json"])
    assert.strictEqual(code, 0)
    const verdict = verdictOf(out)
    assert.strictEqual(verdict._tag, "Intact")
    assert.deepStrictEqual(
      seen(carol.home).map((text): unknown => JSON.parse(text)),
      [verdict.head]
    )
    const again = await carol.run(["audit", "verify"])
    assert.strictEqual(again.code, 0)
    const [, head = ""] = /^Chain intact: \d+ events verified.*; head (\S+)$/mu.exec(again.out) ?? []
    // What it prints is what `--head` takes.
    assert.strictEqual((await carol.run(["audit", "verify", "--head", head])).code, 0)
  })

  it("finds a log that lacks what was seen (1): cut off, or rewritten", async () => {
    assert.strictEqual((await carol.run(["audit", "verify"])).code, 0)
    const heads = join(carol.home, "state", "jitsudo", "heads")
    const [name = ""] = readdirSync(heads)
    const { hash, seq }: Verdict["head"] = JSON.parse(readFileSync(join(heads, name), "utf8"))

    writeFileSync(join(heads, name), JSON.stringify({ seq: seq + 1000, hash }))
    const cut = await carol.run(["audit", "verify", "-o", "json"])
    assert.strictEqual(cut.code, 1)
    assert.strictEqual(verdictOf(cut.out).why, "truncated")
    assert.match(cut.err, /^warning: entry \d+ was seen here before, as .*heads.*remove that file\n$/u)
    // What was seen is not forgotten because the log lacks it.
    assert.include(seen(carol.home)[0], String(seq + 1000))

    writeFileSync(join(heads, name), JSON.stringify({ seq, hash: "0".repeat(64) }))
    const rewritten = await carol.run(["audit", "verify"])
    assert.strictEqual(rewritten.code, 1)
    assert.match(rewritten.out, /^Chain broken: .*head-mismatch/u)

    writeFileSync(join(heads, name), "{")
    assert.strictEqual((await carol.run(["audit", "verify"])).code, 2)
  })

  it("takes heads from elsewhere", async () => {
    const { out } = await carol.run(["audit", "verify", "-q"])
    const head = out.trim()
    assert.match(head, /^\d+:[0-9a-f]{64}$/u)
    assert.strictEqual((await carol.run(["audit", "verify", "--head", head])).code, 0)
    assert.strictEqual((await carol.run(["audit", "verify", "--head", `1:${"0".repeat(64)}`])).code, 1)
    assert.strictEqual((await carol.run(["audit", "verify", "--head", "1:xyz"])).code, 2)
  })

  it("says when it could not check (2), and never 1 for that", async () => {
    const forbidden = await carol.run(["audit", "verify"], { env: { JITSUDO_TOKEN: "alice" } })
    assert.strictEqual(forbidden.code, 2)
    assert.match(forbidden.err, /could not be checked: for auditors/u)
    assert.strictEqual((await carol.run(["audit", "verify", "--server", "http://127.0.0.1:1"])).code, 2)
    assert.strictEqual((await carol.run(["audit", "verify", "--file", "/no/such/file"])).code, 2)
    const other = join(carol.home, "other")
    writeFileSync(other, "{}\n")
    assert.strictEqual((await carol.run(["audit", "verify", "--file", other])).code, 2)
  })
})

describe("audit export", () => {
  it("is a file for its owner that verifies anywhere, and shows every edit", async () => {
    const file = join(carol.home, "audit.ndjson")
    const exported = await carol.run(["audit", "export", "--file", file])
    assert.strictEqual(exported.code, 0, exported.err)
    assert.strictEqual((statSync(file).mode & 0o777).toString(8), "600")
    assert.deepStrictEqual(
      readdirSync(carol.home).filter((name) => name.endsWith(".part")),
      []
    )

    const offline = user()
    try {
      assert.strictEqual((await offline.run(["audit", "verify", "--file", file])).code, 0)
      const text = readFileSync(file, "utf8")
      const verify = async (edited: string) => {
        writeFileSync(file, edited)
        const { code, out } = await offline.run(["audit", "verify", "--file", file, "-o", "json"])
        return { code, why: verdictOf(out).why }
      }
      assert.deepStrictEqual(await verify(text.replace("request.created", "request.creator")), {
        code: 1,
        why: "payload-edited"
      })
      assert.deepStrictEqual(await verify(text.replace("the disk is full", "the disk is fine")), {
        code: 1,
        why: "text-edited"
      })
      const lines = text.trimEnd().split("\n")
      assert.strictEqual((await verify(`${lines.toSpliced(4, 1).join("\n")}\n`)).code, 1)
      assert.deepStrictEqual(await verify(`${lines.slice(0, -1).join("\n")}\n`), { code: 1, why: "truncated" })
    } finally {
      offline.remove()
    }
  })

  it("goes to standard output, from where it is asked to start", async () => {
    const { code, out } = await carol.run(["audit", "export", "--from", "3"])
    assert.strictEqual(code, 0)
    const [first = "", second = ""] = out.split("\n")
    assert.strictEqual(JSON.parse(first).from, 3)
    assert.strictEqual(JSON.parse(second).seq, 3)
  })
})
