/**
 * The fault matrix: the life of several grants, played through the real engine over a provider and its platform, once for
 * each external call and each way in which that call can fail.
 *
 * 1. The play: two grants of one right to one person and one of another; the first is given back early, the third is
 *    extended, the others end at their time, the extension is given back; and the platform is compared in between.
 * 2. A run without faults counts the external calls. Every further run fails one of them: before it took effect
 *    (`unavailable`, `throttle`, `conflict`, `deny`) or after it did (`loseAnswer`).
 * 3. Whenever the engine has come to rest, the platform's truth is held against the store:
 *    `orphaned`: alive at the platform, and not ACTIVE here; `lost`: ACTIVE here without a right, not at rest at all,
 *    or without the entries that a request must have. Before reconciliation first looks, and after.
 * 4. One clock: the engine's is a test clock that goes on with the platform's. While a call waits for time and for
 *    nothing else, time passes.
 *
 * Lanes whose platform cannot be failed call by call (the mock) are failed at the provider's own methods.
 */
import {
  AuditChain,
  ChainHasher,
  type ElevationError,
  Elevations,
  Job,
  Provider,
  Reconciler,
  type Request,
  Store
} from "@jitsudo/core"
import type { ProviderFixture } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { engineOver, handling, origin } from "./EngineOnLane.ts"
import type { Lane } from "./Lane.ts"

/** Ways in which a call fails. `loseAnswer` comes after its effect, the others before it; `conflict` is a stranger's edit. */
export const kinds = ["unavailable", "throttle", "conflict", "deny", "loseAnswer"] as const
export type Kind = (typeof kinds)[number]

export interface Injection {
  /** From 0, of all calls of the play. */
  readonly call: number
  readonly kind: Kind
}

/** Wraps the lane's provider into another one: for those that are wrong on purpose. */
export type Mutate = (sound: Provider.Provider) => Provider.Provider

export interface Played {
  readonly calls: number
  /** Grants that the platform confirmed. */
  readonly granted: number
  /** What was failed: the operation, as the platform calls it; null when nothing was. */
  readonly failed: string | null
  readonly orphaned: ReadonlyArray<string>
  readonly lost: ReadonlyArray<string>
}

/** How calls are counted and failed. */
interface Failing {
  readonly provider: Provider.Provider
  readonly calls: () => number
  readonly operation: (call: number) => string | undefined
}

const failingWire = ({ fixture, wire }: Effect.Success<Lane["make"]>, injection: Injection | null): Failing | null => {
  if (wire === null) return null
  const before = wire.calls().length
  if (injection !== null) wire.injectAt(injection.call, { kind: injection.kind })
  return {
    provider: fixture.provider,
    calls: () => wire.calls().length - before,
    operation: (call) => wire.calls()[before + call]?.operation
  }
}

const reasonOf: Readonly<Record<Kind, Provider.ProviderReason>> = {
  unavailable: "ProviderUnavailable",
  throttle: "ProviderThrottled",
  conflict: "ProviderConflict",
  deny: "ProviderDenied",
  loseAnswer: "ProviderUnavailable"
}

/** A provider that fails at the n-th call of any of its methods, as a platform would fail it. */
const failingMethods = (provider: Provider.Provider, injection: Injection | null): Failing => {
  const called: Array<string> = []
  const fail = (kind: Kind): Provider.ProviderError =>
    new Provider.ProviderError({
      provider: provider.name,
      reason: reasonOf[kind],
      retryable: kind !== "deny",
      effect: kind === "loseAnswer" ? "unknown" : "none",
      message: "it was made to fail",
      hint: ""
    })
  const around = <A>(method: string, call: Effect.Effect<A, Provider.ProviderError>) =>
    Effect.suspend(() => {
      const number = called.push(method) - 1
      if (injection === null || injection.call !== number) return call
      return injection.kind === "loseAnswer"
        ? Effect.andThen(Effect.result(call), Effect.fail(fail(injection.kind)))
        : Effect.fail(fail(injection.kind))
    })
  return {
    provider: {
      ...provider,
      check: (canonical, grantee) => around("check", provider.check(canonical, grantee)),
      grant: (request) => around("grant", provider.grant(request)),
      end: (request) => around("end", provider.end(request)),
      inspect: (request) => around("inspect", provider.inspect(request)),
      list: () => around("list", provider.list())
    },
    calls: () => called.length,
    operation: (call) => called[call]
  }
}

