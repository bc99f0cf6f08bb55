/**
 * `providers.*`: where rights can be granted. A section that is present, even empty, switches its provider on; nothing
 * is on by itself.
 *
 *     providers:
 *       aws: { accounts: [...], ... }              # a built-in, by its name
 *       aws-lab: { plugin: aws, config: { ... } }  # another one of it, under another name
 *       vpn: { plugin: "@acme/jitsudo-vpn", config: { ... } }
 *       door: { plugin: ./door.mjs, config: { ... } }
 *
 * 1. The section's name is the name under which rights are asked for.
 * 2. Its keys are read with the plug-in's own schema (`PluginSection.ts`).
 * 3. Sections of one plug-in must not reach the same thing, as far as the plug-in says what it reaches.
 */
import { Providers } from "@jitsudo/core"
import * as Duration from "effect/Duration"
import { builtIns } from "./BuiltIns.ts"
import * as GoDuration from "./GoDuration.ts"
import type { Decoded, OpenPlugin } from "./PluginSection.ts"
import * as PluginModule from "./PluginModule.ts"
import { oldPluginKeys, retiredKeys } from "./Retired.ts"
import type { KeyShape } from "./SchemaShape.ts"
import { keysIn } from "./SchemaShape.ts"
import type { EnvironmentKey } from "./Setting.ts"
import type { Findings } from "./Shape.ts"
import { shown, sortOf } from "./Shape.ts"
import { nearest } from "./Suggestion.ts"
import type { Environment, Note, Tree } from "./Tree.ts"
import { isTree, join } from "./Tree.ts"

/** A provider that is configured: checked, not yet made. */
export interface ProviderSection extends Decoded {
  /** The name under which rights are asked for. */
  readonly name: string
  /** The built-in's name, or the module as the operator wrote it. */
  readonly plugin: string
  /** Where its keys stand: `providers.aws`, `providers.vpn.config`. */
  readonly path: string
}

/** A section whose plug-in was found. */
interface Found {
  readonly name: string
  readonly plugin: string
  readonly path: string
  readonly open: OpenPlugin
}

export interface FoundSections {
  readonly sections: ReadonlyArray<Found>
  /** What the environment can say of them. */
  readonly environment: ReadonlyArray<EnvironmentKey>
}

const variableOf = (path: string): string => `JITSUDOD_${path.replaceAll(/[.-]/gu, "_").toUpperCase()}`

const environmentOf = ({ open, path }: Found): ReadonlyArray<EnvironmentKey> =>
  keysIn(open.shape).flatMap(({ key, nested, path: within }) => {
    const here = [path, ...within].join(".")
    const { shape } = key
    if (nested || shape._tag !== "Value" || shape.fromText === null) return []
    return [{ path: here, variable: variableOf(here), secret: key.secret, fromText: shape.fromText }]
  })

const whatItIs = "give the name of a package, a path that begins with ./, or a built-in"

/** Finds and loads the plug-in of one section; whatever is wrong is noted. */
const find = async (
  name: string,
  section: unknown,
  directory: string,
  notes: Array<Note>
): Promise<Found | undefined> => {
  try {
    return await locate(name, section, directory, notes)
  } catch (thrown) {
    // A plug-in's own trouble is noted where it is loaded: this is a built-in, or its schema cannot be read.
    const message = `its plug-in cannot be loaded: ${PluginModule.firstLine(thrown)}`
    notes.push({ path: join("providers", name), message, hint: "is everything of it installed?" })
    return undefined
  }
}

const locate = async (
  name: string,
  section: unknown,
  directory: string,
  notes: Array<Note>
): Promise<Found | undefined> => {
  const path = join("providers", name)
  const complain = (at: string, message: string, hint: string) => void notes.push({ path: at, message, hint })
  const retired = retiredKeys.get(path)
  if (retired !== undefined) return (complain(path, retired.message, retired.hint), undefined)
  if (!Providers.isName(name)) {
    complain(path, `this cannot name a provider`, 'use lower-case letters, digits and "-", a letter first')
    return undefined
  }
  const builtIn = builtIns.get(name)
  const module = isTree(section) ? section["plugin"] : undefined
  if (module === undefined || module === null) {
    if (builtIn !== undefined) return { name, plugin: name, path, open: await builtIn() }
    const near = nearest(name, builtIns.keys())
    complain(
      path,
      "there is no built-in provider of this name, and the section names no `plugin`",
      near === undefined ? `built in: ${[...builtIns.keys()].join(", ")}` : `did you mean ${near}?`
    )
    return undefined
  }
  const at = join(path, "plugin")
  if (typeof module !== "string" || module === "") {
    complain(at, `expected a module, got ${shown(module)}`, whatItIs)
    return undefined
  }
  for (const key of Object.keys(isTree(section) ? section : {})) {
    if (key === "plugin" || key === "config") continue
    complain(
      join(path, key),
      "there is no such key beside `plugin`",
      `the plug-in's own keys stand under ${path}.config`
    )
  }
  const here = join(path, "config")
  const other = builtIns.get(module)
  if (other !== undefined) return { name, plugin: module, path: here, open: await other() }
  if (builtIn !== undefined) {
    complain(at, `${name} is the name of a built-in provider`, "give the section another name")
    return undefined
  }
  const loaded = await PluginModule.load(module, directory)
  if ("shape" in loaded) return { name, plugin: module, path: here, open: loaded }
  complain(at, loaded.message, loaded.hint)
  return undefined
}

