/** The log over HTTP: pages and filters, and an export that anybody can verify without us. */
import { verify } from "@jitsudo/audit"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startWorld, type Asked, type World } from "./support/World.ts"

let world: World
let asked: Asked
beforeAll(async () => {
  world = await startWorld()
  asked = await world.ask("alice", { reason: "because, said Alice" })
  await world.call("POST", `/api/v1alpha1/requests/${asked.id}/approve`, { as: "bob", json: { digest: asked.digest } })
  await world.call("GET", `/api/v1alpha1/requests/${asked.id}/credentials`, { as: "alice" })
  await world.call("POST", `/api/v1alpha1/requests/${asked.id}/revoke`, { as: "alice", json: {} })
  await world.call("POST", "/api/v1alpha1/requests", {
    as: "eve",
    json: { provider: "memory", role: "admin", resourceScope: "x", durationSeconds: 60 }
  })
})
afterAll(() => world.close())

interface Listed {
  readonly seq: number
  readonly payload: string
  readonly hash: string
  readonly prevHash: string
  readonly texts: ReadonlyArray<{ readonly text: string }>
}

const query = async (parameters: string) => {
  const answer = await world.call("GET", `/api/v1alpha1/audit?${parameters}`, { as: "dora" })
  expect([answer.status, answer.status === 200 ? "" : answer.text]).toEqual([200, ""])
  const items = (answer.json?.["items"] ?? []) as ReadonlyArray<Listed>
  const actions = items.map((entry): string => JSON.parse(entry.payload).action)
  return { items, actions, next: answer.json?.["nextCursor"] as string | null }
}

const verdictOf = (text: string) => Effect.runPromise(verify.verifyExport(Stream.make(new TextEncoder().encode(text))))

describe("querying", () => {
  it("gives newest first, and oldest first where asked", async () => {
    const newest = await query("limit=500")
    expect(newest.items.map((entry) => entry.seq)).toEqual(newest.items.map((_, n) => newest.items.length - n))
    const oldest = await query("order=oldest&limit=500")
    expect(oldest.items.map((entry) => entry.seq)).toEqual(newest.items.map((_, n) => n + 1))
    for (const [index, entry] of oldest.items.entries()) {
      if (index > 0) expect(entry.prevHash).toBe(oldest.items[index - 1]?.hash)
    }
  })

  it("gives every entry once over its pages, while others are written", async () => {
    for (const order of ["oldest", "newest"]) {
      const seen: Array<number> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const page = await query(
          `order=${order}&limit=4${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`
        )
        seen.push(...page.items.map((entry) => entry.seq))
        if (seen.length < 40) await world.ask("alice")
        cursor = seen.length > 60 ? null : page.next
      }
      expect(seen.length).toBe(new Set(seen).size)
      expect(seen).toEqual(seen.toSorted((a, b) => (order === "oldest" ? a - b : b - a)))
    }
  })

  it("filters by request, actor, action, outcome, provider and time", async () => {
    const about = await query(`requestId=${asked.id}&order=oldest`)
    expect(about.actions).toEqual(expect.arrayContaining(["request.created", "grant.issued", "grant.revoked"]))
    expect(about.items.every((entry) => entry.payload.includes(asked.id))).toBe(true)
    expect((await query("action=credentials.read")).actions).toEqual(["credentials.read"])
    expect((await query("outcome=refused")).actions).toContain("request.refused")
    const alice = await query("actor=alice@example.test&limit=500")
    expect(alice.items.every((entry) => entry.payload.includes('"subject":"alice"'))).toBe(true)
    const byKey = await query(`actor=${encodeURIComponent(`${world.issuer.url}#alice`)}&limit=500`)
    expect(byKey.items.map((entry) => entry.seq)).toEqual(alice.items.map((entry) => entry.seq))
    expect((await query("provider=aws")).items).toEqual([])
    expect((await query("until=2026-01-01T00:00:00Z")).items).toEqual([])
    expect((await query("since=2026-01-01T00:00:00Z&limit=1")).items).toHaveLength(1)
  })

  it("gives texts beside the entries, and their hashes in them", async () => {
    const created = (await query(`requestId=${asked.id}&action=request.created`)).items[0]
    expect(created?.texts.map(({ text }) => text)).toEqual(["because, said Alice"])
    expect(created?.payload).not.toContain("because, said Alice")
  })
})

describe("an export", () => {
  const exported = (range = "") => world.call("GET", `/api/v1alpha1/audit/export${range}`, { as: "dora" })

  it("is verified by anybody, and is an entry itself", async () => {
    const before = await world.call("GET", "/api/v1alpha1/audit/head", { as: "dora" })
    const answer = await exported()
    expect(answer.status).toBe(200)
    expect(answer.headers.get("content-type")).toBe("application/x-ndjson")
    const verdict = await verdictOf(answer.text)
    expect(verdict).toMatchObject({ _tag: "Intact", head: { seq: before.json?.["seq"], hash: before.json?.["hash"] } })
    expect((await query("action=audit.exported&limit=1")).items[0]?.payload).toContain('"subject":"dora"')
  })

  it("of a part begins where the entry before it ended", async () => {
    const answer = await exported("?from=3&to=6")
    expect(answer.text.match(/"prevHash"/gu)?.length ?? 0).toBeGreaterThanOrEqual(4)
    expect(await verdictOf(answer.text)).toMatchObject({ _tag: "Intact", head: { seq: 6 } })
  })

  it("with one byte changed is not intact", async () => {
    const { text } = await exported()
    const verdict = await verdictOf(text.replace("because, said Alice", "because, said alice"))
    expect(verdict._tag).toBe("Broken")
  })

  it("that was cut short is not intact", async () => {
    const { text } = await exported()
    const lines = text.trimEnd().split("\n")
    const verdict = await Effect.runPromise(
      Effect.result(verify.verifyExport(Stream.make(new TextEncoder().encode(`${lines.slice(0, -3).join("\n")}\n`))))
    )
    expect(JSON.stringify(verdict)).not.toContain('"Intact"')
  })

  it("beyond the log is refused, and so is one that ends before it begins", async () => {
    const beyond = await exported("?from=1000000")
    expect([beyond.status, beyond.json?.["problems"]]).toMatchObject([400, [{ field: "from" }]])
    const backwards = await exported("?from=5&to=4")
    expect([backwards.status, backwards.json?.["problems"]]).toMatchObject([400, [{ field: "to" }]])
    const clipped = await exported("?from=1&to=1000000")
    expect(await verdictOf(clipped.text)).toMatchObject({ _tag: "Intact" })
  })
})
