/**
 * The kinds of values that configuration keys take. Each says in words what it expects, because that is what an
 * operator reads; none ever repeats a value that might be a secret.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as GoDuration from "./GoDuration.ts"
import { isLoopback, parseAddress, showAddress } from "./Address.ts"
import type { Address } from "./Address.ts"
import type { Kind } from "./Setting.ts"

const asText = (text: string): unknown => text

/** A codec from a partial parser. */
const parsed = <T, E>(
  from: Schema.Codec<E, E>,
  to: Schema.Codec<T, T>,
  parse: (value: E) => T | undefined,
  show: (value: T) => E,
  expected: string
): Schema.Codec<T, E> =>
  from.pipe(
    Schema.decodeTo(to, {
      decode: SchemaGetter.transformEffect((value: E, options) => {
        const result = parse(value)
        return result === undefined
          ? Effect.fail(new SchemaIssue.InvalidValue({ message: `expected ${expected}` }, value, options))
          : Effect.succeed(result)
      }),
      encode: SchemaGetter.transform(show)
    })
  )

const printable = (text: string): boolean => !/[\u0000-\u001f\u007f]/u.test(text)

const textSchema = Schema.String.check(
  Schema.makeFilter((text: string) => text.length > 0 && text.length <= 4096 && printable(text))
)

/** Text of one line, not empty. */
export const text: Kind<string, string> = {
  name: "text",
  expected: "a text of one line",
  schema: textSchema,
  fromText: asText
}

/** Text that matches a pattern. */
export const pattern = (name: string, expected: string, expression: RegExp): Kind<string, string> => ({
  name,
  expected,
  schema: textSchema.check(Schema.isPattern(expression)),
  fromText: asText
})

/** A path in the file system, relative ones to the working directory. */
export const path: Kind<string, string> = { ...text, name: "path", expected: "a path" }

/** One of some words. */
export const oneOf = <const L extends ReadonlyArray<string>>(...words: L): Kind<L[number], L[number]> => ({
  name: words.map((word) => `\`${word}\``).join(", "),
  expected: `one of ${words.join(", ")}`,
  schema: Schema.Literals(words),
  fromText: asText
})

const truth = new Map<string, boolean>([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false]
])

export const flag: Kind<boolean, boolean> = {
  name: "true or false",
  expected: "true or false",
  schema: Schema.Boolean,
  fromText: (value) => truth.get(value.toLowerCase()) ?? value
}

/** A whole number within bounds. */
export const integer = (minimum: number, maximum: number): Kind<number, number> => ({
  name: "whole number",
  expected: `a whole number from ${minimum} to ${maximum}`,
  schema: Schema.Int.check(Schema.isBetween({ minimum, maximum })),
  fromText: (value) => (/^-?\d{1,15}$/u.test(value) ? Number(value) : value)
})

/** A length of time in Go's notation, within bounds (same notation). */
export const duration = (minimum: string, maximum: string): Kind<Duration.Duration, string> => {
  const least = GoDuration.parse(minimum)
  const most = GoDuration.parse(maximum)
  if (least === undefined || most === undefined) throw new Error(`not a duration: ${minimum}, ${maximum}`)
  const expected = `a duration from ${minimum} to ${maximum}, written like "4h", "90s" or "1h30m"`
  return {
    name: "duration",
    expected,
    schema: parsed<Duration.Duration, string>(
      Schema.String,
      Schema.Duration,
      (value) => {
        const result = GoDuration.parse(value)
        return result !== undefined && Duration.between(result, { minimum: least, maximum: most }) ? result : undefined
      },
      GoDuration.format,
      expected
    ),
    fromText: asText
  }
}

const sizes: ReadonlyArray<readonly [unit: string, bytes: number]> = [
  ["GiB", 1024 ** 3],
  ["MiB", 1024 ** 2],
  ["KiB", 1024],
  ["B", 1]
]

/** A number of bytes with its unit. */
export const bytes = (minimum: number, maximum: number): Kind<number, string> => {
  const expected = `a size from ${showBytes(minimum)} to ${showBytes(maximum)}, written like "64KiB" or "1MiB"`
  return {
    name: "size",
    expected,
    schema: parsed<number, string>(
      Schema.String,
      Schema.Int,
      (value) => {
        const found = /^(\d{1,9})(B|KiB|MiB|GiB)$/u.exec(value)
        const factor = sizes.find(([unit]) => unit === found?.[2])?.[1] ?? 0
        const result = Number(found?.[1]) * factor
        return result >= minimum && result <= maximum ? result : undefined
      },
      showBytes,
      expected
    ),
    fromText: asText
  }
}

const showBytes = (count: number): string => {
  for (const [unit, size] of sizes) if (count >= size && count % size === 0) return `${count / size}${unit}`
  return `${count}B`
}

/** Where to listen: `127.0.0.1:8080`, `[::1]:8080`, or `:8080` for every interface. */
export const address: Kind<Address, string> = {
  name: "address",
  expected: 'an address and port such as "127.0.0.1:8080" or ":8080"',
  schema: parsed<Address, string>(
    Schema.String,
    Schema.Struct({ host: Schema.String, port: Schema.Int }),
    parseAddress,
    showAddress,
    "an address and port"
  ),
  fromText: asText
}

