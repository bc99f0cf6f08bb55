/**
 * Errors of the AWS SDK as errors of the port.
 *
 * 1. A refusal by AWS (4xx) changed nothing. A server error, a broken connection and a time-out may have.
 * 2. The requester's message names no account and no role; the operator's hint does, and the permission that is missing.
 * 3. Text of AWS is not passed on, only the error's code.
 */
import { Provider } from "@jitsudo/core"

/** What was being done, for the hints. */
export interface Doing {
  /** `sts:AssumeRole` */
  readonly action: string
  /** The ARN that it was done to. */
  readonly on: string
  /** What else must allow it. */
  readonly also?: string
  /** What it means when AWS does not find it; a role, when absent. */
  readonly missing?: { readonly reason: Provider.ProviderReason; readonly message: string; readonly hint: string }
}

/** What the SDK throws, as far as we look at it. */
interface Thrown {
  readonly code: string
  readonly status: number | undefined
  readonly text: string
  readonly retryAfterSeconds: number | undefined
}

const throttling = new Set([
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "RequestThrottled",
  "RequestThrottledException",
  "TooManyRequestsException",
  "RequestLimitExceeded",
  "BandwidthLimitExceeded",
  "SlowDown",
  "PriorRequestNotComplete"
])
const ownCredentials = new Set([
  "CredentialsProviderError",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "SignatureDoesNotMatch",
  "IncompleteSignature",
  "MissingAuthenticationToken",
  "InvalidAccessKeyId"
])
/** The connection never stood, so nothing can have happened. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"])

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined

const read = (thrown: unknown): Thrown => {
  const name = fieldOf(thrown, "name")
  const status = fieldOf(fieldOf(thrown, "$metadata"), "httpStatusCode")
  const system = fieldOf(thrown, "code")
  const header = Number(fieldOf(fieldOf(fieldOf(thrown, "$response"), "headers"), "retry-after"))
  const named = typeof system === "string" && neverSent.has(system) ? system : name
  return {
    code: typeof named === "string" && /^[\w.]{1,64}$/u.test(named) ? named.replace(/Exception$/u, "") : "Error",
    status: typeof status === "number" ? status : undefined,
    text: thrown instanceof Error ? thrown.message : "",
    retryAfterSeconds: Number.isFinite(header) && header > 0 ? Math.ceil(header) : undefined
  }
}

/** The code of an SDK error, without the suffix `Exception`. */
export const codeOf = (thrown: unknown): string => read(thrown).code

