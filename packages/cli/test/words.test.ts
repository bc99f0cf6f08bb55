/** What people type and see: lengths, instants, addresses, text on a terminal, tables. */
import { assert, describe, it } from "@effect/vitest"
import { hostileTexts } from "@jitsudo/core/testing"
import * as Result from "effect/Result"
import { parse as parseYaml } from "yaml"
import * as Effect from "effect/Effect"
import * as Instant from "../src/Instant.ts"
import * as Length from "../src/Length.ts"
import { encoded, toJson } from "../src/Output.ts"
import * as ServerUrl from "../src/ServerUrl.ts"
import { facts, table } from "../src/Table.ts"
import { cut, safe, width } from "../src/Terminal.ts"

const plain = (text: string) => text

describe("a length of time", () => {
  it.each([
    ["1h30m", 5400],
    ["90m", 5400],
    ["45s", 45],
    ["2d", 172_800],
    ["1.5h", 5400],
    ["1h0m", 3600]
  ])("%s is %d seconds", (text, seconds) => {
    assert.deepStrictEqual(Length.parse(text), Result.succeed(seconds))
  })

  it.each(["", "5", "1h 30m", "-1h", "0s", "0.5s", "1x", "h", "1e3s", "99999999999999h", "１h"])(
    "is not %j",
    (text) => {
      assert.isTrue(Result.isFailure(Length.parse(text)))
    }
  )

  it("reads back as it was written", () => {
    for (const seconds of [1, 59, 60, 3599, 3600, 5400, 86_399, 86_400, 90_061]) {
      assert.deepStrictEqual(Length.parse(Length.show(seconds)), Result.succeed(seconds))
    }
    assert.strictEqual(Length.glance(90_061), "1d1h")
  })
})

describe("an instant", () => {
  const now = Date.parse("2026-02-01T00:00:00Z")
  it.each([
    ["24h", "2026-01-31T00:00:00.000Z"],
    ["7d", "2026-01-25T00:00:00.000Z"],
    ["2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["2026-01-31T09:00", "2026-01-31T09:00:00.000Z"],
    ["2026-01-31T09:00:00+02:00", "2026-01-31T07:00:00.000Z"]
  ])("%s is %s", (text, instant) => {
    assert.deepStrictEqual(Instant.parse(text, now), Result.succeed(instant))
  })

  it.each(["yesterday", "2026-13-01", "1", "2026-01-31T25:00:00Z", ""])("is not %j", (text) => {
    assert.isTrue(Result.isFailure(Instant.parse(text, now)))
  })
})

describe("an address of a daemon", () => {
  it.each([
    ["https://jitsudo.example.com", "https://jitsudo.example.com"],
    ["https://jitsudo.example.com:8443/", "https://jitsudo.example.com:8443"],
    ["http://localhost:8080", "http://localhost:8080"],
    ["http://127.8.9.1", "http://127.8.9.1"],
    ["http://[::1]:8080", "http://[::1]:8080"]
  ])("%s is %s", (text, origin) => {
    assert.deepStrictEqual(ServerUrl.parse(text), Result.succeed(origin))
  })

  it.each([
    ["http://jitsudo.example.com", "in the clear"],
    ["http://127.0.0.1.example.com", "in the clear"],
    ["http://localhost.example.com", "in the clear"],
    ["https://a:b@jitsudo.example.com", "a password"],
    ["https://jitsudo.example.com/api", "has a path"],
    ["jitsudo.example.com", "is not an address"],
    ["ftp://jitsudo.example.com", "is not an address"],
    ["", "is not an address"]
  ])("%s is none: %s", (text, why) => {
    const parsed = ServerUrl.parse(text)
    assert.include(Result.isFailure(parsed) ? parsed.failure : "", why)
  })
})

/** Everything that acts on a terminal. Combining marks are bounded, not forbidden. */
const acting = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u

const hostile = [
  ...hostileTexts.map(({ text }) => text),
  "\u001b[2J\u001b]0;pwned\u0007",
  "\u009b31m",
  "abc\rdef\nghi\tj",
  "\u202egpj.exe",
  "a\u200bb\ufeffc\u2060d\u00ade",
  "tag \u{e0041}\u{e0042}",
  "\ud800",
  "\u2028\u2029",
  "z" + "\u0301".repeat(500)
]

describe("text from others", () => {
  it("is inert on a terminal", () => {
    for (const text of hostile) {
      assert.notMatch(safe(text), acting, JSON.stringify(text))
      assert.notMatch(safe(text), /\p{M}{5}/u)
    }
  })

  it("stays what it is where it does no harm", () => {
    for (const text of ["naïve Ünïcode 漢字 ✅ ⚠️", "a\\nb", 'it\'s "quoted" $(x) `y`'])
      assert.strictEqual(safe(text), text)
  })

  it("cannot make a row or a column", () => {
    const rows = hostile.map((text) => ({ text }))
    const drawn = table(
      [
        { title: "A", cell: ({ text }) => text },
        { title: "B", cell: () => "b" }
      ],
      rows,
      { paint: plain, columns: undefined }
    )
    assert.lengthOf(drawn.trimEnd().split("\n"), rows.length + 1)
    assert.notMatch(drawn.replaceAll("\n", ""), acting)
    assert.notMatch(facts([["Reason", hostile.join("\n")]], plain).replaceAll("\n", ""), acting)
  })

  it("is inert in JSON and YAML too, and reads back unchanged", async () => {
    for (const text of hostile) {
      const value = { [`key`]: text, list: [text] }
      const json = toJson(value)
      assert.notMatch(json.replaceAll("\n", ""), acting, JSON.stringify(text))
      assert.deepStrictEqual(JSON.parse(json), value)
      if (!text.isWellFormed()) continue
      const yaml = await Effect.runPromise(encoded(value, "yaml"))
      assert.notMatch(yaml.replaceAll("\n", ""), acting, JSON.stringify(text))
      assert.deepStrictEqual(parseYaml(yaml), value)
    }
  })
})

describe("a table", () => {
  const columns = [
    { title: "NAME", cell: ({ name }: { readonly name: string }) => name, flexible: true },
    { title: "N", cell: ({ name }: { readonly name: string }) => String(name.length) }
  ]

  it("is aligned by what characters look like", () => {
    const drawn = table(columns, [{ name: "ab" }, { name: "漢字" }, { name: "e\u0301" }], {
      paint: plain,
      columns: undefined
    })
    assert.strictEqual(drawn, "NAME  N\nab    2\n漢字  2\ne\u0301     2\n")
  })

  it("is cut to the terminal, and never without one", () => {
    const long = [{ name: "x".repeat(100) }]
    assert.isTrue(
      table(columns, long, { paint: plain, columns: 30 })
        .split("\n")
        .every((line) => width(line) <= 30)
    )
    assert.include(table(columns, long, { paint: plain, columns: undefined }), "x".repeat(100))
  })

  it("cuts between characters", () => {
    assert.strictEqual(cut("👩‍👩‍👧abc", 3), "👩‍👩‍👧…")
    assert.strictEqual(cut("漢字漢字", 4), "漢…")
  })
})
