/** What `crashing-daemon.ts` is told beside its configuration. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Where a process ends or pauses itself. */
export const Stop = Schema.Struct({
  /** One of core's crash points, or `commit.before:<action>`, `commit.after:<action>` of an entry of the step. */
  point: Schema.NonEmptyString,
  /** Only the n-th time. */
  nth: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(1))),
  how: Schema.Literals(["kill", "stop"])
})
export type Stop = typeof Stop.Type

/** Faults that a build could have; a test that finds nothing bad must find something under each that concerns it. */
export const Fault = Schema.Literals([
  /** Leases are neither guarded nor renewed: a late answer counts. */
  "leases-unguarded",
  /** Policy, locks and principals are not guarded: a decision may stand on what is no longer so. */
  "facts-unguarded",
  /** A lost race on a request is overwritten instead of decided again. */
  "races-overwritten",
  /** The provider does not know a request again: each attempt grants anew. */
  "grants-not-idempotent",
  /** The state is committed without its entries' last one. */
  "entries-dropped",
  /** What came too late is not ended again. */
  "sweeps-dropped"
])
export type Fault = typeof Fault.Type

export const Drill = Schema.Struct({
  stops: Schema.Array(Stop).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([]))),
  /** Its scheduler takes nothing: it does what its own callers cause. */
  passive: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false))),
  settings: Schema.Struct({
    leaseSeconds: Schema.optionalKey(Schema.Int),
    callTimeoutSeconds: Schema.optionalKey(Schema.Int),
    orphanGraceSeconds: Schema.optionalKey(Schema.Int)
  }).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed({}))),
  reconcileEveryMillis: Schema.optionalKey(Schema.Int),
  sabotage: Schema.optionalKey(Fault)
})
export type Drill = typeof Drill.Type
