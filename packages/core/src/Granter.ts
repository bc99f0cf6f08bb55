/**
 * The only caller of providers: turns durable work into the provider's truth.
 *
 * One set of handlers serves the happy path (`settle`, awaited by a request for speed) and recovery (the scheduler).
 * Order of every durable piece of work:
 *   1. the job is claimed under a numbered lease,
 *   2. a step says what is about to happen (guards: lease, request, and for a grant locks and requester),
 *   3. the lease is renewed: more of it is left than the call may take,
 *   4. the provider is called, detached from whoever waits,
 *   5. a step records the answer under the same lease, or the answer is taken back.
 * A crash between any two of these leaves a job that another process claims when the lease ends.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { Unavailable, type ElevationError } from "./ElevationError.ts"
import { CrashPoints } from "./CrashPoints.ts"
import { Jobs, type Job } from "./Job.ts"
import { Notifier, NotifyError, type Notification, type NotificationEvent } from "./Notification.ts"
import * as Orphans from "./Orphans.ts"
import { ProviderError, Providers, type EndRequest, type Granted, type Provider } from "./Provider.ts"
import * as Records from "./Records.ts"
import { terminal, type Request } from "./Request.ts"
import { attentionAttempts, endRetrySeconds } from "./rules/Ending.ts"
import { nextReminder } from "./rules/Reviewing.ts"
import { Sealer } from "./Sealer.ts"
import { Settings } from "./Settings.ts"
import { Store, type StoreError } from "./Store.ts"
import * as Times from "./Time.ts"
import type { Time } from "./Time.ts"
import { actorIn, Transitions, type LeaseLost, type Prepared } from "./Transitions.ts"
import { jobId, notifyJob as attentionJob, resourceKeyOf, sweepJob } from "./Work.ts"

export class Granter extends Context.Service<
  Granter,
  {
    /** Do now what the last step of this request caused, as far as nobody else is at it. Never fails. */
    readonly settle: (request: Request) => Effect.Effect<void>
    /** Do this job now, where it is due and nobody else is at it. Never fails. */
    readonly hurry: (jobId: string) => Effect.Effect<void>
    /** Do one claimed job to its end, or hand it back for later. Never fails. */
    readonly work: (job: Job) => Effect.Effect<void>
  }
>()("@jitsudo/core/Granter") {}

/** Exponential with jitter: about 2 s, 4 s, 8 s ... at most 5 minutes. */
const backoff = (attempts: number): Effect.Effect<number> =>
  Effect.map(Random.next, (jitter) => Math.min(300, 2 ** Math.min(attempts, 9)) * (0.75 + jitter / 2))

/** Jobs other than `end` are given up after a day. */
const maxAgeSeconds = 24 * 3600

/** What no job stands behind is tried for a minute and more before it is left to reconciliation. */
const stubbornly = <A, E extends ElevationError | LeaseLost>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(effect, {
    schedule: Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("10 seconds")]),
    times: 12,
    while: (error) => error._tag === "Unavailable"
  })

/** The instant that a job of the scheduler waits for, on a request as it stands; null when there is none. */
const dueTime = {
  Expire: (request: Request): Time | null => (request.state === "ACTIVE" ? (request.grant?.notAfter ?? null) : null),
  Deadline: (request: Request): Time | null =>
    request.state === "PENDING" ? request.decideBy : request.state === "APPROVED" ? request.startBy : null,
  RemindReview: (request: Request): Time | null => (request.review === null ? null : nextReminder(request.review))
}

const nothingRests = { policy: false, principals: false, locks: false }
const outOfTime = (provider: string) =>
  new ProviderError({
    provider,
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: `${provider} did not answer in time`,
    hint: "see whether the platform is reachable from the daemon"
  })

