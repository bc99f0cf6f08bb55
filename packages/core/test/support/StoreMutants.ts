/**
 * Stores that are wrong on purpose: each breaks one promise of the memory store, which it wraps, and names the
 * sentences of the contracts that must object.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"
import { AuditChain, type Entry } from "../../src/AuditChain.ts"
import { type Job, Jobs } from "../../src/Job.ts"
import * as MemoryStore from "../../src/memory/MemoryStore.ts"
import { keyOf, type PrincipalKey } from "../../src/Principal.ts"
import type { Receipt, Step, Write } from "../../src/Step.ts"
import { type Change, type Page, type StepConflict, Store, StoreError, type StoredFacts } from "../../src/Store.ts"
import { layerTestClock } from "../../src/testing/PassingTime.ts"
import * as Times from "../../src/Time.ts"

interface Ports {
  readonly store: Store["Service"]
  readonly jobs: Jobs["Service"]
  readonly chain: AuditChain["Service"]
}

export interface Mutant {
  /** What it does wrong, as a clause: "ignores guards on policy". */
  readonly wrong: string
  readonly mutate: (sound: Ports) => Partial<Ports>
  readonly objects: ReadonlyArray<string>
}

/** A world for the contracts, with one store in it that lies. */
export const layerOf = ({ mutate }: Pick<Mutant, "mutate">) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const sound = { store: yield* Store, jobs: yield* Jobs, chain: yield* AuditChain }
      const { store, jobs, chain } = { ...sound, ...mutate(sound) }
      return Context.make(Store, store).pipe(Context.add(Jobs, jobs), Context.add(AuditChain, chain))
    })
  ).pipe(Layer.provide(MemoryStore.layer), Layer.merge(layerTestClock))

type Committed = Effect.Effect<Receipt, StepConflict | StoreError>
type Commit = (step: Step) => Committed

/** Changes steps on their way in. */
const steps =
  (change: (step: Step) => Step): Mutant["mutate"] =>
  ({ store }) => ({ store: { ...store, commit: (step) => store.commit(change(step)) } })

const writes = (change: (write: Write) => ReadonlyArray<Write>): Mutant["mutate"] =>
  steps((step) => ({ ...step, writes: step.writes.flatMap(change) }))

const without = (kind: Write["kind"]): Mutant["mutate"] => writes((write) => (write.kind === kind ? [] : [write]))

const commits =
  (make: (sound: Ports) => Commit): Mutant["mutate"] =>
  (sound) => ({ store: { ...sound.store, commit: make(sound) } })

const facts =
  (change: (facts: StoredFacts, query: Parameters<Ports["store"]["facts"]>[0]) => StoredFacts): Mutant["mutate"] =>
  ({ store }) => ({
    store: { ...store, facts: (query) => Effect.map(store.facts(query), (found) => change(found, query)) }
  })

const entries =
  (change: (entry: Entry) => Entry): Mutant["mutate"] =>
  ({ chain }) => ({
    chain: { ...chain, read: (range) => Effect.map(chain.read(range), (found) => found.map(change)) }
  })

const claims =
  (change: (job: Job) => Job): Mutant["mutate"] =>
  ({ jobs }) => ({
    jobs: { ...jobs, claim: (options) => Effect.map(jobs.claim(options), (found) => found.map(change)) }
  })

/** Pages by counting rows: right only while nobody writes. */
const byOffset = <A, E>(
  options: { readonly limit: number; readonly cursor?: string },
  all: Effect.Effect<Page<A>, E>
): Effect.Effect<Page<A>, E> => {
  const from = Number(options.cursor ?? 0)
  return Effect.map(all, ({ items }) => ({
    items: items.slice(from, from + options.limit),
    nextCursor: from + options.limit < items.length ? String(from + options.limit) : null
  }))
}

/** A new id for a step that was given, so that the sound store takes it for another one. */
let fresh = 0
const anew = (step: Step, more: Partial<Step> = {}): Step => ({ ...step, ...more, id: `${step.id}-${++fresh}` })

const oneIssuer = <A extends PrincipalKey>(key: A): A => ({ ...key, issuer: "one" })

