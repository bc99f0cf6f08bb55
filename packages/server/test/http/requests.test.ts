/** The life of a request over HTTP: by the typed client, and byte by byte where the bytes are the contract. */
import { Client } from "@jitsudo/client"
import { Faults } from "@jitsudo/core/testing"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Redacted from "effect/Redacted"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { open } from "./support/RawHttp.ts"
import type { Who } from "./support/TestIssuer.ts"
import { ask, settleDue, startWorld, type Asked, type World } from "./support/World.ts"

const requests = "/api/v1alpha1/requests"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const post = (who: Who, path: string, json: unknown = {}, headers: Readonly<Record<string, string>> = {}) =>
  world.call("POST", path, { as: who, json, headers })
const decide = (who: Who, verdict: "approve" | "deny", { digest, id }: Asked, comment = "") =>
  post(who, `${requests}/${id}/${verdict}`, { digest, comment })
const get = (who: Who, path: string) => world.call("GET", path, { as: who })

/** The typed client, as somebody. */
const clientOf = (who: Who) =>
  Client.make({
    baseUrl: world.url,
    token: Effect.map(
      Effect.promise(() => world.token(who)),
      (token) => Redacted.make(token)
    )
  }).pipe(Effect.provide(FetchHttpClient.layer))

describe("the typed client", () => {
  it("asks, approves, reads credentials and gives back", async () => {
    await Effect.runPromise(
      Effect.gen(function* () {
        const alice = yield* clientOf("alice")
        const bob = yield* clientOf("bob")
        const asked = yield* alice.requests.create({ payload: ask, headers: {} })
        expect(asked).toMatchObject({ state: "PENDING", tier: "human", requester: { subject: "alice" } })
        const active = yield* bob.requests.approve({
          params: { id: asked.id },
          payload: { digest: asked.digest, comment: "for the incident" }
        })
        expect(active).toMatchObject({ state: "ACTIVE", decisions: [{ comment: "for the incident" }] })
        expect(active.grant?.notAfter).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u)
        const read = yield* alice.requests.credentials({ params: { id: asked.id } })
        expect(read.credentials.map((one) => one.name)).toEqual(["MEMORY_GRANT", "MEMORY_TOKEN"])
        const over = yield* alice.requests.revoke({ params: { id: asked.id }, payload: { reason: "done" } })
        expect(over).toMatchObject({ state: "REVOKED", ending: { why: "revoked", reason: "done" } })
      })
    )
  })

  it("gives refusals as typed problems", async () => {
    const refused = await Effect.runPromise(
      Effect.gen(function* () {
        const eve = yield* clientOf("eve")
        return yield* Effect.flip(eve.requests.create({ payload: ask, headers: {} }))
      })
    )
    expect(refused).toMatchObject({
      _tag: "Forbidden",
      status: 403,
      code: "not_eligible",
      problems: [{ message: "only engineers may ask" }, { message: "and only for what they work on" }]
    })
  })
})

describe("asking", () => {
  it("answers 201 with a version to go by, and nothing that a cache may keep", async () => {
    const answer = await post("alice", requests, ask)
    expect(answer.status).toBe(201)
    expect(answer.headers.get("etag")).toBe(`"${String(answer.json?.["version"])}"`)
    expect(answer.headers.get("cache-control")).toBe("no-store")
    expect(answer.headers.get("content-type")).toBe("application/json")
    expect(answer.json).toMatchObject({ ...ask, state: "PENDING", breakGlass: false, metadata: {}, grant: null })
    expect(answer.json?.["id"]).toMatch(/^req_[0-9A-HJKMNP-TV-Z]{26}$/u)
  })

  it("grants at once what policy allows automatically", async () => {
    const answer = await post("alice", requests, { ...ask, role: "reader" })
    expect([answer.status, answer.json?.["state"]]).toEqual([201, "ACTIVE"])
  })

  it("for a provider that is not there names those that are", async () => {
    const answer = await post("alice", requests, { ...ask, provider: "gcp" })
    expect([answer.status, answer.json?.["code"]]).toEqual([400, "unknown_provider"])
    expect(answer.json?.["problems"]).toEqual([{ field: "provider", message: "unknown; configured: memory" }])
  })

  it("by break-glass is granted at once and opens a review that another person closes", async () => {
    const answer = await post("alice", requests, { ...ask, breakGlass: true })
    expect(answer.json).toMatchObject({ state: "ACTIVE", breakGlass: true, review: { closed: null } })
    const review = `${requests}/${String(answer.json?.["id"])}/review`
    expect((await post("alice", review, { comment: "mine" })).status).toBe(403)
    const closed = await post("carol", review, { comment: "it was right" })
    expect(closed.json).toMatchObject({ review: { closed: { by: { subject: "carol" }, comment: "it was right" } } })
    expect((await post("robot", requests, { ...ask, breakGlass: true })).json?.["code"]).toBe("human_only")
  })
})

