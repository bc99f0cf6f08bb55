/**
 * Arrows between packages point as ARCHITECTURE.md says and no other way (ADR 5, 15). Every rule is shown to reject
 * a made-up offender first: a scan that finds nothing must be able to find something.
 */
import { describe, expect, it } from "vitest"
import { arrows, brokenByImports, brokenByManifest, writersReachableFrom } from "./support/Arrows.ts"
import { packages, manifestAt, sources } from "./support/Sources.ts"
import type { Package } from "./support/Sources.ts"
import { ofModule, unstableIn } from "./support/Stability.ts"
import { importsOf } from "./support/Syntax.ts"

const all = packages()
const root = manifestAt(".")
const tools = [root.devDependencies, root.optionalDependencies].flatMap((of) => Object.keys(of ?? {}))
const code = ["src/**/*.ts", "test/**/*.ts", "bin/**/*.mjs", "*.ts"]
const sourcesOf = ({ directory }: Package) => sources(...code.map((pattern) => `${directory}/${pattern}`))

const named = (name: string): Package => {
  const found = all.find(({ manifest }) => manifest.name === name)
  if (found === undefined) throw new Error(`no workspace package ${name}`)
  return found
}

/** What the table says about one made-up file of a package. */
const verdict = (name: string, file: string, text: string) => {
  const pkg = named(name)
  return brokenByImports(pkg, all, tools, [{ path: `${pkg.directory}/${file}`, text }])
}

describe("imports follow the arrows", () => {
  it.each(all.map((pkg) => [pkg.manifest.name, pkg] as const))("%s", (_name, pkg) => {
    const files = sourcesOf(pkg)
    expect(files.length).toBeGreaterThan(0)
    expect(brokenByImports(pkg, all, tools, files)).toEqual([])
  })

  it.each([
    [
      "@jitsudo/core",
      "src/A.ts",
      `import { x } from "@jitsudo/audit"`,
      "no arrow from @jitsudo/core to @jitsudo/audit"
    ],
    ["@jitsudo/core", "test/A.test.ts", `import { x } from "@jitsudo/audit"`, "no arrow"],
    ["@jitsudo/core", "src/A.ts", `import { x } from "jose"`, "no arrow from @jitsudo/core to the library jose"],
    ["@jitsudo/core", "src/A.ts", `import { createHash } from "node:crypto"`, "uses Node's node:crypto"],
    ["@jitsudo/core", "src/A.ts", `import fs from "fs"`, "uses Node's fs"],
    ["@jitsudo/core", "src/A.ts", `import { it } from "vitest"`, "no arrow from @jitsudo/core to the library vitest"],
    ["@jitsudo/audit", "src/Chain.ts", `import { hash } from "node:crypto"`, "uses Node's node:crypto"],
    ["@jitsudo/audit", "src/A.ts", `import { x } from "@jitsudo/rego"`, "no arrow"],
    ["@jitsudo/rego", "src/A.ts", `export * from "@jitsudo/server"`, "no arrow"],
    ["@jitsudo/client", "src/A.ts", `const x = await import("@jitsudo/audit")`, "no arrow"],
    ["@jitsudo/providers", "src/A.ts", `type T = import("@jitsudo/audit").Entry`, "no arrow"],
    ["@jitsudo/cli", "src/A.ts", `import { x } from "@jitsudo/audit"`, "no arrow from @jitsudo/cli to @jitsudo/audit"],
    ["@jitsudo/cli", "src/A.ts", `import { x } from "@jitsudo/server"`, "no arrow"],
    ["@jitsudo/server", "src/A.ts", `import { x } from "@jitsudo/cli"`, "no arrow"],
    ["@jitsudo/server", "src/A.ts", `const x = require("@jitsudo/cli")`, "no arrow"],
    ["@jitsudo/server", "src/A.ts", `const x = import.meta.resolve("@jitsudo/cli")`, "no arrow"],
    ["@jitsudo/server", "src/A.ts", `import { x } from "left-pad"`, "left-pad is not declared"],
    ["@jitsudo/server", "src/A.ts", `import { it } from "vitest"`, "vitest is not declared"],
    ["@jitsudo/server", "src/A.ts", `import { x } from "@jitsudo/core/src/Store.ts"`, "is not an entry point"],
    ["@jitsudo/server", "test/A.test.ts", `import { x } from "../../core/src/Store.ts"`, "reaches out of its package"],
    ["@jitsudo/server", "src/A.ts", `import { x } from "/srv/elsewhere.ts"`, "absolute path"],
    ["@jitsudo/core", "src/A.ts", `import { Store } from "./index.ts"`, "goes through the barrel"],
    ["@jitsudo/core", "src/memory/A.ts", `import { Store } from "../index.ts"`, "goes through the barrel"],
    ["@jitsudo/core", "src/A.ts", `import { Store } from "@jitsudo/core"`, "imports its own package by name"]
  ])("rejects in %s, %s: %s", (name, file, text, sentence) => {
    expect(verdict(name, file, text)).toEqual([expect.stringContaining(sentence)])
  })

  it.each([
    ["@jitsudo/audit", "src/Sha256.ts", `import { hash } from "node:crypto"`],
    ["@jitsudo/core", "src/testing/vitest.ts", `import { it } from "vitest"`],
    ["@jitsudo/core", "test/A.test.ts", `import { Store } from "@jitsudo/core"; import { it } from "@effect/vitest"`],
    ["@jitsudo/core", "src/index.ts", `export * as Memory from "./memory/index.ts"`],
    ["@jitsudo/cli", "src/A.ts", `import { verify } from "@jitsudo/audit/verify"`],
    ["@jitsudo/core", "src/A.ts", `// import { x } from "jose"\nconst text = 'import { x } from "jose"'`]
  ])("accepts in %s, %s: %s", (name, file, text) => {
    expect(verdict(name, file, text)).toEqual([])
  })
})

