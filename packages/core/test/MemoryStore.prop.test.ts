/**
 * Random steps from several fibers at once. Whatever the order was: replayed in the order of the log, one after the
 * other, every committed step's guards held, and what the store shows is what they left.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import { AuditChain } from "../src/AuditChain.ts"
import * as ChainHasher from "../src/ChainHasher.ts"
import { type Job, Jobs, type NewJob } from "../src/Job.ts"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import { keyOf, type Principal } from "../src/Principal.ts"
import type { Request } from "../src/Request.ts"
import type { Conflict, Guard, Receipt, Step, Write } from "../src/Step.ts"
import { StepConflict, Store, type StoredFacts } from "../src/Store.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import { layerTestClock, PassingTime } from "../src/testing/PassingTime.ts"
import type * as Times from "../src/Time.ts"
import { layerOf, mutants } from "./support/StoreMutants.ts"

const fibers = 6
const stepsEach = 40
const requestIds = Array.from({ length: 5 }, (_, n) => Fixtures.id("req", n + 1))
const people: ReadonlyArray<Principal> = [Fixtures.ana, Fixtures.ben, Fixtures.cleo]
const lockIds = Array.from({ length: 3 }, (_, n) => Fixtures.id("lck", n + 1))

interface Committed {
  readonly step: Step
  readonly receipt: Receipt
}

const pick = <A>(items: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, items.length - 1), (index) => {
    const item = items[index]
    if (item === undefined) throw new RangeError("nothing to pick from")
    return item
  })

const chance = (percent: number) => Effect.map(Random.nextIntBetween(1, 100), (n) => n <= percent)

/** The next stage of a request's life, or another version of the same. */
const lived = (before: Request | undefined, id: string, now: Times.Time): Request => {
  const at = { id, updatedAt: now }
  if (before === undefined) return Fixtures.pending({ ...at, createdAt: now })
  const next = { version: before.version + 1, ...at }
  switch (before.state) {
    case "PENDING":
      return { ...Fixtures.approved(before), ...next }
    case "APPROVED":
      return { ...Fixtures.active(before), ...next }
    case "ACTIVE":
      return { ...Fixtures.ending(before, "revoked", { since: now }), ...next }
    case "ENDING":
      return { ...Fixtures.over(before), ...next }
    default:
      return { ...before, ...next, extendedBy: Fixtures.id("req", before.version) }
  }
}

/** A write on what was read, and now and then on what nobody ever saw. */
const randomWrite = (facts: StoredFacts): Effect.Effect<Write> =>
  Effect.gen(function* () {
    const off = (yield* chance(8)) ? 1000 : 0
    switch (yield* pick(["request", "request", "request", "principal", "lock", "policies"] as const)) {
      case "request": {
        const id = facts.request?.id ?? (yield* pick(requestIds))
        const next = lived(facts.request, id, facts.now)
        return { kind: "request", expect: next.version - 1 + off, next: { ...next, version: next.version + off } }
      }
      case "principal": {
        const person = yield* pick(people)
        const version = (facts.principals.get(keyOf(person))?.version ?? 0) + off
        return { kind: "principal", expect: version, next: { ...person, version: version + 1 } }
      }
      case "lock": {
        const id = yield* pick(lockIds)
        return facts.locks.active.some((lock) => lock.id === id)
          ? { kind: "unlock", id }
          : { kind: "lock", lock: { ...Fixtures.locks.mock, id } }
      }
      case "policies":
        return { kind: "policies", expect: facts.policy.number + off, hash: "a".repeat(64), policies: [] }
    }
  })

const randomGuards = (facts: StoredFacts): Effect.Effect<ReadonlyArray<Guard>> =>
  Effect.gen(function* () {
    const guards: Array<Guard> = []
    if (yield* chance(40)) guards.push({ kind: "policy", revision: facts.policy.number })
    if (yield* chance(40)) guards.push({ kind: "locks", revision: facts.locks.revision })
    const person = yield* pick(people)
    if (yield* chance(40)) {
      const version = facts.principals.get(keyOf(person))?.version ?? 0
      guards.push({ kind: "principal", key: Fixtures.keyFor(person), version })
    }
    if (facts.request !== undefined && (yield* chance(40))) {
      guards.push({ kind: "request", id: facts.request.id, version: facts.request.version })
    }
    return guards
  })

/** What the committed steps leave when they are made one after the other. */
class Replay {
  readonly requests = new Map<string, Request>()
  readonly principals = new Map<string, Principal>()
  readonly locks = new Set<string>()
  readonly jobs = new Set<string>()
  locksRevision = 0
  policy = 0

