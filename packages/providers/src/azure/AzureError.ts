/**
 * Errors of the Azure SDKs as errors of the port.
 *
 * 1. A refusal by Azure (4xx) changed nothing. A server error, a broken connection and a time-out may have.
 * 2. The requester's message names no scope, no role and no object id; the operator's hint does, and the permission
 *    that is missing.
 * 3. Text of Azure is not passed on, only the error's code: ARM's messages carry object ids and Entra's carry addresses.
 */
import { Provider } from "@jitsudo/core"

/** What was being done, for the hints. */
export interface Doing {
  /** As Azure's permissions are called: `Microsoft.Authorization/roleAssignments/write`, `User.Read.All`. */
  readonly action: string
  /** The scope, or the kind of object, that it was done to. */
  readonly on: string
}

/** What an SDK throws, as far as we look at it. */
interface Thrown {
  readonly code: string
  readonly status: number | undefined
  readonly text: string
  readonly retryAfterSeconds: number | undefined
  readonly signIn: boolean
}

/** The connection never stood, so nothing can have happened. */
const neverSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"])
const signInErrors = new Set([
  "AuthenticationError",
  "AggregateAuthenticationError",
  "CredentialUnavailableError",
  "AuthenticationRequiredError"
])

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined

/** A header of an answer, from whichever SDK it came. */
const headerOf = (headers: unknown, name: string): unknown => {
  const get = fieldOf(headers, "get")
  return typeof get === "function" ? Reflect.apply(get, headers, [name]) : undefined
}

const read = (thrown: unknown): Thrown => {
  const name = fieldOf(thrown, "name")
  const ownCode = fieldOf(thrown, "code")
  const causeCode = fieldOf(fieldOf(thrown, "cause"), "code")
  const status = fieldOf(thrown, "statusCode")
  const after = Number(
    headerOf(fieldOf(fieldOf(thrown, "response"), "headers"), "retry-after") ??
      headerOf(fieldOf(thrown, "headers"), "retry-after")
  )
  const code = [causeCode, ownCode, name].find((one) => typeof one === "string" && /^[\w.]{1,64}$/u.test(one))
  return {
    code: typeof code === "string" ? code : "Error",
    status: typeof status === "number" && status > 0 ? status : undefined,
    text: thrown instanceof Error ? thrown.message : "",
    retryAfterSeconds: Number.isFinite(after) && after > 0 ? Math.ceil(after) : undefined,
    signIn: typeof name === "string" && signInErrors.has(name)
  }
}

/** The code of an SDK's error. */
export const codeOf = (thrown: unknown): string => read(thrown).code

/** The HTTP status that an SDK's error tells of. */
export const statusOf = (thrown: unknown): number | undefined => read(thrown).status

/** How long PIM keeps an assignment that is active, at the least. */
export const shortestPimSeconds = 300

type Said = readonly [
  reason: Provider.ProviderReason,
  retryable: boolean,
  message: string,
  hint: string,
  retryAfterSeconds?: number
]

