/**
 * Why a token was not taken.
 *
 * `reason` is stable and safe to count and to log. `message` is for the caller and tells nothing about the daemon's
 * configuration. `detail` is for the operator's log. None of them holds any part of the token but claims that are
 * names (issuer, client, key id), quoted and cut.
 */
import * as Data from "effect/Data"

export type TokenRefusal =
  | "missing"
  | "malformed"
  | "unsigned"
  | "algorithm"
  | "unknown_issuer"
  | "unknown_key"
  | "signature"
  | "expired"
  | "not_yet_valid"
  | "too_old"
  | "audience"
  | "client"
  | "sender_bound"
  | "email_unverified"
  | "groups_overage"
  | "issuer_unavailable"

const generic = "The access token was not accepted."

/** What the caller hears. Reasons that would describe the configuration, or help to probe it, share one text. */
const messages: Readonly<Record<TokenRefusal, string>> = {
  missing: "This needs an access token.",
  malformed: generic,
  unsigned: generic,
  algorithm: generic,
  unknown_issuer: generic,
  unknown_key: generic,
  signature: generic,
  expired: "The access token has expired.",
  not_yet_valid: "The access token is not valid yet. If it was just issued, the clocks differ.",
  too_old: "The access token was issued too long ago.",
  audience: generic,
  client: generic,
  sender_bound: generic,
  email_unverified: "The identity provider does not say that this e-mail address is verified.",
  groups_overage:
    "The identity provider left the groups out of this token because there are too many. An administrator must limit the groups that it puts into tokens for this application (in Entra ID: groups assigned to the application).",
  issuer_unavailable: "The identity provider's signing keys cannot be read at the moment."
}

export class TokenRefused extends Data.TaggedError("TokenRefused")<{
  readonly reason: TokenRefusal
  /** The configured issuer that the token names; null when it names none of ours. Not proof that it issued it. */
  readonly issuer: string | null
  readonly detail: string
}> {
  override get message(): string {
    return messages[this.reason]
  }

  /** Whether the same token may be taken a little later: an answer for 503, not 401. */
  get isTemporary(): boolean {
    return this.reason === "issuer_unavailable"
  }
}

/** Foreign text for an operator's log: quoted, on one line, cut. */
export const quoted = (value: unknown): string => {
  const text = JSON.stringify(value) ?? typeof value
  return text.length <= 200 ? text : `${text.slice(0, 197)}...`
}
