/**
 * Every endpoint, called by everybody: what each hears is written down here. A new endpoint without a row fails.
 *
 * What one may not see is not found; what one may see but not do is forbidden. No answer holds a credential, a provider's
 * reference, sealed bytes, or a reason of somebody whose request one may not see.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defined, endpoints, secretReason, type Endpoint, type Target } from "./support/Endpoints.ts"
import type { Who } from "./support/TestIssuer.ts"
import { startWorld, type Answer, type World } from "./support/World.ts"

/** `other` may ask for themselves and has nothing to do with the request; `agent` is a program that may ask. */
interface Row {
  readonly none: number
  readonly garbage: number
  readonly stranger: number
  readonly other: number
  readonly agent: number
}

const hidden: Row = { none: 401, garbage: 401, stranger: 404, other: 404, agent: 404 }
const forbidden: Row = { none: 401, garbage: 401, stranger: 403, other: 403, agent: 403 }
const anybody: Row = { none: 200, garbage: 200, stranger: 200, other: 200, agent: 200 }
const signedIn: Row = { none: 401, garbage: 401, stranger: 200, other: 200, agent: 200 }

const rows: Readonly<Record<string, Row>> = {
  "requests.create": { none: 401, garbage: 401, stranger: 403, other: 201, agent: 201 },
  "requests.list": signedIn,
  "requests.get": hidden,
  "requests.approve": hidden,
  "requests.deny": hidden,
  "requests.cancel": hidden,
  "requests.revoke": hidden,
  "requests.extend": hidden,
  "requests.credentials": hidden,
  "requests.closeReview": hidden,
  "requests.watch": hidden,
  "policies.list": forbidden,
  "policies.get": forbidden,
  "policies.apply": forbidden,
  "policies.remove": forbidden,
  "policies.evaluate": forbidden,
  "principals.me": signedIn,
  "principals.list": forbidden,
  "principals.get": forbidden,
  "principals.setTrustTier": forbidden,
  "principals.setOwner": forbidden,
  "locks.list": forbidden,
  "locks.create": forbidden,
  "locks.remove": forbidden,
  "audit.query": forbidden,
  "audit.head": forbidden,
  "audit.export": forbidden,
  "audit.checkpoint": signedIn,
  "audit.keys": signedIn,
  "audit.receipt": hidden,
  "audit.tile": forbidden,
  "audit.tileOfTwoParts": forbidden,
  "audit.tileOfThreeParts": forbidden,
  "reconciliation.difference": forbidden,
  "reconciliation.run": forbidden,
  "providers.list": signedIn,
  "meta.healthz": anybody,
  "meta.readyz": anybody,
  "meta.version": anybody,
  "meta.signIn": anybody
}

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const column: Readonly<Record<keyof Row, { readonly as: Who | null; readonly token?: string }>> = {
  none: { as: null },
  garbage: { as: null, token: "not.a.token" },
  stranger: { as: "eve" },
  other: { as: "anna" },
  agent: { as: "robot" }
}

