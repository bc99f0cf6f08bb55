/**
 * Numbered places between durable acts, where a test may stop the process.
 *
 * Does nothing unless a host installs something: the daemon does so only for its crash tests.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** In the order in which a grant and its ending pass them. */
export const crashPoints = [
  "grant.claimed",
  "grant.started",
  "grant.before_call",
  "grant.after_call",
  "grant.recorded",
  "end.claimed",
  "end.before_call",
  "end.after_call",
  "end.recorded"
] as const
export type CrashPoint = (typeof crashPoints)[number]

export const CrashPoints = Context.Reference<{ readonly at: (point: CrashPoint) => Effect.Effect<void> }>(
  "@jitsudo/core/CrashPoints",
  { defaultValue: () => ({ at: () => Effect.void }) }
)
