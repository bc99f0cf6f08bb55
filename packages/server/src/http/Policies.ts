/** Policies over HTTP: administrators change the set, auditors see it. */
import { Api } from "@jitsudo/client"
import { Access, ElevationError, PolicyAdmin, Settings, Transitions, type Principal } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { PolicyAuthoring } from "../policy/PolicyAuthoring.ts"
import { refuseAccess } from "./AccessRefused.ts"
import { toProblem } from "./Failure.ts"
import * as View from "./View.ts"

const auditorsOnly = ElevationError.refuse(
  "not_permitted",
  "policies are shown to administrators and auditors",
  "ask one of them"
)

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "policies",
  Effect.fn(function* (handlers) {
    const admin = yield* PolicyAdmin.PolicyAdmin
    const authoring = yield* PolicyAuthoring
    const settings = yield* Settings.Settings
    const transitions = yield* Transitions.Transitions

    const mustLook = (by: Principal.Principal): Effect.Effect<void, ElevationError.ElevationError> =>
      Access.isAuditor(by, settings) ? Effect.void : refuseAccess(transitions, by, auditorsOnly)

    const find = Effect.fnUntraced(function* (id: string) {
      const current = yield* admin.current
      const policy = current.policies.find((one) => one.id === id || one.name === id)
      if (policy === undefined) {
        return yield* ElevationError.decline(
          "not_found",
          `there is no policy ${JSON.stringify(id)}`,
          "`jitsudo policy list` shows them"
        )
      }
      return { current, policy }
    })

    return handlers.handleAll({
      list: Effect.fn(function* () {
        const by = yield* Api.Caller
        return yield* toProblem(
          Effect.gen(function* () {
            yield* mustLook(by.principal)
            const { policies, revision } = yield* admin.current
            return { revision: revision.number, hash: revision.hash, policies: policies.map(View.policyInfo) }
          })
        )
      }),
      get: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        return yield* toProblem(
          Effect.gen(function* () {
            yield* mustLook(by.principal)
            const { policy } = yield* find(params.id)
            return { ...View.policyInfo(policy), files: policy.files.map((file) => ({ ...file })) }
          })
        )
      }),
      apply: Effect.fn(function* ({ payload }) {
        const by = yield* Api.Caller
        return yield* toProblem(
          authoring.apply(by.principal, payload.policies, {
            replaceAll: payload.replaceAll ?? false,
            ...(payload.expectRevision === undefined ? {} : { expectRevision: payload.expectRevision })
          })
        )
      }),
      remove: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        return yield* toProblem(
          Effect.gen(function* () {
            yield* admin.mayChange(by.principal)
            const { policy } = yield* find(params.id)
            return yield* authoring.remove(by.principal, policy.name)
          })
        )
      }),
      evaluate: Effect.fn(function* ({ payload }) {
        const by = yield* Api.Caller
        return yield* toProblem(
          Effect.gen(function* () {
            yield* mustLook(by.principal)
            return yield* authoring.evaluate(payload)
          })
        )
      })
    })
  })
)
