/** Slow, oversized, malformed and too many requests; what surrounds every answer; health while all of it goes on. */
import { execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, rmSync } from "node:fs"
import { request as httpsRequest } from "node:https"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { TLSSocket } from "node:tls"
import { join } from "node:path"
import { Elevations } from "@jitsudo/core"
import { Faults } from "@jitsudo/core/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import * as Server from "../../src/http/Server.ts"
import { exchange, open } from "./support/RawHttp.ts"
import { startWorld, type World, type WorldOptions } from "./support/World.ts"

const requests = "/api/v1alpha1/requests"

const within = async <A>(options: WorldOptions, body: (world: World) => Promise<A>): Promise<A> => {
  const world = await startWorld(options)
  try {
    return await body(world)
  } finally {
    await world.close()
  }
}

/** A port that nobody listens on. */
const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

const problemOf = (body: string): Readonly<Record<string, unknown>> => JSON.parse(body)

describe("a client that is slow", () => {
  const short: WorldOptions = {
    server: { headersTimeout: Duration.millis(200), timeout: Duration.seconds(2), drain: Duration.millis(100) }
  }

  it("with its headers is answered 408 and cut off", async () => {
    await within(short, async (world) => {
      const { closed, socket } = await open(world.port)
      socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
      const answer = await closed
      expect([answer.status, problemOf(answer.body)["code"]]).toEqual([408, "request_timeout"])
      expect(answer.head.toLowerCase()).toContain("application/problem+json")
    })
  })

  it("with its body is cut off, and leaves nothing", async () => {
    await within(short, async (world) => {
      const token = await world.token("alice")
      const before = await world.contents()
      const { closed, socket } = await open(world.port)
      socket.write(
        `POST ${requests} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"provider":`
      )
      const answer = await closed
      expect([answer.status, problemOf(answer.body)["code"]]).toEqual([408, "request_timeout"])
      expect((await world.contents()).requests).toEqual(before.requests)
    })
  })

  it("and many of them keep nobody else waiting", async () => {
    await within({ server: { concurrent: 4 } }, async (world) => {
      const slow = await Promise.all(
        Array.from({ length: 60 }, async () => {
          const connection = await open(world.port)
          connection.socket.write("GET /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nX-Slow: ")
          return connection
        })
      )
      expect((await world.call("GET", requests, { as: "alice" })).status).toBe(200)
      for (const { socket } of slow) socket.destroy()
    })
  })
})

