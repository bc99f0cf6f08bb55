/**
 * Errors of Google's APIs as errors of the port.
 *
 * 1. A refusal by Google (4xx) changed nothing. A server error, a broken connection and a time-out may have.
 * 2. The requester's message names no resource and no account; the operator's hint does, and the permission that is
 *    missing.
 * 3. Text of Google is looked at where there is no code to tell refusals apart, and never passed on.
 *
 * Codes: https://cloud.google.com/apis/design/errors#error_model
 */
import { Provider } from "@jitsudo/core"
import { SignInFailed } from "./GcpAuth.ts"

/** What was being done, for the hints. */
export interface Doing {
  /** As the permission is called: `resourcemanager.projects.setIamPolicy`. */
  readonly action: string
  /** What it was done to: a resource, a role, an account. */
  readonly on: string
}

interface Thrown {
  /** `PERMISSION_DENIED`; the HTTP status where Google said nothing, or a system error's code. */
  readonly code: string
  readonly status: number | undefined
  readonly text: string
  readonly retryAfterSeconds: number | undefined
}

/** The connection never stood, so nothing can have happened. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"])

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined

const parsed = (text: unknown): unknown => {
  if (typeof text !== "string" || !text.trimStart().startsWith("{")) return text
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Google's error object: in the answer's body, or as the generated clients throw it, in the message. */
const bodyOf = (thrown: unknown): unknown =>
  fieldOf(parsed(fieldOf(fieldOf(thrown, "response"), "data")), "error") ??
  fieldOf(parsed(fieldOf(thrown, "message")), "error")

const seconds = (value: unknown): number | undefined => {
  const number = typeof value === "string" ? Number(value.replace(/s$/u, "")) : Number.NaN
  return Number.isFinite(number) && number > 0 ? Math.ceil(number) : undefined
}

/** `Retry-After`, or `RetryInfo` among the details. */
const retryAfterOf = (thrown: unknown, body: unknown): number | undefined => {
  const headers = fieldOf(fieldOf(thrown, "response"), "headers")
  // Not always the global class: the library's own `fetch` may bring another.
  const get = fieldOf(headers, "get")
  const header = typeof get === "function" ? seconds(get.call(headers, "retry-after")) : undefined
  const details = fieldOf(body, "details")
  const delays = Array.isArray(details) ? details.map((one) => seconds(fieldOf(one, "retryDelay"))) : []
  return header ?? delays.find((delay) => delay !== undefined)
}

const systemCodeOf = (thrown: unknown): unknown => {
  const own = fieldOf(thrown, "code")
  return typeof own === "string" ? own : fieldOf(fieldOf(thrown, "cause"), "code")
}

const read = (thrown: unknown): Thrown => {
  const body = bodyOf(thrown)
  const status = fieldOf(thrown, "status") ?? fieldOf(fieldOf(thrown, "response"), "status")
  const named = [fieldOf(body, "status"), typeof body === "string" ? body : undefined, systemCodeOf(thrown), status]
  const code = named.map(String).find((one) => /^[\w.]{1,64}$/u.test(one) && one !== "undefined")
  const text = fieldOf(body, "message")
  return {
    code: code ?? "Error",
    status: typeof status === "number" ? status : undefined,
    text: typeof text === "string" ? text : "",
    retryAfterSeconds: retryAfterOf(thrown, body)
  }
}

interface Said {
  readonly reason: Provider.ProviderReason
  readonly retryable: boolean
  readonly effect: "none" | "unknown"
  readonly message: string
  readonly hint: string
}

const none = (reason: Provider.ProviderReason, retryable: boolean, message: string, hint: string): Said => ({
  reason,
  retryable,
  effect: "none",
  message,
  hint
})

