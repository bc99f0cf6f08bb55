/** The typed client: the API's definition turned into calls, with a token and a base URL. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { Api, Authentication } from "./Api.ts"

export interface ClientOptions {
  /** `https://jitsudo.example.com`, without a path. */
  readonly baseUrl: string
  /** Asked for before each call, so that a refreshed token is used. */
  readonly token: Effect.Effect<Redacted.Redacted<string>>
  /** Sent as the user agent's name. */
  readonly userAgent?: string
}

/** Needs an `HttpClient` (`FetchHttpClient.layer`, or the Node client where a custom CA is needed). */
export const make = (options: ClientOptions) =>
  HttpApiClient.make(Api, {
    transformClient: HttpClient.mapRequest((request) =>
      request.pipe(
        HttpClientRequest.prependUrl(options.baseUrl),
        HttpClientRequest.setHeader("user-agent", options.userAgent ?? "jitsudo-client")
      )
    )
  }).pipe(
    Effect.provide(
      HttpApiMiddleware.layerClient(Authentication, ({ next, request }) =>
        Effect.flatMap(options.token, (token) => next(HttpClientRequest.bearerToken(request, token)))
      )
    )
  )

export type Client = Effect.Success<ReturnType<typeof make>>
