/** The same API over PostgreSQL: what a database could take otherwise than memory does. */
import { verify } from "@jitsudo/audit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { afterAll, beforeAll, expect, it } from "vitest"
import * as SqlAuditChain from "../../src/store/SqlAuditChain.ts"
import * as SqlJobs from "../../src/store/SqlJobs.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import * as TestDatabase from "../../src/testing/TestDatabase.ts"
import { onPostgres, postgresUrl } from "../store/Suites.ts"
import { findings } from "./support/BadInput.ts"
import { follow } from "./support/Events.ts"
import { startWorld, type World } from "./support/World.ts"

onPostgres("the API over a database", () => {
  let world: World
  beforeAll(async () => {
    const store = Layer.mergeAll(SqlStore.layer(), SqlJobs.layer, SqlAuditChain.layer).pipe(
      Layer.provide(TestDatabase.layer(postgresUrl)),
      Layer.orDie
    )
    world = await startWorld({ store })
  })
  afterAll(() => world.close())

  it("carries a request from asking to its end, and proves it", async () => {
    const asked = await world.ask("alice", { reason: "INC-1: disk full; DROP TABLE" })
    const stream = await follow(world, asked.id, { token: await world.token("alice") })
    await stream.until(1)
    const decided = await world.call("POST", `/api/v1alpha1/requests/${asked.id}/approve`, {
      as: "bob",
      json: { digest: asked.digest, comment: "'; --" }
    })
    expect(decided.json).toMatchObject({ state: "ACTIVE", decisions: [{ comment: "'; --" }] })
    expect((await world.call("GET", `/api/v1alpha1/requests/${asked.id}/credentials`, { as: "alice" })).status).toBe(
      200
    )
    await world.call("POST", `/api/v1alpha1/requests/${asked.id}/revoke`, { as: "alice" })
    await stream.ended
    expect(stream.events.at(-1)?.state).toBe("REVOKED")

    const exported = await world.call("GET", "/api/v1alpha1/audit/export", { as: "dora" })
    const verdict = await Effect.runPromise(verify.verifyExport(Stream.make(new TextEncoder().encode(exported.text))))
    expect(verdict).toMatchObject({ _tag: "Intact" })
  })

  it("pages and filters as memory does, and refuses cursors that it never gave", async () => {
    for (let n = 0; n < 5; n++) await world.ask("anna", { role: "paged", reason: `${n}` })
    const seen: Array<string> = []
    let cursor: string | null = ""
    while (cursor !== null) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`
      const page = await world.call("GET", `/api/v1alpha1/requests?role=paged&limit=2${query}`, { as: "anna" })
      expect(page.status).toBe(200)
      seen.push(...((page.json?.["items"] ?? []) as ReadonlyArray<{ id: string }>).map(({ id }) => id))
      cursor = (page.json?.["nextCursor"] ?? null) as string | null
    }
    expect(seen).toHaveLength(5)
    expect(new Set(seen).size).toBe(5)
    for (const path of ["/api/v1alpha1/requests", "/api/v1alpha1/principals", "/api/v1alpha1/audit"]) {
      const answer = await world.call("GET", `${path}?cursor=bm9uc2Vuc2U`, { as: "dora" })
      expect([path, answer.status, answer.json?.["code"]]).toEqual([path, 400, "invalid_input"])
    }
  })

  it("refuses bad input as memory does", { timeout: 120_000 }, async () => {
    const { cases, found } = await findings(world, {
      only: ["requests.create", "requests.list", "principals.list", "audit.query", "audit.export", "locks.create"]
    })
    expect(found).toEqual([])
    expect(cases).toBeGreaterThanOrEqual(300)
  })
})
