/**
 * The arrows between packages: who may import what. ARCHITECTURE.md draws them, this file is what is enforced, and
 * adding one is an ADR, not an exception.
 *
 * 1. A package's sources import only what its row names, by published entry points, and declare it in package.json.
 * 2. Its tests may import the packages of its row, those of `tests`, and any declared development tool.
 * 3. Nobody reaches into a sibling's files, neither by `@jitsudo/x/src/...` nor by a relative path.
 * 4. Nothing inside a package goes through its own barrel.
 *
 * Third-party libraries of the two hosts are not listed here: a row in ADR 15 (dependency budget) admits them.
 */
import { dirname, join, normalize } from "node:path/posix"
import { isBuiltin } from "node:module"
import type { Manifest, Package, Source } from "./Sources.ts"
import { importsOf } from "./Syntax.ts"
import type { Import } from "./Syntax.ts"

export interface Row {
  /** Entry points of siblings that sources may import; `@jitsudo/audit` stands for all entry points of audit. */
  readonly siblings: ReadonlyArray<string>
  /** Third-party packages that sources may import; a trailing `*` stands for anything. */
  readonly libraries: ReadonlyArray<string>
  /** Whether sources may use Node's own modules; a list names the files that may, with the modules. */
  readonly node: boolean | Readonly<Record<string, ReadonlyArray<string>>>
  /** Further siblings that its tests may import. */
  readonly tests?: ReadonlyArray<string>
}

const anything = ["*"]

export const arrows: Readonly<Record<string, Row>> = {
  "@jitsudo/core": { siblings: [], libraries: ["effect"], node: false },
  "@jitsudo/audit": {
    siblings: ["@jitsudo/core"],
    libraries: ["effect"],
    node: { "src/Sha256.ts": ["node:crypto"] }
  },
  "@jitsudo/providers": {
    siblings: ["@jitsudo/core"],
    libraries: [
      "effect",
      "@aws-sdk/*",
      "@azure/*",
      "@microsoft/microsoft-graph-client",
      "@google-cloud/*",
      "google-auth-library",
      "@kubernetes/client-node"
    ],
    node: true
  },
  "@jitsudo/rego": {
    siblings: ["@jitsudo/core"],
    libraries: ["effect", "@open-policy-agent/opa-wasm"],
    node: true
  },
  "@jitsudo/client": { siblings: ["@jitsudo/core"], libraries: ["effect"], node: false },
  "@jitsudo/mcp": {
    siblings: ["@jitsudo/core", "@jitsudo/client"],
    libraries: ["effect", "@modelcontextprotocol/*"],
    node: true
  },
  "@jitsudo/cli": {
    siblings: ["@jitsudo/core", "@jitsudo/client", "@jitsudo/mcp", "@jitsudo/audit/verify", "@jitsudo/rego"],
    libraries: anything,
    node: true,
    tests: ["@jitsudo/server", "@jitsudo/providers", "@jitsudo/audit"]
  },
  "@jitsudo/server": {
    siblings: [
      "@jitsudo/core",
      "@jitsudo/audit",
      "@jitsudo/providers",
      "@jitsudo/rego",
      "@jitsudo/client",
      "@jitsudo/mcp"
    ],
    libraries: anything,
    node: true
  }
}

/** The only kind of file that may know the test runner: a contract suite's adapter, an optional peer. */
const runnerAdapter = /\/src\/testing\/vitest\.ts$/

const entryPointOf = (specifier: string): { name: string; subpath: string } => {
  const [scope = "", second = "", ...rest] = specifier.split("/")
  return specifier.startsWith("@")
    ? { name: `${scope}/${second}`, subpath: [".", ...rest].join("/") }
    : { name: scope, subpath: [".", second, ...rest].filter((part) => part !== "").join("/") }
}

const matches = (patterns: ReadonlyArray<string>, name: string): boolean =>
  patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name))

/** `@jitsudo/audit/verify` admits that entry point only; `@jitsudo/audit` admits all of them. */
const admits = (siblings: ReadonlyArray<string>, specifier: string): boolean =>
  siblings.some((sibling) => specifier === sibling || specifier.startsWith(`${sibling}/`))

const runtimeDependencies = (manifest: Manifest): ReadonlyArray<string> =>
  [manifest.dependencies, manifest.peerDependencies, manifest.optionalDependencies].flatMap((of) =>
    Object.keys(of ?? {})
  )

const relativeViolation = ({ directory }: Package, path: string, from: string): string | undefined => {
  const target = normalize(join(dirname(path), from))
  if (!target.startsWith(`${directory}/`)) {
    const configuration = /\/(vitest|tsconfig|rolldown)[\w.]*$/.test(path) && !target.includes("/")
    return configuration ? undefined : `reaches out of its package to ${target}: import a published entry point`
  }
  const inSources = path.startsWith(`${directory}/src/`)
  const barrel = /\/index\.ts$/
  if (inSources && barrel.test(target) && !barrel.test(path)) {
    return `goes through the barrel ${target}: import the file that holds the thing`
  }
  return undefined
}

const nodeViolation = ({ directory }: Package, row: Row, path: string, module: string): string | undefined => {
  if (row.node === true) return undefined
  const allowed = row.node === false ? [] : (row.node[path.slice(directory.length + 1)] ?? [])
  return allowed.includes(module) ? undefined : `uses Node's ${module}: this package runs in any JavaScript runtime`
}

