/**
 * Errors of the Kubernetes client as errors of the port.
 *
 * 1. A refusal by the API server (4xx) changed nothing. A server error, a broken connection and a time-out may have;
 *    what never left this process has not.
 * 2. The requester's message names no cluster's internals; the operator's hint does, and the permission that is missing.
 * 3. Text of the API server is not passed on: it quotes objects, and the client's own errors quote headers. What is
 *    passed on is the status, its reason, and which fields were refused.
 *
 * Statuses and reasons: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
import { Provider } from "@jitsudo/core"

/** What was being done, for the hints. */
export interface Doing {
  readonly cluster: string
  /** As a rule of RBAC names it: `create`. */
  readonly verb: string
  /** As a rule of RBAC names it: `rolebindings.rbac.authorization.k8s.io`, `serviceaccounts/token`. */
  readonly resource: string
  /** What it was done to: `team-a/jitsudo-req_...`; empty for all of a kind. */
  readonly on: string
  /** What else must be allowed. */
  readonly also?: string
}

/** What the API server answered, or how far the call got. */
export interface Answer {
  /** HTTP status; null when there was no answer. */
  readonly status: number | null
  /** `AlreadyExists`, `Forbidden`; or a code of the network. */
  readonly reason: string
  /** Plural of the kind that the status is about. */
  readonly about: string
  /** Reasons of the causes, and the fields that they are about. */
  readonly causes: ReadonlyArray<{ readonly reason: string; readonly field: string }>
  readonly retryAfterSeconds: number | undefined
  readonly text: string
}

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined

const word = (value: unknown): string => (typeof value === "string" && /^[\w./[\]-]{1,128}$/u.test(value) ? value : "")

const parsed = (body: unknown): unknown => {
  if (typeof body !== "string") return body
  try {
    return JSON.parse(body)
  } catch {
    // A proxy's page, or an answer that was cut off: only its status counts.
    return null
  }
}

const seconds = (value: unknown): number | undefined => {
  const number = typeof value === "string" || typeof value === "number" ? Number(value) : Number.NaN
  return Number.isFinite(number) && number > 0 ? Math.ceil(number) : undefined
}

/** What a call threw, read. */
export const read = (thrown: unknown): Answer => {
  const code = fieldOf(thrown, "code")
  const status = typeof code === "number" ? code : null
  const body = parsed(fieldOf(thrown, "body"))
  const details = fieldOf(body, "details")
  const causes = fieldOf(details, "causes")
  const network = fieldOf(fieldOf(thrown, "cause"), "code")
  return {
    status,
    reason: status === null ? word(network) || word(fieldOf(thrown, "name")) || "Error" : word(fieldOf(body, "reason")),
    about: word(fieldOf(details, "kind")),
    causes: Array.isArray(causes)
      ? causes.map((cause: unknown) => ({
          reason: word(fieldOf(cause, "reason")),
          field: word(fieldOf(cause, "field"))
        }))
      : [],
    retryAfterSeconds:
      seconds(fieldOf(fieldOf(thrown, "headers"), "retry-after")) ?? seconds(fieldOf(details, "retryAfterSeconds")),
    text: String(fieldOf(body, "message") ?? "")
  }
}

/** The connection never stood, or the server was not the one it should be, so nothing can have happened. */
const neverSent =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|.*CERT.*|.*SIGNATURE.*)$/u

const permission = ({ on, resource, verb }: Doing): string => `${verb} on ${resource}${on === "" ? "" : ` (${on})`}`

const make = (
  doing: Doing,
  answered: string,
  part: {
    readonly reason: Provider.ProviderReason
    readonly retryable: boolean
    readonly effect: "none" | "unknown"
    readonly message: string
    readonly hint: string
    readonly retryAfterSeconds?: number | undefined
  }
): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "kubernetes",
    reason: part.reason,
    retryable: part.retryable,
    effect: part.effect,
    message: part.message,
    hint: `${part.hint} (${permission(doing)} in the cluster ${doing.cluster} answered ${answered}.)`,
    ...(part.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: part.retryAfterSeconds })
  })

