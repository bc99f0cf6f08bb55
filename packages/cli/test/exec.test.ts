/** `exec` as a real process: the child's environment, exit codes and signals. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let daemon: TestDaemon.TestDaemon
let alice: User
let id: string

beforeAll(async () => {
  daemon = await TestDaemon.start()
  alice = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "alice", KEPT: "as it was" })
  const asked = await alice.run([
    "request",
    "-q",
    "--provider",
    "memory",
    "--role",
    "reader",
    "--scope",
    "x",
    "--reason",
    "INC-1"
  ])
  id = asked.out.trim()
})
afterAll(async () => {
  alice.remove()
  await daemon.close()
})

const exec = (...argv: ReadonlyArray<string>) => alice.spawn(["exec", id, "--", ...argv])

describe("the child of exec", () => {
  it("has the credentials in its environment, and not the token that got them", async () => {
    const { code, out } = await exec("env")
    assert.strictEqual(code, 0)
    const lines = out.split("\n")
    assert.include(lines, `MEMORY_GRANT=${id}`)
    assert.isTrue(lines.some((line) => /^MEMORY_TOKEN=./u.test(line)))
    assert.include(lines, "JITSUDO_ELEVATED=1")
    assert.include(lines, `JITSUDO_REQUEST_ID=${id}`)
    assert.include(lines, "KEPT=as it was")
    assert.include(lines, `JITSUDO_SERVER=${daemon.url}`)
    assert.isFalse(lines.some((line) => line.startsWith("JITSUDO_TOKEN=")))
    assert.notInclude(out, "=alice\n")
  })

  it("gets its arguments as they are: no shell, and no flag of ours", async () => {
    const { code, out } = await exec("printf", "[%s]", "$HOME", "a b", "--help", "--output", "-o", "", "*;ls")
    assert.strictEqual(code, 0)
    assert.strictEqual(out, "[$HOME][a b][--help][--output][-o][][*;ls]")
  })

  it("gives its exit code", async () => {
    assert.strictEqual((await exec("sh", "-c", "exit 0")).code, 0)
    assert.strictEqual((await exec("sh", "-c", "exit 7")).code, 7)
    assert.strictEqual((await exec("sh", "-c", "kill -9 $$")).code, 137)
    assert.strictEqual((await exec("sh", "-c", "kill -TERM $$")).code, 143)
  })

  it("is 127 where there is none, and 126 where it cannot be run", async () => {
    const none = await exec("no-such-program-here")
    assert.strictEqual(none.code, 127)
    assert.match(none.err, /no-such-program-here: there is no such program/u)
    const file = join(alice.home, "plain")
    writeFileSync(file, "text")
    chmodSync(file, 0o644)
    const plain = await exec(file)
    assert.strictEqual(plain.code, 126)
    assert.match(plain.err, /permission denied/u)
  })

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)("hears %s, and finishes in its own time", async (signal) => {
    const script = `trap 'echo heard; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`
    const { code, out } = await alice.spawn(["exec", id, "--", "sh", "-c", script], {
      onStart: ({ kill, says }) => void says("ready").then(() => kill(signal))
    })
    assert.strictEqual(out, "ready\nheard\n")
    assert.strictEqual(code, 5)
  })

  it("may ignore a signal", async () => {
    const script = "trap '' TERM; echo ready; sleep 0.5; echo done"
    const { code, out } = await alice.spawn(["exec", id, "--", "sh", "-c", script], {
      onStart: ({ kill, says }) => void says("ready").then(() => kill("SIGTERM"))
    })
    assert.strictEqual(out, "ready\ndone\n")
    assert.strictEqual(code, 0)
  })
})

/** A daemon whose provider gives these credentials. */
const giving = async (...credentials: ReadonlyArray<{ readonly name: string; readonly value: string }>) => {
  const server = createServer((incoming, response) => {
    const { headers, method = "GET", url = "" } = incoming
    void fetch(`${daemon.url}${url}`, { method, headers: { authorization: headers.authorization ?? "" } })
      .then(async (answer) => {
        const text = await answer.text()
        const body = url.endsWith("/credentials") ? JSON.stringify({ ...JSON.parse(text), credentials }) : text
        response.writeHead(answer.status, { "content-type": "application/json" }).end(body)
      })
      .catch(() => response.destroy())
  })
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}

describe("what belongs in a file", () => {
  it("is in one that is the user's alone while the program runs, and gone afterwards", async () => {
    const proxy = await giving(
      { name: "PLAIN", value: "p" },
      { name: "JITSUDO_FILE_KUBECONFIG", value: '{"users":\n[]}' }
    )
    const runtime = join(alice.home, "runtime")
    mkdirSync(runtime, { mode: 0o700 })
    try {
      const script =
        'echo "$PLAIN"; cat "$KUBECONFIG"; echo; dirname "$KUBECONFIG"; ls -lR "$(dirname "$KUBECONFIG")"; env; exit 3'
      const { code, out } = await alice.spawn(["exec", id, "--", "sh", "-c", script], {
        env: { JITSUDO_SERVER: proxy.url, XDG_RUNTIME_DIR: runtime }
      })
      assert.strictEqual(code, 3)
      assert.match(out, /^p\n\{"users":\n\[\]\}\n/u)
      assert.include(out, `${runtime}/jitsudo-`)
      assert.match(out, /^-rw------- .* kubeconfig$/mu)
      assert.notInclude(out, "JITSUDO_FILE_")
      assert.deepStrictEqual(readdirSync(runtime), [])
    } finally {
      proxy.close()
    }
  })

  it.each([
    "LD_PRELOAD",
    "JITSUDO_FILE_LD_PRELOAD",
    "JITSUDO_FILE_JITSUDO_TOKEN",
    "JITSUDO_FILE_../x",
    "JITSUDO_FILE_"
  ])("takes no %s", async (name) => {
    const proxy = await giving({ name, value: "secret" })
    try {
      const { code, err } = await alice.run(["exec", id, "--", "true"], { env: { JITSUDO_SERVER: proxy.url } })
      assert.strictEqual(code, 1)
      assert.match(err, /the provider gave a credential/u)
      assert.notInclude(err, "secret")
    } finally {
      proxy.close()
    }
  })
})

describe("exec", () => {
  it("wants a program", async () => {
    assert.strictEqual((await alice.run(["exec", id])).code, 2)
    assert.strictEqual((await alice.run(["exec", id, "--"])).code, 2)
  })

  it("refuses when the grant is not active, with the state and the next step", async () => {
    const asked = await alice.run([
      "request",
      "-q",
      "--provider",
      "memory",
      "--role",
      "admin",
      "--scope",
      "x",
      "--reason",
      "INC-2"
    ])
    const pending = await alice.run(["exec", asked.out.trim(), "--", "true"])
    assert.strictEqual(pending.code, 4)
    assert.match(pending.err, /is PENDING, and only an ACTIVE grant has credentials\nhint: follow it: jitsudo status/u)
  })

  it("refuses everybody but the requester", async () => {
    const bob = await alice.run(["exec", id, "--", "true"], { env: { JITSUDO_TOKEN: "bob" } })
    assert.notStrictEqual(bob.code, 0)
  })

  it("leaves every read in the log, and no credential anywhere else", async () => {
    const log = await alice.run(["audit", "--request", id, "-o", "json"], { env: { JITSUDO_TOKEN: "carol" } })
    const entries: ReadonlyArray<{ readonly action: string }> = JSON.parse(log.out)
    assert.isAtLeast(entries.filter(({ action }) => action === "credentials.read").length, 8)
  })
})
