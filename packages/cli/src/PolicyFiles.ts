/**
 * Policies as files.
 *
 * - A directory `NAME/` with `*.rego` is the policy NAME; a directory that was named may hold any number of them, or
 *   be one itself, which its `policy.rego` tells.
 * - A file `NAME.rego` is the policy NAME; `NAME_test.rego` beside it are its tests and go along.
 * - What a policy is for is its package: `jitsudo.eligibility`, `jitsudo.approval`, `jitsudo.breakglass`,
 *   `jitsudo.lib.*`.
 */
import * as Effect from "effect/Effect"
import { readdir, readFile, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import type { Failure } from "./Failure.ts"
import { failed, misused, reasonOf } from "./Failure.ts"

export type PolicyType = "eligibility" | "approval" | "breakglass" | "library"

export interface RegoFile {
  /** As the policy has it: relative to its own directory. */
  readonly path: string
  /** As it was found, for messages. */
  readonly found: string
  readonly source: string
}

export interface PolicyFolder {
  readonly name: string
  /** Undefined where its packages do not say. */
  readonly type: PolicyType | undefined
  readonly files: ReadonlyArray<RegoFile>
}

const isRego = (name: string): boolean => name.endsWith(".rego") && !name.startsWith(".")
export const isTest = (path: string): boolean => path.endsWith("_test.rego")

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({ try: run, catch: (error) => failed(`cannot read ${what}: ${reasonOf(error)}`) })

/** The package that a source names; OPA itself is asked only when more than that is needed. */
export const packageOf = (source: string): string | undefined =>
  /^[ \t]*package[ \t]+([\w.]+)/mu.exec(source.replaceAll(/^[ \t]*#.*$/gmu, ""))?.[1]

const typeOfPackage = (name: string | undefined): PolicyType | undefined => {
  const [root, kind] = (name ?? "").split(".")
  if (root !== "jitsudo") return undefined
  if (kind === "eligibility" || kind === "approval" || kind === "breakglass") return kind
  return kind === "lib" ? "library" : undefined
}

const typeOf = (files: ReadonlyArray<RegoFile>): PolicyType | undefined => {
  const types = files.filter(({ path }) => !isTest(path)).map(({ source }) => typeOfPackage(packageOf(source)))
  const [first] = types
  return types.every((one) => one === first) ? first : undefined
}

const policy = (name: string, files: ReadonlyArray<RegoFile>): PolicyFolder => ({ name, type: typeOf(files), files })

const readRego = (found: string, path: string): Effect.Effect<RegoFile, Failure> =>
  Effect.map(
    attempt(found, () => readFile(found, "utf8")),
    (source) => ({ path, found, source })
  )

/** One file with its tests. */
const ofFile = Effect.fn("PolicyFiles.ofFile")(function* (file: string) {
  const name = basename(file, ".rego")
  const test = join(dirname(file), `${name}_test.rego`)
  const beside = yield* attempt(dirname(file), () => readdir(dirname(file)))
  const files = [yield* readRego(file, basename(file))]
  if (beside.includes(basename(test))) files.push(yield* readRego(test, basename(test)))
  return policy(name, files)
})

/** Rego files of a policy's own directory and below. */
const regoBelow = (directory: string, prefix: string): Effect.Effect<ReadonlyArray<RegoFile>, Failure> =>
  Effect.gen(function* () {
    const entries = yield* attempt(directory, () => readdir(directory, { withFileTypes: true }))
    const files: Array<RegoFile> = []
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const at = join(directory, entry.name)
      if (entry.isFile() && isRego(entry.name)) files.push(yield* readRego(at, `${prefix}${entry.name}`))
      if (entry.isDirectory() && !entry.name.startsWith("."))
        files.push(...(yield* regoBelow(at, `${prefix}${entry.name}/`)))
    }
    return files
  })

const ofDirectory = Effect.fn("PolicyFiles.ofDirectory")(function* (directory: string) {
  const entries = (yield* attempt(directory, () => readdir(directory, { withFileTypes: true }))).toSorted((a, b) =>
    a.name < b.name ? -1 : 1
  )
  if (entries.some((entry) => entry.isFile() && entry.name === "policy.rego")) {
    return [policy(basename(resolve(directory)), yield* regoBelow(directory, ""))]
  }
  const found: Array<PolicyFolder> = []
  for (const entry of entries) {
    const at = join(directory, entry.name)
    if (entry.isFile() && isRego(entry.name) && !isTest(entry.name)) found.push(yield* ofFile(at))
    if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules") {
      const files = yield* regoBelow(at, "")
      if (files.length > 0) found.push(policy(entry.name, files))
    }
  }
  return found
})

/** The policies under some paths. Fails where one has none, or where two have one name. */
export const collect = Effect.fn("PolicyFiles.collect")(function* (paths: ReadonlyArray<string>) {
  const all: Array<PolicyFolder> = []
  for (const path of paths) {
    const stats = yield* attempt(path, () => stat(path))
    if (!stats.isDirectory() && !isRego(basename(path))) return yield* misused(`${path} is no .rego file`)
    // Tests named by themselves (a shell's `*.rego`) come with their policies.
    if (!stats.isDirectory() && isTest(path) && paths.includes(path.replace(/_test\.rego$/u, ".rego"))) continue
    const found = stats.isDirectory() ? yield* ofDirectory(path) : [yield* ofFile(path)]
    if (found.length === 0)
      return yield* misused(`there are no policies in ${path}`, "a policy is NAME.rego or NAME/*.rego")
    all.push(...found)
  }
  const names = all.map(({ name }) => name)
  const double = names.find((name, index) => names.indexOf(name) !== index)
  if (double !== undefined)
    return yield* misused(`two policies are called ${double}`, "name the paths apart, or apply them one by one")
  return all
})

/** Every Rego file under some paths, one by one. */
export const everyFile = Effect.fn("PolicyFiles.everyFile")(function* (paths: ReadonlyArray<string>) {
  const all: Array<RegoFile> = []
  for (const path of paths) {
    const stats = yield* attempt(path, () => stat(path))
    if (!stats.isDirectory()) all.push(yield* readRego(path, path))
    else all.push(...(yield* regoBelow(path, "")))
  }
  if (all.length === 0) return yield* misused(`there are no .rego files in ${paths.join(", ")}`)
  return all
})
