/**
 * The `providers.mock` section of the daemon's configuration. Without the section there is no mock provider.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const seconds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 * 86_400 }))

export const MockConfig = Schema.Struct({
  min_duration_seconds: seconds.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(1)),
    Schema.annotateKey({ description: "The shortest grant." })
  ),
  max_duration_seconds: seconds.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(43_200)),
    Schema.annotateKey({ description: "The longest grant." })
  ),
  roles: Schema.optionalKey(Schema.Array(Schema.String)).pipe(
    Schema.annotateKey({ description: "Roles that exist; every well-formed one when absent." })
  ),
  native_expiry: Schema.Boolean.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(true)),
    Schema.annotateKey({ description: "Off: a right stays until it is ended, as on a platform without native expiry." })
  ),
  latency_millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600_000 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(0)),
    Schema.annotateKey({ description: "How long each call pretends to take." })
  ),
  state_file: Schema.optionalKey(Schema.String).pipe(
    Schema.annotateKey({
      description: "The platform's truth, an append-only file that several processes may share; in memory when absent."
    })
  ),
  journal_file: Schema.optionalKey(Schema.String).pipe(
    Schema.annotateKey({
      description: "Every call at the platform is written here, one JSON object a line; no secrets."
    })
  ),
  control_file: Schema.optionalKey(Schema.String).pipe(
    Schema.annotateKey({ description: "Faults for the next calls, read before each call: for drills." })
  )
})
export type MockConfig = typeof MockConfig.Type
