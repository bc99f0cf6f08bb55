/**
 * The whole engine over memory ports, with a clock that the test moves and faults on demand.
 *
 * Ana and Amy ask (`sre`), Ben and Bea lead (`sre-leads`), Sam is of `security`, Cleo and Carl administer, Olga audits,
 * Dave is a stranger. Scout is Ana's agent, Judge the operator's, Stray nobody's. Role `reader` passes by itself, `open`
 * is reviewed by agents, `two` needs two leads, `both` a lead and somebody of security, everything else one lead.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { AuditChain } from "../../src/AuditChain.ts"
import * as ChainHasher from "../../src/ChainHasher.ts"
import { CrashPoints, type CrashPoint } from "../../src/CrashPoints.ts"
import type { ElevationError } from "../../src/ElevationError.ts"
import { Elevations, type AskInput } from "../../src/Elevations.ts"
import * as Engine from "../../src/Engine.ts"
import { Granter } from "../../src/Granter.ts"
import { Jobs } from "../../src/Job.ts"
import { layerTable, type LabelRow } from "../../src/Labels.ts"
import * as MemoryProvider from "../../src/memory/MemoryProvider.ts"
import * as MemoryStore from "../../src/memory/MemoryStore.ts"
import * as StaticPolicy from "../../src/memory/StaticPolicy.ts"
import { Notifier, NotifyError, type Notification } from "../../src/Notification.ts"
import { PolicyAdmin } from "../../src/PolicyAdmin.ts"
import { operator, type PrincipalKey } from "../../src/Principal.ts"
import { Principals, type SignIn } from "../../src/Principals.ts"
import type { Provider } from "../../src/Provider.ts"
import * as Providers from "../../src/Providers.ts"
import { Reconciler } from "../../src/Reconciler.ts"
import type { Request, RequestId } from "../../src/Request.ts"
import { Scheduler } from "../../src/Scheduler.ts"
import * as Sealer from "../../src/Sealer.ts"
import * as Settings from "../../src/Settings.ts"
import { Store } from "../../src/Store.ts"
import { Faults, over } from "../../src/testing/Faults.ts"
import * as Times from "../../src/Time.ts"
import { Transitions } from "../../src/Transitions.ts"

export const start = Times.make(Date.parse("2026-01-05T09:00:00Z"))

const issuer = "https://idp.test"

const person = (name: string, groups: ReadonlyArray<string>): SignIn => ({
  issuer,
  subject: `sub-${name}`,
  email: `${name}@example.test`,
  groups,
  groupsReadAt: start,
  kind: "human",
  owner: null,
  authTime: start,
  amr: []
})

const agent = (name: string, owner: PrincipalKey | null): SignIn => ({
  ...person(name, []),
  email: null,
  kind: "agent",
  owner
})

export const ana = person("ana", ["sre"])
export const amy = person("amy", ["sre"])
export const ben = person("ben", ["sre-leads"])
export const bea = person("bea", ["sre-leads"])
/** Ben once more, at another issuer. */
export const benElsewhere: SignIn = { ...ben, issuer: "https://other.test", subject: "b" }
export const sam = person("sam", ["security"])
export const cleo = person("cleo", ["jitsudo-admins"])
export const carl = person("carl", ["jitsudo-admins"])
export const olga = person("olga", ["jitsudo-auditors"])
export const dave = person("dave", [])
export const scout = agent("scout", { issuer, subject: "sub-ana" })
export const judge = agent("judge", operator)
export const stray = agent("stray", null)

export const everybody = [ana, amy, ben, bea, benElsewhere, sam, cleo, carl, olga, dave, scout, judge, stray]

export const ask = (role: string, more: Partial<AskInput> = {}): AskInput => ({
  provider: "memory",
  role,
  resourceScope: "project/checkout",
  durationSeconds: 3600,
  reason: "INC-1",
  metadata: {},
  breakGlass: false,
  ...more
})

export const origin = { channel: "test", sourceIp: "" }

const leads = { policy: "leads", groups: ["sre-leads"], users: [], quorum: 1 }

