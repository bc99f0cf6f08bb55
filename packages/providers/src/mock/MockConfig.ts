/**
 * The `providers.mock` section of the daemon's configuration. Without the section there is no mock provider.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const seconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 * 86_400 }))

export const MockConfig = Schema.Struct({
  /** Shortest grant. */
  min_duration_seconds: seconds.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(1))),
  /** Longest grant. */
  max_duration_seconds: seconds.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(43_200))),
  /** Roles that exist; every well-formed one when absent. */
  roles: Schema.optionalKey(Schema.Array(Schema.String)),
  /** False: a right stays until it is ended, as on a platform without native expiry. */
  native_expiry: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(true))),
  /** Every call takes this long. */
  latency_millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600_000 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0))
  ),
  /** The platform's truth, an append-only file that several processes may share; in memory when absent. */
  state_file: Schema.optionalKey(Schema.String),
  /** Every call at the platform, one JSON object per line; no secrets. */
  journal_file: Schema.optionalKey(Schema.String),
  /** Faults for the next calls; read before each call. See `MockControl.ts`. */
  control_file: Schema.optionalKey(Schema.String)
})
export type MockConfig = typeof MockConfig.Type
