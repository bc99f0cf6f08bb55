/** What every store keeps when it commits: sentences of the Store contract. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { keyOf } from "../Principal.ts"
import type { Conflict, Guard, Step, Write } from "../Step.ts"
import { StepConflict, type StoreError } from "../Store.ts"
import * as Times from "../Time.ts"
import * as Fixtures from "./Fixtures.ts"
import { type Sentence, sentence, type StoreDesk } from "./StoreDesk.ts"

const { ana, ben, pending } = Fixtures

const another = (n: number) => pending({ id: Fixtures.id("req", n) })

const replace = (desk: StoreDesk, id: string, version: number) =>
  Effect.map(desk.now, (now): Write => ({
    kind: "request",
    expect: version,
    next: {
      ...pending({ id }),
      version: version + 1,
      waitingFor: `version ${version + 1}`,
      updatedAt: Times.max(now, Fixtures.monday)
    }
  }))

const use = (key: string, requestId: string, more: Partial<Write & { kind: "idempotency" }> = {}) => ({
  kind: "idempotency" as const,
  principal: Fixtures.keyFor(ana),
  route: "POST /requests",
  key,
  bodyHash: "b".repeat(64),
  requestId,
  ...more
})

/** How some concurrent commits went: how many were written, and which guards the others lost by. */
const outcomes = (desk: StoreDesk, all: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const exits = yield* Effect.forEach(all, (one) => Effect.exit(desk.store.commit(one)), { concurrency: "unbounded" })
    const lost: Array<Conflict["kind"]> = []
    for (const exit of exits) {
      if (Exit.isSuccess(exit)) continue
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (!(error instanceof StepConflict)) return yield* Effect.failCause(exit.cause)
      lost.push(error.conflict.kind)
    }
    return { won: exits.filter(Exit.isSuccess).length, lost }
  })

const manySteps = (desk: StoreDesk, count: number, parts: (n: number) => Effect.Effect<Partial<Step>, StoreError>) =>
  Effect.forEach(
    Array.from({ length: count }, (_, n) => n),
    (n) => Effect.flatMap(parts(n), desk.step)
  )

/** A store with something of everything, a step that changes all of it, and a picture of all that can be seen. */
const furnished = (desk: StoreDesk) =>
  Effect.gen(function* () {
    const [one, two, three] = [another(1), { ...Fixtures.inState.ACTIVE, id: Fixtures.id("req", 2) }, another(3)]
    const now = yield* desk.now
    const due = Times.plusSeconds(now, -60)
    yield* desk.put(one, two)
    yield* desk.see(ana)
    yield* desk.commit({
      writes: [
        { kind: "lock", lock: Fixtures.locks.mock },
        { kind: "policies", expect: 0, hash: "a".repeat(64), policies: [Fixtures.policy("first")] },
        { kind: "credentials", requestId: two.id, sealed: Fixtures.sealed },
        use("taken", one.id)
      ],
      entries: [yield* desk.entry()],
      jobs: [Fixtures.job("done", due), Fixtures.job("moved", Times.plusSeconds(now, 600))]
    })
    const entry = yield* desk.entry({ texts: { comment: "kept beside the entry" } })
    const step = yield* desk.step({
      guards: [{ kind: "request", id: one.id, version: 1 }],
      writes: [
        yield* replace(desk, one.id, 1),
        { kind: "request", expect: 0, next: three },
        { kind: "principal", expect: 1, next: { ...ana, version: 2, groups: ["sre", "new"] } },
        { kind: "principal", expect: 0, next: ben },
        { kind: "lock", lock: Fixtures.locks.everything },
        { kind: "unlock", id: Fixtures.locks.mock.id },
        { kind: "policies", expect: 1, hash: "b".repeat(64), policies: [] },
        { kind: "credentials", requestId: two.id, sealed: null },
        use("new", three.id),
        { kind: "settle", jobId: "done" },
        { kind: "reschedule", jobId: "moved", runAt: due }
      ],
      entries: [entry, yield* desk.entry()],
      jobs: [Fixtures.job("new", Times.plusSeconds(due, -1), { kind: "end" })]
    })
    const picture = Effect.gen(function* () {
      const facts = yield* desk.store.facts({
        principals: [ana, ben],
        idempotency: { principal: ana, route: "POST /requests", key: "new" }
      })
      return {
        requests: yield* Effect.forEach([one, two, three], ({ id }) => desk.request(id)),
        principals: [...facts.principals.values()].sort((a, b) => (a.subject < b.subject ? -1 : 1)),
        locks: facts.locks,
        policies: yield* desk.store.policies(),
        credentials: yield* desk.store.credentials(two.id),
        idempotency: facts.idempotency ?? null,
        jobs: yield* desk.jobs.counts,
        nextDue: yield* desk.jobs.nextDue,
        head: yield* desk.chain.head,
        text: yield* desk.chain.text(entry.texts[0]?.hash ?? "")
      }
    })
    return { step, picture }
  })

