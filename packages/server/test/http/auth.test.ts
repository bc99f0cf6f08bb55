/** Tokens at the API: which are taken, what a refusal says and leaves, and how often one may try. */
import { createHmac } from "node:crypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Faults } from "@jitsudo/core/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { makeKey, sign } from "../auth/RealIssuer.ts"
import { endpoints } from "./support/Endpoints.ts"
import { exchange } from "./support/RawHttp.ts"
import { people, type Who } from "./support/TestIssuer.ts"
import { ask, startWorld, type Entry, type World, type WorldOptions } from "./support/World.ts"

const me = "/api/v1alpha1/principals/me"
const now = () => Math.floor(Date.now() / 1000)
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A world for one test. */
const within = async <A>(options: WorldOptions, body: (world: World) => Promise<A>): Promise<A> => {
  const world = await startWorld(options)
  try {
    return await body(world)
  } finally {
    await world.close()
  }
}

const refusals = (entries: ReadonlyArray<Entry>) => entries.filter((entry) => entry.action === "auth.refused")

describe("a token that is not taken", () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  const claims = (changed: Readonly<Record<string, unknown>> = {}) => ({
    iss: world.issuer.url,
    sub: "alice",
    aud: "jitsudo",
    client_id: "jitsudo-cli",
    iat: now(),
    exp: now() + 3600,
    email: "alice@example.test",
    email_verified: true,
    groups: ["sre"],
    ...changed
  })
  const unsigned = (header: object, payload: object) => `${b64(header)}.${b64(payload)}.`

  const cases: ReadonlyArray<readonly [string, string, string, () => string | Promise<string>]> = [
    ["none that is one", "token_refused", "malformed", () => "garbage"],
    ["a blank one", "token_refused", "malformed", () => "a b"],
    ["alg none", "token_refused", "unsigned", () => unsigned({ alg: "none", typ: "JWT" }, claims())],
    ["alg nOnE", "token_refused", "unsigned", () => unsigned({ alg: "nOnE" }, claims())],
    [
      "its signature cut off",
      "token_refused",
      "unsigned",
      async () => `${(await sign(claims(), world.issuer.key)).split(".").slice(0, 2).join(".")}.`
    ],
    [
      "the public key as a secret",
      "token_refused",
      "algorithm",
      () => {
        const text = `${b64({ alg: "HS256", kid: "k1" })}.${b64(claims())}`
        return `${text}.${createHmac("sha256", JSON.stringify(world.issuer.key.publicJwk)).update(text).digest("base64url")}`
      }
    ],
    [
      "a foreign key under our key's name",
      "token_refused",
      "signature",
      async () => sign(claims(), await makeKey("k1"))
    ],
    ["an unknown key", "token_refused", "unknown_key", async () => sign(claims(), await makeKey("k9"))],
    [
      "a foreign issuer",
      "token_refused",
      "unknown_issuer",
      () => sign(claims({ iss: "https://evil.test" }), world.issuer.key)
    ],
    ["another audience", "token_refused", "audience", () => sign(claims({ aud: "else" }), world.issuer.key)],
    [
      "an end that has passed",
      "token_expired",
      "expired",
      () => sign(claims({ iat: now() - 7200, exp: now() - 3600 }), world.issuer.key)
    ],
    [
      "a beginning that lies ahead",
      "token_refused",
      "not_yet_valid",
      () => sign(claims({ nbf: now() + 3600 }), world.issuer.key)
    ],
    [
      "claims changed afterwards",
      "token_refused",
      "signature",
      async () => {
        const [header, , signature] = (await sign(claims(), world.issuer.key)).split(".")
        return `${header}.${b64(claims({ groups: ["jitsudo-admins"] }))}.${signature}`
      }
    ]
  ]

  it.each(cases)("with %s is %s, and an entry says why", async (_name, code, reason, make) => {
    const before = (await world.entries()).length
    const token = await make()
    const answer = await world.call("GET", me, { token })
    expect(answer.status).toBe(401)
    expect(answer.json).toMatchObject({ code, status: 401, hint: expect.stringContaining("jitsudo login") })
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="jitsudo", error="invalid_token"')
    // Nothing about the configuration, and nothing of the token, comes back or is written down.
    expect(answer.text).not.toContain(world.issuer.url)
    expect(answer.text).not.toContain("audience")
    const entries = (await world.entries()).slice(before)
    for (const part of token.split(".").filter((one) => one.length > 20)) {
      expect(answer.text + JSON.stringify(entries) + world.lines.join("\n")).not.toContain(part)
    }
    const minute = refusals(await world.entries())
    // Only ten of a minute are entries of their own.
    expect(minute.length).toBeGreaterThan(0)
    if (entries.length > 0) expect(entries[0]).toMatchObject({ action: "auth.refused", details: { reason } })
  })

  it("because there is none is asked for", async () => {
    const answer = await world.call("GET", me)
    expect([answer.status, answer.json?.["code"]]).toEqual([401, "unauthenticated"])
    expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="jitsudo"')
  })

  it.each([
    ["two of them", (token: string) => `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`],
    [
      "a second one of another case",
      (token: string) => `Authorization: Bearer ${token}\r\nauthorization: Bearer x\r\n`
    ],
    ["two in one header", (token: string) => `Authorization: Bearer ${token}, Bearer ${token}\r\n`],
    ["another scheme", (token: string) => `Authorization: Basic ${token}\r\n`],
    ["no scheme", (token: string) => `Authorization: ${token}\r\n`],
    ["the gateway's header", (token: string) => `Grpc-Metadata-Authorization: Bearer ${token}\r\n`],
    ["a proxy's header", (token: string) => `X-Forwarded-Authorization: Bearer ${token}\r\n`],
    ["a cookie", (token: string) => `Cookie: authorization=${token}; access_token=${token}\r\n`]
  ])("because of %s", async (_name, header) => {
    const token = await world.token("alice")
    const answer = await exchange(
      world.port,
      `GET ${me} HTTP/1.1\r\nHost: x\r\n${header(token)}Connection: close\r\n\r\n`
    )
    expect(answer.status).toBe(401)
  })

  it("because it stands in the query", async () => {
    const token = await world.token("alice")
    const answer = await world.call("GET", `${me}?access_token=${token}`)
    expect(answer.status).toBe(401)
    expect(world.lines.join("\n")).not.toContain(token)
  })

  it("leaves the stranger's body unread", async () => {
    const answer = await exchange(
      world.port,
      "POST /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n{"
    )
    expect(answer.status).toBe(401)
  })
})

