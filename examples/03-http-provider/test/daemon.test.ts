/** The stock daemon with the plug-in by its module's name: ask, have, give back. */
import { DevDaemon } from "@jitsudo/server/testing"
import { expect, it } from "vitest"
import { start, token } from "./BadgeSystem.ts"

it("opens a door for as long as somebody needs it", { timeout: 120_000 }, async () => {
  const system = await start()
  const daemon = await DevDaemon.start({
    config: {
      providers: {
        doors: { plugin: "@jitsudo/example-http-provider", config: { url: system.url, token, doors: ["cellar"] } }
      }
    }
  })
  try {
    const ask = {
      provider: "doors",
      role: "reader",
      resourceScope: "cellar",
      durationSeconds: 600,
      reason: "the boiler"
    }
    const asked = await daemon.call("alice", "POST", "/requests", ask)
    expect([asked.status, asked.body["state"]], daemon.log()).toEqual([201, "ACTIVE"])
    const id = String(asked.body["id"])
    expect(system.open()).toMatchObject([{ id, door: "cellar", who: "alice" }])

    const ended = await daemon.call("alice", "POST", `/requests/${id}/revoke`, {})
    expect(ended.body).toMatchObject({ state: "REVOKED", revocation: "The door stays shut from then on." })
    expect(system.open()).toEqual([])

    const refused = await daemon.call("alice", "POST", "/requests", { ...ask, resourceScope: "attic" })
    expect(refused.status).toBe(400)
    expect(refused.body["hint"]).not.toContain(token)
  } finally {
    await daemon.stop()
    await system.close()
  }
})
