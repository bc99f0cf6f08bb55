/** What the memory store does beyond the contract: it objects to what a real store takes on trust, and never aliases. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { TestClock } from "effect/testing"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import type { Request } from "../src/Request.ts"
import type { Step, Write } from "../src/Step.ts"
import { Store } from "../src/Store.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import * as Times from "../src/Time.ts"

let steps = 0

const step = (writes: ReadonlyArray<Write>, more: Partial<Step> = {}): Step => ({
  id: Fixtures.id("stp", ++steps),
  now: Fixtures.monday,
  guards: [],
  writes,
  entries: [],
  jobs: [],
  ...more
})

const insert = (next: Request): Write => ({ kind: "request", expect: next.version - 1, next })

/** Runs on an empty store whose clock stands at Monday. */
const onMonday = (name: string, body: Effect.Effect<void, unknown, Store>) =>
  it.effect(name, () =>
    Effect.andThen(TestClock.setTime(Fixtures.monday), body).pipe(Effect.provide(MemoryStore.layer))
  )

/** What the store says when it dies of a step. */
const objectionTo = (bad: Step) =>
  Effect.gen(function* () {
    const store = yield* Store
    const exit = yield* Effect.exit(store.commit(bad))
    const defect = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason)?.defect : undefined
    return defect instanceof MemoryStore.MemoryStoreObjection ? defect.message : `no objection: ${String(exit)}`
  })

const first = Fixtures.pending()
const approved = Fixtures.approved(first)
const active = Fixtures.active(approved)
const ending = Fixtures.ending(active)
const revoked = Fixtures.over(ending)

/** The steps that bring a request from nothing to where it stands after the last of these. */
const history = (...stages: ReadonlyArray<Request>) =>
  Effect.gen(function* () {
    const store = yield* Store
    for (const stage of stages) yield* store.commit(step([insert(stage)]))
  })

const forbidden: ReadonlyArray<readonly [string, ReadonlyArray<Request>, Request]> = [
  [
    "EXPIRED never becomes ACTIVE",
    [{ ...Fixtures.inState.EXPIRED, version: 1 }],
    { ...Fixtures.inState.EXPIRED, state: "ACTIVE" }
  ],
  ["PENDING never becomes ACTIVE", [first], { ...active, version: 1 }],
  ["ACTIVE never becomes EXPIRED", [first, approved, active], { ...revoked, state: "EXPIRED", version: 3 }],
  ["asked never changes", [first], { ...first, asked: { ...first.asked, durationSeconds: 7200 } }],
  ["digest never changes", [first], { ...first, digest: "0".repeat(64) }],
  ["createdAt never changes", [first], { ...first, createdAt: Times.plusSeconds(first.createdAt, 1) }],
  ["updatedAt went back", [first, approved], { ...approved, updatedAt: first.updatedAt }],
  ["a decision was removed", [first, approved], { ...approved, decisions: [] }],
  ["a decision was changed", [first, approved], { ...approved, decisions: [Fixtures.decision("deny")] }],
  [
    "notAfter is written once",
    [first, approved, active],
    Fixtures.active({ ...approved, version: 2 }, { notAfter: Times.plusSeconds(Fixtures.monday, 9999) })
  ],
  ["the grant was removed", [first, approved, active], { ...active, grant: null }],
  ["latestEnd went back", [first, approved, active], Fixtures.active(approved, { latestEnd: Fixtures.monday })]
]

describe("the memory store objects", () => {
  for (const [rule, before, after] of forbidden) {
    onMonday(
      `to a step by which ${rule}`,
      Effect.gen(function* () {
        yield* history(...before)
        const version = before.at(-1)?.version ?? 0
        const said = yield* objectionTo(
          step([{ kind: "request", expect: version, next: { ...after, version: version + 1 } }])
        )
        assert.include(said, rule)
        const facts = yield* (yield* Store).facts({ requestId: after.id })
        assert.deepStrictEqual(facts.request, before.at(-1))
      })
    )
  }

  onMonday(
    "to nothing in an ordinary life",
    Effect.gen(function* () {
      yield* history(first, approved, active, ending, revoked)
      assert.strictEqual((yield* (yield* Store).facts({ requestId: first.id })).request?.state, "REVOKED")
    })
  )

  onMonday(
    "to credentials of a request that is not active",
    Effect.gen(function* () {
      yield* history(first, approved)
      const said = yield* objectionTo(step([{ kind: "credentials", requestId: first.id, sealed: Fixtures.sealed }]))
      assert.include(said, "while it is APPROVED")
    })
  )

  onMonday(
    "to a final state that keeps its credentials",
    Effect.gen(function* () {
      const store = yield* Store
      yield* history(first, approved)
      yield* store.commit(step([insert(active), { kind: "credentials", requestId: first.id, sealed: Fixtures.sealed }]))
      yield* history(ending)
      assert.include(yield* objectionTo(step([insert(revoked)])), "keeps its credentials")
      yield* store.commit(step([insert(revoked), { kind: "credentials", requestId: first.id, sealed: null }]))
    })
  )

  onMonday(
    "to jobs and idempotency keys of unknown requests",
    Effect.gen(function* () {
      const job = Fixtures.job("job-1", Fixtures.monday, { requestId: first.id })
      assert.include(yield* objectionTo(step([], { jobs: [job] })), `unknown request ${first.id}`)
      const use = { principal: Fixtures.keyFor(Fixtures.ana), route: "POST /requests", key: "k", bodyHash: "b" }
      assert.include(
        yield* objectionTo(step([{ kind: "idempotency", ...use, requestId: first.id }])),
        `unknown request ${first.id}`
      )
    })
  )

  onMonday(
    "to entries that came before, are no canonical JSON, or do not name their texts",
    Effect.gen(function* () {
      const store = yield* Store
      const entry = { id: Fixtures.id("ent", 1), payload: '{"a":1}', texts: [] }
      yield* store.commit(step([], { entries: [entry] }))
      assert.include(yield* objectionTo(step([], { entries: [entry] })), "was appended before")
      const other = { ...entry, id: Fixtures.id("ent", 2) }
      for (const payload of ["no json", "[1]", '{"b":1,"a":2}']) {
        assert.include(yield* objectionTo(step([], { entries: [{ ...other, payload }] })), "no canonical JSON object")
      }
      const text = { hash: "c".repeat(64), salt: "0".repeat(32), text: "hush" }
      assert.include(yield* objectionTo(step([], { entries: [{ ...other, texts: [text] }] })), "does not name the text")
    })
  )
})

describe("the memory store never aliases", () => {
  onMonday(
    "what was written may change afterwards without an effect",
    Effect.gen(function* () {
      const store = yield* Store
      const groups = ["sre"]
      yield* store.commit(step([{ kind: "principal", expect: 0, next: { ...Fixtures.ana, groups } }]))
      groups.push("sre-leads")
      const facts = yield* store.facts({ principals: [Fixtures.ana] })
      assert.deepStrictEqual([...facts.principals.values()], [Fixtures.ana])
    })
  )

  onMonday(
    "what was read cannot be changed",
    Effect.gen(function* () {
      const store = yield* Store
      yield* history(first)
      const read = (yield* store.facts({ requestId: first.id })).request
      assert.throws(() => Object.assign(read?.asked ?? {}, { role: "owner" }), TypeError)
      assert.throws(() => Object.assign(read?.routing.stages[0]?.groups ?? [], ["everybody"]), TypeError)
    })
  )
})
