/**
 * Nothing in the repository names the machine or the network that it was made on: no registry's host, no absolute
 * path of somebody's disk, no token. What one machine needs belongs into its own configuration.
 */
import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { packages, read, root } from "./support/Sources.ts"

// Spelled in pieces, so that this file does not find itself.
const dot = String.raw`\.`
const foreign: Readonly<Record<string, RegExp>> = {
  "a registry's host": new RegExp(
    [
      "registry.npmjs.org",
      "registry.yarnpkg.com",
      "npm.pkg.github.com",
      "proxy.golang.org",
      "sum.golang.org",
      "files.pythonhosted.org"
    ]
      .map((host) => host.split(".").join(dot))
      .join("|")
  ),
  "a package proxy": /\bhttps?:\/\/[\w.-]*(?:artifactory|nexus|goproxy|npm-?proxy|pypi-?proxy|verdaccio)[\w.-]*[:/]/i,
  "an absolute path of a machine": new RegExp(
    String.raw`(?:file://|(?<![\w.~*}/-]))/(?:work|root|home/\w+|Users/\w+|builds?|workspaces?)/(?=[\w.@-])`
  ),
  "a registry token": /_auth(?:Token)?\s*=|\bnpm_[A-Za-z0-9]{36}\b/
}

const foreignIn = (text: string): ReadonlyArray<string> =>
  Object.entries(foreign)
    .filter(([, pattern]) => pattern.test(text))
    .map(([what, pattern]) => `${what}: ${pattern.exec(text)?.[0]}`)

const notOurs = new Set(["node_modules", "dist", ".git", ".turbo", ".vitest", "coverage", "results"])

/** Every file, dot files and binaries included: a path can hide in a compiled module. */
function everyFile(directory = ""): ReadonlyArray<string> {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = directory === "" ? entry.name : `${directory}/${entry.name}`
    if (notOurs.has(entry.name)) return []
    return entry.isDirectory() ? everyFile(path) : entry.isFile() ? [path] : []
  })
}

describe("the repository names no machine", () => {
  it("in any file", () => {
    const all = everyFile().filter((path) => path !== "test/names.test.ts")
    expect(all).toEqual(expect.arrayContaining([".ci/run", ".npmrc", "package-lock.json", "LICENSE"]))
    const found = all.flatMap((path) =>
      foreignIn(readFileSync(join(root, path), "latin1")).map((what) => `${path}: ${what}`)
    )
    expect(found).toEqual([])
  })

  it("in the lockfile, where only workspace links say where they come from", () => {
    const lock: { packages: Readonly<Record<string, { resolved?: string; link?: boolean }>> } = JSON.parse(
      read("package-lock.json")
    )
    const entries = Object.entries(lock.packages)
    const fetched = entries.filter(([, { resolved, link }]) => resolved !== undefined && link !== true)
    expect(fetched).toEqual([])
    const links = entries.filter(([, { link }]) => link === true).map(([, { resolved }]) => resolved)
    expect(links).toEqual(expect.arrayContaining(packages().map(({ directory }) => directory)))
  })

  it("in npm's configuration", () => {
    const settings = read(".npmrc").trim().split("\n")
    expect(settings.filter((line) => /^(?:\S*:)?(?:registry|(?:https?-)?proxy|\S*auth\S*)\s*=/i.test(line))).toEqual([])
    // Keeps `npm install` from writing a host into the lockfile.
    expect(settings).toContain("omit-lockfile-registry-resolved=true")
  })

  it.each([
    `"resolved": "https://registry.npm${"js"}.org/effect/-/effect-4.1.0.tgz"`,
    `GOPROXY=https://proxy.gol${"ang"}.org`,
    `registry = http://artifactory.example.com/npm/`,
    `const root = "/wo${"rk"}/main"`,
    `see /ro${"ot"}/.npmrc`,
    `at file:///ho${"me"}/ana/jitsudo/x.ts`,
    `//host/:_auth${"Token"}=secret`
  ])("would object to %s", (text) => {
    expect(foreignIn(text)).toHaveLength(1)
  })

  it.each([
    "https://example.com/work/items",
    "docs/root/page.md",
    "import x from '../work/a.ts'",
    "POST /api/v1alpha1/requests/{id}/workspaces/x"
  ])("would accept %s", (text) => {
    expect(foreignIn(text)).toEqual([])
  })
})