/** What the store has, and the log, each link of it checked. */
const recorded = Effect.gen(function* () {
  const store = yield* Store.Store
  const chain = yield* AuditChain.AuditChain
  const hasher = yield* ChainHasher.ChainHasher
  const { items } = yield* store.requests({ filter: {}, limit: 500 })
  const entries: Array<{ readonly requestId: string | null; readonly action: string }> = []
  let [previous, seq] = [ChainHasher.genesis, 0]
  for (const entry of yield* Stream.runCollect(chain.stream({}))) {
    const { hash } = yield* hasher.link(previous, entry.seq, entry.payload)
    if (entry.seq !== seq + 1 || entry.prevHash !== previous || entry.hash !== hash) {
      return yield* Effect.die(new Error(`entry ${entry.seq} does not follow entry ${seq}`))
    }
    ;[previous, seq] = [entry.hash, entry.seq]
    entries.push(JSON.parse(entry.payload))
  }
  return { requests: items, entries }
}).pipe(Effect.provide(ChainHasher.layer), Effect.orDie)

const unsettled: ReadonlySet<Request.State> = new Set(["PENDING", "APPROVED", "ENDING"])

/** The platform's truth against the store. */
const compare = Effect.fnUntraced(function* (fixture: ProviderFixture, when: string) {
  const { entries, requests } = yield* recorded
  const live = new Set((yield* fixture.live ?? Effect.succeed([])).map(({ requestId }) => requestId))
  const active = new Set(requests.flatMap(({ id, state }) => (state === "ACTIVE" ? [id] : [])))
  const orphaned = [...live].filter((id) => !active.has(id)).map((id) => `${id} is alive ${when}`)
  const lost: Array<string> = []
  for (const { ending, grant, id, state } of requests) {
    const count = (...actions: ReadonlyArray<string>) =>
      entries.filter((entry) => entry.requestId === id && actions.includes(entry.action)).length
    if (state === "ACTIVE" && !live.has(id)) lost.push(`${id} is ACTIVE without a right ${when}`)
    if (unsettled.has(state))
      lost.push(`${id} is ${state} ${when} (${ending?.lastError ?? grant?.lastError ?? "no error"})`)
    const ended = state === "EXPIRED" || state === "REVOKED" || state === "FAILED" ? 1 : 0
    const wanted = [1, grant === null || grant.issuedAt === null ? 0 : 1, ended]
    const there = [
      count("request.created"),
      count("grant.issued"),
      count("grant.expired", "grant.revoked", "grant.failed")
    ]
    if (wanted.some((number, index) => number !== there[index])) {
      lost.push(`${id} is ${state} with ${there.join(", ")} entries instead of ${wanted.join(", ")} ${when}`)
    }
  }
  return { orphaned, lost, granted: requests.filter(({ grant }) => grant !== null && grant.issuedAt !== null).length }
})

/** Grants of the play. */
const wanted = 4

/** The play, once, with one call failed or none. */
export const play = (
  lane: Lane,
  injection: Injection | null,
  mutate: Mutate = (sound) => sound
): Effect.Effect<Played> =>
  Effect.gen(function* () {
    const made = yield* lane.make
    const { fixture } = made
    const failing = failingWire(made, injection) ?? failingMethods(fixture.provider, injection)
    const { grantee } = fixture
    const orphaned: Array<string> = []
    const lost: Array<string> = []
    let granted = 0
    /** What people heard when they gave up. */
    const refusals: Array<string> = []
    const look = Effect.fnUntraced(function* (when: string) {
      const found = yield* compare(fixture, when)
      orphaned.push(...found.orphaned)
      lost.push(...found.lost)
      granted = found.granted
    })

    yield* Effect.gen(function* () {
      const elevations = yield* Elevations.Elevations
      const reconciler = yield* Reconciler.Reconciler
      const jobs = yield* Job.Jobs

      const { drive, pass, signIn } = yield* handling(fixture, failing.calls)
      /** People try again when they hear of trouble. */
      const stubborn = <A>(effect: Effect.Effect<A, ElevationError.ElevationError>) =>
        Effect.gen(function* () {
          for (let tries = 1; ; tries += 1) {
            const result = yield* drive(Effect.result(effect))
            if (Result.isFailure(result) && tries === 3) refusals.push(result.failure.message)
            if (Result.isSuccess(result) || tries === 3) return Result.getSuccess(result)
            yield* pass(5)
          }
        })
      const ask = Effect.fnUntraced(function* (which: Provider.Ask) {
        yield* signIn
        const input = { ...which, provider: fixture.provider.name, reason: "INC-1", metadata: {}, breakGlass: false }
        const request = yield* stubborn(elevations.request(grantee, input, origin))
        // Using it: whoever has it reads what it gave.
        if (Option.isSome(request)) yield* drive(Effect.result(elevations.credentials(grantee, request.value.id)))
        return request
      })
      const giveBack = Effect.fnUntraced(function* (request: Option.Option<Request.Request>) {
        if (Option.isSome(request)) yield* stubborn(elevations.revoke(grantee, request.value.id, "done"))
      })
      const reconcile = drive(Effect.result(reconciler.run))

      const [right, other] = fixture.asks
      const length = Math.max(right.durationSeconds, other.durationSeconds)
      // Long enough for every back-off, second ending and shortest life that a platform insists on.
      const rest = Math.min(400, length / 2)
      const early = yield* ask(right)
      yield* ask(right)
      const extended = yield* ask(other)
      yield* giveBack(early)
      yield* pass(rest)
      yield* look("after one was given back")
      yield* reconcile
      yield* pass(61)
      yield* reconcile
      yield* pass(30)
      yield* look("after the platform was compared")
      yield* signIn
      const extension = Option.isSome(extended)
        ? yield* stubborn(
            elevations.extend(
              grantee,
              extended.value.id,
              { durationSeconds: other.durationSeconds, reason: "more" },
              origin
            )
          )
        : Option.none()
      yield* pass(length - rest - 91 + 150)
      yield* look("after their time")
      yield* giveBack(extension)
      yield* pass(400)
      yield* reconcile
      yield* pass(61)
      yield* look("at the end")
      const counts = yield* Effect.orDie(jobs.counts)
      for (const { dead, kind, leased, ready } of counts) {
        if (dead + leased + ready > 0) lost.push(`${ready + leased} jobs of kind ${kind} are left and ${dead} are dead`)
      }
    }).pipe(Effect.provide(engineOver(mutate(failing.provider))))
    if (injection === null && granted !== wanted) {
      lost.push(`${granted} grants instead of ${wanted}: ${refusals.join("; ")}`)
    }
    return {
      calls: failing.calls(),
      granted,
      failed: injection === null ? null : (failing.operation(injection.call) ?? null),
      orphaned,
      lost
    }
  }).pipe(
    Effect.scoped,
    // What fails on purpose is reported hundreds of times: what counts is what it leaves.
    Effect.provideService(References.MinimumLogLevel, "None")
  )

