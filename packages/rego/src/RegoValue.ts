/**
 * Rego values as host built-ins see them: exact numbers, sets apart from arrays, any value as an object's key.
 *
 * OPA's Wasm prints a value with `opa_value_dump`: JSON, but with `{1, 2}` and `set()` for sets and with keys that are
 * no strings. JSON would round nanosecond timestamps and hide sets, so built-ins are given this form instead.
 */

export type RegoValue =
  | { readonly type: "null" }
  | { readonly type: "boolean"; readonly value: boolean }
  /** The text of the number as Rego keeps it: `1.0` and `1` differ when they are printed. */
  | { readonly type: "number"; readonly text: string }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly items: ReadonlyArray<RegoValue> }
  | { readonly type: "set"; readonly items: ReadonlyArray<RegoValue> }
  | { readonly type: "object"; readonly entries: ReadonlyArray<readonly [RegoValue, RegoValue]> }

const number = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

class Reader {
  #at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  value(): RegoValue {
    this.#space()
    const first = this.#text[this.#at]
    if (first === '"') return { type: "string", value: this.#string() }
    if (first === "[") return { type: "array", items: this.#items("[", "]") }
    if (first === "{") return this.#braces()
    if (this.#word("set()")) return { type: "set", items: [] }
    if (this.#word("null")) return { type: "null" }
    if (this.#word("true")) return { type: "boolean", value: true }
    if (this.#word("false")) return { type: "boolean", value: false }
    number.lastIndex = this.#at
    const found = number.exec(this.#text)
    if (found === null) throw this.#broken()
    this.#at = number.lastIndex
    return { type: "number", text: found[0] }
  }

  end(): void {
    this.#space()
    if (this.#at < this.#text.length) throw this.#broken()
  }

  #broken(): Error {
    return new Error(`not a Rego value, at ${this.#at}`)
  }

  #space(): void {
    while (this.#text[this.#at] === " ") this.#at++
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  #take(one: string): boolean {
    this.#space()
    return this.#word(one)
  }

  #string(): string {
    const start = this.#at++
    for (;;) {
      const next = this.#text[this.#at++]
      if (next === undefined) throw this.#broken()
      if (next === "\\") this.#at++
      else if (next === '"') break
    }
    const value: unknown = JSON.parse(this.#text.slice(start, this.#at))
    if (typeof value !== "string") throw this.#broken()
    return value
  }

  #items(open: string, close: string): Array<RegoValue> {
    if (!this.#take(open)) throw this.#broken()
    const items: Array<RegoValue> = []
    if (this.#take(close)) return items
    do items.push(this.value())
    while (this.#take(","))
    if (!this.#take(close)) throw this.#broken()
    return items
  }

  #braces(): RegoValue {
    this.#take("{")
    if (this.#take("}")) return { type: "object", entries: [] }
    const first = this.value()
    if (!this.#take(":")) {
      const items = [first]
      while (this.#take(",")) items.push(this.value())
      if (!this.#take("}")) throw this.#broken()
      return { type: "set", items }
    }
    const entries: Array<readonly [RegoValue, RegoValue]> = [[first, this.value()]]
    while (this.#take(",")) {
      const key = this.value()
      if (!this.#take(":")) throw this.#broken()
      entries.push([key, this.value()])
    }
    if (!this.#take("}")) throw this.#broken()
    return { type: "object", entries }
  }
}

/** Read what `opa_value_dump` printed. Anything else is a defect. */
export const parse = (text: string): RegoValue => {
  const reader = new Reader(text)
  const value = reader.value()
  reader.end()
  return value
}

const rank = { null: 0, boolean: 1, number: 2, string: 3, array: 4, object: 5, set: 6 } as const

const integer = /^-?[0-9]+$/

const compareNumbers = (a: string, b: string): number => {
  if (integer.test(a) && integer.test(b)) {
    const [x, y] = [BigInt(a), BigInt(b)]
    return x < y ? -1 : x > y ? 1 : 0
  }
  return Math.sign(Number(a) - Number(b))
}

const compareStrings = (a: string, b: string): number => {
  const [x, y] = [[...a], [...b]]
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0)
    if (difference !== 0) return Math.sign(difference)
  }
  return Math.sign(x.length - y.length)
}

const compareLists = (a: ReadonlyArray<RegoValue>, b: ReadonlyArray<RegoValue>): number => {
  for (const [i, x] of a.entries()) {
    const y = b[i]
    if (y === undefined) return 1
    const order = compare(x, y)
    if (order !== 0) return order
  }
  return a.length < b.length ? -1 : 0
}

const sortedEntries = (entries: ReadonlyArray<readonly [RegoValue, RegoValue]>) =>
  [...entries].sort((x, y) => compare(x[0], y[0]))

const sorted = (items: ReadonlyArray<RegoValue>) => [...items].sort(compare)

/** OPA's total order of values: null, booleans, numbers, strings, arrays, objects, sets. */
export const compare = (a: RegoValue, b: RegoValue): number => {
  if (a.type === "boolean" && b.type === "boolean") return Number(a.value) - Number(b.value)
  if (a.type === "number" && b.type === "number") return compareNumbers(a.text, b.text)
  if (a.type === "string" && b.type === "string") return compareStrings(a.value, b.value)
  if (a.type === "array" && b.type === "array") return compareLists(a.items, b.items)
  if (a.type === "set" && b.type === "set") return compareLists(sorted(a.items), sorted(b.items))
  if (a.type === "object" && b.type === "object") {
    const [x, y] = [sortedEntries(a.entries), sortedEntries(b.entries)]
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const [left, right] = [x[i], y[i]]
      if (left === undefined || right === undefined) break
      const order = compare(left[0], right[0]) || compare(left[1], right[1])
      if (order !== 0) return order
    }
    return Math.sign(x.length - y.length)
  }
  return Math.sign(rank[a.type] - rank[b.type])
}

const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u

/** Whether Go's `strconv` prints a character as it is. */
export const isPrintable = (character: string): boolean => printable.test(character)

const named: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\"
}

/** Escape as a Go string constant between `quote` marks; `ascii` escapes whatever is not ASCII. */
export const quote = (text: string, mark: '"' | "'" = '"', ascii = false): string => {
  let out = mark as string
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const escaped = named[character]
    if (character === mark) out += `\\${mark}`
    else if (escaped !== undefined) out += escaped
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`
    else if (ascii ? code < 0x80 : isPrintable(character)) out += character
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, "0")}`
    else out += `\\U${code.toString(16).padStart(8, "0")}`
  }
  return out + mark
}

/** A value as OPA prints it inside `sprintf`. */
export const show = (value: RegoValue): string => {
  switch (value.type) {
    case "null":
      return "null"
    case "boolean":
      return String(value.value)
    case "number":
      return value.text
    case "string":
      return quote(value.value)
    case "array":
      return `[${value.items.map(show).join(", ")}]`
    case "set":
      return value.items.length === 0 ? "set()" : `{${sorted(value.items).map(show).join(", ")}}`
    case "object":
      return `{${sortedEntries(value.entries)
        .map(([key, one]) => `${show(key)}: ${show(one)}`)
        .join(", ")}}`
  }
}
