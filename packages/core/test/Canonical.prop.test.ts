import { assert, describe, it } from "@effect/vitest"
import canonicalize from "canonicalize"
import * as Schema from "effect/Schema"
import { NotCanonical, stringify } from "../src/Canonical.ts"
import type { Json } from "../src/Json.ts"

const runs = { arbitrary: { runs: 500 } }

/** The same JSON with members in reverse order, at every level. */
const reversed = (value: Json): Json => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(reversed)
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, item]) => [name, reversed(item)])
  )
}

/** Generated strings may hold lone surrogates, which have a property of their own below. */
const wellFormed = (value: Json): Json => {
  if (typeof value === "string") return value.toWellFormed()
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(wellFormed)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name.toWellFormed(), wellFormed(item)]))
}

/** Negative zero is zero in JSON. */
const plain = (value: Json): Json => JSON.parse(JSON.stringify(value))

const CodeUnits = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff })))

const written = (value: Json): string | undefined => {
  try {
    return stringify(value)
  } catch (error) {
    if (error instanceof NotCanonical) return undefined
    throw error
  }
}

describe("canonical JSON", () => {
  it.prop(
    "is what npm's canonicalize writes",
    [Schema.Json],
    ([any]) => {
      const value = wellFormed(any)
      assert.strictEqual(stringify(value), canonicalize(value))
    },
    runs
  )

  it.prop(
    "does not depend on the order of members",
    [Schema.Json],
    ([any]) => {
      const value = wellFormed(any)
      assert.strictEqual(stringify(reversed(value)), stringify(value))
    },
    runs
  )

  it.prop(
    "loses nothing, and is its own canonical text",
    [Schema.Json],
    ([any]) => {
      const value = wellFormed(any)
      const parsed: Json = JSON.parse(stringify(value))
      assert.deepStrictEqual(parsed, plain(value))
      assert.strictEqual(stringify(parsed), stringify(value))
    },
    runs
  )

  it.prop(
    "writes exactly the strings that UTF-8 can say, as values and as names",
    [CodeUnits],
    ([units]) => {
      const text = String.fromCharCode(...units)
      const sayable = new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text)) === text
      assert.strictEqual(written(text), sayable ? canonicalize(text) : undefined)
      assert.strictEqual(written({ [text]: 1 }), sayable ? canonicalize({ [text]: 1 }) : undefined)
    },
    runs
  )

  it.prop(
    "sorts any names by UTF-16 code units",
    [Schema.Array(CodeUnits)],
    ([names]) => {
      const value = Object.fromEntries(
        names.map((units) => [String.fromCharCode(...units).toWellFormed(), null] as const)
      )
      const sorted = Object.keys(JSON.parse(stringify(value))).filter((name) => !/^\d+$/u.test(name))
      assert.deepStrictEqual(
        sorted,
        [...sorted].sort((a, b) => (a < b ? -1 : 1))
      )
    },
    runs
  )
})