/** Makes each replacing write expect whatever stands, so that nobody ever loses. */
const lastWins =
  ({ store }: Ports): Commit =>
  (step) =>
    Effect.gen(function* () {
      const adjusted = yield* Effect.forEach(step.writes, (write) =>
        Effect.gen(function* () {
          if (write.kind === "request") {
            const version = Option.getOrUndefined(yield* store.request(write.next.id))?.version ?? 0
            return { ...write, expect: version, next: { ...write.next, version: version + 1 } }
          }
          if (write.kind === "principal") {
            const version = Option.getOrUndefined(yield* store.principal(write.next))?.version ?? 0
            return { ...write, expect: version, next: { ...write.next, version: version + 1 } }
          }
          return write
        })
      )
      return yield* store.commit({ ...step, writes: adjusted })
    })

const combined = (step: Step, receipts: ReadonlyArray<Receipt>): Receipt => ({
  stepId: step.id,
  entries: receipts.flatMap((receipt) => receipt.entries)
})

const sentenceOfGuards = "a guard holds exactly at the version that stands, and 0 is nothing yet"
const sentenceOfRaces = "no step stands in the log behind the change that its guards forbid"

const ignoresGuard = (kind: "request" | "principal" | "policy" | "locks"): Mutant => ({
  wrong: `ignores guards on ${kind}`,
  mutate: steps((step) => ({ ...step, guards: step.guards.filter((guard) => guard.kind !== kind) })),
  objects: [sentenceOfGuards, sentenceOfRaces, "one failing guard and the step leaves nothing"]
})

const stepMutants: ReadonlyArray<Mutant> = [
  ignoresGuard("request"),
  ignoresGuard("principal"),
  ignoresGuard("policy"),
  ignoresGuard("locks"),
  {
    wrong: "drops idempotency keys",
    mutate: without("idempotency"),
    objects: ["a step changes all that it says", "an idempotency key is one principal's on one route, for 24 hours"]
  },
  {
    wrong: "never wipes credentials",
    mutate: writes((write) => (write.kind === "credentials" && write.sealed === null ? [] : [write])),
    objects: ["a step changes all that it says", "credentials are what was sealed last, and gone when they were wiped"]
  },
  {
    wrong: "never moves a job",
    mutate: without("reschedule"),
    objects: ["a step changes all that it says", "a job can be moved in time, and keeps its lease"]
  },
  {
    wrong: "keeps the entries of a step that lost",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.tapError(store.commit(step), () =>
            Effect.ignore(store.commit(anew(step, { guards: [], writes: [], jobs: [] })))
          )
    ),
    objects: [
      "one failing guard and the step leaves nothing",
      "one write that lost its race takes all others with it",
      "a step that loses its race takes no number"
    ]
  },
  {
    wrong: "queues jobs before it knows whether the step holds",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.andThen(
            Effect.ignore(store.commit(anew(step, { guards: [], writes: [], entries: [] }))),
            store.commit({ ...step, jobs: [] })
          )
    ),
    objects: ["one failing guard and the step leaves nothing"]
  },
  {
    wrong: "makes writes one by one",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.gen(function* () {
            for (const write of step.writes) yield* store.commit(anew(step, { writes: [write], entries: [], jobs: [] }))
            return yield* store.commit({ ...step, writes: [], guards: [] })
          })
    ),
    objects: ["one write that lost its race takes all others with it"]
  },
  {
    wrong: "remembers that a step lost",
    mutate: commits(({ store }) => {
      const lost = new Map<string, StepConflict | StoreError>()
      return (step) => {
        const before = lost.get(step.id)
        return before === undefined
          ? Effect.tapError(store.commit(step), (error) => Effect.sync(() => lost.set(step.id, error)))
          : Effect.fail(before)
      }
    }),
    objects: ["a step that lost is not remembered: it commits once its guards hold"]
  },
  {
    wrong: "takes a repeated step for a new one",
    mutate: commits(({ store }) => {
      const seen = new Set<string>()
      return (step) => {
        const again = seen.has(step.id)
        seen.add(step.id)
        return store.commit(again ? anew(step) : step)
      }
    }),
    objects: [
      "a committed step that is repeated gives its first receipt, whatever has changed since",
      "of many deliveries of one step at the same time one is written, and all get its receipt"
    ]
  },
  {
    wrong: "gives a repeated step an empty receipt",
    mutate: commits(({ store }) => {
      const seen = new Set<string>()
      return (step) =>
        Effect.map(store.commit(step), (receipt) => {
          const first = !seen.has(step.id)
          seen.add(step.id)
          return first ? receipt : { ...receipt, entries: [] }
        })
    }),
    objects: [
      "a committed step that is repeated gives its first receipt, whatever has changed since",
      "of many deliveries of one step at the same time one is written, and all get its receipt"
    ]
  },
  {
    wrong: "does not look at the guards of a step that changes nothing",
    mutate: steps((step) =>
      step.writes.length + step.entries.length + step.jobs.length === 0 ? { ...step, guards: [] } : step
    ),
    objects: ["a step without writes, entries and jobs only asks whether its guards hold", sentenceOfGuards]
  },
  {
    wrong: "tells principals apart by subject only",
    mutate: steps((step) => ({
      ...step,
      guards: step.guards.map((guard) =>
        guard.kind === "principal" ? { ...guard, key: oneIssuer(guard.key) } : guard
      ),
      writes: step.writes.map((write) =>
        write.kind === "principal" ? { ...write, next: oneIssuer(write.next) } : write
      )
    })),
    objects: ["principals are told apart by issuer and subject"]
  },
  {
    wrong: "lets the last writer win",
    mutate: commits(lastWins),
    objects: ["a write guards what it replaces", "of many commits on one version exactly one wins"]
  },
  {
    wrong: "ignores what the clock says",
    mutate: commits(
      (sound) => (step) => Effect.flatMap(sound.store.facts({}), ({ now }) => sound.store.commit({ ...step, now }))
    ),
    objects: ["a step decided more than 5 s from the store's now is refused, before or after"]
  },
  {
    wrong: "takes malformed steps without a word",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.catchTag(store.commit(step), "StoreError", () => Effect.succeed({ stepId: step.id, entries: [] }))
    ),
    objects: ["a malformed step is invalid and leaves nothing"]
  },
  {
    wrong: "writes the good half of a malformed step",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.tapError(store.commit(step), () =>
            Effect.ignore(store.commit(anew(step, { writes: step.writes.slice(-1), entries: [], jobs: [] })))
          )
    ),
    objects: ["a malformed step is invalid and leaves nothing"]
  },
  {
    wrong: "forgets on which route a key was used",
    mutate: ({ store }) => ({
      store: {
        ...store,
        facts: (query) =>
          store.facts(
            query.idempotency === undefined ? query : { ...query, idempotency: { ...query.idempotency, route: "" } }
          ),
        commit: (step) =>
          store.commit({
            ...step,
            writes: step.writes.map((write) => (write.kind === "idempotency" ? { ...write, route: "" } : write))
          })
      }
    }),
    objects: ["an idempotency key is one principal's on one route, for 24 hours"]
  }
]

