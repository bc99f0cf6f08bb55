/**
 * Errors on the wire: RFC 9457 problem documents with a stable `code`, every field at fault, and one next action.
 *
 * One class a status; `code` tells what happened (docs/spec/http-status.md). Texts name the object and the rule, and
 * never hold a secret or another component's error text.
 */
import * as Schema from "effect/Schema"
import * as HttpApiError from "effect/http-api/HttpApiError"

export const FieldProblem = Schema.Struct({
  /** Path of the field in the request, for example `durationSeconds` or `metadata.ticket`. */
  field: Schema.optionalKey(Schema.String),
  message: Schema.String
}).annotate({ identifier: "FieldProblem" })

const members = {
  /** Stable, for programs. */
  code: Schema.String,
  /** What to do next. */
  hint: Schema.String,
  /** Every field at fault, or every reason that policy gave. */
  problems: Schema.optionalKey(Schema.Array(FieldProblem)),
  /** The state of the request, where that is why. */
  state: Schema.optionalKey(Schema.String),
  /** Quote it to the operator: it is in the daemon's log. */
  correlationId: Schema.optionalKey(Schema.String)
}

const type = "https://jitsudo.dev/problems/" as const

export class BadRequest extends HttpApiError.Problem<BadRequest>()(
  "BadRequest",
  { type: `${type}bad-request`, title: "The request is not valid", status: 400 },
  members
) {}

export class Unauthenticated extends HttpApiError.Problem<Unauthenticated>()(
  "Unauthenticated",
  { type: `${type}unauthenticated`, title: "Sign in", status: 401 },
  members
) {}

export class Forbidden extends HttpApiError.Problem<Forbidden>()(
  "Forbidden",
  { type: `${type}forbidden`, title: "Not allowed", status: 403 },
  members
) {}

export class NotFound extends HttpApiError.Problem<NotFound>()(
  "NotFound",
  { type: `${type}not-found`, title: "Not found", status: 404 },
  members
) {}

export class Conflict extends HttpApiError.Problem<Conflict>()(
  "Conflict",
  { type: `${type}conflict`, title: "Not in this state", status: 409 },
  members
) {}

export class TooLarge extends HttpApiError.Problem<TooLarge>()(
  "TooLarge",
  { type: `${type}too-large`, title: "The request is too large", status: 413 },
  members
) {}

export class UnsupportedMediaType extends HttpApiError.Problem<UnsupportedMediaType>()(
  "UnsupportedMediaType",
  { type: `${type}unsupported-media-type`, title: "Send JSON", status: 415 },
  members
) {}

export class Unprocessable extends HttpApiError.Problem<Unprocessable>()(
  "Unprocessable",
  { type: `${type}unprocessable`, title: "Contradicts an earlier request", status: 422 },
  members
) {}

export class TooMany extends HttpApiError.Problem<TooMany>()(
  "TooMany",
  { type: `${type}too-many`, title: "Too many requests", status: 429 },
  { ...members, retryAfterSeconds: Schema.Int }
) {}

export class InternalError extends HttpApiError.Problem<InternalError>()(
  "InternalError",
  { type: `${type}internal`, title: "A fault in the daemon", status: 500 },
  members
) {}

export class BadGateway extends HttpApiError.Problem<BadGateway>()(
  "BadGateway",
  { type: `${type}provider`, title: "The provider did not do it", status: 502 },
  { ...members, retryAfterSeconds: Schema.Int }
) {}

export class ServiceUnavailable extends HttpApiError.Problem<ServiceUnavailable>()(
  "ServiceUnavailable",
  { type: `${type}unavailable`, title: "Not available now", status: 503 },
  { ...members, retryAfterSeconds: Schema.Int }
) {}

/** What every endpoint may answer besides its result. */
export const common = [
  BadRequest,
  Unauthenticated,
  Forbidden,
  NotFound,
  Conflict,
  Unprocessable,
  TooMany,
  InternalError,
  BadGateway,
  ServiceUnavailable
] as const

export type Problem =
  | BadRequest
  | Unauthenticated
  | Forbidden
  | NotFound
  | Conflict
  | TooLarge
  | UnsupportedMediaType
  | Unprocessable
  | TooMany
  | InternalError
  | BadGateway
  | ServiceUnavailable
