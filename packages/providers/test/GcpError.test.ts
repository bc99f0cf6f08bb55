import { assert, describe, it } from "@effect/vitest"
import { SignInFailed } from "../src/gcp/GcpAuth.ts"
import * as GcpError from "../src/gcp/GcpError.ts"

const doing = { action: "resourcemanager.projects.setIamPolicy", on: "projects/shop-prod" }

/** As the token library throws it, and as the generated clients do: the answer's body is the message. */
const thrown = (status: number, body: object | string, headers: Readonly<Record<string, string>> = {}) => {
  const text = typeof body === "string" ? body : JSON.stringify({ error: body })
  const response = { status, headers: new Headers(headers) }
  return Object.assign(new Error(text), { status, response })
}

const google = (status: number, code: string, message = "Secret-ish text of Google.") =>
  thrown(status, { code: status, status: code, message })

describe("an error of Google", () => {
  it.each([
    [google(429, "RESOURCE_EXHAUSTED"), "ProviderThrottled", "none", true],
    [google(401, "UNAUTHENTICATED"), "ProviderDenied", "none", true],
    [google(403, "PERMISSION_DENIED"), "ProviderDenied", "none", false],
    [google(404, "NOT_FOUND"), "InvalidScope", "none", false],
    [google(409, "ABORTED"), "ProviderConflict", "none", true],
    [thrown(409, "<html>conflict</html>"), "ProviderConflict", "none", true],
    [google(400, "FAILED_PRECONDITION"), "ProviderDenied", "none", false],
    [google(400, "INVALID_ARGUMENT"), "ProviderUnavailable", "none", false],
    [
      google(
        400,
        "INVALID_ARGUMENT",
        "The number of members in the policy (1,501) is larger than the maximum allowed size 1,500."
      ),
      "QuotaExceeded",
      "none",
      true
    ],
    [
      google(400, "INVALID_ARGUMENT", "Role roles/x is not supported for this resource."),
      "RoleNotFound",
      "none",
      false
    ],
    [google(400, "INVALID_ARGUMENT", "User x@example.com does not exist."), "PrincipalNotFound", "none", false],
    [
      google(400, "INVALID_ARGUMENT", "Conditions can't be set on the basic role roles/owner."),
      "InvalidRole",
      "none",
      false
    ],
    [
      google(400, "INVALID_ARGUMENT", "The access token lifetime cannot exceed 3600s."),
      "DurationOutOfRange",
      "none",
      false
    ],
    [google(500, "INTERNAL"), "ProviderUnavailable", "unknown", true],
    [google(503, "UNAVAILABLE"), "ProviderUnavailable", "unknown", true],
    [thrown(502, "<html>bad gateway</html>"), "ProviderUnavailable", "unknown", true],
    [Object.assign(new Error("refused"), { code: "ECONNREFUSED" }), "ProviderUnavailable", "none", true],
    [Object.assign(new Error("reset"), { code: "ECONNRESET" }), "ProviderUnavailable", "unknown", true],
    [new Error("the answer has no etag"), "ProviderUnavailable", "unknown", true],
    ["a string", "ProviderUnavailable", "unknown", true]
  ] as const)("%s is %s, effect %s, retryable %s", (error, reason, effect, retryable) => {
    const told = GcpError.fromSdk(error, doing)
    assert.deepStrictEqual([told.reason, told.effect, told.retryable], [reason, effect, retryable])
    assert.strictEqual(told.provider, "gcp")
  })

  it("tells the requester no names, and passes no text of Google on", () => {
    for (const error of [google(403, "PERMISSION_DENIED"), google(400, "INVALID_ARGUMENT"), google(500, "INTERNAL")]) {
      const { hint, message } = GcpError.fromSdk(error, doing)
      assert.notInclude(message, "shop-prod")
      assert.notInclude(`${message} ${hint}`, "Secret-ish")
    }
    assert.include(GcpError.fromSdk(google(403, "PERMISSION_DENIED"), doing).hint, doing.action)
  })

  it("says when to come back, by header or by the details", () => {
    const byHeader = thrown(429, { status: "RESOURCE_EXHAUSTED" }, { "retry-after": "7" })
    const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "3.5s" }]
    const byDetail = thrown(429, { status: "RESOURCE_EXHAUSTED", details })
    assert.strictEqual(GcpError.fromSdk(byHeader, doing).retryAfterSeconds, 7)
    assert.strictEqual(GcpError.fromSdk(byDetail, doing).retryAfterSeconds, 4)
    assert.isUndefined(GcpError.fromSdk(thrown(429, {}), doing).retryAfterSeconds)
  })

  it("in signing in has no effect, whatever was to be done", () => {
    const denied = GcpError.fromSdk(new SignInFailed(thrown(400, '{"error":"invalid_grant"}')), doing)
    assert.deepStrictEqual([denied.reason, denied.effect, denied.retryable], ["ProviderDenied", "none", true])
    assert.include(denied.hint, "signing in answered invalid_grant")
    const missing = GcpError.fromSdk(new SignInFailed(new Error("Could not load the default credentials.")), doing)
    assert.deepStrictEqual([missing.reason, missing.effect], ["ProviderUnavailable", "none"])
    assert.include(missing.hint, "providers.gcp.credentials")
  })

  it("about a role says how to do without looking it up", () => {
    const about = { action: "iam.roles.get", on: "projects/shop-prod/roles/onCall" }
    assert.include(GcpError.fromSdk(google(403, "PERMISSION_DENIED"), about).hint, "read_roles")
    assert.strictEqual(GcpError.fromSdk(google(404, "NOT_FOUND"), about).reason, "RoleNotFound")
  })

  it("that comes too late is unknown, and one of a read is not", () => {
    const late = GcpError.outOfTime(15, doing)
    assert.deepStrictEqual([late.reason, late.effect, late.retryable], ["ProviderUnavailable", "unknown", true])
    const read = GcpError.withoutEffect(late)
    assert.deepStrictEqual([read.reason, read.effect, read.hint], [late.reason, "none", late.hint])
  })
})
