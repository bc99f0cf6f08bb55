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
  | Problems.BadGateway
  | Problems.ServiceUnavailable

/** The status of each refusal; the problem's `code` is the refusal's. */
export const refusalStatus: Record<ElevationError.RefusalCode, 400 | 403 | 404 | 409 | 422> = {
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
  too_many_pending: 409,
  not_requester: 403,
  not_admin: 403,
  not_permitted: 403,
  grant_over: 409,
  policy_rejected: 400,
  policy_managed_elsewhere: 409
}

/** The status and code of each trouble; all of them may go away by themselves. */
export const trouble: Record<
  ElevationError.Unavailable["what"],
  { readonly status: 502 | 503; readonly code: string }
> = {
  store: { status: 503, code: "store_unavailable" },
  policy: { status: 503, code: "policy_unavailable" },
  provider: { status: 502, code: "provider_unavailable" },
  facts: { status: 503, code: "facts_unavailable" },
  contention: { status: 503, code: "contention" },
  overload: { status: 503, code: "overloaded" }
}

const refusalProblem = (refused: ElevationError.Refused): ApiProblem => {
  const members = {
    code: refused.code,
    detail: refused.message,
    hint: refused.hint,
    ...(refused.problems === undefined ? {} : { problems: refused.problems }),
    ...(refused.state === undefined ? {} : { state: refused.state })
  }
  switch (refusalStatus[refused.code]) {
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

const unavailableProblem = (error: ElevationError.Unavailable) => {
  const { code, status } = trouble[error.what]
  const retryAfterSeconds = Math.max(1, Math.ceil(error.retryAfterSeconds))
  const members = { code, detail: error.message, hint: `try again in ${retryAfterSeconds} s`, retryAfterSeconds }
  return status === 502 ? new Problems.BadGateway(members) : new Problems.ServiceUnavailable(members)
}

/** Fails with a problem that says when a later try may succeed, in its body and as `Retry-After`. */
export const failLater = <P extends { readonly retryAfterSeconds: number }>(
  problem: P
): Effect.Effect<never, P, HttpServerRequest> =>
  Effect.andThen(
    HttpEffect.appendPreResponseHandler((_request, response) =>
      Effect.succeed(HttpServerResponse.setHeader(response, "retry-after", String(problem.retryAfterSeconds)))
    ),
    Effect.fail(problem)
  )

/** Trouble of a step that refuses nothing. */
export const failUnavailable = (error: ElevationError.Unavailable) => failLater(unavailableProblem(error))

/** Turns the domain's errors into problem documents. */
export const toProblem = <A, R>(
  effect: Effect.Effect<A, ElevationError.ElevationError, R>
): Effect.Effect<A, ApiProblem, R | HttpServerRequest> =>
  Effect.catch(effect, (error): Effect.Effect<never, ApiProblem, HttpServerRequest> =>
    error._tag === "Refused" ? Effect.fail(refusalProblem(error)) : failUnavailable(error)
  )
