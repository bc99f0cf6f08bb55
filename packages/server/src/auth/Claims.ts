/**
 * From the claims of a token whose signature, times and audience hold, to an identity. Pure.
 *
 * 1. `kind` comes from the token alone: `human` needs a client at which people sign in and a verified e-mail address.
 * 2. An address that the issuer calls unverified never counts. A person's token with one is refused, because to treat
 *    the person as an agent without a word would be the stranger answer; an agent merely has none.
 * 3. Claims that are there but ill-typed are refused: a group that cannot be read might be the one that forbids.
 */
import { Time } from "@jitsudo/core"
import type { JWTPayload } from "jose"
import * as Result from "effect/Result"
import type { IssuerConfig } from "../config/Keys.ts"
import type { Identity } from "./Identity.ts"
import type { TokenRefusal } from "./TokenRefused.ts"
import { quoted, TokenRefused } from "./TokenRefused.ts"

const mostGroups = 2000
const longestName = 256

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const own = (value: unknown, key: string): unknown =>
  isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined

/** The value at a configured place: a claim of exactly that name, else the dotted path, else the list of names. */
export const claimAt = (claims: JWTPayload, place: string | ReadonlyArray<string>): unknown => {
  if (typeof place !== "string") return place.reduce<unknown>(own, claims)
  return own(claims, place) ?? place.split(".").reduce<unknown>(own, claims)
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= longestName && !/\p{Cc}/u.test(value)

/** One `@`, no spaces, nothing invisible, at most 254 characters (RFC 5321); lower case. */
const normalEmail = (value: unknown): string | null => {
  if (typeof value !== "string") return null
  const address = value.trim().toLowerCase()
  return address.length <= 254 && /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(address) ? address : null
}

/** Some issuers write the truth as text. */
const isTrue = (value: unknown): boolean => value === true || value === "true"

/**
 * Microsoft Entra ID leaves groups out of a token when there are more than fit, and says so in one of these ways.
 * Carrying on without groups would be a silent loss of rights, and of prohibitions.
 */
const hasOverage = (claims: JWTPayload, place: string | ReadonlyArray<string>): boolean => {
  const names = typeof place === "string" ? [place, place.split(".")[0] ?? place] : place.slice(0, 1)
  const elsewhere = own(claims, "_claim_names")
  return (
    names.some((name) => own(elsewhere, name) !== undefined) ||
    (names.includes("groups") && isTrue(own(claims, "hasgroups")))
  )
}

/** The client that a token was issued to. */
const clientOf = (claims: JWTPayload, issuer: IssuerConfig, type: string | undefined): unknown => {
  if (issuer.client_claim !== undefined) return claimAt(claims, issuer.client_claim)
  const stated = claims["azp"] ?? claims["client_id"]
  if (stated !== undefined) return stated
  // OpenID Connect Core, section 2: an ID token may leave out `azp` when its one audience is the client. An access
  // token's audience is a server, so that this must not be read into one.
  const audiences = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  return type === "at+jwt" || audiences.length !== 1 ? undefined : audiences[0]
}

const instant = (seconds: unknown): Time.Time | undefined =>
  typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0 && seconds < 253_402_300_799
    ? Time.make(Math.floor(seconds * 1000))
    : undefined

/** Inputs beside the claims: the token's `typ` header (lower case, without `application/`), and now. */
export interface Circumstances {
  readonly issuer: IssuerConfig
  readonly type: string | undefined
  readonly now: Time.Time
}

export const identityOf = (claims: JWTPayload, at: Circumstances): Result.Result<Identity, TokenRefused> => {
  const { issuer } = at
  const refuse = (reason: TokenRefusal, detail: string) =>
    Result.fail(new TokenRefused({ reason, issuer: issuer.issuer, detail }))

  if (!isName(claims.sub)) return refuse("malformed", "sub is not a name")
  if (claims["cnf"] !== undefined) {
    return refuse(
      "sender_bound",
      "the token is bound to a key of its client (cnf), and was presented as a bearer token"
    )
  }

  const clientId = clientOf(claims, issuer, at.type)
  if (clientId !== undefined && !isName(clientId)) return refuse("malformed", "the client id is not a name")
  const { azp, client_id: client } = claims
  if (issuer.client_claim === undefined && azp !== undefined && client !== undefined && azp !== client) {
    return refuse("client", `azp ${quoted(azp)} and client_id ${quoted(client)} differ`)
  }
  if (issuer.allowed_clients.length > 0 && (clientId === undefined || !issuer.allowed_clients.includes(clientId))) {
    return refuse("client", `the client ${quoted(clientId ?? null)} is not one of allowed_clients`)
  }

  const stated = claimAt(claims, issuer.email_claim)
  const verified = claimAt(claims, issuer.email_verified_claim)
  const address = normalEmail(stated)
  const counts = isTrue(verified) || (!issuer.require_email_verified && verified === undefined)
  const email = counts ? address : null
  const interactive =
    issuer.kind === "by_client" && clientId !== undefined && issuer.interactive_clients.includes(clientId)
  if (interactive && address !== null && email === null) {
    return refuse("email_unverified", `${quoted(address)}: the issuer does not say that it is verified`)
  }

  if (hasOverage(claims, issuer.groups_claim)) {
    return refuse(
      "groups_overage",
      "the issuer left the groups out of the token because there are too many; limit the groups that it puts into tokens for this application"
    )
  }
  const found = claimAt(claims, issuer.groups_claim) ?? []
  const groups: ReadonlyArray<unknown> = Array.isArray(found) ? found : [found]
  if (groups.length > mostGroups || !groups.every(isName)) {
    return refuse(
      "malformed",
      `${quoted(issuer.groups_claim)} is neither a text nor a list of at most ${mostGroups} texts`
    )
  }

  const issuedAt = instant(claims.iat)
  const expiresAt = instant(claims.exp)
  if (issuedAt === undefined || expiresAt === undefined) return refuse("malformed", "iat or exp is not an instant")
  const authTime = claims["auth_time"] === undefined ? null : instant(claims["auth_time"])
  if (authTime === undefined) return refuse("malformed", "auth_time is not an instant")
  const amr: unknown = claims["amr"] ?? []
  if (!Array.isArray(amr) || amr.length > 50 || !amr.every(isName))
    return refuse("malformed", "amr is not a list of texts")
  const acr = claims["acr"] ?? null
  if (acr !== null && !isName(acr)) return refuse("malformed", "acr is not a text")

  return Result.succeed({
    issuer: issuer.issuer,
    subject: claims.sub,
    email,
    groups: [...new Set(groups)],
    groupsReadAt: Time.min(issuedAt, at.now),
    kind: interactive && email !== null ? "human" : "agent",
    clientId: clientId ?? null,
    authTime: authTime === null ? null : Time.min(authTime, at.now),
    amr,
    acr,
    expiresAt,
    commands: issuer.commands
  })
}
