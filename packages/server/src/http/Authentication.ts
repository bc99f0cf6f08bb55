/**
 * From a bearer token to a caller: verified by its issuer, known as a principal, within its rates.
 *
 * 1. A refusal tells the caller nothing about the configuration, is an entry in the log (bounded, `RefusedLog`), and
 *    counts against the address.
 * 2. Nothing of a token is kept. The principal is signed in when its token says something new, at most every 30 s
 *    otherwise.
 * 3. What a token may be used for is its issuer's configuration; a use beyond it is refused and recorded.
 */
import { Api, Problems } from "@jitsudo/client"
import type { Time } from "@jitsudo/core"
import { ElevationError, Principal, Principals, Transitions } from "@jitsudo/core"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cache from "effect/Cache"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { bearerOf, pairsOf } from "../auth/Bearer.ts"
import type { Identity } from "../auth/Identity.ts"
import type { TokenRefused } from "../auth/TokenRefused.ts"
import { Tokens } from "../auth/Tokens.ts"
import { refuseAccess } from "./AccessRefused.ts"
import { addressOf } from "./Address.ts"
import { failLater, toProblem } from "./Failure.ts"
import { Limits } from "./Limits.ts"
import { RefusedLog } from "./RefusedLog.ts"

/** RFC 6750, section 3; RFC 9470 for a sign-in that is too old. */
const challenge = (parameters: string) =>
  HttpEffect.appendPreResponseHandler((_request, response) =>
    Effect.succeed(HttpServerResponse.setHeader(response, "www-authenticate", `Bearer realm="jitsudo"${parameters}`))
  )

/** Acts that need a recent sign-in, where the operator asks for one. */
export class Freshness extends Context.Service<
  Freshness,
  {
    /** Fails with 401 and the challenge of RFC 9470 when the person proved who they are too long ago. */
    readonly required: (by: {
      readonly kind: Principal.PrincipalKind
      readonly authTime: Time.Time | null
    }) => Effect.Effect<void, Problems.Unauthenticated, HttpServerRequest.HttpServerRequest>
  }
>()("@jitsudo/server/Freshness") {}

/** `maxAge` undefined: any valid token will do. */
export const layerFreshness = (maxAge: Duration.Duration | undefined): Layer.Layer<Freshness> =>
  Layer.succeed(
    Freshness,
    Freshness.of({
      required: Effect.fnUntraced(function* (by) {
        if (maxAge === undefined || by.kind !== "human") return
        const now = yield* Clock.currentTimeMillis
        if (by.authTime !== null && now - by.authTime <= Duration.toMillis(maxAge)) return
        const seconds = Math.floor(Duration.toSeconds(maxAge))
        yield* challenge(`, error="insufficient_user_authentication", max_age="${seconds}"`)
        return yield* new Problems.Unauthenticated({
          code: "sign_in_again",
          detail: `this needs a sign-in that is no older than ${seconds} s`,
          hint: "run `jitsudo login`, then try again"
        })
      })
    })
  )

/** What an identity says about a principal: two tokens that say the same are one sign-in. */
class SignInKey implements Equal.Equal {
  readonly identity: Identity
  readonly #says: string
  constructor(identity: Identity) {
    const { amr, authTime, email, groups, groupsReadAt, issuer, kind, subject } = identity
    this.identity = identity
    this.#says = JSON.stringify([issuer, subject, email, groups, groupsReadAt, kind, authTime, amr])
  }
  [Hash.symbol](): number {
    return Hash.string(this.#says)
  }
  [Equal.symbol](that: unknown): boolean {
    return that instanceof SignInKey && that.#says === this.#says
  }
}

/** Which commands a token may give, by what an endpoint does; `read` is everything else. */
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
  "principals.setOwner": "principal",
  "reconciliation.run": "reconcile"
}

/** Break-glass is the other one; it is known only from the body. */
const needsFreshSignIn: ReadonlySet<Identity["commands"][number]> = new Set([
  "approve",
  "close_review",
  "lock",
  "unlock",
  "policy",
  "principal",
  "reconcile"
])

const codeOf = (refused: TokenRefused): string =>
  refused.reason === "missing" ? "unauthenticated" : refused.reason === "expired" ? "token_expired" : "token_refused"

export const layer: Layer.Layer<
  Api.Authentication,
  never,
  Tokens | Principals.Principals | Transitions.Transitions | Limits | RefusedLog | Freshness
> = Layer.effect(
  Api.Authentication,
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const principals = yield* Principals.Principals
    const transitions = yield* Transitions.Transitions
    const limits = yield* Limits
    const log = yield* RefusedLog
    const freshness = yield* Freshness

    const signedIn = yield* Cache.makeWith(
      ({ identity }: SignInKey) =>
        principals.signIn({
          issuer: identity.issuer,
          subject: identity.subject,
          email: identity.email,
          groups: identity.groups,
          groupsReadAt: identity.groupsReadAt,
          kind: identity.kind,
          owner: null,
          authTime: identity.authTime,
          amr: identity.amr
        }),
      // Trouble is not remembered: the next call tries again.
      { capacity: 10_000, timeToLive: (exit) => (Exit.isSuccess(exit) ? "30 seconds" : 0) }
    )

    /** A verified token may still speak for nobody: of the daemon's own names, or of a person as an agent. */
    const principalOf = (identity: Identity, address: string) =>
      toProblem(
        Effect.tapError(Cache.get(signedIn, new SignInKey(identity)), (error) =>
          error._tag === "Refused"
            ? log.refused({ action: "auth.refused", address, reason: error.code, issuer: identity.issuer })
            : Effect.void
        )
      )

    const refuse = Effect.fnUntraced(function* (refused: TokenRefused, address: string) {
      yield* Effect.logInfo(`token refused: ${refused.reason} (${refused.detail})`)
      if (refused.isTemporary) {
        return yield* failLater(
          new Problems.ServiceUnavailable({
            code: refused.reason,
            detail: refused.message,
            hint: "try again in a few seconds",
            retryAfterSeconds: 5
          })
        )
      }
      yield* log.refused({ action: "auth.refused", address, reason: refused.reason, issuer: refused.issuer })
      yield* limits.refusedToken(address)
      yield* challenge(refused.reason === "missing" ? "" : ', error="invalid_token"')
      return yield* new Problems.Unauthenticated({
        code: codeOf(refused),
        detail: refused.message,
        hint: "run `jitsudo login`"
      })
    })

    const mayNotUse = (identity: Identity, command: string) =>
      ElevationError.refuse(
        "not_permitted",
        `tokens of ${identity.issuer} may not be used to ${command}`,
        "an operator decides this in `auth.issuers[].commands`"
      )

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
        const principal = yield* principalOf(identity, address)
        const command = commandOf[`${group.identifier}.${endpoint.identifier}`] ?? "read"
        if (!identity.commands.includes(command)) {
          return yield* toProblem(refuseAccess(transitions, principal, mayNotUse(identity, command)))
        }
        if (needsFreshSignIn.has(command)) yield* freshness.required(identity)
        const channel = (request.headers["user-agent"] ?? "").startsWith("jitsudo-cli") ? "cli" : "api"
        return yield* Effect.provideService(httpEffect, Api.Caller, {
          // As this token says, not a newer one of the same person.
          principal: { ...principal, authTime: identity.authTime, amr: identity.amr },
          sourceIp: address,
          channel,
          expiresAt: identity.expiresAt,
          authTime: identity.authTime
        })
      })
    })
  })
)
