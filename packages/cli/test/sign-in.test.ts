/** Signing in at a real issuer, what is kept of it, and renewing it when several processes do so at once. */
import { DevIssuer, DevLogin } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8)

let home: User
beforeEach(() => {
  home = user()
})
afterEach(() => home.remove())

const credentialsFile = (context: string) => join(home.home, "state", "jitsudo", "credentials", `${context}.json`)
const stored = (context = "default"): Readonly<Record<string, string>> =>
  JSON.parse(readFileSync(credentialsFile(context), "utf8"))
const store = (changed: Readonly<Record<string, unknown>>, context = "default") =>
  writeFileSync(credentialsFile(context), JSON.stringify({ ...stored(context), ...changed }), { mode: 0o600 })

describe("login at an issuer", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "jitsudo-issuer-"))
  const issuer = ManagedRuntime.make(DevIssuer.layer({ address: { host: "127.0.0.1", port: 0 }, dataDir }))
  let daemon: TestDaemon.TestDaemon
  let url: string

  beforeAll(async () => {
    const { cliClientId, url: found } = await issuer.runPromise(DevIssuer)
    url = found
    const scopes = ["openid", "email", "groups", "offline_access"]
    daemon = await TestDaemon.start({
      signIn: { issuers: [{ issuer: url, clientId: cliClientId, audience: "jitsudo", scopes }] }
    })
  })
  afterAll(async () => {
    await daemon.close()
    await issuer.dispose()
    rmSync(dataDir, { recursive: true, force: true })
  })

  /** Logs in as somebody would: reads what is on the screen, and does it in a browser. */
  const login = (person: "alice" | "bob", args: ReadonlyArray<string> = []) =>
    new Promise<{ readonly code: number; readonly err: string; readonly out: string }>((resolve, reject) => {
      let done = false
      const ran = home.spawn(["login", "--server", daemon.url, ...args], {
        onError: (err) => {
          const [, uri = "", code = ""] = /open\n\n\s+(\S+)\n\n.*code\n\n\s+(\S+)\n/u.exec(err) ?? []
          if (code === "" || done) return
          done = true
          const verificationUri = uri.replace(/\?.*$/u, "")
          Effect.runPromise(DevLogin.completeDeviceFlow({ verificationUri, userCode: code, person })).catch(reject)
        }
      })
      ran.then(resolve, reject)
    })

  it("keeps a sign-in that works, for its owner alone, and ends it", async () => {
    const { code, err, out } = await login("alice")
    assert.strictEqual(code, 0, err)
    assert.match(out, /^Signed in at .* as alice@example\.test \(human; context default\)\n$/u)
    assert.match(err, /waiting for the browser/u)

    assert.strictEqual(modeOf(credentialsFile("default")), "600")
    assert.strictEqual(modeOf(join(home.home, "state", "jitsudo", "credentials")), "700")
    assert.strictEqual(modeOf(join(home.home, "config", "jitsudo", "config.yaml")), "600")
    assert.deepStrictEqual(
      readdirSync(join(home.home, "state", "jitsudo", "credentials")).filter((name) => name.endsWith(".tmp")),
      []
    )
    const { accessToken = "", refreshToken = "" } = stored()
    assert.notInclude(out + err, accessToken)
    assert.notInclude(out + err, refreshToken)

    assert.match(
      (await home.run(["whoami"])).out,
      /alice@example\.test[\s\S]*Context +default[\s\S]*renewed by itself/u
    )

    const ended = await home.run(["logout"])
    assert.strictEqual(ended.code, 0)
    assert.strictEqual(ended.err, "signed out of context default\n")
    assert.isFalse(existsSync(credentialsFile("default")))
    // The issuer was told: what was kept elsewhere is worth nothing.
    writeFileSync(
      credentialsFile("default"),
      JSON.stringify({
        ...JSON.parse("{}"),
        server: daemon.url,
        issuer: url,
        clientId: "jitsudo-cli",
        audience: "jitsudo",
        accessToken,
        refreshToken,
        expiresAt: "2026-01-01T00:00:00Z"
      }),
      { mode: 0o600 }
    )
    const after = await home.run(["whoami"])
    assert.strictEqual(after.code, 3)
    assert.match(after.err, /the sign-in at .* is over\nhint: run `jitsudo login`/u)
  })

  it("keeps several beside each other, and renews by itself", async () => {
    await login("alice")
    await login("bob", ["--context", "lead"])
    assert.match((await home.run(["whoami"])).out, /alice@/u)
    assert.match((await home.run(["whoami", "--context", "lead"])).out, /bob@/u)
    assert.match((await home.run(["whoami"], { env: { JITSUDO_CONTEXT: "lead" } })).out, /bob@/u)
    assert.match((await home.run(["context", "list"])).out, /\* +default +.* yes\n +lead +.* yes/u)
    assert.strictEqual((await home.run(["context", "use", "lead"])).code, 0)
    assert.match((await home.run(["whoami"])).out, /bob@/u)

    const before = stored("lead")
    store({ expiresAt: "2026-01-01T00:00:00Z" }, "lead")
    assert.match((await home.run(["whoami"])).out, /bob@/u)
    const after = stored("lead")
    assert.notStrictEqual(after["accessToken"], before["accessToken"])
    assert.notStrictEqual(after["refreshToken"], before["refreshToken"])
    assert.strictEqual(modeOf(credentialsFile("lead")), "600")
    // The daemon's word counts too: it may know that a token is over before we do.
    store({ accessToken: "expired" }, "lead")
    assert.match((await home.run(["whoami"])).out, /bob@/u)

    assert.strictEqual((await home.run(["context", "remove", "lead"])).code, 1)
    await home.run(["logout", "--context", "lead"])
    assert.strictEqual((await home.run(["context", "remove", "lead"])).code, 0)
  })

  it("wants an issuer that the daemon knows, over https or on this machine", async () => {
    const unknown = await home.run(["login", "--server", daemon.url, "--issuer", "https://other.example.com"])
    assert.strictEqual(unknown.code, 2)
    assert.include(unknown.err, url)
    const clear = await home.run([
      "login",
      "--server",
      daemon.url,
      "--issuer",
      "http://idp.example.com",
      "--client-id",
      "x"
    ])
    assert.strictEqual(clear.code, 2)
    assert.match(clear.err, /in the clear/u)
    const none = await home.run(["login"])
    assert.strictEqual(none.code, 2)
    assert.match(none.err, /no server is named/u)
  })
})