const parseUrl = (value: string): URL | undefined => {
  try {
    return value.length <= 2048 && printable(value) ? new URL(value) : undefined
  } catch {
    // `URL` has no other way to say that a text is not one.
    return undefined
  }
}

const isSafeOrigin = (url: URL): boolean =>
  url.username === "" &&
  url.password === "" &&
  (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)))

/** An `https` URL without user, query and fragment; `http` only on this machine. Kept as it is written. */
export const url: Kind<string, string> = {
  name: "URL",
  expected: "an https URL (http only on this machine) without user name, query and fragment",
  schema: Schema.String.check(
    Schema.makeFilter((value: string) => {
      const parsedUrl = parseUrl(value)
      return (
        parsedUrl !== undefined &&
        isSafeOrigin(parsedUrl) &&
        !value.includes("?") &&
        !value.includes("#") &&
        !/\s/u.test(value)
      )
    })
  ),
  fromText: asText
}

/** A PostgreSQL connection URL: a secret, because it holds a password. */
export const databaseUrl: Kind<Redacted.Redacted<string>, string> = {
  name: "connection URL",
  expected: "a connection URL such as postgres://user:password@host:5432/database",
  schema: Schema.RedactedFromValue(
    Schema.String.check(
      Schema.makeFilter((value: string) => {
        const protocol = parseUrl(value)?.protocol
        return protocol === "postgres:" || protocol === "postgresql:"
      })
    ),
    { label: "connection URL" }
  ),
  fromText: asText
}

/** 32 bytes in base64 (either alphabet), as `openssl rand -base64 32` prints them. */
export const key256: Kind<Redacted.Redacted<string>, string> = {
  name: "key",
  expected: "32 random bytes in base64, as `openssl rand -base64 32` prints them",
  schema: Schema.RedactedFromValue(
    Schema.String.check(Schema.makeFilter((value: string) => /^[A-Za-z0-9+/_-]{43}=?$/u.test(value))),
    { label: "key" }
  ),
  fromText: asText
}

/** A private key of a log in the form of signed notes. */
export const signingKey: Kind<Redacted.Redacted<string>, string> = {
  name: "signing key",
  expected: "a private key as `jitsudod audit key generate` makes it (PRIVATE+KEY+name+id+base64)",
  schema: Schema.RedactedFromValue(
    Schema.String.check(Schema.makeFilter((value: string) => /^PRIVATE\+KEY\+[^+\s]+\+[0-9a-f]{8}\+\S+$/u.test(value))),
    { label: "signing key" }
  ),
  fromText: asText
}

/** A public key of a log in the form of signed notes. */
export const verifierKey: Kind<string, string> = pattern(
  "verifier key",
  "a public key (name+id+base64); a private key does not belong here",
  /^(?!PRIVATE\+)[^+\s]+\+[0-9a-f]{8}\+\S+$/u
)

/** Texts; in an environment variable separated by commas. */
export const texts: Kind<ReadonlyArray<string>, ReadonlyArray<string>> = {
  name: "list of texts",
  expected: "a list of texts",
  schema: Schema.Array(textSchema),
  fromText: (value) => words(value)
}

/** Texts that all match a pattern; at least one. */
export const textsOf = (
  name: string,
  expected: string,
  expression: RegExp
): Kind<ReadonlyArray<string>, ReadonlyArray<string>> => ({
  name,
  expected,
  schema: Schema.Array(textSchema.check(Schema.isPattern(expression))).check(Schema.isMinLength(1)),
  fromText: (value) => words(value)
})

/** Some of some words. */
export const someOf = <const L extends ReadonlyArray<string>>(
  ...choices: L
): Kind<ReadonlyArray<L[number]>, ReadonlyArray<L[number]>> => ({
  name: `list of ${choices.map((word) => `\`${word}\``).join(", ")}`,
  expected: `a list of one or more of ${choices.join(", ")}`,
  schema: Schema.Array(Schema.Literals(choices)).check(Schema.isMinLength(1)),
  fromText: (value) => words(value)
})

const words = (value: string): ReadonlyArray<string> =>
  value
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "")

/**
 * Where in a token a claim stands: a name (dots lead into objects, unless a claim of exactly that name exists), or
 * the list of names on the way.
 */
export const claim: Kind<string | ReadonlyArray<string>, string | ReadonlyArray<string>> = {
  name: "claim",
  expected: "a claim's name, a dotted path, or a list of names",
  schema: Schema.Union([textSchema, Schema.Array(textSchema).check(Schema.isMinLength(1))]),
  fromText: asText
}

/** What an operator says about a role or scope; policy reads it as `context.labels`. */
export const labels: Kind<
  Readonly<Record<string, string | number | boolean>>,
  Readonly<Record<string, string | number | boolean>>
> = {
  name: "labels",
  expected: "names with a text, a number, or true or false",
  schema: Schema.Record(textSchema, Schema.Union([textSchema, Schema.Finite, Schema.Boolean])),
  fromText: asText
}
