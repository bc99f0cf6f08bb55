/**
 * How a configuration key is declared: a `Schema` field that also knows how it is described, which environment
 * variable sets it and whether it is secret. Reading, checking, `config show` and the reference page all walk these
 * declarations, so that none of them can know a key that the others do not.
 *
 * Sections and lists are always present after reading (an absent one is empty); only single keys have defaults.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What a value may look like: its schema, the words for it, and how to read it from an environment variable. */
export interface Kind<T, E> {
  /** One or two words for the reference page: `duration`, `URL`. */
  readonly name: string
  /** Completes "expected ...". */
  readonly expected: string
  readonly schema: Schema.Codec<T, E>
  /** A text as the value that the schema takes; a text that makes no sense is returned as it is and then refused. */
  readonly fromText: (text: string) => unknown
}

export interface About {
  readonly description: string
  /** The variable that sets the key, where it is not `JITSUDOD_` and the path in capitals. */
  readonly env?: string
  /** Kept out of every output; may also be given as a file by the same key with `_file`. */
  readonly secret?: boolean
}

export type Fields = Schema.Struct.Fields

/** A declared key as the walkers see it. */
export type Node =
  | {
      readonly _tag: "Key"
      readonly kind: Pick<Kind<unknown, unknown>, "name" | "expected" | "fromText">
      readonly decode: (value: unknown) => boolean
      readonly about: About
      readonly presence: "required" | "optional" | "defaulted"
      /** As it would stand in the file. */
      readonly defaultValue: unknown
    }
  | { readonly _tag: "Section"; readonly description: string; readonly fields: Fields; readonly optional: boolean }
  | { readonly _tag: "List"; readonly description: string; readonly fields: Fields; readonly itemName: string }

const annotation = "jitsudo/config"

class Declared {
  readonly node: Node
  constructor(node: Node) {
    this.node = node
  }
}

const declare = (description: string, node: Node) => ({ description, [annotation]: new Declared(node) })

const keyNode = <T, E>(
  kind: Kind<T, E>,
  about: About,
  presence: "required" | "optional" | "defaulted",
  defaultValue: unknown
): Node => {
  const decodes = Schema.decodeUnknownResult(kind.schema)
  return {
    _tag: "Key",
    kind,
    decode: (value) => decodes(value)._tag === "Success",
    about,
    presence,
    defaultValue
  }
}

/** A key that must be given. */
export const required = <T, E>(kind: Kind<T, E>, about: About): Schema.Codec<T, E> =>
  kind.schema.pipe(Schema.annotateKey(declare(about.description, keyNode(kind, about, "required", undefined))))

/** A key that may be absent. */
export const optional = <T, E>(kind: Kind<T, E>, about: About): Schema.optionalKey<Schema.Codec<T, E>> =>
  Schema.optionalKey(kind.schema).pipe(
    Schema.annotateKey(declare(about.description, keyNode(kind, about, "optional", undefined)))
  )

/** A key with a default, written as it would stand in the file. */
export const defaulted = <T, E>(
  kind: Kind<T, E>,
  value: E,
  about: About
): Schema.withDecodingDefaultKey<Schema.Codec<T, E>> =>
  kind.schema.pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(value)),
    Schema.annotateKey(declare(about.description, keyNode(kind, about, "defaulted", value)))
  )

/** A group of keys. */
export const section = <F extends Fields>(description: string, fields: F): Schema.Struct<F> =>
  Schema.Struct(fields).pipe(
    Schema.annotateKey(declare(description, { _tag: "Section", description, fields, optional: false }))
  )

/** A group whose presence, even empty, means something. */
export const optionalSection = <F extends Fields>(
  description: string,
  fields: F
): Schema.optionalKey<Schema.Struct<F>> =>
  Schema.optionalKey(Schema.Struct(fields)).pipe(
    Schema.annotateKey(declare(description, { _tag: "Section", description, fields, optional: true }))
  )

/** A list of groups. */
export const list = <F extends Fields>(
  description: string,
  itemName: string,
  fields: F
): Schema.$Array<Schema.Struct<F>> =>
  Schema.Array(Schema.Struct(fields)).pipe(
    Schema.annotateKey(declare(description, { _tag: "List", description, fields, itemName }))
  )

/** The declared fields of a group, in the order in which they were written. */
export const nodes = (fields: Fields): ReadonlyArray<readonly [key: string, node: Node]> =>
  Object.entries(fields).map(([key, field]) => {
    const declared = Schema.resolveAnnotationsKey(field)?.[annotation]
    if (!(declared instanceof Declared)) throw new Error(`configuration key ${key} has no declaration`)
    return [key, declared.node] as const
  })

/** The environment variable of a key outside lists. */
export const environmentName = (path: string, about: About): string =>
  about.env ?? `JITSUDOD_${path.replaceAll(".", "_").toUpperCase()}`

/** A key that an environment variable sets. */
export interface EnvironmentKey {
  readonly path: string
  readonly variable: string
  /** Also taken as `<variable>_FILE`. */
  readonly secret: boolean
  /** See `Kind.fromText`. */
  readonly fromText: (text: string) => unknown
}