export const rules: Required<StaticPolicy.Rules> = {
  eligibility: (input) => ({
    allowed: input.requester.groups.includes("sre") || input.requester.kind === "agent",
    reasons: ["only sre"],
    blockOnOpenReview: true
  }),
  routing: (input) => {
    switch (input.request.role) {
      case "reader":
        return { tier: "auto" }
      case "open":
        return { tier: "ai_review", stages: [leads] }
      case "two":
        return { tier: "human", stages: [{ ...leads, quorum: 2 }] }
      case "both":
        return { tier: "human", stages: [leads, { policy: "sec", groups: ["security"], users: [], quorum: 1 }] }
      default:
        return { tier: "human", stages: [leads] }
    }
  },
  admission: (input) => ({
    allowed: input.action === "ai_approve" ? input.review.confidence >= 0.9 : false,
    reasons: input.action === "ai_approve" ? ["not sure enough"] : []
  })
}

/** What tells people: kept in order, failing or hanging when told to. */
export interface Channel {
  readonly told: Array<Notification>
  mode: "takes" | "fails" | "hangs" | "breaks"
}

export interface WorldOptions {
  readonly rules?: StaticPolicy.Rules
  readonly settings?: Partial<Settings.DomainSettings>
  readonly labels?: ReadonlyArray<LabelRow>
  readonly provider?: MemoryProvider.Options
  /** Changes the provider that the engine sees. */
  readonly wrap?: (provider: Provider) => Provider
}

export const world = (options: WorldOptions = {}) => {
  const memory = MemoryProvider.make(options.provider)
  const channel: Channel = { told: [], mode: "takes" }
  const notifier = Notifier.of({
    deliver: (notification) =>
      Effect.suspend(() => {
        channel.told.push(notification)
        switch (channel.mode) {
          case "takes":
            return Effect.void
          case "fails":
            return Effect.fail(new NotifyError({ channel: "pager", message: "down" }))
          case "hangs":
            return Effect.never
          case "breaks":
            return Effect.die(new TypeError("a bug in the channel"))
        }
      })
  })
  const provider = options.wrap === undefined ? memory.provider : options.wrap(memory.provider)
  const layer = Layer.mergeAll(
    over(MemoryStore.layer),
    StaticPolicy.layer({ ...rules, ...options.rules }),
    Providers.layerOf([provider]),
    layerTable(options.labels ?? []),
    Settings.layer({ alertChannels: ["pager"], ...options.settings }),
    Sealer.layerMemory,
    Layer.succeed(Notifier, notifier)
  )
  return { platform: memory.platform, channel, layer }
}

/** A process: an engine of its own over the ports at hand. `at` is told each crash point that it passes. */
export const engine = (at?: (point: CrashPoint) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(Layer.fresh(Engine.layer())).pipe(
      Effect.provideService(CrashPoints, { at: at ?? (() => Effect.void) })
    )
    return {
      elevations: Context.get(context, Elevations),
      granter: Context.get(context, Granter),
      principals: Context.get(context, Principals),
      policyAdmin: Context.get(context, PolicyAdmin),
      reconciler: Context.get(context, Reconciler),
      scheduler: Context.get(context, Scheduler),
      transitions: Context.get(context, Transitions)
    }
  })
export type Process = Effect.Success<ReturnType<typeof engine>>

/** Stops for ever at this point, as a process that was killed; says when it is there. */
export const killedAt = (point: CrashPoint) => {
  const reached = Deferred.makeUnsafe<void>()
  return {
    reached: Deferred.await(reached),
    at: (passed: CrashPoint) =>
      passed === point ? Effect.andThen(Deferred.succeed(reached, undefined), Effect.never) : Effect.void
  }
}

/** Stops at this point the first time, as by SIGSTOP, until it is woken. */
export const stoppedAt = (point: CrashPoint) => {
  const reached = Deferred.makeUnsafe<void>()
  const woken = Deferred.makeUnsafe<void>()
  let stopped = false
  return {
    reached: Deferred.await(reached),
    wake: Deferred.succeed(woken, undefined),
    at: (passed: CrashPoint) =>
      Effect.suspend(() => {
        if (passed !== point || stopped) return Effect.void
        stopped = true
        return Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(woken))
      })
  }
}

export const signedIn = (people: Process, who: ReadonlyArray<SignIn> = everybody) =>
  Effect.gen(function* () {
    const now = Times.make(yield* Clock.currentTimeMillis)
    yield* Effect.forEach(who, (one) => people.principals.signIn({ ...one, groupsReadAt: now }), { discard: true })
  })

