import { createHmac, createPublicKey } from "node:crypto"
import { createServer } from "node:http"
import { setImmediate } from "node:timers/promises"
import { FlattenedSign, GeneralSign } from "jose"
import type { JWTPayload } from "jose"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Tokens } from "../../src/auth/Tokens.ts"
import type { TokenRefusal } from "../../src/auth/TokenRefused.ts"
import * as Config from "../../src/Config.ts"
import { makeKey, RealIssuer, sign } from "./RealIssuer.ts"
import type { SigningKey } from "./RealIssuer.ts"

const b64 = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

let key: SigningKey
let second: SigningKey
let rsa: SigningKey
const issuer = new RealIssuer()
const silent = Logger.layer([])

beforeAll(async () => {
  ;[key, second, rsa] = await Promise.all([makeKey("k1"), makeKey("k2"), makeKey("r1", "RS256")])
  await issuer.start()
  issuer.publish(key)
})
afterAll(() => issuer.stop())

interface Setup {
  /** More of the issuer's entry in `auth.issuers`. */
  readonly entry?: Record<string, unknown>
  /** More of `auth`. */
  readonly auth?: Record<string, unknown>
  readonly at?: RealIssuer
}

/** The verification that a configuration file would give, at today's time on a clock that the test moves. */
const withTokens = <A, E>(
  setup: Setup,
  body: (tokens: Tokens["Service"], seconds: number) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
      return yield* Effect.gen(function* () {
        yield* TestClock.setTime(now * 1000)
        const config = yield* Config.load({
          env: {},
          base: {
            database: { data_dir: "/unused" },
            sealing: { key: Buffer.alloc(32).toString("base64") },
            auth: {
              issuers: [
                {
                  issuer: (setup.at ?? issuer).url,
                  audiences: ["jitsudo"],
                  interactive_clients: ["jitsudo-cli"],
                  ...setup.entry
                }
              ],
              ...setup.auth
            }
          }
        })
        const context = yield* Layer.build(Tokens.layer(config.auth))
        return yield* Tokens.use((tokens) => body(tokens, now)).pipe(Effect.provideContext(context))
      }).pipe(Effect.provide(Layer.merge(TestClock.layer(), silent)))
    }).pipe(Effect.scoped)
  )

const verify = (tokens: Tokens["Service"], token: string) => tokens.verify(Redacted.make(token))

const identityOf = (setup: Setup, changed: Record<string, unknown> = {}, header: Record<string, unknown> = {}) =>
  withTokens(setup, (tokens, now) =>
    Effect.gen(function* () {
      const token = yield* Effect.promise(() => sign((setup.at ?? issuer).person(now, changed), key, header))
      return yield* verify(tokens, token)
    })
  )

/** The refusal of a token; fails the test when the token, or any longer part of it, shows up anywhere in it. */
const refusalOf = (setup: Setup, make: (now: number) => Promise<string> | string) =>
  withTokens(setup, (tokens, now) =>
    Effect.gen(function* () {
      const token = yield* Effect.promise(async () => make(now))
      const refusal = yield* Effect.flip(verify(tokens, token))
      const said = `${refusal.message} ${refusal.detail} ${JSON.stringify(refusal)} ${refusal.stack}`
      for (const part of token.split(".")) if (part.length > 20) expect(said).not.toContain(part)
      return refusal
    })
  )

const person =
  (changed: (now: number) => Record<string, unknown>, header: Record<string, unknown> = {}, by = () => key) =>
  (now: number) =>
    sign(issuer.person(now, changed(now)), by(), header)

