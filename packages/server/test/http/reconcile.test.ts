/** Reconciliation over HTTP: who may, what is recorded, and that one provider in trouble hides no other. */
import { Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { startWorld, type World } from "./support/World.ts"

let world: World
beforeEach(async () => {
  world = await startWorld({ settings: { installation: "here" } })
})
afterEach(() => world.close())

const path = "/api/v1alpha1/reconcile"
const stranger = "req_01J00000000000000000000001"

/** A right that a restored backup has forgotten. */
const forgotten = () =>
  world.run(
    Effect.gen(function* () {
      const provider = (yield* Provider.Providers).get("memory")
      if (provider === undefined) return yield* Effect.die(new Error("there is no provider memory"))
      return yield* provider.grant({
        requestId: stranger,
        installation: "here",
        grantee: { issuer: "https://idp.test", subject: "alice", email: null },
        canonical: { role: "reader", resourceScope: "123456789012", durationSeconds: 3600 },
        checked: { role: "reader" },
        reason: "",
        metadata: {},
        now: Time.make(Date.now()),
        neighbours: []
      })
    })
  )

describe("reconciliation", () => {
  it("shows the difference without changing anything, and without an entry", async () => {
    await forgotten()
    await world.call("GET", "/api/v1alpha1/principals/me", { as: "carol" })
    const before = await world.contents()
    const shown = await world.call("GET", path, { as: "carol" })
    expect([shown.status, shown.json]).toEqual([
      200,
      {
        installation: "here",
        providers: [
          {
            provider: "memory",
            listing: true,
            orphans: [
              {
                requestId: stranger,
                resourceKey: expect.stringContaining("reader"),
                installation: "here",
                notAfter: expect.stringMatching(/Z$/u)
              }
            ],
            unclaimed: [],
            foreign: [],
            removed: [],
            error: null
          }
        ],
        takenBack: []
      }
    ])
    expect(await world.contents()).toEqual(before)
  })

  it("is recorded with what was found and done, as is a refusal", async () => {
    await forgotten()
    expect((await world.call("POST", path, { as: "dora", json: {} })).status).toBe(403)
    const done = await world.call("POST", path, { as: "carol", json: { takeBack: [stranger] } })
    expect([done.status, done.json?.["takenBack"]]).toEqual([200, [stranger]])
    expect(world.platform.live()).toEqual([])
    const entries = (await world.entries()).filter(({ action }) =>
      ["access.refused", "grant.orphan_found", "grant.taken_back", "reconcile.run"].includes(action)
    )
    expect(entries.map(({ action, actor }) => [action, actor.subject])).toEqual([
      ["access.refused", expect.stringContaining("dora")],
      ["grant.orphan_found", expect.stringContaining("carol")],
      ["grant.taken_back", "system"],
      ["reconcile.run", expect.stringContaining("carol")]
    ])
    expect(entries.at(-1)?.details).toEqual({
      providers: [{ provider: "memory", orphans: 0, unclaimed: 0, foreign: 0, removed: [], error: null }],
      takenBack: [stranger]
    })
  })

  it("names the provider that could not be compared", async () => {
    world.platform.inject("list", { kind: "failBefore" })
    const shown = await world.call("GET", path, { as: "carol" })
    expect(shown.status).toBe(200)
    expect(shown.json?.["providers"]).toMatchObject([{ provider: "memory", error: expect.stringMatching(/./u) }])
    world.platform.inject("list", { kind: "failBefore" })
    expect((await world.call("POST", path, { as: "carol", json: {} })).status).toBe(200)
    const [run] = (await world.entries()).filter(({ action }) => action === "reconcile.run")
    expect(run?.outcome).toBe("failure")
  })

  it("knows no provider that is not there", async () => {
    const answer = await world.call("GET", `${path}?provider=azure`, { as: "carol" })
    expect([answer.status, answer.json?.["code"]]).toEqual([400, "unknown_provider"])
  })
})
