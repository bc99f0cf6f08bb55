/** Which HTTP status each refusal and each trouble has (docs/spec/http-status.md). Decided here and nowhere else. */
import type { ElevationError } from "@jitsudo/core"
import { Problems } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

type ApiProblem =
  | Problems.BadRequest
  | Problems.Forbidden
  | Problems.NotFound
  | Problems.Conflict
  | Problems.Unprocessable
  | Problems.TooMany
  | Problems.InternalError
  | Problems.BadGateway
  | Problems.ServiceUnavailable

const status: Record<ElevationError.RefusalCode, 400 | 403 | 404 | 409 | 422> = {
  not_found: 404,
  invalid_input: 400,
  unknown_provider: 400,
  provider_refused: 400,
  not_eligible: 403,
  not_approver: 403,
  self_decision: 403,
  human_only: 403,
  agent_not_allowed: 403,
  stale_groups: 403,
  locked: 403,
  wrong_state: 409,
  changed_meanwhile: 409,
  already_decided: 409,
  idempotency_mismatch: 422,
  break_glass_unavailable: 403,
  review_open: 403,
  not_requester: 403,
  not_admin: 403,
  not_permitted: 403,
  grant_over: 409,
  policy_rejected: 400,
  policy_managed_elsewhere: 409
}

const refusalProblem = (refused: ElevationError.Refused): ApiProblem => {
  const members = {
    code: refused.code,
    detail: refused.message,
    hint: refused.hint,
    ...(refused.problems === undefined ? {} : { problems: refused.problems }),
    ...(refused.state === undefined ? {} : { state: refused.state })
  }
  switch (status[refused.code]) {
    case 400:
      return new Problems.BadRequest(members)
    case 403:
      return new Problems.Forbidden(members)
    case 404:
      return new Problems.NotFound(members)
    case 409:
      return new Problems.Conflict(members)
    case 422:
      return new Problems.Unprocessable(members)
  }
}

/** Tell the client when a later try may succeed. */
export const retryAfter = (seconds: number): Effect.Effect<void, never, HttpServerRequest> =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(Math.max(1, Math.ceil(seconds)))))
  )

const unavailableProblem = (trouble: ElevationError.Unavailable) => {
  const members = {
    code: `${trouble.what}_unavailable`,
    detail: trouble.message,
    hint: `try again in ${trouble.retryAfterSeconds} s`,
    retryAfterSeconds: Math.max(1, Math.ceil(trouble.retryAfterSeconds))
  }
  return trouble.what === "provider" ? new Problems.BadGateway(members) : new Problems.ServiceUnavailable(members)
}

/** Turns the domain's errors into problem documents. */
export const toProblem = <A, R>(
  effect: Effect.Effect<A, ElevationError.ElevationError, R>
): Effect.Effect<A, ApiProblem, R | HttpServerRequest> =>
  Effect.catch(effect, (error): Effect.Effect<never, ApiProblem, HttpServerRequest> =>
    error._tag === "Refused"
      ? Effect.fail(refusalProblem(error))
      : Effect.andThen(retryAfter(error.retryAfterSeconds), Effect.fail(unavailableProblem(error)))
  )
