/** A refusal as Google's REST APIs word it: https://cloud.google.com/apis/design/errors#http_mapping */
import type { WireAnswer } from "../WireServer.ts"
import { json } from "../WireServer.ts"

const statuses = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  RESOURCE_EXHAUSTED: 429,
  UNAVAILABLE: 503
} as const

export type Status = keyof typeof statuses

export class Refusal extends Error {
  readonly status: Status
  constructor(status: Status, message: string) {
    super(message)
    this.name = "Refusal"
    this.status = status
  }
}

export const invalid = (message: string): Refusal => new Refusal("INVALID_ARGUMENT", message)

export const answerOf = ({ message, status }: Refusal): WireAnswer =>
  json(
    statuses[status],
    { error: { code: statuses[status], message, status } },
    status === "RESOURCE_EXHAUSTED" ? { "retry-after": "2" } : {}
  )
