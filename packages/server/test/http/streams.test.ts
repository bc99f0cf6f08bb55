/** Live events: what a follower sees, from where it goes on, and when it ends. */
import { Principals, Time } from "@jitsudo/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { follow } from "./support/Events.ts"
import { startWorld, type Asked, type World } from "./support/World.ts"

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const approve = ({ digest, id }: Asked) =>
  world.call("POST", `/api/v1alpha1/requests/${id}/approve`, { as: "bob", json: { digest } })
const revoke = ({ id }: Asked) => world.call("POST", `/api/v1alpha1/requests/${id}/revoke`, { as: "alice", json: {} })

describe("a follower of a request", () => {
  it("sees the state at once, what it becomes, and the end", async () => {
    const asked = await world.ask("alice")
    const stream = await follow(world, asked.id, { token: await world.token("alice") })
    expect(stream.status).toBe(200)
    expect(stream.headers.get("content-type")).toMatch(/^text\/event-stream/u)
    expect(stream.headers.get("cache-control")).toBe("no-store")
    expect(stream.headers.get("x-accel-buffering")).toBe("no")
    expect((await stream.until(1))[0]).toMatchObject({ event: "request", state: "PENDING", id: "1", version: 1 })
    await approve(asked)
    await expect.poll(() => stream.events.at(-1)?.state, { timeout: 10_000 }).toBe("ACTIVE")
    await revoke(asked)
    await stream.ended
    const last = stream.events.at(-1)
    expect(last?.state).toBe("REVOKED")
    const versions = stream.events.map((event) => event.version)
    expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => a - b))
    expect(stream.events.every((event) => event.id === String(event.version))).toBe(true)
  })

  it("goes on behind the last event that it saw", async () => {
    const asked = await world.ask("alice")
    await approve(asked)
    const stream = await follow(world, asked.id, { token: await world.token("alice"), lastEventId: "1" })
    const [first] = await stream.until(1)
    expect(first).toMatchObject({ state: "ACTIVE" })
    expect(first?.version).toBeGreaterThan(1)
    stream.stop()
    await stream.ended
  })

  it("that has seen the end is told so by the end of the stream", async () => {
    const asked = await world.ask("alice")
    await world.call("POST", `/api/v1alpha1/requests/${asked.id}/cancel`, { as: "alice" })
    for (const lastEventId of ["2", "900"]) {
      const stream = await follow(world, asked.id, { token: await world.token("alice"), lastEventId })
      await stream.ended
      expect(stream.events).toEqual([])
    }
  })

  it.each(["", "abc", "-1", "1e9999", "0x10"])(
    "with a Last-Event-ID that is none (%j) sees it all",
    async (lastEventId) => {
      const asked = await world.ask("alice")
      const stream = await follow(world, asked.id, { token: await world.token("alice"), lastEventId })
      expect((await stream.until(1))[0]).toMatchObject({ state: "PENDING" })
      stream.stop()
      await stream.ended
    }
  )

  it("may be anybody who may see it, and nobody else", async () => {
    const asked = await world.ask("alice")
    for (const who of ["bob", "dora"] as const) {
      const stream = await follow(world, asked.id, { token: await world.token(who) })
      expect((await stream.until(1))[0]).toMatchObject({ state: "PENDING" })
      stream.stop()
      await stream.ended
    }
    const stranger = await follow(world, asked.id, { token: await world.token("eve") })
    expect(stranger.status).toBe(404)
  })

  it("is cut off when they may no longer see it, without a word about why", async () => {
    const asked = await world.ask("alice")
    const person = { subject: "frank", email: "frank@example.test", groups: ["sre-leads"], client: "jitsudo-cli" }
    const token = await world.token(person)
    const stream = await follow(world, asked.id, { token })
    await stream.until(1)
    // Frank leaves the group: a newer token says so.
    await world.run(
      Effect.flatMap(Principals.Principals, (principals) =>
        principals.signIn({
          issuer: world.issuer.url,
          subject: "frank",
          email: "frank@example.test",
          groups: [],
          groupsReadAt: Time.make(Date.now()),
          kind: "human",
          owner: null,
          authTime: null,
          amr: []
        })
      )
    )
    await approve(asked)
    await stream.ended
    expect(stream.events.map((event) => event.state)).toEqual(["PENDING"])
    expect(stream.text()).not.toMatch(/failure|not_found|Refused/u)
  })

  it("is cut off when their token ends", async () => {
    const asked = await world.ask("alice")
    const now = Math.floor(Date.now() / 1000)
    const token = await world.issuer.token("alice", { iat: now - 60, exp: now + 2 })
    const stream = await follow(world, asked.id, { token })
    expect(await stream.until(1)).toHaveLength(1)
    await stream.ended
    expect(stream.events.at(-1)?.state).toBe("PENDING")
  })

  it("may hold only so many streams open; closing one makes room", async () => {
    const small = await startWorld({
      server: {
        limits: {
          perPrincipalPerMinute: 1000,
          perAddressPerMinute: 1000,
          refusedTokensPerMinute: 1000,
          streamsPerPrincipal: 2
        }
      }
    })
    try {
      const asked = await small.ask("alice")
      const token = await small.token("alice")
      const first = await follow(small, asked.id, { token })
      const second = await follow(small, asked.id, { token })
      const third = await follow(small, asked.id, { token })
      expect([first.status, second.status, third.status]).toEqual([200, 200, 429])
      expect(third.headers.get("retry-after")).toBe("5")
      const others = await follow(small, asked.id, { token: await small.token("bob") })
      expect(others.status).toBe(200)
      first.stop()
      await expect
        .poll(async () => {
          const again = await follow(small, asked.id, { token })
          again.stop()
          return again.status
        })
        .toBe(200)
    } finally {
      await small.close()
    }
  })
})

describe("a daemon that stops", () => {
  it("ends streams at once and lets requests finish", async () => {
    const stopping = await startWorld({ server: { drain: Duration.seconds(30) } })
    const asked = await stopping.ask("alice")
    const stream = await follow(stopping, asked.id, { token: await stopping.token("alice") })
    await stream.until(1)
    const held = stopping.platform.hold("grant", "atOnce")
    const slow = stopping.call("POST", "/api/v1alpha1/requests", {
      as: "alice",
      json: { provider: "memory", role: "reader", resourceScope: "x", durationSeconds: 60, reason: "slow" }
    })
    await Effect.runPromise(held.reached)
    const closed = stopping.close()
    await stream.ended
    await expect(fetch(`${stopping.url}/healthz`)).rejects.toThrow()
    await Effect.runPromise(held.release)
    expect((await slow).json).toMatchObject({ state: "ACTIVE" })
    await closed
  })
})