/** What Azure's codes mean, where the status does not say enough. */
const saidBy = (code: string, text: string, { on }: Doing): Said | null => {
  switch (code) {
    case "RoleAssignmentLimitExceeded":
      return [
        "QuotaExceeded",
        true,
        "Azure has no room for another role assignment",
        `The subscription of ${on} has its 4,000 role assignments (a management group 500); remove some, or assign to groups.`
      ]
    case "PrincipalNotFound":
      return [
        "PrincipalNotFound",
        true,
        "Azure does not know this identity yet",
        "An identity that was just created has not reached every region; it is tried again. If it stays, it was deleted."
      ]
    case "RoleDefinitionDoesNotExist":
    case "RoleDefinitionNotFound":
      return ["RoleNotFound", false, "this role does not exist there", `The role definition is not known at ${on}.`]
    case "SubscriptionNotFound":
    case "InvalidSubscriptionId":
    case "ResourceGroupNotFound":
    case "ResourceNotFound":
    case "ManagementGroupNotFound":
      return ["InvalidScope", false, "this scope does not exist", `${on} does not exist, or the daemon cannot see it.`]
    case "ScopeLocked":
      return [
        "ProviderConflict",
        true,
        "a lock in Azure forbids it",
        `A CanNotDelete or ReadOnly lock at or above ${on} keeps role assignments from being removed; remove the lock.`
      ]
    case "RoleAssignmentExists":
      return [
        "ProviderConflict",
        true,
        "somebody assigns this role at the same time",
        `An assignment of this role exists at ${on} that Azure does not show yet; it is tried again.`
      ]
    case "RoleAssignmentUpdateNotPermitted":
      return [
        "ProviderConflict",
        false,
        "an assignment of this request exists with other contents",
        `The assignment that follows from the request's id at ${on} has another role or principal; remove it.`
      ]
    case "PendingRoleAssignmentRequest":
      return [
        "ProviderConflict",
        true,
        "Azure still carries out an earlier change of this right",
        "PIM has one request for a role, principal and scope at a time; it is tried again.",
        5
      ]
    case "ActiveDurationTooShort":
      return [
        "ProviderConflict",
        true,
        "Azure keeps this right active for five minutes at least",
        "PIM refuses to remove an assignment in its first five minutes; it is tried again when they are over.",
        60
      ]
    case "RoleAssignmentRequestPolicyValidationFailed":
      return /ExpirationRule/u.test(text)
        ? [
            "DurationOutOfRange",
            false,
            "Azure does not grant this role for so long",
            `The role's PIM settings at ${on} allow active assignments for less; raise that or lower \`providers.azure.max_duration_seconds\`.`
          ]
        : [
            "ProviderDenied",
            false,
            "Azure's own rules for this role forbid it",
            `The role's PIM settings at ${on} ask for what the daemon cannot give (multifactor sign-in, approval); relax them for active assignments.`
          ]
    case "AadPremiumLicenseRequired":
      return [
        "ProviderDenied",
        false,
        "Azure does not offer time-bound assignments here",
        "Privileged Identity Management needs Entra ID P2 or Entra ID Governance; buy it, or turn `providers.azure.pim` off."
      ]
    default:
      return null
  }
}

/** An SDK error as the port's. */
export const fromSdk = (thrown: unknown, doing: Doing): Provider.ProviderError => {
  const { code, retryAfterSeconds, signIn, status, text } = read(thrown)
  const make = (
    reason: Provider.ProviderReason,
    retryable: boolean,
    effect: "none" | "unknown",
    message: string,
    hint: string,
    wait?: number
  ): Provider.ProviderError => {
    const seconds = retryAfterSeconds ?? wait
    return new Provider.ProviderError({
      provider: "azure",
      reason,
      retryable,
      effect,
      message,
      hint: `${hint} (${doing.action} answered ${code}.)`,
      ...(seconds === undefined ? {} : { retryAfterSeconds: seconds })
    })
  }

  if (signIn) {
    return make(
      "ProviderDenied",
      true,
      "none",
      "jitsudo cannot sign in to Azure at the moment",
      "Entra ID gives the daemon no token; check `providers.azure.credentials`, the secret's or federation's validity, and the tenant."
    )
  }
  if (status === 429 || code === "TooManyRequests" || code === "activityLimitReached") {
    return make("ProviderThrottled", true, "none", "Azure asks to slow down", "It is tried again later.")
  }
  if (neverSent.has(code)) {
    return make(
      "ProviderUnavailable",
      true,
      "none",
      "Azure cannot be reached",
      "The endpoint did not accept a connection."
    )
  }
  if (status === undefined || status >= 500) {
    return make("ProviderUnavailable", true, "unknown", "Azure did not answer", `It was for ${doing.on}.`)
  }
  if (status === 401) {
    return make(
      "ProviderDenied",
      true,
      "none",
      "jitsudo cannot sign in to Azure at the moment",
      "Azure does not accept the daemon's token; check the tenant, the cloud and the machine's clock."
    )
  }
  const said = saidBy(code, text, doing)
  if (said !== null) {
    const [reason, retryable, message, hint, wait] = said
    return make(reason, retryable, "none", message, hint, wait)
  }
  if (status === 403) {
    return make(
      "ProviderDenied",
      false,
      "none",
      "Azure does not let jitsudo do this",
      `Allow ${doing.action} on ${doing.on} to the daemon's identity; if it is allowed, look at the condition of that assignment.`
    )
  }
  if (status === 409 || status === 412) {
    return make(
      "ProviderConflict",
      true,
      "none",
      "somebody changes this right at the same time",
      `It was for ${doing.on}; it is tried again.`
    )
  }
  return make("ProviderUnavailable", false, "none", "Azure does not accept this request", `It was for ${doing.on}.`)
}

