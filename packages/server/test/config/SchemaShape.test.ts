/** What a schema says of its keys, whatever it is made of. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import type { KeyShape, Shape } from "../../src/config/SchemaShape.ts"
import { keysIn, shapeOf } from "../../src/config/SchemaShape.ts"

const secret = Schema.RedactedFromValue(Schema.String)

const keys = (schema: Schema.Top) => new Map(keysIn(shapeOf(schema)).map((one) => [one.path.join("."), one]))

const typeOf = ({ shape }: KeyShape): string => (shape._tag === "Value" ? shape.type : shape._tag)

const fromText = (shape: Shape | undefined, text: string): unknown =>
  shape?._tag === "Value" && shape.fromText !== null ? shape.fromText(text) : "not to be spelt"

describe("the shape of a schema", () => {
  it("knows types, defaults, what must be given, and what is meant", () => {
    const found = keys(
      Schema.Struct({
        name: Schema.String.pipe(Schema.annotateKey({ description: "Who it is." })),
        count: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(3))),
        share: Schema.optionalKey(Schema.Finite),
        on: Schema.optional(Schema.Boolean),
        kind: Schema.Literals(["a", "b"]),
        tags: Schema.NonEmptyArray(Schema.String.check(Schema.isMinLength(2))),
        when: Schema.optionalKey(Schema.Literal("now")).annotateKey({ description: "Only now." })
      })
    )
    expect([...found].map(([path, { key }]) => [path, typeOf(key), key.required, key.defaultValue])).toEqual([
      ["name", "text", true, undefined],
      ["count", "whole number", false, 3],
      ["share", "number", false, undefined],
      ["on", "true or false", false, undefined],
      ["kind", "`a` or `b`", true, undefined],
      ["tags", "list of texts", true, undefined],
      ["when", "`now`", false, undefined]
    ])
    expect(found.get("name")?.key.description).toBe("Who it is.")
    expect(found.get("when")?.key.description).toBe("Only now.")
    expect(found.get("count")?.key.description).toBe("")
  })

  it("reads variables as the types say, and leaves to the schema what makes no sense", () => {
    const found = keys(
      Schema.Struct({
        n: Schema.Int,
        on: Schema.Boolean,
        tags: Schema.Array(Schema.String),
        ports: Schema.Array(Schema.Int)
      })
    )
    const read = (path: string, text: string) => fromText(found.get(path)?.key.shape, text)
    expect([read("n", "12"), read("n", "a dozen")]).toEqual([12, "a dozen"])
    expect([read("on", "TRUE"), read("on", "0"), read("on", "maybe")]).toEqual([true, false, "maybe"])
    expect(read("tags", " a, b ,,c")).toEqual(["a", "b", "c"])
    expect(read("ports", "80,443")).toEqual([80, 443])
  })

  it("finds secrets wherever they are: by their type, or by a word", () => {
    const found = keys(
      Schema.Struct({
        token: secret,
        maybe: Schema.optionalKey(secret),
        word: Schema.String.pipe(Schema.annotateKey({ secret: true })),
        value: Schema.String.annotate({ secret: true }),
        plain: Schema.String,
        hosts: Schema.Array(Schema.Struct({ name: Schema.String, password: secret })),
        clusters: Schema.Record(Schema.String, Schema.Struct({ token: secret })),
        all: Schema.optionalKey(Schema.Array(secret))
      })
    )
    const secrets = [...found].filter(([, { key }]) => key.secret).map(([path]) => path)
    expect(secrets).toEqual(["token", "maybe", "word", "value", "hosts[].password", "clusters.*.token", "all[]"])
    expect([...found.values()].filter(({ nested }) => nested).length).toBe(4)
  })

  it("knows the keys of every group of a union, and demands what all of them demand", () => {
    const found = keys(
      Schema.Union([
        Schema.Struct({ mode: Schema.Literal("file"), path: Schema.String, owner: Schema.String }),
        Schema.Struct({ mode: Schema.Literal("vault"), token: secret, owner: Schema.String })
      ])
    )
    expect([...found].map(([path, { key }]) => [path, typeOf(key), key.required, key.secret])).toEqual([
      ["mode", "`file` or `vault`", true, false],
      ["path", "text", false, false],
      ["owner", "text", true, false],
      ["token", "text", false, true]
    ])
  })

  it("demands nothing of a group that need not be given, and ends where a schema contains itself", () => {
    const found = keys(
      Schema.Struct({ limits: Schema.optionalKey(Schema.Struct({ most: Schema.Int, least: Schema.Int })) })
    )
    expect([...found].map(([path, { key }]) => [path, key.required])).toEqual([
      ["limits.most", false],
      ["limits.least", false]
    ])
    interface Tree {
      readonly children: ReadonlyArray<Tree>
    }
    const tree: Schema.Codec<Tree> = Schema.Struct({
      children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => tree))
    })
    expect(keys(tree).size).toBeLessThan(20)
  })
})