/** Does what is due now. The number of jobs done. */
export const work = (process: Process) =>
  Effect.gen(function* () {
    let done = 0
    for (let claimed = 1; claimed > 0; done += claimed) claimed = yield* process.scheduler.tick
    return done
  })

/** Lets other fibers, and what they wait for outside of the test's clock, go on until this holds. */
export const until = (holds: () => boolean) =>
  Effect.gen(function* () {
    while (!holds()) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  })

/** Does what is due now while calls hang: the clock goes on by as much as a call may take whenever this holds. */
export const workWhileHanging = (process: Process, isHanging: () => boolean, seconds = 30) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(work(process), { startImmediately: true })
    yield* until(() => isHanging() || fiber.pollUnsafe() !== undefined)
    yield* TestClock.adjust(seconds * 1000)
    return yield* Fiber.join(fiber)
  })

/** Lets time pass from one due job to the next, for so many seconds, and does all of them. */
export const pass = (process: Process, seconds: number) =>
  Effect.gen(function* () {
    const jobs = yield* Jobs
    const until = (yield* Clock.currentTimeMillis) + seconds * 1000
    for (;;) {
      yield* work(process)
      const now = yield* Clock.currentTimeMillis
      const next = yield* jobs.nextDue
      if (next === null || next > until) {
        if (now < until) yield* TestClock.setTime(until)
        yield* work(process)
        return
      }
      yield* TestClock.setTime(Math.max(next, now + 1))
    }
  })

export const clock = Effect.map(Clock.currentTimeMillis, Times.make)

/** The code with which a call is refused, or what is in trouble. */
export const refusalOf = <A>(call: Effect.Effect<A, ElevationError>): Effect.Effect<string, A> =>
  Effect.map(Effect.flip(call), (error) => (error._tag === "Refused" ? error.code : `unavailable: ${error.what}`))

export const stored = (id: RequestId): Effect.Effect<Request, never, Store> =>
  Effect.gen(function* () {
    const store = yield* Store
    const found = yield* Effect.orDie(store.request(id))
    if (found._tag === "None") return yield* Effect.die(new Error(`${id} is gone`))
    return found.value
  })

export interface Line {
  readonly seq: number
  readonly time: string
  readonly action: string
  readonly outcome: string
  readonly requestId: string | null
  readonly actor: { readonly subject: string; readonly kind: string }
  readonly details: Readonly<Record<string, unknown>>
  readonly texts: ReadonlyArray<string>
}

/** The log, each link of it checked. */
export const log = Effect.gen(function* () {
  const chain = yield* AuditChain
  const hasher = yield* ChainHasher.ChainHasher
  const entries = yield* Stream.runCollect(chain.stream({}))
  let previous = ChainHasher.genesis
  const lines: Array<Line> = []
  for (const [index, entry] of entries.entries()) {
    assert.strictEqual(entry.seq, index + 1, "the log has a gap")
    assert.strictEqual(entry.prevHash, previous, `entry ${entry.seq} does not follow the one before`)
    const { hash } = yield* hasher.link(previous, entry.seq, entry.payload)
    assert.strictEqual(hash, entry.hash, `entry ${entry.seq} was changed`)
    previous = hash
    const payload = JSON.parse(entry.payload) as Omit<Line, "seq" | "texts">
    lines.push({ ...payload, seq: entry.seq, texts: entry.texts.map((one) => one.text) })
  }
  return lines
}).pipe(Effect.provide(ChainHasher.layer), Effect.orDie)

/** What was recorded about a request, in order. */
export const actionsOf = (id: RequestId) =>
  Effect.map(log, (lines) => lines.flatMap((line) => (line.requestId === id ? [line.action] : [])))

/** A test over a world, at the start of its clock, with everybody signed in. */
export const inWorld = <A, E>(
  made: ReturnType<typeof world>,
  body: (
    process: Process
  ) => Effect.Effect<A, E, Store | Jobs | Faults | AuditChain | Effect.Services<ReturnType<typeof engine>>>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* TestClock.setTime(start)
      const process = yield* engine()
      yield* signedIn(process)
      return yield* body(process)
    })
  ).pipe(Effect.provide(made.layer))

export { Faults, Jobs, Store }
