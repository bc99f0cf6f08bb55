/** The durable work of each event, and how a job's id is made from its cause, so that nothing is queued twice. */
import type { Event } from "./Event.ts"
import type { JobKind, NewJob } from "./Job.ts"
import type { JsonObject } from "./Json.ts"
import type { NotificationEvent } from "./Notification.ts"
import type { Provider } from "./Provider.ts"
import { terminal, type Request } from "./Request.ts"
import { nextReminder } from "./rules/Reviewing.ts"
import type { Write } from "./Step.ts"
import type { Time } from "./Time.ts"

export const jobId = {
  grant: (requestId: string) => `${requestId}:grant`,
  end: (requestId: string) => `${requestId}:end`,
  sweep: (requestId: string, at: Time) => `${requestId}:sweep:${at}`,
  /** One at a time, however often reconciliation sees it. */
  orphan: (requestId: string) => `${requestId}:orphan`,
  expire: (requestId: string) => `${requestId}:expire`,
  deadline: (requestId: string, at: Time) => `${requestId}:deadline:${at}`,
  review: (requestId: string, at: Time) => `${requestId}:review:${at}`,
  notify: (requestId: string, event: NotificationEvent, version: number) => `${requestId}:notify:${event}:${version}`
}

const job = (
  id: string,
  kind: JobKind,
  request: Request,
  runAt: Time,
  more: { readonly serialKey?: string; readonly after?: string; readonly payload?: JsonObject } = {}
): NewJob => ({
  id,
  kind,
  requestId: request.id,
  serialKey: more.serialKey ?? null,
  runAt,
  after: more.after ?? null,
  payload: more.payload ?? {}
})

/** Telling people about a request: ids and facts only, never credentials. */
export const notifyJob = (request: Request, event: NotificationEvent, now: Time): NewJob =>
  job(jobId.notify(request.id, event, request.version), "notify", request, now, {
    payload: {
      event,
      facts: {
        state: request.state,
        requester: request.requester.email ?? request.requester.subject,
        provider: request.asked.provider,
        role: request.asked.role,
        resourceScope: request.asked.resourceScope,
        durationSeconds: request.asked.durationSeconds,
        reason: request.asked.reason,
        breakGlass: request.asked.breakGlass,
        tier: request.routing.tier,
        approvers: request.routing.stages.flatMap((stage) => [
          ...stage.groups.map((group) => `group:${group}`),
          ...stage.users.map((user) => `user:${user}`)
        ]),
        outcome: request.outcome
      }
    }
  })

/** A second `end` (or the first, for a request that is over): confirms that nothing is left. */
export const sweepJob = (request: Request, at: Time, resourceKey: string): NewJob =>
  job(jobId.sweep(request.id, at), "end", request, at, { serialKey: resourceKey })

/** An `end` for what reconciliation found at the provider although the request is over. */
export const orphanJob = (request: Request, now: Time, resourceKey: string): NewJob =>
  job(jobId.orphan(request.id), "end", request, now, { serialKey: resourceKey })

/** What calls for this request must not run side by side on, across all providers. Kept from the first attempt on. */
export const resourceKeyOf = (provider: Provider | undefined, request: Request): string =>
  request.grant?.resourceKey ??
  `${request.asked.provider}:${provider === undefined ? request.id : provider.resourceKey(request.asked, request.requester)}`

/** Jobs and job changes that one event causes. `after` is the request with all events of the step. */
export const workOf = (
  event: Event,
  after: Request,
  now: Time,
  resourceKey: string
): { readonly jobs: ReadonlyArray<NewJob>; readonly writes: ReadonlyArray<Write> } => {
  const only = (...jobs: ReadonlyArray<NewJob>) => ({ jobs, writes: [] })
  switch (event.type) {
    case "Created":
      return after.state === "PENDING"
        ? only(
            job(jobId.deadline(after.id, after.decideBy), "deadline", after, after.decideBy),
            notifyJob(after, "request_created", now)
          )
        : only()
    case "Approved": {
      const alert = notifyJob(after, "break_glass", now)
      const startBy = after.startBy ?? event.startBy
      return only(
        ...(event.by === "break_glass"
          ? [alert]
          : [notifyJob(after, event.by === "policy" ? "auto_approved" : "approved", now)]),
        job(jobId.grant(after.id), "grant", after, now, {
          serialKey: resourceKey,
          ...(event.by === "break_glass" ? { after: alert.id } : {})
        }),
        job(jobId.deadline(after.id, startBy), "deadline", after, startBy)
      )
    }
    case "Escalated":
      return only(
        job(jobId.deadline(after.id, event.decideBy), "deadline", after, event.decideBy),
        notifyJob(after, "ai_escalated", now)
      )
    case "Rejected":
      return only(notifyJob(after, "denied", now))
    case "Lapsed":
      return only(notifyJob(after, "lapsed", now))
    case "GrantIssued":
      return only(job(jobId.expire(after.id), "expire", after, event.notAfter))
    case "GrantFailed":
      return only(notifyJob(after, "grant_failed", now))
    case "EndingBegun":
      return {
        jobs: [job(jobId.end(after.id), "end", after, now, { serialKey: resourceKey })],
        writes: [{ kind: "settle", jobId: jobId.expire(after.id) }]
      }
    case "RemovedExternally":
      return only(notifyJob(after, "removed_externally", now))
    case "EndAttemptFailed":
      return event.alert ? only(notifyJob(after, "needs_attention", now)) : only()
    case "Ended":
      return {
        jobs: [
          notifyJob(
            after,
            after.state === "EXPIRED" ? "expired" : after.state === "REVOKED" ? "revoked" : "grant_failed",
            now
          ),
          ...(event.sweepAgainAt === null ? [] : [sweepJob(after, event.sweepAgainAt, resourceKey)])
        ],
        writes: [{ kind: "credentials", requestId: after.id, sealed: null }]
      }
    case "ReviewOpened":
      return only(job(jobId.review(after.id, event.dueAt), "review", after, event.dueAt))
    case "ReviewReminded": {
      const next = after.review === null ? null : nextReminder(after.review)
      return only(
        notifyJob(after, "break_glass_review", now),
        ...(next === null ? [] : [job(jobId.review(after.id, next), "review", after, next)])
      )
    }
    case "GrantArrivedLate":
      // In a final state nothing else would take it back; in any other, an `end` is still to come.
      return terminal.has(after.state) ? only(sweepJob(after, now, resourceKey)) : only()
    case "Rerouted":
      return after.state === "PENDING"
        ? only(job(jobId.deadline(after.id, event.decideBy), "deadline", after, event.decideBy))
        : only()
    case "DecisionRecorded":
    case "DecisionStruck":
    case "Waiting":
    case "Cancelled":
    case "GrantStarted":
    case "GrantAttemptFailed":
    case "SweptAgain":
    case "CredentialsRead":
    case "ReviewClosed":
    case "Extended":
      return only()
  }
}