export interface Found {
  /** What was failed and how: `sts:AssumeRole (call 3): loseAnswer`, or `without faults`. */
  readonly fault: string
  readonly orphaned: ReadonlyArray<string>
  readonly lost: ReadonlyArray<string>
}

export interface Matrix {
  readonly lane: string
  /** External calls of the play without faults. */
  readonly calls: number
  /** Runs in which a call was failed. */
  readonly injected: number
  readonly orphaned: number
  readonly lost: number
  /** Runs that left something. */
  readonly found: ReadonlyArray<Found>
}

export interface MatrixOptions {
  /** So many calls for each kind, spread over the play; all of them when absent. */
  readonly sample?: number
  readonly mutate?: Mutate
}

/** Why a lane cannot be played: its time is real, or nobody sees its truth. Null where it can. */
export const whyNotPlayed = ({ gaps }: Lane): string | null => gaps.advance ?? gaps.live ?? null

/** All plays of one lane, that without a fault among them: it must leave nothing, either. */
export const matrix = Effect.fnUntraced(function* (lane: Lane, { mutate, sample }: MatrixOptions = {}) {
  const sound = yield* play(lane, null, mutate)
  const injections = kinds.flatMap((kind, index) =>
    sample === undefined
      ? Array.from({ length: sound.calls }, (_, call): Injection => ({ call, kind }))
      : Array.from({ length: sample }, (_, nth): Injection => ({
          // Other calls for each kind.
          call: Math.floor(((nth + (index + 0.5) / kinds.length) * sound.calls) / sample),
          kind
        }))
  )
  const played = yield* Effect.forEach(injections, ({ call, kind }) =>
    Effect.map(play(lane, { call, kind }, mutate), ({ failed, lost, orphaned }) =>
      // A run that ended before its fault was due injected nothing.
      failed === null ? null : { fault: `${failed} (call ${call}): ${kind}`, orphaned, lost }
    )
  )
  const injected = played.filter((run) => run !== null)
  const runs: ReadonlyArray<Found> = [{ fault: "without faults", ...sound }, ...injected]
  return {
    lane: lane.name,
    calls: sound.calls,
    injected: injected.length,
    orphaned: runs.reduce((sum, run) => sum + run.orphaned.length, 0),
    lost: runs.reduce((sum, run) => sum + run.lost.length, 0),
    found: runs.flatMap(({ fault, lost, orphaned }) =>
      orphaned.length + lost.length > 0 ? [{ fault, orphaned, lost }] : []
    )
  } satisfies Matrix
})

/** Fewer over all lanes means that the play no longer reaches what it should. */
export const leastInjected = 1500

/** `faults: F injected, O orphaned, L lost`. */
export const totalOf = (matrices: ReadonlyArray<Matrix>): string => {
  const sum = (of: (one: Matrix) => number) => matrices.reduce((total, one) => total + of(one), 0)
  return `faults: ${sum((one) => one.injected)} injected, ${sum((one) => one.orphaned)} orphaned, ${sum((one) => one.lost)} lost`
}
