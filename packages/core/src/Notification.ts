/**
 * What people are told, and the port that tells them.
 *
 * A notification is a durable job of the step that caused it; the port delivers it at least once. It carries ids and
 * facts, no secrets; free text is escaped by the channel that shows it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JsonObject } from "./Json.ts"

export type NotificationEvent =
  | "request_created"
  | "ai_escalated"
  | "approved"
  | "auto_approved"
  | "denied"
  | "break_glass"
  | "break_glass_review"
  | "revoked"
  | "expired"
  | "grant_failed"
  | "needs_attention"
  | "lapsed"
  | "policy_changed"
  | "lock_changed"
  | "policy_over_budget"
  | "removed_externally"
  | "orphan_found"
  | "audit_contradicted"

/** Events that somebody must act on at once: delivered to every alert channel. */
export const alerts: ReadonlySet<NotificationEvent> = new Set([
  "break_glass",
  "break_glass_review",
  "needs_attention",
  "policy_changed",
  "lock_changed",
  "policy_over_budget",
  "removed_externally",
  "orphan_found",
  "audit_contradicted"
])

export interface Notification {
  /** Stable across deliveries, so that a receiver can drop a repeat. */
  readonly id: string
  readonly event: NotificationEvent
  readonly requestId: string | null
  readonly facts: JsonObject
}

export class NotifyError extends Data.TaggedError("NotifyError")<{
  readonly channel: string
  readonly message: string
}> {}

export class Notifier extends Context.Service<
  Notifier,
  {
    /** Must not return before every channel that wants it has taken it. */
    readonly deliver: (notification: Notification) => Effect.Effect<void, NotifyError>
  }
>()("@jitsudo/core/Notifier") {}

/** Tells nobody. */
export const layerNone: Layer.Layer<Notifier> = Layer.succeed(Notifier, Notifier.of({ deliver: () => Effect.void }))