describe("a token that is taken", () => {
  it("has its scheme in any case", async () => {
    await within({}, async (world) => {
      const token = await world.token("alice")
      for (const scheme of ["bearer", "BEARER", "Bearer "]) {
        const answer = await world.call("GET", me, { headers: { authorization: `${scheme} ${token}` } })
        expect(answer.status).toBe(200)
      }
    })
  })

  it("says who calls, and what they are", async () => {
    await within({}, async (world) => {
      const carol = await world.call("GET", me, { as: "carol" })
      expect(carol.json).toMatchObject({
        identity: `${world.issuer.url}#carol`,
        email: "carol@example.test",
        kind: "human",
        groups: ["jitsudo-admins"],
        admin: true,
        auditor: true
      })
      expect((await world.call("GET", me, { as: "dora" })).json).toMatchObject({ admin: false, auditor: true })
      expect((await world.call("GET", me, { as: "robot" })).json).toMatchObject({ kind: "agent", admin: false })
    })
  })

  it("of an agent administers nothing, whatever its groups", async () => {
    await within({}, async (world) => {
      const token = await world.token({ ...people.robot, groups: ["jitsudo-admins", "jitsudo-auditors"] })
      for (const [method, path] of [
        ["GET", "/api/v1alpha1/policies"],
        ["GET", "/api/v1alpha1/audit/head"],
        ["GET", "/api/v1alpha1/locks"]
      ] as const) {
        expect((await world.call(method, path, { token })).status).toBe(403)
      }
    })
  })

  it("of a program does not turn a person into one", async () => {
    await within({}, async (world) => {
      expect((await world.call("GET", me, { as: "alice" })).status).toBe(200)
      const token = await world.token({ ...people.alice, client: "robot" })
      const answer = await world.call("GET", me, { token })
      expect([answer.status, answer.json?.["code"]]).toEqual([403, "agent_not_allowed"])
      expect(refusals(await world.entries())).toMatchObject([{ details: { reason: "agent_not_allowed" } }])
      expect((await world.call("GET", me, { as: "alice" })).json).toMatchObject({ kind: "human" })
    })
  })

  it("may be used for what its issuer's configuration says, and nothing else", async () => {
    await within({ issuer: { commands: ["read"] } }, async (world) => {
      const readable = ["policies.evaluate"]
      for (const endpoint of endpoints) {
        if (endpoint.method === "GET" && endpoint.name !== "requests.credentials") continue
        const target = { id: "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", digest: "0".repeat(64) }
        const before = (await world.entries()).length
        const answer = await world.call(endpoint.method, endpoint.path(target), {
          as: endpoint.as,
          json: endpoint.body?.(target)
        })
        if (readable.includes(endpoint.name)) {
          expect([endpoint.name, answer.status]).toEqual([endpoint.name, 200])
          continue
        }
        expect([endpoint.name, answer.status, answer.json?.["code"]]).toEqual([endpoint.name, 403, "not_permitted"])
        expect(answer.json?.["detail"]).toContain("may not be used to")
        const after = (await world.entries()).slice(before).filter((entry) => entry.action !== "principal.changed")
        expect(after).toMatchObject([{ action: "access.refused", outcome: "refused" }])
      }
      expect((await world.call("GET", "/api/v1alpha1/requests", { as: "alice" })).status).toBe(200)
    })
  })
})

