/** Policy as the daemon serves it: revisions from the store, evaluated in threads, a new one loaded before it is asked. */
import type { Notification, Policy } from "@jitsudo/core"
import { Records, Store, Transitions } from "@jitsudo/core"
import { ServedPolicies } from "@jitsudo/rego"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"

const cuts = Metric.counter("jitsudo_policy_over_budget_total", {
  description: "Evaluations that were cut because they took too long",
  incremental: true
})

/** Policies that were cut, by name and revision, until somebody wrote it down. */
export class OverBudget extends Context.Service<
  OverBudget,
  Queue.Queue<{ readonly policy: string; readonly revision: string }>
>()("@jitsudo/server/OverBudget") {}

export const layer = (options: {
  readonly budget: Duration.Duration
}): Layer.Layer<Policy.Policy | OverBudget, never, Store.Store> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const store = yield* Store.Store
      const queue = yield* Queue.sliding<{ readonly policy: string; readonly revision: string }>(256)
      return Layer.merge(
        Layer.succeed(OverBudget, queue),
        ServedPolicies.layer({
          budgetMillis: Duration.toMillis(options.budget),
          load: (revision) => Effect.map(store.policies(revision), ({ policies }) => policies),
          onOverBudget: (policy, revision) => {
            Queue.offerUnsafe(queue, { policy, revision })
          }
        })
      )
    })
  )

/** At most one alert of a policy and hour: a slow policy is slow for every request. */
const hourOf = (now: number): number => Math.floor(now / 3_600_000)

/** Every cut is an entry and counted; each policy alerts once an hour. */
export const layerAlerts: Layer.Layer<never, never, OverBudget | Transitions.Transitions> = Layer.effectDiscard(
  Effect.gen(function* () {
    const queue = yield* OverBudget
    const transitions = yield* Transitions.Transitions
    const write = Effect.fnUntraced(function* (cut: { readonly policy: string; readonly revision: string }) {
      yield* Metric.update(cuts, 1)
      const { now } = yield* transitions.facts({})
      yield* transitions.commit({
        now,
        records: [
          Records.plain(Records.systemActor, "policy.over_budget", "failure", {
            policy: cut.policy,
            revision: Number(cut.revision)
          })
        ],
        jobs: [
          {
            id: `policy-budget:${cut.policy}:${cut.revision}:${hourOf(now)}`,
            kind: "notify",
            requestId: null,
            serialKey: null,
            runAt: now,
            after: null,
            payload: {
              event: "policy_over_budget" satisfies Notification.NotificationEvent,
              facts: { policy: cut.policy, revision: Number(cut.revision) }
            }
          }
        ]
      })
    })
    yield* Effect.forkScoped(
      Effect.forever(
        Effect.flatMap(Queue.take(queue), (cut) =>
          Effect.catch(write(cut), (error) =>
            Effect.logWarning(`policy ${cut.policy} was cut; it could not be recorded: ${error._tag}`)
          )
        )
      )
    )
  })
)
