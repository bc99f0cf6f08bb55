/**
 * The habits that a reviewer should not have to look for. Every rule is shown to reject an offender, those of the
 * linter too: a configuration that matches no file finds nothing.
 */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import { brokenHouseRules } from "./support/HouseRules.ts"
import { root, sources } from "./support/Sources.ts"
import { parse, walk } from "./support/Syntax.ts"

describe("house rules", () => {
  it("hold in every source", () => {
    const all = sources(
      "packages/*/{src,bin,test}/**/*.{ts,mjs}",
      "{test,examples,bench,scripts}/**/*.{ts,mjs}",
      "*.ts"
    )
    expect(all.length).toBeGreaterThan(10)
    expect(all.flatMap(brokenHouseRules)).toEqual([])
  })

  it.each([
    ["packages/core/src/A.ts", "const now = Date.now()", "Date.now"],
    ["packages/core/src/A.ts", "const now = Date['now']()", "Date.now"],
    ["packages/audit/src/A.ts", "const now = new Date()", "the current Date"],
    ["packages/audit/src/A.ts", "const now = Date()", "the current Date"],
    ["packages/rego/src/A.ts", "const { random } = Math", "Math.random"],
    ["packages/providers/src/A.ts", "const home = globalThis.process.env.HOME", "process.env"],
    ["packages/client/src/A.ts", "const { env } = globalThis.process", "process.env"],
    ["packages/server/src/A.ts", "const x = value as unknown as string", "forces a type"],
    ["packages/server/test/A.ts", "try { f() } catch { /* whatever */ }", "swallows an error"],
    ["packages/server/src/A.ts", `// ${"TO" + "DO"}: later`, "a note to oneself"],
    ["packages/server/src/utils.ts", "export const x = 1", "name the concept"]
  ])("reject in %s: %s", (path, text, sentence) => {
    expect(brokenHouseRules({ path, text })).toEqual([expect.stringContaining(sentence)])
  })

  it.each([
    ["packages/server/src/A.ts", "const now = Date.now()"],
    ["packages/core/src/A.ts", "const text = new Date(time).toISOString()"],
    ["packages/core/src/A.ts", "// Date.now() would be ambient\nconst x = facts.now"],
    ["packages/core/src/A.ts", "const x = value as unknown"]
  ])("accept in %s: %s", (path, text) => {
    expect(brokenHouseRules({ path, text })).toEqual([])
  })
})

describe("the linter's rules", () => {
  /** Lints one made-up file under the repository's configuration, and gives the rules that object. */
  const objections = (path: string, text: string): ReadonlyArray<string> => {
    const at = join(inject("scratch"), "lint")
    mkdirSync(dirname(join(at, path)), { recursive: true })
    cpSync(join(root, ".oxlintrc.json"), join(at, ".oxlintrc.json"))
    writeFileSync(join(at, path), text)
    const command = join(root, "node_modules", "oxlint", "bin", "oxlint")
    const report = (() => {
      try {
        return execFileSync(process.execPath, [command, "--format=json", path], { cwd: at, encoding: "utf8" })
      } catch (failure) {
        // Lint errors end in exit code 1; the report is on stdout all the same.
        if (typeof failure === "object" && failure !== null && "stdout" in failure) return String(failure.stdout)
        throw failure
      }
    })()
    const { diagnostics }: { diagnostics: ReadonlyArray<{ code: string }> } = JSON.parse(report)
    return diagnostics.map(({ code }) => code)
  }

  it.each([
    ["packages/core/src/A.ts", "export const f = (x: any) => x", "typescript(no-explicit-any)"],
    ["packages/core/src/B.ts", "export const f = (x?: { y: 1 }) => x!.y", "typescript(no-non-null-assertion)"],
    ["packages/core/src/C.ts", "// @ts-ignore\nexport const f = 1", "typescript(ban-ts-comment)"],
    ["packages/core/src/D.ts", "console.log(1)", "eslint(no-console)"],
    ["packages/core/src/E.ts", "export const f = Date.now()", "eslint(no-restricted-properties)"],
    ["packages/audit/src/F.ts", "export const f = Math.random()", "eslint(no-restricted-properties)"],
    ["packages/rego/src/G.ts", "export const f = process.env", "eslint(no-restricted-properties)"],
    ["packages/client/src/H.ts", `import { T } from "effect"\nexport type U = T`, "typescript(consistent-type-imports)"]
  ])("object in %s: %s", (path, text, rule) => {
    expect(objections(path, text)).toContain(rule)
  })

  it.each([
    ["packages/server/src/A.ts", "console.log(Date.now())"],
    ["packages/core/src/Fine.ts", "export const f = (x: unknown) => x"]
  ])("accept in %s: %s", (path, text) => {
    expect(objections(path, text)).toEqual([])
  })
})

describe("scripts that check Node's version", () => {
  const scripts = sources("scripts/*.mjs").filter(({ text }) => text.includes('import "./requirements.mjs"'))
  const newer = new Set(["ChainExpression", "PropertyDefinition", "StaticBlock", "PrivateIdentifier"])

  /** Syntax that a Node from 2019 cannot parse: it would end in a SyntaxError before the sentence is printed. */
  const tooNew = (path: string, text: string): ReadonlyArray<string> => {
    const found: Array<string> = []
    walk(parse(path, text), (node, above) => {
      const nullish = node.type === "LogicalExpression" && node["operator"] === "??"
      const logicalAssignment =
        node.type === "AssignmentExpression" && /^(?:\?\?|\|\||&&)=$/.test(String(node["operator"]))
      const topLevelAwait = node.type === "AwaitExpression" && !above.some(({ type }) => /Function/.test(type))
      if (newer.has(node.type) || nullish || logicalAssignment || topLevelAwait) found.push(`${path}: ${node.type}`)
    })
    return found
  }

  it("keep to syntax that an old Node can parse, and check first", () => {
    expect(scripts.map(({ path }) => path)).toEqual(expect.arrayContaining(["scripts/check.mjs", "scripts/test.mjs"]))
    const requirements = sources("scripts/requirements.mjs")
    expect([...scripts, ...requirements].flatMap(({ path, text }) => tooNew(path, text))).toEqual([])
    for (const { text } of scripts) expect(/^import .*$/m.exec(text)?.[0]).toBe('import "./requirements.mjs"')
  })

  it.each(["const x = a?.b", "const x = a ?? b", "a ||= b", "await f()", "class A { x = 1 }"])(
    "would reject: %s",
    (text) => {
      expect(tooNew("scripts/a.mjs", text)).toHaveLength(1)
    }
  )
})