const readMutants: ReadonlyArray<Mutant> = [
  {
    wrong: "loses empty names of metadata",
    mutate: ({ store }) => ({
      store: {
        ...store,
        request: (id) =>
          Effect.map(
            store.request(id),
            Option.map((request) => ({
              ...request,
              asked: {
                ...request.asked,
                metadata: Object.fromEntries(Object.entries(request.asked.metadata).filter(([name]) => name !== ""))
              }
            }))
          )
      }
    }),
    objects: ["a request is read as it was written, in every state"]
  },
  {
    wrong: "reads its clock once",
    mutate: ({ store }) => {
      let first: Times.Time | undefined
      return {
        store: {
          ...store,
          facts: (query) => Effect.map(store.facts(query), (found) => ({ ...found, now: (first ??= found.now) }))
        }
      }
    },
    objects: ["now is the store's clock and goes on"]
  },
  {
    wrong: "leaves out owners",
    mutate: facts((found, query) => {
      const asked = new Set((query.principals ?? []).map(keyOf))
      return { ...found, principals: new Map([...found.principals].filter(([key]) => asked.has(key))) }
    }),
    objects: ["facts hold principals with their owners and the owners of these, and nobody unknown"]
  },
  {
    wrong: "leaves out deciders",
    mutate: ({ store }) => ({ store: { ...store, facts: (query) => store.facts({ ...query, withDeciders: false }) } }),
    objects: ["facts hold the deciders of a request where asked for"]
  },
  {
    wrong: "leaves out active grants of other roles",
    mutate: facts((found, { history }) => ({
      ...found,
      activeGrants: found.activeGrants.filter((one) => one.asked.role === history?.role)
    })),
    objects: ["facts hold the requester's active grants, whatever the role, and nobody else's"]
  },
  {
    wrong: "counts a revoked grant to its planned end",
    mutate: facts((found) => ({
      ...found,
      held: found.held.map(({ from }) => ({ from, to: Times.plusSeconds(from, 3600) }))
    })),
    objects: ["facts hold what the requester held of this role and scope, from grant to end"]
  },
  {
    wrong: "counts locks instead of their changes",
    mutate: ({ store }) => ({
      store: { ...store, locks: Effect.map(store.locks, ({ active }) => ({ revision: active.length, active })) }
    }),
    objects: ["locks are what was set and not lifted, each change under a new revision"]
  },
  {
    wrong: "keeps the current policies only",
    mutate: ({ store }) => ({ store: { ...store, policies: () => store.policies() } }),
    objects: ["each revision of the policies stays readable as it was"]
  },
  {
    wrong: "raises a version at every sign-in",
    mutate: ({ store }) => ({
      store: {
        ...store,
        touchPrincipal: (key, seen) =>
          Effect.gen(function* () {
            const before = Option.getOrUndefined(yield* store.principal(key))
            if (before === undefined) return
            const { now } = yield* store.facts({})
            const next = { ...before, ...seen, version: before.version + 1 }
            const write = { kind: "principal", expect: before.version, next } as const
            yield* Effect.orDie(
              store.commit({ id: `touch-${++fresh}`, now, guards: [], writes: [write], entries: [], jobs: [] })
            )
          })
      }
    }),
    objects: ["a principal is read as written; a sign-in raises no version, turns no clock back and makes nobody"]
  },
  {
    wrong: "lists principals by subject",
    mutate: ({ store }) => ({
      store: {
        ...store,
        principals: (options) =>
          Effect.map(store.principals(options), (page) => ({
            ...page,
            items: [...page.items].sort((a, b) => (a.subject < b.subject ? -1 : 1))
          }))
      }
    }),
    objects: ["principals are listed by issuer and subject, page by page, or by e-mail"]
  },
  {
    wrong: "ignores until when requests were made",
    mutate: ({ store }) => ({
      store: {
        ...store,
        requests: (options) => {
          const { until: _, ...filter } = options.filter
          return store.requests({ ...options, filter })
        }
      }
    }),
    objects: [
      "requests are found by every filter, and by all that are given at once",
      "requests come newest first, and pages neither repeat nor skip while others are made"
    ]
  },
  {
    wrong: "pages requests by counting rows",
    mutate: ({ store }) => ({
      store: {
        ...store,
        requests: (options) => {
          const { cursor: _, ...all } = options
          return byOffset(options, store.requests({ ...all, limit: 1000 }))
        }
      }
    }),
    objects: ["requests come newest first, and pages neither repeat nor skip while others are made"]
  },
  {
    wrong: "takes a group for an e-mail address",
    mutate: ({ store }) => ({
      store: {
        ...store,
        requests: ({ visibleTo: who, ...options }) =>
          store.requests(
            who === undefined
              ? options
              : {
                  ...options,
                  visibleTo: { ...who, groups: [...who.groups, ...(who.email === null ? [] : [who.email])] }
                }
          )
      }
    }),
    objects: ["a person sees their own requests and what names them as approver, page by page"]
  },
  {
    wrong: "forgets neighbours that were ended",
    mutate: ({ store }) => ({
      store: {
        ...store,
        neighbours: (key, except) =>
          Effect.map(store.neighbours(key, except), (found) => found.filter((one) => one.state !== "ended"))
      }
    }),
    objects: ["neighbours are the other grants on a resource that may still live there"]
  },
  {
    wrong: "counts a grant among its own neighbours",
    mutate: ({ store }) => ({ store: { ...store, neighbours: (key) => store.neighbours(key, "nobody") } }),
    objects: ["neighbours are the other grants on a resource that may still live there"]
  },
  {
    wrong: "takes what is ending for gone",
    mutate: ({ store }) => ({
      store: {
        ...store,
        live: (options) =>
          Effect.map(store.live(options), (page) => ({
            ...page,
            items: page.items.filter((one) => one.state !== "ENDING")
          }))
      }
    }),
    objects: ["what may live at a provider is listed in id order, page by page"]
  },
  {
    wrong: "announces nothing",
    mutate: ({ store }) => ({ store: { ...store, changes: Stream.never } }),
    objects: ["changes announce what was committed, once it can be read"]
  },
  {
    wrong: "announces before it commits",
    mutate: ({ store }) => {
      const early = Effect.runSync(PubSub.unbounded<Change>())
      return {
        store: {
          ...store,
          changes: Stream.fromPubSub(early),
          commit: (step) =>
            Effect.gen(function* () {
              const requestIds: Array<string> = []
              for (const write of step.writes) {
                if (write.kind !== "request") continue
                if (Option.isNone(yield* store.request(write.next.id))) requestIds.push(write.next.id)
              }
              yield* PubSub.publish(early, {
                requestIds,
                policy: step.writes.some((write) => write.kind === "policies"),
                jobs: step.jobs.length > 0 || step.writes.some((write) => write.kind === "reschedule")
              })
              for (let n = 0; n < 20; n++) yield* Effect.yieldNow
              return yield* store.commit(step)
            })
        }
      }
    },
    objects: ["changes announce what was committed, once it can be read"]
  }
]

