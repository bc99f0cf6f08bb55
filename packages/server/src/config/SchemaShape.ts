/**
 * What a plug-in's schema says of the keys of its section: which there are, which are secret, what each means and what
 * it defaults to. The daemon reads environment, secret files and misspelt keys by it, masks by it, and describes keys
 * by it; whether a value is right is for the schema itself to say.
 *
 * Of a union of groups (one for each mode, say) it knows the keys of all of them.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

export type Shape =
  | { readonly _tag: "Keys"; readonly keys: ReadonlyMap<string, KeyShape>; readonly others: KeyShape | null }
  | { readonly _tag: "List"; readonly item: KeyShape }
  | {
      readonly _tag: "Value"
      /** One or two words for the reference page: `text`, `whole number`. */
      readonly type: string
      /** How an environment variable spells it; null: not at all. */
      readonly fromText: ((text: string) => unknown) | null
    }

export interface KeyShape {
  readonly shape: Shape
  readonly secret: boolean
  readonly required: boolean
  /** Empty where the schema has none. */
  readonly description: string
  /** As it would stand in the file; undefined where there is none. */
  readonly defaultValue: unknown
}

const asText = (text: string): unknown => text

/** Comma-separated, as in every list that a variable spells. */
export const words = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

const truths = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false]
])

const value = (type: string, fromText: ((text: string) => unknown) | null): Shape => ({ _tag: "Value", type, fromText })

const redacted = "effect/schema/Redacted"

/** `Redacted`, or annotated `secret: true` on the key or the value. */
const isSecret = (ast: SchemaAST.AST): boolean => {
  const annotated = ast.context?.annotations?.["secret"] ?? SchemaAST.resolveAt<unknown>("secret")(ast)
  if (annotated === true) return true
  if (SchemaAST.isUnion(ast)) return ast.types.some(isSecret)
  const representation = SchemaAST.resolveAt<{ readonly id?: unknown }>("representation")(ast)
  return SchemaAST.isDeclaration(ast) && representation?.id === redacted
}

const descriptionOf = (ast: SchemaAST.AST): string => {
  const said = ast.context?.annotations?.description ?? SchemaAST.resolveDescription(ast)
  return typeof said === "string" ? said : ""
}

/** `Schema.Int`: a number that is checked to be whole. */
const isWhole = ({ checks }: SchemaAST.AST): boolean =>
  checks?.some((check) => {
    const representation = check.annotations?.["representation"]
    return (
      typeof representation === "object" &&
      representation !== null &&
      "id" in representation &&
      representation.id === "effect/schema/isInt"
    )
  }) ?? false

/** The default of a field, by asking the schema for a group that lacks it. */
const defaultOf = (ast: SchemaAST.AST): unknown => {
  const field = Schema.Struct({ key: Schema.make<Schema.Codec<unknown>>(ast) })
  const decoded = Schema.decodeUnknownResult(field)({})
  if (Result.isFailure(decoded) || decoded.success.key === undefined) return undefined
  const encoded = Schema.encodeUnknownResult(field)(decoded.success)
  return Result.isSuccess(encoded) ? encoded.success.key : undefined
}

const keyOf = (ast: SchemaAST.AST, depth: number): KeyShape => {
  const defaultValue = defaultOf(ast)
  return {
    shape: shapeAt(ast, depth + 1),
    secret: isSecret(ast),
    required: defaultValue === undefined && !SchemaAST.isOptional(SchemaAST.toEncoded(ast)),
    description: descriptionOf(ast),
    defaultValue
  }
}

const mergedKey = (one: KeyShape, other: KeyShape): KeyShape => ({
  shape: merged([one.shape, other.shape]),
  secret: one.secret || other.secret,
  required: one.required && other.required,
  description: one.description === "" ? other.description : one.description,
  defaultValue: one.defaultValue ?? other.defaultValue
})

const merged = (shapes: ReadonlyArray<Shape>): Shape => {
  const [first, ...rest] = shapes
  if (first === undefined) return value("anything", null)
  if (rest.length === 0) return first
  const groups = shapes.filter((shape) => shape._tag === "Keys")
  if (groups.length === shapes.length) {
    const keys = new Map<string, KeyShape>()
    for (const name of new Set(groups.flatMap((group) => [...group.keys.keys()]))) {
      const all = groups.flatMap((group) => group.keys.get(name) ?? [])
      const one = all.slice(1).reduce(mergedKey, all[0] ?? { ...anything, shape: value("anything", null) })
      keys.set(name, { ...one, required: one.required && all.length === groups.length })
    }
    const others = groups.flatMap((group) => group.others ?? [])
    return {
      _tag: "Keys",
      keys,
      others: others.length === 0 ? null : others.slice(1).reduce(mergedKey, others[0] ?? anything)
    }
  }
  const types = new Set(
    shapes.map((shape) => (shape._tag === "Value" ? shape.type : shape._tag === "List" ? "list" : "keys"))
  )
  return value([...types].join(" or "), first._tag === "Value" ? first.fromText : null)
}

