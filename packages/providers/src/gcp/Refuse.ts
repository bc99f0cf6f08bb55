/** Refusals of this provider's own, before or instead of one by Google. */
import { Provider } from "@jitsudo/core"

export interface More {
  /** Default `none`. */
  readonly effect?: "none" | "unknown"
  /** Default false. */
  readonly retryable?: boolean
}

/** `message` is for the requester, `hint` for the operator. */
export const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  { effect = "none", retryable = false }: More = {}
): Provider.ProviderError => new Provider.ProviderError({ provider: "gcp", reason, retryable, effect, message, hint })