/** What Google refuses with INVALID_ARGUMENT: there are no codes for it, only sentences. */
const invalid = (text: string, { action, on }: Doing): Said => {
  if (/lifetime/iu.test(text)) {
    return none(
      "DurationOutOfRange",
      false,
      "Google issues no token for so long",
      `Lower \`providers.gcp.impersonate.max_token_seconds\`, or allow ${on} in an organisation policy for constraints/iam.allowServiceAccountCredentialLifetimeExtension.`
    )
  }
  if (/size|larger than|maximum|exceed|too many|limit/iu.test(text)) {
    return none(
      "QuotaExceeded",
      true,
      "a quota of Google is full",
      `The allow policy of ${on} has no room; remove bindings, or grant to groups.`
    )
  }
  if (/basic role|conditions? .*not supported|public principal/iu.test(text)) {
    return none(
      "InvalidRole",
      false,
      "Google does not grant this for a time",
      `Google accepts no condition on it; ask for a predefined or custom role on ${on}.`
    )
  }
  if (/\brole\b/iu.test(text)) {
    return none(
      "RoleNotFound",
      false,
      "this role cannot be granted there",
      `Google does not know it, or not on ${on}; \`gcloud iam list-grantable-roles\` shows what can be granted.`
    )
  }
  if (/\b(?:user|group|service ?account|member|principal|domain)\b/iu.test(text)) {
    return none(
      "PrincipalNotFound",
      false,
      "Google does not know this person",
      "The address that `providers.gcp.members` makes does not exist at Google."
    )
  }
  return none(
    "ProviderUnavailable",
    false,
    "Google does not accept this request",
    `${action} on ${on} refused a value; the audit log of the resource names it.`
  )
}

const said = ({ code, status, text }: Thrown, doing: Doing): Said => {
  const { action, on } = doing
  if (status === 429 || code === "RESOURCE_EXHAUSTED") {
    return none("ProviderThrottled", true, "Google asks to slow down", "It is tried again later.")
  }
  switch (code) {
    case "UNAUTHENTICATED":
      return none(
        "ProviderDenied",
        true,
        "jitsudo cannot sign in to Google at the moment",
        "Google does not accept the daemon's own credentials; check `providers.gcp.credentials`."
      )
    case "PERMISSION_DENIED":
      return none(
        "ProviderDenied",
        false,
        "Google does not let jitsudo do this",
        action === "iam.roles.get"
          ? `Allow iam.roles.get on ${on} to the daemon's identity, or set \`providers.gcp.read_roles\` to false.`
          : `Allow ${action} on ${on} to the daemon's identity; Google says the same of what does not exist, and of APIs that are not enabled.`
      )
    case "NOT_FOUND":
      return none(
        action === "iam.roles.get" ? "RoleNotFound" : "InvalidScope",
        false,
        action === "iam.roles.get" ? "this role does not exist" : "this does not exist at Google",
        `${on} does not exist.`
      )
    case "ABORTED":
    case "ALREADY_EXISTS":
      return none("ProviderConflict", true, "somebody changes this policy at the same time", "It is tried again.")
    case "FAILED_PRECONDITION":
      return none(
        "ProviderDenied",
        false,
        "Google does not let jitsudo do this",
        `A rule of the organisation forbids it on ${on} (domain restricted sharing, iam.allowedPolicyMemberDomains, is the usual one).`
      )
    case "INVALID_ARGUMENT":
      return invalid(text, doing)
  }
  if (status === 409) {
    return none("ProviderConflict", true, "somebody changes this policy at the same time", "It is tried again.")
  }
  if (neverSent.has(code)) {
    return none("ProviderUnavailable", true, "Google cannot be reached", "The endpoint did not accept a connection.")
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return none("ProviderUnavailable", false, "Google does not accept this request", `It was for ${on}.`)
  }
  return {
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "Google did not answer",
    hint: `It was for ${on}.`
  }
}

/** Signing in failed: nothing else was sent. */
const signIn = (thrown: Thrown): Said =>
  thrown.status !== undefined && thrown.status < 500 && thrown.status !== 429
    ? none(
        "ProviderDenied",
        true,
        "jitsudo cannot sign in to Google at the moment",
        "Google does not accept the daemon's own credentials; check `providers.gcp.credentials`."
      )
    : none(
        "ProviderUnavailable",
        true,
        "jitsudo cannot sign in to Google at the moment",
        "The daemon has no credentials, or the endpoint that issues its tokens does not answer; check `providers.gcp.credentials`."
      )

/** An SDK error as the port's. */
export const fromSdk = (thrown: unknown, doing: Doing): Provider.ProviderError => {
  const failed = thrown instanceof SignInFailed
  const facts = read(failed ? thrown.cause : thrown)
  const { hint, ...rest } = failed ? signIn(facts) : said(facts, doing)
  return new Provider.ProviderError({
    provider: "gcp",
    ...rest,
    hint: `${hint} (${failed ? "signing in" : doing.action} answered ${facts.code}.)`,
    ...(facts.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: facts.retryAfterSeconds })
  })
}

/** A call that took longer than it may. */
export const outOfTime = (limit: number, doing: Doing): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "gcp",
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "Google did not answer in time",
    hint: `${doing.action} on ${doing.on} took longer than ${limit} s (\`providers.gcp.timeout_seconds\`).`
  })

/** The same trouble in a step that changes nothing. */
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
