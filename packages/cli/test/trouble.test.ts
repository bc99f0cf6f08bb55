/** What goes wrong: bad command lines, a daemon in trouble, something else in its place. Each says what and what next. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"

let home: User
beforeEach(() => {
  home = user({ JITSUDO_TOKEN: "alice" })
})
afterEach(() => home.remove())

const id = "req_01JZZZZZZZZZZZZZZZZZZZZZZZ"

describe("a command line that is wrong ends with 2, on standard error, before anything is asked", () => {
  const reached: Array<string> = []
  let server: Server
  let url: string
  beforeAll(async () => {
    server = createServer((request, response) => {
      reached.push(request.url ?? "")
      response.end("{}")
    })
    url = await listening(server)
  })
  afterAll(() => server.close())

  const ask = ["request", "--provider", "memory", "--role", "r"]
  it.each<readonly [ReadonlyArray<string>, RegExp]>([
    [["bogus"], /bogus/u],
    [["status", "--bogus"], /--bogus/u],
    [["status", id, id], /unexpected/iu],
    [["status", "req_1"], /the id of a request/u],
    [["status", "../../etc/passwd"], /the id of a request/u],
    [["status", "--state", "pending"], /PENDING/u],
    [["status", "-o", "xml"], /table.*json.*yaml/u],
    [["status", "--limit", "-1"], /1 to 1000000/u],
    [["status", "--limit", "many"], /limit/u],
    [["request"], /--provider/u],
    [[...ask, "--duration", "90"], /a length of time/u],
    [[...ask, "--duration=-1h"], /a length of time/u],
    [[...ask, "--duration", "0s"], /above 0/u],
    [[...ask, "--metadata", "novalue"], /key=value/u],
    [[...ask, "--metadata", "=x"], /key=value/u],
    [[...ask, "--metadata", "a=1", "--metadata", "a=2"], /twice/u],
    [[...ask, "--metadata", "ticket=1", "--ticket", "2"], /twice/u],
    [[...ask, "--metadata", "a b=1"], /letters, digits/u],
    [["request", "--provider", "memory", "--role", "r".repeat(5000)], /role/u],
    [["request", "--provider", "memory", "--role", "r\u0000"], /role/u],
    [[...ask, "--reason", "x".repeat(1024 * 1024)], /reason/u],
    [["approve"], /id/u],
    [["deny", id, "--yes"], /needs a reason/u],
    [["review", "close", id], /--comment/u],
    [["policy", "apply"], /--file/u],
    [["policy", "apply", "-f", "/dev/null"], /\.rego/u],
    [["policy", "eval", "--input", "{"], /not JSON/u],
    [["policy", "eval", "--input", "{}", "--now", "noon"], /--now/u],
    [["context", "use", "nowhere"], /nowhere/u],
    [["--context", "no/where", "whoami"], /no context/u],
    [["--token", "secret", "whoami"], /JITSUDO_TOKEN/u],
    [["whoami", "--token=secret"], /JITSUDO_TOKEN/u],
    [["whoami", "--server", "http://jitsudo.example.com"], /in the clear/u],
    [["whoami", "--server", "https://user:secret@jitsudo.example.com"], /password/u]
  ])("%j", async (args, said) => {
    const { code, err, out } = await home.run(args, { env: args.includes("--server") ? {} : { JITSUDO_SERVER: url } })
    assert.strictEqual(code, 2, err)
    assert.match(err, said)
    assert.match(err, /^error: /mu)
    assert.strictEqual(out, "")
    assert.notInclude(err, "secret\n")
    assert.notMatch(err, /\n {4}at /u)
    assert.isBelow(err.length, 4000)
    assert.deepStrictEqual(reached, [])
  })

  it("shows help on standard error where a command is missing, and on standard output where it is wanted", async () => {
    for (const args of [[], ["policy"], ["principal"], ["review"]]) {
      const missing = await home.run(args)
      assert.strictEqual(missing.code, 2, args.join(" "))
      assert.strictEqual(missing.out, "")
      assert.include(missing.err, "USAGE")
      const wanted = await home.run([...args, "--help"])
      assert.strictEqual(wanted.code, 0)
      assert.strictEqual(wanted.err, "")
      assert.include(wanted.out, "USAGE")
    }
  })

  it("leaves what follows -- alone", async () => {
    const { code, err } = await home.run(["exec", id, "--", "curl", "--token", "x"], {
      env: { JITSUDO_SERVER: "http://127.0.0.1:1" }
    })
    assert.strictEqual(code, 1)
    assert.match(err, /cannot reach/u)
  })
})

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(`http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`)
    })
  })

interface Heard {
  readonly method: string
  readonly path: string
  readonly key: string | undefined
  readonly agent: string | undefined
}

/** A daemon that answers by script: what each call gets, the last for all that follow. */
const scripted = async (...answers: ReadonlyArray<(response: ServerResponse, request: IncomingMessage) => void>) => {
  const heard: Array<Heard> = []
  const server = createServer((request, response) => {
    request.resume()
    request.on("end", () => {
      const { headers, method = "", url = "" } = request
      heard.push({ method, path: url, key: headers["idempotency-key"]?.toString(), agent: headers["user-agent"] })
      answers[Math.min(heard.length, answers.length) - 1]?.(response, request)
    })
  })
  const url = await listening(server)
  return {
    url,
    heard,
    run: (args: ReadonlyArray<string>) => home.run(args, { env: { JITSUDO_SERVER: url } }),
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

const say =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
  }
const cut = (response: ServerResponse): void => {
  response.destroy()
}
const problem = (status: number, title: string, more: Readonly<Record<string, unknown>> = {}) => ({
  type: "https://jitsudo.dev/problems/x",
  title,
  status,
  code: "x",
  hint: "wait a little",
  ...more
})
const busy = say(503, problem(503, "Not available now", { retryAfterSeconds: 0 }), { "retry-after": "0" })
const tooMany = say(429, problem(429, "Too many requests", { retryAfterSeconds: 0 }), { "retry-after": "0" })
const me = say(200, {
  ...{
    identity: "i#s",
    issuer: "i",
    subject: "s",
    email: "alice@example.test",
    groups: [],
    kind: "human",
    owner: null
  },
  ...{ groupsReadAt: "2026-01-01T00:00:00Z", trustTier: 0, notes: "", openReviews: 0, admin: false, auditor: false },
  enrolledAt: "2026-01-01T00:00:00Z"
})
const request = { provider: "memory", role: "r", scope: "s", reason: "because" }
const create = ["request", ...Object.entries(request).flatMap(([name, value]) => [`--${name}`, value])]

describe("trying again", () => {
  it("is done when the daemon asks for it, and when a reading call is cut off", async () => {
    const daemon = await scripted(busy, tooMany, cut, me)
    try {
      const { code, err } = await daemon.run(["whoami", "-q"])
      assert.strictEqual(code, 0, err)
      assert.lengthOf(daemon.heard, 4)
      assert.match(daemon.heard[0]?.agent ?? "", /^jitsudo-cli\/\d/u)
    } finally {
      daemon.close()
    }
  })

  it("sends one idempotency key with all attempts to create, and another with the next command", async () => {
    const daemon = await scripted(cut, busy, say(400, problem(400, "no")))
    try {
      assert.strictEqual((await daemon.run(create)).code, 1)
      const keys = new Set(daemon.heard.map(({ key }) => key))
      assert.lengthOf(daemon.heard, 3)
      assert.strictEqual(keys.size, 1)
      await daemon.run(create)
      assert.notStrictEqual(daemon.heard.at(-1)?.key, daemon.heard[0]?.key)
      assert.isTrue(daemon.heard.every(({ key }) => key !== undefined && key.length >= 16))
    } finally {
      daemon.close()
    }
  })

  it("is not done when a change may have happened", async () => {
    const daemon = await scripted(cut)
    try {
      const { code, err } = await daemon.run(["revoke", id])
      assert.strictEqual(code, 1)
      assert.match(err, /cannot reach .*: the connection was cut off/u)
      assert.lengthOf(daemon.heard, 1)
    } finally {
      daemon.close()
    }
  })

  it("ends after a few times", async () => {
    const daemon = await scripted(busy)
    try {
      const { code, err } = await daemon.run(["whoami"])
      assert.strictEqual(code, 1)
      assert.match(err, /Not available now[\s\S]*hint: wait a little/u)
      assert.lengthOf(daemon.heard, 4)
    } finally {
      daemon.close()
    }
  })

  it("does not wait where the daemon names no time", async () => {
    const daemon = await scripted(say(503, problem(503, "It took too long", { retryAfterSeconds: 5 })))
    try {
      assert.strictEqual((await daemon.run(["whoami"])).code, 1)
      assert.lengthOf(daemon.heard, 1)
    } finally {
      daemon.close()
    }
  })
})

describe("an answer", () => {
  it.each<readonly [string, (response: ServerResponse) => void, number, RegExp]>([
    [
      "that is no daemon's",
      (response) => void response.writeHead(200).end("<html>hello</html>"),
      1,
      /cannot be read|does not have the form/u
    ],
    [
      "of a proxy",
      (response) => void response.writeHead(502).end("<html>Bad gateway</html>"),
      1,
      /status 502, and not as a jitsudo daemon does/u
    ],
    ["of a newer daemon", say(200, { identity: 5 }), 1, /does not have the form[\s\S]*server version/u],
    ["401", say(401, problem(401, "Sign in", { detail: "the token has expired" })), 3, /the token has expired/u],
    [
      "403 with reasons",
      say(403, problem(403, "Not allowed", { problems: [{ message: "one" }, { message: "two" }] })),
      4,
      /- one\n {2}- two/u
    ],
    ["409 with the state", say(409, problem(409, "Not in this state", { state: "EXPIRED" })), 1, /\(it is EXPIRED\)/u],
    ["413", say(413, problem(413, "The request is too large")), 1, /too large/u],
    ["418", say(418, problem(418, "A teapot")), 1, /A teapot[\s\S]*wait a little/u],
    ["500", say(500, problem(500, "A fault in the daemon", { correlationId: "c-1" })), 1, /log has it under c-1/u],
    [
      "cut in the middle",
      (response) =>
        void response
          .writeHead(200, { "content-length": "500", "content-type": "application/json" })
          .write("{", () => response.destroy()),
      1,
      /error: /u
    ]
  ])("%s is said in words", async (_name, answer, exit, said) => {
    const daemon = await scripted(answer)
    try {
      const { code, err, out } = await daemon.run(["whoami"])
      assert.strictEqual(code, exit, err)
      assert.match(err, said)
      assert.strictEqual(out, "")
      assert.notMatch(err, /\n {4}at /u)
      const json = await daemon.run(["whoami", "-o", "json"])
      const told: Readonly<Record<string, unknown>> = JSON.parse(json.err)
      assert.strictEqual(told["exitCode"], exit)
      assert.isString(told["title"])
    } finally {
      daemon.close()
    }
  })

  it("never makes us follow it elsewhere with our token", async () => {
    const other = await scripted(me)
    const daemon = await scripted((response) => void response.writeHead(307, { location: `${other.url}/` }).end())
    try {
      const { code, err } = await daemon.run(["whoami"])
      assert.strictEqual(code, 1)
      assert.match(err, /cannot be read/u)
      assert.lengthOf(other.heard, 0)
    } finally {
      daemon.close()
      other.close()
    }
  })
})
