/**
 * Trying again, where that is safe.
 *
 * 1. The daemon asked for it: 429 or 503 with `Retry-After`. Whatever the call, it was not done.
 * 2. The connection failed: only calls that change nothing, and creations that carry an idempotency key.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { HttpClientError } from "effect/http/HttpClientError"
import type { HttpClientRequest } from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"

const attempts = 4
const longestWaitSeconds = 60

const isSafe = (request: HttpClientRequest): boolean =>
  request.method === "GET" || request.method === "HEAD" || request.headers["idempotency-key"] !== undefined

/** Seconds that a response asks to wait; null where there is no use in waiting. */
const asked = (response: HttpClientResponse): number | null => {
  if (response.status !== 429 && response.status !== 503) return null
  const header = response.headers["retry-after"]
  if (header === undefined || !/^\d{1,6}$/u.test(header)) return null
  const seconds = Number(header)
  return seconds <= longestWaitSeconds ? seconds : null
}

/** 0.2 s, 0.4 s, 0.8 s. */
const backoff = (attempt: number): Duration.Duration => Duration.millis(100 * 2 ** attempt)

export const withRetries =
  (onWait: (seconds: number) => Effect.Effect<void>) =>
  (client: HttpClient.HttpClient): HttpClient.HttpClient =>
    HttpClient.transform(client, (send, request) => {
      const attempt = (number: number): Effect.Effect<HttpClientResponse, HttpClientError> =>
        send.pipe(
          Effect.matchEffect({
            onFailure: (error) =>
              error.reason._tag === "TransportError" && isSafe(request) && number < attempts
                ? Effect.andThen(Effect.sleep(backoff(number)), attempt(number + 1))
                : Effect.fail(error),
            onSuccess: (response) => {
              const wait = number < attempts ? asked(response) : null
              return wait === null
                ? Effect.succeed(response)
                : onWait(wait).pipe(
                    Effect.andThen(Effect.sleep(Duration.seconds(wait))),
                    Effect.andThen(attempt(number + 1))
                  )
            }
          })
        )
      return attempt(1)
    })