/** A call that took longer than it may. */
export const outOfTime = (seconds: number, doing: Doing): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "azure",
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "Azure did not answer in time",
    hint: `${doing.action} on ${doing.on} took longer than ${seconds} s (\`providers.azure.timeout_seconds\`).`
  })

/** The same trouble in a call that only reads. */
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

/** A refusal of ours. */
export const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  more: { readonly retryable?: boolean; readonly effect?: "none" | "unknown"; readonly retryAfterSeconds?: number } = {}
): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "azure",
    reason,
    retryable: more.retryable ?? false,
    effect: more.effect ?? "none",
    message,
    hint,
    ...(more.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: more.retryAfterSeconds })
  })

/** What is there already is not jitsudo's to grant, and not jitsudo's to take away. */
export const haveItAlready = (scope: string): Provider.ProviderError =>
  refuse(
    "ProviderConflict",
    "this identity has the role at this scope already, and not from jitsudo",
    `A standing assignment of the role exists at ${scope}. jitsudo leaves it alone: remove it if the right is to be asked for.`
  )

/** Azure's lists run behind; nothing is decided on what they do not show. */
export const notShownYet = (scope: string): Provider.ProviderError =>
  refuse(
    "ProviderConflict",
    "Azure does not show the state of this right yet",
    `An assignment that must exist at ${scope} is not in Azure's answers; it is tried again.`,
    { retryable: true, retryAfterSeconds: 5 }
  )

/** The same trouble after something was written. */
export const afterWriting = (error: Provider.ProviderError): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: error.provider,
    reason: error.reason,
    retryable: error.retryable,
    effect: "unknown",
    message: error.message,
    hint: error.hint,
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds })
  })

/** A description has no room for another mark. */
export const noRoom = (scope: string): Provider.ProviderError =>
  refuse(
    "QuotaExceeded",
    "too many grants of this right overlap",
    `The mark at ${scope} has no room for another request; it has when one of them ends.`,
    { retryable: true }
  )

/** PIM accepted a request and then did not carry it out. */
export const notCarriedOut = (scope: string, status: string): Provider.ProviderError =>
  refuse(
    "ProviderDenied",
    "Azure did not carry it out",
    `The schedule request at ${scope} ended as ${status}; the subscription's PIM audit history says why.`
  )

/** PIM accepted a request and takes longer than we wait. */
export const notSettled = (scope: string, seconds: number): Provider.ProviderError =>
  refuse(
    "ProviderUnavailable",
    "Azure has not carried it out yet",
    `The schedule request at ${scope} is still pending after ${seconds} s (\`providers.azure.settle_seconds\`); it is looked at again.`,
    { retryable: true, effect: "unknown" }
  )

/** A grant whose schedule request is over cannot be made again under its name. */
export const spent = (scope: string, status: string): Provider.ProviderError =>
  refuse(
    "ProviderConflict",
    "this request was granted before and has ended, or was refused",
    `The schedule request that follows from the request's id at ${scope} is ${status}. Ask anew.`
  )