const anything: KeyShape = {
  shape: { _tag: "Value", type: "anything", fromText: null },
  secret: false,
  required: false,
  description: "",
  defaultValue: undefined
}

const shapeAt = (ast: SchemaAST.AST, depth: number): Shape => {
  if (depth > 12) return anything.shape
  const encoded = SchemaAST.toEncoded(ast)
  // What is read is the encoded side; the other side of the same make has the annotations.
  const side = ast._tag === encoded._tag ? ast : encoded
  if (SchemaAST.isSuspend(side)) return shapeAt(side.thunk(), depth + 1)
  if (SchemaAST.isObjects(side)) {
    const [index] = side.indexSignatures
    return {
      _tag: "Keys",
      keys: new Map(side.propertySignatures.map(({ name, type }) => [String(name), keyOf(type, depth)])),
      others: index === undefined ? null : keyOf(index.type, depth)
    }
  }
  if (SchemaAST.isArrays(side)) {
    const of = side.rest[0] ?? side.elements[0]
    const item = of === undefined ? anything : keyOf(of, depth)
    return item.shape._tag === "Value" && item.shape.fromText !== null && !item.secret
      ? value(`list of ${item.shape.type === "text" ? "texts" : item.shape.type}`, (text) =>
          words(text).map((word) => fromWord(item.shape, word))
        )
      : { _tag: "List", item }
  }
  if (SchemaAST.isUnion(side)) {
    const given = side.types.filter((type) => !SchemaAST.isUndefined(type) && !SchemaAST.isNull(type))
    return merged(given.map((type) => shapeAt(type, depth + 1)))
  }
  if (SchemaAST.isLiteral(side)) {
    const { literal } = side
    return value(`\`${String(literal)}\``, typeof literal === "string" ? asText : null)
  }
  if (SchemaAST.isString(side) || SchemaAST.isTemplateLiteral(side)) return value("text", asText)
  if (SchemaAST.isNumber(side)) {
    return value(isWhole(side) ? "whole number" : "number", (text) =>
      /^-?\d{1,15}(?:\.\d{1,9})?$/u.test(text) ? Number(text) : text
    )
  }
  if (SchemaAST.isBoolean(side)) return value("true or false", (text) => truths.get(text.toLowerCase()) ?? text)
  return anything.shape
}

const fromWord = (shape: Shape, word: string): unknown =>
  shape._tag === "Value" && shape.fromText !== null ? shape.fromText(word) : word

/** The shape of what `schema` decodes. */
export const shapeOf = (schema: Schema.Top): Shape => shapeAt(schema.ast, 0)

/** A key with its path: in a list `hosts[].name`, under any name `clusters.*.server`. */
export interface PathOfKey {
  readonly path: ReadonlyArray<string>
  readonly key: KeyShape
  /** It stands in a list or under a name of the operator's, where no variable reaches. */
  readonly nested: boolean
}

/** Every single key, in reading order. */
export const keysIn = (shape: Shape, path: ReadonlyArray<string> = [], nested = false): ReadonlyArray<PathOfKey> => {
  if (shape._tag !== "Keys") return []
  const of = (here: ReadonlyArray<string>, key: KeyShape, within: boolean): ReadonlyArray<PathOfKey> => {
    if (key.shape._tag === "Keys") {
      // What a group demands is demanded of those who give the group.
      return keysIn(key.shape, here, within).map((one) =>
        key.required ? one : { ...one, key: { ...one.key, required: false } }
      )
    }
    if (key.shape._tag === "List") {
      const last = here.at(-1) ?? ""
      const inList = [...here.slice(0, -1), `${last}[]`]
      return key.shape.item.shape._tag === "Value"
        ? [{ path: inList, key: { ...key.shape.item, description: key.description }, nested: true }]
        : of(inList, { ...key.shape.item, description: key.description }, true)
    }
    return [{ path: here, key, nested: within }]
  }
  return [
    ...[...shape.keys].flatMap(([name, key]) => of([...path, name], key, nested)),
    ...(shape.others === null ? [] : of([...path, "*"], shape.others, true))
  ]
}
