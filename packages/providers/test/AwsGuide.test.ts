/**
 * The policy documents of docs/guides/providers/aws.md are enough, and none of what they allow can be taken away: the
 * wire server enforces them with their resources.
 */
import { readFileSync } from "node:fs"
import { type Provider, Time } from "@jitsudo/core"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as AwsFixture from "./support/AwsFixture.ts"
import * as IdentityCenterFixture from "./support/IdentityCenterFixture.ts"

const read = (name: string): string =>
  readFileSync(new URL(`../../../docs/guides/providers/${name}`, import.meta.url), "utf8")

const texts = Schema.Union([Schema.String, Schema.Array(Schema.String)])
const Document = Schema.Struct({
  Version: Schema.String,
  Statement: Schema.Array(
    Schema.Struct({
      Sid: Schema.optionalKey(Schema.String),
      Effect: Schema.Literal("Allow"),
      Principal: Schema.optionalKey(Schema.Struct({ AWS: Schema.String })),
      Action: texts,
      Resource: Schema.optionalKey(texts),
      Condition: Schema.optionalKey(Schema.Struct({ StringEquals: Schema.Struct({ "sts:ExternalId": Schema.String }) }))
    })
  )
})
type Document = typeof Document.Type

const documentIn = (name: string): Document =>
  Schema.decodeUnknownSync(Schema.fromJsonString(Document), { onExcessProperty: "error" })(read(name))

const all = (value: string | ReadonlyArray<string> | undefined): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : (value ?? [])

const joined = (...documents: ReadonlyArray<Document>): Document => ({
  Version: "2012-10-17",
  Statement: documents.flatMap((document) => document.Statement)
})

/** The document with one action or one resource less, for each of them. */
const weakened = (document: Document): ReadonlyArray<readonly [string, Document]> =>
  document.Statement.flatMap((statement, index) =>
    (["Action", "Resource"] as const).flatMap((field) =>
      all(statement[field]).map((taken) => {
        const left = all(statement[field]).filter((one) => one !== taken)
        const rest = document.Statement.filter((_, other) => other !== index)
        const Statement = left.length === 0 ? rest : [...rest, { ...statement, [field]: left }]
        return [`${taken} (${statement.Sid ?? ""})`, { ...document, Statement }] as const
      })
    )
  )

const asked = (wire: AwsWire.AwsWire, number: number, role: string, resourceScope = AwsFixture.home) => ({
  requestId: `req_${String(number).padStart(26, "0")}`,
  grantee: AwsFixture.alice,
  canonical: { role, resourceScope, durationSeconds: 1800 },
  now: Time.make(wire.now()),
  neighbours: []
})

/** Asked, granted, looked at and ended early. */
const once = (provider: Provider.Provider, request: ReturnType<typeof asked>) =>
  Effect.gen(function* () {
    const { facts: checked } = yield* provider.check(request.canonical, request.grantee)
    const { notAfter, reference } = yield* provider.grant({ ...request, checked, reason: "guide", metadata: {} })
    const ending = { ...request, checked, reference, notAfter, why: "early" as const }
    yield* provider.inspect(ending)
    yield* provider.end(ending)
  })

const daemonArn = `arn:aws:iam::${AwsFixture.home}:user/jitsudod`

/** Roles with the trust policy of the guide. */
const trustedBy = (trust: Document): Pick<AwsWire.WireRole, "externalId" | "trustActions" | "trusts"> => {
  const [statement] = trust.Statement
  const externalId = statement?.Condition?.StringEquals["sts:ExternalId"]
  return {
    trusts: all(statement?.Principal?.AWS),
    trustActions: all(statement?.Action),
    ...(externalId === undefined ? {} : { externalId })
  }
}

const ofRoles = (policy: Document, fields: object = {}, trust: object = trustedBy(documentIn("aws-role.trust.json"))) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped({
      now: Date.now,
      identities: [{ ...AwsFixture.daemon, arn: daemonArn, policy: JSON.stringify(policy) }],
      roles: [{ arn: AwsFixture.roleArn("reader"), ...trust }]
    })
    const provider = yield* AwsFixture.providerOf(wire, { external_id: "jitsudo", ...fields })
    yield* once(provider, asked(wire, 1, "reader"))
    expect(wire.liveSessions()).toEqual([])
  })

