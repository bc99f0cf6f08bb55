/**
 * Tokens: who calls.
 *
 * 1. A workload signs in by exchanging a subject token of its own environment for an access token
 *    (https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token, RFC 8693).
 * 2. A service account with a key signs its own token, a JWT with RS256 and `scope`
 *    (https://google.aip.dev/auth/4111); the server knows the public keys.
 * 3. `generateAccessToken` issues tokens of other service accounts.
 *
 * Tokens end by the server's clock.
 */
import { createPublicKey, randomBytes, verify } from "node:crypto"
import { invalid, Refusal } from "./Refusal.ts"

export interface Issued {
  /** `serviceAccount:...`: whom it stands for. */
  readonly member: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** By `generateAccessToken`, for somebody else. */
  readonly impersonated: boolean
}

export const isScope = (scope: string): boolean =>
  scope === "https://www.googleapis.com/auth/cloud-platform" || scope === "https://www.googleapis.com/auth/iam"

export interface Tokens {
  readonly issue: (member: string, seconds: number, impersonated: boolean) => Issued & { readonly token: string }
  /** Whom a bearer token stands for; throws UNAUTHENTICATED. */
  readonly memberOf: (authorization: string | undefined) => string
  readonly issued: () => ReadonlyArray<Issued>
  /** A subject token of a workload's environment. */
  readonly subjectOf: (email: string) => string
  /** The token exchange. */
  readonly exchange: (form: URLSearchParams) => {
    readonly token: string
    readonly seconds: number
    readonly email: string
  }
}

const grantType = "urn:ietf:params:oauth:grant-type:token-exchange"

const decoded = (part: string): unknown => {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"))
  } catch {
    return null
  }
}

const claim = (claims: unknown, field: string): unknown =>
  typeof claims === "object" && claims !== null ? Reflect.get(claims, field) : undefined

export const make = (now: () => number, identities: ReadonlyArray<{ email: string; publicKey?: string }>): Tokens => {
  const tokens = new Map<string, Issued>()
  const subjects = new Map(identities.map(({ email }) => [randomBytes(24).toString("base64url"), email]))
  const unauthenticated = (): Refusal =>
    new Refusal("UNAUTHENTICATED", "Request had invalid authentication credentials.")

  /** https://google.aip.dev/auth/4111: issuer and subject are the account, an hour at most. */
  const selfSigned = (token: string): string => {
    const [header = "", payload = "", signature = ""] = token.split(".")
    const claims = decoded(payload)
    const email = claim(claims, "iss")
    const identity = identities.find((one) => one.email === email && one.publicKey !== undefined)
    const [issuedAt, expires] = [Number(claim(claims, "iat")) * 1000, Number(claim(claims, "exp")) * 1000]
    const isFresh = issuedAt <= now() + 60_000 && now() < expires && expires - issuedAt <= 3_600_000
    const isScoped = String(claim(claims, "scope")).split(" ").some(isScope)
    if (
      identity?.publicKey === undefined ||
      claim(decoded(header), "alg") !== "RS256" ||
      claim(claims, "sub") !== email ||
      !isFresh ||
      !isScoped ||
      !verify(
        "RSA-SHA256",
        Buffer.from(`${header}.${payload}`),
        createPublicKey(identity.publicKey),
        Buffer.from(signature, "base64url")
      )
    ) {
      throw unauthenticated()
    }
    return `serviceAccount:${identity.email}`
  }

  const issue: Tokens["issue"] = (member, seconds, impersonated) => {
    const token = `ya29.${randomBytes(48).toString("base64url")}`
    const made = { member, issuedAt: now(), expiresAt: now() + seconds * 1000, impersonated }
    tokens.set(token, made)
    return { ...made, token }
  }

  return {
    issue,
    memberOf: (authorization) => {
      const token = /^Bearer (\S+)$/u.exec(authorization ?? "")?.[1] ?? ""
      if (token.split(".").length === 3) return selfSigned(token)
      const known = tokens.get(token)
      if (known === undefined || known.expiresAt <= now()) throw unauthenticated()
      return known.member
    },
    issued: () => [...tokens.values()],
    subjectOf: (email) => {
      const [token] = [...subjects].find(([, one]) => one === email) ?? []
      if (token === undefined) throw new Refusal("NOT_FOUND", `the environment has no identity ${email}`)
      return token
    },
    exchange: (form) => {
      const email = subjects.get(form.get("subject_token") ?? "")
      if (form.get("grant_type") !== grantType || !(form.get("scope") ?? "").split(" ").some(isScope)) {
        throw invalid("Invalid grant_type or scope.")
      }
      if (email === undefined) throw invalid("The subject token is not one of this pool's.")
      const { token } = issue(`serviceAccount:${email}`, 3600, false)
      return { token, seconds: 3600, email }
    }
  }
}