describe("a request that is no request", () => {
  it.each([
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a bad version", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", 400],
    ["no host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["a bare line feed in a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\nb: c\x00\r\n\r\n", 400],
    ["a NUL in a header", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400],
    [
      "two lengths",
      "POST /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      400
    ],
    [
      "a length and chunks",
      "POST /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400
    ],
    ["a negative length", "POST /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400],
    ["headers beyond the bound", `GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(20_000)}\r\n\r\n`, 431],
    ["a path beyond the bound", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 431]
  ])("because of %s is refused and cut off", async (_name, text, status) => {
    await within({}, async (world) => {
      const answer = await exchange(world.port, text)
      expect(answer.status).toBe(status)
      expect(answer.body).not.toContain("aaaaaaaa")
      expect((await world.call("GET", "/healthz")).status).toBe(200)
    })
  })
})

describe("a request that is too large", () => {
  it("is 413, declared or in chunks, and leaves nothing", async () => {
    await within({ server: { bodyBytes: 2000 } }, async (world) => {
      const token = await world.token("alice")
      const head = `POST ${requests} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nConnection: close\r\n`
      const declared = await exchange(world.port, `${head}Content-Length: 5000\r\n\r\n${"a".repeat(5000)}`)
      expect([declared.status, problemOf(declared.body)["code"]]).toEqual([413, "too_large"])
      const chunk = `400\r\n${"a".repeat(1024)}\r\n`
      const chunked = await exchange(world.port, `${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}0\r\n\r\n`)
      expect(chunked.status).toBe(413)
      expect((await world.contents()).requests).toEqual([])
    })
  })
})

/** The listener over a use case that waits until it is released. */
const waiting = () => {
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let reached = (): void => undefined
  const entered = new Promise<void>((resolve) => {
    reached = resolve
  })
  const listener = (options: Server.ServerOptions) =>
    Server.layer(options).pipe(
      Layer.provide(
        Layer.effect(
          Elevations.Elevations,
          Effect.map(Elevations.Elevations, (sound) =>
            Elevations.Elevations.of({
              ...sound,
              list: (by, filter) =>
                Effect.gen(function* () {
                  reached()
                  yield* Effect.promise(() => released)
                  return yield* sound.list(by, filter)
                })
            })
          )
        )
      )
    )
  return { listener, release, entered }
}

describe("too many requests at once", () => {
  it("are 503 at once, while probes are answered and those before finish", async () => {
    const { entered, listener, release } = waiting()
    await within({ server: { concurrent: 1 }, listener }, async (world) => {
      const first = world.call("GET", requests, { as: "alice" })
      await entered
      const second = await world.call("GET", requests, { as: "alice" })
      expect([second.status, second.json]).toMatchObject([503, { code: "overloaded", retryAfterSeconds: 1 }])
      expect(second.headers.get("retry-after")).toBe("1")
      for (const probe of ["/healthz", "/readyz", "/metrics"]) {
        expect([probe, (await world.call("GET", probe)).status]).toEqual([probe, 200])
      }
      release()
      expect((await first).status).toBe(200)
      expect((await world.call("GET", requests, { as: "alice" })).status).toBe(200)
    })
  })

  it("count while a stream is open", async () => {
    await within({ server: { concurrent: 1 } }, async (world) => {
      const asked = await world.ask("alice")
      const stop = new AbortController()
      const token = await world.token("alice")
      const stream = await fetch(`${world.url}${requests}/${asked.id}/events`, {
        signal: stop.signal,
        headers: { authorization: `Bearer ${token}` }
      })
      expect(stream.status).toBe(200)
      expect((await world.call("GET", requests, { as: "alice" })).status).toBe(503)
      stop.abort()
      await expect.poll(async () => (await world.call("GET", requests, { as: "alice" })).status).toBe(200)
    })
  })
})

describe("an answer that takes too long", () => {
  it("is 503 and says to look before trying again", async () => {
    const { listener, release } = waiting()
    await within({ server: { timeout: Duration.millis(300) }, listener }, async (world) => {
      const answer = await world.call("GET", requests, { as: "alice" })
      expect([answer.status, answer.json?.["code"]]).toEqual([503, "timeout"])
      expect(answer.json?.["hint"]).toContain("before you try again")
      release()
    })
  })
})

describe("a fault of ours", () => {
  it("is 500 with an id to quote; what happened is in the log under that id, and nowhere else", async () => {
    const broken = (options: Server.ServerOptions) =>
      Server.layer(options).pipe(
        Layer.provide(
          Layer.effect(
            Elevations.Elevations,
            Effect.map(Elevations.Elevations, (sound) =>
              Elevations.Elevations.of({
                ...sound,
                list: () => Effect.die(new Error("postgres://u:hunter2@db/x broke"))
              })
            )
          )
        )
      )
    await within({ listener: broken }, async (world) => {
      const answer = await world.call("GET", requests, { as: "alice" })
      expect(answer.status).toBe(500)
      expect(answer.json).toMatchObject({ code: "internal", correlationId: answer.headers.get("x-request-id") })
      expect(answer.text).not.toMatch(/hunter2|postgres|Error/u)
      const id = String(answer.json?.["correlationId"])
      expect(world.lines.filter((line) => line.includes(id) && line.includes("a request broke"))).toHaveLength(1)
    })
  })

  it("in an answer's shape is 500, and the answer's content is not in the log", async () => {
    const misshapen = (options: Server.ServerOptions) =>
      Server.layer(options).pipe(
        Layer.provide(
          Layer.effect(
            Elevations.Elevations,
            Effect.map(Elevations.Elevations, (sound) =>
              Elevations.Elevations.of({
                ...sound,
                credentials: (by, id) =>
                  Effect.map(sound.credentials(by, id), (read) => ({ ...read, requestId: "hunter2-is-no-id" }))
              })
            )
          )
        )
      )
    await within({ listener: misshapen }, async (world) => {
      const asked = await world.ask("alice", { role: "reader" })
      const answer = await world.call("GET", `${requests}/${asked.id}/credentials`, { as: "alice" })
      expect([answer.status, answer.json?.["code"]]).toEqual([500, "internal"])
      expect(answer.json?.["correlationId"]).toBe(answer.headers.get("x-request-id"))
      expect(answer.text + world.lines.join("\n")).not.toMatch(/hunter2|MEMORY_TOKEN/u)
      expect(world.lines.some((line) => line.includes("an answer could not be encoded"))).toBe(true)
    })
  })
})

describe("every answer", () => {
  it("has an id of its own, and headers that let nobody frame, sniff or keep it", async () => {
    await within({}, async (world) => {
      const ids = new Set<string | null>()
      for (const [method, path, as] of [
        ["GET", requests, "alice"],
        ["GET", requests, null],
        ["GET", "/nowhere", null],
        ["PATCH", requests, "alice"],
        ["GET", "/healthz", null],
        ["GET", "/docs", null],
        ["GET", "/openapi.json", null]
      ] as const) {
        const answer = await world.call(method, path, { as, headers: { "x-request-id": "mine" } })
        ids.add(answer.headers.get("x-request-id"))
        expect([path, answer.headers.get("x-content-type-options")]).toEqual([path, "nosniff"])
        expect(answer.headers.get("x-frame-options")).toBe("DENY")
        expect(answer.headers.get("referrer-policy")).toBe("no-referrer")
        expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'")
        expect(answer.headers.get("server")).toBeNull()
        expect(answer.headers.get("x-powered-by")).toBeNull()
        if (path.startsWith("/api/")) expect(answer.headers.get("cache-control")).toBe("no-store")
      }
      expect(ids.size).toBe(7)
      expect(ids.has("mine")).toBe(false)
    })
  })

  it("to a method that a path does not have says which it has", async () => {
    await within({}, async (world) => {
      const answer = await world.call("DELETE", requests, { as: "alice" })
      expect([answer.status, answer.headers.get("allow"), answer.json?.["code"]]).toEqual([
        405,
        "GET, POST",
        "method_not_allowed"
      ])
      expect((await world.call("HEAD", "/healthz")).status).toBe(200)
      expect((await world.call("GET", "/metrics/x")).status).toBe(404)
    })
  })
})

describe("probes", () => {
  it("say that the process runs, whether it can work, and nothing about what it works with", async () => {
    await within({}, async (world) => {
      expect((await world.call("GET", "/healthz")).text).toBe("ok")
      const ready = await world.call("GET", "/readyz")
      expect([ready.status, ready.json?.["ready"]]).toEqual([200, true])
      await world.run(Effect.flatMap(Faults.Faults, (faults) => faults.down(true)))
      const failing = await world.call("GET", "/readyz")
      expect(failing.status).toBe(503)
      expect(failing.json).toMatchObject({
        ready: false,
        checks: expect.arrayContaining([{ name: "database", ok: false, detail: "it does not answer" }])
      })
      expect(failing.text).not.toMatch(/connection|Error|facts/u)
      expect((await world.call("GET", "/healthz")).status).toBe(200)
      const version = await world.call("GET", "/version")
      expect(version.json).toEqual({ version: "1.2.3", apiVersions: ["v1alpha1"], development: false })
      const signIn = await world.call("GET", "/api/v1alpha1/sign-in")
      expect(signIn.json).toMatchObject({ issuers: [{ issuer: world.issuer.url, clientId: "jitsudo-cli" }] })
    })
  })

  it("give metrics in Prometheus' format", async () => {
    await within({}, async (world) => {
      await world.call("GET", requests, { as: "alice" })
      await world.call("BREW", "/nowhere")
      const answer = await world.call("GET", "/metrics")
      expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/u)
      expect(answer.text).toMatch(/^# TYPE jitsudo_http_requests_total counter$/mu)
      expect(answer.text).toMatch(/^jitsudo_http_requests_total\{method="GET",status="200"\} \d+$/mu)
      expect(answer.text).not.toContain("BREW")
      for (const line of answer.text.trim().split("\n")) {
        expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .+|[a-zA-Z_:][\w:]*(?:\{.*\})? -?[\d.e+-]+)$/u)
      }
    })
  })

  it("can move to a listener of their own, and are then not on the first", async () => {
    const port = await freePort()
    await within({ server: { probes: { host: "127.0.0.1", port } } }, async (world) => {
      for (const probe of ["/healthz", "/readyz", "/metrics"]) {
        expect([probe, (await world.call("GET", probe)).status]).toEqual([probe, 404])
        const moved = await fetch(`http://127.0.0.1:${port}${probe}`)
        expect([probe, moved.status]).toEqual([probe, 200])
        expect(await moved.text()).not.toBe("")
      }
      expect((await fetch(`http://127.0.0.1:${port}${requests}`)).status).toBe(404)
      expect((await world.call("GET", requests, { as: "alice" })).status).toBe(200)
    })
  })
})

