/**
 * Reads an issuer's signing keys: the discovery document, then the key set that it names.
 *
 * What comes back is another machine's word: it is bounded in size and time, redirects are not followed, and a
 * document that speaks for another issuer is refused.
 */
import type { JSONWebKeySet } from "jose"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { isLoopback } from "../config/Address.ts"
import type { IssuerConfig } from "../config/Keys.ts"
import { quoted } from "./TokenRefused.ts"

/** The keys could not be read. `detail` is for the operator. */
export class KeysUnavailable extends Data.TaggedError("KeysUnavailable")<{
  readonly detail: string
  /** The connection broke before an answer. */
  readonly isBroken: boolean
}> {}

/** Largest document that is read. */
const sizeLimit = 1024 * 1024

const mostKeys = 200

const unavailable = (detail: string) => new KeysUnavailable({ detail, isBroken: false })

const readBounded = async (response: Response, url: string): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > sizeLimit) throw unavailable(`${url} answers with more than ${sizeLimit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const fetchJson = (url: string, timeout: Duration.Duration): Effect.Effect<unknown, KeysUnavailable> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, {
        signal,
        redirect: "manual",
        headers: { accept: "application/json", "user-agent": "jitsudod" }
      })
      if (response.status !== 200) {
        await response.body?.cancel()
        throw unavailable(`${url} answers with status ${response.status}`)
      }
      return JSON.parse(await readBounded(response, url)) as unknown
    },
    catch: (error) => {
      if (error instanceof KeysUnavailable) return error
      if (error instanceof SyntaxError) return unavailable(`${url} does not answer with JSON`)
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause)
      return new KeysUnavailable({ detail: `${url} cannot be reached: ${code.slice(0, 200)}`, isBroken: true })
    }
  }).pipe(
    // A connection kept from the last reading may have been closed by the issuer since: that says nothing about it.
    Effect.retry({ times: 1, while: (error) => error.isBroken }),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(unavailable(`${url} does not answer within ${Duration.format(timeout)}`))
    })
  )

const property = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined

const originOf = (url: string): string => new URL(url).origin

/** A key URL from a document: `https`, or `http` on this machine. */
const safeUrl = (value: unknown): URL | undefined => {
  if (typeof value !== "string" || !URL.canParse(value)) return undefined
  const url = new URL(value)
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname)) ? url : undefined
}

/**
 * Where an issuer publishes its keys. When the document was read from another address than the issuer's own, keys on
 * the issuer's origin are read from there too: the daemon has just shown that it reaches the issuer that way.
 */
export const keysUrl = (issuer: IssuerConfig, timeout: Duration.Duration): Effect.Effect<string, KeysUnavailable> =>
  Effect.gen(function* () {
    if (issuer.jwks_url !== undefined) return issuer.jwks_url
    const at = issuer.discovery_url ?? `${issuer.issuer.replace(/\/$/u, "")}/.well-known/openid-configuration`
    const document = yield* fetchJson(at, timeout)
    if (property(document, "issuer") !== issuer.issuer) {
      return yield* unavailable(
        `${at} speaks for the issuer ${quoted(property(document, "issuer"))}, not for ${quoted(issuer.issuer)}`
      )
    }
    const url = safeUrl(property(document, "jwks_uri"))
    if (url === undefined) {
      return yield* unavailable(`${at} names no usable jwks_uri: ${quoted(property(document, "jwks_uri"))}`)
    }
    const seen = originOf(at)
    const own = originOf(issuer.issuer)
    return url.origin === own && seen !== own ? `${seen}${url.pathname}${url.search}` : url.href
  })

/** The issuer's current key set. */
export const readKeys = (
  issuer: IssuerConfig,
  timeout: Duration.Duration
): Effect.Effect<JSONWebKeySet, KeysUnavailable> =>
  Effect.gen(function* () {
    const at = yield* keysUrl(issuer, timeout)
    const keys = property(yield* fetchJson(at, timeout), "keys")
    if (!Array.isArray(keys) || keys.length > mostKeys)
      return yield* unavailable(`${at} does not answer with a key set`)
    // Secret keys have no business in a published set; a token "signed" with one would be anybody's.
    const usable = keys.filter((key) => typeof property(key, "kty") === "string" && property(key, "kty") !== "oct")
    if (usable.length === 0) return yield* unavailable(`${at} holds no public key`)
    return { keys: usable as JSONWebKeySet["keys"] }
  })
