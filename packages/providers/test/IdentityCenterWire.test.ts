/**
 * The wire server is as strict as IAM Identity Center about assignments: a test against it must not pass where AWS would
 * refuse.
 */
import { GetUserIdCommand, IdentitystoreClient } from "@aws-sdk/client-identitystore"
import {
  CreateAccountAssignmentCommand,
  DeleteAccountAssignmentCommand,
  DescribeAccountAssignmentCreationStatusCommand,
  DescribeAccountAssignmentDeletionStatusCommand,
  DescribePermissionSetCommand,
  ListAccountAssignmentCreationStatusCommand,
  ListAccountAssignmentsCommand,
  ListPermissionSetsCommand,
  SSOAdminClient
} from "@aws-sdk/client-sso-admin"
import { assert, describe, it } from "@effect/vitest"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { daemon, home, other } from "./support/AwsFixture.ts"
import {
  aliceId,
  bobId,
  identityStoreId,
  instanceArn,
  permissionSetArn,
  wireOptions
} from "./support/IdentityCenterFixture.ts"

const clientsOf = (wire: AwsWire.AwsWire) => {
  const shared = { endpoint: wire.url, region: "us-east-1", maxAttempts: 1, credentials: daemon }
  return { sso: new SSOAdminClient(shared), store: new IdentitystoreClient(shared) }
}

const outcome = (call: Promise<unknown>): Effect.Effect<string> =>
  Effect.promise(() =>
    call.then(
      () => "ok",
      (thrown: unknown) => (thrown instanceof Error ? thrown.name : "thrown")
    )
  )

const place = {
  InstanceArn: instanceArn,
  TargetId: home,
  TargetType: "AWS_ACCOUNT",
  PermissionSetArn: permissionSetArn(2),
  PrincipalType: "USER",
  PrincipalId: aliceId
} as const

const started = (allowed?: Parameters<typeof wireOptions>[0]) => AwsWire.scoped(wireOptions(allowed))

const list = { InstanceArn: instanceArn, AccountId: home, PermissionSetArn: permissionSetArn(2) }