/** Calls it, and for a stream takes the first bytes. */
const callFor = async (
  endpoint: Endpoint,
  target: Target,
  who: { readonly as: Who | null; readonly token?: string }
): Promise<Pick<Answer, "status" | "text" | "headers">> => {
  const json = endpoint.body?.(target)
  if (endpoint.name !== "requests.watch") {
    return world.call(endpoint.method, endpoint.path(target), { ...who, ...(json === undefined ? {} : { json }) })
  }
  const stop = new AbortController()
  const token = who.token ?? (who.as === null ? undefined : await world.token(who.as))
  const response = await fetch(`${world.url}${endpoint.path(target)}`, {
    signal: stop.signal,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` }
  })
  const first = await response.body?.getReader().read()
  stop.abort()
  return { status: response.status, headers: response.headers, text: new TextDecoder().decode(first?.value) }
}

/** What no answer may hold, whoever asks: how the provider and the sealer call things. */
const never = ['"reference"', '"sealed"', '"ciphertext"', '"nonce"', '"party"', '"resourceKey"', '"labels"']

describe("every endpoint", () => {
  it("has a row here, and a way to call it", () => {
    const names = defined().map(({ name }) => name)
    expect(names.length).toBeGreaterThanOrEqual(31)
    expect(Object.keys(rows).toSorted()).toEqual(names.toSorted())
    expect(endpoints.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    for (const { method, name } of defined()) {
      expect([name, endpoints.find((one) => one.name === name)?.method]).toEqual([name, method])
    }
  })

  describe.each(endpoints.map((endpoint) => [endpoint.name, endpoint] as const))("%s", (name, endpoint) => {
    const row = rows[name] ?? hidden

    it.each(Object.entries(column) as ReadonlyArray<[keyof Row, (typeof column)[keyof Row]]>)(
      "answers %s as written",
      async (who, caller) => {
        const target = await endpoint.target(world)
        const before = await world.contents()
        const answer = await callFor(endpoint, target, caller)
        expect(answer.status).toBe(row[who])
        expect(answer.text).not.toContain(secretReason)
        for (const word of never) expect(answer.text).not.toContain(word)
        if (answer.status >= 400) {
          expect(answer.headers.get("content-type")).toBe("application/problem+json")
          expect(JSON.parse(answer.text)).toMatchObject({ status: row[who], code: expect.any(String) })
          const after = await world.contents()
          // A refusal is an entry at most; nothing else is there that was not there before.
          expect({ ...after, actions: [], principals: [] }).toEqual({ ...before, actions: [], principals: [] })
          for (const action of after.actions.slice(before.actions.length)) {
            expect(action).toMatch(/refused|principal\.changed/u)
          }
        }
        if (answer.status === 401) expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer realm="jitsudo"/u)
        if (answer.status === 403) {
          const actions = (await world.contents()).actions.slice(before.actions.length)
          expect(actions.some((action) => action.endsWith("refused"))).toBe(true)
        }
      }
    )

    it(`answers ${endpoint.as}, who may, with ${endpoint.status}`, async () => {
      const target = await endpoint.target(world)
      const answer = await callFor(endpoint, target, { as: endpoint.as })
      expect([answer.status, answer.status === endpoint.status ? "" : answer.text]).toEqual([endpoint.status, ""])
      for (const word of never) expect(answer.text).not.toContain(word)
      if (name !== "requests.credentials") expect(answer.text).not.toContain("MEMORY_TOKEN")
    })
  })
})

describe("credentials", () => {
  it("leave by one endpoint only, for the requester only, whatever else an auditor may read", async () => {
    const asked = await world.ask("alice", { role: "reader-of-secrets" })
    const own = await world.call("GET", `/api/v1alpha1/requests/${asked.id}/credentials`, { as: "alice" })
    expect(own.status).toBe(200)
    const values = ((own.json?.["credentials"] ?? []) as ReadonlyArray<{ value: string }>)
      .map(({ value }) => value)
      .filter((value) => value !== asked.id)
    expect(values.length).toBeGreaterThan(0)

    // Who may see the request hears that it is not theirs; to the others it is not there.
    const refused = { anna: 404, bob: 404, carol: 403, dora: 403, robot: 404 } as const
    for (const [who, status] of Object.entries(refused) as ReadonlyArray<[keyof typeof refused, number]>) {
      const answer = await world.call("GET", `/api/v1alpha1/requests/${asked.id}/credentials`, { as: who })
      expect([who, answer.status]).toEqual([who, status])
    }
    const seen = await Promise.all(
      [
        "/api/v1alpha1/requests",
        `/api/v1alpha1/requests/${asked.id}`,
        "/api/v1alpha1/audit?limit=500",
        "/api/v1alpha1/audit/export",
        "/api/v1alpha1/principals",
        "/metrics",
        "/readyz"
      ].map((path) => world.call("GET", path, { as: "dora" }))
    )
    for (const { status, text } of seen) {
      expect(status).toBe(200)
      for (const value of values) expect(text).not.toContain(value)
    }
    for (const value of values) expect(world.lines.join("\n")).not.toContain(value)
  })

  it("are in the log before they are in the answer", async () => {
    const asked = await world.ask("alice", { role: "reader" })
    await world.call("GET", `/api/v1alpha1/requests/${asked.id}/credentials`, { as: "alice" })
    const entries = await world.entries()
    expect(entries.filter((entry) => entry.action === "credentials.read").length).toBeGreaterThan(0)
  })
})

describe("listings", () => {
  it("hold only what their reader may see", async () => {
    await world.ask("alice", { reason: secretReason })
    const items = async (who: Who) => {
      const answer = await world.call("GET", "/api/v1alpha1/requests?limit=500", { as: who })
      return (answer.json?.["items"] ?? []) as ReadonlyArray<{ requester: { subject: string } }>
    }
    expect(await items("eve")).toEqual([])
    expect(new Set((await items("anna")).map((one) => one.requester.subject))).not.toContain("alice")
    expect(new Set((await items("alice")).map((one) => one.requester.subject))).toEqual(new Set(["alice"]))
    expect(new Set((await items("dora")).map((one) => one.requester.subject))).toContain("alice")
  })

  it("of the log are for auditors; others read the entries of requests that they may see", async () => {
    const asked = await world.ask("alice", { reason: secretReason })
    const of = (who: Who) => world.call("GET", `/api/v1alpha1/audit?requestId=${asked.id}`, { as: who })
    expect((await of("alice")).text).toContain(secretReason)
    expect((await of("bob")).status).toBe(200)
    const stranger = await of("eve")
    expect([stranger.status, stranger.text.includes(secretReason)]).toEqual([404, false])
  })
})
