import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createHash, randomBytes } from "node:crypto"
import { decodeJwt, decodeProtectedHeader } from "jose"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { Tokens } from "../../src/auth/Tokens.ts"
import * as Config from "../../src/Config.ts"
import { isDevelopmentIssuer, issuerEntry } from "../../src/dev/DevelopmentIssuer.ts"
import { DevIssuer } from "../../src/dev/Issuer.ts"
import * as DevLogin from "../../src/testing/DevLogin.ts"

let directory = ""
let count = 0
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "jitsudo-issuer-"))
})
afterAll(() => rmSync(directory, { recursive: true }))

const fresh = () => join(directory, `data-${count++}`)
const loopback = { host: "127.0.0.1", port: 0 }

const withIssuer = <A, E>(
  body: (issuer: DevIssuer["Service"]) => Effect.Effect<A, E, Scope.Scope>,
  dataDir = fresh(),
  address = loopback
) =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const context = yield* Layer.build(DevIssuer.layer({ address, dataDir }))
        return yield* DevIssuer.use(body).pipe(Effect.provideContext(context))
      })
    )
  )

/** The daemon's own verification, configured as `jitsudod dev` configures it. */
const tokensFor = (issuer: string) =>
  Effect.gen(function* () {
    const config = yield* Config.load({
      env: {},
      base: {
        database: { data_dir: "/unused" },
        auth: { issuers: [issuerEntry(issuer)] },
        sealing: { key: randomBytes(32).toString("base64") }
      }
    })
    const context = yield* Layer.build(Tokens.layer(config.auth))
    return yield* Tokens.pipe(Effect.provideContext(context))
  })

