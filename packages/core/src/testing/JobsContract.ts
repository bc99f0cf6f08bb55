/**
 * The contract of `Jobs` as cases: sentences that run. The jobs come into being through the same store's `commit`.
 *
 * Every sentence of `Job.ts` and of the job writes in `Step.ts` has a case here.
 */
import * as Effect from "effect/Effect"
import type { Job } from "../Job.ts"
import * as Times from "../Time.ts"
import { job } from "./Fixtures.ts"
import { type Options, type Sentence, sentence, type StoreDesk, type Suite, suiteOf } from "./StoreDesk.ts"

const many = { holder: "a", limit: 100, leaseSeconds: 60 } as const

const ids = (jobs: ReadonlyArray<Job>): ReadonlyArray<string> => jobs.map((one) => one.id)

/** A job that has been due for some seconds. */
const due = (desk: StoreDesk, id: string, more: Parameters<typeof job>[2] = {}, sinceSeconds = 1) =>
  Effect.map(desk.now, (now) => job(id, Times.plusSeconds(now, -sinceSeconds), more))

const sentences: ReadonlyArray<Sentence> = [
  sentence("a claimed job is the job that was inserted, under a lease that ends in time", (desk) =>
    Effect.gen(function* () {
      const before = yield* desk.now
      const inserted = job("j", Times.plusSeconds(before, -1), {
        kind: "grant",
        serialKey: "mock:project/checkout",
        after: "gone",
        payload: { deep: { list: [1, "zwei", null, true] }, text: "ä€😀" }
      })
      yield* desk.queue(inserted)
      const claimed = yield* desk.take("j", 60)
      const after = yield* desk.now
      const { attempts, createdAt, lease, leaseUntil, lastError, ...asInserted } = claimed
      yield* desk.equal("the job", asInserted, inserted)
      yield* desk.equal("attempts", attempts, 1)
      yield* desk.equal("the last error", lastError, null)
      yield* desk.expect(lease >= 1, "a lease number", lease)
      yield* desk.expect(createdAt >= before && createdAt <= after, "to be created when it was committed", createdAt)
      const [earliest, latest] = [Times.plusSeconds(before, 60), Times.plusSeconds(after, 60)]
      yield* desk.expect(
        leaseUntil >= earliest && leaseUntil <= latest,
        `a lease until ${earliest} to ${latest}`,
        leaseUntil
      )
    })
  ),

  sentence("what is not due yet is not claimed, not even by id", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(job("later", Times.plusSeconds(yield* desk.now, 600)))
      yield* desk.equal("claimed", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.equal("claimed by id", ids(yield* desk.jobs.claim({ ...many, id: "later" })), [])
      yield* desk.pass(601)
      yield* desk.equal("claimed when its time has come", ids(yield* desk.jobs.claim(many)), ["later"])
    })
  ),

  sentence("the longest due come first, up to the limit", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(
        yield* due(desk, "b", {}, 20),
        yield* due(desk, "c", {}, 10),
        yield* due(desk, "a", {}, 30),
        yield* due(desk, "d", {}, 5)
      )
      yield* desk.equal("first claim", ids(yield* desk.jobs.claim({ ...many, limit: 2 })), ["a", "b"])
      yield* desk.equal("second claim", ids(yield* desk.jobs.claim({ ...many, limit: 2 })), ["c", "d"])
      yield* desk.equal("third claim", ids(yield* desk.jobs.claim({ ...many, limit: 2 })), [])
    })
  ),

  sentence("an id and kinds narrow a claim", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(
        yield* due(desk, "n", { kind: "notify" }),
        yield* due(desk, "g", { kind: "grant" }),
        yield* due(desk, "e", { kind: "end" })
      )
      yield* desk.equal("no kinds", ids(yield* desk.jobs.claim({ ...many, kinds: [] })), [])
      yield* desk.equal("of another kind", ids(yield* desk.jobs.claim({ ...many, id: "n", kinds: ["end"] })), [])
      yield* desk.equal("unknown", ids(yield* desk.jobs.claim({ ...many, id: "x" })), [])
      yield* desk.equal("by id", ids(yield* desk.jobs.claim({ ...many, id: "g" })), ["g"])
      yield* desk.equal("by kinds", ids(yield* desk.jobs.claim({ ...many, kinds: ["end", "grant"] })), ["e"])
    })
  ),

  sentence("what is held is skipped until its lease is over; then it comes under a higher number", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j"))
      const first = yield* desk.take("j", 60)
      yield* desk.equal("claimed while held", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.pass(30)
      yield* desk.equal("claimed while still held", ids(yield* desk.jobs.claim({ ...many, id: "j" })), [])
      yield* desk.pass(31)
      const second = yield* desk.take("j", 60)
      yield* desk.expect(second.lease > first.lease, `a lease above ${first.lease}`, second.lease)
      yield* desk.equal("attempts", second.attempts, 2)
    })
  ),

  sentence("claims at the same time never share a job", (desk) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(
        Array.from({ length: 30 }, (_, n) => `j${n}`),
        (id) => due(desk, id)
      )
      yield* desk.queue(...all)
      const claims = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, n) => `holder-${n}`),
        (holder) => desk.jobs.claim({ holder, limit: 3, leaseSeconds: 60 }),
        { concurrency: "unbounded" }
      )
      const rest = yield* desk.jobs.claim(many)
      const claimed = [...claims.flat(), ...rest]
      yield* desk.equal("claimed", [...ids(claimed)].sort(), all.map((one) => one.id).sort())
      yield* desk.equal("different leases", new Set(claimed.map((one) => `${one.id} ${one.lease}`)).size, 30)
    })
  ),

  sentence("jobs of one serial key never run side by side", (desk) =>
    Effect.gen(function* () {
      const one = { serialKey: "one" }
      yield* desk.queue(
        yield* due(desk, "a", one, 30),
        yield* due(desk, "b", one, 20),
        yield* due(desk, "c", one, 10),
        yield* due(desk, "x", { serialKey: "two" }),
        yield* due(desk, "free1"),
        yield* due(desk, "free2")
      )
      yield* desk.equal("first claim", [...ids(yield* desk.jobs.claim(many))].sort(), ["a", "free1", "free2", "x"])
      yield* desk.equal("by id, beside a held one", ids(yield* desk.jobs.claim({ ...many, id: "b" })), [])
      yield* desk.pass(61)
      const [again, ...none] = yield* desk.jobs.claim({ ...many, kinds: ["notify"], limit: 1 })
      yield* desk.equal("the first lease being over", [again?.id, none.length], ["a", 0])
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "a" }] })
      const b = yield* desk.take("b")
      yield* desk.equal("c beside b", ids(yield* desk.jobs.claim({ ...many, id: "c" })), [])
      yield* desk.jobs.release(b, { inSeconds: 600, error: null })
      yield* desk.take("c")
    })
  ),

  sentence("claims at the same time never hold two jobs of one serial key", (desk) =>
    Effect.gen(function* () {
      const names = Array.from({ length: 12 }, (_, n) => `j${n}`)
      yield* desk.queue(...(yield* Effect.forEach(names, (id) => due(desk, id, { serialKey: "one" }))))
      const claims = yield* Effect.forEach(names, (id) => desk.jobs.claim({ ...many, holder: id, id }), {
        concurrency: "unbounded"
      })
      yield* desk.equal("claimed at once", claims.flat().length, 1)
    })
  ),

  sentence("a renewed lease lasts from the renewal; a lost one cannot be renewed", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j"))
      const first = yield* desk.take("j", 60)
      yield* desk.pass(40)
      yield* desk.equal("renewed in time", yield* desk.jobs.renew(first, 60), true)
      yield* desk.pass(40)
      yield* desk.equal("claimed after a renewal", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.pass(21)
      yield* desk.equal("renewed after its end", yield* desk.jobs.renew(first, 60), false)
      const second = yield* desk.take("j", 60)
      yield* desk.equal("renewed after another took over", yield* desk.jobs.renew(first, 60), false)
      yield* desk.equal("renewed by the new holder", yield* desk.jobs.renew(second, 60), true)
      yield* desk.jobs.release(second, { inSeconds: 0, error: null })
      yield* desk.equal("renewed after it was handed back", yield* desk.jobs.renew(second, 60), false)
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "j" }] })
      yield* desk.equal("renewed after it was settled", yield* desk.jobs.renew(second, 60), false)
    })
  ),

  sentence("a job that was handed back is due later, with the error", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j"))
      const first = yield* desk.take("j")
      yield* desk.jobs.release(first, { inSeconds: 100, error: "the platform is down" })
      yield* desk.equal("claimed before its time", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.pass(101)
      const second = yield* desk.take("j")
      yield* desk.equal("the last error", second.lastError, "the platform is down")
      yield* desk.equal("attempts", second.attempts, 2)
      yield* desk.expect(second.lease > first.lease, `a lease above ${first.lease}`, second.lease)
    })
  ),

  sentence("a lost lease hands nothing back", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j"))
      const first = yield* desk.take("j", 60)
      yield* desk.pass(61)
      yield* desk.jobs.release(first, { inSeconds: 9999, error: "too late" })
      const second = yield* desk.take("j", 60)
      yield* desk.equal("the last error", second.lastError, null)
      yield* desk.jobs.release(first, { inSeconds: 0, error: "far too late" })
      yield* desk.equal("claimed after a stranger handed it back", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.equal("renewed by its holder", yield* desk.jobs.renew(second, 60), true)
    })
  ),

  sentence("only who holds a job gets a step through that guards its lease", (desk) =>
    Effect.gen(function* () {
      const settling = (lease: number) => ({
        guards: [{ kind: "lease", jobId: "j", lease } as const],
        writes: [{ kind: "settle", jobId: "j" } as const]
      })
      const lost = { kind: "lease", id: "j" } as const
      yield* desk.loses(settling(1), lost, "before there is such a job")
      yield* desk.queue(yield* due(desk, "j"))
      yield* desk.loses(settling(0), lost, "before anybody claimed the job")
      const first = yield* desk.take("j", 60)
      yield* desk.loses(settling(first.lease + 1), lost, "under another number")
      yield* desk.pass(61)
      yield* desk.loses(settling(first.lease), lost, "when its time is over, though nobody took over")
      const second = yield* desk.take("j", 60)
      yield* desk.loses(settling(first.lease), lost, "when another took over")
      yield* desk.jobs.release(second, { inSeconds: 0, error: null })
      yield* desk.loses(settling(second.lease), lost, "after it was handed back")
      const third = yield* desk.take("j", 60)
      yield* desk.commit(settling(third.lease))
      yield* desk.loses(settling(third.lease), lost, "after it was settled")
    })
  ),

  sentence("a job waits until the one it comes after was claimed, or is gone", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(
        yield* due(desk, "alert", {}, 5),
        yield* due(desk, "grant", { kind: "grant", after: "alert" }, 60),
        yield* due(desk, "other", {}, 5),
        yield* due(desk, "late", { kind: "grant", after: "other" }, 60)
      )
      const first = yield* desk.jobs.claim({ ...many, kinds: ["grant"] })
      yield* desk.equal("claimed before the alert", ids(first), [])
      yield* desk.equal("claimed by id before the alert", ids(yield* desk.jobs.claim({ ...many, id: "grant" })), [])
      const alert = yield* desk.take("alert")
      yield* desk.take("grant")
      yield* desk.jobs.release(alert, { inSeconds: 0, error: "no answer" })
      yield* desk.equal("still waiting", ids(yield* desk.jobs.claim({ ...many, id: "late" })), [])
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "other" }] })
      yield* desk.take("late")
    })
  ),

  sentence("a job that is given up is dead: never claimed, counted, and settled like any other", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j", { serialKey: "one" }), yield* due(desk, "k", { serialKey: "one" }, 0))
      yield* desk.jobs.giveUp(yield* desk.take("j"), "nobody listens")
      yield* desk.pass(3600)
      yield* desk.equal("claimed", ids(yield* desk.jobs.claim(many)), ["k"])
      yield* desk.equal("claimed by id", ids(yield* desk.jobs.claim({ ...many, id: "j" })), [])
      const now = yield* desk.now
      yield* desk.commit({ writes: [{ kind: "reschedule", jobId: "j", runAt: now }], jobs: [yield* due(desk, "j")] })
      yield* desk.equal("after a new due time", ids(yield* desk.jobs.claim({ ...many, id: "j" })), [])
      const dead = (yield* desk.jobs.counts).map((count) => count.dead)
      yield* desk.equal(
        "dead",
        dead.reduce((sum, n) => sum + n, 0),
        1
      )
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "j" }] })
      const left = (yield* desk.jobs.counts).map((count) => count.dead)
      yield* desk.equal(
        "dead after it was settled",
        left.reduce((sum, n) => sum + n, 0),
        0
      )
    })
  ),

  sentence("an ending is never given up, and nobody gives up what they do not hold", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "end", { kind: "end" }), yield* due(desk, "j"))
      const end = yield* desk.take("end", 60)
      yield* desk.invalid("giving up an ending", desk.jobs.giveUp(end, "tired"))
      yield* desk.equal("still held", yield* desk.jobs.renew(end, 60), true)
      const first = yield* desk.take("j", 60)
      yield* desk.pass(61)
      yield* desk.jobs.giveUp(first, "too late")
      const second = yield* desk.take("j", 60)
      yield* desk.jobs.giveUp(first, "far too late")
      yield* desk.equal("held by the new holder", yield* desk.jobs.renew(second, 60), true)
    })
  ),

  sentence("a job can be moved in time, and keeps its lease", (desk) =>
    Effect.gen(function* () {
      const now = yield* desk.now
      yield* desk.queue(job("j", Times.plusSeconds(now, 3600), { kind: "end" }), yield* due(desk, "k"))
      yield* desk.commit({
        writes: [
          { kind: "reschedule", jobId: "j", runAt: now },
          { kind: "reschedule", jobId: "gone", runAt: now }
        ]
      })
      yield* desk.take("j")
      const held = yield* desk.take("k")
      yield* desk.commit({ writes: [{ kind: "reschedule", jobId: "k", runAt: Times.plusSeconds(now, 3600) }] })
      yield* desk.equal("renewed after it was moved", yield* desk.jobs.renew(held, 60), true)
      yield* desk.pass(61)
      yield* desk.equal("claimed before the new time", ids(yield* desk.jobs.claim({ ...many, id: "k" })), [])
      yield* desk.pass(3600)
      yield* desk.take("k")
    })
  ),

  sentence("a job whose id is there is left as it is; a settled one may come again under higher numbers", (desk) =>
    Effect.gen(function* () {
      const now = yield* desk.now
      yield* desk.queue(job("j", Times.plusSeconds(now, -10), { payload: { first: true } }))
      const first = yield* desk.take("j")
      yield* desk.queue(job("j", Times.plusSeconds(now, -20), { payload: { first: false } }))
      yield* desk.equal("claimed after it was queued again", ids(yield* desk.jobs.claim(many)), [])
      yield* desk.equal("held after it was queued again", yield* desk.jobs.renew(first, 60), true)
      yield* desk.commit({
        writes: [{ kind: "settle", jobId: "j" }],
        jobs: [job("j", Times.plusSeconds(now, -10), { payload: { first: false } })]
      })
      const second = yield* desk.take("j")
      yield* desk.equal("the new job", [second.payload, second.attempts], [{ first: false }, 1])
      yield* desk.expect(second.lease > first.lease, `a lease above ${first.lease}`, second.lease)
      const mixedUp = { guards: [{ kind: "lease", jobId: "j", lease: first.lease } as const] }
      yield* desk.loses(mixedUp, { kind: "lease", id: "j" }, "for who held its namesake")
    })
  ),

  sentence("settling what is gone does nothing", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(yield* due(desk, "j"), yield* due(desk, "k"))
      const settle = { kind: "settle", jobId: "j" } as const
      yield* desk.commit({ writes: [settle, settle, { kind: "settle", jobId: "never" }] })
      yield* desk.commit({ writes: [settle] })
      yield* desk.equal("left", ids(yield* desk.jobs.claim(many)), ["k"])
    })
  ),

  sentence("the next due time is when a claim may give something", (desk) =>
    Effect.gen(function* () {
      yield* desk.equal("without jobs", yield* desk.jobs.nextDue, null)
      const now = yield* desk.now
      const at = (seconds: number) => Times.plusSeconds(now, seconds)
      yield* desk.queue(
        job("far", at(9000)),
        job("near", at(300), { serialKey: "one" }),
        job("beside", at(300), { serialKey: "one" }),
        job("next", at(400), { after: "far" })
      )
      yield* desk.equal("before anything is due", yield* desk.jobs.nextDue, at(300))
      yield* desk.pass(301)
      yield* desk.equal("when something is due", yield* desk.jobs.nextDue, at(300))
      const near = yield* desk.take("near", 1000)
      yield* desk.equal("beside a held neighbour", yield* desk.jobs.nextDue, near.leaseUntil)
      yield* desk.jobs.giveUp(near, "enough")
      yield* desk.equal("once the neighbour is dead", yield* desk.jobs.nextDue, at(300))
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "beside" }] })
      yield* desk.equal("what waits for another does not count", yield* desk.jobs.nextDue, at(9000))
      yield* desk.pass(8701)
      const far = yield* desk.take("far", 60)
      yield* desk.equal("what waited counts from its own time", yield* desk.jobs.nextDue, at(400))
      yield* desk.commit({ writes: [{ kind: "settle", jobId: "next" }] })
      yield* desk.equal("what is held counts from the end of its lease", yield* desk.jobs.nextDue, far.leaseUntil)
    })
  ),

  sentence("counts tell what is ready, leased and dead of each kind", (desk) =>
    Effect.gen(function* () {
      yield* desk.queue(
        yield* due(desk, "r1"),
        yield* due(desk, "r2"),
        yield* due(desk, "held"),
        yield* due(desk, "dead"),
        yield* due(desk, "over"),
        job("later", Times.plusSeconds(yield* desk.now, 3600)),
        yield* due(desk, "end", { kind: "end" })
      )
      yield* desk.take("over", 60)
      yield* desk.pass(61)
      yield* desk.take("held", 60)
      yield* desk.jobs.giveUp(yield* desk.take("dead"), "enough")
      const some = (yield* desk.jobs.counts).filter((count) => count.ready + count.leased + count.dead > 0)
      yield* desk.equal(
        "counts",
        [...some].sort((a, b) => (a.kind < b.kind ? -1 : 1)),
        [
          { kind: "end", ready: 1, leased: 0, dead: 0 },
          { kind: "notify", ready: 3, leased: 1, dead: 1 }
        ]
      )
    })
  )
]

/** The contract for the implementation behind a layer. */
export const suite = (options: Options): Suite => suiteOf(sentences, options)
