/** `docs/spec/http-status.md` and the code say the same: every code that an answer can have, with its status. */
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { refusalStatus, trouble } from "../../src/http/Failure.ts"

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")

const documented = new Map(
  [...read("../../../../docs/spec/http-status.md").matchAll(/^\| (\d{3}) \| `(\w+)` \| \S/gmu)].map(
    ([, status = "", code = ""]) => [code, Number(status)] as const
  )
)

/** Codes that stand in the sources of the edge as texts. */
const written = (() => {
  const folder = "../../src/http/"
  const text = readdirSync(new URL(folder, import.meta.url))
    .map((file) => read(`${folder}${file}`))
    .join("\n")
  const found = [
    ...text.matchAll(/\bcode: "(\w+)"/gu),
    ...text.matchAll(/\b(?:problem|raw)\(\s*\d{3},\s*(?:"[^"]*",\s*)?"(\w+)"/gu),
    ...text.matchAll(/\? "(\w+)"\s*: refused\.reason === "expired" \? "(\w+)" : "(\w+)"/gu)
  ]
  return new Set(found.flatMap((match) => match.slice(1)))
})()

describe("the page about HTTP answers", () => {
  it("has every refusal of the engine with its status", () => {
    for (const [code, status] of Object.entries(refusalStatus)) {
      expect([code, documented.get(code)]).toEqual([code, status])
    }
  })

  it("has every trouble with its status", () => {
    for (const { code, status } of Object.values(trouble)) expect([code, documented.get(code)]).toEqual([code, status])
  })

  it("has every code that the edge itself answers, and no other", () => {
    expect(written.size).toBeGreaterThanOrEqual(15)
    expect([...written].filter((code) => !documented.has(code))).toEqual([])
    const known = new Set([
      ...written,
      ...Object.keys(refusalStatus),
      ...Object.values(trouble).map(({ code }) => code),
      // The reason of a temporary refusal of a token.
      "issuer_unavailable"
    ])
    expect([...documented.keys()].filter((code) => !known.has(code))).toEqual([])
  })
})