/** A built-in that no file mentions, where a variable sets one of its keys. */
const fromEnvironmentAlone = async (name: string, env: Environment): Promise<Found | undefined> => {
  const load = builtIns.get(name)
  const path = join("providers", name)
  const begins = `${variableOf(path)}_`
  const isSet = (variable: string) => (env[variable] ?? "") !== ""
  if (load === undefined || !Object.keys(env).some((variable) => variable.startsWith(begins))) return undefined
  const found = { name, plugin: name, path, open: await load() }
  const keys = environmentOf(found)
  return keys.some(({ secret, variable }) => isSet(variable) || (secret && isSet(`${variable}_FILE`)))
    ? found
    : undefined
}

/** The plug-ins of the sections that there are. `directory` is where the configuration file is. */
export const findAll = async (
  tree: unknown,
  env: Environment,
  directory: string,
  notes: Array<Note>
): Promise<FoundSections> => {
  if (tree !== undefined && tree !== null && !isTree(tree)) {
    notes.push({ path: "providers", message: `expected keys below it, got ${sortOf(tree)}`, hint: "" })
    return { sections: [], environment: [] }
  }
  const given = tree ?? {}
  const sections: Array<Found> = []
  for (const [name, section] of Object.entries(given)) {
    const found = await find(name, section, directory, notes)
    if (found !== undefined) sections.push(found)
  }
  for (const name of builtIns.keys()) {
    if (name in given) continue
    const found = await fromEnvironmentAlone(name, env)
    if (found !== undefined) sections.push(found)
  }
  return { sections, environment: sections.flatMap(environmentOf) }
}

/** A length of time in words as a whole number. */
const inUnits = (value: unknown, unit: "seconds" | "milliseconds"): number | undefined => {
  const duration = typeof value === "string" ? GoDuration.parse(value) : undefined
  if (duration === undefined) return undefined
  return unit === "milliseconds" ? Duration.toMillis(duration) : Math.floor(Duration.toSeconds(duration))
}

/** A section with keys of earlier releases, in today's. */
const modern = (found: Found, section: Tree, findings: Findings): Tree => {
  let result = section
  const { open, path } = found
  for (const [old, became] of oldPluginKeys.get(open.name) ?? []) {
    const value = result[old]
    if (value === undefined || value === null || (open.shape._tag === "Keys" && open.shape.keys.has(old))) continue
    if ("to" in became && became.mode !== undefined && became.mode !== section["mode"]) continue
    const { [old]: _, ...rest } = result
    result = rest
    const here = join(path, old)
    if (!("to" in became)) {
      findings.notes.push({ path: here, ...became })
      continue
    }
    const { to, unit } = became
    const today = unit === undefined ? value : inUnits(value, unit)
    if (to in rest) {
      findings.notes.push({
        path: here,
        message: `this is the old name of ${join(path, to)}, which is also given`,
        hint: "keep one of the two"
      })
    } else if (today === undefined) {
      const message = `expected a duration such as "1h", got ${shown(value)}`
      findings.notes.push({ path: here, message, hint: `or set ${to} to a whole number` })
      findings.failed.add(join(path, to))
    } else {
      result = { ...rest, [to]: today }
    }
  }
  return result
}

/** What one plug-in's sections have in common, or may not be told apart by. */
const expectApart = (
  sections: ReadonlyArray<ProviderSection & { readonly open: OpenPlugin }>,
  findings: Findings
): void => {
  sections.forEach((section, index) => {
    const before = sections.slice(0, index).filter((one) => one.open.name === section.open.name)
    for (const other of before) {
      if (section.territory === null || other.territory === null) {
        findings.notes.push({
          path: join("providers", section.name),
          message: `a second section of ${section.plugin} beside providers.${other.name}, and the plug-in does not say what keeps them apart`,
          hint: "keep one of the two, or ask its author for `territory`"
        })
        continue
      }
      const common = section.territory.filter((word) => other.territory?.includes(word))
      if (common.length > 0) {
        findings.notes.push({
          path: join("providers", section.name),
          message: `it reaches what providers.${other.name} reaches: ${common.slice(0, 5).join(", ")}`,
          hint: "each would take the other's grants for strangers: let only one of them reach it"
        })
      }
    }
  })
}

/** The sections, read with the plug-ins' schemas. */
export const read = (found: FoundSections, tree: unknown, findings: Findings): ReadonlyArray<ProviderSection> => {
  const given = isTree(tree) ? tree : {}
  const sections = found.sections.flatMap((one) => {
    const raw = one.path.endsWith(".config") ? configOf(given[one.name]) : given[one.name]
    const decoded = one.open.read(isTree(raw) ? modern(one, raw, findings) : raw, one.path, findings)
    return decoded === undefined
      ? []
      : [{ name: one.name, plugin: one.plugin, path: one.path, open: one.open, ...decoded }]
  })
  expectApart(sections, findings)
  return sections.map(({ open: _, ...section }) => section)
}

const configOf = (section: unknown): unknown => (isTree(section) ? section["config"] : undefined)

/** As the file would say it, secrets masked. */
export const show = (sections: ReadonlyArray<ProviderSection>): Tree =>
  Object.fromEntries(
    sections.map(({ name, path, plugin, shown: keys }) => [
      name,
      path.endsWith(".config") ? { plugin, config: keys } : keys
    ])
  )

/** A key of a built-in, for the reference of the configuration. */
export interface BuiltInKey {
  readonly path: string
  readonly variable: string | null
  readonly key: KeyShape
}

/** Every key of every built-in provider, in reading order. */
export const describe = async (): Promise<ReadonlyArray<BuiltInKey>> => {
  const all: Array<BuiltInKey> = []
  for (const [name, load] of builtIns) {
    const open = await load()
    for (const { key, nested, path } of keysIn(open.shape)) {
      const here = ["providers", name, ...path].join(".")
      const settable = !nested && key.shape._tag === "Value" && key.shape.fromText !== null
      all.push({ path: here, variable: settable ? variableOf(here) : null, key })
    }
  }
  return all
}
