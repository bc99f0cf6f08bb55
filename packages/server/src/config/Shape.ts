/**
 * Checks a tree against the declared keys and brings it into the shape that the schema reads: every unknown, retired,
 * missing or ill-formed key is noted, all of them at once, and left out; sections and lists that are absent become
 * empty.
 *
 * After it, the schema's own decoding of the tree cannot fail; that is what `Config.load` relies on.
 */
import { retiredKeys } from "./Retired.ts"
import type { Fields, Node } from "./Setting.ts"
import { nodes } from "./Setting.ts"
import { nearest } from "./Suggestion.ts"
import type { Note, Tree } from "./Tree.ts"
import { isTree, join, readSecret } from "./Tree.ts"

export interface Findings {
  readonly notes: Array<Note>
  /** Paths whose value was left out: rules that concern them have nothing to say. */
  readonly failed: Set<string>
  /** List -> where each entry that was kept stood in it. */
  readonly kept: Map<string, ReadonlyArray<number>>
  /** Path -> the environment variable that set it. */
  readonly variables: ReadonlyMap<string, string>
}

type KeyNode = Extract<Node, { readonly _tag: "Key" }>

/** A value for a message: short, on one line, without the user part of a URL. */
export const shown = (value: unknown): string => {
  const text = (JSON.stringify(value) ?? typeof value).replaceAll(/\/\/[^/@\s"]*@/gu, "//***@")
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}

const checkKey = (node: KeyNode, value: unknown, path: string, findings: Findings): unknown => {
  if (node.decode(value)) return value
  const variable = findings.variables.get(path)
  const got = node.about.secret === true ? "" : `, got ${shown(value)}`
  findings.notes.push({
    path,
    message: `expected ${node.kind.expected}${got}`,
    hint: variable === undefined ? "" : `set by the environment variable ${variable}`
  })
  findings.failed.add(path)
  return undefined
}

/** What a value is, for places where it might be a secret that slipped. */
export const sortOf = (value: unknown): string =>
  Array.isArray(value) ? "a list" : isTree(value) ? "keys" : typeof value === "string" ? "a text" : `a ${typeof value}`

/** Where `word` would be known, as full paths: for keys that were put one level too high or too low. */
const pathsEndingIn = (word: string, fields: Fields, path = ""): ReadonlyArray<string> =>
  nodes(fields).flatMap(([key, node]) => {
    const here = join(path, key)
    const below = node._tag === "Key" ? [] : pathsEndingIn(word, node.fields, node._tag === "List" ? `${here}[]` : here)
    return key === word ? [here, ...below] : below
  })

const unknownKey = (key: string, here: string, candidates: ReadonlyArray<string>, root: Fields, findings: Findings) => {
  const retired = retiredKeys.get(here)
  if (retired !== undefined) {
    findings.notes.push({ path: here, ...retired })
    return
  }
  const near = nearest(key, candidates)
  const elsewhere = pathsEndingIn(key, root)[0]
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : elsewhere !== undefined
        ? `did you mean ${elsewhere}?`
        : `known here: ${candidates.join(", ")}`
  findings.notes.push({ path: here, message: "there is no such key", hint })
}

/** The checked keys of a group; `undefined` when it is not a group or lacks what it cannot be read without. */
const checkFields = (
  fields: Fields,
  value: unknown,
  path: string,
  root: Fields,
  findings: Findings,
  alsoKnown: ReadonlyArray<string> = []
): Tree | undefined => {
  if (value !== undefined && value !== null && !isTree(value)) {
    findings.notes.push({ path, message: `expected keys below it, got ${sortOf(value)}`, hint: "" })
    findings.failed.add(path)
    return undefined
  }
  const given = value ?? {}
  const declared = nodes(fields)
  const result: Tree = {}
  const taken = new Set<string>()
  let whole = true
  for (const [key, node] of declared) {
    const here = join(path, key)
    const raw = given[key]
    taken.add(key)
    if (node._tag === "Key") {
      let checked: unknown
      let present = raw !== undefined && raw !== null
      const fileKey = `${key}_file`
      if (present) checked = checkKey(node, raw, here, findings)
      if (node.about.secret === true) {
        taken.add(fileKey)
        const file = given[fileKey]
        if (file !== undefined && file !== null) {
          if (present) {
            findings.notes.push({
              path: join(path, fileKey),
              message: `${here} is given as well`,
              hint: "keep one of the two"
            })
          } else {
            const content = readSecret(file, join(path, fileKey), findings.notes)
            if (content === undefined) findings.failed.add(here)
            else if (!node.decode(content)) {
              findings.notes.push({
                path: join(path, fileKey),
                message: `the file must hold ${node.kind.expected}`,
                hint: ""
              })
              findings.failed.add(here)
            } else checked = content
          }
          present = true
        }
      }
      if (!present && node.presence === "required") {
        findings.notes.push({ path: here, message: `this is required: ${node.kind.expected}`, hint: "" })
        findings.failed.add(here)
      }
      if (checked !== undefined) result[key] = checked
      else if (node.presence === "required") whole = false
    } else if (node._tag === "Section") {
      if (node.optional && !(key in given)) continue
      const inner = checkFields(node.fields, raw, here, root, findings)
      if (inner !== undefined) result[key] = inner
      else if (node.optional) findings.failed.add(here)
      else result[key] = emptied(node.fields)
    } else {
      result[key] = checkList(node.fields, raw, here, root, findings)
    }
  }
  const candidates = declared.flatMap(([key, node]) =>
    node._tag === "Key" && node.about.secret === true ? [key, `${key}_file`] : [key]
  )
  for (const key of Object.keys(given)) {
    if (!taken.has(key)) unknownKey(key, join(path, key), [...candidates, ...alsoKnown], root, findings)
  }
  return whole ? result : undefined
}

const checkList = (
  fields: Fields,
  value: unknown,
  path: string,
  root: Fields,
  findings: Findings
): ReadonlyArray<Tree> => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) {
    findings.notes.push({ path, message: `expected a list, got ${sortOf(value)}`, hint: "begin each entry with `- `" })
    findings.failed.add(path)
    return []
  }
  const kept: Array<number> = []
  const entries = value.flatMap((item: unknown, index) => {
    const checked = checkFields(fields, item, `${path}[${index}]`, root, findings)
    if (checked === undefined) {
      findings.failed.add(path)
      return []
    }
    kept.push(index)
    return [checked]
  })
  findings.kept.set(path, kept)
  return entries
}

/** A group that was left out as a whole, with its inner groups and lists empty. */
const emptied = (fields: Fields): Tree =>
  Object.fromEntries(
    nodes(fields).flatMap(([key, node]): ReadonlyArray<readonly [string, unknown]> => {
      if (node._tag === "List") return [[key, []]]
      return node._tag === "Section" && !node.optional ? [[key, emptied(node.fields)]] : []
    })
  )

/** The tree in the schema's shape, with every fault noted in `findings`. `alsoKnown` are groups that others check. */
export const check = (fields: Fields, tree: Tree, findings: Findings, alsoKnown: ReadonlyArray<string> = []): Tree =>
  checkFields(fields, tree, "", fields, findings, alsoKnown) ?? emptied(fields)
