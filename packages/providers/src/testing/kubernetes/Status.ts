/**
 * Refusals as the API server words them.
 *
 * Statuses and reasons: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
import { json, type WireAnswer } from "../WireServer.ts"

export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

interface Details {
  readonly name?: string
  readonly group?: string
  /** The plural: `rolebindings`. */
  readonly kind?: string
  readonly causes?: ReadonlyArray<Cause>
  readonly retryAfterSeconds?: number
}

export class Refusal extends Error {
  readonly status: number
  readonly reason: string
  readonly details: Details
  constructor(status: number, reason: string, message: string, details: Details = {}) {
    super(message)
    this.name = "Refusal"
    this.status = status
    this.reason = reason
    this.details = details
  }
}

/** What a refusal is about. */
export interface About {
  readonly group: string
  readonly resource: string
  readonly name: string
}

const full = ({ group, resource }: About): string => (group === "" ? resource : `${resource}.${group}`)
const detailsOf = ({ group, name, resource }: About): Details => ({
  name,
  kind: resource,
  ...(group === "" ? {} : { group })
})

export const notFound = (about: About): Refusal =>
  new Refusal(404, "NotFound", `${full(about)} "${about.name}" not found`, detailsOf(about))

export const alreadyExists = (about: About): Refusal =>
  new Refusal(409, "AlreadyExists", `${full(about)} "${about.name}" already exists`, detailsOf(about))

export const conflict = (about: About, why: string): Refusal =>
  new Refusal(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${full(about)} "${about.name}": ${why}`,
    detailsOf(about)
  )

export const forbidden = (about: About, why: string, causes?: ReadonlyArray<Cause>): Refusal =>
  new Refusal(403, "Forbidden", `${full(about)} "${about.name}" is forbidden: ${why}`, {
    ...detailsOf(about),
    ...(causes === undefined ? {} : { causes })
  })

export const invalid = (about: About, causes: ReadonlyArray<Cause>): Refusal =>
  new Refusal(
    422,
    "Invalid",
    `${full(about)} "${about.name}" is invalid: ${causes.map(({ field, message }) => `${field}: ${message}`).join(", ")}`,
    { ...detailsOf(about), causes }
  )

export const badRequest = (why: string): Refusal => new Refusal(400, "BadRequest", why)

export const unauthorized = (): Refusal => new Refusal(401, "Unauthorized", "Unauthorized")

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks */
export const expired = (): Refusal =>
  new Refusal(
    410,
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter."
  )

/** https://kubernetes.io/docs/concepts/cluster-administration/flow-control/ */
export const tooMany = (): Refusal =>
  new Refusal(429, "TooManyRequests", "too many requests, please try again later", { retryAfterSeconds: 1 })

export const unavailable = (): Refusal =>
  new Refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request")

export const answerOf = (refusal: Refusal): WireAnswer =>
  json(
    refusal.status,
    {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: refusal.message,
      reason: refusal.reason,
      details: refusal.details,
      code: refusal.status
    },
    refusal.details.retryAfterSeconds === undefined ? {} : { "retry-after": String(refusal.details.retryAfterSeconds) }
  )
