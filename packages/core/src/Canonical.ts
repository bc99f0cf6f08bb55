/**
 * Canonical JSON: RFC 8785 (JCS), the form in which everything that is hashed or signed is written.
 *
 * 1. Two values that are the same JSON have the same text: members sorted by UTF-16 code units, no white space,
 *    numbers and strings as ECMAScript's `JSON.stringify` writes them.
 * 2. What JSON cannot say exactly is refused, never changed silently: non-finite numbers, `undefined` (also as a member
 *    or a hole), functions, symbols, bigints, objects that are not plain, strings with lone surrogates.
 *
 * A refusal is thrown: callers hold a `Json` that was checked at the edge, so it is a bug (inside Effect: a defect).
 * `toJSON` is not called; there is no parser here.
 */
import * as Data from "effect/Data"
import type { Json } from "./Json.ts"

/** The value is no JSON that has a canonical text. `path` names the place, for example `details.members[3]`. */
export class NotCanonical extends Data.TaggedError("NotCanonical")<{ readonly path: string; readonly why: string }> {
  override get message(): string {
    return `${this.path === "" ? "the value" : this.path} ${this.why}: check it at the edge`
  }
}

/** Deeper than anything we write; a cycle ends here too. */
const deepest = 256

/** Whether `text` can be encoded as UTF-8: every surrogate has its partner. */
export const isWellFormed = (text: string): boolean => text.isWellFormed()

const inMember = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)

const writeString = (text: string, path: string): string => {
  if (!text.isWellFormed()) throw new NotCanonical({ path, why: "contains a lone surrogate" })
  return JSON.stringify(text)
}

/** A hole reads as `undefined`, which `write` refuses. */
const writeArray = (items: ReadonlyArray<unknown>, path: string, depth: number): string => {
  let out = "["
  for (let index = 0; index < items.length; index++) {
    if (index > 0) out += ","
    out += write(items[index], path, depth + 1, index)
  }
  return `${out}]`
}

const writeObject = (value: object, path: string, depth: number): string => {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new NotCanonical({ path, why: "is no plain object" })
  // The default order of `sort` is by UTF-16 code units, as section 3.2.3 asks.
  const names = Object.keys(value).sort()
  let out = "{"
  for (const name of names) {
    if (out.length > 1) out += ","
    out += `${writeString(name, `a name in ${path === "" ? "the value" : path}`)}:`
    out += write(Reflect.get(value, name), path, depth + 1, name)
  }
  return `${out}}`
}

/** `step` is the last part of the path, joined only when needed: paths cost more than the text. */
const write = (value: unknown, parent: string, depth: number, step: string | number | undefined): string => {
  const here = (): string =>
    step === undefined ? parent : typeof step === "number" ? `${parent}[${step}]` : inMember(parent, step)
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? JSON.stringify(value) : writeString(value, here())
    case "number":
      if (!Number.isFinite(value)) throw new NotCanonical({ path: here(), why: `is ${value}, which JSON cannot say` })
      return JSON.stringify(value)
    case "boolean":
      return value ? "true" : "false"
    case "object":
      if (value === null) return "null"
      if (depth > deepest)
        throw new NotCanonical({ path: parent.slice(0, 64), why: `is nested deeper than ${deepest}` })
      return Array.isArray(value) ? writeArray(value, here(), depth) : writeObject(value, here(), depth)
    default:
      throw new NotCanonical({ path: here(), why: `is ${typeof value}, which JSON cannot say` })
  }
}

/**
 * The canonical text of `value`.
 *
 * @throws NotCanonical for what has no canonical text (rule 2).
 */
export const stringify = (value: Json): string => write(value, "", 0, undefined)
