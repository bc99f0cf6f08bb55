/**
 * The wire server is as strict as Azure is documented to be, its answers and the provider's requests are what ARM's own
 * model says, and its truth, clock and faults can be had from outside.
 */
import { assert, describe, it } from "@effect/vitest"
import { KnownPrincipalType, KnownRequestType, KnownStatus, KnownType } from "@azure/arm-authorization"
import { Time } from "@jitsudo/core"
import type { AzureWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as ArmModel from "./support/ArmModel.ts"
import {
  alice,
  clientId,
  group,
  home,
  leastPrivilege,
  leastPrivilegeWithPim,
  people,
  providerOf,
  roles,
  started,
  tenant,
  wireOptions
} from "./support/AzureFixture.ts"

const everything = ["*"]
const name = "11111111-1111-4111-8111-111111111111"
const definition = (id: string): string => `${home}/providers/Microsoft.Authorization/roleDefinitions/${id}`

interface Answer {
  readonly status: number
  readonly code: string
  readonly body: Readonly<Record<string, unknown>>
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** What an answer says, and the code of its refusal. */
const read = async (response: Response): Promise<Answer> => {
  const text = await response.text()
  const body: unknown = text === "" ? {} : JSON.parse(text)
  if (!isObject(body)) throw new Error("the answer is no object")
  const { error } = body
  const code = isObject(error) ? error["code"] : error
  return { status: response.status, code: typeof code === "string" ? code : "ok", body }
}

/** Somebody who speaks to it without an SDK. */
const speaker = (wire: AzureWire.AzureWire) => {
  const token = async (api: "arm" | "graph", form: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    read(
      await fetch(`${wire.endpoints.login}/${tenant}/oauth2/v2.0/token`, {
        method: "POST",
        body: new URLSearchParams({
          client_id: clientId,
          client_secret: "wire-server-secret-of-the-daemon",
          grant_type: "client_credentials",
          scope: `${wire.endpoints[api]}/.default`,
          ...form
        })
      })
    )
  const call = async (
    api: "arm" | "graph",
    method: string,
    path: string,
    body?: object | string,
    bearer?: string
  ): Promise<Answer> => {
    const own = bearer ?? `Bearer ${String((await token(api)).body["access_token"])}`
    return read(
      await fetch(`${wire.endpoints[api]}${path}`, {
        method,
        headers: {
          ...(own === "" ? {} : { authorization: own }),
          ...(body === undefined ? {} : { "content-type": "application/json" })
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
    )
  }
  const assignment = (scope: string, named = name, version = "2022-04-01"): string =>
    `${scope}/providers/Microsoft.Authorization/roleAssignments/${named}?api-version=${version}`
  const schedule = (named: string, scope = group): string =>
    `${scope}/providers/Microsoft.Authorization/roleAssignmentScheduleRequests/${named}?api-version=2020-10-01`
  return { token, call, assignment, schedule }
}

const assigning = { roleDefinitionId: definition(roles.reader.id), principalId: people.alice.id, principalType: "User" }

const world = (
  actions: ReadonlyArray<string> = everything,
  client: Partial<AzureWire.WireClient> = {},
  more: Partial<AzureWire.WireOptions> = {}
) => Effect.map(started(wireOptions(actions, client, more)), (wire) => ({ wire, say: speaker(wire) }))

const codeOf = (call: Promise<Answer>): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => call),
    ({ code, status }) => `${status} ${code}`
  )

describe("signing in", () => {
  it.live("takes a known client with its secret or its federated token, for one API", () =>
    Effect.gen(function* () {
      const { say } = yield* world(everything, { federatedToken: "from-the-cluster" })
      const federated = {
        client_assertion: "from-the-cluster",
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
      }
      assert.strictEqual(yield* codeOf(say.token("arm")), "200 ok")
      assert.strictEqual(yield* codeOf(say.token("arm", { client_secret: "guess" })), "401 invalid_client")
      assert.strictEqual(yield* codeOf(say.token("arm", { client_id: tenant })), "400 unauthorized_client")
      assert.strictEqual(yield* codeOf(say.token("arm", { grant_type: "password" })), "400 unsupported_grant_type")
      assert.strictEqual(yield* codeOf(say.token("arm", { scope: "https://else/.default" })), "400 invalid_scope")
      // A form with both is judged by its secret.
      assert.strictEqual(yield* codeOf(say.token("arm", federated)), "200 ok")
    })
  )

  it.live("is asked for on every call, by API", () =>
    Effect.gen(function* () {
      const { say } = yield* world()
      const path = say.assignment(group)
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", path, undefined, "")), "401 InvalidAuthenticationToken")
      const graphs = yield* Effect.promise(() => say.token("graph"))
      const bearer = `Bearer ${String(graphs.body["access_token"])}`
      assert.strictEqual(
        yield* codeOf(say.call("arm", "GET", path, undefined, bearer)),
        "401 InvalidAuthenticationTokenAudience"
      )
    })
  )
})

describe("Graph", () => {
  it.live("finds by filter and id what the permission allows, and understands nothing else", () =>
    Effect.gen(function* () {
      const { say } = yield* world()
      const users = (filter: string): string => `/v1.0/users?$filter=${encodeURIComponent(filter)}&$select=id,mail`
      const found = yield* Effect.promise(() => say.call("graph", "GET", users("mail eq 'O''Brien@example.com'")))
      assert.deepStrictEqual(found.body["value"], [{ id: people.obrien.id, mail: people.obrien.mail }])
      for (const filter of ["mail eq 'o'brien'", "mail eq alice", "displayName eq 'x'", "startswith(mail,'a')"]) {
        assert.strictEqual(yield* codeOf(say.call("graph", "GET", users(filter))), "400 BadRequest", filter)
      }
      // An unescaped quote means what it means: two comparisons.
      const both = yield* Effect.promise(() =>
        say.call("graph", "GET", users("mail eq 'x' or mail eq 'alice@example.com'"))
      )
      assert.deepStrictEqual(both.body["value"], [{ id: people.alice.id, mail: people.alice.mail }])
      assert.strictEqual(
        yield* codeOf(say.call("graph", "GET", `/v1.0/users/${people.team.id}`)),
        "404 Request_ResourceNotFound"
      )
      assert.strictEqual(
        yield* codeOf(say.call("graph", "GET", `/v1.0/groups/${people.team.id}`)),
        "403 Authorization_RequestDenied"
      )
    })
  )
})

describe("role assignments", () => {
  it.live("are as strict as ARM about versions, names, scopes, bodies and identities", () =>
    Effect.gen(function* () {
      const { say } = yield* world()
      const put = (properties: object, path = say.assignment(group)) =>
        codeOf(say.call("arm", "PUT", path, { properties }))
      const bare = `${group}/providers/Microsoft.Authorization/roleAssignments/${name}`
      assert.strictEqual(yield* put(assigning, bare), "400 MissingApiVersionParameter")
      assert.strictEqual(
        yield* put(assigning, say.assignment(group, name, "1999-01-01")),
        "400 InvalidApiVersionParameter"
      )
      assert.strictEqual(yield* put(assigning, say.assignment(group, "jitsudo")), "400 InvalidRoleAssignmentId")
      assert.strictEqual(yield* put(assigning, say.assignment(`${group}x`)), "404 ResourceGroupNotFound")
      assert.strictEqual(
        yield* put(assigning, say.assignment("/subscriptions/00000000-0000-0000-0000-000000000000")),
        "404 SubscriptionNotFound"
      )
      assert.strictEqual(yield* put(assigning, say.assignment(`/${group}`)), "404 ResourceGroupNotFound")
      assert.strictEqual(yield* put({ ...assigning, expires: "soon" }), "400 InvalidRequestContent")
      assert.strictEqual(yield* put({ ...assigning, roleDefinitionId: roles.reader.id }), "400 InvalidRoleDefinitionId")
      assert.strictEqual(
        yield* put({ ...assigning, roleDefinitionId: definition(name) }),
        "400 RoleDefinitionDoesNotExist"
      )
      assert.strictEqual(yield* put({ ...assigning, principalId: name }), "400 PrincipalNotFound")
      assert.strictEqual(yield* put({ ...assigning, principalType: "Group" }), "400 UnmatchedPrincipalType")
      assert.strictEqual(yield* codeOf(say.call("arm", "PUT", say.assignment(group), "{")), "400 InvalidRequestContent")
    })
  )

  it.live("are one per role, principal and scope, and change in nothing but what they say", () =>
    Effect.gen(function* () {
      const { say } = yield* world()
      const other = "22222222-2222-4222-8222-222222222222"
      const put = (properties: object, named = name) =>
        codeOf(say.call("arm", "PUT", say.assignment(group, named), { properties }))
      assert.strictEqual(yield* put(assigning), "201 ok")
      assert.strictEqual(yield* put({ ...assigning, description: "why" }), "200 ok")
      assert.strictEqual(yield* put(assigning, other), "409 RoleAssignmentExists")
      const owner = { ...assigning, roleDefinitionId: definition(roles.owner.id) }
      assert.strictEqual(yield* put(owner), "400 RoleAssignmentUpdateNotPermitted")
      assert.strictEqual(yield* put(owner, other), "201 ok")
      assert.strictEqual(yield* codeOf(say.call("arm", "DELETE", say.assignment(group))), "200 ok")
      assert.strictEqual(yield* codeOf(say.call("arm", "DELETE", say.assignment(group))), "204 ok")
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", say.assignment(group))), "404 RoleAssignmentNotFound")
    })
  )

  it.live("are listed at, above and below, by filter and page, and behind the truth when there is a lag", () =>
    Effect.gen(function* () {
      const { say, wire } = yield* world()
      for (const [scope, principalId] of [
        [home, people.alice.id],
        [group, people.alice.id],
        [group, people.obrien.id]
      ] as const) {
        wire.assign({ scope, roleId: roles.reader.id, principalId })
      }
      const list = (scope: string, filter?: string, more = "") =>
        Effect.promise(() =>
          say.call(
            "arm",
            "GET",
            `${scope}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01${filter === undefined ? "" : `&$filter=${encodeURIComponent(filter)}`}${more}`
          )
        )
      const count = ({ body }: Answer): number => (Array.isArray(body["value"]) ? body["value"].length : -1)
      assert.strictEqual(count(yield* list(home)), 3)
      assert.strictEqual(count(yield* list(group)), 3)
      assert.strictEqual(count(yield* list(home, "atScope()")), 1)
      assert.strictEqual(count(yield* list(group, `principalId eq '${people.alice.id}'`)), 2)
      assert.strictEqual((yield* list(group, "principalId eq 'x' or 1 eq 1")).code, "UnsupportedQuery")
      wire.setPageSize(2)
      const first = yield* list(group)
      assert.match(String(first.body["nextLink"]), /skipToken=2/u)
      assert.strictEqual(count(yield* list(group, undefined, "&$skipToken=2")), 1)
      wire.setLag(2)
      wire.assign({ scope: group, roleId: roles.owner.id, principalId: people.alice.id })
      const seen: Array<number> = []
      wire.setPageSize(100)
      for (let look = 0; look < 3; look += 1) seen.push(count(yield* list(group)))
      assert.deepStrictEqual(seen, [3, 4, 4])
    })
  )

  it.live("take the permission that ARM asks for, where it is assigned", () =>
    Effect.gen(function* () {
      const { say } = yield* world(["Microsoft.Authorization/roleAssignments/read"], { scopes: [group] })
      const denied = "403 AuthorizationFailed"
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", say.assignment(group))), "404 RoleAssignmentNotFound")
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", say.assignment(home))), denied)
      assert.strictEqual(
        yield* codeOf(say.call("arm", "PUT", say.assignment(group), { properties: assigning })),
        denied
      )
      assert.strictEqual(yield* codeOf(say.call("arm", "DELETE", say.assignment(group))), denied)
    })
  )

  it.live("give the identity what the role allows, for as long as they are there", () =>
    Effect.gen(function* () {
      const reading = `${home}/resourcegroups?api-version=2021-04-01`
      const { say, wire } = yield* world([], { objectId: people.agent.id })
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", reading)), "403 AuthorizationFailed")
      const made = wire.assign({ scope: home, roleId: roles.reader.id, principalId: people.agent.id })
      const seen = yield* Effect.promise(() => say.call("arm", "GET", reading))
      assert.deepStrictEqual(seen.body["value"], [{ id: group, name: "payments" }])
      wire.unassign(made)
      assert.strictEqual(yield* codeOf(say.call("arm", "GET", reading)), "403 AuthorizationFailed")
    })
  )
})

describe("PIM", () => {
  const inSeconds = (wire: AzureWire.AzureWire, seconds: number) => ({
    startDateTime: new Date(wire.now()).toISOString(),
    expiration: { type: "AfterDateTime", endDateTime: new Date(wire.now() + seconds * 1000).toISOString() }
  })
  const asking = { roleDefinitionId: definition(roles.reader.id), principalId: people.alice.id }
  const names = [1, 2, 3, 4].map((digit) => `${String(digit).repeat(8)}-1111-4111-8111-111111111111`)

  it.live("has one request at a time, one schedule per right, and refuses what does not fit", () =>
    Effect.gen(function* () {
      const { say, wire } = yield* world()
      const [first = "", second = "", third = "", fourth = ""] = names
      const put = (named: string, requestType: string, more: object = {}) =>
        codeOf(say.call("arm", "PUT", say.schedule(named), { properties: { ...asking, requestType, ...more } }))
      const hour = { scheduleInfo: inSeconds(wire, 3600) }
      assert.strictEqual(yield* put(first, "AdminRemove"), "400 RoleAssignmentDoesNotExist")
      assert.strictEqual(yield* put(first, "AdminUpdate", hour), "400 RoleAssignmentDoesNotExist")
      assert.strictEqual(yield* put(first, "AdminAssign"), "400 InvalidRequestContent")
      for (const scheduleInfo of [inSeconds(wire, 60), { expiration: { type: "NoExpiration" } }]) {
        assert.strictEqual(
          yield* put(first, "AdminAssign", { scheduleInfo }),
          "400 RoleAssignmentRequestPolicyValidationFailed"
        )
      }
      wire.setPim({ pendingCalls: 2 })
      assert.strictEqual(yield* put(first, "AdminAssign", hour), "201 ok")
      assert.strictEqual(yield* put(second, "AdminAssign", hour), "400 PendingRoleAssignmentRequest")
      assert.strictEqual(yield* put(second, "AdminAssign", hour), "400 RoleAssignmentExists")
      assert.strictEqual(yield* put(first, "AdminUpdate", hour), "409 Conflict")
      wire.setPim({ pendingCalls: 0, keepsFiveMinutes: true })
      assert.strictEqual(yield* put(third, "AdminRemove"), "400 ActiveDurationTooShort")
      wire.advance(301)
      assert.strictEqual(yield* put(third, "AdminRemove"), "201 ok")
      assert.strictEqual(
        yield* put(fourth, "AdminAssign", {
          scheduleInfo: { expiration: { type: "AfterDuration", duration: "PT1H" } }
        }),
        "201 ok"
      )
      assert.strictEqual(wire.assignments().length, 1)
      wire.advance(3601)
      assert.strictEqual(wire.assignments().length, 0)
    })
  )

  it.live("accepts nothing without a licence, and may fail what it accepted", () =>
    Effect.gen(function* () {
      const { say, wire } = yield* world(everything, {}, { pim: { licensed: false, keepsFiveMinutes: false } })
      const [first = "", second = ""] = names
      const properties = { ...asking, requestType: "AdminAssign", scheduleInfo: inSeconds(wire, 3600) }
      const put = (named: string) => codeOf(say.call("arm", "PUT", say.schedule(named), { properties }))
      assert.strictEqual(yield* put(first), "400 AadPremiumLicenseRequired")
      wire.setPim({ licensed: true, nextFails: "Failed", pendingCalls: 0 })
      assert.strictEqual(yield* put(first), "201 ok")
      assert.deepStrictEqual(wire.assignments(), [])
      assert.strictEqual(yield* put(second), "201 ok")
      assert.strictEqual(wire.assignments().length, 1)
    })
  )
})

describe("its door", () => {
  it.live("tells other processes the truth, and takes their faults and their time", () =>
    Effect.gen(function* () {
      const { say, wire } = yield* world()
      const post = (path: string, body: object) =>
        Effect.promise(() => fetch(`${wire.url}/_wire/${path}`, { method: "POST", body: JSON.stringify(body) }))
      yield* post("faults", {
        operation: "Microsoft.Authorization/roleAssignments/write",
        fault: { kind: "deny" },
        times: 1
      })
      const put = () => codeOf(say.call("arm", "PUT", say.assignment(group), { properties: assigning }))
      assert.strictEqual(yield* put(), "403 AuthorizationFailed")
      assert.strictEqual(yield* put(), "201 ok")
      const before = wire.now()
      yield* post("advance", { seconds: 600 })
      assert.isAtLeast(wire.now(), before + 600_000)
      const state = yield* Effect.promise(() => fetch(`${wire.url}/_wire/state`).then((answer) => answer.text()))
      assert.include(state, name)
      assert.notInclude(state, "wire-server-secret")
    })
  )
})

describe("ARM's own model", () => {
  const types = [
    ["roleDefinitions", null, "RoleDefinition"],
    ["roleAssignments", "RoleAssignmentCreateParameters", "RoleAssignment"],
    ["roleAssignmentScheduleRequests", "RoleAssignmentScheduleRequest", "RoleAssignmentScheduleRequest"],
    ["roleAssignmentSchedules", null, "RoleAssignmentSchedule"]
  ] as const

  const values: ReadonlyArray<readonly [key: string, known: ReadonlyArray<string>]> = [
    ["principalType", Object.values(KnownPrincipalType)],
    ["requestType", Object.values(KnownRequestType)],
    ["status", Object.values(KnownStatus)]
  ]

  /** Whatever stands under these keys, at any depth, is a value that the model names. */
  const strange = (value: unknown): ReadonlyArray<string> => {
    if (Array.isArray(value)) return value.flatMap(strange)
    if (!isObject(value)) return []
    const here = values.flatMap(([key, known]) => {
      const found = value[key]
      return typeof found === "string" && !known.includes(found) ? [`${key} ${found}`] : []
    })
    const expiration = value["expiration"]
    const kind = isObject(expiration) ? expiration["type"] : undefined
    const known: ReadonlyArray<string> = Object.values(KnownType)
    return [
      ...here,
      ...(typeof kind === "string" && !known.includes(kind) ? [`expiration ${kind}`] : []),
      ...Object.values(value).flatMap(strange)
    ]
  }

  const objectionsTo = ({ answer, body, operation, status, target }: AzureWire.Exchange): ReadonlyArray<string> => {
    const found = types.find(([type]) => operation.startsWith(`Microsoft.Authorization/${type}/`))
    if (found === undefined) return []
    const [type, sent, shown] = found
    const parsed: unknown = answer === "" ? null : JSON.parse(answer)
    const isList = new RegExp(`/${type}(\\?|$)`, "u").test(target)
    const received =
      status >= 400
        ? ArmModel.objections(type.startsWith("roleAssignmentSchedule") ? "CloudError" : "ErrorResponse", parsed, false)
        : parsed === null
          ? []
          : ArmModel.objections(isList ? `${shown}ListResult` : shown, parsed, false)
    const asked: unknown = body === "" ? null : JSON.parse(body)
    const given =
      asked === null ? [] : sent === null ? ["nothing is to be sent"] : ArmModel.objections(sent, asked, true)
    return [...received, ...given, ...strange(parsed), ...strange(asked)].map((said) => `${operation}: ${said}`)
  }

  for (const [how, fields, actions] of [
    ["plain", {}, leastPrivilege],
    ["PIM", { pim: true }, leastPrivilegeWithPim]
  ] as const) {
    it.live(`has nothing against what is sent and answered with ${how}`, () =>
      Effect.gen(function* () {
        const { wire } = yield* world(actions)
        const provider = yield* providerOf(wire, fields)
        const canonical = { role: "Reader", resourceScope: group, durationSeconds: 1800 }
        const { facts } = yield* provider.check(canonical, alice)
        const shared = { grantee: alice, canonical, checked: facts, now: Time.make(wire.now()), neighbours: [] }
        const ids = ["1", "2"].map((digit) => `req_${digit.repeat(26)}`)
        for (const requestId of ids) {
          yield* provider.grant({ ...shared, requestId, installation: "here", reason: "", metadata: {} })
        }
        yield* provider.list()
        wire.inject(`${actions.at(-1)}`, { kind: "throttle" }, { kind: "conflict" }, { kind: "deny" })
        for (const requestId of [...ids, ...ids, ...ids, ...ids]) {
          const notAfter = Time.plusSeconds(shared.now, 1800)
          yield* Effect.ignore(provider.end({ ...shared, requestId, reference: null, notAfter, why: "early" }))
        }
        assert.deepStrictEqual(wire.assignments(), [])
        const seen = wire.exchanges().filter(({ operation }) => operation.startsWith("Microsoft.Authorization/"))
        assert.isAbove(seen.length, 10)
        assert.isTrue(seen.some(({ status }) => status === 429) && seen.some(({ body }) => body !== ""))
        assert.deepStrictEqual(seen.flatMap(objectionsTo), [])
      })
    )
  }

  it("objects to what it does not know", () => {
    assert.deepStrictEqual(
      ArmModel.objections("RoleAssignmentCreateParameters", { properties: { scope: "/", expires: 1 } }, true),
      [
        "RoleAssignmentCreateParameters.properties.expires is unknown",
        "RoleAssignmentCreateParameters.properties.scope is not ours to write",
        "RoleAssignmentCreateParameters.properties.roleDefinitionId is missing",
        "RoleAssignmentCreateParameters.properties.principalId is missing"
      ]
    )
  })
})
