/** Checkpoint, keys, tiles and receipts over HTTP: they prove the log to whoever has nothing but its public key. */
import { Checkpoint, LogKey, Proofs, Receipt, Tiles, VerifiedTiles } from "@jitsudo/audit"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { layerNone } from "../../src/evidence/Evidence.ts"
import { size } from "./support/TestEvidence.ts"
import type { Who } from "./support/TestIssuer.ts"
import { startWorld, type Asked, type World } from "./support/World.ts"

let world: World
let asked: Asked
beforeAll(async () => {
  world = await startWorld()
  asked = await world.ask("alice")
})
afterAll(() => world.close())

const path = (rest: string) => `/api/v1alpha1/audit/${rest}`
const read = async (rest: string, as: Who = "dora") => {
  const answer = await world.call("GET", path(rest), { as })
  expect([rest, answer.status]).toEqual([rest, 200])
  return answer
}
const trust = async () => ({ keys: Result.getOrThrow(LogKey.parse((await read("keys", "eve")).text)) })
const checkpoint = async () =>
  Effect.runPromise(Checkpoint.verify((await read("checkpoint", "eve")).text, await trust()))

const bytesOf = async (rest: string): Promise<Uint8Array> => {
  const token = await world.token("dora")
  const response = await fetch(`${world.url}${path(rest)}`, { headers: { authorization: `Bearer ${token}` } })
  expect([rest, response.status]).toEqual([rest, 200])
  return new Uint8Array(await response.arrayBuffer())
}

describe("evidence", () => {
  it("is a signed checkpoint under the keys that are served, as text", async () => {
    expect((await checkpoint()).size).toBe(size)
    for (const what of ["keys", "checkpoint"]) {
      expect((await read(what)).headers.get("content-type")).toMatch(/^text\/plain/u)
      expect((await read(what)).headers.get("cache-control")).toBe("no-store")
    }
  })

  it("is tiles that fold to the checkpoint's root, up to the longest name, and entries that fit them", async () => {
    const head = await checkpoint()
    const tiles = VerifiedTiles.make(head, (name) => Effect.promise(() => bytesOf(name)))
    const proved = Effect.gen(function* () {
      expect(yield* Proofs.root(size, tiles.hashes)).toBe(head.root)
      expect((yield* tiles.leaves(999)).length).toBe(256)
      return yield* tiles.leaves(0)
    })
    const leaves = await Effect.runPromise(proved)
    const entries = await world.entries()
    const bundle = Tiles.entriesIn(await bytesOf(`tile/entries/000.p/${entries.length}`))
    expect(bundle).toEqual(entries.map(({ payload }) => payload))
    expect(leaves.length).toBe(256)
  })

  it("keeps full tiles for good in the caller's own cache, and nothing else", async () => {
    expect((await read("tile/0/999")).headers.get("cache-control")).toBe("private, max-age=31536000, immutable")
    expect((await read("tile/0/999.p/3")).headers.get("cache-control")).toBe("no-store")
    const missing = await world.call("GET", path("tile/0/x002/000"), { as: "dora" })
    expect([missing.status, missing.headers.get("cache-control")]).toEqual([404, "no-store"])
  })

  it("has no tile beyond the checkpoint, and no second name for one", async () => {
    for (const rest of ["tile/0/x001/001.p/6", "tile/0/x001/001", "tile/3/000", "tile/63/000", "tile/0/x001/002.p/1"]) {
      expect([rest, (await world.call("GET", path(rest), { as: "dora" })).status]).toEqual([rest, 404])
    }
    for (const rest of [
      "tile/0/x000/001",
      "tile/00/001",
      "tile/0/001.p/256",
      "tile/0/1",
      "tile/0/001.p/0",
      "tile/0/5/001"
    ]) {
      expect([rest, (await world.call("GET", path(rest), { as: "dora" })).status]).toEqual([rest, 400])
    }
  })

  it("is a receipt of each entry of a request for whoever may see the request, and for nobody else", async () => {
    const mine = (await world.entries()).filter(({ payload }) => payload.includes(asked.id))
    expect(mine.length).toBeGreaterThan(0)
    for (const { payload, seq } of mine) {
      for (const who of ["alice", "dora", "bob"] as const) {
        const { text } = await read(`receipt/${seq}`, who)
        const proved = await Effect.runPromise(Receipt.verify(text, await trust()))
        expect([proved.seq, proved.payload]).toEqual([seq, payload])
        // It proves this entry and no other.
        const bent = text.replace(`index ${seq - 1}\n`, `index ${seq}\n`)
        expect(Exit.isFailure(await Effect.runPromiseExit(Receipt.verify(bent, await trust())))).toBe(true)
      }
      const answer = await world.call("GET", path(`receipt/${seq}`), { as: "anna" })
      expect([answer.status, answer.json?.["code"]]).toEqual([404, "not_found"])
    }
    // Entries that are about no request are for auditors; to others they are as if they were not there.
    const own = (await world.entries()).find(({ payload }) => payload.includes('"requestId":null'))
    const hidden = await world.call("GET", path(`receipt/${own?.seq}`), { as: "alice" })
    const none = await world.call("GET", path("receipt/987654"), { as: "alice" })
    expect([hidden.status, none.status]).toEqual([404, 404])
    expect(String(hidden.json?.["detail"]).replaceAll(/\d+/gu, "N")).toBe(
      String(none.json?.["detail"]).replaceAll(/\d+/gu, "N")
    )
  })

  it("is not there where nobody signs, and says what an administrator does about it", async () => {
    const unsigned = await startWorld({ evidence: layerNone })
    try {
      const { id } = await unsigned.ask("alice")
      const seq = (await unsigned.entries()).find(({ payload }) => payload.includes(id))?.seq
      for (const rest of ["checkpoint", "keys", "tile/0/000", `receipt/${seq}`]) {
        const answer = await unsigned.call("GET", path(rest), { as: "dora" })
        expect([rest, answer.status]).toEqual([rest, 404])
        expect(answer.json?.["hint"]).toContain("audit.signing_key_file")
      }
    } finally {
      await unsigned.close()
    }
  })
})