describe("TLS", () => {
  const openssl = (() => {
    try {
      return execFileSync("openssl", ["version"], { encoding: "utf8" })
    } catch (error) {
      if (error instanceof Error) return null
      throw error
    }
  })()

  const reason = { meta: { skipReason: "there is no openssl here to make a certificate with" } }
  it.skipIf(openssl === null)(
    "is spoken where configured, and a changed certificate is taken over",
    reason,
    async () => {
      const dir = mkdtempSync(join(tmpdir(), "jitsudo-tls-"))
      const make = (name: string) =>
        execFileSync(
          "openssl",
          [
            ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
            ...["-subj", `/CN=${name}`, "-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.crt`)]
          ],
          { stdio: "pipe" }
        )
      make("first")
      make("second")
      const tls = { certFile: join(dir, "tls.crt"), keyFile: join(dir, "tls.key") }
      const use = (name: string) => {
        copyFileSync(join(dir, `${name}.key`), tls.keyFile)
        copyFileSync(join(dir, `${name}.crt`), tls.certFile)
      }
      use("first")
      try {
        await within({ server: { tls, tlsPollMillis: 20 } }, async (world) => {
          const hello = () =>
            new Promise<string>((resolve, reject) => {
              httpsRequest(
                { host: "127.0.0.1", port: world.port, path: "/healthz", rejectUnauthorized: false, agent: false },
                (response) => {
                  const socket = response.socket
                  const name = socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject.CN) : ""
                  response
                    .resume()
                    .on("end", () =>
                      resolve(`${name} ${response.statusCode} ${String(response.headers["strict-transport-security"])}`)
                    )
                }
              )
                .on("error", reject)
                .end()
            })
          expect(await hello()).toBe("first 200 max-age=31536000")
          use("second")
          await expect.poll(hello, { timeout: 20_000 }).toBe("second 200 max-age=31536000")
          const plain = await exchange(world.port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
          expect(plain.status).not.toBe(200)
        })
      } finally {
        rmSync(dir, { recursive: true })
      }
    }
  )
})
