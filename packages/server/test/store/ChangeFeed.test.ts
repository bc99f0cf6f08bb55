/** Who is told of commits: by LISTEN at once, by the poll where LISTEN is not, and again after the listener was lost. */
import { Store } from "@jitsudo/core"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { expect, it } from "vitest"
import * as ChangeFeed from "../../src/store/ChangeFeed.ts"
import * as Postgres from "../../src/store/Postgres.ts"
import { entry, pending, stepAt } from "./Steps.ts"
import { onPostgres, postgresUrl } from "./Suites.ts"
import { storeAt } from "./workers/Connection.ts"

/** Commits requests through another instance until the feed names one that was committed after it was asked. */
const hears = (feed: Stream.Stream<Store.Change>, appUrl: string) =>
  Effect.gen(function* () {
    const store = yield* Store.Store
    const committed = new Set<string>()
    const heard = yield* feed.pipe(
      Stream.filter((change) => change.requestIds.some((id) => committed.has(id))),
      Stream.take(1),
      Stream.runCollect,
      Effect.forkChild({ startImmediately: true })
    )
    const commit = Effect.gen(function* () {
      const { now } = yield* store.facts({})
      const request = pending(now)
      committed.add(request.id)
      yield* store.commit(
        stepAt(now, {
          writes: [{ kind: "request", expect: 0, next: request }],
          entries: [yield* entry(now, { requestId: request.id })]
        })
      )
    })
    yield* commit.pipe(
      Effect.repeat({ until: () => heard.pollUnsafe() !== undefined, schedule: Schedule.spaced("50 millis") }),
      Effect.timeout("30 seconds")
    )
    return yield* Fiber.join(heard)
  }).pipe(Effect.provide(storeAt(appUrl)))

const withFeed = <A, E>(
  options: { readonly pooled?: boolean; readonly pollMillis: number },
  use: (feed: Stream.Stream<Store.Change>, database: TestDatabase.TestDatabase) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.gen(function* () {
    const database = yield* TestDatabase.make(postgresUrl)
    const url = Redacted.make(database.appUrl)
    const connections = yield* Layer.build(Postgres.layer({ url, pooled: options.pooled ?? false }))
    const feed = yield* ChangeFeed.make({ pollMillis: options.pollMillis }).pipe(Effect.provideContext(connections))
    return yield* use(feed, database)
  }).pipe(Effect.scoped, Effect.runPromise)

const never = 3_600_000

onPostgres("changes", () => {
  it("come by LISTEN, without the poll", () =>
    withFeed({ pollMillis: never }, (feed, { appUrl }) =>
      Effect.map(hears(feed, appUrl), (changes) => expect(changes).toMatchObject([{ policy: false, jobs: false }]))
    ))

  it("come by the poll behind a pooler, where nobody can listen", () =>
    withFeed({ pollMillis: 50, pooled: true }, (feed, { appUrl }) =>
      Effect.map(hears(feed, appUrl), (changes) => expect(changes.length).toBe(1))
    ))

  it("come again after the listener's session was ended", () =>
    withFeed({ pollMillis: never }, (feed, { adminUrl, appUrl }) =>
      Effect.gen(function* () {
        yield* hears(feed, appUrl)
        const ended = yield* SqlClient.SqlClient.use(
          (sql) => sql<{ ended: boolean }>`
            SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%'`
        ).pipe(Effect.provide(PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })))
        expect(ended.length).toBeGreaterThan(0)
        yield* hears(feed, appUrl)
      })
    ))
})
