/**
 * The provider `azure`: who gets a right, which and where it may be, and which permissions of the daemon that takes.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import type { Provider } from "@jitsudo/core"
import { hostileTexts } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { canonical, idOf, living, only, operations, rbac, type World, world } from "./support/AzureDesk.ts"
import { alice, group, home, leastPrivilege, other, people, roles, tenant } from "./support/AzureFixture.ts"

describe("who gets it", () => {
  const as = (email: string | null, subject = "somebody"): Provider.Grantee => ({
    issuer: "https://issuer.test",
    subject,
    email
  })

  it.live("is the one user whose principal name is the verified address, in whatever case, quotes and all", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      yield* desk.grant(1, { grantee: as("O'Brien@Example.com") })
      assert.strictEqual(only(wire).principalId, people.obrien.id)
    })
  )

  it.live("is a guest by mail, whose principal name holds #EXT#", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world({ lookup: "mail" })
      yield* desk.grant(1, { grantee: as("bob@partner.test") })
      assert.strictEqual(only(wire).principalId, people.guest.id)
      const byName = yield* world()
      yield* byName.desk.grant(1, { grantee: as("bob_partner.test#EXT#@example.com") })
      assert.strictEqual(only(byName.wire).principalId, people.guest.id)
    })
  )

  it.live("is an agent or a group by object id, with the type that ARM wants", () =>
    Effect.gen(function* () {
      const graph = ["User.Read.All", "GroupMember.Read.All", "Application.Read.All"]
      const { desk, wire } = yield* world(
        {
          lookup: "object_id",
          object_types: ["user", "service_principal"],
          object_id_issuer: "https://issuer.test",
          principals: [{ requester: "carol@example.com", object_id: people.team.id.toUpperCase(), type: "group" }]
        },
        leastPrivilege,
        { graph }
      )
      yield* desk.grant(1, { grantee: as(null, people.agent.id) })
      yield* desk.grant(2, { grantee: as("Carol@example.com", "carol") })
      assert.deepStrictEqual(
        wire.assignments().map(({ principalId, principalType }) => [principalId, principalType]),
        [
          [people.agent.id, "ServicePrincipal"],
          [people.team.id, "Group"]
        ]
      )
    })
  )

  it.live("is whom a subject names only at the issuer that may say so", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world({
        lookup: "object_id",
        principals: [{ requester: "on-call", issuer: "https://issuer.test", object_id: people.guest.id }]
      })
      const elsewhere = { issuer: "https://elsewhere.test", email: null }
      for (const subject of ["on-call", people.alice.id]) {
        const failure = yield* Effect.flip(provider.check(canonical, { ...elsewhere, subject }))
        assert.strictEqual(failure.reason, "PrincipalNotFound")
      }
      const mapped = yield* provider.check(canonical, as(null, "on-call"))
      assert.strictEqual(mapped.facts["principalId"], people.guest.id)
      const issuer = `${wire.endpoints.login}/${tenant}/v2.0`
      const own = yield* provider.check(canonical, { issuer, subject: people.alice.id.toUpperCase(), email: null })
      assert.strictEqual(own.facts["principalId"], people.alice.id)
    })
  )

  it.live("is nobody when there is none, or more than one, or no address, and the operator is told what to do", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world({ lookup: "mail" })
      wire.addPrincipal({ id: "a11ce000-0000-4000-8000-0000000000aa", type: "User", mail: "alice@example.com" })
      for (const [who, hint] of [
        [as("nobody@example.com"), "verified address"],
        [as("alice@example.com"), "More than one user"],
        [as(null), "no verified e-mail"]
      ] as const) {
        const failure = yield* Effect.flip(provider.check(canonical, who))
        assert.deepStrictEqual(
          [failure.reason, failure.effect, failure.retryable],
          ["PrincipalNotFound", "none", false]
        )
        assert.include(failure.hint, hint)
      }
    })
  )

  it.live("cannot be chosen by writing a filter: every hostile address finds its own user or nobody", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world({ lookup: "mail" })
      const injection = "x' or mail eq 'alice@example.com"
      for (const email of [injection, ...hostileTexts.map(({ text }) => text)]) {
        const outcome = yield* Effect.result(provider.check(canonical, as(email)))
        assert.isTrue(Result.isFailure(outcome))
        if (Result.isFailure(outcome)) assert.strictEqual(outcome.failure.reason, "PrincipalNotFound")
      }
      wire.addPrincipal({ id: "1e1ec700-0000-4000-8000-0000000000bb", type: "User", mail: injection })
      const found = yield* provider.check(canonical, as(injection))
      assert.strictEqual(found.facts["principalId"], "1e1ec700-0000-4000-8000-0000000000bb")
    })
  )

  it.live("is looked up again only when what was found is five minutes old, and what was not is always", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world()
      const lookups = () => wire.calls().filter(({ operation }) => operation === "User.Read.All").length
      yield* provider.check(canonical, alice)
      yield* provider.check({ ...canonical, resourceScope: home }, alice)
      assert.strictEqual(lookups(), 1)
      yield* Effect.flip(provider.check(canonical, as("nobody@example.com")))
      yield* Effect.flip(provider.check(canonical, as("nobody@example.com")))
      assert.strictEqual(lookups(), 3)
    })
  )

  it.live("who was only just created is tried again until Azure knows them", () =>
    Effect.gen(function* () {
      const { desk, wire } = yield* world()
      wire.addPrincipal({ ...people.alice, unreplicated: true })
      const failure = yield* Effect.flip(desk.grant(1))
      assert.deepStrictEqual([failure.reason, failure.effect, failure.retryable], ["PrincipalNotFound", "none", true])
      wire.addPrincipal(people.alice)
      yield* desk.grant(1)
      assert.deepStrictEqual(living(wire), [idOf(1)])
    })
  )
})

describe("which role, and where", () => {
  const ask = { role: "Reader", resourceScope: group, durationSeconds: 1800 }

  it.live("is exactly the name, and nothing that a filter could be made to find", () =>
    Effect.gen(function* () {
      const { provider } = yield* world({ roles: ["*"] })
      for (const role of ["reader", "READER", "Reader'", "x' or roleName eq 'Owner", "Missing Role"]) {
        const failure = yield* Effect.flip(provider.check({ ...canonical, role }, alice))
        assert.deepStrictEqual([failure.reason, failure.effect], ["RoleNotFound", "none"])
      }
      const { facts } = yield* provider.check(canonical, alice)
      assert.match(String(facts["roleDefinitionId"]), new RegExp(`/${roles.reader.id}$`, "u"))
    })
  )

  it.live("that two definitions have is nobody's to guess", () =>
    Effect.gen(function* () {
      const twin = { id: "00000000-1111-4222-8333-444444444444", roleName: "Reader" }
      const { provider } = yield* world({}, leastPrivilege, {}, { roles: [roles.reader, twin] })
      const failure = yield* Effect.flip(provider.check(canonical, alice))
      assert.strictEqual(failure.reason, "RoleNotFound")
      assert.include(failure.hint, "ask for a GUID")
    })
  )

  it.live("is asked for in many spellings and meant in one", () =>
    Effect.gen(function* () {
      const { provider } = yield* world()
      const subscription = home.slice("/subscriptions/".length)
      for (const [role, resourceScope] of [
        ["Reader", `/subscriptions/${subscription.toUpperCase()}/resourceGroups/Payments`],
        ["Reader", group]
      ] as const) {
        assert.deepStrictEqual(Result.getOrThrow(provider.parse({ ...ask, role, resourceScope })), ask)
      }
      for (const role of [
        roles.reader.id.toUpperCase(),
        `${other}/providers/Microsoft.Authorization/roleDefinitions/${roles.reader.id}`
      ]) {
        const parsed = Result.getOrThrow(provider.parse({ ...ask, role, resourceScope: subscription }))
        assert.deepStrictEqual(parsed, { ...ask, role: roles.reader.id, resourceScope: home })
      }
    })
  )

  it.live("leaves neither the scopes nor the roles of the configuration", () =>
    Effect.gen(function* () {
      const { provider } = yield* world({ scopes: [`${home}/*`], roles: ["Reader", "Log *"] })
      const reasonOf = (part: Partial<Provider.Ask>): string => {
        const parsed = provider.parse({ ...ask, ...part })
        return Result.isSuccess(parsed) ? "allowed" : parsed.failure.reason
      }
      assert.strictEqual(reasonOf({ resourceScope: group }), "allowed")
      for (const resourceScope of [
        "/",
        home,
        other,
        `${home}/../..`,
        `${group}/..`,
        `${group}/.`,
        `${home}1/resourcegroups/payments`,
        "/providers/Microsoft.Management/managementGroups/root",
        `${group}/providers/Microsoft.Storage`,
        `${group}//providers/Microsoft.Storage/storageAccounts/a`
      ]) {
        assert.strictEqual(reasonOf({ resourceScope }), "InvalidScope", resourceScope)
      }
      for (const role of ["Owner", roles.owner.id, roles.reader.id, "Reader ", "Log\u0456c"]) {
        assert.strictEqual(reasonOf({ role }), "InvalidRole", role)
      }
    })
  )

  it.live("may be a resource, a management group or the root where they are listed, and has no subscription then", () =>
    Effect.gen(function* () {
      const account = `${group}/providers/microsoft.storage/storageaccounts/ledger`
      const management = "/providers/microsoft.management/managementgroups/platform"
      const { desk, wire } = yield* world(
        { scopes: [`${group}/*`, management, "/"] },
        leastPrivilege,
        {},
        {
          scopes: [home, group, account, management]
        }
      )
      for (const [index, resourceScope] of [account, management, "/"].entries()) {
        const granted = yield* desk.grant(index + 1, { canonical: { ...canonical, resourceScope } })
        assert.strictEqual("AZURE_SUBSCRIPTION_ID" in granted.credentials, index === 0)
        assert.deepStrictEqual(living(wire), [idOf(index + 1)])
        yield* desk.end(index + 1, { canonical: { ...canonical, resourceScope } })
        assert.deepStrictEqual(wire.assignments(), [])
      }
    })
  )

  it.live("longer than configured is refused before anything is asked of Azure", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world({ max_duration_seconds: 3600 })
      const parsed = provider.parse({ ...ask, durationSeconds: 3601 })
      assert.isTrue(Result.isFailure(parsed) && parsed.failure.reason === "DurationOutOfRange")
      assert.deepStrictEqual(wire.calls(), [])
    })
  )
})

describe("permissions", () => {
  const guide = (file: string): string =>
    readFileSync(join(import.meta.dirname, "../../../docs/guides/providers", file), "utf8")

  /** The actions of a role document of the guide. */
  const actionsOf = (file: string): ReadonlyArray<string> => {
    const { Actions }: { readonly Actions: ReadonlyArray<string> } = JSON.parse(guide(file))
    return Actions
  }

  /** What the guide's condition lists: for writing, and the same for deleting. */
  const delegation = () => {
    const [write = [], remove] = ["@Request", "@Resource"].map((whose) =>
      [...guide("azure-granter-condition.txt").matchAll(/(@\w+)\[[^\]]+\] \w+:\w+ \{([^}]*)\}/gu)]
        .filter(([, found]) => found === whose)
        .map(([, , list = ""]) => list.split(",").map((one) => one.trim().replaceAll("'", "")))
    )
    assert.deepStrictEqual(write, remove)
    const [ids = [], principalTypes = []] = write
    return { roles: ids, principalTypes }
  }

  /** Everything that the provider ever does. */
  const tour = ({ desk, provider }: World) =>
    Effect.gen(function* () {
      yield* desk.grant(1)
      yield* desk.grant(2)
      yield* desk.inspect(1)
      yield* provider.list()
      yield* desk.end(1)
      yield* desk.end(2)
    })

  for (const [name, fields, file] of [
    ["plain", {}, "azure-granter-role.json"],
    ["PIM", { pim: true }, "azure-pim-role.json"]
  ] as const) {
    it.live(`with ${name}: exactly those of the guide are enough, and each of them is needed`, () =>
      Effect.gen(function* () {
        const actions = actionsOf(file)
        assert.lengthOf(actions, 4)
        yield* Effect.flatMap(world(fields, actions), tour)
        for (const missing of actions) {
          const failure = yield* Effect.flip(
            Effect.flatMap(
              world(
                fields,
                actions.filter((one) => one !== missing)
              ),
              tour
            )
          )
          assert.include(JSON.stringify(failure), `Allow ${missing} on`)
        }
        const failure = yield* Effect.flip(Effect.flatMap(world(fields, actions, { graph: [] }), tour))
        assert.include(JSON.stringify(failure), "User.Read.All")
      })
    )
  }

  it.live("the condition of the guide keeps the daemon from roles that it may not assign", () =>
    Effect.gen(function* () {
      const listed = delegation()
      assert.deepStrictEqual(listed, { roles: [roles.reader.id, roles.contributor.id], principalTypes: ["User"] })
      const { desk, wire } = yield* world({ roles: ["Reader", "Owner"] }, leastPrivilege, { delegation: listed })
      yield* desk.grant(1)
      const failure = yield* Effect.flip(desk.grant(2, { canonical: { ...canonical, role: "Owner" } }))
      assert.deepStrictEqual([failure.reason, failure.effect], ["ProviderDenied", "none"])
      assert.include(failure.hint, "condition")
      yield* desk.end(1)
      assert.deepStrictEqual(wire.assignments(), [])
    })
  )

  it.live("that are missing are named by a diagnosis, which writes nothing", () =>
    Effect.gen(function* () {
      const { provider, wire } = yield* world({}, [`${rbac}/roleDefinitions/read`])
      const diagnose = provider.diagnose
      assert.isDefined(diagnose)
      const found = yield* diagnose({ canonical, grantee: alice })
      assert.deepStrictEqual(
        found.filter(({ ok }) => ok === false).map(({ missing }) => missing),
        [`${rbac}/roleAssignments/read`]
      )
      assert.deepStrictEqual(
        found.filter(({ ok }) => ok === null).map(({ what }) => what),
        [`${rbac}/roleAssignments/write`, `${rbac}/roleAssignments/delete`]
      )
      assert.isTrue(operations(wire).every((operation) => operation.endsWith("/read")))
    })
  )
})
