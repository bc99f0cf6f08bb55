/**
 * Who a verified token says is calling. Plain facts of one token; the principal that the domain keeps, with owner and
 * trust, is made from it elsewhere.
 */
import type { Time } from "@jitsudo/core"
import type { CommandName } from "../config/AuthKeys.ts"

export interface Identity {
  readonly issuer: string
  readonly subject: string
  /** Verified by the issuer, trimmed, lower case; null when there is none, or none that counts. */
  readonly email: string | null
  readonly groups: ReadonlyArray<string>
  /** When the issuer stated the groups: the token's time of issue, never later than now. */
  readonly groupsReadAt: Time.Time
  /** `human` only for a client at which people sign in, with a verified e-mail address. */
  readonly kind: "human" | "agent"
  /** The client that the token was issued to; null when the token does not say. */
  readonly clientId: string | null
  /** When the person last proved who they are; null when the issuer does not say. */
  readonly authTime: Time.Time | null
  /** How (RFC 8176); empty when the issuer does not say. */
  readonly amr: ReadonlyArray<string>
  readonly acr: string | null
  readonly expiresAt: Time.Time
  /** What tokens of this issuer may be used for. */
  readonly commands: ReadonlyArray<CommandName>
}