/** Guards that fail in a furnished store. */
const failing: ReadonlyArray<readonly [Guard, Conflict]> = [
  [
    { kind: "request", id: Fixtures.id("req", 2), version: 7 },
    { kind: "request", id: Fixtures.id("req", 2) }
  ],
  [
    { kind: "principal", key: Fixtures.keyFor(ben), version: 1 },
    { kind: "principal", id: keyOf(ben) }
  ],
  [
    { kind: "policy", revision: 0 },
    { kind: "policy", id: "policy" }
  ],
  [
    { kind: "locks", revision: 0 },
    { kind: "locks", id: "locks" }
  ],
  [
    { kind: "lease", jobId: "done", lease: 1 },
    { kind: "lease", id: "done" }
  ]
]

/** Writes that lose in a furnished store. */
const losing: ReadonlyArray<readonly [Write, Conflict]> = [
  [
    { kind: "request", expect: 0, next: another(2) },
    { kind: "request", id: Fixtures.id("req", 2) }
  ],
  [
    { kind: "request", expect: 1, next: { ...another(9), version: 2 } },
    { kind: "request", id: Fixtures.id("req", 9) }
  ],
  [
    { kind: "principal", expect: 3, next: { ...Fixtures.cleo, version: 4 } },
    { kind: "principal", id: keyOf(Fixtures.cleo) }
  ],
  [
    { kind: "unlock", id: Fixtures.id("lck", 9) },
    { kind: "lock", id: Fixtures.id("lck", 9) }
  ],
  [use("taken", Fixtures.id("req", 1), { bodyHash: "c".repeat(64) }), { kind: "idempotency", id: "taken" }]
]