  holds(guard: Guard): boolean {
    switch (guard.kind) {
      case "request":
        return (this.requests.get(guard.id)?.version ?? 0) === guard.version
      case "principal":
        return (this.principals.get(keyOf(guard.key))?.version ?? 0) === guard.version
      case "policy":
        return this.policy === guard.revision
      case "locks":
        return this.locksRevision === guard.revision
      case "lease":
        // Leases change outside of steps: `Holders` watches them.
        return this.jobs.has(guard.jobId)
    }
  }

  write(write: Write): boolean {
    switch (write.kind) {
      case "request": {
        const fits = this.holds({ kind: "request", id: write.next.id, version: write.expect })
        this.requests.set(write.next.id, write.next)
        return fits
      }
      case "principal": {
        const fits = this.holds({ kind: "principal", key: write.next, version: write.expect })
        this.principals.set(keyOf(write.next), write.next)
        return fits
      }
      case "lock": {
        this.locksRevision += 1
        const fits = !this.locks.has(write.lock.id)
        this.locks.add(write.lock.id)
        return fits
      }
      case "unlock":
        this.locksRevision += 1
        return this.locks.delete(write.id)
      case "policies":
        this.policy += 1
        return write.expect === this.policy - 1
      case "settle":
        return this.jobs.delete(write.jobId)
      default:
        return true
    }
  }
}

/** Who holds what, as the holders themselves know it. */
class Holders {
  readonly held = new Map<string, Job>()
  readonly leases = new Map<string, number>()

  claimed(jobs: ReadonlyArray<Job>, now: Times.Time): void {
    for (const job of jobs) {
      assert.isAbove(job.lease, this.leases.get(job.id) ?? 0, `the lease of ${job.id}`)
      this.leases.set(job.id, job.lease)
      for (const other of this.held.values()) {
        if (other.leaseUntil <= now) continue
        assert.notStrictEqual(other.id, job.id, "a job has one holder")
        if (job.serialKey !== null) assert.notStrictEqual(other.serialKey, job.serialKey, "a serial key has one holder")
      }
      this.held.set(job.id, job)
    }
  }

  /** Forgets a claim, unless the job has another holder by now. */
  gone(job: Job): void {
    if (this.held.get(job.id)?.lease === job.lease) this.held.delete(job.id)
  }
}