describe("an idempotency key", () => {
  it("gives the first answer's request again, and makes no second one", async () => {
    const headers = { "idempotency-key": "a-1" }
    const first = await post("alice", requests, ask, headers)
    const second = await post("alice", requests, ask, headers)
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.json?.["id"]).toBe(first.json?.["id"])
  })

  it("is 422 with another body, and says which header is at fault", async () => {
    const headers = { "idempotency-key": "a-2" }
    await post("alice", requests, ask, headers)
    const answer = await post("alice", requests, { ...ask, durationSeconds: 700 }, headers)
    expect([answer.status, answer.json?.["code"]]).toEqual([422, "idempotency_mismatch"])
    expect(answer.json?.["problems"]).toMatchObject([{ field: "Idempotency-Key" }])
  })

  it("is its owner's own", async () => {
    const headers = { "idempotency-key": "a-3" }
    const alice = await post("alice", requests, ask, headers)
    const anna = await post("anna", requests, ask, headers)
    expect(anna.status).toBe(201)
    expect(anna.json?.["id"]).not.toBe(alice.json?.["id"])
  })

  it("makes one request of many at once", async () => {
    const headers = { "idempotency-key": "a-4" }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post("alice", requests, { ...ask, role: "reader" }, headers))
    )
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]))
    expect(new Set(answers.map((answer) => answer.json?.["id"])).size).toBe(1)
  })
})

describe("deciding", () => {
  it("counts people once, and is over when enough have approved", async () => {
    const asked = await world.ask("alice", { role: "twice" })
    const first = await decide("bob", "approve", asked)
    expect(first.json).toMatchObject({ state: "PENDING", missing: ["1 of group sre-leads"] })
    expect(first.headers.get("etag")).not.toBe(`"${asked.version}"`)
    const again = await decide("bob", "approve", asked)
    expect([again.status, again.json?.["code"]]).toEqual([409, "already_decided"])
    expect((await decide("ben", "approve", asked)).json).toMatchObject({ state: "ACTIVE" })
  })

  it("on another digest does not count", async () => {
    const asked = await world.ask("alice")
    const answer = await decide("bob", "approve", { ...asked, digest: "0".repeat(64) })
    expect([answer.status, answer.json?.["code"]]).toEqual([409, "changed_meanwhile"])
    expect((await get("alice", `${requests}/${asked.id}`)).json).toMatchObject({ state: "PENDING", decisions: [] })
  })

  it("is not for the requester, nor for whom policy does not name", async () => {
    const asked = await world.ask("alice")
    const own = await decide("alice", "approve", asked)
    expect([own.status, own.json?.["code"]]).toEqual([403, "self_decision"])
    const admin = await decide("carol", "approve", asked)
    expect([admin.status, admin.json?.["code"]]).toEqual([403, "not_approver"])
  })

  it("is final: what is over answers 409 with its state", async () => {
    const asked = await world.ask("alice")
    expect((await decide("bob", "deny", asked, "not today")).json).toMatchObject({ state: "REJECTED" })
    const answer = await decide("ben", "approve", asked)
    expect([answer.status, answer.json?.["code"], answer.json?.["state"]]).toEqual([409, "wrong_state", "REJECTED"])
    const late = await get("alice", `${requests}/${asked.id}/credentials`)
    expect([late.status, late.json?.["state"]]).toEqual([409, "REJECTED"])
  })
})

