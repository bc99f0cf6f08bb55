/** The wire server is as strict as it says: each rule of Google's that the provider relies on, asked over plain HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { GcpWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import {
  admin,
  aliceAccount,
  custom,
  daemon,
  impersonating,
  leastPrivilege,
  project,
  reader,
  strangers,
  wireOptions
} from "./support/GcpFixture.ts"

interface Answer {
  readonly status: number
  readonly code: string
  readonly body: unknown
}

const fieldOf = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, field) => Reflect.get(Object(inner), field), value)

const signIn = (wire: GcpWire.GcpWire, part: Readonly<Record<string, string>> = {}): Promise<Answer> => {
  const { credential_source: source, token_url: url } = wire.credentials(daemon)
  return fetch(source.url)
    .then((answer) => answer.text())
    .then((subject) =>
      fetch(url, {
        method: "POST",
        body: new URLSearchParams({
          grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
          scope: "https://www.googleapis.com/auth/cloud-platform",
          subject_token: subject,
          ...part
        })
      })
    )
    .then(async (answer) => {
      const body: unknown = await answer.json()
      return { status: answer.status, code: String(fieldOf(body, "error")), body }
    })
}

const started = (permissions: ReadonlyArray<string> = leastPrivilege, more: Partial<GcpWire.WireOptions> = {}) =>
  Effect.gen(function* () {
    const wire = yield* GcpWire.scoped(wireOptions(permissions, more))
    const { body } = yield* Effect.promise(() => signIn(wire))
    const token = String(fieldOf(body, "access_token"))
    const send = (
      method: string,
      path: string,
      content?: unknown,
      authorization = `Bearer ${token}`
    ): Effect.Effect<Answer> =>
      Effect.promise(async () => {
        const answer = await fetch(`${wire.url}${path}`, {
          method,
          headers: { authorization, "content-type": "application/json" },
          ...(content === undefined ? {} : { body: typeof content === "string" ? content : JSON.stringify(content) })
        })
        const answered: unknown = await answer.json()
        return { status: answer.status, code: String(fieldOf(answered, "error", "status")), body: answered }
      })
    const post = (verb: string, content: unknown = {}, resource = project) =>
      send("POST", `/v3/${resource}:${verb}`, content)
    return { wire, send, post, set: (policy: unknown) => post("setIamPolicy", { policy }) }
  })

const ours = (part: Partial<GcpWire.Condition> = {}, members: ReadonlyArray<string> = ["user:alice@example.com"]) => ({
  role: reader,
  members,
  condition: { title: "t", expression: 'request.time < timestamp("2039-01-01T00:00:00Z")', ...part }
})

const bindings = [...strangers]

describe("the wire server for Google Cloud", () => {
  it.live("knows callers by tokens of its own, of this scope, until they end", () =>
    Effect.gen(function* () {
      const { post, send, wire } = yield* started()
      const path = `/v3/${project}:getIamPolicy`
      assert.strictEqual((yield* post("getIamPolicy")).status, 200)
      for (const authorization of ["", "Bearer x", "Basic eDp5", "Bearer a.b.c"]) {
        assert.strictEqual((yield* send("POST", path, {}, authorization)).code, "UNAUTHENTICATED")
      }
      const refused = (part: Readonly<Record<string, string>>) =>
        Effect.map(
          Effect.promise(() => signIn(wire, part)),
          ({ code, status }) => `${status} ${code}`
        )
      assert.strictEqual(yield* refused({ grant_type: "password" }), "400 invalid_grant")
      assert.strictEqual(yield* refused({ scope: "openid" }), "400 invalid_grant")
      assert.strictEqual(yield* refused({ subject_token: "made up" }), "400 invalid_grant")
      wire.advance(3601)
      assert.strictEqual((yield* post("getIamPolicy")).code, "UNAUTHENTICATED")
    })
  )

  it.live("does not tell what is forbidden from what does not exist", () =>
    Effect.gen(function* () {
      const { post } = yield* started(["resourcemanager.projects.getIamPolicy"])
      assert.strictEqual((yield* post("setIamPolicy", { policy: { bindings: [] } })).code, "PERMISSION_DENIED")
      assert.strictEqual((yield* post("getIamPolicy", {}, "projects/not-there")).code, "PERMISSION_DENIED")
      const { body } = yield* post("testIamPermissions", { permissions: leastPrivilege })
      assert.deepStrictEqual(fieldOf(body, "permissions"), ["resourcemanager.projects.getIamPolicy"])
      assert.strictEqual((yield* post("testIamPermissions", { permissions: ["storage.*"] })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* post("grantIamPolicy")).code, "NOT_FOUND")
    })
  )

  it.live("hides conditions from whoever does not ask for version 3, and takes them in no other", () =>
    Effect.gen(function* () {
      const { post, set, wire } = yield* started()
      const old = yield* post("getIamPolicy")
      assert.strictEqual(fieldOf(old.body, "version"), 1)
      assert.match(JSON.stringify(old.body), /storage\.admin_withcond_\d{20}/u)
      assert.notInclude(JSON.stringify(old.body), "until the audit")
      const now = yield* post("getIamPolicy", { options: { requestedPolicyVersion: 3 } })
      assert.strictEqual(fieldOf(now.body, "version"), 3)
      assert.include(JSON.stringify(now.body), "until the audit")
      assert.strictEqual(
        (yield* post("getIamPolicy", { options: { requestedPolicyVersion: 2 } })).code,
        "INVALID_ARGUMENT"
      )
      const { etag } = wire.policy(project)
      assert.strictEqual((yield* set({ version: 1, etag, bindings })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* set({ version: 1, etag, bindings: [] })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* set({ version: 3, etag, bindings })).status, 200)
    })
  )

  it.live("refuses a write with an old etag, and replaces everything in one without", () =>
    Effect.gen(function* () {
      const { set, wire } = yield* started()
      const { auditConfigs, etag } = wire.policy(project)
      assert.strictEqual((yield* set({ version: 3, etag, bindings })).status, 200)
      assert.notStrictEqual(wire.policy(project).etag, etag)
      const late = yield* set({ version: 3, etag, bindings: [] })
      assert.deepStrictEqual([late.status, late.code], [409, "ABORTED"])
      assert.strictEqual((yield* set({ bindings: [] })).status, 200)
      assert.deepStrictEqual(wire.policy(project).bindings, [])
      assert.deepStrictEqual(wire.policy(project).auditConfigs, auditConfigs)
    })
  )

  it.live.each([
    ["a condition on a basic role", { ...ours(), role: "roles/owner" }],
    ["a condition for everybody", ours({}, ["allUsers"])],
    ["a condition without a title", ours({ title: "" })],
    ["a title of 101 characters", ours({ title: "t".repeat(101) })],
    ["a description of 257 characters", ours({ description: "d".repeat(257) })],
    ["an expression that is none", ours({ expression: "request.time <" })],
    ["a timestamp that is none", ours({ expression: 'request.time < timestamp("tomorrow")' })],
    [
      "13 operators",
      ours({
        expression: Array.from({ length: 14 }, () => "request.time < timestamp('2039-01-01T00:00:00Z')").join(" && ")
      })
    ],
    ["a role that does not exist", { ...ours(), role: "roles/storage.none" }],
    ["another project's role", { ...ours(), role: "projects/shop-dev/roles/onCall" }],
    ["no members", ours({}, [])],
    ["a member without a kind", ours({}, ["alice@example.com"])],
    ["a member that was deleted", ours({}, ["deleted:user:alice@example.com?uid=1"])],
    ["a member that does not exist", ours({}, ["user:nobody@example.com"])],
    ["a field that Google does not know", { ...ours(), until: "tomorrow" }]
  ] as const)("refuses %s", ([, binding]) =>
    Effect.gen(function* () {
      const members = strangers.flatMap((one) => one.members)
      const { set, wire } = yield* started(leastPrivilege, { members: [...members, "allUsers"] })
      const before = JSON.stringify(wire.policy(project))
      const { code } = yield* set({ version: 3, etag: wire.policy(project).etag, bindings: [...bindings, binding] })
      assert.strictEqual(code, "INVALID_ARGUMENT")
      assert.strictEqual(JSON.stringify(wire.policy(project)), before)
      assert.strictEqual((yield* set({ version: 3, bindings: [...bindings, ours()] })).status, 200)
    })
  )

  it.live("bounds principals, groups, and conditions of one role and member", () =>
    Effect.gen(function* () {
      const { set } = yield* started()
      const many = (count: number, name: (index: number) => string) => ({
        role: admin,
        members: Array.from({ length: count }, (_, index) => name(index))
      })
      const codeOf = (all: ReadonlyArray<unknown>) =>
        Effect.map(set({ version: 3, bindings: all }), ({ code, status }) => (status === 200 ? "ok" : code))
      assert.strictEqual(yield* codeOf([many(1500, (index) => `user:u${index}@a.b`)]), "ok")
      assert.strictEqual(yield* codeOf([many(1501, (index) => `user:u${index}@a.b`)]), "INVALID_ARGUMENT")
      assert.strictEqual(yield* codeOf([many(250, (index) => `group:g${index}@a.b`)]), "ok")
      assert.strictEqual(yield* codeOf([many(251, (index) => `group:g${index}@a.b`)]), "INVALID_ARGUMENT")
      const timed = (count: number) => Array.from({ length: count }, (_, index) => ours({ title: `t${index}` }))
      assert.strictEqual(yield* codeOf(timed(20)), "ok")
      assert.strictEqual(yield* codeOf(timed(21)), "INVALID_ARGUMENT")
    })
  )

  it.live("merges bindings of one role and condition, and writes addresses in lower case", () =>
    Effect.gen(function* () {
      const { set, wire } = yield* started()
      yield* set({ version: 3, bindings: [ours(), ours({}, ["user:Bob@Example.com"]), ours({ title: "u" })] })
      assert.deepStrictEqual(
        wire.policy(project).bindings.map(({ condition, members }) => [condition?.title, members]),
        [
          ["t", ["user:alice@example.com", "user:bob@example.com"]],
          ["u", ["user:alice@example.com"]]
        ]
      )
    })
  )

  it.live("limits whose grants an identity may change", () =>
    Effect.gen(function* () {
      const { set, wire } = yield* started(leastPrivilege, {
        identities: [{ email: daemon, permissions: leastPrivilege, mayModify: ["roles/storage.object*"] }]
      })
      const put = (added: unknown) =>
        set({ version: 3, etag: wire.policy(project).etag, bindings: [...bindings, added] })
      assert.strictEqual((yield* put({ ...ours(), role: admin })).code, "PERMISSION_DENIED")
      assert.strictEqual((yield* put(ours())).status, 200)
      assert.strictEqual((yield* set({ version: 3, bindings: [] })).code, "PERMISSION_DENIED")
    })
  )

  it.live("lets reads and permissions lag behind writes", () =>
    Effect.gen(function* () {
      const { post, set, wire } = yield* started()
      const shown = Effect.map(post("getIamPolicy", { options: { requestedPolicyVersion: 3 } }), ({ body }) =>
        JSON.stringify(body).includes('"title":"t"')
      )
      wire.setLag(2)
      wire.setSpread(1)
      yield* set({ version: 3, etag: wire.policy(project).etag, bindings: [...bindings, { ...ours(), role: admin }] })
      assert.deepStrictEqual([yield* shown, yield* shown, yield* shown], [false, false, true])
      const may = () => wire.allows("user:alice@example.com", "storage.buckets.get", project)
      assert.deepStrictEqual([may(), may()], [false, true])
    })
  )

  it.live("shows predefined roles to everybody, and custom ones to those who may look", () =>
    Effect.gen(function* () {
      const { send } = yield* started()
      assert.strictEqual((yield* send("GET", `/v1/${reader}`)).status, 200)
      assert.strictEqual((yield* send("GET", "/v1/roles/storage.none")).code, "NOT_FOUND")
      assert.strictEqual((yield* send("GET", `/v1/${custom}`)).code, "PERMISSION_DENIED")
      const looking = yield* started(["iam.roles.get"])
      assert.strictEqual((yield* looking.send("GET", `/v1/${custom}`)).status, 200)
    })
  )

  it.live("issues tokens of accounts that exist, for a time that is allowed, to those who may", () =>
    Effect.gen(function* () {
      const { send, wire } = yield* started(impersonating)
      const scope = ["https://www.googleapis.com/auth/cloud-platform"]
      const ask = (body: unknown, email = aliceAccount, projectPart = "-") =>
        send("POST", `/v1/projects/${projectPart}/serviceAccounts/${email}:generateAccessToken`, body)
      const { body, status } = yield* ask({ scope, lifetime: "600s" })
      assert.strictEqual(status, 200)
      assert.strictEqual(Date.parse(String(fieldOf(body, "expireTime"))), wire.tokens().at(-1)?.expiresAt)
      assert.strictEqual((yield* ask({ scope, lifetime: "3601s" })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* ask({ scope, lifetime: 600 })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* ask({ lifetime: "600s" })).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* ask({ scope }, aliceAccount, "jitsudo-home")).code, "INVALID_ARGUMENT")
      assert.strictEqual((yield* ask({ scope }, "nobody@x.iam.gserviceaccount.com")).code, "NOT_FOUND")
      const less = yield* started()
      const denied = less.send("POST", `/v1/projects/-/serviceAccounts/${aliceAccount}:generateAccessToken`, { scope })
      assert.strictEqual((yield* denied).code, "PERMISSION_DENIED")
    })
  )

  it.live("words its faults as Google does, and keeps no secret in its state", () =>
    Effect.gen(function* () {
      const { post, send, wire } = yield* started()
      const get = "resourcemanager.projects.getIamPolicy"
      wire.inject(get, { kind: "throttle" }, { kind: "unavailable" }, { kind: "conflict" }, { kind: "deny" })
      const seen: Array<string> = []
      for (let call = 0; call < 4; call += 1) seen.push((yield* post("getIamPolicy")).code)
      assert.deepStrictEqual(seen, ["RESOURCE_EXHAUSTED", "UNAVAILABLE", "ABORTED", "PERMISSION_DENIED"])
      assert.strictEqual((yield* send("POST", `/v3/${project}:getIamPolicy`, "{")).code, "INVALID_ARGUMENT")
      const state = yield* Effect.promise(() => fetch(`${wire.url}/_wire/state`).then((answer) => answer.text()))
      assert.include(state, "until the audit")
      assert.notInclude(state, "ya29.")
      const bodies = JSON.stringify(wire.requests())
      assert.notInclude(bodies, "subject_token")
    })
  )
})
