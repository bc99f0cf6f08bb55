/**
 * Builds that are wrong on purpose. A suite that ends with `0 bad` runs against one of these too, and must count more.
 */
import { Job, Provider, type Step, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { randomBytes } from "node:crypto"
import type { Fault } from "./Drill.ts"

type Commit = Store.Store["Service"]["commit"]

const committing = (change: (commit: Commit, store: Store.Store["Service"]) => Commit) =>
  Layer.effect(
    Store.Store,
    Effect.map(Store.Store, (store) => Store.Store.of({ ...store, commit: change(store.commit, store) }))
  )

const without = (...kinds: ReadonlyArray<Step.Guard["kind"]>) =>
  committing(
    (commit) => (step) => commit({ ...step, guards: step.guards.filter((guard) => !kinds.includes(guard.kind)) })
  )

const neverLost = Layer.effect(
  Job.Jobs,
  Effect.map(Job.Jobs, (jobs) => Job.Jobs.of({ ...jobs, renew: () => Effect.succeed(true) }))
)

/** The version that a write expects is the one that is there, whatever it was decided on. */
const overwriting = committing((commit, store) => {
  const again: Commit = (step) =>
    commit(step).pipe(
      Effect.catchTag("StepConflict", (lost) => {
        const { conflict } = lost
        if (conflict.kind !== "request") return Effect.fail(lost)
        return Effect.flatMap(store.request(conflict.id), (found) =>
          Option.isNone(found)
            ? Effect.fail(lost)
            : again({
                ...step,
                writes: step.writes.map((write) =>
                  write.kind === "request" && write.next.id === conflict.id
                    ? {
                        ...write,
                        expect: found.value.version,
                        next: { ...write.next, version: found.value.version + 1 }
                      }
                    : write
                )
              })
        )
      })
    )
  return again
})

const dropping = committing(
  (commit) => (step) => commit(step.entries.length > 1 ? { ...step, entries: step.entries.slice(0, -1) } : step)
)

const unswept = committing(
  (commit) => (step) => commit({ ...step, jobs: step.jobs.filter((job) => !job.id.includes(":sweep:")) })
)

const named = (reference: Provider.EndRequest["reference"], requestId: string): string => {
  const id = reference?.["mock"]
  return typeof id === "string" ? id : requestId
}

const forgetful = (provider: Provider.Provider): Provider.Provider => ({
  ...provider,
  grant: (request) =>
    provider.grant({ ...request, requestId: `${request.requestId}~${randomBytes(4).toString("hex")}` }),
  end: (request) => provider.end({ ...request, requestId: named(request.reference, request.requestId) })
})

const notIdempotent = Layer.effect(
  Provider.Providers,
  Effect.map(Provider.Providers, (providers) => ({
    names: providers.names,
    get: (name: string) => {
      const provider = providers.get(name)
      return provider === undefined ? undefined : forgetful(provider)
    }
  }))
)

/** Nothing where no fault is asked for. */
export const layer = (
  fault: Fault | undefined
): Layer.Layer<never, never, Store.Store | Job.Jobs | Provider.Providers> => {
  switch (fault) {
    case undefined:
      return Layer.empty
    case "leases-unguarded":
      return Layer.merge(without("lease"), neverLost)
    case "facts-unguarded":
      return without("policy", "locks", "principal")
    case "races-overwritten":
      return overwriting
    case "grants-not-idempotent":
      return notIdempotent
    case "entries-dropped":
      return dropping
    case "sweeps-dropped":
      return unswept
  }
}
