/**
 * Verifies the bearer tokens of configured OpenID Connect issuers.
 *
 * 1. A token is taken only with exactly one asymmetric signature by a key that its own issuer publishes now.
 * 2. It is meant for us (`aud`), valid now, not older than the issuer's tokens may be, and of a kind that grants
 *    access: a logout token or a security event of the same issuer and audience is not one.
 * 3. An issuer that is down makes its own tokens unusable after a while, nothing else; the daemon starts without it.
 * 4. No part of a token is logged or returned.
 *
 * Everything before the signature is checked is hostile input: it selects a configured issuer and one of its keys,
 * and nothing else of it is used.
 */
import { Time } from "@jitsudo/core"
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify } from "jose"
import type { CryptoKey, JWTPayload, ProtectedHeaderParameters } from "jose"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { IssuerConfig } from "../config/Keys.ts"
import { identityOf } from "./Claims.ts"
import type { Identity } from "./Identity.ts"
import * as IssuerKeys from "./IssuerKeys.ts"
import type { IssuerStatus, KeyTimes } from "./IssuerKeys.ts"
import type { TokenRefusal } from "./TokenRefused.ts"
import { quoted, TokenRefused } from "./TokenRefused.ts"

export interface Readiness {
  /** Tokens of at least one issuer can be verified: somebody can work. */
  readonly ready: boolean
  readonly issuers: ReadonlyArray<IssuerStatus>
}

/** What `Tokens` needs of the configuration: `config.auth` fits. */
export interface TokensOptions extends KeyTimes {
  readonly issuers: ReadonlyArray<IssuerConfig>
}

/** Longest token: what fits into a request's headers. */
const longestToken = 16 * 1024

/** `typ` of tokens that grant access (RFC 9068) or say who signed in; issuers that set none are common. */
const accessTypes: ReadonlySet<string | undefined> = new Set([undefined, "jwt", "at+jwt"])

interface Inspected {
  readonly header: ProtectedHeaderParameters
  readonly claims: JWTPayload
  readonly type: string | undefined
}

const fail = (reason: TokenRefusal, detail: string, issuer: string | null = null) =>
  new TokenRefused({ reason, issuer, detail })

/** What a token says of itself, as far as its form allows to read it. */
const inspect = (token: string): Result.Result<Inspected, TokenRefused> => {
  if (token.length > longestToken) return Result.fail(fail("malformed", `longer than ${longestToken} characters`))
  // One signature: the compact form has three parts. Five is encrypted, braces are the JSON form with several.
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/u.test(token))
    return Result.fail(fail("malformed", "not a signed token in compact form"))
  let header: ProtectedHeaderParameters
  let claims: JWTPayload
  try {
    header = decodeProtectedHeader(token)
    claims = decodeJwt(token)
  } catch {
    // Whatever the library objects to, it is about a text that anybody may have sent.
    return Result.fail(fail("malformed", "header or claims are not JSON objects"))
  }
  if (typeof header.alg !== "string") return Result.fail(fail("malformed", "the header names no algorithm"))
  if (header.alg.toLowerCase() === "none" || token.endsWith("."))
    return Result.fail(fail("unsigned", "the token is not signed"))
  const type = typeof header.typ === "string" ? header.typ.toLowerCase().replace(/^application\//u, "") : undefined
  if (!accessTypes.has(type)) return Result.fail(fail("malformed", `a token of type ${quoted(type)} grants no access`))
  return Result.succeed({ header, claims, type })
}

/** What the library found wrong, as one of our reasons. */
const reasonOf = (error: unknown): readonly [TokenRefusal, string] => {
  if (error instanceof errors.JWTExpired) return ["expired", "exp has passed"]
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === "check_failed" && error.claim === "aud") return ["audience", "aud names none of the audiences"]
    if (error.reason === "check_failed" && error.claim === "nbf") return ["not_yet_valid", "nbf lies ahead"]
    return ["malformed", `${error.claim} is ${error.reason === "missing" ? "missing" : "not valid"}`]
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return ["signature", "the signature does not verify"]
  if (error instanceof errors.JOSEAlgNotAllowed) return ["algorithm", "the algorithm is not allowed"]
  return ["malformed", "the token cannot be verified"]
}

const verifySigned = (token: string, key: CryptoKey, issuer: IssuerConfig, now: number) =>
  Effect.tryPromise({
    try: () =>
      jwtVerify(token, key, {
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        algorithms: [...issuer.algorithms],
        clockTolerance: Duration.toSeconds(issuer.clock_tolerance),
        currentDate: new Date(now),
        requiredClaims: ["sub", "iat", "exp"]
      }),
    catch: (error) => fail(...reasonOf(error), issuer.issuer)
  })

/** The time of issue against the clock, and against the age that the issuer's tokens may have. */
const checkAge = (claims: JWTPayload, issuer: IssuerConfig, now: number): TokenRefused | undefined => {
  const age = now - Number(claims.iat) * 1000
  const tolerance = Duration.toMillis(issuer.clock_tolerance)
  if (age < -tolerance) return fail("not_yet_valid", "iat lies ahead", issuer.issuer)
  return issuer.max_token_age !== undefined && age > Duration.toMillis(issuer.max_token_age) + tolerance
    ? fail("too_old", "iat is longer ago than max_token_age", issuer.issuer)
    : undefined
}

export class Tokens extends Context.Service<
  Tokens,
  {
    /** Who a token speaks for. Safe to repeat; keeps nothing of the token. */
    readonly verify: (bearer: Redacted.Redacted<string>) => Effect.Effect<Identity, TokenRefused>
    /** Whether tokens can be verified at all, and how each issuer fares. `detail` is for operators. */
    readonly ready: Effect.Effect<Readiness>
  }
>()("@jitsudo/server/Tokens") {
  /** Builds at once, whether issuers can be reached or not. */
  static readonly layer = (options: TokensOptions): Layer.Layer<Tokens> =>
    Layer.effect(
      Tokens,
      Effect.gen(function* () {
        const known = new Map<string, { readonly config: IssuerConfig; readonly keys: IssuerKeys.IssuerKeys }>()
        for (const config of options.issuers) {
          known.set(config.issuer, { config, keys: yield* IssuerKeys.make(config, options) })
        }

        const verify = Effect.fn("Tokens.verify")(function* (bearer: Redacted.Redacted<string>) {
          const token = Redacted.value(bearer)
          const { header, claims, type } = yield* Effect.fromResult(inspect(token))
          const issuer = typeof claims.iss === "string" ? known.get(claims.iss) : undefined
          if (issuer === undefined) return yield* fail("unknown_issuer", `no configured issuer ${quoted(claims.iss)}`)
          const { config, keys } = issuer
          if (!config.algorithms.some((algorithm) => algorithm === header.alg)) {
            return yield* fail("algorithm", `${quoted(header.alg)} is not one of the algorithms`, config.issuer)
          }
          const key = yield* keys.find(header)
          const now = yield* Clock.currentTimeMillis
          const { payload } = yield* verifySigned(token, key, config, now)
          const aged = checkAge(payload, config, now)
          if (aged !== undefined) return yield* aged
          return yield* Effect.fromResult(identityOf(payload, { issuer: config, type, now: Time.make(now) }))
        })

        const ready = Effect.forEach([...known.values()], ({ keys }) => keys.status).pipe(
          Effect.map((issuers) => ({ ready: issuers.some((one) => one.ready), issuers }))
        )

        return Tokens.of({ verify, ready })
      })
    )
}
