/** What the SQL store promises beyond the contracts, on PostgreSQL under the daemon's own role. */
import { AuditChain, Job, Store } from "@jitsudo/core"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect, it } from "vitest"
import * as SqlAuditChain from "../../src/store/SqlAuditChain.ts"
import * as SqlJobs from "../../src/store/SqlJobs.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import { entry, job, next, nowOf, pending, person, stepAt, whyBroken } from "./Steps.ts"
import { onPostgres, postgresUrl } from "./Suites.ts"

const world = () =>
  Layer.mergeAll(SqlStore.layer(), SqlJobs.layer, SqlAuditChain.layer).pipe(
    Layer.provideMerge(TestDatabase.layer(postgresUrl))
  )

onPostgres("the SQL store", () => {
  it("keeps a request, its job, its entries and their texts from one step", () =>
    Effect.gen(function* () {
      const store = yield* Store.Store
      const now = yield* nowOf(store)
      const request = pending(now)
      const drafts = [
        yield* entry(now, { requestId: request.id, texts: { reason: "because" } }),
        yield* entry(now, { action: "request.routed", requestId: request.id })
      ]
      const step = stepAt(now, {
        guards: [
          { kind: "locks", revision: 0 },
          { kind: "policy", revision: 0 }
        ],
        writes: [
          { kind: "request", expect: 0, next: request },
          { kind: "principal", expect: 0, next: person("ana", now) }
        ],
        entries: drafts,
        jobs: [job("deadline:1", now, { requestId: request.id, kind: "deadline" })]
      })
      const receipt = yield* store.commit(step)
      expect(receipt.entries.map((one) => one.seq)).toEqual([1, 2])
      expect(yield* store.commit(step)).toEqual(receipt)
      const facts = yield* store.facts({
        requestId: request.id,
        principals: [request.requester],
        history: { principal: request.requester, provider: "mock", role: "reader", resourceScope: "project/checkout" }
      })
      expect(facts.request).toEqual(request)
      expect([...facts.principals.values()]).toEqual([person("ana", now)])
      const approved = next(request, { state: "APPROVED", updatedAt: now })
      const stale = yield* Effect.flip(
        store.commit(stepAt(now, { writes: [{ kind: "request", expect: 5, next: { ...approved, version: 6 } }] }))
      )
      expect(stale).toMatchObject({ conflict: { kind: "request", id: request.id } })
      yield* store.commit(stepAt(now, { writes: [{ kind: "request", expect: 1, next: approved }] }))
      const chain = yield* AuditChain.AuditChain
      const rows = yield* chain.read({ limit: 10, order: "oldest" })
      expect(whyBroken(rows)).toBe(null)
      expect(rows.map((row) => row.texts)).toEqual(drafts.map((draft) => draft.texts))
      const jobs = yield* Job.Jobs
      const [claimed] = yield* jobs.claim({ holder: "test", limit: 5, leaseSeconds: 10 })
      expect(claimed).toMatchObject({ id: "deadline:1", attempts: 1 })
      expect(yield* jobs.claim({ holder: "test", limit: 5, leaseSeconds: 10 })).toEqual([])
    }).pipe(Effect.provide(world()), Effect.runPromise))
})
