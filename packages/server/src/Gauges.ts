/** What an operator watches, read from the database every few seconds: work that waits, endings in trouble, heads. */
import { AuditChain, Job, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

const jobs = Metric.gauge("jitsudo_jobs", { description: "Durable jobs by kind and state" })
const attention = Metric.gauge("jitsudo_endings_needing_attention", {
  description: "Grants that could not be taken back yet and need somebody"
})
const live = Metric.gauge("jitsudo_requests_live", { description: "Requests by live state" })
const auditHead = Metric.gauge("jitsudo_audit_head", { description: "Sequence number of the newest audit entry" })
const policyRevision = Metric.gauge("jitsudo_policy_revision", { description: "Current policy revision" })

const kindsOf = (all: Readonly<Record<Job.JobKind, true>>): ReadonlyArray<string> => Object.keys(all)
const kinds = kindsOf({
  grant: true,
  end: true,
  expire: true,
  deadline: true,
  notify: true,
  lock_sweep: true,
  review: true
})

const read = Effect.gen(function* () {
  const store = yield* Store.Store
  const queue = yield* Job.Jobs
  const chain = yield* AuditChain.AuditChain
  const counted = new Map((yield* queue.counts).map((row) => [row.kind as string, row]))
  for (const kind of kinds) {
    for (const state of ["ready", "leased", "dead"] as const) {
      // Of a kind that is gone there are none, not as many as there were.
      yield* Metric.update(Metric.withAttributes(jobs, { kind, state }), counted.get(kind)?.[state] ?? 0)
    }
  }
  const counts = { APPROVED: 0, ACTIVE: 0, ENDING: 0 }
  let troubled = 0
  let cursor: string | undefined
  do {
    const page = yield* store.live({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    for (const request of page.items) {
      if (request.state === "APPROVED" || request.state === "ACTIVE" || request.state === "ENDING")
        counts[request.state]++
      if (request.ending?.needsAttention === true) troubled++
    }
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  for (const [state, count] of Object.entries(counts))
    yield* Metric.update(Metric.withAttributes(live, { state }), count)
  yield* Metric.update(attention, troubled)
  yield* Metric.update(auditHead, (yield* chain.head).seq)
  yield* Metric.update(policyRevision, (yield* store.policies()).revision.number)
})

export const layer: Layer.Layer<never, never, Store.Store | Job.Jobs | AuditChain.AuditChain> = Layer.effectDiscard(
  Effect.forkScoped(
    Effect.forever(
      read.pipe(
        Effect.catch((error) => Effect.logWarning(`the gauges could not be read: ${error._tag}`)),
        Effect.andThen(Effect.sleep("15 seconds"))
      )
    )
  )
)