describe("a token of a configured issuer", () => {
  it("that the issuer itself issued is taken, with what it says", async () => {
    issuer.claims = {
      email: " Alice@Example.TEST ",
      email_verified: true,
      groups: ["sre", "dev", "sre"],
      auth_time: 1_700_000_000,
      amr: ["hwk", "pin"],
      acr: "urn:example:gold"
    }
    const token = await issuer.issue()
    const identity = await withTokens({}, (tokens) => verify(tokens, token))
    expect(identity).toMatchObject({
      issuer: issuer.url,
      subject: "jitsudo-cli",
      email: "alice@example.test",
      groups: ["sre", "dev"],
      kind: "human",
      clientId: "jitsudo-cli",
      authTime: 1_700_000_000_000,
      amr: ["hwk", "pin"],
      acr: "urn:example:gold"
    })
    expect(identity.expiresAt - identity.groupsReadAt).toBe(3_600_000)
    expect(identity.commands).toContain("approve")
  })

  it("is an agent's when its client is not one at which people sign in", async () => {
    issuer.claims = { email: "robot@example.test", email_verified: true }
    const token = await issuer.issue("robot")
    const identity = await withTokens({}, (tokens) => verify(tokens, token))
    expect(identity).toMatchObject({ kind: "agent", clientId: "robot", email: "robot@example.test", groups: [] })
  })

  it.each([
    ["no e-mail address", { email: undefined, email_verified: undefined }, {}, { kind: "agent", email: null }],
    ["an address that is none", { email: "alice" }, {}, { kind: "agent", email: null }],
    [
      "an unverified address of an agent",
      { client_id: "ci", email_verified: false },
      {},
      { kind: "agent", email: null }
    ],
    [
      "an issuer of agents",
      {},
      { kind: "agent", interactive_clients: [] },
      { kind: "agent", email: "alice@example.test" }
    ],
    ["azp instead of client_id", { client_id: undefined, azp: "jitsudo-cli" }, {}, { kind: "human" }],
    [
      "a configured client claim",
      { client_id: "x", appid: "jitsudo-cli" },
      { client_claim: "appid" },
      { kind: "human" }
    ],
    [
      "an issuer that never says verified, where that is allowed",
      { email_verified: undefined },
      { require_email_verified: false },
      { kind: "human", email: "alice@example.test" }
    ],
    [
      "an address said to be unverified, even there",
      { client_id: "ci", email_verified: false },
      { require_email_verified: false },
      { kind: "agent", email: null }
    ],
    ["verified written as text", { email_verified: "true" }, {}, { kind: "human", email: "alice@example.test" }],
    ["a limited issuer", {}, { commands: ["read", "request"] }, { commands: ["read", "request"] }],
    ["groups as one text", { groups: "sre" }, {}, { groups: ["sre"] }],
    ["no groups", { groups: undefined }, {}, { groups: [] }],
    [
      "nested groups",
      { realm_access: { roles: ["a", "b"] } },
      { groups_claim: "realm_access.roles" },
      { groups: ["a", "b"] }
    ],
    [
      "groups in a claim whose name has dots",
      { "https://example.test/groups": ["a"] },
      { groups_claim: "https://example.test/groups" },
      { groups: ["a"] }
    ],
    [
      "groups below a client whose name has dots",
      { resource_access: { "my.client": { roles: ["a"] } } },
      { groups_claim: ["resource_access", "my.client", "roles"] },
      { groups: ["a"] }
    ],
    ["a path that ends early", { realm_access: "x" }, { groups_claim: "realm_access.roles" }, { groups: [] }]
  ])("with %s", async (_, claims, entry, expected) => {
    expect(await identityOf({ entry }, claims)).toMatchObject(expected)
  })

  it("without a client is its one audience's, if it is an ID token and not an access token", async () => {
    const entry = { audiences: ["jitsudo-cli"] }
    const claims = { client_id: undefined, aud: "jitsudo-cli" }
    expect(await identityOf({ entry }, claims)).toMatchObject({ kind: "human", clientId: "jitsudo-cli" })
    expect(await identityOf({ entry }, claims, { typ: "at+jwt" })).toMatchObject({ kind: "agent", clientId: null })
    expect(await identityOf({ entry }, { ...claims, aud: ["jitsudo-cli", "other"] })).toMatchObject({ kind: "agent" })
  })

  it("does not make its groups newer than they are, nor newer than now", async () => {
    const ahead = await withTokens({}, (tokens, now) =>
      Effect.gen(function* () {
        const token = yield* Effect.promise(() => sign(issuer.person(now, { iat: now + 10, auth_time: now + 10 }), key))
        return { identity: yield* verify(tokens, token), now }
      })
    )
    expect(ahead.identity.groupsReadAt).toBe(ahead.now * 1000)
    expect(ahead.identity.authTime).toBe(ahead.now * 1000)
  })

  it("may be off by the clock tolerance", async () => {
    await withTokens({}, (tokens, now) =>
      Effect.gen(function* () {
        for (const claims of [{ exp: now - 25 }, { nbf: now + 25 }, { iat: now + 25 }]) {
          const token = yield* Effect.promise(() => sign(issuer.person(now, claims), key))
          expect((yield* verify(tokens, token)).subject).toBe("alice")
        }
      })
    )
  })
})

