/**
 * The wire server is strict where AWS is: a test against it must not pass where AWS would refuse.
 */
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import {
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListRolePoliciesCommand,
  ListRolesCommand,
  PutRolePolicyCommand
} from "@aws-sdk/client-iam"
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { assert, describe, it } from "@effect/vitest"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { daemon, roleArn, wireOptions } from "./support/AwsFixture.ts"

const everything = ["*"]

const clientsOf = (wire: AwsWire.AwsWire, credentials: { accessKeyId: string; secretAccessKey: string } = daemon) => {
  const shared = { endpoint: wire.url, region: "us-east-1", maxAttempts: 1, credentials }
  return { sts: new STSClient(shared), iam: new IAMClient(shared) }
}

const refusal = (call: Promise<unknown>): Effect.Effect<string> =>
  Effect.promise(() =>
    call.then(
      () => "ok",
      (thrown: unknown) => (thrown instanceof Error ? thrown.name.replace(/Exception$/u, "") : "thrown")
    )
  )

const reader = roleArn("reader")
const assume = (wire: AwsWire.AwsWire, part: object = {}) =>
  clientsOf(wire).sts.send(new AssumeRoleCommand({ RoleArn: reader, RoleSessionName: "a-session", ...part }))

/** The credentials that STS gave, for another client. */
const assumed = async (wire: AwsWire.AwsWire, part: object = {}) => {
  const { Credentials: given } = await assume(wire, part)
  return {
    accessKeyId: given?.AccessKeyId ?? "",
    secretAccessKey: given?.SecretAccessKey ?? "",
    sessionToken: given?.SessionToken ?? ""
  }
}

const denyWhere = (Condition: object): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Deny", Action: "*", Resource: "*", Condition }] })