export const steps: ReadonlyArray<Sentence> = [
  sentence("a step changes all that it says", (desk) =>
    Effect.gen(function* () {
      const { step, picture } = yield* furnished(desk)
      const before = yield* picture
      yield* desk.store.commit(step)
      const after = yield* picture
      yield* desk.equal(
        "versions",
        after.requests.map((request) => request?.version ?? 0),
        [2, 1, 1]
      )
      yield* desk.equal(
        "principals",
        after.principals.map((one) => [one.subject, one.version]),
        [
          ["ana", 2],
          ["ben", 1]
        ]
      )
      yield* desk.equal("locks", after.locks.active, [Fixtures.locks.everything])
      yield* desk.expect(after.locks.revision > before.locks.revision, "a new revision of the locks", after.locks)
      yield* desk.equal("policies", after.policies, { revision: { number: 2, hash: "b".repeat(64) }, policies: [] })
      yield* desk.equal("credentials are there", Option.isSome(after.credentials), false)
      yield* desk.equal("idempotency", after.idempotency, {
        bodyHash: "b".repeat(64),
        requestId: Fixtures.id("req", 3)
      })
      yield* desk.equal("the head", after.head.seq, before.head.seq + 2)
      yield* desk.equal("the text is there", Option.isSome(after.text), true)
      const jobs = yield* desk.jobs.claim({ holder: "a", limit: 9, leaseSeconds: 60 })
      yield* desk.equal(
        "jobs",
        jobs.map((job) => job.id),
        ["new", "moved"]
      )
    })
  ),

  sentence("one failing guard and the step leaves nothing", (desk) =>
    Effect.gen(function* () {
      const { step, picture } = yield* furnished(desk)
      const before = yield* picture
      for (const [guard, conflict] of failing) {
        yield* desk.loses({ ...step, guards: [...step.guards, guard] }, conflict, "among guards that hold")
        yield* desk.equal(`after the guard ${guard.kind} failed`, yield* picture, before)
      }
    })
  ),

  sentence("one write that lost its race takes all others with it", (desk) =>
    Effect.gen(function* () {
      const { step, picture } = yield* furnished(desk)
      const before = yield* picture
      for (const [write, conflict] of losing) {
        yield* desk.loses({ ...step, writes: [...step.writes, write] }, conflict, "as the last of many writes")
        yield* desk.equal(`after the write ${write.kind} lost`, yield* picture, before)
      }
      const policies = { kind: "policies", expect: 0, hash: "c".repeat(64), policies: [] } as const
      const others = step.writes.filter((write) => write.kind !== "policies")
      yield* desk.loses(
        { ...step, writes: [...others, policies] },
        { kind: "policy", id: "policy" },
        "on an old revision"
      )
      yield* desk.equal("after the write policies lost", yield* picture, before)
      const lock = { kind: "lock", lock: Fixtures.locks.mock } as const
      const locked = step.writes.filter((write) => write.kind !== "unlock" && write.kind !== "lock")
      yield* desk.loses(
        { ...step, writes: [...locked, lock] },
        { kind: "lock", id: lock.lock.id },
        "when it is in place"
      )
      yield* desk.equal("after the write lock lost", yield* picture, before)
    })
  ),

  sentence("a step that lost is not remembered: it commits once its guards hold", (desk) =>
    Effect.gen(function* () {
      yield* desk.see(ana)
      const step = yield* desk.step({
        guards: [{ kind: "principal", key: Fixtures.keyFor(ben), version: 1 }],
        entries: [yield* desk.entry()]
      })
      yield* desk.loses(step, { kind: "principal", id: keyOf(ben) }, "before Ben was seen")
      yield* desk.see(ben)
      const receipt = yield* desk.store.commit(step)
      yield* desk.equal(
        "sequence numbers",
        receipt.entries.map((entry) => entry.seq),
        [1]
      )
    })
  ),

  sentence("a committed step that is repeated gives its first receipt, whatever has changed since", (desk) =>
    Effect.gen(function* () {
      const step = yield* desk.step({
        guards: [
          { kind: "policy", revision: 0 },
          { kind: "locks", revision: 0 }
        ],
        writes: [{ kind: "request", expect: 0, next: pending() }, use("k", pending().id)],
        entries: [yield* desk.entry(), yield* desk.entry()],
        jobs: [Fixtures.job("j", yield* desk.now)]
      })
      const first = yield* desk.store.commit(step)
      yield* desk.commit({
        writes: [
          yield* replace(desk, pending().id, 1),
          { kind: "policies", expect: 0, hash: "a".repeat(64), policies: [] },
          { kind: "lock", lock: Fixtures.locks.mock },
          { kind: "settle", jobId: "j" }
        ],
        entries: [yield* desk.entry()]
      })
      yield* desk.pass(60)
      yield* desk.equal("the second receipt", yield* desk.store.commit(step), first)
      yield* desk.equal("the version", (yield* desk.request(pending().id))?.version, 2)
      yield* desk.equal("the head", (yield* desk.chain.head).seq, 3)
      yield* desk.equal("jobs", yield* desk.jobs.nextDue, null)
    })
  ),

  sentence("of many deliveries of one step at the same time one is written, and all get its receipt", (desk) =>
    Effect.gen(function* () {
      const step = yield* desk.step({
        writes: [{ kind: "request", expect: 0, next: pending() }],
        entries: [yield* desk.entry()]
      })
      const receipts = yield* Effect.forEach(Array.from({ length: 20 }), () => desk.store.commit(step), {
        concurrency: "unbounded"
      })
      yield* desk.equal("different receipts", new Set(receipts.map((one) => JSON.stringify(one.entries))).size, 1)
      yield* desk.equal("the head", (yield* desk.chain.head).seq, 1)
    })
  ),

  sentence("a step without writes, entries and jobs only asks whether its guards hold", (desk) =>
    Effect.gen(function* () {
      const receipt = yield* desk.commit({ guards: [{ kind: "policy", revision: 0 }] })
      yield* desk.equal("entries", receipt.entries, [])
      yield* desk.loses({ guards: [{ kind: "policy", revision: 1 }] }, { kind: "policy", id: "policy" }, "on no change")
    })
  ),

  sentence("a guard holds exactly at the version that stands, and 0 is nothing yet", (desk) =>
    Effect.gen(function* () {
      const exactly = (stands: number, guard: (version: number) => Guard, id: string) =>
        Effect.gen(function* () {
          for (const version of [0, 1, 2, 3]) {
            const guards = [guard(version)]
            const kind = guard(version).kind
            if (version === stands) yield* desk.commit({ guards })
            else yield* desk.loses({ guards }, { kind, id }, `at ${version} while ${stands} stands`)
          }
        })
      const request = (version: number): Guard => ({ kind: "request", id: pending().id, version })
      const principal = (version: number): Guard => ({ kind: "principal", key: Fixtures.keyFor(ana), version })
      const policy = (revision: number): Guard => ({ kind: "policy", revision })
      const locks = (revision: number): Guard => ({ kind: "locks", revision })
      const all = (stands: number) =>
        Effect.gen(function* () {
          yield* exactly(stands, request, pending().id)
          yield* exactly(stands, principal, keyOf(ana))
          yield* exactly(stands, policy, "policy")
          yield* exactly(stands, locks, "locks")
        })
      yield* all(0)
      for (const version of [0, 1]) {
        yield* desk.commit({
          writes: [
            version === 0
              ? { kind: "request", expect: 0, next: pending() }
              : yield* replace(desk, pending().id, version),
            { kind: "principal", expect: version, next: { ...ana, version: version + 1 } },
            { kind: "policies", expect: version, hash: "a".repeat(64), policies: [] },
            version === 0 ? { kind: "lock", lock: Fixtures.locks.mock } : { kind: "unlock", id: Fixtures.locks.mock.id }
          ]
        })
        yield* all(version + 1)
      }
    })
  ),

  sentence("principals are told apart by issuer and subject", (desk) =>
    Effect.gen(function* () {
      yield* desk.see(ana)
      const elsewhere = { issuer: "https://other.example", subject: ana.subject }
      yield* desk.commit({ guards: [{ kind: "principal", key: elsewhere, version: 0 }] })
      yield* desk.commit({ writes: [{ kind: "principal", expect: 0, next: { ...ana, ...elsewhere } }] })
      yield* desk.equal("principals", (yield* desk.store.principals({ limit: 9 })).items.length, 2)
    })
  ),

  sentence("a write guards what it replaces", (desk) =>
    Effect.gen(function* () {
      yield* desk.put(pending())
      yield* desk.see(ana)
      const { id } = pending()
      const lost = { kind: "request", id } as const
      yield* desk.loses({ writes: [{ kind: "request", expect: 0, next: pending() }] }, lost, "when it is there already")
      yield* desk.loses({ writes: [yield* replace(desk, id, 2)] }, lost, "on a version that never was")
      yield* desk.commit({ writes: [yield* replace(desk, id, 1)] })
      yield* desk.loses({ writes: [yield* replace(desk, id, 1)] }, lost, "on an old version")
      const next = { ...ana, version: 2 }
      yield* desk.commit({ writes: [{ kind: "principal", expect: 1, next }] })
      const gone = { kind: "principal", id: keyOf(ana) } as const
      yield* desk.loses({ writes: [{ kind: "principal", expect: 1, next }] }, gone, "on an old version")
    })
  ),

  sentence("of many commits on one version exactly one wins", (desk) =>
    Effect.gen(function* () {
      yield* desk.put(pending())
      yield* desk.see(ana)
      const race = (kind: Conflict["kind"], parts: () => Effect.Effect<Partial<Step>, StoreError>) =>
        Effect.gen(function* () {
          const { won, lost } = yield* outcomes(desk, yield* manySteps(desk, 20, parts))
          yield* desk.equal(`commits that won by ${kind}`, won, 1)
          yield* desk.equal("the guards of the others", [...new Set(lost)], [kind])
        })
      yield* race("request", () => Effect.map(replace(desk, pending().id, 1), (write) => ({ writes: [write] })))
      yield* race("principal", () =>
        Effect.succeed({ writes: [{ kind: "principal", expect: 1, next: { ...ana, version: 2 } }] })
      )
      yield* race("policy", () =>
        Effect.succeed({ writes: [{ kind: "policies", expect: 0, hash: "a".repeat(64), policies: [] }] })
      )
      yield* race("lock", () => Effect.succeed({ writes: [{ kind: "lock", lock: Fixtures.locks.mock }] }))
      yield* race("idempotency", () => Effect.succeed({ writes: [use("k", pending().id)] }))
    })
  ),

  sentence("no step stands in the log behind the change that its guards forbid", (desk) =>
    Effect.gen(function* () {
      yield* desk.see(ana)
      yield* desk.put(pending())
      const guards: ReadonlyArray<Guard> = [
        { kind: "policy", revision: 0 },
        { kind: "locks", revision: 0 },
        { kind: "principal", key: Fixtures.keyFor(ana), version: 1 },
        { kind: "request", id: pending().id, version: 1 }
      ]
      const changes: ReadonlyArray<Write> = [
        { kind: "policies", expect: 0, hash: "a".repeat(64), policies: [] },
        { kind: "lock", lock: Fixtures.locks.mock },
        { kind: "principal", expect: 1, next: { ...ana, version: 2 } },
        yield* replace(desk, pending().id, 1)
      ]
      const guarded = yield* manySteps(desk, 40, (n) =>
        Effect.map(desk.entry(), (entry) => ({ guards: guards.slice(n % 4, (n % 4) + 1), entries: [entry] }))
      )
      const changing = yield* manySteps(desk, 4, (n) =>
        Effect.map(desk.entry({ action: "policy.applied" }), (entry) => ({
          writes: changes.slice(n, n + 1),
          entries: [entry]
        }))
      )
      const mixed = [...guarded.slice(0, 20), ...changing, ...guarded.slice(20)]
      const exits = yield* Effect.forEach(mixed, (one) => Effect.exit(desk.store.commit(one)), {
        concurrency: "unbounded"
      })
      const seqOf = new Map<string, number>()
      for (const exit of exits) {
        if (Exit.isSuccess(exit)) seqOf.set(exit.value.stepId, exit.value.entries[0]?.seq ?? 0)
      }
      for (const [n, change] of changing.entries()) {
        const changedAt = seqOf.get(change.id) ?? 0
        yield* desk.expect(changedAt > 0, "the change to be committed", change)
        for (const [m, step] of guarded.entries()) {
          if (m % 4 !== n) continue
          const at = seqOf.get(step.id) ?? 0
          yield* desk.expect(at < changedAt, `a guarded step before entry ${changedAt}`, `entry ${at}`)
        }
      }
    })
  ),

  sentence("a step decided more than 5 s from the store's now is refused, before or after", (desk) =>
    Effect.gen(function* () {
      const now = yield* desk.now
      const decided = (seconds: number) =>
        Effect.map(desk.now, (at) => ({ now: Times.plusSeconds(at, seconds), writes: [use("k", pending().id)] }))
      const late = { kind: "clock", id: "clock" } as const
      yield* desk.put(pending())
      yield* desk.loses(yield* decided(-10), late, "10 s late")
      yield* desk.loses(yield* decided(10), late, "10 s early")
      yield* desk.commit(yield* decided(-3))
      yield* desk.commit({ now: Times.plusSeconds(yield* desk.now, 3) })
      yield* desk.pass(60)
      yield* desk.loses({ now }, late, "when a minute has passed")
    })
  ),

  sentence("a malformed step is invalid and leaves nothing", (desk) =>
    Effect.gen(function* () {
      yield* desk.put(pending())
      yield* desk.see(ana)
      const good = yield* replace(desk, pending().id, 1)
      const entry = yield* desk.entry()
      const now = yield* desk.now
      const job = Fixtures.job("j", now)
      const malformed: ReadonlyArray<readonly [string, Partial<Step>]> = [
        ["a step without an id", { id: "" }],
        ["a version that stays", { writes: [{ kind: "request", expect: 1, next: pending() }] }],
        ["a version that jumps", { writes: [{ kind: "request", expect: 1, next: { ...pending(), version: 3 } }] }],
        [
          "a principal's version that jumps",
          { writes: [{ kind: "principal", expect: 1, next: { ...ana, version: 4 } }] }
        ],
        ["the same request twice", { writes: [good, good] }],
        [
          "two due times for one job",
          {
            writes: [
              { kind: "reschedule", jobId: "j", runAt: now },
              { kind: "reschedule", jobId: "j", runAt: Times.plusSeconds(now, 1) }
            ]
          }
        ],
        [
          "two policies of one name",
          {
            writes: [
              {
                kind: "policies",
                expect: 0,
                hash: "a".repeat(64),
                policies: [Fixtures.policy("p"), Fixtures.policy("p", { id: Fixtures.id("pol", 2) })]
              }
            ]
          }
        ],
        ["an entry without an id", { entries: [{ ...entry, id: "" }] }],
        ["two entries of one id", { entries: [entry, entry] }],
        ["two jobs of one id", { jobs: [job, job] }],
        ["a job that waits for itself", { jobs: [{ ...job, after: "j" }] }],
        ["U+0000", { jobs: [{ ...job, payload: { text: "a\u0000b" } }] }],
        ["a lone surrogate", { jobs: [{ ...job, payload: { text: "a\ud800b" } }] }],
        ["a number that JSON cannot say", { jobs: [{ ...job, payload: { n: Number.NaN } }] }]
      ]
      for (const [what, parts] of malformed) {
        const step = yield* desk.step(parts)
        const also = step.writes.some((write) => write.kind === "request") ? [] : [good]
        yield* desk.invalid(what, desk.store.commit({ ...step, writes: [...step.writes, ...also] }))
      }
      yield* desk.equal("the version", (yield* desk.request(pending().id))?.version, 1)
      yield* desk.equal("the head", (yield* desk.chain.head).seq, 0)
      yield* desk.equal("jobs", yield* desk.jobs.nextDue, null)
    })
  ),

  sentence("an idempotency key is one principal's on one route, for 24 hours", (desk) =>
    Effect.gen(function* () {
      yield* desk.put(pending(), another(2))
      const known = (principal = Fixtures.keyFor(ana), route = "POST /requests", key = "k") =>
        Effect.map(desk.store.facts({ idempotency: { principal, route, key } }), (facts) => facts.idempotency ?? null)
      const second = { kind: "idempotency", id: "k" } as const
      yield* desk.equal("before its use", yield* known(), null)
      yield* desk.commit({ writes: [use("k", pending().id)] })
      yield* desk.equal("after its use", yield* known(), { bodyHash: "b".repeat(64), requestId: pending().id })
      yield* desk.equal("of somebody else", yield* known(Fixtures.keyFor(ben)), null)
      yield* desk.equal("on another route", yield* known(Fixtures.keyFor(ana), "POST /extend"), null)
      yield* desk.equal("another key", yield* known(Fixtures.keyFor(ana), "POST /requests", "K"), null)
      yield* desk.loses({ writes: [use("k", pending().id)] }, second, "on a second use")
      yield* desk.commit({ writes: [use("k", another(2).id, { principal: Fixtures.keyFor(ben) })] })
      yield* desk.commit({ writes: [use("k", another(2).id, { route: "POST /extend" })] })
      yield* desk.commit({ writes: [use("K", another(2).id)] })
      yield* desk.pass(24 * 3600 - 60)
      yield* desk.loses({ writes: [use("k", another(2).id)] }, second, "a minute before the day is over")
      yield* desk.pass(120)
      yield* desk.equal("after a day", yield* known(), null)
      yield* desk.commit({ writes: [use("k", another(2).id, { bodyHash: "c".repeat(64) })] })
      yield* desk.equal("used again", yield* known(), { bodyHash: "c".repeat(64), requestId: another(2).id })
    })
  )
]
