import { assert, describe, it } from "vitest"
import * as AwsError from "../src/aws/AwsError.ts"

const doing = { action: "sts:AssumeRole", on: "arn:aws:iam::111122223333:role/jitsudo-reader" }

/** An error as the SDK throws it. */
const thrown = (name: string, status?: number, message = "secret words of AWS", extra: object = {}): Error =>
  Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status }, ...extra })

describe("an error of the SDK", () => {
  it.each([
    ["AccessDenied", 403, "ProviderDenied", false, "none"],
    ["AccessDeniedException", 403, "ProviderDenied", false, "none"],
    ["ExpiredTokenException", 403, "ProviderDenied", true, "none"],
    ["CredentialsProviderError", undefined, "ProviderDenied", true, "none"],
    ["RegionDisabledException", 403, "ProviderDenied", false, "none"],
    ["UnmodifiableEntityException", 400, "ProviderDenied", false, "none"],
    ["Throttling", 400, "ProviderThrottled", true, "none"],
    ["TooManyRequestsException", 429, "ProviderThrottled", true, "none"],
    ["NoSuchEntityException", 404, "RoleNotFound", true, "none"],
    ["LimitExceededException", 409, "QuotaExceeded", true, "none"],
    ["PackedPolicyTooLargeException", 400, "QuotaExceeded", false, "none"],
    ["ConcurrentModificationException", 409, "ProviderConflict", true, "none"],
    ["MalformedPolicyDocumentException", 400, "ProviderUnavailable", false, "none"],
    ["ServiceUnavailable", 503, "ProviderUnavailable", true, "unknown"],
    ["InternalFailure", 500, "ProviderUnavailable", true, "unknown"],
    ["TimeoutError", undefined, "ProviderUnavailable", true, "unknown"],
    ["AbortError", undefined, "ProviderUnavailable", true, "unknown"]
  ] as const)("%s is one of the port's reasons", (name, status, reason, retryable, effect) => {
    const error = AwsError.fromSdk(thrown(name, status), doing)
    assert.deepStrictEqual([error.reason, error.retryable, error.effect], [reason, retryable, effect])
    assert.notInclude(error.message + error.hint, "secret words")
    assert.notMatch(error.message, /arn:|\d{12}/u)
    assert.include(error.hint, "sts:AssumeRole")
  })

  it("ValidationError about a duration is DurationOutOfRange, another is not", () => {
    const long = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    const chained = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    for (const text of [long, chained]) {
      assert.strictEqual(AwsError.fromSdk(thrown("ValidationError", 400, text), doing).reason, "DurationOutOfRange")
    }
    assert.strictEqual(AwsError.fromSdk(thrown("ValidationError", 400), doing).reason, "ProviderUnavailable")
  })

  it("that never left this machine had no effect; one that broke on the way may have", () => {
    const refused = AwsError.fromSdk(thrown("Error", undefined, "", { code: "ECONNREFUSED" }), doing)
    assert.deepStrictEqual([refused.reason, refused.effect, refused.retryable], ["ProviderUnavailable", "none", true])
    const broken = AwsError.fromSdk(thrown("Error", undefined, "", { code: "ECONNRESET" }), doing)
    assert.deepStrictEqual([broken.reason, broken.effect], ["ProviderUnavailable", "unknown"])
  })

  it("passes on how long AWS asks to wait", () => {
    const error = AwsError.fromSdk(
      thrown("Throttling", 400, "", { $response: { headers: { "retry-after": "7" } } }),
      doing
    )
    assert.strictEqual(error.retryAfterSeconds, 7)
  })

  it.each([null, undefined, 7, "text", {}, { name: "x\u0000y", $metadata: null }])(
    "%j is an unknown outcome",
    (value) => {
      const error = AwsError.fromSdk(value, doing)
      assert.deepStrictEqual([error.reason, error.effect], ["ProviderUnavailable", "unknown"])
      assert.notInclude(error.hint, "\u0000")
    }
  )
})