describe("a sign-in that must be fresh", () => {
  const options: WorldOptions = { server: { maxAge: Duration.minutes(5) } }
  const old = (world: World, who: Who) => world.issuer.token(who, { auth_time: now() - 600 })

  it("is asked for before approving and administering, with the challenge of RFC 9470", async () => {
    await within(options, async (world) => {
      const asked = await world.ask("alice")
      const approve = (token: string) =>
        world.call("POST", `/api/v1alpha1/requests/${asked.id}/approve`, { token, json: { digest: asked.digest } })
      const answer = await approve(await old(world, "bob"))
      expect([answer.status, answer.json?.["code"]]).toEqual([401, "sign_in_again"])
      expect(answer.headers.get("www-authenticate")).toBe(
        'Bearer realm="jitsudo", error="insufficient_user_authentication", max_age="300"'
      )
      const silent = await approve(await world.issuer.token("bob", { auth_time: undefined }))
      expect(silent.json?.["code"]).toBe("sign_in_again")
      const lock = await world.call("POST", "/api/v1alpha1/locks", {
        token: await old(world, "carol"),
        json: { target: { kind: "everything" }, reason: "drill" }
      })
      expect(lock.json?.["code"]).toBe("sign_in_again")
      expect((await approve(await world.token("bob"))).status).toBe(200)
    })
  })

  it("is asked for before break-glass, and not for asking, denying or reading", async () => {
    await within(options, async (world) => {
      const token = await old(world, "alice")
      const broken = await world.call("POST", "/api/v1alpha1/requests", { token, json: { ...ask, breakGlass: true } })
      expect(broken.json?.["code"]).toBe("sign_in_again")
      expect((await world.contents()).requests).toEqual([])
      const asked = await world.call("POST", "/api/v1alpha1/requests", { token, json: ask })
      expect(asked.status).toBe(201)
      const denied = await world.call("POST", `/api/v1alpha1/requests/${String(asked.json?.["id"])}/deny`, {
        token: await old(world, "bob"),
        json: { digest: asked.json?.["digest"] }
      })
      expect(denied.status).toBe(200)
    })
  })
})