describe("refused with a stable reason, and without a word of the token", () => {
  type Case = readonly [
    name: string,
    reason: TokenRefusal,
    make: (now: number) => Promise<string> | string,
    entry?: Record<string, unknown>
  ]
  const cases: ReadonlyArray<Case> = [
    ["wrong audience", "audience", person(() => ({ aud: "somebody-else" }))],
    ["no audience", "malformed", person(() => ({ aud: undefined }))],
    ["unknown issuer", "unknown_issuer", person(() => ({ iss: "https://evil.example.test" }))],
    ["issuer that differs by a slash", "unknown_issuer", person(() => ({ iss: `${issuer.url}/` }))],
    ["issuer that is a list", "unknown_issuer", person(() => ({ iss: [issuer.url] }))],
    [
      "foreign key under a known id",
      "signature",
      person(
        () => ({}),
        { kid: "k1" },
        () => second
      )
    ],
    [
      "foreign key under an unknown id",
      "unknown_key",
      person(
        () => ({}),
        {},
        () => second
      )
    ],
    ["its own key in the header", "unknown_key", (now) => sign(issuer.person(now), second, { jwk: second.publicJwk })],
    ["expired", "expired", person((now) => ({ exp: now - 31 }))],
    ["without expiry", "malformed", person(() => ({ exp: undefined }))],
    ["without time of issue", "malformed", person(() => ({ iat: undefined }))],
    ["without subject", "malformed", person(() => ({ sub: undefined }))],
    ["with an empty subject", "malformed", person(() => ({ sub: "" }))],
    ["with a control character in the subject", "malformed", person(() => ({ sub: "a\u0000b" }))],
    ["not yet valid", "not_yet_valid", person((now) => ({ nbf: now + 31 }))],
    ["issued in the future", "not_yet_valid", person((now) => ({ iat: now + 31 }))],
    ["too old", "too_old", person((now) => ({ iat: now - 3700 })), { max_token_age: "1h" }],
    ["alg none", "unsigned", (now) => `${b64({ alg: "none" })}.${b64(issuer.person(now))}.`],
    ["alg NonE with a signature", "unsigned", (now) => `${b64({ alg: "NonE" })}.${b64(issuer.person(now))}.AAAA`],
    ["a signature removed", "unsigned", async (now) => (await sign(issuer.person(now), key)).replace(/\.[^.]*$/u, ".")],
    [
      "HS256 with the public key as secret",
      "algorithm",
      (now) => {
        const signed = `${b64({ alg: "HS256", kid: "k1" })}.${b64(issuer.person(now))}`
        const pem = createPublicKey({ key: key.publicJwk as never, format: "jwk" }).export({
          type: "spki",
          format: "pem"
        })
        return `${signed}.${createHmac("sha256", pem).update(signed).digest("base64url")}`
      }
    ],
    ["an algorithm that is not configured", "algorithm", person(() => ({})), { algorithms: ["RS256"] }],
    ["another algorithm under the key's id", "unknown_key", (now) => sign(issuer.person(now), rsa, { kid: "k1" })],
    [
      "one part changed",
      "signature",
      async (now) => {
        const [head, , signature] = (await sign(issuer.person(now), key)).split(".")
        return `${head}.${b64(issuer.person(now, { sub: "bob" }))}.${signature}`
      }
    ],
    [
      "JSON form with one signature",
      "malformed",
      async (now) =>
        JSON.stringify(
          await new FlattenedSign(Buffer.from(JSON.stringify(issuer.person(now))))
            .setProtectedHeader({ alg: "ES256", kid: "k1" })
            .sign(key.privateKey)
        )
    ],
    [
      "two signatures",
      "malformed",
      async (now) =>
        JSON.stringify(
          await new GeneralSign(Buffer.from(JSON.stringify(issuer.person(now))))
            .addSignature(key.privateKey)
            .setProtectedHeader({ alg: "ES256", kid: "k1" })
            .addSignature(second.privateKey)
            .setProtectedHeader({ alg: "ES256", kid: "k2" })
            .sign()
        )
    ],
    ["two signatures in a row", "malformed", async (now) => `${await sign(issuer.person(now), key)}.AAAA`],
    ["an encrypted token", "malformed", () => "a.b.c.d.e"],
    [
      "a critical extension",
      "malformed",
      async (now) => {
        const [, claims, signature] = (await sign(issuer.person(now), key)).split(".")
        return `${b64({ alg: "ES256", kid: "k1", crit: ["x"], x: 1 })}.${claims}.${signature}`
      }
    ],
    ["a logout token", "malformed", person(() => ({}), { typ: "logout+jwt" })],
    ["garbage", "malformed", () => "garbage"],
    ["nothing", "malformed", () => ""],
    ["dots", "malformed", () => "..."],
    ["no JSON inside", "malformed", () => `${b64("x")}.${b64("y")}.zzzz`],
    ["JSON that is no object", "malformed", () => `${b64([])}.${b64("null")}.zzzz`],
    ["deep JSON", "malformed", () => `${b64({ alg: "ES256" })}.${b64("[".repeat(5000))}.zzzz`],
    ["control characters", "malformed", () => "a\r\nb.c.d"],
    ["huge", "malformed", (now) => sign(issuer.person(now, { pad: "x".repeat(20_000) }), key)],
    ["a token bound to its client", "sender_bound", person(() => ({ cnf: { jkt: "x" } }))],
    ["two different clients", "client", person(() => ({ azp: "other" }))],
    ["a client that is not allowed", "client", person(() => ({})), { allowed_clients: ["ci"] }],
    [
      "no client where some are named",
      "client",
      person(() => ({ client_id: undefined }), { typ: "at+jwt" }),
      { allowed_clients: ["ci"] }
    ],
    ["a person's unverified address", "email_unverified", person(() => ({ email_verified: false }))],
    ["a person's address of unknown standing", "email_unverified", person(() => ({ email_verified: undefined }))],
    ["a person's address with verified: 1", "email_unverified", person(() => ({ email_verified: 1 }))],
    [
      "groups elsewhere",
      "groups_overage",
      person(() => ({ groups: undefined, _claim_names: { groups: "src1" }, _claim_sources: { src1: {} } }))
    ],
    ["hasgroups", "groups_overage", person(() => ({ groups: undefined, hasgroups: true }))],
    ["hasgroups as text", "groups_overage", person(() => ({ groups: undefined, hasgroups: "true" }))],
    ["a group that is no text", "malformed", person(() => ({ groups: ["sre", 7] }))],
    ["groups that are an object", "malformed", person(() => ({ groups: { sre: true } }))],
    ["a group with a line break", "malformed", person(() => ({ groups: ["sre\nadmin"] }))],
    ["an auth_time that is none", "malformed", person(() => ({ auth_time: "yesterday" }))],
    ["amr that is no list", "malformed", person(() => ({ amr: "pwd" }))]
  ]

  for (const [name, reason, make, entry] of cases) {
    it(`${name}: ${reason}`, async () => {
      const refusal = await refusalOf(entry === undefined ? {} : { entry }, make)
      expect(refusal.reason).toBe(reason)
      expect(refusal.detail.length).toBeGreaterThan(5)
      expect(refusal.message.length).toBeGreaterThan(10)
    })
  }

  it("tells the caller nothing of the configuration before the signature holds", async () => {
    const texts = new Set<string>()
    for (const reason of [
      "unknown_issuer",
      "signature",
      "unknown_key",
      "algorithm",
      "unsigned",
      "audience",
      "malformed"
    ]) {
      const found = cases.find((one) => one[1] === reason)
      if (found === undefined) throw new Error(`no case for ${reason}`)
      const [, , make, entry] = found
      texts.add((await refusalOf(entry === undefined ? {} : { entry }, make)).message)
    }
    expect([...texts]).toEqual(["The access token was not accepted."])
  })

  it("says in clear text what to do about groups that were left out", async () => {
    const refusal = await refusalOf(
      {},
      person(() => ({ hasgroups: true }))
    )
    expect(refusal.message).toContain("too many")
    expect(refusal.message).toContain("Entra ID")
  })
})

