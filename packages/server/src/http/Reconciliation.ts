/** Comparing the platforms with what is live here, over HTTP: for administrators, and an entry when anything is done. */
import { Api, type Dto } from "@jitsudo/client"
import {
  Access,
  ElevationError,
  type Principal,
  Provider,
  Reconciler,
  Records,
  Settings,
  Time,
  Transitions
} from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Result from "effect/Result"
import { refuseAccess } from "./AccessRefused.ts"
import { toProblem } from "./Failure.ts"

const mark = ({ installation, notAfter, requestId, resourceKey }: Provider.Tagged): typeof Dto.Mark.Type => ({
  requestId,
  resourceKey,
  installation: installation ?? null,
  notAfter: notAfter === null ? null : Time.toRfc3339(notAfter)
})

const shown = ({ provider, result }: Reconciler.Compared): typeof Dto.ProviderDifference.Type => {
  if (Result.isFailure(result)) {
    const nothing = { listing: true, orphans: [], unclaimed: [], foreign: [], removed: [] }
    return { provider, ...nothing, error: result.failure.message }
  }
  const { foreign, listing, orphans, removed, unclaimed } = result.success
  return {
    provider,
    listing,
    orphans: orphans.map(mark),
    unclaimed: unclaimed.map(mark),
    foreign: foreign.map(mark),
    removed: [...removed],
    error: null
  }
}

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "reconciliation",
  Effect.fn(function* (handlers) {
    const providers = yield* Provider.Providers
    const reconciler = yield* Reconciler.Reconciler
    const settings = yield* Settings.Settings
    const transitions = yield* Transitions.Transitions

    const mustAdminister = (by: Principal.Principal): Effect.Effect<void, ElevationError.ElevationError> =>
      Access.isAdmin(by, settings)
        ? Effect.void
        : refuseAccess(transitions, by, Access.adminRefusal("comparing platforms"))

    /** Those that were asked for: one, or all. */
    const chosen = (
      provider: string | undefined
    ): Effect.Effect<ReadonlyArray<string>, ElevationError.ElevationError> => {
      if (provider === undefined) return Effect.succeed(providers.names)
      if (providers.get(provider) !== undefined) return Effect.succeed([provider])
      return ElevationError.decline(
        "unknown_provider",
        `there is no provider ${JSON.stringify(provider)} here`,
        `there are: ${providers.names.join(", ")}`,
        { problems: [{ field: "provider", message: "is not configured here" }] }
      )
    }

    const answer = (
      compared: ReadonlyArray<typeof Dto.ProviderDifference.Type>,
      takenBack: ReadonlyArray<string>
    ): typeof Dto.Reconciliation.Type => ({
      installation: settings.installation,
      providers: compared,
      takenBack
    })

    const difference = Effect.fnUntraced(function* (by: Principal.Principal, provider: string | undefined) {
      yield* mustAdminister(by)
      const names = yield* chosen(provider)
      const compared = yield* Effect.forEach(
        names,
        (name) => Effect.map(Effect.result(reconciler.difference(name)), (result) => ({ provider: name, result })),
        { concurrency: 4 }
      )
      return answer(compared.map(shown), [])
    })

    const run = Effect.fnUntraced(function* (by: Principal.Principal, asked: typeof Dto.Reconcile.Type) {
      yield* mustAdminister(by)
      const names = yield* chosen(asked.provider)
      const requestIds = asked.takeBack ?? []
      const takenBack: Array<string> = []
      for (const provider of requestIds.length === 0 ? [] : names) {
        takenBack.push(...(yield* reconciler.takeBack({ by, provider, requestIds })))
      }
      const compared = (yield* reconciler.act(names)).map(shown)
      yield* transitions.state([
        Records.plain(
          Records.actorOf(by),
          "reconcile.run",
          compared.some((one) => one.error !== null) ? "failure" : "success",
          {
            providers: compared.map((one) => ({
              provider: one.provider,
              orphans: one.orphans.length,
              unclaimed: one.unclaimed.length,
              foreign: one.foreign.length,
              removed: [...one.removed],
              error: one.error
            })),
            takenBack
          }
        )
      ])
      return answer(compared, takenBack)
    })

    return handlers.handleAll({
      difference: Effect.fn(function* ({ query }) {
        const { principal } = yield* Api.Caller
        return yield* toProblem(difference(principal, query.provider))
      }),
      run: Effect.fn(function* ({ payload }) {
        const { principal } = yield* Api.Caller
        return yield* toProblem(run(principal, payload))
      })
    })
  })
)
