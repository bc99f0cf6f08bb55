import { Time } from "@jitsudo/core"
import { Mark } from "@jitsudo/providers/azure"
import { assert, describe, it } from "vitest"
import * as AzureError from "../src/azure/AzureError.ts"
import * as Right from "../src/azure/Right.ts"

const scope = "/subscriptions/11111111-2222-4333-8444-555566667777"
const doing = { action: "Microsoft.Authorization/roleAssignments/write", on: scope }

/** An error as ARM's SDK throws it. */
const rest = (code: string, statusCode?: number, message = "secret words of Azure", headers?: Headers): Error =>
  Object.assign(new Error(message), { name: "RestError", code, statusCode, response: { headers } })

describe("an error of the SDKs", () => {
  it.each([
    ["AuthorizationFailed", 403, "ProviderDenied", false, "none"],
    ["Authorization_RequestDenied", 403, "ProviderDenied", false, "none"],
    ["InvalidAuthenticationToken", 401, "ProviderDenied", true, "none"],
    ["TooManyRequests", 429, "ProviderThrottled", true, "none"],
    ["RoleAssignmentLimitExceeded", 400, "QuotaExceeded", true, "none"],
    ["PrincipalNotFound", 400, "PrincipalNotFound", true, "none"],
    ["RoleDefinitionDoesNotExist", 400, "RoleNotFound", false, "none"],
    ["SubscriptionNotFound", 404, "InvalidScope", false, "none"],
    ["ResourceGroupNotFound", 404, "InvalidScope", false, "none"],
    ["ScopeLocked", 409, "ProviderConflict", true, "none"],
    ["RoleAssignmentExists", 409, "ProviderConflict", true, "none"],
    ["RoleAssignmentUpdateNotPermitted", 400, "ProviderConflict", false, "none"],
    ["PendingRoleAssignmentRequest", 400, "ProviderConflict", true, "none"],
    ["ActiveDurationTooShort", 400, "ProviderConflict", true, "none"],
    ["RoleAssignmentRequestPolicyValidationFailed", 400, "ProviderDenied", false, "none"],
    ["AadPremiumLicenseRequired", 400, "ProviderDenied", false, "none"],
    ["Conflict", 409, "ProviderConflict", true, "none"],
    ["InvalidRequestContent", 400, "ProviderUnavailable", false, "none"],
    ["ServiceUnavailable", 503, "ProviderUnavailable", true, "unknown"],
    ["RoleAssignmentExists", 500, "ProviderUnavailable", true, "unknown"],
    ["REQUEST_SEND_ERROR", undefined, "ProviderUnavailable", true, "unknown"],
    ["ECONNRESET", undefined, "ProviderUnavailable", true, "unknown"],
    ["ECONNREFUSED", undefined, "ProviderUnavailable", true, "none"],
    ["ENOTFOUND", undefined, "ProviderUnavailable", true, "none"]
  ] as const)("%s (%s) is one of the port's reasons", (code, status, reason, retryable, effect) => {
    const error = AzureError.fromSdk(rest(code, status), doing)
    assert.deepStrictEqual([error.reason, error.retryable, error.effect], [reason, retryable, effect])
    assert.notInclude(error.message + error.hint, "secret words")
    assert.notMatch(error.message, /subscriptions|[0-9a-f]{8}-/u)
    assert.include(error.hint, doing.action)
  })

  it("of PIM about an end is DurationOutOfRange", () => {
    const text = 'The following policy rules failed: ["ExpirationRule"]'
    const error = AzureError.fromSdk(rest("RoleAssignmentRequestPolicyValidationFailed", 400, text), doing)
    assert.deepStrictEqual([error.reason, error.retryable], ["DurationOutOfRange", false])
  })

  it("of signing in is the operator's, whatever Entra ID said", () => {
    for (const name of ["AuthenticationError", "CredentialUnavailableError", "AggregateAuthenticationError"]) {
      const error = AzureError.fromSdk(Object.assign(new Error("AADSTS7000215 secret words"), { name }), doing)
      assert.deepStrictEqual([error.reason, error.retryable, error.effect], ["ProviderDenied", true, "none"])
      assert.notInclude(error.hint, "secret words")
    }
  })

  it("of Graph has its code and its headers elsewhere", () => {
    const graph = Object.assign(new Error(""), {
      statusCode: 429,
      code: "activityLimitReached",
      headers: new Headers({ "retry-after": "11" })
    })
    const error = AzureError.fromSdk(graph, doing)
    assert.deepStrictEqual([error.reason, error.retryAfterSeconds], ["ProviderThrottled", 11])
    const unreachable = Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } })
    assert.strictEqual(AzureError.fromSdk(unreachable, doing).effect, "none")
  })

  it("passes on how long Azure asks to wait", () => {
    const error = AzureError.fromSdk(rest("TooManyRequests", 429, "", new Headers({ "retry-after": "7" })), doing)
    assert.strictEqual(error.retryAfterSeconds, 7)
  })

  it.each([null, undefined, 7, "text", {}, { name: "x\u0000y", response: null }])(
    "%j is an unknown outcome",
    (value) => {
      const error = AzureError.fromSdk(value, doing)
      assert.deepStrictEqual([error.reason, error.effect], ["ProviderUnavailable", "unknown"])
      assert.notInclude(error.hint, "\u0000")
    }
  )
})