describe("the issuer's keys", () => {
  const withIssuer = async (body: (own: RealIssuer) => Promise<void>) => {
    const own = new RealIssuer()
    await own.start()
    own.publish(key)
    try {
      await body(own)
    } finally {
      await own.stop()
    }
  }

  /** Lets pending I/O happen until something holds. */
  const eventually = (holds: Effect.Effect<boolean>) =>
    Effect.gen(function* () {
      while (!(yield* holds)) yield* Effect.promise(() => setImmediate())
    })

  const isReady = (tokens: Tokens["Service"]) => tokens.ready.pipe(Effect.map((state) => state.ready))

  const keysAge = (tokens: Tokens["Service"]) =>
    tokens.ready.pipe(Effect.map((state) => state.issuers[0]?.keysAgeSeconds ?? null))

  const tokenOf = (
    own: RealIssuer,
    now: number,
    by: SigningKey,
    header: Record<string, unknown> = {},
    changed: JWTPayload = {}
  ) => Effect.promise(() => sign(own.person(now, changed), by, header))

  it("are read once for many tokens", () =>
    withIssuer((own) =>
      withTokens({ at: own }, (tokens, now) =>
        Effect.gen(function* () {
          const token = yield* tokenOf(own, now, key)
          yield* Effect.forEach(Array.from({ length: 50 }), () => verify(tokens, token), { concurrency: "unbounded" })
          expect(own.keyReads).toBe(1)
          expect(own.reads.get("/.well-known/openid-configuration")).toBe(1)
        })
      )
    ))

  it("are read again for a key that is new, without a restart", () =>
    withIssuer((own) =>
      withTokens({ at: own }, (tokens, now) =>
        Effect.gen(function* () {
          yield* verify(tokens, yield* tokenOf(own, now, key))
          own.publish(second, key)
          yield* TestClock.adjust("31 seconds")
          expect((yield* verify(tokens, yield* tokenOf(own, now, second))).subject).toBe("alice")
          expect((yield* verify(tokens, yield* tokenOf(own, now, key))).subject).toBe("alice")
          expect(own.keyReads).toBe(2)
        })
      )
    ))

  it("stop counting when the issuer removes them, after keys_ttl at the latest", () =>
    withIssuer((own) =>
      withTokens({ at: own, auth: { keys_ttl: "10m" } }, (tokens, now) =>
        Effect.gen(function* () {
          const token = yield* tokenOf(own, now, key)
          yield* verify(tokens, token)
          own.publish(second)
          yield* TestClock.adjust("9 minutes")
          expect((yield* verify(tokens, token)).subject).toBe("alice")
          yield* TestClock.adjust("61 seconds")
          yield* eventually(keysAge(tokens).pipe(Effect.map((age) => age !== null && age < 60)))
          expect((yield* Effect.flip(verify(tokens, token))).reason).toBe("unknown_key")
        })
      )
    ))

  it("are not read more often because of invented key ids", () =>
    withIssuer((own) =>
      withTokens({ at: own, auth: { keys_cooldown: "30s" } }, (tokens, now) =>
        Effect.gen(function* () {
          yield* verify(tokens, yield* tokenOf(own, now, key))
          const flood = (round: string) =>
            Effect.forEach(
              Array.from({ length: 200 }, (_, index) => index),
              (index) =>
                Effect.gen(function* () {
                  const token = yield* tokenOf(own, now, second, { kid: `invented-${round}-${index}` })
                  expect((yield* Effect.flip(verify(tokens, token))).reason).toBe("unknown_key")
                }),
              { concurrency: 20 }
            )
          yield* flood("a")
          expect(own.keyReads).toBe(1)
          yield* TestClock.adjust("31 seconds")
          yield* flood("b")
          expect(own.keyReads).toBe(2)
        })
      )
    ))

  it("may be missing at the start: the daemon is not ready, and becomes so by itself", async () => {
    const own = new RealIssuer()
    await own.start()
    own.publish(key)
    await own.stop()
    await withTokens({ at: own }, (tokens, now) =>
      Effect.gen(function* () {
        const token = yield* tokenOf(own, now, key)
        const refusal = yield* Effect.flip(verify(tokens, token))
        expect(refusal.reason).toBe("issuer_unavailable")
        expect(refusal.isTemporary).toBe(true)
        const before = yield* tokens.ready
        expect(before.ready).toBe(false)
        expect(before.issuers[0]?.detail).toContain("ECONNREFUSED")
        yield* Effect.promise(() => own.start())
        yield* TestClock.adjust("2 seconds")
        yield* eventually(isReady(tokens))
        expect((yield* verify(tokens, token)).subject).toBe("alice")
        expect((yield* tokens.ready).issuers[0]?.detail).toBeNull()
      })
    )
    await own.stop()
  })

  it("are not asked for by every caller while the issuer is down", async () => {
    const own = new RealIssuer()
    await own.start()
    own.answers.set("/.well-known/openid-configuration", (response) => response.writeHead(503).end())
    await withTokens({ at: own }, (tokens, now) =>
      Effect.gen(function* () {
        const token = yield* tokenOf(own, now, key)
        yield* Effect.forEach(Array.from({ length: 50 }), () => Effect.flip(verify(tokens, token)), { concurrency: 10 })
        expect(own.reads.get("/.well-known/openid-configuration")).toBe(1)
      })
    )
    await own.stop()
  })

  it("outlive an outage of the issuer by keys_max_stale, and no longer", () =>
    withIssuer((own) =>
      withTokens({ at: own, auth: { keys_ttl: "10m", keys_max_stale: "20m" } }, (tokens, now) =>
        Effect.gen(function* () {
          const token = yield* tokenOf(own, now, key, {}, { exp: now + 7200 })
          yield* verify(tokens, token)
          own.answers.set("/jwks", (response) => response.writeHead(500).end())
          yield* TestClock.adjust("29 minutes")
          expect((yield* verify(tokens, token)).subject).toBe("alice")
          yield* TestClock.adjust("2 minutes")
          expect((yield* Effect.flip(verify(tokens, token))).reason).toBe("issuer_unavailable")
          expect(yield* isReady(tokens)).toBe(false)
        })
      )
    ))

  it("need not be waited for when the issuer hangs", () =>
    withIssuer((own) =>
      withTokens({ at: own, auth: { keys_ttl: "10m", fetch_timeout: "5s" } }, (tokens, now) =>
        Effect.gen(function* () {
          const token = yield* tokenOf(own, now, key, {}, { exp: now + 7200 })
          yield* verify(tokens, token)
          const asked = new Promise<void>((resolve) => {
            own.answers.set("/.well-known/openid-configuration", () => resolve())
          })
          yield* TestClock.adjust("601 seconds")
          yield* Effect.promise(() => asked)
          // The reading under way has not ended, and its time-out lies ahead on this clock.
          expect((yield* verify(tokens, token)).subject).toBe("alice")
          yield* TestClock.adjust("6 seconds")
          yield* eventually(tokens.ready.pipe(Effect.map((state) => state.issuers[0]?.detail !== null)))
          expect((yield* tokens.ready).issuers[0]?.detail).toContain("does not answer within")
          expect((yield* verify(tokens, token)).subject).toBe("alice")
        })
      )
    ))

  it.each<[string, (own: RealIssuer) => void, string]>([
    [
      "a document of another issuer",
      (own) =>
        own.answers.set("/.well-known/openid-configuration", (response) =>
          response.end(JSON.stringify({ issuer: "https://other.example.test", jwks_uri: `${own.url}/jwks` }))
        ),
      "speaks for the issuer"
    ],
    [
      "keys over http elsewhere",
      (own) =>
        own.answers.set("/.well-known/openid-configuration", (response) =>
          response.end(JSON.stringify({ issuer: own.url, jwks_uri: "http://other.example.test/jwks" }))
        ),
      "no usable jwks_uri"
    ],
    [
      "a redirect",
      (own) => own.answers.set("/jwks", (response) => response.writeHead(302, { location: "/elsewhere" }).end()),
      "status 302"
    ],
    ["a page", (own) => own.answers.set("/jwks", (response) => response.end("<html>")), "not answer with JSON"],
    ["no keys", (own) => own.answers.set("/jwks", (response) => response.end("{}")), "not answer with a key set"],
    [
      "secret keys only",
      (own) =>
        own.answers.set("/jwks", (response) => response.end(JSON.stringify({ keys: [{ kty: "oct", k: "AAAA" }] }))),
      "no public key"
    ],
    ["a flood", (own) => own.answers.set("/jwks", (response) => response.end(" ".repeat(2 * 1024 * 1024))), "more than"]
  ])("are not taken from %s", async (_, arrange, said) => {
    await withIssuer(async (own) => {
      arrange(own)
      await withTokens({ at: own }, (tokens, now) =>
        Effect.gen(function* () {
          const refusal = yield* Effect.flip(verify(tokens, yield* tokenOf(own, now, key)))
          expect(refusal.reason).toBe("issuer_unavailable")
          expect(refusal.detail).toContain(said)
          expect(refusal.message).not.toContain("127.0.0.1")
        })
      )
    })
  })

  it("must be named when the issuer has several of one kind", () =>
    withIssuer((own) =>
      withTokens({ at: own }, (tokens, now) =>
        Effect.gen(function* () {
          expect((yield* verify(tokens, yield* tokenOf(own, now, key, { kid: undefined }))).subject).toBe("alice")
          own.publish(key, second)
          yield* TestClock.adjust("601 seconds")
          yield* eventually(keysAge(tokens).pipe(Effect.map((age) => age !== null && age < 60)))
          const refusal = yield* Effect.flip(verify(tokens, yield* tokenOf(own, now, key, { kid: undefined })))
          expect(refusal.reason).toBe("unknown_key")
        })
      )
    ))

  it("are read from jwks_url without discovery, where it is configured", () =>
    withIssuer((own) =>
      withTokens({ at: own, entry: { jwks_url: `${own.url}/jwks` } }, (tokens, now) =>
        Effect.gen(function* () {
          expect((yield* verify(tokens, yield* tokenOf(own, now, key))).subject).toBe("alice")
          expect(own.reads.get("/.well-known/openid-configuration")).toBeUndefined()
        })
      )
    ))

  it("are read from the address of discovery_url, although the document names the issuer's own", () =>
    withIssuer(async (own) => {
      // The issuer's public name leads nowhere from here; the document says it all the same.
      const name = "https://login.example.test"
      const inside = createServer((request, response) => {
        response.end(
          JSON.stringify(
            request.url === "/inside"
              ? { issuer: name, jwks_uri: `${name}/keys` }
              : request.url === "/keys"
                ? { keys: [key.publicJwk] }
                : {}
          )
        )
      })
      await new Promise<void>((resolve) => inside.listen(0, "127.0.0.1", resolve))
      const address = inside.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      try {
        await withTokens({ entry: { issuer: name, discovery_url: `http://127.0.0.1:${port}/inside` } }, (tokens, now) =>
          Effect.gen(function* () {
            const token = yield* tokenOf(own, now, key, {}, { iss: name })
            expect((yield* verify(tokens, token)).issuer).toBe(name)
          })
        )
      } finally {
        inside.closeAllConnections()
        inside.close()
      }
    }))
})
