/** The committer on PostgreSQL: many at once, faulty steps, a full queue, lost replies, callers that go away. */
import type { Step } from "@jitsudo/core"
import { Store } from "@jitsudo/core"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as Committer from "../../src/store/Committer.ts"
import type { Database } from "../../src/store/Database.ts"
import * as Postgres from "../../src/store/Postgres.ts"
import * as CuttingProxy from "./CuttingProxy.ts"
import { entry, machineNow, newId, next, pending, stepAt, whyBroken } from "./Steps.ts"
import { full, onPostgres, postgresUrl } from "./Suites.ts"
import { storeAt } from "./workers/Connection.ts"

interface World {
  readonly test: TestDatabase.TestDatabase
  /** Superuser, to look and to stand in the way. */
  readonly admin: SqlClient.SqlClient
}

const scope = Scope.makeUnsafe()
let world: World | undefined

const opened = (): World => {
  if (world === undefined) throw new Error("the database was not opened")
  return world
}

const at = (url: string) => Postgres.layer({ url: Redacted.make(url) })

/** Runs with connections of the daemon's role. */
const run = <A, E>(effect: Effect.Effect<A, E, Database | Scope.Scope>, url = opened().test.appUrl): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.provide(at(url)), Effect.scoped))

const now = Effect.flatMap(Store.Store, (store) => Effect.map(store.facts({}), (facts) => facts.now)).pipe(
  Effect.provide(Layer.unwrap(Effect.sync(() => storeAt(opened().test.appUrl))))
)

const log = Effect.suspend(
  () => opened().admin<{ seq: bigint; step_id: string; payload: string; prev: string; hash: string }>`
    SELECT seq, step_id, payload, encode(prev_hash, 'hex') AS prev, encode(hash, 'hex') AS hash FROM jitsudo.audit ORDER BY seq`
)

const logIsWhole = Effect.map(log, (rows) => {
  expect(
    whyBroken(rows.map((row) => ({ seq: Number(row.seq), payload: row.payload, prevHash: row.prev, hash: row.hash })))
  ).toBe(null)
  return rows
})

const recorded = Effect.fnUntraced(function* (parts: Partial<Step.Step> = {}) {
  const instant = yield* now
  return stepAt(instant, { entries: [yield* entry(instant)], ...parts })
})

const failureOf = <A, E>(exit: Exit.Exit<A, E> | undefined): Effect.Effect<E> =>
  exit === undefined ? Effect.die("there is no such exit") : Effect.orDie(Effect.flip(exit))

/** Holds the head row from another session while `during` runs: every commit waits. */
const withHeadHeld = <A, E, R>(during: Effect.Effect<A, E, R>) =>
  Effect.suspend(() =>
    opened().admin.withTransaction(
      opened().admin`SELECT seq FROM jitsudo.audit_head FOR UPDATE`.pipe(Effect.andThen(during))
    )
  )

