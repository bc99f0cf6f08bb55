/**
 * The repository as the tests of it see it: its workspace packages and their source files.
 *
 * Paths are relative to the root with forward slashes. A test that judges sources takes `Source` values, so that the
 * same judgement runs on a made-up offender (its positive control) and on the files of the repository.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"

export const root = join(import.meta.dirname, "..", "..")

/** One file: where it is, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

export interface Manifest {
  readonly name: string
  readonly license?: string
  readonly private?: boolean
  readonly description?: string
  readonly files?: ReadonlyArray<string>
  readonly engines?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, unknown>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** A workspace package: `packages/core`, `bench`, an example. */
export interface Package {
  readonly directory: string
  readonly manifest: Manifest
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8")

/** Reads the file of a package, which is JSON written by hand: what it must contain, the tests say. */
export const manifestAt = (directory: string): Manifest => JSON.parse(read(join(directory, "package.json")))

const notOurs = new Set(["node_modules", "dist", ".git", ".turbo", ".vitest", "coverage"])

/** Files below the root by glob, without what was installed or built. */
export function files(...patterns: ReadonlyArray<string>): ReadonlyArray<string> {
  return globSync([...patterns], { cwd: root, exclude: (path) => path.split("/").some((part) => notOurs.has(part)) })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
}

export const sources = (...patterns: ReadonlyArray<string>): ReadonlyArray<Source> =>
  files(...patterns).map((path) => ({ path, text: read(path) }))

/** Every workspace package, as the root's package.json lists them. */
export function workspaces(): ReadonlyArray<Package> {
  const patterns: ReadonlyArray<string> = JSON.parse(read("package.json")).workspaces
  return patterns
    .flatMap((pattern) => files(`${pattern}/package.json`))
    .map((path) => ({ directory: dirname(path), manifest: manifestAt(dirname(path)) }))
}

/** The published packages: those under `packages/`. */
export const packages = (): ReadonlyArray<Package> =>
  workspaces().filter(({ directory }) => directory.startsWith("packages/"))

export const exists = (path: string): boolean => existsSync(join(root, path))
