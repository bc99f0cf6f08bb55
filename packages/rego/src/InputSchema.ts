/**
 * The one document that policies see, checked before any of them sees it.
 *
 * Every field is always there (empty, not absent) and nothing else is, because `not input.x` on an absent field is true
 * and a misspelt field would be absent. An input that does not fit is denied, in the name of no policy.
 */
import type { Policy } from "@jitsudo/core"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const Seconds = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/u
const Instant = Schema.String.check(Schema.isPattern(rfc3339))
const InstantOrEmpty = Schema.Union([Schema.Literal(""), Instant])

const Principal = Schema.Struct({
  email: Schema.String,
  subject: Schema.String,
  issuer: Schema.String,
  groups: Schema.Array(Schema.String),
  groups_age_seconds: Seconds,
  kind: Schema.Literals(["human", "agent", "system"]),
  auth_time: InstantOrEmpty,
  amr: Schema.Array(Schema.String)
})

/** Whole, but beyond what a double holds exactly; as text it is exact, because instants are whole milliseconds. */
const Nanoseconds = Schema.Finite.check(
  Schema.isBetween({ minimum: 0, maximum: 253_402_300_799_999_000_000 }),
  Schema.makeFilter((value) => Number.isInteger(value))
)

const TrustTier = Schema.Literals([0, 1, 2, 3, 4])

/** docs/spec/policy.md, "Input". */
export const PolicyInput = Schema.Struct({
  version: Schema.Literal(1),
  action: Schema.Literals(["request", "route", "approve", "deny", "ai_approve", "revoke", "break_glass"]),
  user: Principal,
  requester: Principal,
  request: Schema.Struct({
    id: Schema.String,
    provider: Schema.String,
    role: Schema.String,
    role_asked: Schema.String,
    resource_scope: Schema.String,
    duration_seconds: Seconds,
    reason: Schema.String,
    break_glass: Schema.Boolean,
    metadata: Schema.Record(Schema.String, Schema.String),
    created_at: Instant
  }),
  review: Schema.Struct({ confidence: Schema.Finite, risk: Schema.String, model: Schema.String }),
  context: Schema.Struct({
    trust_tier: TrustTier,
    requester_trust_tier: TrustTier,
    now: Instant,
    now_ns: Nanoseconds,
    channel: Schema.String,
    source_ip: Schema.String,
    approvals: Schema.Array(Schema.Struct({ email: Schema.String, subject: Schema.String, at: Instant })),
    active_grants: Schema.Array(
      Schema.Struct({
        request_id: Schema.String,
        provider: Schema.String,
        role: Schema.String,
        resource_scope: Schema.String,
        not_after: InstantOrEmpty
      })
    ),
    held_seconds: Seconds,
    open_breakglass_reviews: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    labels: Schema.StructWithRest(Schema.Struct({ facts_ok: Schema.Boolean }), [
      Schema.Record(Schema.String, Schema.Json)
    ])
  })
})

/** The type says that the schema and core's type agree. */
const decode: (document: unknown) => Result.Result<Policy.PolicyInput, Schema.SchemaError> = Schema.decodeUnknownResult(
  PolicyInput,
  { errors: "all", onExcessProperty: "error" }
)

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** What is wrong with a document, by field; undefined when it is an input. Values are not repeated. */
export const problemOf = (document: unknown): string | undefined => {
  const decoded = decode(document)
  if (Result.isSuccess(decoded)) return undefined
  const fields = format(decoded.failure.issue).issues.map((issue) =>
    (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  )
  return `what policy would see is not as documented: ${[...new Set(fields)].sort().join(", ")}`
}