onPostgres("the committer", () => {
  beforeAll(async () => {
    world = await Effect.runPromise(
      Scope.provide(
        Effect.gen(function* () {
          const test = yield* TestDatabase.make(postgresUrl)
          const admin = yield* Layer.build(PgClient.layer({ url: Redacted.make(test.adminUrl), maxConnections: 2 }))
          return { test, admin: Context.get(admin, SqlClient.SqlClient) }
        }),
        scope
      )
    )
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  it("fifty committers with conflicting guards: every win is one version, the log has no gap, nothing deadlocks", () =>
    run(
      Effect.gen(function* () {
        const committers = yield* Effect.all(
          Array.from({ length: 50 }, () => Committer.make()),
          { concurrency: 10 }
        )
        const instant = yield* now
        const requests = Array.from({ length: 20 }, () => pending(instant))
        const [first] = committers
        if (first === undefined) return
        for (const request of requests) {
          yield* first.commit(yield* recorded({ writes: [{ kind: "request", expect: 0, next: request }] }))
        }
        const before = (yield* log).length
        const versions = new Map(requests.map((request) => [request.id, 1]))
        const rounds = full ? 40 : 8
        let won = 0
        let lost = 0
        const one = (committer: Committer.Committer, round: number) =>
          Effect.gen(function* () {
            const request = requests[(round * 7 + Math.floor(Math.random() * 3)) % requests.length]
            if (request === undefined) return
            const version = versions.get(request.id) ?? 0
            const step = stepAt(machineNow(), {
              guards: [
                { kind: "locks", revision: 0 },
                { kind: "request", id: request.id, version }
              ],
              writes: [{ kind: "request", expect: version, next: next({ ...request, version }, {}) }],
              entries: [
                yield* entry(instant, { requestId: request.id }),
                yield* entry(instant, { requestId: request.id })
              ]
            })
            yield* committer.commit(step).pipe(
              Effect.matchEffect({
                onSuccess: () =>
                  Effect.sync(() => {
                    won += 1
                    versions.set(request.id, Math.max(versions.get(request.id) ?? 0, version + 1))
                  }),
                onFailure: (failure) => {
                  if (failure._tag === "StoreError") return Effect.fail(failure)
                  expect(failure.conflict).toEqual({ kind: "request", id: request.id })
                  lost += 1
                  return Effect.void
                }
              })
            )
          })
        yield* Effect.forEach(
          committers,
          (committer) =>
            Effect.forEach(
              Array.from({ length: rounds }, (_, round) => round),
              (round) => one(committer, round)
            ),
          { concurrency: "unbounded", discard: true }
        ).pipe(Effect.catchTag("StoreError", Effect.die))
        const rows = yield* logIsWhole
        expect(won).toBeGreaterThan(0)
        expect(lost).toBeGreaterThan(0)
        expect(won + lost).toBe(50 * rounds)
        expect(rows.length - before).toBe(won * 2)
        const [stored] = yield* opened().admin<{ total: bigint; deadlocks: bigint }>`
          SELECT (SELECT sum(version - 1)::int8 FROM jitsudo.requests WHERE id = ANY(${requests.map((one) => one.id)})) AS total,
            (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()) AS deadlocks`
        expect(Number(stored?.total)).toBe(won)
        expect(Number(stored?.deadlocks)).toBe(0)
      })
    ))

  it("of a batch with one faulty step only that one fails", () =>
    run(
      Effect.gen(function* () {
        const committer = yield* Committer.make()
        const taken = yield* recorded()
        yield* committer.commit(taken)
        const good = yield* Effect.all(Array.from({ length: 20 }, () => recorded()))
        const faulty = yield* recorded({ entries: taken.entries })
        const steps = [...good.slice(0, 10), faulty, ...good.slice(10)]
        const exits = yield* withHeadHeld(
          Effect.gen(function* () {
            // The first step is sent alone and waits for the head; the others wait for it and become one batch.
            const fibers = yield* Effect.forEach(steps, (step) =>
              Effect.forkChild(committer.commit(step), { startImmediately: true })
            )
            yield* Effect.yieldNow
            return fibers
          })
        ).pipe(Effect.flatMap((fibers) => Effect.forEach(fibers, Fiber.await)))
        expect(exits.filter(Exit.isSuccess).length).toBe(20)
        const failed = exits[steps.indexOf(faulty)]
        expect(failed !== undefined && Exit.isFailure(failed)).toBe(true)
        const error = yield* failureOf(failed)
        expect(error).toMatchObject({ _tag: "StoreError", reason: "invalid", outcome: "none", retryable: false })
        const rows = yield* logIsWhole
        for (const step of good) expect(rows.filter((row) => row.step_id === step.id).length).toBe(1)
        expect(rows.filter((row) => row.step_id === faulty.id).length).toBe(0)
      })
    ))

  it("a step beyond the queue is refused at once, and those in the queue are committed", () =>
    run(
      Effect.gen(function* () {
        const committer = yield* Committer.make({ capacity: 4, batchSize: 1 })
        const steps = yield* Effect.all(Array.from({ length: 6 }, () => recorded()))
        const fibers = yield* withHeadHeld(
          Effect.gen(function* () {
            const [first, ...others] = steps
            if (first === undefined) return []
            const sent = [yield* Effect.forkChild(committer.commit(first), { startImmediately: true })]
            // The first leaves the queue when it is sent.
            yield* Effect.sync(() => committer.load().waiting).pipe(
              Effect.repeat({ until: (waiting) => waiting === 0, schedule: Schedule.spaced("5 millis") })
            )
            for (const step of others)
              sent.push(yield* Effect.forkChild(committer.commit(step), { startImmediately: true }))
            return sent
          })
        )
        const exits = yield* Effect.forEach(fibers, Fiber.await)
        expect(exits.slice(0, 5).every(Exit.isSuccess)).toBe(true)
        const error = yield* failureOf(exits[5])
        expect(error).toMatchObject({ _tag: "StoreError", reason: "overloaded", outcome: "none", retryable: true })
      })
    ))

  it("a caller that goes away does not withdraw its step", () =>
    run(
      Effect.gen(function* () {
        const committer = yield* Committer.make()
        const step = yield* recorded()
        yield* withHeadHeld(
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(committer.commit(step), { startImmediately: true })
            yield* Fiber.interrupt(fiber)
          })
        )
        // The next step is answered after it: the committer takes them in order.
        yield* committer.commit(yield* recorded())
        expect((yield* logIsWhole).filter((row) => row.step_id === step.id).length).toBe(1)
      })
    ))

  it("closing the scope finishes what was taken", () =>
    Effect.gen(function* () {
      const closing = yield* Scope.make()
      const committer = yield* Scope.provide(Committer.make(), closing).pipe(Effect.provide(at(opened().test.appUrl)))
      const steps = yield* Effect.all(Array.from({ length: 30 }, () => recorded()))
      const fibers = yield* Effect.forEach(steps, (step) =>
        Effect.forkChild(committer.commit(step), { startImmediately: true })
      )
      yield* Scope.close(closing, Exit.void)
      const exits = yield* Effect.forEach(fibers, Fiber.await)
      expect(exits.every(Exit.isSuccess)).toBe(true)
      const error = yield* Effect.flip(committer.commit(yield* recorded()))
      expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable", outcome: "none" })
    }).pipe(Effect.scoped, Effect.runPromise))

  const throughProxy = <A, E>(
    marker: string,
    use: (proxy: CuttingProxy.CuttingProxy, url: string) => Effect.Effect<A, E, Scope.Scope>
  ) =>
    Effect.gen(function* () {
      const url = new URL(opened().test.appUrl)
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => CuttingProxy.start(Number(url.port), marker)),
        (one) => Effect.promise(one.stop)
      )
      url.port = String(proxy.port)
      return yield* use(proxy, url.toString())
    }).pipe(Effect.scoped, Effect.runPromise)

  it.each(["reply", "statement"] as const)(
    "a lost %s: the step is committed once, and the caller has its receipt",
    (fault) => {
      const id = newId("stp")
      return throughProxy(id, (proxy, url) =>
        Effect.gen(function* () {
          const committer = yield* Committer.make()
          yield* committer.commit(yield* recorded())
          proxy.arm(fault)
          const others = yield* Effect.all(Array.from({ length: 5 }, () => recorded()))
          const step = yield* recorded({ id })
          const [receipt] = yield* Effect.all([step, ...others].map(committer.commit), { concurrency: "unbounded" })
          expect(proxy.struck()).toBe(1)
          const rows = yield* logIsWhole
          expect(
            rows.filter((row) => row.step_id === id).map((row) => ({ seq: Number(row.seq), hash: row.hash }))
          ).toEqual(receipt?.entries)
          expect(receipt?.entries.length).toBe(1)
          for (const other of others) expect(rows.filter((row) => row.step_id === other.id).length).toBe(1)
        }).pipe(Effect.provide(at(url)))
      )
    }
  )

  it("when no connection comes back the outcome is unknown, and the same step may be given again", () => {
    const id = newId("stp")
    return throughProxy(id, (proxy, url) =>
      Effect.gen(function* () {
        const committer = yield* Committer.make()
        const step = yield* recorded({ id })
        yield* committer.commit(yield* recorded())
        const failing = yield* withHeadHeld(
          Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(committer.commit(step), { startImmediately: true })
            // Sent, and waiting in the database for the head.
            yield* opened().admin<{ waiting: bigint }>`
              SELECT count(*) AS waiting FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%commit_steps%'`.pipe(
              Effect.repeat({ until: ([row]) => Number(row?.waiting) > 0, schedule: Schedule.spaced("10 millis") })
            )
            proxy.arm("all")
            return fiber
          })
        )
        const error = yield* Effect.flip(yield* Fiber.await(failing))
        expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable", outcome: "unknown", retryable: true })
        proxy.arm(undefined)
        const receipt = yield* Effect.flatMap(Store.Store, (store) => store.commit({ ...step })).pipe(
          Effect.provide(storeAt(opened().test.appUrl)),
          Effect.catchTag("StepConflict", Effect.die)
        )
        const rows = yield* logIsWhole
        expect(rows.filter((row) => row.step_id === id).map((row) => Number(row.seq))).toEqual(
          receipt.entries.map((one) => one.seq)
        )
        expect(receipt.entries.length).toBe(1)
      }).pipe(Effect.provide(at(url)))
    )
  })

  it("an unreachable database is unavailable with nothing written, and says neither host nor statement", () =>
    run(
      Effect.gen(function* () {
        const committer = yield* Committer.make()
        const error = yield* Effect.flip(committer.commit(yield* recorded()))
        expect(error).toMatchObject({ _tag: "StoreError", reason: "unavailable", outcome: "none", retryable: true })
        expect(error.message).not.toMatch(/127\.0\.0\.1|SELECT|nobody|postgres:/u)
      }),
      "postgres://nobody:secret@127.0.0.1:1/none"
    ))
})
