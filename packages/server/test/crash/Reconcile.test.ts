/**
 * Two daemons on one PostgreSQL that both reconcile, several times a second: each difference is acted on by one of them,
 * and recorded once; what may be another installation's is left alone by both, until an administrator says so.
 */
import { appendFileSync } from "node:fs"
import * as PgClient from "@effect/sql-pg/PgClient"
import { isAlive, readTruth } from "@jitsudo/providers/mock"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { expect, it } from "vitest"
import { onPostgres, postgresUrl } from "../store/Suites.ts"
import * as Daemons from "./Daemons.ts"
import * as Judge from "./Judge.ts"
import * as TestPolicy from "./TestPolicy.ts"

const ours = "req_01J00000000000000000000001"
const nobodys = "req_01J00000000000000000000002"
const theirs = "req_01J00000000000000000000003"

/** For machines that are busy with something else, in milliseconds. */
const bound = 120_000

onPostgres("two daemons that reconcile one platform", () => {
  it(
    "act on each difference once, and leave to others what is theirs",
    async () => {
      const outcome = await Effect.gen(function* () {
        const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
        const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
        const place = yield* Daemons.makePlace({ url: appUrl, pool_size: 3 })
        const drill = { reconcileEveryMillis: 150, settings: { ...Daemons.shortLeases, orphanGraceSeconds: 1 } }
        const daemons = yield* Effect.all([place.start(drill), place.start(drill)], { concurrency: "unbounded" })
        const [first, second] = daemons
        yield* TestPolicy.install(place, first, appUrl)
        const word = yield* Effect.provide(
          SqlClient.SqlClient.use((sql) => sql<{ word: string }>`SELECT word FROM jitsudo.installation`),
          admin
        )
        const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
        const carol = yield* Effect.promise(() => place.people.token(TestPolicy.admin))
        const ask = { provider: "mock", role: "reader", resourceScope: "demo", durationSeconds: 3600 }
        const asked = yield* Daemons.answered(first.api, alice, "POST", "/requests", ask)
        const active = String(asked.body["id"])
        // On a busy machine another daemon may be the one that is asking the provider: what is removed must be there.
        yield* Daemons.until(
          "the grant that will be removed",
          Effect.map(Daemons.answered(first.api, alice, "GET", `/requests/${active}`), ({ body }) =>
            body["state"] === "ACTIVE" ? true : undefined
          )
        )

        const append = (event: object) => appendFileSync(place.files.state, `${JSON.stringify(event)}\n`)
        const now = Date.now()
        for (const [requestId, installation] of [
          [ours, word[0]?.word],
          [nobodys, undefined],
          [theirs, "elsewhere"]
        ] as const) {
          append({
            kind: "granted",
            requestId,
            resourceKey: "k",
            role: "reader",
            resourceScope: "demo",
            subject: "forgotten",
            issuedAt: now,
            notAfter: now + 3_600_000,
            token: "t",
            ...(installation === undefined ? {} : { installation })
          })
        }
        append({ kind: "ended", requestId: active, at: now })

        const alive = () =>
          readTruth(place.files.state)
            .filter((grant) => isAlive(grant, Date.now()))
            .map(({ requestId }) => requestId)
            .sort()
        yield* Daemons.until(
          "an end to the orphan",
          Effect.sync(() => (alive().includes(ours) ? undefined : true))
        )
        yield* Daemons.until(
          "the removed one in REVOKED",
          Effect.map(Daemons.answered(second.api, alice, "GET", `/requests/${active}`), ({ body }) =>
            body["state"] === "REVOKED" ? true : undefined
          )
        )
        yield* Effect.provide(Judge.quiet(), admin)
        const left = alive()
        const given = yield* Daemons.answered(second.api, carol, "POST", "/reconcile", {
          provider: "mock",
          takeBack: [nobodys]
        })
        yield* Effect.provide(Judge.quiet(), admin)
        const { entries } = yield* Effect.provide(Judge.judge(place.files.state), admin)
        const about = (id: string) =>
          entries.flatMap((entry) =>
            entry.details["orphan"] === id ? [[entry.action, entry.outcome, entry.actor.subject]] : []
          )
        return {
          left,
          given,
          afterwards: alive(),
          of: { ours: about(ours), nobodys: about(nobodys), theirs: about(theirs) },
          removed: entries.filter((entry) => entry.action === "grant.removed_externally").length,
          revoked: entries.filter((entry) => entry.action === "grant.revoked").length,
          runs: entries.filter((entry) => entry.action === "reconcile.run").map((entry) => entry.actor.subject),
          word: word[0]?.word
        }
      }).pipe(Effect.scoped, Effect.runPromise)
      expect(outcome.word).toMatch(/^[0-9a-f]{10}$/u)
      expect(outcome.left).toEqual([nobodys, theirs])
      expect(outcome.given.status).toBe(200)
      expect(outcome.given.body["takenBack"]).toEqual([nobodys])
      expect(outcome.afterwards).toEqual([theirs])
      expect(outcome.of.ours).toEqual([
        ["grant.orphan_found", "success", "system"],
        ["grant.taken_back", "success", "system"]
      ])
      expect(outcome.of.nobodys).toEqual([
        ["grant.orphan_found", "success", TestPolicy.admin.subject],
        ["grant.taken_back", "success", "system"]
      ])
      expect(outcome.of.theirs).toEqual([])
      expect([outcome.removed, outcome.revoked, outcome.runs]).toEqual([1, 1, [TestPolicy.admin.subject]])
    },
    bound
  )
})
