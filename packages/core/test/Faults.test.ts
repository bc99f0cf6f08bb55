/** Both sides of every fault, over the memory store. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { AuditChain } from "../src/AuditChain.ts"
import { Jobs } from "../src/Job.ts"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import type { Step } from "../src/Step.ts"
import { StepConflict, Store, StoreError } from "../src/Store.ts"
import { Faults, over } from "../src/testing/Faults.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import { layerTestClock } from "../src/testing/PassingTime.ts"

const step = (n: number, more: Partial<Step> = {}): Step => ({
  id: Fixtures.id("stp", n),
  now: Fixtures.monday,
  guards: [],
  writes: [],
  entries: [{ id: Fixtures.id("ent", n), payload: `{"n":${n}}`, texts: [] }],
  jobs: [],
  ...more
})

const world = Layer.merge(over(MemoryStore.layer), layerTestClock)

const onFaults = (
  name: string,
  body: (ports: {
    readonly faults: Faults["Service"]
    readonly store: Store["Service"]
    readonly jobs: Jobs["Service"]
    readonly written: Effect.Effect<number, unknown>
  }) => Effect.Effect<void, unknown>
) =>
  it.effect(name, () =>
    Effect.gen(function* () {
      const chain = yield* AuditChain
      const written = Effect.map(chain.head, (head) => head.seq)
      yield* body({ faults: yield* Faults, store: yield* Store, jobs: yield* Jobs, written })
    }).pipe(Effect.provide(world))
  )

describe("a fault", () => {
  onFaults("before a commit changes nothing and says so", ({ faults, store, written }) =>
    Effect.gen(function* () {
      yield* faults.next("commit", "failBefore")
      const error = yield* Effect.flip(store.commit(step(1)))
      assert(error instanceof StoreError)
      assert.deepStrictEqual([error.outcome, error.retryable, yield* written], ["none", true, 0])
      yield* store.commit(step(1))
      assert.strictEqual(yield* written, 1)
    })
  )

  onFaults(
    "after a commit leaves its outcome unknown; the same step then gives its receipt",
    ({ faults, store, written }) =>
      Effect.gen(function* () {
        yield* faults.next("commit", "failAfter")
        const error = yield* Effect.flip(store.commit(step(1)))
        assert(error instanceof StoreError)
        assert.deepStrictEqual([error.outcome, yield* written], ["unknown", 1])
        const receipt = yield* store.commit(step(1))
        assert.deepStrictEqual([receipt.entries.map((entry) => entry.seq), yield* written], [[1], 1])
      })
  )

  onFaults("that hangs never answers, before or after the work", ({ faults, store, written }) =>
    Effect.gen(function* () {
      for (const [fault, expected] of [
        ["hangBefore", 0],
        ["hangAfter", 1]
      ] as const) {
        yield* faults.next("commit", fault)
        const running = yield* Effect.forkChild(store.commit(step(1)), { startImmediately: true })
        while ((yield* faults.waiting).length > 0 || (yield* written) !== expected) yield* Effect.yieldNow
        assert.isUndefined(running.pollUnsafe())
        yield* Fiber.interrupt(running)
        assert.strictEqual(yield* written, expected)
      }
    })
  )

  onFaults("can be a lost race that names the step's first guard", ({ faults, store, written }) =>
    Effect.gen(function* () {
      yield* faults.next("commit", "conflict")
      const error = yield* Effect.flip(store.commit(step(1, { guards: [{ kind: "policy", revision: 0 }] })))
      assert(error instanceof StepConflict)
      assert.deepStrictEqual([error.conflict, yield* written], [{ kind: "policy", id: "policy" }, 0])
    })
  )

  onFaults("can be a second delivery, which a store takes for the first", ({ faults, store, written }) =>
    Effect.gen(function* () {
      yield* faults.next("commit", "twice")
      const receipt = yield* store.commit(step(1))
      assert.deepStrictEqual([receipt.entries.map((entry) => entry.seq), yield* written], [[1], 1])
    })
  )

  onFaults("waits for the step that it is meant for", ({ faults, store, written }) =>
    Effect.gen(function* () {
      yield* faults.next("commit", "failBefore", (one) => one.id === step(2).id)
      yield* store.commit(step(1))
      assert.deepStrictEqual(yield* faults.waiting, [{ method: "commit", fault: "failBefore" }])
      yield* Effect.flip(store.commit(step(2)))
      assert.deepStrictEqual([yield* faults.waiting, yield* written], [[], 1])
    })
  )

  onFaults("hits reads and jobs too, once each", ({ faults, store, jobs }) =>
    Effect.gen(function* () {
      yield* store.commit(step(1, { jobs: [Fixtures.job("j", Fixtures.monday)] }))
      yield* faults.next("claim", "failAfter")
      yield* faults.next("locks", "failBefore")
      const claim = jobs.claim({ holder: "a", limit: 1, leaseSeconds: 60 })
      assert.strictEqual((yield* Effect.flip(claim)).outcome, "none")
      assert.deepStrictEqual(yield* claim, [])
      yield* Effect.flip(store.locks)
      assert.deepStrictEqual(yield* store.locks, { revision: 0, active: [] })
    })
  )

  onFaults("can be an outage of everything, until it is over", ({ faults, store, jobs }) =>
    Effect.gen(function* () {
      yield* faults.down(true)
      yield* Effect.flip(store.commit(step(1)))
      yield* Effect.flip(store.facts({}))
      yield* Effect.flip(jobs.nextDue)
      yield* faults.down(false)
      assert.deepStrictEqual(yield* store.request("req_x"), Option.none())
    })
  )
})