const forbidden = (doing: Doing, answer: Answer, answered: string): Provider.ProviderError => {
  if (answer.causes.some(({ reason }) => reason === "NamespaceTerminating")) {
    return make(doing, answered, {
      reason: "InvalidScope",
      retryable: false,
      effect: "none",
      message: "this namespace is being deleted",
      hint: "Nothing can be made in it any more."
    })
  }
  if (/exceeded quota/u.test(answer.text)) {
    return make(doing, answered, {
      reason: "QuotaExceeded",
      retryable: true,
      effect: "none",
      message: "a quota of the cluster is full",
      hint: "A ResourceQuota of the namespace counts these objects; raise it."
    })
  }
  const escalates = /attempting to grant RBAC permissions not currently held/u.test(answer.text)
  return make(doing, answered, {
    reason: "ProviderDenied",
    retryable: false,
    effect: "none",
    message: "the cluster does not let jitsudo do this",
    hint: escalates
      ? `Allow the verb bind on this role to the daemon's identity.${doing.also === undefined ? "" : ` ${doing.also}`}`
      : `Allow ${permission(doing)} to the daemon's identity.`
  })
}

/** What a call threw as the port's error. `sent`: whether the request may have left this process. */
export const fromSdk = (thrown: unknown, doing: Doing, sent: boolean): Provider.ProviderError => {
  const answer = read(thrown)
  const answered = [answer.status, answer.reason].filter((part) => part !== null && part !== "").join(" ")
  const error = (part: Parameters<typeof make>[2]) => make(doing, answered, part)

  switch (answer.status) {
    case 401:
      return error({
        reason: "ProviderDenied",
        retryable: true,
        effect: "none",
        message: "jitsudo cannot sign in to the cluster at the moment",
        hint: "The API server does not accept the daemon's own credentials; check `providers.kubernetes.clusters`."
      })
    case 403:
      return forbidden(doing, answer, answered)
    case 404:
      if (answer.about === "") {
        return error({
          reason: "ProviderUnavailable",
          retryable: true,
          effect: "none",
          message: "the cluster cannot be reached",
          hint: "What answered is no API server of Kubernetes; check the address and what stands before it."
        })
      }
      return answer.about === "namespaces"
        ? error({
            reason: "InvalidScope",
            retryable: false,
            effect: "none",
            message: "this namespace does not exist in the cluster",
            hint: "Create it, or ask for another."
          })
        : error({
            reason: "RoleNotFound",
            retryable: false,
            effect: "none",
            message: "this role does not exist in the cluster",
            hint: "Nothing was confirmed; create it, or ask for another."
          })
    case 409:
      return error({
        reason: "ProviderConflict",
        retryable: true,
        effect: "none",
        message: "somebody changes the same thing in the cluster",
        hint: "It is tried again."
      })
    case 429:
      return error({
        reason: "ProviderThrottled",
        retryable: true,
        effect: "none",
        message: "the cluster asks to slow down",
        hint: "It is tried again later.",
        retryAfterSeconds: answer.retryAfterSeconds
      })
  }
  if (answer.status !== null && answer.status >= 400 && answer.status < 500) {
    const fields = answer.causes.map(({ field }) => field).filter((field) => field !== "")
    return error({
      reason: "ProviderUnavailable",
      retryable: false,
      effect: "none",
      message: "the cluster does not accept this request",
      hint: fields.length === 0 ? "A value was refused." : `Refused: ${fields.slice(0, 5).join(", ")}.`
    })
  }
  if (answer.status === null && (!sent || neverSent.test(answer.reason))) {
    return error({
      reason: "ProviderUnavailable",
      retryable: true,
      effect: "none",
      message: "the cluster cannot be reached",
      hint: /CERT|SIGNATURE|TLS/u.test(answer.reason)
        ? "The server's certificate is not one that the configured authorities signed for this address."
        : "The API server did not accept a connection, or the daemon's own credentials could not be read."
    })
  }
  return error({
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "the cluster did not answer",
    hint: "See whether the API server is healthy.",
    retryAfterSeconds: answer.retryAfterSeconds
  })
}

/** A call that took longer than it may. */
export const outOfTime = (limit: number, doing: Doing): Provider.ProviderError =>
  make(doing, "nothing", {
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: "the cluster did not answer in time",
    hint: `It took longer than ${limit} s (\`providers.kubernetes.timeout_seconds\`).`
  })

const withEffect = (error: Provider.ProviderError, effect: "none" | "unknown"): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: error.provider,
    reason: error.reason,
    retryable: error.retryable,
    effect,
    message: error.message,
    hint: error.hint,
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds })
  })

/** The same trouble in a step that only reads. */
export const withoutEffect = (error: Provider.ProviderError): Provider.ProviderError => withEffect(error, "none")

/** The same trouble after an earlier step had its effect. */
export const afterEffect = (error: Provider.ProviderError): Provider.ProviderError => withEffect(error, "unknown")