const make = Effect.gen(function* () {
  const store = yield* Store
  const jobs = yield* Jobs
  const providers = yield* Providers
  const sealer = yield* Sealer
  const notifier = yield* Notifier
  const settings = yield* Settings
  const transitions = yield* Transitions
  const crash = yield* CrashPoints
  const holder = `${globalThis.crypto.randomUUID()}`

  const keyFor = (request: Request): string => resourceKeyOf(providers.get(request.asked.provider), request)

  /** A provider call with its time limit; what it throws is a defect of the provider, and an unknown outcome. */
  const call = <A>(
    provider: Provider,
    effect: Effect.Effect<A, ProviderError>
  ): Effect.Effect<Result.Result<A, ProviderError>> =>
    effect.pipe(
      Effect.timeoutOrElse({
        duration: settings.callTimeoutSeconds * 1000,
        orElse: () => Effect.fail(outOfTime(provider.name))
      }),
      Effect.catchDefect((defect) =>
        Effect.flatMap(Effect.logError(`provider ${provider.name} threw`, defect), () =>
          Effect.fail(outOfTime(provider.name))
        )
      ),
      Effect.result
    )

  const release = (job: Job, seconds: number, error: string | null) => jobs.release(job, { inSeconds: seconds, error })

  const later = (job: Job, error: string): Effect.Effect<void> =>
    Effect.flatMap(backoff(job.attempts), (seconds) => Effect.ignore(release(job, seconds, error), { log: true }))

  const endRequestOf = Effect.fnUntraced(function* (request: Request, provider: Provider, now: Time) {
    const neighbours = yield* store.neighbours(keyFor(request), request.id)
    const grant = request.grant
    // What the provider ends by itself needs no ending before its time; anything else must stop now.
    const own = grant?.providerNotAfter ?? null
    const nothingLeft =
      grant === null || (grant.reference === null && grant.openAttempts === 0 && !grant.outcomeUnknown)
    const naturally = own !== null && now >= own && grant?.outcomeUnknown !== true && provider.capabilities.nativeExpiry
    return {
      requestId: request.id,
      grantee: request.requester,
      canonical: request.asked,
      checked: request.checked,
      reference: grant?.reference ?? null,
      ...(nothingLeft ? { neverGranted: true as const } : {}),
      notAfter: grant?.latestEnd ?? now,
      why: naturally ? "expired" : "early",
      now,
      neighbours
    } satisfies EndRequest
  })

  const grantJob = Effect.fnUntraced(function* (job: Job, requestId: string) {
    const provider = yield* providerOfRequest(requestId)
    if (provider === undefined)
      return yield* release(job, yield* backoff(job.attempts), "its provider is not configured here")
    yield* crash.at("grant.claimed")
    const started = yield* transitions.run({
      query: yield* grantQuery(requestId),
      resourceKey: keyFor,
      job: { job, settles: (after) => after.state !== "APPROVED" },
      prepare: (facts) =>
        Effect.gen(function* () {
          const request = facts.request
          const requester = request === undefined ? undefined : actorIn(facts, request.requester)
          if (request === undefined || requester === undefined) {
            return yield* Effect.die(new Error(`job ${job.id} has no request or requester`))
          }
          return {
            command: { type: "StartGrant", resourceKey: keyFor(request), requester },
            rests: { policy: false, principals: true, locks: true }
          } satisfies Prepared
        })
    })
    if (!started.events.some((event) => event.type === "GrantStarted")) {
      if (started.request.state === "ENDING") yield* runNow(jobId.end(requestId))
      return
    }
    yield* crash.at("grant.started")
    const before = started.request
    const now = yield* Effect.map(transitions.facts({}), (facts) => facts.now)
    const neighbours = yield* store.neighbours(keyFor(before), before.id)
    // Last before the call: what was read meanwhile took of the lease, too.
    if (!(yield* jobs.renew(job, settings.leaseSeconds))) return
    yield* crash.at("grant.before_call")
    const answer = yield* call(
      provider,
      provider.grant({
        requestId: before.id,
        ...(settings.installation === null ? {} : { installation: settings.installation }),
        grantee: before.requester,
        canonical: {
          role: before.asked.role,
          resourceScope: before.asked.resourceScope,
          durationSeconds: before.asked.durationSeconds
        },
        checked: before.checked,
        reason: before.asked.reason,
        metadata: before.asked.metadata,
        now,
        ...(before.grant?.outcomeUnknown === true ? { unknownSince: before.grant.startedAt } : {}),
        neighbours
      })
    )
    yield* crash.at("grant.after_call")
    yield* recordGrant(job, before, answer)
    yield* crash.at("grant.recorded")
  })

  const recordGrant = Effect.fnUntraced(function* (
    job: Job,
    before: Request,
    answer: Result.Result<Granted, ProviderError>
  ) {
    const granted = Result.isSuccess(answer) ? answer.success : undefined
    const recorded = yield* Effect.result(
      transitions.run({
        query: { requestId: before.id },
        resourceKey: keyFor,
        job: {
          job,
          settles: (after) => after.state !== "APPROVED"
        },
        prepare: Effect.fnUntraced(function* (facts) {
          const request = facts.request ?? before
          if (Result.isFailure(answer)) {
            return { command: { type: "GrantRefused", error: answer.failure }, rests: nothingRests } satisfies Prepared
          }
          const issued = answer.success
          const end = Times.plusSeconds(Times.min(issued.issuedAt, facts.now), request.asked.durationSeconds)
          const notAfter = Times.min(issued.notAfter, end)
          const sealed = yield* sealer.seal(issued.credentials, {
            requestId: request.id,
            requester: request.requester,
            notAfter
          })
          return {
            command: { type: "GrantSucceeded", granted: issued },
            rests: nothingRests,
            also: (_after, events) => ({
              guards: [],
              writes: events.some((event) => event.type === "GrantIssued")
                ? [{ kind: "credentials" as const, requestId: request.id, sealed }]
                : []
            })
          } satisfies Prepared
        })
      })
    )
    if (Result.isSuccess(recorded)) {
      const { request } = recorded.success
      if (request.state === "APPROVED" && Result.isFailure(answer)) {
        yield* release(job, answer.failure.retryAfterSeconds ?? (yield* backoff(job.attempts)), answer.failure.message)
      } else if (request.state === "ENDING") {
        yield* runNow(jobId.end(request.id))
      }
      return
    }
    if (recorded.failure._tag !== "LeaseLost") return yield* recorded.failure
    // What promises to have changed nothing leaves nothing to take back.
    if (Result.isFailure(answer) && answer.failure.effect === "none") return
    yield* takeBack(before, granted)
  })

  /** `grant` came back under a lost lease: whatever it granted is ended, whatever state the request is in. */
  const takeBack = Effect.fnUntraced(function* (before: Request, granted: Granted | undefined) {
    const outcome = yield* stubbornly(
      transitions.run({
        query: { requestId: before.id },
        resourceKey: keyFor,
        prepare: (facts) =>
          Effect.succeed({
            command: { type: "LeaseLost", granted },
            rests: nothingRests,
            also: (after, events) => ({
              guards: [],
              writes: [],
              // Its `end` may have been called before this right came to be: end it once more.
              jobs:
                after.state === "ENDING" && !events.some((event) => event.type === "EndingBegun")
                  ? [sweepJob(after, facts.now, keyFor(after))]
                  : []
            })
          } satisfies Prepared)
      })
    )
    // Nothing changed because no grant is known of: the call may have had its effect all the same.
    if (outcome.receipt === undefined) yield* endAgain(before.id)
    if (outcome.request.state === "ENDING") yield* runNow(jobId.end(before.id))
  })

  /**
   * Something reached the provider under a lost lease, after what the next holder did: an `end` with the neighbours of
   * this instant puts it right. An `end` that was late may have undone those of its neighbours, too.
   */
  const endAgain = (requestId: string) =>
    stubbornly(
      Effect.gen(function* () {
        const { now, request } = yield* transitions.facts({ requestId })
        if (request === undefined) return yield* Effect.die(new Error(`${requestId} is gone`))
        yield* transitions.commit({ now, records: [], jobs: [sweepJob(request, now, keyFor(request))] })
      }).pipe(
        Effect.catchTag("StepConflict", (conflict) =>
          Effect.fail(new Unavailable({ what: "contention", message: conflict.message, retryAfterSeconds: 1 }))
        )
      )
    )

  const grantQuery = Effect.fnUntraced(function* (requestId: string) {
    const found = yield* store.request(requestId)
    return Option.isSome(found) ? { requestId, principals: [found.value.requester] } : { requestId }
  })

  const providerOfRequest = Effect.fnUntraced(function* (requestId: string) {
    const found = yield* store.request(requestId)
    return Option.isSome(found) ? providers.get(found.value.asked.provider) : undefined
  })

  const endJob = Effect.fnUntraced(function* (job: Job, requestId: string) {
    yield* crash.at("end.claimed")
    const facts = yield* transitions.facts({ requestId })
    const request = facts.request
    if (request === undefined) return yield* Effect.die(new Error(`job ${job.id} has no request`))
    const sweeping = job.id !== jobId.end(requestId)
    // Only what is to end, or is over, may be ended: a second ending never cuts off a grant that is active.
    if (request.state !== "ENDING" && !(sweeping && terminal.has(request.state))) {
      return yield* settleOnly(job, facts.now)
    }
    const provider = providers.get(request.asked.provider)
    const answer =
      provider === undefined
        ? Result.fail(
            new ProviderError({
              provider: request.asked.provider,
              reason: "ProviderUnavailable",
              retryable: true,
              effect: "none",
              message: `provider ${request.asked.provider} is not configured here`,
              hint: `configure providers.${request.asked.provider} again so that its grants can be ended`
            })
          )
        : yield* endAt(job, request, provider, facts.now)
    if (answer === undefined) return
    yield* crash.at("end.after_call")
    const gone = Result.isFailure(answer) && answer.failure.reason === "AlreadyGone"
    const recorded = yield* Effect.result(
      transitions.run({
        query: { requestId },
        resourceKey: keyFor,
        job: { job, settles: () => Result.isSuccess(answer) || gone },
        prepare: () =>
          Effect.succeed({
            command:
              Result.isSuccess(answer) || gone
                ? { type: "EndConfirmed", note: Result.isSuccess(answer) ? answer.success.note : "already gone" }
                : { type: "EndRefused", error: answer.failure },
            rests: nothingRests
          } satisfies Prepared)
      })
    )
    if (Result.isFailure(recorded)) {
      if (recorded.failure._tag === "LeaseLost" && provider !== undefined) return yield* endAgain(requestId)
      return yield* recorded.failure
    }
    const outcome = recorded.success
    yield* crash.at("end.recorded")
    if (Result.isFailure(answer) && !gone) {
      const inEnding = outcome.events.length > 0
      const attempts = inEnding ? (outcome.request.ending?.attempts ?? job.attempts) : job.attempts
      if (!inEnding && job.attempts % attentionAttempts === 0) {
        yield* sweepNeedsAttention(job, outcome.request, answer.failure)
      }
      const seconds = endRetrySeconds(Math.max(0, attempts - 1), answer.failure)
      yield* release(job, seconds * (1 + (yield* Random.next) / 4), answer.failure.message)
    }
  })

  /** A request that is over cannot say itself that its second ending does not come about. */
  const sweepNeedsAttention = Effect.fnUntraced(function* (job: Job, request: Request, error: ProviderError) {
    const { now } = yield* transitions.facts({})
    yield* transitions
      .commit({
        now,
        guards: [{ kind: "lease", jobId: job.id, lease: job.lease }],
        records: [
          Records.about(request, Records.systemActor, "grant.needs_attention", "failure", {
            attempt: job.attempts,
            error: error.message
          })
        ],
        jobs: [{ ...attentionJob(request, "needs_attention", now), id: `${job.id}:notify:${job.attempts}` }]
      })
      .pipe(Effect.catchTag("StepConflict", () => Effect.void))
  })

  const endAt = Effect.fnUntraced(function* (job: Job, request: Request, provider: Provider, now: Time) {
    const what = yield* endRequestOf(request, provider, now)
    if (!(yield* jobs.renew(job, settings.leaseSeconds))) return undefined
    yield* crash.at("end.before_call")
    return yield* call(provider, provider.end(what))
  })

  const settleOnly = Effect.fnUntraced(function* (job: Job, now: Time) {
    yield* transitions
      .commit({
        now,
        guards: [{ kind: "lease", jobId: job.id, lease: job.lease }],
        writes: [{ kind: "settle", jobId: job.id }],
        records: []
      })
      // Somebody else holds it now, and will settle it.
      .pipe(Effect.catchTag("StepConflict", () => Effect.void))
  })

  /**
   * `expire`, `deadline` and `review`: a command of the scheduler on one request. A job that comes too early (a clock
   * was set back) is handed back: it may be the only one that ever ends this.
   */
  const commandJob = (type: "Expire" | "Deadline" | "RemindReview") =>
    Effect.fnUntraced(function* (job: Job, requestId: string) {
      let now = job.runAt
      const isOver = (request: Request): boolean => {
        const due = dueTime[type](request)
        return due === null || due > job.runAt
      }
      const outcome = yield* transitions.run({
        query: { requestId },
        resourceKey: keyFor,
        job: { job, settles: (after, events) => events.length > 0 || isOver(after) },
        prepare: (facts) =>
          Effect.sync(() => {
            now = facts.now
            return { command: { type }, rests: nothingRests } satisfies Prepared
          })
      })
      if (outcome.events.length === 0 && !isOver(outcome.request)) {
        yield* release(job, Math.max(1, Math.ceil((job.runAt - now) / 1000)), null)
      }
      if (outcome.request.state === "ENDING") yield* runNow(jobId.end(requestId))
    })

  /** A channel that hangs or breaks has not taken it. */
  const deliver = (notification: Notification): Effect.Effect<void, NotifyError> => {
    const trouble = (message: string) => Effect.fail(new NotifyError({ channel: "notifier", message }))
    return notifier.deliver(notification).pipe(
      Effect.timeoutOrElse({
        duration: settings.callTimeoutSeconds * 1000,
        orElse: () => trouble("it did not answer in time")
      }),
      Effect.catchDefect((defect) =>
        Effect.andThen(Effect.logError(`telling ${notification.event} broke`, defect), trouble("it broke"))
      )
    )
  }

  const notifyJob = Effect.fnUntraced(function* (job: Job) {
    const notification: Notification = {
      id: job.id,
      event: job.payload["event"] as NotificationEvent,
      requestId: job.requestId,
      facts: (job.payload["facts"] ?? {}) as Notification["facts"]
    }
    const told = yield* Effect.result(deliver(notification))
    const { now } = yield* transitions.facts({})
    if (Result.isSuccess(told)) return yield* settleOnly(job, now)
    const error = `${told.failure.channel}: ${told.failure.message}`
    if (Times.secondsBetween(job.createdAt, now) < maxAgeSeconds)
      return yield* release(job, yield* backoff(job.attempts), error)
    yield* Effect.ignore(
      transitions.commit({
        now,
        guards: [{ kind: "lease", jobId: job.id, lease: job.lease }],
        records: [
          Records.plain(Records.systemActor, "notification.failed", "failure", {
            notification: job.id,
            event: notification.event,
            channel: told.failure.channel
          })
        ]
      }),
      { log: true }
    )
    yield* jobs.giveUp(job, error)
  })

  /**
   * A lock came into force, or somebody's owner changed: every live grant that a lock hits goes to ENDING. Their endings
   * are jobs of their own, so that a provider that hangs holds up none of the others.
   */
  const lockSweep = Effect.fnUntraced(function* (job: Job) {
    let cursor: string | undefined
    do {
      const page = yield* store.live({ limit: 100, ...(cursor === undefined ? {} : { cursor }) })
      if (!(yield* jobs.renew(job, settings.leaseSeconds))) return
      for (const request of page.items) {
        yield* transitions.run({
          query: { requestId: request.id, principals: [request.requester] },
          resourceKey: keyFor,
          prepare: (facts) =>
            Effect.succeed({
              command: { type: "LockHit", requester: actorIn(facts, request.requester) },
              rests: { ...nothingRests, locks: true }
            } satisfies Prepared)
        })
      }
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined)
    yield* settleOnly(job, (yield* transitions.facts({})).now)
  })

  const dispatch = (job: Job): Effect.Effect<void, ElevationError | LeaseLost | StoreError> => {
    if (job.kind === "notify") return notifyJob(job)
    if (job.kind === "lock_sweep") return lockSweep(job)
    if (job.kind === "end" && job.requestId === null) return orphans.work(job)
    if (job.requestId === null) return Effect.die(new Error(`job ${job.id} of kind ${job.kind} names no request`))
    switch (job.kind) {
      case "grant":
        return grantJob(job, job.requestId)
      case "end":
        return endJob(job, job.requestId)
      case "expire":
        return commandJob("Expire")(job, job.requestId)
      case "deadline":
        return commandJob("Deadline")(job, job.requestId)
      case "review":
        return commandJob("RemindReview")(job, job.requestId)
    }
  }

  const work: Granter["Service"]["work"] = (job) =>
    dispatch(job).pipe(
      Effect.catch((error) => {
        // Another holds it now: nothing to hand back.
        if (error._tag === "LeaseLost") return Effect.void
        return Effect.flatMap(Effect.logWarning(`job ${job.id}: ${error.message}`), () => later(job, error.message))
      }),
      Effect.catchDefect((defect) =>
        Effect.flatMap(Effect.logError(`job ${job.id} broke`, defect), () =>
          later(job, "it broke; see the daemon's log")
        )
      ),
      // A caller that goes away never cancels a provider call half way.
      Effect.uninterruptible,
      Effect.withSpan("Granter.work", { attributes: { job: job.id, kind: job.kind } })
    )

  /** Claim one job by its id and do it; nothing happens when it is not due, held by another, or done. */
  const runNow = (id: string): Effect.Effect<void> =>
    jobs.claim({ holder, limit: 1, leaseSeconds: settings.leaseSeconds, id }).pipe(
      Effect.flatMap((claimed) => Effect.forEach(claimed, work, { discard: true })),
      Effect.ignore({ log: true })
    )

  const orphans = Orphans.handlers({
    store,
    jobs,
    settings,
    transitions,
    providerOf: providers.get,
    call,
    keyFor,
    later,
    runNow
  })

  /** The alert is claimed before the grant; in an emergency nobody waits until a slow channel has taken it. */
  const alertNow = (id: string): Effect.Effect<void> =>
    jobs.claim({ holder, limit: 1, leaseSeconds: settings.leaseSeconds, id }).pipe(
      Effect.flatMap((claimed) =>
        Effect.forEach(claimed, (job) => Effect.forkDetach(work(job), { startImmediately: true }), { discard: true })
      ),
      Effect.ignore({ log: true })
    )

  const settle: Granter["Service"]["settle"] = (request) =>
    Effect.gen(function* () {
      switch (request.state) {
        case "APPROVED":
          if (request.asked.breakGlass) yield* alertNow(jobId.notify(request.id, "break_glass", request.version))
          return yield* runNow(jobId.grant(request.id))
        case "ENDING":
          return yield* runNow(jobId.end(request.id))
        default:
          return
      }
    })

  return Granter.of({
    settle: (request) => Effect.uninterruptible(settle(request)),
    hurry: (id) => Effect.uninterruptible(runNow(id)),
    work
  })
})

export const layer: Layer.Layer<Granter, never, Store | Jobs | Providers | Sealer | Notifier | Settings | Transitions> =
  Layer.effect(Granter, make)