const switches = { session_tags: true, source_identity: true, read_limits: true }
const ofSwitches = (policy: Document) =>
  ofRoles(policy, switches, { trusts: [daemonArn], trustActions: ["sts:*"], externalId: "jitsudo" })

/** In another account: the daemon's policy there, and the revoker's. */
const ofOtherAccount = (policy: Document, revoker: Document) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped({
      now: Date.now,
      identities: [{ ...AwsFixture.daemon, arn: daemonArn, policy: JSON.stringify(policy) }],
      roles: [
        { arn: AwsFixture.roleArn("reader", AwsFixture.other) },
        {
          arn: `arn:aws:iam::${AwsFixture.other}:role/jitsudod-revoker`,
          policy: JSON.stringify(revoker)
        }
      ]
    })
    const provider = yield* AwsFixture.providerOf(wire, {
      accounts: [AwsFixture.home, AwsFixture.other],
      revoker_role_arn_template: "arn:aws:iam::{scope}:role/jitsudod-revoker"
    })
    yield* once(provider, asked(wire, 1, "reader", AwsFixture.other))
  })

/** Everything that the mode does, over both permission sets. */
const ofAssignments = (policy: Document) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(IdentityCenterFixture.wireOptions({ policy: JSON.stringify(policy) }))
    const provider = yield* IdentityCenterFixture.providerOf(wire)
    yield* once(provider, asked(wire, 1, "admin"))
    const request = asked(wire, 2, "reader")
    const { facts: checked } = yield* provider.check(request.canonical, request.grantee)
    wire.assignments.setLooks(3)
    wire.inject("sso:CreateAccountAssignment", { kind: "loseAnswer" })
    const grant = provider.grant({ ...request, checked, reason: "guide", metadata: {} })
    yield* Effect.catchIf(
      grant,
      ({ reason }) => reason === "ProviderUnavailable",
      () => Effect.void
    )
    yield* grant
    const ending = { ...request, reference: null, notAfter: request.now, why: "early" as const }
    yield* (yield* IdentityCenterFixture.providerOf(wire)).end({ ...ending, checked: {} })
    expect(wire.assignments.all()).toEqual([])
  })

type Try = (policy: Document) => Effect.Effect<void, unknown, never>

const documents: ReadonlyArray<readonly [string, Document, Try]> = [
  [
    "aws-assume-role.policy.json",
    documentIn("aws-assume-role.policy.json"),
    (policy) => Effect.scoped(ofRoles(policy))
  ],
  [
    "aws-assume-role-switches.policy.json",
    documentIn("aws-assume-role-switches.policy.json"),
    (policy) => Effect.scoped(ofSwitches(joined(documentIn("aws-assume-role.policy.json"), policy)))
  ],
  [
    "aws-other-account.policy.json",
    documentIn("aws-other-account.policy.json"),
    (policy) => Effect.scoped(ofOtherAccount(policy, documentIn("aws-revoker.policy.json")))
  ],
  [
    "aws-revoker.policy.json",
    documentIn("aws-revoker.policy.json"),
    (policy) => Effect.scoped(ofOtherAccount(documentIn("aws-other-account.policy.json"), policy))
  ],
  [
    "aws-identity-center.policy.json",
    documentIn("aws-identity-center.policy.json"),
    (policy) => Effect.scoped(ofAssignments(policy))
  ]
]

describe.each(documents)("%s", (name, document, attempt) => {
  it("is enough, with the trust policy of the guide", async () => {
    await Effect.runPromise(attempt(document))
  })

  it.each(weakened(document))("needs %s", async (_, less) => {
    expect(Exit.isFailure(await Effect.runPromiseExit(attempt(less)))).toBe(true)
  })

  it("is named in the guide", () => {
    expect(read("aws.md")).toContain(`](${name})`)
  })
})

describe("the guide's trust policy", () => {
  it.each([
    ["external id", { external_id: "another" }],
    ["nothing for session tags", { session_tags: true }]
  ])("does not let through another %s", async (_, fields) => {
    const policy = joined(...documents.slice(0, 2).map(([, document]) => document))
    const exit = await Effect.runPromiseExit(Effect.scoped(ofRoles(policy, fields)))
    expect(Exit.isFailure(exit)).toBe(true)
  })
})