describe("signing in", () => {
  it("gives each person an access token that the daemon takes as theirs", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const tokens = yield* tokensFor(issuer.url)
        for (const person of issuer.people) {
          const id = person.id === "alice" ? "alice" : person.id === "bob" ? "bob" : "carol"
          const login = yield* DevLogin.tokenFor({ issuer: issuer.url, person: id })
          const identity = yield* tokens.verify(login.accessToken)
          expect(identity).toMatchObject({
            issuer: issuer.url,
            subject: person.id,
            email: person.email,
            groups: person.groups,
            kind: "human",
            clientId: "jitsudo-cli",
            amr: ["user"],
            acr: "urn:jitsudo:development"
          })
          expect(identity.authTime).not.toBeNull()
          expect(identity.groupsReadAt).toBeLessThanOrEqual(identity.expiresAt)
        }
      })
    ))

  it("issues access tokens for the daemon and ID tokens for the client, and the daemon takes only the former", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const login = yield* DevLogin.tokenFor({ issuer: issuer.url, person: "alice" })
        const access = Redacted.value(login.accessToken)
        expect(decodeProtectedHeader(access)).toMatchObject({ alg: "ES256", typ: "at+jwt" })
        expect(decodeJwt(access)).toMatchObject({ iss: issuer.url, aud: "jitsudo", email_verified: true })
        const idToken = login.idToken ?? Redacted.make("")
        expect(decodeJwt(Redacted.value(idToken))).toMatchObject({
          iss: issuer.url,
          aud: "jitsudo-cli",
          email: "alice@example.test",
          groups: ["sre"]
        })
        const tokens = yield* tokensFor(issuer.url)
        const refusal = yield* Effect.flip(tokens.verify(idToken))
        expect(refusal.reason).toBe("audience")
      })
    ))

  it("renews tokens without another sign-in, and keeps the time of the sign-in", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const tokens = yield* tokensFor(issuer.url)
        const login = yield* DevLogin.tokenFor({ issuer: issuer.url, person: "bob" })
        const first = yield* tokens.verify(login.accessToken)
        const renewed = yield* DevLogin.refresh({
          issuer: issuer.url,
          refreshToken: login.refreshToken ?? Redacted.make("")
        })
        expect(Redacted.value(renewed.accessToken)).not.toBe(Redacted.value(login.accessToken))
        const second = yield* tokens.verify(renewed.accessToken)
        expect(second).toMatchObject({ email: "bob@example.test", groups: ["sre-leads"], kind: "human" })
        expect(second.authTime).toBe(first.authTime)
      })
    ))

  it("gives the agent a token of an agent, and nothing for a wrong secret", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const tokens = yield* tokensFor(issuer.url)
        const { accessToken, refreshToken } = yield* DevLogin.agentToken({
          issuer: issuer.url,
          clientSecret: issuer.agent.clientSecret
        })
        expect(refreshToken).toBeNull()
        const identity = yield* tokens.verify(accessToken)
        expect(identity).toMatchObject({
          subject: "dev-agent",
          clientId: "dev-agent",
          kind: "agent",
          email: null,
          groups: ["agents"]
        })
        const refusal = yield* Effect.flip(
          DevLogin.agentToken({ issuer: issuer.url, clientSecret: Redacted.make("wrong") })
        )
        expect(refusal.message).toContain("invalid_client")
      })
    ))

  /** A browser's requests to an issuer, cookies kept. */
  const browser = (issuer: string) => {
    const cookies = new Map<string, string>()
    return async (url: string, form?: URLSearchParams) => {
      const response = await fetch(new URL(url, issuer), {
        redirect: "manual",
        headers: { accept: "text/html", cookie: [...cookies.values()].join("; ") },
        ...(form === undefined ? {} : { method: "POST", body: form })
      })
      for (const cookie of response.headers.getSetCookie()) {
        const pair = cookie.split(";")[0] ?? ""
        cookies.set(pair.split("=")[0] ?? "", pair)
      }
      return { location: response.headers.get("location") ?? "", html: await response.text() }
    }
  }

  const verifier = randomBytes(32).toString("base64url")

  const authorization = () =>
    new URLSearchParams({
      client_id: "jitsudo-cli",
      response_type: "code",
      redirect_uri: "http://127.0.0.1:49152/callback",
      scope: "openid email groups offline_access",
      state: "s1",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256"
    })

  it("runs the authorization code flow with PKCE on a loopback port of the client's choice", () =>
    withIssuer((issuer) =>
      Effect.promise(async () => {
        const go = browser(issuer.url)
        const start = await go(`${issuer.url}/auth?${authorization()}`)
        const chosen = await go(start.location, new URLSearchParams({ person: "alice" }))
        const back = new URL((await go(chosen.location)).location)
        expect(back.origin + back.pathname).toBe("http://127.0.0.1:49152/callback")
        expect(back.searchParams.get("state")).toBe("s1")
        const exchange = (code_verifier: string) =>
          fetch(`${issuer.url}/token`, {
            method: "POST",
            body: new URLSearchParams({
              grant_type: "authorization_code",
              client_id: "jitsudo-cli",
              code: back.searchParams.get("code") ?? "",
              redirect_uri: "http://127.0.0.1:49152/callback",
              code_verifier
            })
          })
        const stolen = await exchange(randomBytes(32).toString("base64url"))
        expect(stolen.status).toBe(400)
        const answer: unknown = await (await exchange(verifier)).json()
        expect(answer).toMatchObject({ token_type: "Bearer", access_token: expect.any(String) })

        const withoutChallenge = authorization()
        withoutChallenge.delete("code_challenge")
        const refused = new URL((await go(`${issuer.url}/auth?${withoutChallenge}`)).location)
        expect(refused.searchParams.get("error")).toBe("invalid_request")

        const elsewhere = authorization()
        elsewhere.set("redirect_uri", "https://evil.example.test/callback")
        expect((await go(`${issuer.url}/auth?${elsewhere}`)).location).toBe("")
      })
    ))

  it("asks each time who somebody is, and lets them stop", () =>
    withIssuer((issuer) =>
      Effect.promise(async () => {
        const go = browser(issuer.url)
        const first = await go(`${issuer.url}/auth?${authorization()}`)
        await go((await go(first.location, new URLSearchParams({ person: "alice" }))).location)
        const again = await go(`${issuer.url}/auth?${authorization()}`)
        expect((await go(again.location)).html).toContain("Who are you?")
        const stopped = await go(again.location, new URLSearchParams({ person: "" }))
        const back = new URL((await go(stopped.location)).location)
        expect(back.searchParams.get("error")).toBe("access_denied")
        expect(back.searchParams.get("code")).toBeNull()
      })
    ))

  it("does not take a code that no device shows", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const wrong = yield* Effect.flip(
          DevLogin.completeDeviceFlow({
            verificationUri: `${issuer.url}/device`,
            userCode: "BBBB-BBBB",
            person: "alice"
          })
        )
        expect(wrong.message).toContain("BBBB-BBBB")
      })
    ))
})

