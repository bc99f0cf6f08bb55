/**
 * From a bearer token to a caller: verified by its issuer, known as a principal, within its rates.
 *
 * A refusal tells the caller nothing about the configuration, is an entry in the log (bounded per address), and counts
 * against the address. The principal is signed in again when its token is new, at most every 30 s otherwise.
 */
import { Api, Problems } from "@jitsudo/client"
import { Principal, Principals } from "@jitsudo/core"
import * as Cache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { bearerOf, pairsOf } from "../auth/Bearer.ts"
import type { Identity } from "../auth/Identity.ts"
import { TokenRefused } from "../auth/TokenRefused.ts"
import { Tokens } from "../auth/Tokens.ts"
import { toProblem } from "./Failure.ts"
import { Limits } from "./Limits.ts"
import { RefusedLog } from "./RefusedLog.ts"

/** The peer's address; a proxy's headers are not believed. */
export const addressOf = (request: HttpServerRequest.HttpServerRequest): string =>
  Option.getOrElse(request.remoteAddress, () => "unknown")

const challenge = (error: "invalid_token" | undefined) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(
      HttpServerResponse.setHeader(
        response,
        "www-authenticate",
        error === undefined ? 'Bearer realm="jitsudo"' : `Bearer realm="jitsudo", error="${error}"`
      )
    )
  )

const cacheKey = (identity: Identity): string =>
  JSON.stringify([
    identity.issuer,
    identity.subject,
    identity.groupsReadAt,
    identity.email,
    identity.kind,
    identity.groups
  ])

/** Which commands a token may give, by what an endpoint does. */
const commandOf: Readonly<Record<string, Identity["commands"][number]>> = {
  "requests.create": "request",
  "requests.extend": "extend",
  "requests.cancel": "cancel",
  "requests.approve": "approve",
  "requests.deny": "deny",
  "requests.closeReview": "close_review",
  "requests.revoke": "revoke",
  "requests.credentials": "credentials",
  "locks.create": "lock",
  "locks.remove": "unlock",
  "policies.apply": "policy",
  "policies.remove": "policy",
  "principals.setTrustTier": "principal",
  "principals.setOwner": "principal"
}

export const layer: Layer.Layer<Api.Authentication, never, Tokens | Principals.Principals | Limits | RefusedLog> =
  Layer.effect(
    Api.Authentication,
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const principals = yield* Principals.Principals
      const limits = yield* Limits
      const log = yield* RefusedLog

      // Nothing of the token is kept: the key is what it says.
      const identities = new Map<string, Identity>()
      const signedIn = yield* Cache.make({
        capacity: 10_000,
        timeToLive: "30 seconds",
        lookup: (key: string) => {
          const identity = identities.get(key)
          identities.delete(key)
          return identity === undefined
            ? Effect.die(new Error("a sign-in was looked up without its identity"))
            : principals.signIn({
                issuer: identity.issuer,
                subject: identity.subject,
                email: identity.email,
                groups: identity.groups,
                groupsReadAt: identity.groupsReadAt,
                kind: identity.kind,
                owner: null,
                authTime: identity.authTime,
                amr: identity.amr
              })
        }
      })

      const refuse = Effect.fnUntraced(function* (refused: TokenRefused, address: string) {
        yield* Effect.logInfo(`token refused: ${refused.reason} (${refused.detail})`)
        if (refused.isTemporary) {
          return yield* new Problems.ServiceUnavailable({
            code: refused.reason,
            detail: refused.message,
            hint: "try again in a few seconds",
            retryAfterSeconds: 5
          })
        }
        yield* log.refused({ action: "auth.refused", address, reason: refused.reason, issuer: refused.issuer })
        yield* limits.refusedToken(address)
        yield* challenge(refused.reason === "missing" ? undefined : "invalid_token")
        return yield* new Problems.Unauthenticated({
          code:
            refused.reason === "missing"
              ? "unauthenticated"
              : refused.reason === "expired"
                ? "token_expired"
                : "token_refused",
          detail: refused.message,
          hint: "run `jitsudo login`"
        })
      })

      return Api.Authentication.of({
        bearer: Effect.fn("Authentication")(function* (httpEffect, { endpoint, group }) {
          const request = yield* HttpServerRequest.HttpServerRequest
          const address = addressOf(request)
          yield* limits.address(address)
          const incoming = NodeHttpServerRequest.toIncomingMessage(request)
          const bearer = bearerOf(pairsOf(incoming.rawHeaders))
          if (Result.isFailure(bearer)) return yield* refuse(bearer.failure, address)
          const identity = yield* Effect.catchTag(tokens.verify(bearer.success), "TokenRefused", (refused) =>
            refuse(refused, address)
          )
          yield* limits.principal(Principal.keyOf(identity), address)
          const wanted = commandOf[`${group.identifier}.${endpoint.name}`] ?? "read"
          if (!identity.commands.includes(wanted)) {
            return yield* new Problems.Forbidden({
              code: "command_not_allowed",
              detail: `tokens of ${identity.issuer} may not be used to ${wanted}`,
              hint: "an operator decides this in `auth.issuers[].commands`"
            })
          }
          const key = cacheKey(identity)
          identities.set(key, identity)
          const principal = yield* Effect.catchTag(
            toProblem(Cache.get(signedIn, key)).pipe(Effect.ensuring(Effect.sync(() => identities.delete(key)))),
            ["BadRequest", "NotFound", "Conflict", "Unprocessable", "InternalError", "BadGateway"],
            (problem) => Effect.die(problem)
          )
          const channel = (request.headers["user-agent"] ?? "").startsWith("jitsudo-cli") ? "cli" : "api"
          return yield* Effect.provideService(httpEffect, Api.Caller, { principal, sourceIp: address, channel })
        })
      })
    })
  )
