/** Principals and locks over HTTP. */
import { Api, type Dto } from "@jitsudo/client"
import type { Lock } from "@jitsudo/core"
import { Access, ElevationError, Principal, Principals, Settings, Store, Transitions } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { refuseAccess } from "./AccessRefused.ts"
import { withCursor } from "./Cursors.ts"
import { toProblem } from "./Failure.ts"
import * as View from "./View.ts"

const auditorsOnly = ElevationError.refuse(
  "not_permitted",
  "this is for administrators and auditors",
  "ask one of them; `jitsudo whoami` shows yourself"
)

/** What both groups of endpoints ask about who calls, and about who is named. */
const standing = Effect.gen(function* () {
  const principals = yield* Principals.Principals
  const settings = yield* Settings.Settings
  const transitions = yield* Transitions.Transitions

  /** Before anybody is looked up: who may not ask does not learn who is known. */
  const mustAudit = (by: Principal.Principal): Effect.Effect<void, ElevationError.ElevationError> =>
    Access.isAuditor(by, settings) ? Effect.void : refuseAccess(transitions, by, auditorsOnly)

  const mustAdminister = (
    by: Principal.Principal,
    what: string,
    action: "principal.refused" | "lock.refused"
  ): Effect.Effect<void, ElevationError.ElevationError> =>
    Access.isAdmin(by, settings) ? Effect.void : refuseAccess(transitions, by, Access.adminRefusal(what), action)

  /**
   * Somebody named by `issuer#subject`, or by an e-mail address that exactly one known principal has. The address only
   * finds; what is done is done to the key. An issuer has no `#` (OpenID Connect Core, section 2), a subject may.
   */
  const named = Effect.fnUntraced(function* (by: Principal.Principal, identity: string) {
    const hash = identity.indexOf("#")
    if (hash > 0 && hash < identity.length - 1) {
      return { issuer: identity.slice(0, hash), subject: identity.slice(hash + 1) }
    }
    const found = yield* principals.list(by, { email: identity.toLowerCase(), limit: 2 })
    const [one, another] = found.items
    if (one === undefined) {
      return yield* ElevationError.decline(
        "not_found",
        `nobody is known as ${JSON.stringify(identity.slice(0, 200))}`,
        "name them as issuer#subject; principals are known from their first sign-in on"
      )
    }
    if (another !== undefined) {
      return yield* ElevationError.decline(
        "invalid_input",
        `several principals have the address ${JSON.stringify(identity.slice(0, 200))}`,
        "name one as issuer#subject"
      )
    }
    return { issuer: one.issuer, subject: one.subject }
  })

  return { principals, settings, mustAudit, mustAdminister, named }
})

const isSelf = (by: Principal.Principal, identity: string): boolean =>
  identity === Principal.keyOf(by) || (by.email !== null && identity.toLowerCase() === by.email)

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "principals",
  Effect.fn(function* (handlers) {
    const { mustAdminister, mustAudit, named, principals, settings } = yield* standing
    const store = yield* Store.Store

    return handlers.handleAll({
      me: Effect.fn(function* () {
        const by = yield* Api.Caller
        return View.whoAmI(yield* toProblem(principals.get(by.principal, by.principal)), settings)
      }),
      list: Effect.fn(function* ({ query }) {
        const by = yield* Api.Caller
        const page = yield* toProblem(
          Effect.andThen(
            mustAudit(by.principal),
            withCursor(
              principals.list(by.principal, {
                limit: query.limit ?? 50,
                ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
                ...(query.email === undefined ? {} : { email: query.email.toLowerCase() })
              }),
              query.cursor,
              (cursor) => store.principals({ limit: 1, cursor })
            )
          )
        )
        return { items: page.items.map(View.principal), nextCursor: page.nextCursor }
      }),
      get: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        const found = Effect.gen(function* () {
          if (!Access.isAuditor(by.principal, settings) && isSelf(by.principal, params.identity)) {
            return yield* principals.get(by.principal, by.principal)
          }
          yield* mustAudit(by.principal)
          return yield* principals.get(by.principal, yield* named(by.principal, params.identity))
        })
        return View.principal(yield* toProblem(found))
      }),
      setTrustTier: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        const changed = Effect.gen(function* () {
          yield* mustAdminister(by.principal, "changing a trust tier", "principal.refused")
          const key = yield* named(by.principal, params.identity)
          return yield* principals.setTrust(by.principal, key, {
            tier: payload.trustTier,
            notes: payload.notes ?? ""
          })
        })
        return View.principal(yield* toProblem(changed))
      }),
      setOwner: Effect.fn(function* ({ params, payload }) {
        const by = yield* Api.Caller
        const changed = Effect.gen(function* () {
          yield* mustAdminister(by.principal, "changing an owner", "principal.refused")
          const key = yield* named(by.principal, params.identity)
          const owner = yield* named(by.principal, payload.owner)
          return yield* principals.setOwner(by.principal, key, owner)
        })
        return View.principal(yield* toProblem(changed))
      })
    })
  })
)

export const locksNoDeps = HttpApiBuilder.group(
  Api.Api,
  "locks",
  Effect.fn(function* (handlers) {
    const { mustAdminister, mustAudit, named, principals } = yield* standing

    const targetOf = (
      by: Principal.Principal,
      target: typeof Dto.LockTarget.Type
    ): Effect.Effect<Lock.LockTarget, ElevationError.ElevationError> =>
      target.kind === "principal"
        ? Effect.map(named(by, target.identity), (principal) => ({ kind: "principal", principal }))
        : Effect.succeed(target)

    return handlers.handleAll({
      list: Effect.fn(function* () {
        const by = yield* Api.Caller
        const locks = yield* toProblem(Effect.andThen(mustAudit(by.principal), principals.locks(by.principal)))
        return locks.active.map(View.lock)
      }),
      create: Effect.fn(function* ({ payload }) {
        const by = yield* Api.Caller
        const created = Effect.gen(function* () {
          yield* mustAdminister(by.principal, "locking", "lock.refused")
          const target = yield* targetOf(by.principal, payload.target)
          return yield* principals.lock(by.principal, target, payload.reason)
        })
        return View.lock(yield* toProblem(created))
      }),
      remove: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        yield* toProblem(
          Effect.andThen(
            mustAdminister(by.principal, "unlocking", "lock.refused"),
            principals.unlock(by.principal, params.id)
          )
        )
      })
    })
  })
)
