/**
 * How stable a part of Effect is, read from the tag that the installed package carries: `stable`, `unstable` or
 * `experimental`, on each module and on each export. The stable line is the line of core and audit (ADR 5).
 */
import { membersOf } from "./Syntax.ts"
import type { Import } from "./Syntax.ts"
import { exists, read } from "./Sources.ts"
import type { Source } from "./Sources.ts"

const dist = "node_modules/effect/dist"
const tagIn = (comment: string): string | undefined => /@stability (\w+)/.exec(comment)?.[1]

/** The tag of a module (`Schema`, `encoding/Hex`): it stands in the first comment of its declarations. */
export function ofModule(module: string): string {
  const path = `${dist}/${module}.d.ts`
  if (!exists(path)) return "missing"
  return tagIn(/\/\*\*[\s\S]*?\*\//.exec(read(path))?.[0] ?? "") ?? "untagged"
}

/** The tags of an export of a module: one for each declaration of that name (overloads, a value and its type). */
export function ofMember(module: string, member: string): ReadonlyArray<string> {
  const declaration = new RegExp(
    String.raw`/\*\*((?:(?!\*/)[\s\S])*)\*/\s*export (?:declare )?(?:abstract )?` +
      String.raw`(?:const|function|interface|type|class|namespace) ${member}\b`,
    "g"
  )
  return [...read(`${dist}/${module}.d.ts`).matchAll(declaration)].map(
    ([, comment]) => tagIn(comment ?? "") ?? "stable"
  )
}

/** Modules and members that an import of Effect names: `import * as S from "effect/Schema"`, `import { Effect } from "effect"`. */
function modulesOf(from: string, names: ReadonlyArray<string>): ReadonlyArray<string> {
  const path = from.slice("effect/".length)
  if (from !== "effect" && exists(`${dist}/${path}.d.ts`)) return [path]
  const folder = from === "effect" ? "" : `${path}/`
  // Lower-case names on the root (`pipe`, `flow`) are re-exported from the module Function.
  return names.map((name) => (name === "*" ? `${folder}index` : /^[a-z]/.test(name) ? "Function" : `${folder}${name}`))
}

/** What is not stable in one import of Effect, in words; empty where everything is. */
export function unstableIn(source: Source, { from, names, namespaces }: Import): ReadonlyArray<string> {
  if (from !== "effect" && !from.startsWith("effect/")) return []
  const whole = from === "effect" && names.includes("*") ? ["effect as a whole: name the modules instead"] : []
  const modules = modulesOf(from, names)
  const unstableModules = modules
    .map((module) => ({ module, tag: ofModule(module) }))
    .filter(({ tag }) => tag !== "stable")
    .map(({ module, tag }) => `effect/${module} is ${tag}`)
  if (whole.length + unstableModules.length > 0) return [...whole, ...unstableModules]

  const direct = from !== "effect" && exists(`${dist}/${from.slice("effect/".length)}.d.ts`)
  const used = direct
    ? [
        ...names.filter((name) => name !== "*"),
        ...namespaces.flatMap((local) => membersOf(source.path, source.text, local))
      ].map((member) => [modules[0] ?? "", member] as const)
    : names.flatMap((name) => membersOf(source.path, source.text, name).map((member) => [name, member] as const))
  return used
    .filter(
      ([module, member]) => exists(`${dist}/${module}.d.ts`) && ofMember(module, member).some((tag) => tag !== "stable")
    )
    .map(([module, member]) => `effect/${module}'s ${member} is not stable`)
}