describe("package.json follows the arrows", () => {
  it("has a row for every package", () => {
    expect(all.map(({ manifest }) => manifest.name).filter((name) => !(name in arrows))).toEqual([])
  })

  it.each(all.map((pkg) => [pkg.manifest.name, pkg] as const))("%s", (_name, pkg) => {
    expect(brokenByManifest(pkg)).toEqual([])
  })

  it.each([
    ["@jitsudo/core", { dependencies: { "@jitsudo/audit": "0.1.0" } }],
    ["@jitsudo/core", { dependencies: { jose: "6.0.0" } }],
    ["@jitsudo/core", { peerDependencies: { vitest: "5.0.0" } }],
    ["@jitsudo/audit", { optionalDependencies: { "better-sqlite3": "12.0.0" } }],
    ["@jitsudo/server", { dependencies: { "@jitsudo/cli": "0.1.0" } }],
    ["@jitsudo/client", { devDependencies: { "@jitsudo/server": "0.1.0" } }],
    ["@jitsudo/unheard-of", {}]
  ])("rejects %s with %j", (name, dependencies) => {
    expect(brokenByManifest({ directory: "packages/x", manifest: { name, ...dependencies } })).toHaveLength(1)
  })
})

describe("the rules use only what Effect calls stable", () => {
  const unstable = (path: string, text: string) =>
    importsOf(path, text).flatMap((found) => unstableIn({ path, text }, found).map((what) => `${path}: ${what}`))

  it.each(["@jitsudo/core", "@jitsudo/audit"])("%s", (name) => {
    const { directory } = named(name)
    expect(sources(`${directory}/src/**/*.ts`).flatMap(({ path, text }) => unstable(path, text))).toEqual([])
  })

  it("reads the tag from the installed package", () => {
    expect(ofModule("Schema")).toBe("stable")
    expect(ofModule("encoding/Hex")).toBe("stable")
    expect(ofModule("FileSystem")).toBe("unstable")
    expect(ofModule("Glob")).toBe("experimental")
    expect(ofModule("NoSuchModule")).toBe("missing")
  })

  it.each([
    [`import { Effect, FileSystem } from "effect"`, "effect/FileSystem is unstable"],
    [`import * as Path from "effect/Path"`, "effect/Path is unstable"],
    [`import type * as Glob from "effect/Glob"`, "effect/Glob is experimental"],
    [`import { HttpClient } from "effect/http"`, "effect/http/HttpClient is unstable"],
    [`import * as SqlClient from "effect/sql/SqlClient"`, "effect/sql/SqlClient is unstable"],
    [`import { TestConsole } from "effect/testing"`, "effect/testing/TestConsole is unstable"],
    [`import * as All from "effect"`, "effect as a whole"],
    [`import * as Schema from "effect/Schema"\nconst x = Schema.SemVer`, "effect/Schema's SemVer is not stable"],
    [`import { Schema } from "effect"\ntype X = Schema.SemVer`, "effect/Schema's SemVer is not stable"],
    [`import { limitBytes } from "effect/Stream"`, "effect/Stream's limitBytes is not stable"]
  ])("rejects %s", (text, sentence) => {
    expect(unstable("a.ts", text)).toEqual([expect.stringContaining(sentence)])
  })

  it.each([
    `import { Effect, pipe } from "effect"\nexport const x = Effect.gen`,
    `import * as Schema from "effect/Schema"\nexport const x = Schema.Struct({})`,
    `import * as Hex from "effect/encoding/Hex"`,
    `import { TestClock } from "effect/testing"`
  ])("accepts %s", (text) => {
    expect(unstable("a.ts", text)).toEqual([])
  })
})

describe("the independent verification cannot reach a writer", () => {
  const verify = "packages/audit/src/verify.ts"

  it("in audit/verify as it stands", () => {
    expect(writersReachableFrom(verify, sources("packages/audit/src/**/*.ts"))).toEqual([])
  })

  it.each([
    [`import { Store } from "@jitsudo/core"`],
    [`import type { Step } from "@jitsudo/core"`],
    [`import * as Core from "@jitsudo/core"`],
    [`import * as Memory from "@jitsudo/core/memory"`],
    [`import { writeFile } from "node:fs/promises"`],
    [`import { PgClient } from "@effect/sql-pg"`]
  ])("rejects a writer two imports away: %s", (text) => {
    const files = [
      { path: verify, text: `import { a } from "./A.ts"` },
      { path: "packages/audit/src/A.ts", text: `export * from "./Deep.ts"` },
      { path: "packages/audit/src/Deep.ts", text }
    ]
    expect(writersReachableFrom(verify, files)).toEqual([
      expect.stringContaining(`${verify} -> packages/audit/src/A.ts`)
    ])
  })

  it("accepts reading", () => {
    const files = [
      { path: verify, text: `import { Canonical } from "@jitsudo/core"; import * as Stream from "effect/Stream"` }
    ]
    expect(writersReachableFrom(verify, files)).toEqual([])
  })
})
