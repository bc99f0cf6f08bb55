/**
 * The one credential of a request.
 *
 * A request with two credentials is refused rather than read by a rule of precedence: a proxy that checks one of them
 * and a daemon that reads the other is how such rules end. Tokens in the query are not taken at all.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { TokenRefused } from "./TokenRefused.ts"

const refuse = (reason: "missing" | "malformed", detail: string) =>
  Result.fail(new TokenRefused({ reason, issuer: null, detail }))

/** RFC 6750 section 2.1: scheme in any case, one or more spaces, a `b64token`. */
const credential = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/iu

/**
 * Header fields as they arrived, from Node's `rawHeaders` (name, value, name, value, ...). Node's `headers` object
 * must not be used here: it silently keeps the first of several `authorization` fields.
 */
export const pairsOf = (rawHeaders: ReadonlyArray<string>): ReadonlyArray<readonly [name: string, value: string]> => {
  const pairs: Array<readonly [string, string]> = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    pairs.push([rawHeaders[index] ?? "", rawHeaders[index + 1] ?? ""])
  }
  return pairs
}

/** The bearer token of a request. Fails with `missing` when there is no `authorization` at all, else `malformed`. */
export const bearerOf = (
  headers: Iterable<readonly [name: string, value: string]>
): Result.Result<Redacted.Redacted<string>, TokenRefused> => {
  const values: Array<string> = []
  for (const [name, value] of headers) if (name.toLowerCase() === "authorization") values.push(value.trim())
  const [only] = values
  if (only === undefined) return refuse("missing", "no authorization header")
  if (values.length > 1) return refuse("malformed", `${values.length} authorization headers`)
  // Fields that something on the way joined into one.
  if (only.includes(",")) return refuse("malformed", "several credentials in one authorization header")
  const token = credential.exec(only)?.[1]
  return token === undefined
    ? refuse("malformed", "the authorization header is not a bearer token")
    : Result.succeed(Redacted.make(token, { label: "bearer token" }))
}