const scenario = Effect.gen(function* () {
  const [store, jobs, chain, time] = [yield* Store, yield* Jobs, yield* AuditChain, yield* PassingTime]
  const committed = new Map<string, Committed>()
  const conflicts = new Set<Conflict["kind"]>()
  const holders = new Holders()
  let numbers = 0

  const commit = (step: Step) =>
    Effect.matchEffect(store.commit(step), {
      onSuccess: (receipt) =>
        Effect.sync(() => {
          const first = committed.get(step.id)?.receipt ?? receipt
          assert.deepStrictEqual(receipt, first, "a repeated step gives its first receipt")
          committed.set(step.id, { step, receipt })
          return true
        }),
      onFailure: (error) => {
        if (!(error instanceof StepConflict)) return Effect.die(error)
        conflicts.add(error.conflict.kind)
        return Effect.succeed(false)
      }
    })

  const stepOn = (facts: StoredFacts, more: Partial<Step>): Step => {
    const n = ++numbers
    return {
      id: Fixtures.id("stp", n),
      now: facts.now,
      guards: [],
      writes: [],
      // Every step leaves an entry, so that the log tells its place among the others.
      entries: [{ id: Fixtures.id("ent", n), payload: `{"n":${n}}`, texts: [] }],
      jobs: [],
      ...more
    }
  }

  const pause = Effect.flatMap(Random.nextIntBetween(0, 4), (turns) =>
    Effect.forEach(Array.from({ length: turns }), () => Effect.yieldNow, { discard: true })
  )

  const change = Effect.gen(function* () {
    const facts = yield* store.facts({ requestId: yield* pick(requestIds), principals: people })
    yield* pause
    const guards = yield* randomGuards(facts)
    const write = yield* randomWrite(facts)
    const queued: Array<NewJob> = []
    if (yield* chance(40)) {
      const serialKey = yield* pick([null, "one", "two"])
      queued.push(Fixtures.job(`job-${yield* Random.nextIntBetween(0, 20)}`, facts.now, { serialKey }))
    }
    const step = stepOn(facts, { guards, writes: [write], jobs: queued })
    yield* commit(step)
    // A lost answer: the same step again must change nothing.
    if (yield* chance(10)) yield* commit(step)
  })

  const work = Effect.gen(function* () {
    const claimed = yield* jobs.claim({ holder: "a", limit: yield* Random.nextIntBetween(1, 3), leaseSeconds: 2 })
    const { now } = yield* store.facts({})
    holders.claimed(claimed, now)
    for (const job of claimed) {
      yield* pause
      if (yield* chance(30)) {
        holders.gone(job)
        yield* jobs.release(job, { inSeconds: 1, error: "not now" })
        continue
      }
      const facts = yield* store.facts({})
      const done = stepOn(facts, {
        guards: [{ kind: "lease", jobId: job.id, lease: job.lease }],
        writes: [{ kind: "settle", jobId: job.id }]
      })
      if (yield* commit(done)) holders.gone(job)
    }
  })

  const fiber = Effect.gen(function* () {
    for (let n = 0; n < stepsEach; n++) {
      yield* (yield* chance(70)) ? change : work
      if (yield* chance(5)) yield* time.pass(1)
      yield* pause
    }
  })

  yield* Effect.forEach(Array.from({ length: fibers }), () => fiber, { concurrency: "unbounded", discard: true })

  // ---- one after the other, in the order of the log
  const replay = new Replay()
  const inOrder = [...committed.values()].sort(
    (a, b) => (a.receipt.entries[0]?.seq ?? 0) - (b.receipt.entries[0]?.seq ?? 0)
  )
  for (const { step } of inOrder) {
    for (const guard of step.guards) assert.isTrue(replay.holds(guard), `${step.id}: guard ${guard.kind}`)
    for (const write of step.writes) assert.isTrue(replay.write(write), `${step.id}: write ${write.kind}`)
    for (const job of step.jobs) replay.jobs.add(job.id)
  }

  // ---- what the store shows is what they left
  for (const id of requestIds) {
    assert.deepStrictEqual(Option.getOrUndefined(yield* store.request(id)), replay.requests.get(id))
  }
  for (const person of people) {
    assert.deepStrictEqual(Option.getOrUndefined(yield* store.principal(person)), replay.principals.get(keyOf(person)))
  }
  const locks = yield* store.locks
  assert.strictEqual(locks.revision, replay.locksRevision)
  assert.deepStrictEqual(locks.active.map((lock) => lock.id).sort(), [...replay.locks].sort())
  assert.strictEqual((yield* store.policies()).revision.number, replay.policy)
  yield* time.pass(3600)
  const left: Array<string> = []
  for (let found = yield* jobs.claim({ holder: "z", limit: 100, leaseSeconds: 1 }); found.length > 0;) {
    left.push(...found.map((job) => job.id))
    const facts = yield* store.facts({})
    yield* store.commit(stepOn(facts, { writes: found.map((job) => ({ kind: "settle", jobId: job.id })), entries: [] }))
    found = yield* jobs.claim({ holder: "z", limit: 100, leaseSeconds: 1 })
  }
  assert.deepStrictEqual(left.sort(), [...replay.jobs].sort())

  // ---- and so does the log
  const hasher = yield* ChainHasher.ChainHasher
  const entries = yield* chain.read({ limit: 10_000, order: "oldest" })
  assert.deepStrictEqual(
    entries.map(({ seq, hash }) => ({ seq, hash })),
    inOrder.flatMap(({ receipt }) => receipt.entries)
  )
  let prevHash = ChainHasher.genesis
  for (const [index, entry] of entries.entries()) {
    assert.deepStrictEqual([entry.seq, entry.prevHash], [index + 1, prevHash])
    prevHash = (yield* hasher.link(prevHash, entry.seq, entry.payload)).hash
    assert.strictEqual(entry.hash, prevHash)
  }
  return { committed: committed.size, conflicts }
})

const seeds = Array.from({ length: 40 }, (_, n) => `seed ${n}`)

const world = Layer.merge(MemoryStore.layer, layerTestClock)

const run = (seed: string, layer: typeof world) =>
  scenario.pipe(Random.withSeed(seed), Effect.provide(Layer.merge(layer, ChainHasher.layer), { local: true }))

it.live("any mix of concurrent steps and claims is as if they had come one after the other", () =>
  Effect.gen(function* () {
    let committed = 0
    const conflicts = new Set<string>()
    for (const seed of seeds) {
      const result = yield* Effect.tapCause(run(seed, world), () => Effect.logError(`falsified by "${seed}"`))
      committed += result.committed
      for (const kind of result.conflicts) conflicts.add(kind)
    }
    // The runs were worth something: much was committed, and races of every kind were lost.
    assert.isAbove(committed, seeds.length * fibers * stepsEach * 0.3)
    assert.deepStrictEqual([...conflicts].sort(), ["lease", "lock", "locks", "policy", "principal", "request"])
  })
)

const racy = mutants.filter(({ wrong }) => /^ignores guards on (?!leases)|^lets the last writer win$/u.test(wrong))

it("the mutants that the next test needs are there", () => assert.strictEqual(racy.length, 5))

for (const mutant of racy) {
  it.live(`that finds out a store that ${mutant.wrong}`, () =>
    Effect.gen(function* () {
      for (const seed of seeds) if (Exit.isFailure(yield* Effect.exit(run(seed, layerOf(mutant))))) return
      assert.fail(`no seed of ${seeds.length} noticed`)
    })
  )
}
