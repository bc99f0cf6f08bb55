/**
 * What is wrong with an ask on any platform, before a provider reads its own grammar.
 *
 * 1. Role and scope are single lines of well-formed, visible text within their bounds. Control characters, bidirectional
 *    controls and lone surrogates are refused, not removed: what was asked for is never another right than what is
 *    granted.
 * 2. A duration is a whole number of seconds within the platform's bounds. It is never rounded or cut.
 *
 * Messages quote nothing of the ask.
 */
import * as Result from "effect/Result"
import { type Ask, type Capabilities, ProviderError } from "./Provider.ts"
import { limits } from "./Text.ts"

// C0, C1, line and paragraph separators, bidirectional controls (Unicode TR36), zero-width characters.
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

const whyNotText = (text: string, max: number): string | null => {
  if (typeof text !== "string") return "must be text"
  if (text === "") return "must not be empty"
  if (text.length > max) return `must have at most ${max} characters`
  if (!text.isWellFormed()) return "must be well-formed Unicode"
  if (invisible.test(text)) return "must not contain control or invisible characters"
  if (text.trim() !== text) return "must not begin or end with a space"
  return null
}

const refusal = (
  provider: string,
  reason: "InvalidRole" | "InvalidScope" | "DurationOutOfRange",
  message: string
): ProviderError =>
  new ProviderError({
    provider,
    reason,
    retryable: false,
    effect: "none",
    message,
    hint: "The request as it stands can never be granted; nothing was asked of the platform."
  })

/** The ask itself if nothing is wrong with it on any platform, or the first refusal. */
export const check = (
  provider: string,
  capabilities: Pick<Capabilities, "minDurationSeconds" | "maxDurationSeconds">,
  ask: Ask
): Result.Result<Ask, ProviderError> => {
  const role = whyNotText(ask.role, limits.role)
  if (role !== null) return Result.fail(refusal(provider, "InvalidRole", `the role ${role}`))
  const scope = whyNotText(ask.resourceScope, limits.resourceScope)
  if (scope !== null) return Result.fail(refusal(provider, "InvalidScope", `the resource scope ${scope}`))
  const { minDurationSeconds: least, maxDurationSeconds: most } = capabilities
  const seconds = ask.durationSeconds
  if (!Number.isSafeInteger(seconds) || seconds < least || seconds > most) {
    return Result.fail(
      refusal(
        provider,
        "DurationOutOfRange",
        `the duration must be a whole number of seconds between ${least} and ${most}`
      )
    )
  }
  return Result.succeed(ask)
}
