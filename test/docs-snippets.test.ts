import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { documents, pasted, regionOf } from "../scripts/snippets.mjs"

const root = join(import.meta.dirname, "..")

describe("snippets in documents", () => {
  const withSnippets = documents().filter((path) => readFileSync(join(root, path), "utf8").includes("<!-- snippet: "))

  it("there are some", () => {
    expect(withSnippets.length).toBeGreaterThan(0)
  })

  it.each(withSnippets)("%s shows what the files say (else: node scripts/snippets.mjs)", (path) => {
    const text = readFileSync(join(root, path), "utf8")
    expect(text).toBe(pasted(text))
  })

  it("a snippet that differs is seen", () => {
    const document = "<!-- snippet: a.ts#x -->\n\n```ts\nold\n```\n"
    expect(pasted(document, () => "// #region x\nnew\n// #endregion x\n")).toContain("new")
    expect(regionOf("nothing here", "x")).toBeUndefined()
  })
})
