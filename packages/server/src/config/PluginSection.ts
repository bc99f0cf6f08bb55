/**
 * One provider's section, read with its plug-in's own schema.
 *
 * 1. Every fault is noted at once with its path: unknown keys with the one that was meant, wrong values with what was
 *    expected and found.
 * 2. A key that the schema marks as secret is also taken as `<key>_file`; its value is in no note.
 * 3. What comes out is closed: whoever has it can make the provider and show the section, and needs no type for it.
 */
import type { Provider, ProviderPlugin } from "@jitsudo/core"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as Scope from "effect/Scope"
import type { KeyShape, Shape } from "./SchemaShape.ts"
import { shapeOf } from "./SchemaShape.ts"
import type { Findings } from "./Shape.ts"
import { shown, sortOf } from "./Shape.ts"
import { nearest } from "./Suggestion.ts"
import type { Tree } from "./Tree.ts"
import { isTree, join, readSecret } from "./Tree.ts"

/** A section that was read without fault. */
export interface Decoded {
  /** Foreign code: it may throw, and return what is no Effect. */
  readonly make: () => Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError, Scope.Scope>
  /** Null: the plug-in does not say, so it may have one section. */
  readonly territory: ReadonlyArray<string> | null
  /** As the file would say it with every default, secrets masked. */
  readonly shown: Tree
  /** The values of its secrets, for taking them out of foreign texts. */
  readonly secrets: ReadonlyArray<string>
}

/** A plug-in without its type. */
export interface OpenPlugin {
  readonly name: string
  readonly shape: Shape
  /** Reads a section; undefined when there is something against it, which is then in `findings`. */
  readonly read: (section: unknown, path: string, findings: Findings) => Decoded | undefined
}

/** What stands in the place of a secret. */
export const masked = "********"

const note = (findings: Findings, path: string, message: string, hint = "") =>
  findings.notes.push({ path, message, hint })

/** The keys of a group as they can be written. */
const candidatesOf = (keys: ReadonlyMap<string, KeyShape>): ReadonlyArray<string> =>
  [...keys].flatMap(([name, { secret }]) => (secret ? [name, `${name}_file`] : [name]))

/** The value of a secret key from its file; the key counts as failed when there is none. */
const fromFile = (given: Tree, key: string, path: string, findings: Findings): string | undefined => {
  const filePath = join(path, `${key}_file`)
  if (given[key] !== undefined && given[key] !== null) {
    note(findings, filePath, `${join(path, key)} is given as well`, "keep one of the two")
    return undefined
  }
  const content = readSecret(given[`${key}_file`], filePath, findings.notes)
  if (content === undefined) findings.failed.add(join(path, key))
  return content
}

/** The section as the schema reads it: secrets from their files, no empty and no unknown keys. */
const prepare = (shape: Shape, section: unknown, path: string, findings: Findings): unknown => {
  if (shape._tag === "List" && Array.isArray(section)) {
    return section.map((item: unknown, index) => prepare(shape.item.shape, item, `${path}[${index}]`, findings))
  }
  if (shape._tag !== "Keys" || !isTree(section)) return section
  const result: Tree = {}
  const { keys, others } = shape
  for (const [key, raw] of Object.entries(section)) {
    if (raw === undefined || raw === null) continue
    const known = keys.get(key) ?? others
    const here = join(path, key)
    if (known !== null && known !== undefined) {
      result[key] = prepare(known.shape, raw, here, findings)
      continue
    }
    const secret = key.endsWith("_file") ? key.slice(0, -"_file".length) : ""
    if (keys.get(secret)?.secret === true) {
      const content = fromFile(section, secret, path, findings)
      if (content !== undefined) result[secret] = content
      continue
    }
    const candidates = candidatesOf(keys)
    const near = nearest(key, candidates)
    const hint = near === undefined ? `known here: ${candidates.join(", ")}` : `did you mean ${near}?`
    note(findings, here, "there is no such key", hint)
  }
  return result
}

const valueAt = (section: unknown, path: ReadonlyArray<PropertyKey>): unknown =>
  path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return value[Number(key)]
    return isTree(value) ? value[String(key)] : undefined
  }, section)

/** Whether a secret is at `path`, above it or below it. */
const touchesSecret = (shape: Shape, path: ReadonlyArray<PropertyKey>): boolean => {
  const [head, ...rest] = path
  if (shape._tag === "Value") return false
  if (head === undefined) {
    const keys =
      shape._tag === "List" ? [shape.item] : [...shape.keys.values(), ...(shape.others ? [shape.others] : [])]
    return keys.some((key) => key.secret || touchesSecret(key.shape, []))
  }
  const key = shape._tag === "List" ? shape.item : (shape.keys.get(String(head)) ?? shape.others)
  return key !== null && key !== undefined && (key.secret || touchesSecret(key.shape, rest))
}

const pathOf = (base: string, path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (before, key) => (typeof key === "number" ? `${before}[${key}]` : join(before, String(key))),
    base
  )

const plainWords: ReadonlyArray<readonly [RegExp, string]> = [
  [/^Expected string$/u, "expected a text"],
  [/^Expected number$/u, "expected a number"],
  [/^Expected boolean$/u, "expected true or false"],
  [/^Expected array$/u, "expected a list"],
  [/^Expected object$/u, "expected keys below it"],
  [/^Expected /u, "expected "]
]

