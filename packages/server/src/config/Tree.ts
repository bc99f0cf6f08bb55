/**
 * Configuration before it is typed: a tree of plain values as YAML gives it, laid over by the environment and with
 * secrets read from their files. Nothing here decides whether a value is right; whatever is out of place is noted
 * with its path and left out.
 *
 * Values of secret keys are never put into a note.
 */
import { readFileSync } from "node:fs"
import * as Yaml from "effect/encoding/Yaml"
import { retiredKeys, retiredVariables } from "./Retired.ts"
import type { EnvironmentKey, Fields } from "./Setting.ts"
import { environmentName, nodes } from "./Setting.ts"
import { nearest } from "./Suggestion.ts"

export interface Note {
  /** `auth.issuers[0].audiences`; the file's name for the file as a whole. */
  readonly path: string
  readonly message: string
  /** What to do; empty when the message says it. */
  readonly hint: string
}

export type Tree = { [key: string]: unknown }

export type Environment = Readonly<Record<string, string | undefined>>

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const join = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`)

const reasonOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : ""
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES") return "this process may not read it"
  if (code === "EISDIR") return "it is a directory"
  return code === "" ? "it cannot be read" : `it cannot be read (${code})`
}

/** The tree of a YAML file; an empty file is an empty tree. */
export const readYaml = (file: string, notes: Array<Note>): Tree => {
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (error) {
    notes.push({
      path: file,
      message: `the configuration file: ${reasonOf(error)}`,
      hint: "check --config and JITSUDOD_CONFIG"
    })
    return {}
  }
  if (text.replaceAll(/^\s*#.*$/gmu, "").trim() === "") return {}
  try {
    const parsed = Yaml.parse(text)
    if (parsed === null || parsed === undefined) return {}
    if (isTree(parsed)) return parsed
    notes.push({
      path: file,
      message: "the configuration is not a mapping of keys",
      hint: "start with a section such as `server:`"
    })
  } catch (error) {
    // The parser's message may quote a line, and a line may hold a secret: only its position is passed on.
    const position = error instanceof Error ? (/line \d+(?:,? col(?:umn)? \d+)?/iu.exec(error.message)?.[0] ?? "") : ""
    notes.push({
      path: file,
      message: `this is not YAML${position === "" ? "" : ` (${position})`}`,
      hint: "check indentation and quotes"
    })
  }
  return {}
}

/** `over` laid on `under`, section by section; lists and values are replaced as a whole. */
export const overlay = (under: Tree, over: Tree): Tree => {
  const result: Tree = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    if (value === null && isTree(below)) continue
    result[key] = isTree(value) && isTree(below) ? overlay(below, value) : value
  }
  return result
}

/** Every key outside lists, with its path. */
export const scalarKeys = (fields: Fields, path = ""): ReadonlyArray<readonly [path: string, node: KeyNode]> =>
  nodes(fields).flatMap(([key, node]) => {
    const here = join(path, key)
    if (node._tag === "Key") return [[here, node] as const]
    return node._tag === "Section" ? scalarKeys(node.fields, here) : []
  })

type KeyNode = Extract<ReturnType<typeof nodes>[number][1], { readonly _tag: "Key" }>

const put = (tree: Tree, path: ReadonlyArray<string>, value: unknown): Tree => {
  const [head, ...rest] = path
  if (head === undefined) return tree
  const below = tree[head]
  return { ...tree, [head]: rest.length === 0 ? value : put(isTree(below) ? below : {}, rest, value) }
}

/** What Kubernetes sets by itself for a service called `jitsudod`. */
const serviceLink = /^JITSUDOD_(?:SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)?)$/u

export interface FromEnvironment {
  readonly tree: Tree
  /** Path -> the variable that set it. */
  readonly variables: ReadonlyMap<string, string>
  /** Variables that begin like ours and set nothing. */
  readonly warnings: ReadonlyArray<Note>
}

/** What the environment can say of declared keys. */
export const environmentKeys = (fields: Fields): ReadonlyArray<EnvironmentKey> =>
  scalarKeys(fields).map(([path, node]) => ({
    path,
    variable: environmentName(path, node.about),
    secret: node.about.secret === true,
    fromText: node.kind.fromText
  }))

/** The tree that the environment spells; empty variables count as absent. */
export const readEnvironment = (
  keys: ReadonlyArray<EnvironmentKey>,
  env: Environment,
  notes: Array<Note>
): FromEnvironment => {
  let tree: Tree = {}
  const variables = new Map<string, string>()
  const known = new Set(["JITSUDOD_CONFIG"])
  for (const { fromText, path, secret, variable: name } of keys) {
    const names: ReadonlyArray<readonly [string, string]> = secret
      ? [
          [name, path],
          [`${name}_FILE`, `${path}_file`]
        ]
      : [[name, path]]
    for (const [variable, target] of names) {
      known.add(variable)
      const value = env[variable]
      if (value === undefined || value === "") continue
      tree = put(tree, target.split("."), target === path ? fromText(value) : value)
      variables.set(target, variable)
    }
  }
  const warnings: Array<Note> = []
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith("JITSUDOD_") || value === undefined || value === "" || known.has(variable)) continue
    const retired = retiredKeys.get(retiredVariables.get(variable) ?? "")
    if (retired !== undefined) {
      notes.push({ path: variable, message: retired.message, hint: "unset the variable" })
    } else if (!serviceLink.test(variable)) {
      const meant = nearest(variable, known)
      warnings.push({
        path: variable,
        message: "this variable sets nothing",
        hint: meant === undefined ? "`jitsudod config keys` lists the variables" : `did you mean ${meant}?`
      })
    }
  }
  return { tree, variables, warnings }
}

/** A secret's file as its value: the whole content without the line break at its end. */
export const readSecret = (file: unknown, path: string, notes: Array<Note>): string | undefined => {
  if (typeof file !== "string" || file === "") {
    notes.push({ path, message: "expected a path", hint: "" })
    return undefined
  }
  try {
    const content = readFileSync(file, "utf8").replace(/\r?\n$/u, "")
    if (content !== "") return content
    notes.push({ path, message: `${JSON.stringify(file)}: it is empty`, hint: "" })
  } catch (error) {
    notes.push({ path, message: `${JSON.stringify(file)}: ${reasonOf(error)}`, hint: "" })
  }
  return undefined
}
