/**
 * Page cursors: the sort key of the last row, opaque to clients. A cursor comes back from outside, so anything but
 * what was given out for the same listing is refused.
 */
import { Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"

export type Key = ReadonlyArray<string | number>

export const encode = (listing: string, key: Key): string =>
  Buffer.from(JSON.stringify([listing, ...key]), "utf8").toString("base64url")

/** The key within `cursor`, or undefined when it is not one of this listing and shape. */
export const decode = (listing: string, shape: ReadonlyArray<"string" | "number">, cursor: string): Key | undefined => {
  if (!/^[\w-]{1,2000}$/u.test(cursor)) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"))
  } catch {
    return undefined
  }
  if (!Array.isArray(parsed) || parsed[0] !== listing || parsed.length !== shape.length + 1) return undefined
  const key: Array<string | number> = []
  for (const [index, type] of shape.entries()) {
    const part: unknown = parsed[index + 1]
    if (typeof part === "string" && type === "string" && !part.includes("\u0000")) key.push(part)
    else if (typeof part === "number" && type === "number" && Number.isSafeInteger(part)) key.push(part)
    else return undefined
  }
  return key
}

const invalid = (message: string): Store.StoreError =>
  new Store.StoreError({ outcome: "none", reason: "invalid", retryable: false, message })

/** Checks a page's limit and opens its cursor; `invalid` says what was wrong. */
export const opened = (
  listing: string,
  shape: ReadonlyArray<"string" | "number">,
  options: { readonly limit: number; readonly cursor?: string }
): Effect.Effect<Key | undefined, Store.StoreError> => {
  if (!Number.isSafeInteger(options.limit) || options.limit < 1) {
    return Effect.fail(invalid(`a page of ${options.limit} rows: the limit must be a whole number from 1`))
  }
  if (options.cursor === undefined) return Effect.succeed(undefined)
  const key = decode(listing, shape, options.cursor)
  return key === undefined
    ? Effect.fail(invalid("the cursor was not given by this store for this listing: ask again without one"))
    : Effect.succeed(key)
}

/** The page out of `limit + 1` rows. */
export const pageOf = <Row, A>(
  listing: string,
  rows: ReadonlyArray<Row>,
  limit: number,
  item: (row: Row) => A,
  key: (row: Row) => Key
): Store.Page<A> => {
  const taken = rows.slice(0, limit)
  const last = taken.at(-1)
  return {
    items: taken.map(item),
    nextCursor: last === undefined || rows.length <= limit ? null : encode(listing, key(last))
  }
}
