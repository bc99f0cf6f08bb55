/** `cancel`, `revoke`, and `review close`. */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Daemon from "../Daemon.ts"
import { answer, say } from "../Output.ts"
import { safe } from "../Terminal.ts"
import * as RequestView from "../views/RequestView.ts"

export interface EndInput {
  readonly id: string
  readonly reason: Option.Option<string>
}

export interface ReviewInput {
  readonly id: string
  readonly comment: string
}

const shown = (request: Dto.ElevationRequest) =>
  answer(request, {
    ids: ({ id }) => [id],
    text: (one, { now }) => `${safe(RequestView.stateLine(one, now))}\n`
  })

const because = (reason: Option.Option<string>) => (Option.isSome(reason) ? { reason: reason.value } : {})

export const cancel = Effect.fn("cancel")(function* (input: EndInput) {
  const daemon = yield* Daemon.connect()
  yield* shown(
    yield* daemon.call((client) => client.requests.cancel({ params: { id: input.id }, payload: because(input.reason) }))
  )
})

export const revoke = Effect.fn("revoke")(function* (input: EndInput) {
  const daemon = yield* Daemon.connect()
  const request = yield* daemon.call((client) =>
    client.requests.revoke({ params: { id: input.id }, payload: because(input.reason) })
  )
  yield* shown(request)
  // Taken back is not cut off at once everywhere.
  if (RequestView.wasGranted(request) && request.revocation !== "") yield* say(request.revocation)
})

export const closeReview = Effect.fn("closeReview")(function* (input: ReviewInput) {
  const daemon = yield* Daemon.connect()
  const request = yield* daemon.call((client) =>
    client.requests.closeReview({ params: { id: input.id }, payload: { comment: input.comment } })
  )
  yield* answer(request, { ids: ({ id }) => [id], text: RequestView.detail })
})