const serialAlone = "jobs of one serial key never run side by side"
const serialRace = "claims at the same time never hold two jobs of one serial key"

const jobMutants: ReadonlyArray<Mutant> = [
  {
    wrong: "counts attempts from nought",
    mutate: claims((job) => ({ ...job, attempts: job.attempts - 1 })),
    objects: ["a claimed job is the job that was inserted, under a lease that ends in time"]
  },
  {
    wrong: "loses payloads",
    mutate: steps((step) => ({ ...step, jobs: step.jobs.map((job) => ({ ...job, payload: {} })) })),
    objects: ["a claimed job is the job that was inserted, under a lease that ends in time"]
  },
  {
    wrong: "makes every job due at once",
    mutate: steps((step) => ({
      ...step,
      jobs: step.jobs.map((job) => ({ ...job, runAt: Times.plusSeconds(job.runAt, -86_400) }))
    })),
    objects: [
      "what is not due yet is not claimed, not even by id",
      "the next due time is when a claim may give something"
    ]
  },
  {
    wrong: "gives the newest first",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, claim: (options) => Effect.map(jobs.claim(options), (found) => [...found].reverse()) }
    }),
    objects: ["the longest due come first, up to the limit"]
  },
  {
    wrong: "claims one more than asked for",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, claim: (options) => jobs.claim({ ...options, limit: options.limit + 1 }) }
    }),
    objects: ["the longest due come first, up to the limit"]
  },
  {
    wrong: "ignores kinds",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, claim: ({ kinds: _, ...options }) => jobs.claim(options) }
    }),
    objects: ["an id and kinds narrow a claim"]
  },
  {
    wrong: "lets go of a job at once",
    mutate: ({ jobs }) => ({ jobs: { ...jobs, claim: (options) => jobs.claim({ ...options, leaseSeconds: 0 }) } }),
    objects: [
      "what is held is skipped until its lease is over; then it comes under a higher number",
      "claims at the same time never share a job",
      serialRace
    ]
  },
  {
    wrong: "forgets serial keys",
    mutate: steps((step) => ({ ...step, jobs: step.jobs.map((job) => ({ ...job, serialKey: null })) })),
    objects: [serialAlone, serialRace, "the next due time is when a claim may give something"]
  },
  {
    wrong: "renews whatever it is shown",
    mutate: ({ jobs }) => ({ jobs: { ...jobs, renew: (job, seconds) => Effect.as(jobs.renew(job, seconds), true) } }),
    objects: ["a renewed lease lasts from the renewal; a lost one cannot be renewed"]
  },
  {
    wrong: "says yes to a renewal and forgets it",
    mutate: ({ jobs }) => ({ jobs: { ...jobs, renew: (job) => jobs.renew(job, 0.001) } }),
    objects: ["a renewed lease lasts from the renewal; a lost one cannot be renewed"]
  },
  {
    wrong: "hands a job back without its error",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, release: (job, retry) => jobs.release(job, { ...retry, error: null }) }
    }),
    objects: ["a job that was handed back is due later, with the error"]
  },
  {
    wrong: "hands a job back at once",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, release: (job, retry) => jobs.release(job, { ...retry, inSeconds: 0 }) }
    }),
    objects: ["a job that was handed back is due later, with the error"]
  },
  {
    wrong: "takes any claim of a job for the one that holds it",
    mutate: ({ jobs }) => {
      const last = new Map<string, Job>()
      const holder = (job: Job) => last.get(job.id) ?? job
      return {
        jobs: {
          ...jobs,
          claim: (options) =>
            Effect.tap(jobs.claim(options), (found) =>
              Effect.sync(() => found.forEach((job) => last.set(job.id, job)))
            ),
          release: (job, retry) => jobs.release(holder(job), retry),
          renew: (job, seconds) => jobs.renew(holder(job), seconds),
          giveUp: (job, error) => jobs.giveUp(holder(job), error)
        }
      }
    },
    objects: [
      "a lost lease hands nothing back",
      "a renewed lease lasts from the renewal; a lost one cannot be renewed",
      "an ending is never given up, and nobody gives up what they do not hold"
    ]
  },
  {
    wrong: "ignores guards on leases",
    mutate: steps((step) => ({ ...step, guards: step.guards.filter((guard) => guard.kind !== "lease") })),
    objects: [
      "only who holds a job gets a step through that guards its lease",
      "one failing guard and the step leaves nothing",
      "a job whose id is there is left as it is; a settled one may come again under higher numbers"
    ]
  },
  {
    wrong: "does not let jobs wait for each other",
    mutate: steps((step) => ({ ...step, jobs: step.jobs.map((job) => ({ ...job, after: null })) })),
    objects: ["a job waits until the one it comes after was claimed, or is gone"]
  },
  {
    wrong: "goes on with a job that was given up",
    mutate: ({ jobs }) => ({
      jobs: {
        ...jobs,
        giveUp: (job, error) =>
          job.kind === "end" ? jobs.giveUp(job, error) : jobs.release(job, { inSeconds: 600, error })
      }
    }),
    objects: ["a job that is given up is dead: never claimed, counted, and settled like any other"]
  },
  {
    wrong: "gives endings up",
    mutate: ({ jobs }) => ({
      jobs: { ...jobs, giveUp: (job, error) => jobs.giveUp({ ...job, kind: "notify" }, error) }
    }),
    objects: ["an ending is never given up, and nobody gives up what they do not hold"]
  },
  {
    wrong: "replaces a job that is there",
    mutate: steps((step) => ({
      ...step,
      writes: [...step.writes, ...step.jobs.map((job): Write => ({ kind: "settle", jobId: job.id }))]
    })),
    objects: ["a job whose id is there is left as it is; a settled one may come again under higher numbers"]
  },
  {
    wrong: "fails on settling what is gone",
    mutate: commits(({ store }) => {
      const known = new Set<string>()
      return (step) => {
        for (const job of step.jobs) known.add(job.id)
        const gone = step.writes.some((write) => write.kind === "settle" && !known.delete(write.jobId))
        return gone
          ? Effect.fail(
              new StoreError({ outcome: "none", retryable: false, reason: "invalid", message: "no such job" })
            )
          : store.commit(step)
      }
    }),
    objects: ["settling what is gone does nothing"]
  },
  {
    wrong: "never says that something has been due for a while",
    mutate: ({ store, jobs }) => ({
      jobs: {
        ...jobs,
        nextDue: Effect.gen(function* () {
          const { now } = yield* store.facts({})
          const next = yield* jobs.nextDue
          return next === null ? null : Times.max(next, now)
        })
      }
    }),
    objects: ["the next due time is when a claim may give something"]
  },
  {
    wrong: "counts what is leased as ready",
    mutate: ({ jobs }) => ({
      jobs: {
        ...jobs,
        counts: Effect.map(jobs.counts, (found) =>
          found.map((count) => ({ ...count, ready: count.ready + count.leased, leased: 0 }))
        )
      }
    }),
    objects: ["counts tell what is ready, leased and dead of each kind"]
  }
]

