/** Principals and locks over HTTP. */
import { Api, type Dto } from "@jitsudo/client"
import { ElevationError, Lock, Principal, Principals, Settings } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { toProblem } from "./Failure.ts"
import * as View from "./View.ts"

/**
 * Somebody named by `issuer#subject`, or by an e-mail address that exactly one known principal has. The address only
 * finds; what is done is done to the key.
 */
export const resolve = (by: Principal.Principal, identity: string) =>
  Effect.gen(function* () {
    const hash = identity.lastIndexOf("#")
    if (hash > 0 && hash < identity.length - 1) {
      return { issuer: identity.slice(0, hash), subject: identity.slice(hash + 1) }
    }
    if (by.email !== null && identity.toLowerCase() === by.email) return { issuer: by.issuer, subject: by.subject }
    const principals = yield* Principals.Principals
    const found = yield* principals.list(by, { email: identity.toLowerCase(), limit: 2 })
    const [one, another] = found.items
    if (one === undefined) {
      return yield* ElevationError.decline(
        "not_found",
        `nobody is known as ${JSON.stringify(identity)}`,
        "name them as issuer#subject; principals are known from their first sign-in on"
      )
    }
    if (another !== undefined) {
      return yield* ElevationError.decline(
        "invalid_input",
        `several principals have the address ${identity}`,
        "name one as issuer#subject"
      )
    }
    return { issuer: one.issuer, subject: one.subject }
  })

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "principals",
  Effect.fn(function* (handlers) {
    const principals = yield* Principals.Principals
    const settings = yield* Settings.Settings
    const named = (by: Principal.Principal, identity: string) =>
      Effect.provideService(resolve(by, identity), Principals.Principals, principals)

    return handlers.handleAll({
      me: Effect.fn(function* () {
        const by = yield* Api.Caller
        return View.whoAmI(yield* toProblem(principals.get(by.principal, by.principal)), settings)
      }),
      list: Effect.fn(function* ({ query }) {
        const by = yield* Api.Caller
        const page = yield* toProblem(
          principals.list(by.principal, {
            limit: query.limit ?? 50,
            ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
            ...(query.email === undefined ? {} : { email: query.email })
          })
        )
        return { items: page.items.map(View.principal), nextCursor: page.nextCursor }
      }),
      get: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        return View.principal(
          yield* toProblem(
            Effect.flatMap(named(by.principal, params.identity), (key) => principals.get(by.principal, key))
          )
        )
      }),
      setTrustTier: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return View.principal(
          yield* toProblem(
            Effect.flatMap(named(by.principal, params.identity), (key) =>
              principals.setTrust(by.principal, key, { tier: payload.trustTier, notes: payload.notes ?? "" })
            )
          )
        )
      }),
      setOwner: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        return View.principal(
          yield* toProblem(
            Effect.gen(function* () {
              const key = yield* named(by.principal, params.identity)
              const owner = yield* named(by.principal, payload.owner)
              return yield* principals.setOwner(by.principal, key, owner)
            })
          )
        )
      })
    })
  })
)

export const locksNoDeps = HttpApiBuilder.group(
  Api.Api,
  "locks",
  Effect.fn(function* (handlers) {
    const principals = yield* Principals.Principals

    const targetOf = (
      by: Principal.Principal,
      target: typeof Dto.LockTarget.Type
    ): Effect.Effect<Lock.LockTarget, ElevationError.ElevationError> =>
      target.kind === "principal"
        ? Effect.map(
            Effect.provideService(resolve(by, target.identity), Principals.Principals, principals),
            (principal) => ({ kind: "principal", principal })
          )
        : Effect.succeed(target)

    return handlers.handleAll({
      list: Effect.fn(function* () {
        const by = yield* Api.Caller
        const locks = yield* toProblem(principals.locks(by.principal))
        return locks.active.map(View.lock)
      }),
      create: Effect.fn(function* ({ payload }) {
        const by = yield* Api.Caller
        const created = yield* toProblem(
          Effect.flatMap(targetOf(by.principal, payload.target), (target) =>
            principals.lock(by.principal, target, payload.reason)
          )
        )
        return View.lock(created)
      }),
      remove: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        yield* toProblem(principals.unlock(by.principal, params.id))
      })
    })
  })
)