/** An issuer as strict as they come: a refresh token counts once, and one that comes twice ends the sign-in. */
const strictIssuer = () => {
  let current = "refresh-0"
  let renewals = 0
  let isOver = false
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json")
    if (request.url?.startsWith("/.well-known/") === true) {
      const { host } = request.headers
      response.end(JSON.stringify({ issuer: `http://${host}`, token_endpoint: `http://${host}/token` }))
      return
    }
    let body = ""
    request.on("data", (data) => (body += String(data)))
    request.on("end", () => {
      const given = new URLSearchParams(body).get("refresh_token")
      if (given !== current || isOver) {
        isOver = true
        response.writeHead(400).end(JSON.stringify({ error: "invalid_grant" }))
        return
      }
      renewals++
      current = `refresh-${renewals}`
      // Slow enough that the others come meanwhile.
      setTimeout(() => {
        response.end(
          JSON.stringify({ access_token: "alice", token_type: "bearer", expires_in: 3600, refresh_token: current })
        )
      }, 300)
    })
  })
  return { server, renewals: () => renewals, isOver: () => isOver }
}

const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

describe("a sign-in about to expire", () => {
  let daemon: TestDaemon.TestDaemon
  beforeAll(async () => {
    daemon = await TestDaemon.start()
  })
  afterAll(() => daemon.close())

  const signedIn = async (issuer: string, changed: Readonly<Record<string, unknown>> = {}) => {
    const { mkdirSync } = await import("node:fs")
    mkdirSync(join(home.home, "config", "jitsudo"), { recursive: true })
    mkdirSync(join(home.home, "state", "jitsudo", "credentials"), { recursive: true, mode: 0o700 })
    writeFileSync(
      join(home.home, "config", "jitsudo", "config.yaml"),
      `current: default\ncontexts:\n  default:\n    server: ${daemon.url}\n`
    )
    const all = {
      server: daemon.url,
      issuer,
      clientId: "c",
      audience: null,
      accessToken: "alice",
      refreshToken: "refresh-0",
      expiresAt: "2026-01-01T00:00:00Z"
    }
    writeFileSync(credentialsFile("default"), JSON.stringify({ ...all, ...changed }), { mode: 0o600 })
  }

  it("is renewed once, however many processes need it at the same time", async () => {
    const issuer = strictIssuer()
    await new Promise<void>((listening) => issuer.server.listen(0, "127.0.0.1", listening))
    try {
      await signedIn(`http://127.0.0.1:${portOf(issuer.server)}`)
      const all = await Promise.all(Array.from({ length: 4 }, () => home.spawn(["whoami", "-q"])))
      for (const { code, err, out } of all) {
        assert.strictEqual(code, 0, err)
        assert.strictEqual(out, "https://idp.test#alice\n")
      }
      assert.strictEqual(issuer.renewals(), 1)
      assert.isFalse(issuer.isOver())
      assert.strictEqual(stored()["refreshToken"], "refresh-1")
    } finally {
      issuer.server.closeAllConnections()
      issuer.server.close()
    }
  })

  it("is used while it lasts when the issuer is away, and is over after that", async () => {
    const soon = new Date(Date.now() + 20_000).toISOString()
    await signedIn("http://127.0.0.1:1", { expiresAt: soon })
    assert.strictEqual((await home.run(["whoami"])).code, 0)
    store({ expiresAt: "2026-01-01T00:00:00Z" })
    const over = await home.run(["whoami"])
    assert.strictEqual(over.code, 1)
    assert.match(over.err, /cannot read what the issuer .* offers/u)
    store({ refreshToken: null })
    const expired = await home.run(["whoami"])
    assert.strictEqual(expired.code, 3)
    assert.match(expired.err, /has expired\nhint: run `jitsudo login`/u)
  })

  it("is refused where others could have read or changed it", async () => {
    await signedIn("http://127.0.0.1:1", { expiresAt: "2099-01-01T00:00:00Z" })
    for (const mode of [0o640, 0o604, 0o620, 0o644]) {
      chmodSync(credentialsFile("default"), mode)
      const ran = await home.run(["whoami"])
      assert.strictEqual(ran.code, 1)
      assert.match(ran.err, /holds a secret, and others may read or change it \(mode 0[0-9]{3}\)\nhint: .*chmod 600/u)
    }
    chmodSync(credentialsFile("default"), 0o600)
    assert.strictEqual((await home.run(["whoami"])).code, 0)
    writeFileSync(credentialsFile("default"), "{")
    const damaged = await home.run(["whoami"])
    assert.strictEqual(damaged.code, 1)
    assert.match(damaged.err, /is damaged/u)
  })

  it("never goes to another server", async () => {
    await signedIn("http://127.0.0.1:1", { expiresAt: "2099-01-01T00:00:00Z" })
    let heard = 0
    const other = createServer((_request, response) => {
      heard++
      response.end("{}")
    })
    await new Promise<void>((listening) => other.listen(0, "127.0.0.1", listening))
    try {
      const url = `http://127.0.0.1:${portOf(other)}`
      assert.strictEqual((await home.run(["whoami", "--server", url])).code, 3)
      assert.strictEqual((await home.run(["whoami", "--server", url, "--context", "default"])).code, 3)
      assert.strictEqual((await home.run(["whoami"], { env: { JITSUDO_SERVER: url } })).code, 3)
      assert.strictEqual(heard, 0)
    } finally {
      other.close()
    }
  })

  it("says what is wrong with a configuration", async () => {
    await signedIn("http://127.0.0.1:1")
    const file = join(home.home, "config", "jitsudo", "config.yaml")
    for (const [text, said] of [
      ["contexts: {default: {serve: x}}", /contexts\.default\.server[\s\S]*/u],
      ["contexts: [", /is not YAML/u],
      ["current: ../../etc/passwd", /current/u],
      ["contexts: {default: {server: 'http://evil.example.com'}}\ncurrent: default", /in the clear/u]
    ] as const) {
      writeFileSync(file, text)
      const ran = await home.run(["whoami"])
      assert.isAbove(ran.code, 0)
      assert.match(ran.err, said)
    }
  })
})