describe("a mark", () => {
  const [one, two] = ["req_01J8KZ4F2EMNQZ3V7XKQYBD4WR", "req_01J8KZ4F2EMNQZ3V7XKQYBD4WS"] as const
  const until = Time.make(Date.parse("2026-11-23T23:59:59Z"))

  it("is read as it was written, for each request that holds it", () => {
    const marks = {
      holders: [
        { requestId: one, installation: null, until },
        { requestId: two, installation: "prod-1", until: Time.plusSeconds(until, 60) }
      ],
      key: Mark.keyOf("mail:a@b.test")
    }
    const text = Mark.write(marks)
    assert.deepStrictEqual(Mark.read(text), marks)
    assert.deepStrictEqual(Mark.read(`before ${text} after`), marks)
    assert.include(text, `jitsudo:${one}@20261123T235959Z`)
    assert.notInclude(text, "a@b.test")
  })

  it.each([
    undefined,
    "",
    "jitsudo:",
    `jitsudo:${one}`,
    `jitsudo:${one}@2026`,
    `jitsudo:${one}@20261399T000000Z`,
    `xjitsudo:${one}@20261123T235959Z`,
    `jitsudo:${one}@20261123T235959Zx`,
    "jitsudo:req_IIIIIIIIIIIIIIIIIIIIIIIIII@20261123T235959Z"
  ])("is none in %j", (text) => {
    assert.deepStrictEqual(Mark.read(text).holders, [])
  })

  it("gives a request the same name every time, and no other the same", () => {
    assert.strictEqual(Mark.guidOf(one), Mark.guidOf(one))
    assert.notStrictEqual(Mark.guidOf(one), Mark.guidOf(two))
  })
})

describe("a stored reference", () => {
  const requestId = "req_01J8KZ4F2EMNQZ3V7XKQYBD4WR"
  const right: Right.Right = {
    scope,
    roleDefinitionId: `${scope}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7`,
    principalId: "a11ce000-0000-4000-8000-000000000001",
    principalType: "User"
  }
  const stored = Right.reference({ requestId, right, assignment: Mark.guidOf(requestId), until: Time.make(0) })

  it("is read as it was written, for its own request", () => {
    assert.deepStrictEqual(Right.fromReference(requestId, stored)?.right, right)
    assert.isNull(Right.fromReference("req_01J8KZ4F2EMNQZ3V7XKQYBD4WS", stored))
    assert.isNull(Right.fromReference(requestId, null))
  })

  it.each([
    { scope: "/subscriptions/../x" },
    { scope: 7 },
    { roleDefinitionId: "Owner" },
    { roleDefinitionId: `https://evil.test/${right.principalId}` },
    { principalId: "alice" },
    { principalType: "Device" },
    { assignment: "../x" },
    { until: -1 },
    { until: 1e300 },
    { until: "soon" }
  ])("with %j is none", (damage) => {
    assert.isNull(Right.fromReference(requestId, { ...stored, ...damage }))
  })
})