describe("the wire server's Identity Center", () => {
  it.live("does a change at a time, and says when it is done", () =>
    Effect.gen(function* () {
      const wire = yield* started()
      const { sso } = clientsOf(wire)
      wire.assignments.setLooks(2)
      const created = yield* Effect.promise(() => sso.send(new CreateAccountAssignmentCommand(place)))
      const { RequestId: id, Status: status } = created.AccountAssignmentCreationStatus ?? {}
      assert.strictEqual(status, "IN_PROGRESS")
      assert.strictEqual(yield* outcome(sso.send(new CreateAccountAssignmentCommand(place))), "ConflictException")
      assert.strictEqual(yield* outcome(sso.send(new DeleteAccountAssignmentCommand(place))), "ConflictException")
      const shown = () =>
        Effect.promise(() => sso.send(new ListAccountAssignmentsCommand(list))).pipe(
          Effect.map(({ AccountAssignments }) => AccountAssignments?.length)
        )
      assert.strictEqual(yield* shown(), 0)
      const look = Effect.promise(() =>
        sso.send(
          new DescribeAccountAssignmentCreationStatusCommand({
            InstanceArn: instanceArn,
            AccountAssignmentCreationRequestId: id
          })
        )
      )
      const seen = [yield* look, yield* look].map((answer) => answer.AccountAssignmentCreationStatus?.Status)
      assert.deepStrictEqual(seen, ["IN_PROGRESS", "SUCCEEDED"])
      assert.strictEqual(yield* shown(), 1)
      // What there is can be asked for again, and is there once.
      assert.strictEqual(yield* outcome(sso.send(new CreateAccountAssignmentCommand(place))), "ok")
      assert.lengthOf(wire.assignments.all(), 1)
    })
  )

  it.live("has done by itself what nobody looks at, a minute later", () =>
    Effect.gen(function* () {
      const wire = yield* started()
      const { sso } = clientsOf(wire)
      wire.assignments.setLooks(Infinity)
      yield* Effect.promise(() => sso.send(new CreateAccountAssignmentCommand(place)))
      wire.advance(61)
      const deleted = yield* Effect.promise(() => sso.send(new DeleteAccountAssignmentCommand(place)))
      assert.lengthOf(wire.assignments.all(), 1)
      wire.advance(61)
      assert.lengthOf(wire.assignments.all(), 0)
      const { AccountAssignmentDeletionStatus: status } = yield* Effect.promise(() =>
        sso.send(
          new DescribeAccountAssignmentDeletionStatusCommand({
            InstanceArn: instanceArn,
            AccountAssignmentDeletionRequestId: deleted.AccountAssignmentDeletionStatus?.RequestId
          })
        )
      )
      assert.strictEqual(status?.Status, "SUCCEEDED")
      assert.strictEqual(
        yield* outcome(sso.send(new DeleteAccountAssignmentCommand(place))),
        "ResourceNotFoundException"
      )
    })
  )

  it.live("lists creations by status, with when they were asked for, page by page", () =>
    Effect.gen(function* () {
      const wire = yield* started()
      const { sso } = clientsOf(wire)
      yield* Effect.promise(() => sso.send(new CreateAccountAssignmentCommand(place)))
      yield* Effect.promise(() => sso.send(new CreateAccountAssignmentCommand({ ...place, PrincipalId: bobId })))
      const page = (more: object) =>
        Effect.promise(() =>
          sso.send(new ListAccountAssignmentCreationStatusCommand({ InstanceArn: instanceArn, ...more }))
        )
      const first = yield* page({ MaxResults: 1 })
      const second = yield* page({ MaxResults: 1, NextToken: first.NextToken })
      assert.deepStrictEqual(
        [first, second].map((one) => one.AccountAssignmentsCreationStatus?.length),
        [1, 1]
      )
      assert.isUndefined(second.NextToken)
      const [entry] = first.AccountAssignmentsCreationStatus ?? []
      assert.isAtMost(Math.abs((entry?.CreatedDate?.getTime() ?? 0) - wire.now()), 60_000)
      assert.lengthOf((yield* page({ Filter: { Status: "FAILED" } })).AccountAssignmentsCreationStatus ?? [], 0)
    })
  )

  it.live.each([
    ["an instance that is none", { InstanceArn: "arn:aws:sso:::instance/other" }, "ValidationException"],
    [
      "an instance that is not there",
      { InstanceArn: "arn:aws:sso:::instance/ssoins-fedcba9876543210" },
      "ResourceNotFoundException"
    ],
    ["a permission set by its name", { PermissionSetArn: "reader" }, "ValidationException"],
    ["a permission set that is not there", { PermissionSetArn: permissionSetArn(9) }, "ResourceNotFoundException"],
    ["a person by their name", { PrincipalId: "alice@example.com" }, "ValidationException"],
    ["a person who is not there", { PrincipalId: "f81d4fae-7dec-11d0-a765-00a0c91e6b00" }, "ResourceNotFoundException"],
    ["an account that is none", { TargetId: "production" }, "ValidationException"],
    ["an account outside of the organisation", { TargetId: "999999999999" }, "ResourceNotFoundException"]
  ] as const)("refuses %s", ([, part, code]) =>
    Effect.gen(function* () {
      const wire = yield* started()
      const command = new CreateAccountAssignmentCommand({ ...place, ...part })
      assert.strictEqual(yield* outcome(clientsOf(wire).sso.send(command)), code)
      assert.lengthOf(wire.assignments.all(), 0)
    })
  )

  it.live("allows an action on what the policy names, and on nothing else", () =>
    Effect.gen(function* () {
      const statement = (Action: string, Resource: ReadonlyArray<string>) => ({ Effect: "Allow", Action, Resource })
      const wire = yield* started({
        policy: JSON.stringify({
          Version: "2012-10-17",
          Statement: [
            statement("sso:CreateAccountAssignment", [
              instanceArn,
              permissionSetArn(2),
              `arn:aws:sso:::account/${home}`
            ]),
            statement("sso:ListPermissionSets", ["*"])
          ]
        })
      })
      const { sso } = clientsOf(wire)
      const create = (part: object) => outcome(sso.send(new CreateAccountAssignmentCommand({ ...place, ...part })))
      assert.strictEqual(yield* create({}), "ok")
      assert.strictEqual(yield* create({ TargetId: other }), "AccessDeniedException")
      assert.strictEqual(yield* create({ PermissionSetArn: permissionSetArn(3) }), "AccessDeniedException")
      assert.strictEqual(yield* outcome(sso.send(new ListPermissionSetsCommand({ InstanceArn: instanceArn }))), "ok")
      const describing = sso.send(
        new DescribePermissionSetCommand({ InstanceArn: instanceArn, PermissionSetArn: permissionSetArn(2) })
      )
      assert.strictEqual(yield* outcome(describing), "AccessDeniedException")
    })
  )

  it.live("does not understand conditions in an identity's policy, and says so", () =>
    Effect.gen(function* () {
      const Condition = { StringLike: { "aws:userid": "*" } }
      const Statement = [{ Effect: "Allow", Action: "*", Resource: "*", Condition }]
      const policy = JSON.stringify({ Version: "2012-10-17", Statement })
      const failure = yield* Effect.tryPromise({
        try: () => AwsWire.start(wireOptions({ policy })),
        catch: (thrown) => (thrown instanceof Error ? thrown.message : "thrown")
      }).pipe(Effect.flip)
      assert.include(failure, "conditions")
    })
  )

  it.live("finds a user by exactly one attribute, letter for letter", () =>
    Effect.gen(function* () {
      const wire = yield* started()
      const { store } = clientsOf(wire)
      const find = (AttributePath: string, AttributeValue: string, IdentityStoreId = identityStoreId) =>
        outcome(
          store.send(
            new GetUserIdCommand({
              IdentityStoreId,
              AlternateIdentifier: { UniqueAttribute: { AttributePath, AttributeValue } }
            })
          )
        )
      assert.strictEqual(yield* find("userName", "alice@example.com"), "ok")
      assert.strictEqual(yield* find("emails.value", "alice@mail.example.com"), "ok")
      assert.strictEqual(yield* find("userName", "Alice@example.com"), "ResourceNotFoundException")
      assert.strictEqual(yield* find("userName", "alice@example.com", "d-0000000000"), "ResourceNotFoundException")
      assert.strictEqual(yield* find("displayName", "Alice"), "ValidationException")
      assert.strictEqual(yield* find("userName", "a b"), "ValidationException")
    })
  )
})