/** An SDK error as the port's. */
export const fromSdk = (thrown: unknown, doing: Doing): Provider.ProviderError => {
  const { code, status, text, retryAfterSeconds } = read(thrown)
  const make = (
    reason: Provider.ProviderReason,
    retryable: boolean,
    effect: "none" | "unknown",
    message: string,
    hint: string
  ): Provider.ProviderError =>
    new Provider.ProviderError({
      provider: "aws",
      reason,
      retryable,
      effect,
      message,
      hint: `${hint} (${doing.action} answered ${code}.)`,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
    })
  const also = doing.also === undefined ? "" : ` ${doing.also}`

  if (throttling.has(code) || throttling.has(`${code}Exception`) || status === 429) {
    return make("ProviderThrottled", true, "none", "AWS asks to slow down", "It is tried again later.")
  }
  if (ownCredentials.has(code) || ownCredentials.has(`${code}Exception`)) {
    return make(
      "ProviderDenied",
      true,
      "none",
      "jitsudo cannot sign in to AWS at the moment",
      "AWS does not accept the daemon's own credentials; check where its environment takes them from."
    )
  }
  switch (code) {
    case "AccessDenied":
    case "UnauthorizedOperation":
      return make(
        "ProviderDenied",
        false,
        "none",
        "AWS does not let jitsudo do this",
        `Allow ${doing.action} on ${doing.on} to the daemon's identity.${also}`
      )
    case "RegionDisabled":
      return make(
        "ProviderDenied",
        false,
        "none",
        "AWS does not offer this here",
        "STS is not activated in this region for the account; activate it, or set `providers.aws.region` to another."
      )
    case "NoSuchEntity":
      return make(
        "RoleNotFound",
        true,
        "none",
        "this role does not exist in the account",
        `${doing.on} does not exist where the call acts. Nothing was confirmed; restore it, or check the account.`
      )
    case "ResourceNotFound": {
      const { hint, message, reason } = doing.missing ?? {
        reason: "RoleNotFound" as const,
        message: "AWS does not find what this is about",
        hint: `${doing.on} does not exist where the call acts. Nothing was confirmed.`
      }
      return make(reason, false, "none", message, hint)
    }
    case "Conflict":
      return make(
        "ProviderConflict",
        true,
        "none",
        "AWS is changing this assignment already",
        "It is tried again when that is over."
      )
    case "ServiceQuotaExceeded":
      return make(
        "QuotaExceeded",
        true,
        "none",
        "a quota of AWS is full",
        `IAM Identity Center has no room for ${doing.on}; see its quotas in Service Quotas.`
      )
    case "LimitExceeded":
      return make(
        "QuotaExceeded",
        true,
        "none",
        "a quota of AWS is full",
        `The inline policies of ${doing.on} leave no room for jitsudo's; move others to managed policies.`
      )
    case "PackedPolicyTooLarge":
      return make(
        "QuotaExceeded",
        false,
        "none",
        "AWS has no room for the session's tags",
        "Tags that the daemon's own session passes on fill the quota; shorten them, or turn `session_tags` off."
      )
    case "ConcurrentModification":
    case "EntityTemporarilyUnmodifiable":
      return make("ProviderConflict", true, "none", "somebody changes this role at the same time", "It is tried again.")
    case "UnmodifiableEntity":
      return make(
        "ProviderDenied",
        false,
        "none",
        "AWS does not let jitsudo do this",
        `${doing.on} is managed by AWS and cannot carry jitsudo's policy; use a role of your own.`
      )
    case "ValidationError":
      if (/DurationSeconds|MaxSessionDuration|session limit/iu.test(text)) {
        return make(
          "DurationOutOfRange",
          false,
          "none",
          "AWS does not grant this role for so long",
          `Raise MaxSessionDuration of ${doing.on} or lower \`providers.aws.max_session_seconds\`; when the daemon runs on a role itself, AWS allows 3600 s at most.`
        )
      }
      return make(
        "ProviderUnavailable",
        false,
        "none",
        "AWS does not accept this request",
        `A value was refused for ${doing.on}; CloudTrail names it.`
      )
  }
  if (neverSent.has(code)) {
    return make(
      "ProviderUnavailable",
      true,
      "none",
      "AWS cannot be reached",
      "The endpoint did not accept a connection."
    )
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return make("ProviderUnavailable", false, "none", "AWS does not accept this request", `It was for ${doing.on}.`)
  }
  return make("ProviderUnavailable", true, "unknown", "AWS did not answer", `It was for ${doing.on}.`)
}

/** A call that took longer than it may. */
export const outOfTime = (seconds: number, doing: Doing): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "aws",
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "AWS did not answer in time",
    hint: `${doing.action} on ${doing.on} took longer than ${seconds} s (\`providers.aws.timeout_seconds\`).`
  })

/** The same trouble in a step that comes before the one that was asked for. */
export const withoutEffect = (error: Provider.ProviderError): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: error.provider,
    reason: error.reason,
    retryable: error.retryable,
    effect: "none",
    message: error.message,
    hint: error.hint,
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds })
  })

/** The same trouble after something that may have had its effect. */
export const withUnknownEffect = (error: Provider.ProviderError): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: error.provider,
    reason: error.reason,
    retryable: error.retryable,
    effect: "unknown",
    message: error.message,
    hint: error.hint,
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds })
  })
