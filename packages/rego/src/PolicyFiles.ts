/**
 * From a folder of Rego to policies: the layout that the CLI, the daemon's directory and the starter pack share.
 *
 * A folder is one policy of that name with all files below it; a file on its own is one policy named like the file.
 * `name_test.rego` beside `name.rego` goes with it. The type follows from the package.
 */
import type { PolicySet } from "@jitsudo/core"
import type { Draft } from "./Prepare.ts"
import { libraryPackage, packageOf, type DecidingType } from "./Rules.ts"

const packageLine = /^\s*package\s+([A-Za-z0-9_.]+)/mu

const packageIn = (source: string): string => packageLine.exec(source.replace(/^\s*#.*$/gmu, ""))?.[1] ?? ""

const isTest = (path: string): boolean => path.endsWith("_test.rego")

/** The type of a policy by its package; undefined when the package is none of ours. */
export const typeOf = (files: ReadonlyArray<PolicySet.PolicyFile>): PolicySet.PolicyType | undefined => {
  for (const file of files.filter((one) => !isTest(one.path))) {
    const name = packageIn(file.source)
    if (name.startsWith(`${libraryPackage}.`)) return "library"
    for (const type of ["eligibility", "approval", "breakglass"] as const satisfies ReadonlyArray<DecidingType>) {
      if (name === packageOf[type]) return type
    }
  }
  return undefined
}

/** The name of the policy that a path below the folder belongs to. */
const policyOf = (path: string): string => {
  const slash = path.indexOf("/")
  return (slash < 0 ? path.replace(/(?:_test)?\.rego$/u, "") : path.slice(0, slash)).toLowerCase()
}

export interface Found {
  readonly drafts: ReadonlyArray<Draft>
  /** Policies whose package says no type, with that package. */
  readonly unknown: ReadonlyArray<{ readonly name: string; readonly package: string }>
}

/** `files` have paths relative to the folder, with `/`; others than `.rego` are not given. */
export const draftsOf = (files: ReadonlyArray<PolicySet.PolicyFile>): Found => {
  const groups = new Map<string, Array<PolicySet.PolicyFile>>()
  for (const file of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const name = policyOf(file.path)
    const path = file.path.includes("/") ? file.path.slice(file.path.indexOf("/") + 1) : file.path
    groups.set(name, [...(groups.get(name) ?? []), { path, source: file.source }])
  }
  const drafts: Array<Draft> = []
  const unknown: Array<{ readonly name: string; readonly package: string }> = []
  for (const [name, group] of groups) {
    const type = typeOf(group)
    if (type === undefined) unknown.push({ name, package: packageIn(group[0]?.source ?? "") })
    else drafts.push({ name, type, description: "", enabled: true, files: group })
  }
  return { drafts, unknown }
}