describe("the wire server", () => {
  it.live("refuses a wrong key, a wrong token and an unsigned call", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      const who = (credentials: typeof daemon & { sessionToken?: string }) =>
        refusal(clientsOf(wire, credentials).sts.send(new GetCallerIdentityCommand({})))
      assert.strictEqual(yield* who(daemon), "ok")
      assert.strictEqual(yield* who({ ...daemon, secretAccessKey: "wrong" }), "SignatureDoesNotMatch")
      assert.strictEqual(yield* who({ ...daemon, accessKeyId: "AKIAUNKNOWN000000000" }), "InvalidClientTokenId")
      const session = yield* Effect.promise(() => assumed(wire))
      assert.strictEqual(yield* who(session), "ok")
      assert.strictEqual(yield* who({ ...session, sessionToken: "other" }), "InvalidClientTokenId")
      const unsigned = yield* Effect.promise(() =>
        fetch(wire.url, { method: "POST", body: "Action=GetCallerIdentity&Version=2011-06-15" })
      )
      assert.strictEqual(unsigned.status, 403)
      assert.include(yield* Effect.promise(() => unsigned.text()), "MissingAuthenticationToken")
    })
  )

  it.live("refuses a session whose time is over", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      const session = yield* Effect.promise(() => assumed(wire, { DurationSeconds: 900 }))
      wire.advance(901)
      const answer = yield* refusal(clientsOf(wire, session).sts.send(new GetCallerIdentityCommand({})))
      assert.strictEqual(answer, "ExpiredToken")
      assert.lengthOf(wire.liveSessions(), 0)
    })
  )

  it.live.each([
    ["a name with a space", { RoleSessionName: "a session" }, "ValidationError"],
    ["a name of 65 characters", { RoleSessionName: "a".repeat(65) }, "ValidationError"],
    ["899 seconds", { DurationSeconds: 899 }, "ValidationError"],
    ["longer than the role allows", { DurationSeconds: 3601 }, "ValidationError"],
    ["longer than 12 hours", { DurationSeconds: 43_201 }, "ValidationError"],
    ["a tag with an em dash", { Tags: [{ Key: "reason", Value: "a — b" }] }, "ValidationError"],
    ["a source identity with a space", { SourceIdentity: "a b" }, "ValidationError"],
    ["an unknown role", { RoleArn: roleArn("nobody") }, "AccessDenied"]
  ] as const)("refuses to assume with %s", ([, part, code]) =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      assert.strictEqual(yield* refusal(assume(wire, part)), code)
      assert.lengthOf(wire.sessions(), 0)
    })
  )

  it.live("honours external ids, trusted principals and what the trust allows", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(
        wireOptions(everything, [
          { arn: roleArn("guarded"), externalId: "x-1" },
          { arn: roleArn("closed"), trusts: ["arn:aws:iam::111122223333:user/somebody"] },
          { arn: roleArn("untagged"), trustActions: ["sts:AssumeRole"] }
        ])
      )
      const Tags = [{ Key: "a", Value: "b" }]
      const RoleArn = roleArn("guarded")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn })), "AccessDenied")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn, ExternalId: "x-2" })), "AccessDenied")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn, ExternalId: "x-1" })), "ok")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn: roleArn("closed") })), "AccessDenied")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn: roleArn("untagged"), Tags })), "AccessDenied")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn: roleArn("untagged") })), "ok")
    })
  )

  it.live("limits a chained session to an hour", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything, [{ arn: roleArn("long"), maxSessionSeconds: 7200 }]))
      const session = yield* Effect.promise(() => assumed(wire))
      const onwards = (DurationSeconds: number) =>
        refusal(
          clientsOf(wire, session).sts.send(
            new AssumeRoleCommand({ RoleArn: roleArn("long"), RoleSessionName: "onwards", DurationSeconds })
          )
        )
      assert.strictEqual(yield* onwards(3601), "ValidationError")
      assert.strictEqual(yield* onwards(3600), "ok")
      assert.strictEqual(yield* refusal(assume(wire, { RoleArn: roleArn("long"), DurationSeconds: 7200 })), "ok")
    })
  )

  it.live("denies every earlier session under a denial by time alone: what exact revocation must not do", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      yield* Effect.promise(() => assume(wire, { RoleSessionName: "early-one" }))
      yield* Effect.promise(() => assume(wire, { RoleSessionName: "early-two" }))
      const until = new Date(wire.now() + 1000).toISOString()
      wire.putPolicy(reader, "blunt", denyWhere({ DateLessThanEquals: { "aws:TokenIssueTime": until } }))
      wire.advance(60)
      yield* Effect.promise(() => assume(wire, { RoleSessionName: "late-one" }))
      assert.deepStrictEqual(
        wire.liveSessions().map(({ sessionName }) => sessionName),
        ["late-one"]
      )
    })
  )

  it.live.each([
    ["no JSON", "{"],
    ["an unknown effect", JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Maybe" }] })],
    ["an operator that it does not understand", denyWhere({ StringNotLike: { "aws:userid": "*" } })],
    ["a key that it does not understand", denyWhere({ StringLike: { "aws:SourceIp": "*" } })],
    ["a condition without values", denyWhere({ StringLike: { "aws:userid": [] } })],
    ["a date that is none", denyWhere({ DateLessThanEquals: { "aws:TokenIssueTime": "yesterday" } })]
  ] as const)("refuses a policy with %s", ([, document]) =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      const put = new PutRolePolicyCommand({ RoleName: "jitsudo-reader", PolicyName: "p", PolicyDocument: document })
      assert.strictEqual(yield* refusal(clientsOf(wire).iam.send(put)), "MalformedPolicyDocument")
      assert.deepStrictEqual(wire.policies(reader), {})
    })
  )

  it.live("keeps inline policies by name, within 10,240 characters per role", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything))
      const { iam } = clientsOf(wire)
      const RoleName = "jitsudo-reader"
      const named = (names: number) =>
        denyWhere({ StringLike: { "aws:userid": Array.from({ length: names }, (_, index) => `*:x${index}`) } })
      const put = (PolicyName: string, PolicyDocument: string) =>
        refusal(iam.send(new PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument })))
      assert.strictEqual(yield* put("a", named(700)), "ok")
      assert.strictEqual(yield* put("b", named(700)), "LimitExceeded")
      assert.strictEqual(yield* put("a", `${named(700)}${" ".repeat(5000)}`), "ok")
      const listed = yield* Effect.promise(() => iam.send(new ListRolePoliciesCommand({ RoleName })))
      assert.deepStrictEqual(listed.PolicyNames, ["a"])
      const got = yield* Effect.promise(() => iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: "a" })))
      assert.strictEqual(decodeURIComponent(got.PolicyDocument ?? "").trim(), named(700))
      yield* Effect.promise(() => iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: "a" })))
      const gone = refusal(iam.send(new GetRolePolicyCommand({ RoleName, PolicyName: "a" })))
      assert.strictEqual(yield* gone, "NoSuchEntity")
    })
  )

  it.live("acts in the account of its caller only", () =>
    Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions(everything, [{ arn: roleArn("elsewhere", "444455556666") }]))
      const { iam } = clientsOf(wire)
      const get = iam.send(new GetRoleCommand({ RoleName: "jitsudo-elsewhere" }))
      assert.strictEqual(yield* refusal(get), "NoSuchEntity")
      const listed = yield* Effect.promise(() => iam.send(new ListRolesCommand({})))
      assert.deepStrictEqual(
        listed.Roles?.map(({ Arn }) => Arn),
        [roleArn("reader"), roleArn("admin")]
      )
      const role = yield* Effect.promise(() => iam.send(new GetRoleCommand({ RoleName: "jitsudo-reader" })))
      assert.strictEqual(role.Role?.MaxSessionDuration, 3600)
    })
  )

  it.live("runs as a process, with a door for tests", () =>
    Effect.gen(function* () {
      const main = new URL("../src/testing/aws-wire-main.ts", import.meta.url).pathname
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, ["--conditions=@jitsudo/source", main], { stdio: ["pipe", "pipe", "inherit"] })
        ),
        (running) => Effect.sync(() => running.kill())
      )
      const line = yield* Effect.promise(
        () => new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve))
      )
      const { url, accessKeyId, secretAccessKey, roles } = JSON.parse(line)
      const sts = new STSClient({ endpoint: url, region: "us-east-1", credentials: { accessKeyId, secretAccessKey } })
      yield* Effect.promise(() => sts.send(new AssumeRoleCommand({ RoleArn: roles[0], RoleSessionName: "demo" })))
      const state = yield* Effect.promise(async () => (await fetch(`${url}/_wire/state`)).text())
      const [session] = JSON.parse(state).sessions
      assert.deepStrictEqual([session.sessionName, session.live], ["demo", true])
      assert.notMatch(state, /secretAccessKey|sessionToken/u)
      const post = (path: string, body: object) =>
        Effect.promise(async () => (await fetch(url + path, { method: "POST", body: JSON.stringify(body) })).json())
      yield* post("/_wire/faults", { operation: "sts:GetCallerIdentity", fault: { kind: "deny" }, times: 1 })
      assert.strictEqual(yield* refusal(sts.send(new GetCallerIdentityCommand({}))), "AccessDenied")
      yield* post("/_wire/advance", { seconds: 7200 })
      const later = yield* Effect.promise(async () => (await fetch(`${url}/_wire/state`)).json())
      assert.strictEqual(later.sessions[0].live, false)
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve))
      child.stdin.end()
      assert.strictEqual(yield* Effect.promise(() => ended), 0)
    })
  )
})