const siblingViolation = (
  pkg: Package,
  row: Row,
  all: ReadonlyArray<Package>,
  inTests: boolean,
  from: string
): string | undefined => {
  const { name, subpath } = entryPointOf(from)
  const target = all.find(({ manifest }) => manifest.name === name)
  if (name === pkg.manifest.name) {
    return inTests && pkg.manifest.exports?.[subpath] !== undefined
      ? undefined
      : `imports its own package by name (${from}): import the file that holds the thing`
  }
  if (!admits(inTests ? [...row.siblings, ...(row.tests ?? [])] : row.siblings, from)) {
    return `no arrow from ${pkg.manifest.name} to ${from}`
  }
  if (target !== undefined && target.manifest.exports?.[subpath] === undefined) {
    return `${from} is not an entry point of ${name}`
  }
  return undefined
}

const libraryViolation = (pkg: Package, row: Row, path: string, from: string): string | undefined => {
  const { name } = entryPointOf(from)
  if (runnerAdapter.test(path) && (name === "vitest" || name === "@effect/vitest")) return undefined
  return matches(row.libraries, name) ? undefined : `no arrow from ${pkg.manifest.name} to the library ${name}`
}

function violation(
  pkg: Package,
  all: ReadonlyArray<Package>,
  tools: ReadonlyArray<string>,
  { path }: Source,
  { from }: Import
): string | undefined {
  const row = arrows[pkg.manifest.name]
  if (row === undefined) return `${pkg.manifest.name} has no row in the table of arrows`
  if (from.startsWith(".")) return relativeViolation(pkg, path, from)
  if (from.startsWith("/") || from.startsWith("file:")) return `imports the absolute path ${from}`
  const inTests = !path.startsWith(`${pkg.directory}/src/`) && !path.startsWith(`${pkg.directory}/bin/`)
  if (isBuiltin(from)) return inTests ? undefined : nodeViolation(pkg, row, path, from)

  const { name } = entryPointOf(from)
  const ruled = name.startsWith("@jitsudo/")
    ? siblingViolation(pkg, row, all, inTests, from)
    : inTests
      ? undefined
      : libraryViolation(pkg, row, path, from)
  if (ruled !== undefined || name === pkg.manifest.name) return ruled

  const development = inTests ? [...Object.keys(pkg.manifest.devDependencies ?? {}), ...tools] : []
  return [...runtimeDependencies(pkg.manifest), ...development].includes(name)
    ? undefined
    : `${name} is not declared in ${pkg.directory}/package.json`
}

/** What the imports of a package's files break, one sentence each; `tools` are the root's development dependencies. */
export function brokenByImports(
  pkg: Package,
  all: ReadonlyArray<Package>,
  tools: ReadonlyArray<string>,
  files: ReadonlyArray<Source>
): ReadonlyArray<string> {
  return files.flatMap((source) =>
    importsOf(source.path, source.text).flatMap((found) => {
      const broken = violation(pkg, all, tools, source, found)
      return broken === undefined ? [] : [`${source.path}:${found.line} ${broken}`]
    })
  )
}

/** What package.json itself declares against the table. */
export function brokenByManifest({ directory, manifest }: Package): ReadonlyArray<string> {
  const row = arrows[manifest.name]
  if (row === undefined) return [`${directory}: ${manifest.name} has no row in the table of arrows`]
  const development = Object.keys(manifest.devDependencies ?? {})
  const siblingNames = row.siblings.map((sibling) => entryPointOf(sibling).name)
  const testNames = (row.tests ?? []).map((sibling) => entryPointOf(sibling).name)
  const optionalRunner =
    manifest.peerDependenciesMeta?.["vitest"]?.optional === true ? ["vitest", "@effect/vitest"] : []
  return [
    ...runtimeDependencies(manifest)
      .filter((name) =>
        name.startsWith("@jitsudo/")
          ? !siblingNames.includes(name)
          : !matches([...row.libraries, ...optionalRunner], name)
      )
      .map((name) => `${directory}/package.json depends on ${name}: no such arrow`),
    ...development
      .filter((name) => name.startsWith("@jitsudo/") && ![...siblingNames, ...testNames].includes(name))
      .map((name) => `${directory}/package.json develops against ${name}: no such arrow`)
  ]
}

/**
 * A writer is a module that names the way in: core's `Store` or `Step` or what is built on them, core's in-memory
 * layers, a database client, or the file system. The independent verification can reach none.
 */
const waysIn = new Set(["Store", "Step", "Transitions", "Granter", "Elevations", "Scheduler", "Reconciler", "Jobs"])
const writes = ({ from, names }: Import): boolean =>
  from === "@jitsudo/core/memory" ||
  from === "@jitsudo/core/testing" ||
  (from === "@jitsudo/core" && names.some((name) => name === "*" || waysIn.has(name))) ||
  /^(?:@effect\/|@electric-sql\/|effect\/sql|pg$|node:(?:fs|sqlite|net|http|https|child_process))/.test(from)

/** Writers that `start` reaches through relative imports, as sentences naming the whole way. */
export function writersReachableFrom(start: string, files: ReadonlyArray<Source>): ReadonlyArray<string> {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const seen = new Set<string>()
  const broken: Array<string> = []
  const follow = (path: string, way: ReadonlyArray<string>): void => {
    const file = byPath.get(path)
    if (file === undefined || seen.has(path)) return
    seen.add(path)
    for (const found of importsOf(path, file.text)) {
      if (found.from.startsWith(".")) follow(normalize(join(dirname(path), found.from)), [...way, path])
      else if (writes(found))
        broken.push(`${[...way, path].join(" -> ")} imports ${found.from} (${found.names.join(", ")})`)
    }
  }
  follow(start, [])
  return broken
}