const inPlainWords = (message: string): string => {
  const found = plainWords.find(([words]) => words.test(message))
  return found === undefined ? message : message.replace(found[0], found[1])
}

const missing = "this is required"
const surplus = "this key does not go with the others of this section"

const formatter = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "MissingKey"
      ? missing
      : issue._tag === "UnexpectedKey"
        ? surplus
        : SchemaIssue.defaultLeafHook(issue)
})

const expectedAt = (shape: Shape, path: ReadonlyArray<PropertyKey>): string => {
  const [head, ...rest] = path
  if (head === undefined) return shape._tag === "Value" && shape.type !== "anything" ? `: a ${shape.type}` : ""
  if (shape._tag === "Value") return ""
  const key = shape._tag === "List" ? shape.item : (shape.keys.get(String(head)) ?? shape.others)
  return key === null || key === undefined ? "" : expectedAt(key.shape, rest)
}

const hintFor = (message: string, value: unknown, variable: string | undefined): string => {
  if (variable !== undefined) return `set by the environment variable ${variable}`
  return message === "expected a text" && typeof value === "number" ? "put it in quotes" : ""
}

const noteIssue = (
  issue: { readonly message: string; readonly path: ReadonlyArray<PropertyKey> },
  shape: Shape,
  section: unknown,
  path: string,
  findings: Findings
): void => {
  const last = issue.path.at(-1)
  // A list that must not be empty says that its first entry is missing.
  const noEntry = issue.message === missing && typeof last === "number"
  const at = noEntry ? issue.path.slice(0, -1) : issue.path
  const here = pathOf(path, at)
  if ([...findings.failed].some((failed) => here === failed || here.startsWith(`${failed}.`))) return
  findings.failed.add(here)
  if (noEntry) return void note(findings, here, "expected at least one entry")
  if (issue.message === missing) return void note(findings, here, `${missing}${expectedAt(shape, at)}`)
  if (issue.message === surplus) return void note(findings, here, surplus)
  const value = valueAt(section, at)
  const message = inPlainWords(issue.message)
  const got =
    value === undefined || touchesSecret(shape, at)
      ? ""
      : isTree(value)
        ? `, got ${sortOf(value)}`
        : `, got ${shown(value)}`
  note(findings, here, `${message}${got}`, hintFor(message, value, findings.variables.get(here)))
}

const mask = (shape: Shape, value: unknown): unknown => {
  if (shape._tag === "List" && Array.isArray(value)) {
    return value.map((item: unknown) => (shape.item.secret ? masked : mask(shape.item.shape, item)))
  }
  if (shape._tag !== "Keys" || !isTree(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const known = shape.keys.get(key) ?? shape.others
      return [key, known === null || known === undefined ? inner : known.secret ? masked : mask(known.shape, inner)]
    })
  )
}

const secretsIn = (shape: Shape, value: unknown): ReadonlyArray<string> => {
  const of = (key: KeyShape, inner: unknown): ReadonlyArray<string> =>
    key.secret ? (typeof inner === "string" ? [inner] : []) : secretsIn(key.shape, inner)
  if (shape._tag === "List" && Array.isArray(value)) return value.flatMap((item: unknown) => of(shape.item, item))
  if (shape._tag !== "Keys" || !isTree(value)) return []
  return Object.entries(value).flatMap(([key, inner]) => {
    const known = shape.keys.get(key) ?? shape.others
    return known === null || known === undefined ? [] : of(known, inner)
  })
}

/** A plug-in with its type closed away. */
export const open = <C>(plugin: ProviderPlugin.ProviderPlugin<C>): OpenPlugin => {
  const shape = shapeOf(plugin.config)
  const decode = Schema.decodeUnknownResult(plugin.config, { errors: "all", onExcessProperty: "error" })
  const encode = Schema.encodeUnknownResult(plugin.config)
  return {
    name: plugin.name,
    shape,
    read: (section, path, findings) => {
      if (section !== undefined && section !== null && !isTree(section)) {
        note(findings, path, `expected keys below it, got ${sortOf(section)}`)
        return undefined
      }
      const before = findings.notes.length
      const prepared = prepare(shape, section ?? {}, path, findings)
      const decoded = decode(prepared)
      if (Result.isFailure(decoded)) {
        const { issues } = formatter(decoded.failure.issue)
        for (const issue of issues) {
          const at = (issue.path ?? []).map((key) => (typeof key === "object" ? key.key : key))
          noteIssue({ message: issue.message, path: at }, shape, prepared, path, findings)
        }
      }
      if (Result.isFailure(decoded) || findings.notes.length > before) return undefined
      const config = decoded.success
      const encoded = encode(config)
      const plain = mask(shape, Result.isSuccess(encoded) ? encoded.success : prepared)
      // Foreign code with secrets in its hands: what it throws is not passed on.
      const territory = Result.try(() => plugin.territory?.(config) ?? null)
      if (Result.isFailure(territory)) {
        note(findings, path, "the plug-in's `territory` throws", "that is a matter for its author")
        return undefined
      }
      return {
        make: () => plugin.make(config),
        territory: territory.success,
        shown: isTree(plain) ? plain : {},
        secrets: secretsIn(shape, prepared)
      }
    }
  }
}