describe("withdrawing, giving back and going on", () => {
  it("cancels what is pending, as often as one likes, and nothing else", async () => {
    const asked = await world.ask("alice")
    const path = `${requests}/${asked.id}/cancel`
    const first = await post("alice", path, {})
    expect(first.json).toMatchObject({ state: "CANCELLED" })
    expect((await post("alice", path, {})).json).toMatchObject({ version: first.json?.["version"] })
    const active = await world.ask("alice", { role: "reader" })
    const late = await post("alice", `${requests}/${active.id}/cancel`, {})
    expect([late.status, late.json?.["code"], late.json?.["state"]]).toEqual([409, "wrong_state", "ACTIVE"])
  })

  it("takes an empty body for one without members", async () => {
    const asked = await world.ask("alice")
    const answer = await world.call("POST", `${requests}/${asked.id}/cancel`, { as: "alice" })
    expect([answer.status, answer.json?.["state"]]).toEqual([200, "CANCELLED"])
  })

  it("gives back as often as one likes", async () => {
    const asked = await world.ask("alice", { role: "reader" })
    const path = `${requests}/${asked.id}/revoke`
    expect((await post("alice", path, { reason: "done" })).json).toMatchObject({ state: "REVOKED" })
    const again = await post("alice", path, { reason: "really" })
    expect([again.status, again.json]).toMatchObject([200, { state: "REVOKED", ending: { reason: "done" } }])
    const gone = await get("alice", `${requests}/${asked.id}/credentials`)
    expect(gone.status).toBe(409)
  })

  it("is done for others by administrators only", async () => {
    const asked = await world.ask("alice", { role: "reader" })
    expect((await post("carol", `${requests}/${asked.id}/revoke`, { reason: "incident" })).json).toMatchObject({
      state: "REVOKED"
    })
  })

  it("extends by another request that is linked to the first", async () => {
    const asked = await world.ask("alice", { role: "reader-again" })
    const longer = await post("alice", `${requests}/${asked.id}/extend`, { durationSeconds: 900, reason: "not done" })
    expect([longer.status, longer.json]).toMatchObject([201, { extends: asked.id, durationSeconds: 900 }])
    expect((await get("alice", `${requests}/${asked.id}`)).json).toMatchObject({ extendedBy: longer.json?.["id"] })
    const unrelated = await post("anna", `${requests}/${asked.id}/extend`, { durationSeconds: 900 })
    expect(unrelated.status).toBe(404)
  })
})

describe("credentials", () => {
  it("are not kept by anybody on the way, and each reading is an entry", async () => {
    const asked = await world.ask("alice", { role: "reader" })
    const path = `${requests}/${asked.id}/credentials`
    const before = (await world.entries()).filter((entry) => entry.action === "credentials.read").length
    for (let n = 1; n <= 2; n++) {
      const answer = await get("alice", path)
      expect(answer.headers.get("cache-control")).toBe("no-store")
      expect(answer.headers.get("etag")).toBeNull()
      expect(answer.json).toMatchObject({ requestId: asked.id, expiresAt: expect.stringMatching(/Z$/u) })
      const after = (await world.entries()).filter((entry) => entry.action === "credentials.read").length
      expect(after - before).toBe(n)
    }
  })

  it("do not leave when the reading cannot be recorded", async () => {
    const asked = await world.ask("alice", { role: "reader" })
    await world.run(
      Effect.flatMap(Faults.Faults, (faults) => Effect.all([1, 2, 3, 4].map(() => faults.next("commit", "failBefore"))))
    )
    const answer = await get("alice", `${requests}/${asked.id}/credentials`)
    expect([answer.status, answer.json?.["code"]]).toEqual([503, "store_unavailable"])
    expect(answer.headers.get("retry-after")).toBe("1")
    expect(answer.text).not.toContain("MEMORY")
  })
})

