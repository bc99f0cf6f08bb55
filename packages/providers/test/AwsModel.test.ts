/**
 * What the provider sends and what the wire server answers is as AWS's own model of its services says.
 */
import type { Provider } from "@jitsudo/core"
import { Time } from "@jitsudo/core"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import * as AwsFixture from "./support/AwsFixture.ts"
import { errorsOf, faultsIn, operationOf, valueOfForm } from "./support/AwsModel.ts"
import * as IdentityCenterFixture from "./support/IdentityCenterFixture.ts"

/** Said of every service, by no model: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html */
const common = ["AccessDenied", "SignatureDoesNotMatch", "ServiceUnavailable", "Throttling", "ValidationError"]

const faultsOf = ({ input, operation, output, refusal }: AwsWire.WireExchange): ReadonlyArray<string> => {
  const model = operationOf(operation)
  if (model === undefined) return [`${operation} is no operation`]
  const { protocol } = input
  const sent = input.protocol === "query" ? valueOfForm(input.form) : input.body
  const [service = ""] = operation.split(":")
  const known = refusal === null || errorsOf(service).has(refusal) || (protocol === "query" && common.includes(refusal))
  return [
    // Some refusals are of requests that are not as they should be.
    ...(refusal === null ? faultsIn(model.input, sent, protocol, `${operation} input`) : []),
    ...(refusal === null && output !== null ? faultsIn(model.output, output, protocol, `${operation} output`) : []),
    ...(known ? [] : [`${operation} has no error ${refusal}`])
  ]
}

/** Everything that a provider does, with a failure of every kind on the way. */
const used = (wire: AwsWire.AwsWire, provider: Provider.Provider, grants: string, ends: string) =>
  Effect.gen(function* () {
    const canonical = { role: "reader", resourceScope: AwsFixture.home, durationSeconds: 1800 }
    const now = Time.make(wire.now())
    const requestId = `req_${"0".repeat(26)}`
    const { facts } = yield* provider.check(canonical, AwsFixture.alice)
    const request = { requestId, grantee: AwsFixture.alice, canonical, checked: facts, now, neighbours: [] }
    const grant = provider.grant({ ...request, reason: "why, then?", metadata: {} })
    for (const kind of ["deny", "throttle", "unavailable", "conflict"] as const) {
      wire.inject(grants, { kind })
      wire.inject(ends, { kind })
    }
    for (let attempt = 0; attempt < 4; attempt += 1) yield* Effect.ignore(grant)
    const { notAfter, reference } = yield* grant
    const ending = { ...request, reference, notAfter, why: "early" as const }
    yield* provider.inspect(ending)
    for (let attempt = 0; attempt < 4; attempt += 1) yield* Effect.ignore(provider.end(ending))
    yield* provider.end(ending)
    yield* Effect.ignore(provider.check({ ...canonical, role: "missing-role" }, AwsFixture.alice))
    yield* Effect.ignore(provider.check(canonical, { ...AwsFixture.alice, email: "nobody@example.com" }))
    yield* Effect.ignore(provider.end({ ...ending, reference: null }))
  })

const heard = (options: AwsWire.WireOptions) =>
  Effect.gen(function* () {
    const exchanges: Array<AwsWire.WireExchange> = []
    const wire = yield* AwsWire.scoped({ ...options, hear: (exchange) => void exchanges.push(exchange) })
    return { exchanges, wire }
  })

describe("requests and answers are as AWS's model says", () => {
  it("of STS and IAM, with every switch", async () => {
    const exchanges = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { exchanges: found, wire } = yield* heard(AwsFixture.wireOptions(["*"]))
          const switches = { session_tags: true, source_identity: true, read_limits: true }
          const provider = yield* AwsFixture.providerOf(wire, switches)
          yield* used(wire, provider, "sts:AssumeRole", "iam:PutRolePolicy")
          return found
        })
      )
    )
    expect(exchanges.flatMap(faultsOf)).toEqual([])
    expect([...new Set(exchanges.map(({ operation }) => operation))].toSorted()).toEqual([
      "iam:GetRole",
      "iam:PutRolePolicy",
      "sts:AssumeRole"
    ])
  })

  it("of SSO-Admin and IdentityStore", async () => {
    const exchanges = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { exchanges: found, wire } = yield* heard(IdentityCenterFixture.wireOptions())
          const provider = yield* IdentityCenterFixture.providerOf(wire)
          yield* used(wire, provider, "sso:CreateAccountAssignment", "sso:DeleteAccountAssignment")
          const other = yield* IdentityCenterFixture.providerOf(wire)
          const canonical = { role: "reader", resourceScope: AwsFixture.home, durationSeconds: 1800 }
          const now = Time.make(wire.now())
          // Without facts, AWS's record of creations is read.
          const unknown = { checked: {}, reference: null, notAfter: now, now, neighbours: [], why: "early" as const }
          yield* other.end({ ...unknown, requestId: `req_${"0".repeat(26)}`, grantee: AwsFixture.alice, canonical })
          return found
        })
      )
    )
    expect(exchanges.flatMap(faultsOf)).toEqual([])
    expect([...new Set(exchanges.map(({ operation }) => operation))].toSorted()).toEqual(
      IdentityCenterFixture.leastPrivilege.toSorted()
    )
  })
})

describe("the check against the model", () => {
  const { input, output } = operationOf("sso:ListAccountAssignments") ?? { input: undefined, output: undefined }
  const sound = { InstanceArn: "a", AccountId: "b", PermissionSetArn: "c" }

  it.each([
    ["a member that is missing", input, { InstanceArn: "a", AccountId: "b" }, " .PermissionSetArn is missing"],
    [
      "a member that is none",
      input,
      { ...sound, Account: "b" },
      " .Account is no member of ListAccountAssignmentsRequest"
    ],
    ["a number for a text", input, { ...sound, AccountId: 7 }, " .AccountId is no text"],
    ["a text for a number", input, { ...sound, MaxResults: "7" }, " .MaxResults is no number"],
    ["an object for a list", output, { AccountAssignments: {} }, " .AccountAssignments is no list"],
    [
      "a member of an entry that is none",
      output,
      { AccountAssignments: [{ Account: "b" }] },
      " .AccountAssignments[0].Account is no member of AccountAssignment"
    ]
  ] as const)("objects to %s", (_, type, value, fault) => {
    expect(faultsIn(type, value, "json", " ")).toEqual([fault])
  })

  it("knows the errors of each service by what it sends", () => {
    expect(errorsOf("iam").has("LimitExceeded")).toBe(true)
    expect(errorsOf("iam").has("LimitExceededException")).toBe(false)
    expect(errorsOf("sso").has("ConflictException")).toBe(true)
    expect(operationOf("sso:Nothing")).toBeUndefined()
  })
})
