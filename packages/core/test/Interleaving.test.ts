/**
 * Many at once: people approve, deny, withdraw, revoke, lock and unlock the same requests while processes work, and every
 * step yields at random places. Afterwards each request has one outcome, the provider's truth is the state, and the log
 * is one chain.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ElevationError } from "../src/ElevationError.ts"
import { Jobs } from "../src/Job.ts"
import { terminal } from "../src/Request.ts"
import type { LockTarget } from "../src/Lock.ts"
import { Store } from "../src/Store.ts"
import {
  amy,
  ana,
  ask,
  bea,
  ben,
  carl,
  cleo,
  clock,
  engine,
  inWorld,
  log,
  origin,
  pass,
  sam,
  stored,
  work,
  world,
  type Process
} from "./support/EngineWorld.ts"

const full = process.env["JITSUDO_TEST_FULL"] === "1"
const rounds = full ? 60 : 6
const requestsPerRound = 8

/** mulberry32. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The store and the jobs, each call of which lets others go first, now and then. */
const yielding = (random: () => number) => {
  const pause = Effect.suspend(() => (random() < 0.4 ? Effect.yieldNow : Effect.void))
  const around = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.andThen(
      pause,
      Effect.tap(call, () => pause)
    )
  const store = Effect.map(Store, (inner) =>
    Store.of({
      ...inner,
      facts: (query) => around(inner.facts(query)),
      commit: (step) => around(inner.commit(step)),
      request: (id) => around(inner.request(id)),
      neighbours: (key, except) => around(inner.neighbours(key, except))
    })
  )
  const jobs = Effect.map(Jobs, (inner) =>
    Jobs.of({
      ...inner,
      claim: (options) => around(inner.claim(options)),
      renew: (job, s) => around(inner.renew(job, s))
    })
  )
  return Layer.merge(Layer.effect(Store, store), Layer.effect(Jobs, jobs))
}

/** A refusal is an answer; trouble other than a lost race is not expected here. */
const tried = <A>(call: Effect.Effect<A, ElevationError>) =>
  Effect.catch(call, (error) => {
    if (error._tag === "Refused" || error.what === "contention") return Effect.void
    return Effect.die(error)
  })

describe("requests at once", () => {
  for (let seed = 1; seed <= rounds; seed++) {
    it.effect(`have one outcome each, whoever comes first (${seed})`, () => {
      const random = randomOf(seed)
      const made = world()
      const pick = <A>(of: ReadonlyArray<A>): A => {
        const found = of[Math.floor(random() * of.length)]
        if (found === undefined) throw new Error("nothing to pick from")
        return found
      }
      return inWorld(made, () =>
        Effect.gen(function* () {
          const processes = [yield* engine(), yield* engine()]
          const one = (): Process => pick(processes)
          const asked = yield* Effect.forEach(Array.from({ length: requestsPerRound }), (_, n) =>
            pick(processes).elevations.request(
              n % 2 === 0 ? ana : amy,
              ask(pick(["admin", "two", "both"]), { resourceScope: `project/${n % 3}` }),
              origin
            )
          )
          const targets: ReadonlyArray<LockTarget> = [
            { kind: "principal", principal: ana },
            { kind: "provider", provider: "memory" },
            { kind: "role", provider: "memory", role: "*", resourceScope: "project/1" }
          ]
          const acts = asked.flatMap((request) => {
            const { digest, id, requester } = request
            const owner = requester.subject === ana.subject ? ana : amy
            const all = [
              ...[ben, bea, sam, ben].map((by) => () => one().elevations.approve(by, id, { comment: "", digest })),
              () => one().elevations.deny(bea, id, { comment: "no", digest }),
              () => one().elevations.cancel(owner, id, ""),
              () => one().elevations.revoke(pick([owner, cleo]), id, ""),
              () => one().elevations.revoke(cleo, id, ""),
              () => one().elevations.credentials(owner, id)
            ]
            return all.filter(() => random() < 0.6)
          })
          const locking = Array.from(
            { length: 2 },
            () => () =>
              Effect.gen(function* () {
                const lock = yield* one().principals.lock(cleo, pick(targets), "incident")
                for (let i = 0; i < 10; i++) yield* Effect.yieldNow
                yield* one().principals.unlock(carl, lock.id)
              })
          )
          const signing = () => one().principals.signIn({ ...bea, groups: pick([["sre-leads"], []]) })
          const ticking = processes.map(
            (process) => () => Effect.repeat(Effect.andThen(Effect.yieldNow, process.scheduler.tick), { times: 10 })
          )
          const everything: Array<() => Effect.Effect<unknown, ElevationError>> = [
            ...acts,
            ...locking,
            signing,
            ...ticking
          ]
          const shuffled = everything
            .map((act) => ({ act, at: random() }))
            .sort((a, b) => a.at - b.at)
            .map(({ act }) => act)
          yield* Effect.forEach(shuffled, (act) => tried(act()), { concurrency: "unbounded", discard: true })

          const process = one()
          yield* work(process)
          yield* pass(process, 300)
          const now = yield* clock
          const alive = new Set(made.platform.live(now).map((grant) => grant.requestId))
          const lines = yield* log
          for (const { id } of asked) {
            const request = yield* stored(id)
            assert.include(["PENDING", "ACTIVE", "CANCELLED", "REJECTED", "REVOKED"], request.state)
            assert.strictEqual(alive.has(id), request.state === "ACTIVE", `${id} is ${request.state}`)
            const actions = lines.filter((line) => line.requestId === id && line.outcome === "success")
            const outcomes = actions.filter((line) =>
              ["request.approved", "request.denied", "request.cancelled"].includes(line.action)
            )
            assert.isAtMost(outcomes.length, 1, JSON.stringify(outcomes))
            assert.isAtMost(actions.filter((line) => line.action === "grant.issued").length, 1)
            assert.isAtMost(actions.filter((line) => line.action === "grant.revoked").length, 1)
            assert.strictEqual(
              actions.some((line) => line.action === "grant.issued"),
              request.grant?.issuedAt != null
            )
            // Each version of the request has its entries: none without, and none twice.
            assert.isAtLeast(actions.length, request.version)
          }
          assert.deepStrictEqual(made.platform.overlaps(), [])

          // And in the end nothing is left.
          yield* pass(process, 26 * 3600)
          assert.deepStrictEqual(made.platform.live(yield* clock), [])
          for (const { id } of asked) {
            const request = yield* stored(id)
            assert.isTrue(terminal.has(request.state), `${id} is ${request.state}`)
          }
          const jobs = yield* Jobs
          assert.deepStrictEqual(
            (yield* jobs.counts).filter((count) => count.ready + count.leased + count.dead > 0),
            []
          )
          yield* log
        }).pipe(Effect.provide(yielding(random)))
      )
    })
  }
})