const chainMutants: ReadonlyArray<Mutant> = [
  {
    wrong: "has an empty hash at the head of an empty log",
    mutate: ({ chain }) => ({
      chain: { ...chain, head: Effect.map(chain.head, (head) => (head.seq === 0 ? { ...head, hash: "" } : head)) }
    }),
    objects: ["the head of an empty log is 0 and 64 zeros, and there is nothing to read"]
  },
  {
    wrong: "begins every entry anew",
    mutate: entries((entry) => ({ ...entry, prevHash: "0".repeat(64) })),
    objects: ["entries are numbered from 1 without gaps, each bound to the one before, as the receipts say"]
  },
  {
    wrong: "leaves a number out",
    mutate: entries((entry) => ({ ...entry, seq: entry.seq < 4 ? entry.seq : entry.seq + 1 })),
    objects: [
      "entries are numbered from 1 without gaps, each bound to the one before, as the receipts say",
      "fifty steps at the same time take the numbers without a gap, each step's entries side by side"
    ]
  },
  {
    wrong: "appends a step's entries one by one",
    mutate: commits(
      ({ store }) =>
        (step) =>
          Effect.gen(function* () {
            const receipts: Array<Receipt> = []
            for (const entry of step.entries) receipts.push(yield* store.commit(anew(step, { entries: [entry] })))
            return combined(step, receipts)
          })
    ),
    objects: ["fifty steps at the same time take the numbers without a gap, each step's entries side by side"]
  },
  {
    wrong: "trims texts",
    mutate: entries((entry) => ({
      ...entry,
      texts: entry.texts.map((text) => ({ ...text, text: text.text.trim() }))
    })),
    objects: ["an entry is read as it was drafted, byte for byte, with its texts"]
  },
  {
    wrong: "writes payloads down in another form",
    mutate: entries((entry) => ({ ...entry, payload: JSON.stringify(JSON.parse(entry.payload), null, 1) })),
    objects: ["an entry is read as it was drafted, byte for byte, with its texts"]
  },
  {
    wrong: "finds texts by the words",
    mutate: ({ chain }) => {
      const found = new Map<string, string>()
      return {
        chain: {
          ...chain,
          text: (hash) =>
            Effect.map(
              chain.text(hash),
              Option.map((text) => {
                const first = found.get(text.text) ?? text.hash
                found.set(text.text, first)
                return { ...text, hash: first }
              })
            )
        }
      }
    },
    objects: ["a text is found by its hash, and by nothing else"]
  },
  {
    wrong: "stops a range one early",
    mutate: ({ chain }) => ({
      chain: {
        ...chain,
        read: (range) => chain.read(range.to === undefined ? range : { ...range, to: range.to - 1 })
      }
    }),
    objects: ["a range is read in both orders, clipped to the log and to the limit"]
  },
  {
    wrong: "streams what is appended meanwhile",
    mutate: ({ chain }) => ({
      chain: {
        ...chain,
        stream: ({ from = 1, to = Number.MAX_SAFE_INTEGER } = {}) =>
          Stream.paginate(from, (next) =>
            Effect.map(chain.read({ from: next, to, limit: 1, order: "oldest" }), (found) => [
              found,
              found.length === 0 ? Option.none() : Option.some(next + 1)
            ])
          )
      }
    }),
    objects: ["a stream gives every entry of a range once, oldest first, and ends at the head it began with"]
  },
  {
    wrong: "ignores who acted",
    mutate: ({ chain }) => ({
      chain: {
        ...chain,
        query: (options) => {
          const { actor: _, ...filter } = options.filter
          return chain.query({ ...options, filter })
        }
      }
    }),
    objects: ["entries are found by every filter, and by all that are given at once"]
  },
  {
    wrong: "pages the log by counting rows",
    mutate: ({ chain }) => ({
      chain: {
        ...chain,
        query: ({ filter, order, limit, cursor }) =>
          byOffset({ limit, ...(cursor === undefined ? {} : { cursor }) }, chain.query({ filter, order, limit: 1000 }))
      }
    }),
    objects: [
      "pages of a listing neither repeat nor drop an entry while others are appended",
      "a cursor that was not given for this order is refused"
    ]
  },
  {
    wrong: "begins again at a cursor that it does not know",
    mutate: ({ chain }) => ({
      chain: {
        ...chain,
        query: (options) =>
          Effect.catchTag(chain.query(options), "InvalidCursor", () =>
            chain.query({ filter: options.filter, order: options.order, limit: options.limit })
          )
      }
    }),
    objects: ["a cursor that was not given for this order is refused"]
  },
  {
    wrong: "has other columns than payloads",
    mutate: entries((entry) => ({ ...entry, columns: { ...entry.columns, role: "owner" } })),
    objects: ["where columns are given they agree with the payload"]
  }
]

export const mutants: ReadonlyArray<Mutant> = [...stepMutants, ...readMutants, ...jobMutants, ...chainMutants]
