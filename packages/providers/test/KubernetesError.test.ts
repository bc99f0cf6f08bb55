/** Every answer of an API server, and every way to get none, as an error of the port. */
import { assert, describe, it } from "@effect/vitest"
import { ApiException } from "@kubernetes/client-node"
import * as KubernetesError from "../src/kubernetes/KubernetesError.ts"

const doing = { cluster: "main", verb: "create", resource: "rolebindings.rbac.authorization.k8s.io", on: "team-a/x" }

const answered = (code: number, body: object | string | undefined, headers: Record<string, string> = {}): Error =>
  new ApiException(code, "Unknown API Status Code!", typeof body === "object" ? JSON.stringify(body) : body, headers)

const status = (code: number, reason: string, details: object = {}, message = "told by the server"): Error =>
  answered(code, { kind: "Status", status: "Failure", code, reason, message, details })

const broken = (code: string): Error => Object.assign(new TypeError("fetch failed"), { cause: { code } })

describe("an error of the client", () => {
  it.each([
    ["401", answered(401, undefined), "ProviderDenied", true, "none"],
    ["403", status(403, "Forbidden"), "ProviderDenied", false, "none"],
    [
      "403 of a namespace that is going",
      status(403, "Forbidden", { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] }),
      "InvalidScope",
      false,
      "none"
    ],
    ["403 of a quota", status(403, "Forbidden", {}, "exceeded quota: objects"), "QuotaExceeded", true, "none"],
    ["404 of a role", status(404, "NotFound", { kind: "clusterroles" }), "RoleNotFound", false, "none"],
    ["404 of a namespace", status(404, "NotFound", { kind: "namespaces" }), "InvalidScope", false, "none"],
    ["404 of something else", answered(404, "<html>no such page</html>"), "ProviderUnavailable", true, "none"],
    ["409", status(409, "Conflict"), "ProviderConflict", true, "none"],
    ["422", status(422, "Invalid", { causes: [{ field: "roleRef.name" }] }), "ProviderUnavailable", false, "none"],
    ["429", status(429, "TooManyRequests", { retryAfterSeconds: 7 }), "ProviderThrottled", true, "none"],
    ["500", status(500, "InternalError"), "ProviderUnavailable", true, "unknown"],
    ["503", status(503, "ServiceUnavailable"), "ProviderUnavailable", true, "unknown"],
    ["504", answered(504, "<html>gateway</html>"), "ProviderUnavailable", true, "unknown"],
    ["a refused connection", broken("ECONNREFUSED"), "ProviderUnavailable", true, "none"],
    ["an unknown name", broken("ENOTFOUND"), "ProviderUnavailable", true, "none"],
    ["a certificate of another", broken("DEPTH_ZERO_SELF_SIGNED_CERT"), "ProviderUnavailable", true, "none"],
    ["a broken connection", broken("ECONNRESET"), "ProviderUnavailable", true, "unknown"],
    ["an answer that is none", new SyntaxError("Unexpected token"), "ProviderUnavailable", true, "unknown"],
    ["nothing of the kind", "thrown", "ProviderUnavailable", true, "unknown"]
  ] as const)("%s", (_, thrown, reason, retryable, effect) => {
    const error = KubernetesError.fromSdk(thrown, doing, true)
    assert.deepStrictEqual([error.reason, error.retryable, error.effect], [reason, retryable, effect])
    for (const said of [error.message, error.hint]) {
      assert.notMatch(said, /told by the server|html|gateway/u)
      assert.isAbove(said.length, 10)
    }
    assert.notInclude(error.message, "team-a")
  })

  it("that came before anything was sent changed nothing", () => {
    const error = KubernetesError.fromSdk(new Error("exec: no such plug-in"), doing, false)
    assert.deepStrictEqual([error.effect, error.retryable], ["none", true])
    assert.notInclude(error.hint, "plug-in")
  })

  it("says which fields were refused, when to come back, and what is missing", () => {
    const invalid = status(422, "Invalid", { causes: [{ field: "subjects[0].name", reason: "FieldValueRequired" }] })
    assert.include(KubernetesError.fromSdk(invalid, doing, true).hint, "subjects[0].name")
    assert.strictEqual(
      KubernetesError.fromSdk(status(429, "TooManyRequests", { retryAfterSeconds: 7 }), doing, true).retryAfterSeconds,
      7
    )
    assert.strictEqual(
      KubernetesError.fromSdk(answered(429, "slow down", { "retry-after": "3" }), doing, true).retryAfterSeconds,
      3
    )
    assert.include(
      KubernetesError.fromSdk(status(403, "Forbidden"), doing, true).hint,
      "Allow create on rolebindings.rbac.authorization.k8s.io (team-a/x)"
    )
    const escalation = status(
      403,
      "Forbidden",
      {},
      "is attempting to grant RBAC permissions not currently held:\n{...}"
    )
    assert.include(KubernetesError.fromSdk(escalation, doing, true).hint, "the verb bind")
  })

  it("takes nothing hostile over from an answer", () => {
    const hostile = status(422, "\u001b[31m", { causes: [{ field: "x".repeat(1000), reason: "<script>" }] })
    const { hint } = KubernetesError.fromSdk(hostile, doing, true)
    assert.notMatch(hint, /[\p{Cc}<>]/u)
    assert.isAtMost(hint.length, 300)
  })
})