describe("trouble with the issuer or the store", () => {
  it("is 503 and not 401 while the issuer's keys cannot be read, and readiness says so", async () => {
    await within({ issuerDown: true }, async (world) => {
      const answer = await world.call("GET", me, { as: "alice" })
      expect([answer.status, answer.json?.["code"]]).toEqual([503, "issuer_unavailable"])
      expect(answer.headers.get("retry-after")).toBe("5")
      expect(answer.text).not.toContain(world.issuer.url)
      expect(await world.entries()).toEqual([])
      const ready = await world.call("GET", "/readyz")
      expect(ready.status).toBe(503)
      expect(ready.text).not.toContain("127.0.0.1")
    })
  })

  it("is not remembered against somebody", async () => {
    await within({}, async (world) => {
      await world.run(Effect.flatMap(Faults.Faults, (faults) => faults.down(true)))
      const answer = await world.call("GET", me, { as: "alice" })
      expect([answer.status, answer.json?.["code"]]).toEqual([503, "store_unavailable"])
      expect(answer.headers.get("retry-after")).toBe("1")
      await world.run(Effect.flatMap(Faults.Faults, (faults) => faults.down(false)))
      expect((await world.call("GET", me, { as: "alice" })).status).toBe(200)
    })
  })
})

describe("rates", () => {
  const limits = (changed: object) => ({
    server: {
      limits: {
        perPrincipalPerMinute: 100_000,
        perAddressPerMinute: 100_000,
        refusedTokensPerMinute: 100_000,
        ...changed
      }
    }
  })

  it("bound refused tokens of an address; good ones are still taken", async () => {
    await within(limits({ refusedTokensPerMinute: 3 }), async (world) => {
      const statuses: Array<number> = []
      for (let n = 0; n < 5; n++) statuses.push((await world.call("GET", me, { token: "bad.to.ken" })).status)
      expect(statuses.slice(0, 3)).toEqual([401, 401, 401])
      expect(statuses).toContain(429)
      const limited = await world.call("GET", me, { token: "bad.to.ken" })
      expect(limited.json).toMatchObject({ code: "rate_limited", retryAfterSeconds: expect.any(Number) })
      expect(Number(limited.headers.get("retry-after"))).toBeGreaterThan(0)
      expect((await world.call("GET", me, { as: "alice" })).status).toBe(200)
      const entries = await world.entries()
      expect(entries.map((entry) => entry.action)).toEqual(expect.arrayContaining(["auth.refused", "rate.limited"]))
    })
  })

  it("bound the calls of a principal, and of nobody else", async () => {
    await within(limits({ perPrincipalPerMinute: 4 }), async (world) => {
      const statuses: Array<number> = []
      for (let n = 0; n < 6; n++) statuses.push((await world.call("GET", me, { as: "alice" })).status)
      expect(statuses.slice(0, 4)).toEqual([200, 200, 200, 200])
      expect(statuses).toContain(429)
      expect((await world.call("GET", me, { as: "bob" })).status).toBe(200)
    })
  })

  it("bound the calls of an address before its token is looked at; probes are not counted", async () => {
    await within(limits({ perAddressPerMinute: 4 }), async (world) => {
      const statuses: Array<number> = []
      for (let n = 0; n < 6; n++) statuses.push((await world.call("GET", me, { as: "alice" })).status)
      expect(statuses).toContain(429)
      for (let n = 0; n < 10; n++) expect((await world.call("GET", "/healthz")).status).toBe(200)
    })
  })

  it("fill the log with no more than ten entries of an address and minute", async () => {
    await within({}, async (world) => {
      await Promise.all(Array.from({ length: 60 }, () => world.call("GET", me, { token: "bad.to.ken" })))
      const perMinute = new Map<string, number>()
      for (const entry of refusals(await world.entries())) {
        const minute = String(/"time":"([^"]{16})/u.exec(entry.payload)?.[1])
        perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1)
      }
      expect(perMinute.size).toBeGreaterThan(0)
      expect(Math.max(...perMinute.values())).toBeLessThanOrEqual(10)
    })
  })
})
