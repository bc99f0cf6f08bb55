/** Waiting for a decision: live events, resumed when they break, and an answer in the exit code. */
import * as Duration from "effect/Duration"
import { createServer, request as httpRequest, type Server } from "node:http"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let daemon: TestDaemon.TestDaemon
let alice: User
let bob: User

beforeAll(async () => {
  daemon = await TestDaemon.start()
})
afterAll(() => daemon.close())
beforeEach(() => {
  alice = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "alice" })
  bob = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "bob" })
})
afterEach(() => {
  alice.remove()
  bob.remove()
})

const asking = ["request", "--provider", "memory", "--role", "admin", "--scope", "x", "--reason", "INC-1", "--wait"]

/** The request that waits, once there is one. */
const pending = async (): Promise<string> => {
  for (;;) {
    const { out } = await bob.run(["status", "--pending", "-q"])
    const [id = ""] = out.split("\n")
    if (id !== "") return id
  }
}

describe("request --wait", () => {
  it("ends with 0 when it is granted, and says what it waited for", async () => {
    const waiting = alice.run(asking)
    await bob.run(["approve", await pending(), "--yes"])
    const { code, err, out } = await waiting
    assert.strictEqual(code, 0)
    assert.match(err, /^asked: req_\w+\nPENDING {2}waits for 1 of group sre-leads\n/u)
    assert.match(err, /is ACTIVE for (?:1h|59m5\ds)\nuse it: jitsudo exec/u)
    assert.match(out, /State +ACTIVE/u)
  })

  it("ends with 4 when it is denied, with the reason", async () => {
    const waiting = alice.run([...asking, "-o", "json"])
    await bob.run(["deny", await pending(), "--yes", "--reason", "not now"])
    const { code, out } = await waiting
    assert.strictEqual(code, 4)
    const last: { readonly state: string; readonly outcome: string } = JSON.parse(out)
    assert.strictEqual(last.state, "REJECTED")
    assert.strictEqual(last.outcome, "not now")
  })

  it("ends with 1 when it is withdrawn", async () => {
    const waiting = alice.run(asking)
    await alice.run(["cancel", await pending()])
    assert.strictEqual((await waiting).code, 1)
  })

  it("ends with 5 when nobody decides in time, and says that the request goes on", async () => {
    const { code, err } = await alice.run([...asking, "--timeout", "1s"])
    assert.strictEqual(code, 5)
    assert.match(err, /was not decided within 1s\nhint: req_\w+ goes on without us: jitsudo status req_\w+ --watch\n$/u)
    await alice.run(["cancel", await pending()])
  })

  it("does not wait for what is granted at once", async () => {
    const { code, out } = await alice.run(asking.map((arg) => (arg === "admin" ? "reader" : arg)))
    assert.strictEqual(code, 0)
    assert.match(out, /State +ACTIVE/u)
  })

  it("shows one line that is written over, hides the cursor, and brings it back", async () => {
    const waiting = alice.run(asking, { tty: true, columns: 60 })
    await bob.run(["approve", await pending(), "--yes"])
    const { err } = await waiting
    assert.include(err, "\u001b[?25l")
    assert.strictEqual(err.lastIndexOf("\u001b[?25h") > err.lastIndexOf("\u001b[?25l"), true)
    const line = err.split("\u001b[2K").find((part) => part.includes("PENDING")) ?? ""
    assert.match(line, /waits for 1 of group sre-leads {2}decide in /u)
  })

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const)("is ended by %s with %d, and the request goes on", async (signal, exit) => {
    const { code, err } = await alice.spawn(asking, {
      onStart: ({ kill }) => void pending().then(() => kill(signal))
    })
    assert.strictEqual(code, exit)
    assert.match(err, /goes on without us/u)
    await alice.run(["cancel", await pending()])
  })
})

/** Between client and daemon: what becomes of streams of events is for the test to say. */
const between = async (streams: "cut" | "hold") => {
  const lastEventIds: Array<string | undefined> = []
  const server: Server = createServer((incoming, response) => {
    const isStream = incoming.url?.endsWith("/events") === true
    if (isStream) {
      lastEventIds.push(incoming.headers["last-event-id"]?.toString())
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.flushHeaders()
      // As something does that buffers: the head goes through, and nothing after it.
      if (streams === "hold") return
      // The first two connections do not last.
      if (lastEventIds.length <= 2) {
        setTimeout(() => response.destroy(), 20)
        return
      }
    }
    const { method = "GET", url = "" } = incoming
    const forward = httpRequest(`${daemon.url}${url}`, { method, headers: { ...incoming.headers } }, (answer) => {
      if (!isStream) response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    response.on("close", () => forward.destroy())
    forward.on("error", () => response.destroy())
    incoming.pipe(forward)
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    lastEventIds,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

describe("a connection that breaks", () => {
  it("is made again, from the version that was seen last", async () => {
    const proxy = await between("cut")
    try {
      const waiting = alice.run([...asking, "--server", proxy.url])
      const id = await pending()
      while (proxy.lastEventIds.length < 3) await bob.run(["status", id])
      await bob.run(["approve", id, "--yes"])
      assert.strictEqual((await waiting).code, 0)
      // The first look had it: no stream starts from nothing.
      assert.isTrue(proxy.lastEventIds.every((seen) => Number(seen) >= 1))
    } finally {
      proxy.close()
    }
  })

  it("does not keep a decision from being seen when events are held back", async () => {
    const proxy = await between("hold")
    try {
      const waiting = alice.run([...asking, "--server", proxy.url], { lookEvery: Duration.seconds(1) })
      await bob.run(["approve", await pending(), "--yes"])
      assert.strictEqual((await waiting).code, 0)
    } finally {
      proxy.close()
    }
  })
})

describe("status --watch", () => {
  it("shows every state once, to the last one", async () => {
    const asked = await alice.run([...asking.slice(0, -1), "-q"])
    const id = asked.out.trim()
    const watching = alice.run(["status", id, "--watch", "-o", "json"])
    await bob.run(["approve", id, "--yes"])
    await alice.run(["revoke", id])
    const { code, out } = await watching
    assert.strictEqual(code, 0)
    const states = out
      .trimEnd()
      .split("\n")
      .map((line) => {
        const one: { readonly version: number; readonly state: string } = JSON.parse(line)
        return one
      })
    assert.strictEqual(states.at(-1)?.state, "REVOKED")
    const versions = states.map(({ version }) => version)
    assert.deepStrictEqual(
      versions,
      [...new Set(versions)].toSorted((a, b) => a - b)
    )
  })
  it.each([
    ["off a terminal", {}],
    ["at a terminal that cannot write over a line", { tty: true, env: { TERM: "dumb" } }]
  ] as const)("says each state once %s", async (_, options) => {
    const asked = await alice.run([...asking.slice(0, -1), "-q"])
    const id = asked.out.trim()
    const watching = alice.run(["status", id, "--watch"], options)
    await bob.run(["approve", id, "--yes"])
    await alice.run(["revoke", id])
    const { code, err, out } = await watching
    assert.strictEqual(code, 0)
    assert.strictEqual(err, "")
    const states = out
      .trimEnd()
      .split("\n")
      .map((line) => / is ([A-Z]+)/u.exec(line)?.[1])
    assert.strictEqual(states.at(-1), "REVOKED")
    assert.deepStrictEqual(states, [...new Set(states)])
  })
})