describe("listing", () => {
  const list = async (who: Who, query: string) => {
    const answer = await get(who, `${requests}?${query}`)
    expect([answer.status, answer.status === 200 ? "" : answer.text]).toEqual([200, ""])
    const items = (answer.json?.["items"] ?? []) as ReadonlyArray<Asked & { readonly role: string }>
    return { items, next: answer.json?.["nextCursor"] as string | null }
  }

  it("gives every request once over its pages, newest first", async () => {
    const asked: Array<string> = []
    for (let n = 0; n < 7; n++) asked.push((await world.ask("anna", { role: "paged", reason: `${n}` })).id)
    const seen: Array<string> = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const page = await list(
        "anna",
        `role=paged&limit=3${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`
      )
      expect(page.items.length).toBeLessThanOrEqual(3)
      seen.push(...page.items.map((one) => one.id))
      cursor = page.next
    }
    expect(seen.toSorted()).toEqual(asked.toSorted())
    expect(seen).toEqual(seen.toSorted().toReversed())
  })

  it("refuses a cursor that it never gave", async () => {
    for (const path of [requests, "/api/v1alpha1/principals", "/api/v1alpha1/audit"]) {
      const answer = await get("dora", `${path}?cursor=bm9uc2Vuc2U`)
      expect([path, answer.status, answer.json?.["code"]]).toEqual([path, 400, "invalid_input"])
      expect(answer.json?.["problems"]).toMatchObject([{ field: "cursor" }])
    }
  })

  it("filters by what its parameters say", async () => {
    const pending = await world.ask("anna", { role: "filtered" })
    const over = await world.ask("anna", { role: "filtered" })
    await post("anna", `${requests}/${over.id}/cancel`)
    const ids = async (query: string, who: Who = "dora") =>
      (await list(who, `role=filtered&${query}`)).items.map((one) => one.id)
    expect(await ids("state=CANCELLED")).toEqual([over.id])
    expect(await ids("state=PENDING")).toEqual([pending.id])
    expect(await ids("requester=ANNA@example.test")).toEqual([over.id, pending.id])
    expect(await ids("requester=alice@example.test")).toEqual([])
    expect(await ids("provider=memory&breakGlass=false")).toEqual([over.id, pending.id])
    expect(await ids("breakGlass=true")).toEqual([])
    expect(await ids("since=2026-01-01T00:00:00%2B02:00")).toEqual([over.id, pending.id])
    expect(await ids("until=2026-01-01T00:00:00Z")).toEqual([])
    expect(await ids("mine=true")).toEqual([])
    expect(await ids("mine=true", "anna")).toEqual([over.id, pending.id])
    expect(await ids("pending=true", "bob")).toEqual([pending.id])
    expect(await ids("pending=true", "anna")).toEqual([])
    expect(await ids("pending=true&state=CANCELLED", "bob")).toEqual([])
  })
})

describe("trouble", () => {
  it("of the provider leaves a request that the daemon goes on with", async () => {
    world.platform.inject("grant", { kind: "failBefore" })
    const asked = await world.ask("alice", { role: "reader-in-trouble" })
    expect(["APPROVED", "ACTIVE", "FAILED"]).toContain(asked.state)
    const shown = await get("alice", `${requests}/${asked.id}`)
    expect(shown.status).toBe(200)
  })

  it("of the store is 503 and says when to come back, and nothing about the store", async () => {
    await get("alice", requests)
    await world.run(Effect.flatMap(Faults.Faults, (faults) => faults.down(true)))
    const answer = await get("alice", requests)
    await world.run(Effect.flatMap(Faults.Faults, (faults) => faults.down(false)))
    expect([answer.status, answer.json]).toMatchObject([503, { code: "store_unavailable", retryAfterSeconds: 1 }])
    expect(answer.text).not.toContain("connection")
  })
})

describe("a client that goes away", () => {
  it("while the provider grants does not stop the grant half way", async () => {
    const held = world.platform.hold("grant", "atOnce")
    const token = await world.token("alice")
    const body = JSON.stringify({ ...ask, role: "reader-alone" })
    const { socket } = await open(world.port)
    socket.write(
      `POST ${requests} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
    await Effect.runPromise(held.reached)
    socket.destroy()
    const mine = async () => {
      const answer = await get("alice", `${requests}?role=reader-alone`)
      const items = (answer.json?.["items"] ?? []) as ReadonlyArray<{ id: string; state: string }>
      return items[0]
    }
    expect(await mine()).toMatchObject({ state: "APPROVED" })
    await Effect.runPromise(held.release)
    await expect.poll(async () => (await mine())?.state, { timeout: 20_000 }).toBe("ACTIVE")
    await world.run(settleDue)
    const id = (await mine())?.id ?? ""
    expect(world.platform.live().filter((grant) => grant.requestId === id)).toHaveLength(1)
    expect((await get("alice", `${requests}/${id}/credentials`)).status).toBe(200)
  })
})
