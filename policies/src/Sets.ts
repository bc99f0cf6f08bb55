/** The sets of policies in this folder: the starter pack and each worked example. */
import { type PolicySet, Principal, Time } from "@jitsudo/core"
import { PolicyFiles, Prepare } from "@jitsudo/rego"
import { readdirSync, readFileSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

export const sets = ["starter", "examples/business-hours", "examples/two-stage-approval"] as const
export type SetName = (typeof sets)[number]

/** Folders below `examples`: a set that is not listed would not be tested. */
export const exampleFolders = (): ReadonlyArray<string> =>
  readdirSync(join(root, "examples")).map((one) => `examples/${one}`)

export const filesOf = (set: SetName): ReadonlyArray<PolicySet.PolicyFile> => {
  const folder = join(root, set)
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".rego"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(folder, path).replaceAll(sep, "/"), source: readFileSync(path, "utf8") }))
}

export const draftsOf = (set: SetName): ReadonlyArray<Prepare.Draft> => {
  const { drafts, unknown } = PolicyFiles.draftsOf(filesOf(set))
  if (unknown.length > 0) throw new Error(`no type for ${JSON.stringify(unknown)}`)
  return drafts
}

/** A Wednesday morning. */
export const now = Time.make(Date.parse("2026-01-14T10:00:00Z"))

export const prepare = (drafts: ReadonlyArray<Prepare.Draft>) =>
  Prepare.prepare(drafts, { before: [], now, by: { ...Principal.system, email: null } })