describe("the pages", () => {
  it("say that there are no passwords, need no script, and escape what they show", () =>
    withIssuer((issuer) =>
      Effect.promise(async () => {
        const hostile = `"><script>alert(1)</script>`
        for (const query of ["", "?user_code=BCDF-GHJK", `?user_code=${encodeURIComponent(hostile)}`]) {
          const response = await fetch(`${issuer.url}/device${query}`, { headers: { accept: "text/html" } })
          const html = await response.text()
          expect(response.status).toBe(200)
          expect(html).toContain("It asks for no password")
          expect(html).not.toMatch(/<script|\son\w+=/iu)
          expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; style-src 'sha256-/u)
          expect(html).toMatch(/<label for="user_code">/u)
        }
        const error = await fetch(`${issuer.url}/auth?client_id=${encodeURIComponent(hostile)}`, {
          headers: { accept: "text/html" }
        })
        expect(error.status).toBe(400)
        expect(await error.text()).not.toContain("<script")
      })
    ))

  it("answer nobody who asks for them under another host name", () =>
    withIssuer((issuer) =>
      Effect.promise(async () => {
        const status = await new Promise<number | undefined>((resolve, reject) => {
          request(`${issuer.url}/device`, { headers: { host: "evil.example.test" } }, (response) => {
            response.resume()
            resolve(response.statusCode)
          })
            .on("error", reject)
            .end()
        })
        expect(status).toBe(421)
        expect((await fetch(new URL("/", issuer.url))).status).toBe(404)
        expect((await fetch(`${issuer.url}/interaction/nobody`)).status).toBe(400)
      })
    ))
})

describe("the issuer itself", () => {
  it.each(["0.0.0.0", "::", "", "10.0.0.1", "issuer.example.test"])("refuses to listen on %j", async (host) => {
    const result = await Effect.runPromise(
      Effect.result(Effect.scoped(Layer.build(DevIssuer.layer({ address: { host, port: 0 }, dataDir: fresh() }))))
    )
    expect(Result.isFailure(result) && result.failure.message).toContain("use 127.0.0.1")
  })

  it("keeps its keys over a restart on the same port, so that tokens live on, and keeps them private", async () => {
    const dataDir = fresh()
    let port = 0
    const login = await withIssuer((issuer) => {
      port = Number(new URL(issuer.url).port)
      return DevLogin.tokenFor({ issuer: issuer.url, person: "alice" })
    }, dataDir)
    const before = readFileSync(join(dataDir, "dev-agent.secret"), "utf8")
    await withIssuer(
      (issuer) =>
        Effect.gen(function* () {
          const tokens = yield* tokensFor(issuer.url)
          expect((yield* tokens.verify(login.accessToken)).subject).toBe("alice")
          expect(`${Redacted.value(issuer.agent.clientSecret)}\n`).toBe(before)
        }),
      dataDir,
      { host: "127.0.0.1", port }
    )
    for (const file of ["dev-issuer.json", "dev-agent.secret"]) {
      expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600)
    }
  })

  it("says which file to delete when its keys are damaged", async () => {
    const dataDir = fresh()
    await withIssuer(() => Effect.void, dataDir)
    writeFileSync(join(dataDir, "dev-issuer.json"), "{}")
    const result = await Effect.runPromise(
      Effect.result(Effect.scoped(Layer.build(DevIssuer.layer({ address: loopback, dataDir }))))
    )
    expect(Result.isFailure(result) && result.failure.message).toMatch(/dev-issuer\.json .*delete it/u)
  })

  it("says so when its port is taken", () =>
    withIssuer((issuer) =>
      Effect.gen(function* () {
        const port = Number(new URL(issuer.url).port)
        const second = yield* Effect.result(
          Effect.scoped(Layer.build(DevIssuer.layer({ address: { host: "127.0.0.1", port }, dataDir: fresh() })))
        )
        expect(Result.isFailure(second) && second.failure.message).toContain("another program uses it")
      })
    ))

  it("is recognised by its URL, and others are not", () =>
    withIssuer((issuer) =>
      Effect.sync(() => {
        expect(isDevelopmentIssuer(issuer.url)).toBe(true)
        expect(isDevelopmentIssuer(`${issuer.url}/`)).toBe(true)
        expect(isDevelopmentIssuer(issuer.url.replace("127.0.0.1", "dev.example.test"))).toBe(true)
        expect(isDevelopmentIssuer("https://login.example.test")).toBe(false)
        expect(isDevelopmentIssuer("https://login.example.test/realms/jitsudo")).toBe(false)
      })
    ))
})
