/** Commands against a daemon: what they print in each format, and with which exit code they end. */
import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import { parse as parseYaml } from "yaml"
import * as TestDaemon from "./support/TestDaemon.ts"
import type { Options, User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"

let daemon: TestDaemon.TestDaemon
let home: User

beforeAll(async () => {
  daemon = await TestDaemon.start()
})
afterAll(() => daemon.close())
beforeEach(() => {
  home = user({ JITSUDO_SERVER: daemon.url })
})
afterEach(() => home.remove())

const as = (who: string, args: ReadonlyArray<string>, options: Options = {}) =>
  home.run(args, { ...options, env: { JITSUDO_TOKEN: who, ...options.env } })

/** What differs from run to run, replaced by what it is. */
const masked = (text: string): string =>
  text
    .replaceAll(daemon.url, "URL")
    .replaceAll(/req_[0-9A-Z]{26}/gu, "req_ID")
    .replaceAll(/\b[0-9a-f]{64}\b/gu, "HASH")
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/gu, "TIME")
    .replaceAll(/\(now\)|\((?:in )?[\dhms]+(?: ago)?\)/gu, "(AGO)")
    .replaceAll(/\b(?:now|[\dhms]+ ago)\b/gu, "AGO")
    .replaceAll(/in 23h59m|in 24h|in 1d/gu, "IN A DAY")
    .replaceAll(/59m5\ds left|1h left/gu, "LEFT")
    .replaceAll(/ACTIVE for (?:59m5\ds|1h)/gu, "ACTIVE for LEFT")

const ask = async (role: string, more: ReadonlyArray<string> = []) => {
  const { code, err, out } = await as("alice", [
    "request",
    "-q",
    "--provider",
    "memory",
    "--role",
    role,
    "--scope",
    "prod",
    "--reason",
    "INC-1",
    ...more
  ])
  assert.strictEqual(code, 0, err)
  return out.trim()
}

describe("the tour", () => {
  it("asks, decides, gives back, for people", async () => {
    const asked = await as("alice", [
      "request",
      "--provider",
      "memory",
      "--role",
      "admin",
      "--scope",
      "tour",
      "--reason",
      "INC-1: disk\nfull",
      "--ticket",
      "INC-1"
    ])
    assert.strictEqual(asked.code, 0)
    assert.strictEqual(
      masked(asked.out),
      [
        "ID         req_ID",
        "State      PENDING",
        "Requester  alice@example.test",
        "Provider   memory",
        "Role       admin",
        "Scope      tour",
        "Duration   1h",
        "Reason     INC-1: disk",
        "           full",
        "Metadata   ticket=INC-1",
        "Asked      TIME (AGO)",
        "Tier       human",
        "Approval   1 of sre-leads",
        "Missing    1 of group sre-leads",
        "Decide by  TIME (IN A DAY)",
        "Policy     leads: human (writing needs a lead)",
        ""
      ].join("\n")
    )
    assert.strictEqual(masked(asked.err), "follow it: jitsudo status req_ID --watch\n")
    const id = /req_\w+/u.exec(asked.out)?.[0] ?? ""

    const approved = await as("bob", ["approve", id], { tty: true, typed: ["y"] })
    assert.strictEqual(approved.code, 0, approved.err)
    assert.match(
      approved.err,
      /Requester.*alice@example\.test[\s\S]*Reason.*INC-1: disk[\s\S]*Policy.*writing needs a lead[\s\S]*History.*nothing else that you may see[\s\S]*Approve it\? \[y\/N\]/u
    )
    assert.strictEqual(masked(approved.out), "req_ID is ACTIVE for LEFT\n")

    const listed = await as("alice", ["status", "--mine", "--state", "ACTIVE"])
    assert.strictEqual(
      masked(listed.out).replaceAll(/ +\n/gu, "\n"),
      "ID                              STATE   REQUESTER           PROVIDER  ROLE   SCOPE  FOR  WHEN\n" +
        "req_ID  ACTIVE  alice@example.test  memory    admin  tour   1h   LEFT\n"
    )

    const revoked = await as("alice", ["revoke", id, "--reason", "done"])
    assert.strictEqual(revoked.code, 0)
    assert.match(revoked.out, /is REVOKED/u)
    assert.strictEqual(revoked.err, "It stops at once.\n")
    assert.match((await as("alice", ["status", id])).out, /Revocation +It stops at once\./u)
    // Once more is no error.
    assert.strictEqual((await as("alice", ["revoke", id])).code, 0)
  })

  it("speaks JSON and YAML of one shape", async () => {
    const id = await ask("admin")
    const json = await as("alice", ["status", id, "-o", "json"])
    const yaml = await as("alice", ["status", id, "-o", "yaml"])
    const value: Readonly<Record<string, unknown>> = JSON.parse(json.out)
    assert.deepStrictEqual(parseYaml(yaml.out), value)
    assert.deepStrictEqual(Object.keys(value), [
      ...["id", "version", "state", "requester", "provider", "role", "roleAsked", "resourceScope", "durationSeconds"],
      ...["reason", "metadata", "breakGlass", "digest", "tier", "stages", "openQuorum", "missing", "waitingFor"],
      ...["decideBy", "decisions", "policyRevision", "findings", "grant", "ending", "review", "outcome", "revocation"],
      ...["extends", "extendedBy", "createdAt", "updatedAt"]
    ])
    assert.strictEqual(value["durationSeconds"], 3600)
    assert.strictEqual(json.err, "")
  })

  it("gives ids alone where asked to be quiet", async () => {
    const id = await ask("admin")
    const listed = await as("alice", ["status", "--mine", "-q"])
    assert.strictEqual(listed.out.split("\n")[0], id)
    assert.match(listed.out, /^(?:req_[0-9A-Z]{26}\n)+$/u)
    assert.strictEqual(listed.err, "")
  })

  it("has an empty list as [] for programs, and as a sentence beside the answer for people", async () => {
    const nothing = ["status", "--mine", "--state", "LAPSED"]
    assert.deepStrictEqual(await as("bob", nothing), { code: 0, out: "", err: "no requests\n" })
    assert.deepStrictEqual(await as("bob", [...nothing, "-o", "json"]), { code: 0, out: "[]\n", err: "" })
    assert.deepStrictEqual(await as("bob", [...nothing, "-o", "yaml"]), { code: 0, out: "[]\n", err: "" })
  })

  it("reads page after page", async () => {
    for (let n = 0; n < 5; n++) await ask("admin")
    const two = await as("alice", ["status", "--limit", "2"])
    assert.lengthOf(two.out.trimEnd().split("\n"), 3)
    assert.strictEqual(two.err, "there are more: --limit 4, or --all\n")
    const all = await as("alice", ["status", "--all", "-q"])
    assert.isAtLeast(all.out.trimEnd().split("\n").length, 5)
  })

  it("breaks the glass only after a yes, and has it reviewed by another", async () => {
    const args = [
      "request",
      "--break-glass",
      "--provider",
      "memory",
      "--role",
      "root",
      "--scope",
      "x",
      "--reason",
      "all is on fire"
    ]
    const no = await as("alice", args, { tty: true, typed: ["n"] })
    assert.strictEqual(no.code, 1)
    assert.match(no.err, /reviewed by others afterwards[\s\S]*nothing was done/u)
    assert.strictEqual((await as("alice", args)).code, 2)
    const yes = await as("alice", [...args, "--yes", "-q"])
    assert.strictEqual(yes.code, 0, yes.err)
    const id = yes.out.trim()
    const own = await as("alice", ["review", "close", id, "--comment", "fine"])
    assert.strictEqual(own.code, 4)
    const open = await as("carol", ["status", "--open-review", "-q"])
    assert.include(open.out, id)
    const closed = await as("carol", ["review", "close", id, "--comment", "justified"])
    assert.strictEqual(closed.code, 0, closed.err)
    assert.match(closed.out, /closed by carol@example\.test .*: justified/u)
  })
})

describe("a decision", () => {
  it("is on what was shown: another digest does not count", async () => {
    const id = await ask("admin")
    const wrong = await as("bob", ["approve", id, "--yes", "--digest", "0".repeat(64)])
    assert.notStrictEqual(wrong.code, 0)
    const state: { readonly state: string } = JSON.parse((await as("alice", ["status", id, "-o", "json"])).out)
    assert.strictEqual(state.state, "PENDING")
  })

  it("needs somebody to ask, or --yes, and shows everything before that", async () => {
    const id = await ask("admin")
    const nobody = await as("bob", ["approve", id])
    assert.strictEqual(nobody.code, 2)
    assert.match(nobody.err, /Requester {2}alice@example\.test[\s\S]*add --yes/u)
    const refused = await as("bob", ["approve", id], { tty: true, typed: [""] })
    assert.strictEqual(refused.code, 1)
    const closed = await as("bob", ["deny", id, "--reason", "no"], { tty: true, typed: [] })
    assert.strictEqual(closed.code, 1)
  })

  it("to deny needs a reason, which the requester reads", async () => {
    const id = await ask("admin")
    assert.strictEqual((await as("bob", ["deny", id, "--yes"])).code, 2)
    assert.strictEqual((await as("bob", ["deny", id, "--yes", "--reason", "not in a freeze"])).code, 0)
    assert.match((await as("alice", ["status", id])).out, /deny by bob@example\.test .*: not in a freeze/u)
  })

  it("of the requester is refused", async () => {
    const id = await ask("admin")
    const own = await as("alice", ["approve", id, "--yes"])
    assert.strictEqual(own.code, 4)
    assert.match(own.err, /^ID[\s\S]*error: [\s\S]*hint: /u)
  })
})

describe("a refusal", () => {
  it("says all reasons and the next step, and ends with 4", async () => {
    const refused = await as("bob", [
      "request",
      "--provider",
      "memory",
      "--role",
      "admin",
      "--scope",
      "x",
      "--reason",
      "please"
    ])
    assert.strictEqual(refused.code, 4)
    assert.match(refused.err, /^error: .*\n {2}- only sre may ask\n {2}- ask in #access\nhint: .*\n$/u)
    assert.strictEqual(refused.out, "")
  })

  it("is the problem document for programs", async () => {
    const refused = await as("bob", [
      "request",
      "--provider",
      "memory",
      "--role",
      "admin",
      "--scope",
      "x",
      "--reason",
      "please",
      "-o",
      "json"
    ])
    const problem: Readonly<Record<string, unknown>> = JSON.parse(refused.err)
    assert.strictEqual(problem["status"], 403)
    assert.strictEqual(problem["code"], "not_eligible")
    assert.strictEqual(problem["exitCode"], 4)
    assert.deepStrictEqual(problem["problems"], [{ message: "only sre may ask" }, { message: "ask in #access" }])
  })
})

describe("who is who", () => {
  it("is answered by the daemon", async () => {
    const carol = await as("carol", ["whoami"])
    assert.match(
      carol.out,
      /Who +carol@example\.test\nIdentity +https:\/\/idp\.test#carol\nKind +human, administrator, auditor/u
    )
    assert.strictEqual((await as("carol", ["whoami", "-q"])).out, "https://idp.test#carol\n")
  })

  it("is nobody without a sign-in (3), or with a token that is over (3)", async () => {
    const nobody = await home.run(["whoami"])
    assert.strictEqual(nobody.code, 3)
    assert.match(nobody.err, /nobody is signed in at .*\nhint: run `jitsudo login --server/u)
    assert.strictEqual((await as("expired", ["whoami"])).code, 3)
  })

  it("can be told by a file", async () => {
    const file = `${home.home}/token`
    writeFileSync(file, "bob\n")
    assert.match((await home.run(["whoami", "--token-file", file])).out, /bob@example\.test/u)
    assert.match((await home.run(["whoami"], { env: { JITSUDO_TOKEN_FILE: file } })).out, /bob@example\.test/u)
    assert.strictEqual((await home.run(["whoami", "--token-file", `${file}.none`])).code, 1)
  })
})

describe("administration", () => {
  it("trusts, locks and unlocks", async () => {
    await as("alice", ["whoami"])
    assert.match(
      (await as("carol", ["principal", "trust", "alice@example.test", "3", "--notes", "since May"])).out,
      /Trust +tier 3\nNotes +since May/u
    )
    assert.strictEqual((await as("alice", ["principal", "trust", "bob@example.test", "4"])).code, 4)
    const locked = await as("carol", [
      "principal",
      "lock",
      "--provider",
      "memory",
      "--role",
      "prod-*",
      "--reason",
      "INC-9",
      "-q"
    ])
    assert.match(locked.out, /^lck_/u)
    assert.match((await as("carol", ["principal", "locks"])).out, /prod-\* at memory \*/u)
    assert.strictEqual((await as("carol", ["principal", "unlock", locked.out.trim()])).code, 0)
    assert.deepStrictEqual(await as("carol", ["principal", "locks", "-o", "json"]), { code: 0, out: "[]\n", err: "" })
    assert.match((await as("carol", ["principal", "list"])).out, /alice@example\.test +human +3 +sre/u)
    assert.match((await as("carol", ["principal", "get", "alice@example.test"])).out, /tier 3/u)
  })

  it.each([
    [["principal", "lock", "--reason", "x"]],
    [["principal", "lock", "a@b.c", "--everything", "--reason", "x"]],
    [["principal", "trust", "a@b.c", "5"]],
    [["principal", "trust", "a@b.c", "high"]]
  ])("takes no %j", async (args) => {
    assert.strictEqual((await as("carol", args)).code, 2)
  })

  it("tells whether the daemon is well", async () => {
    const well = await home.run(["server", "status"])
    assert.strictEqual(well.code, 0)
    assert.match(well.out, /process +UP[\s\S]*database +UP/u)
    const ill = await TestDaemon.start({ ready: false })
    try {
      const status = await home.run(["server", "status", "--server", ill.url, "-o", "json"])
      assert.strictEqual(status.code, 1)
      const told: { readonly status: string } = JSON.parse(status.out)
      assert.strictEqual(told.status, "DEGRADED")
    } finally {
      await ill.close()
    }
    const gone = await home.run(["server", "status", "--server", ill.url])
    assert.strictEqual(gone.code, 1)
    assert.match(gone.out, /process +DOWN +cannot reach .*connection refused/u)
    assert.match((await home.run(["server", "version"])).out, /Server +9\.9\.9 \(development/u)
  })

  it("tells that the daemon is there when its probes are served elsewhere, and that it cannot say more", async () => {
    // As a daemon with server.metrics_addr does, and as something does that is no daemon.
    const elsewhere = (isDaemon: boolean) =>
      createServer((incoming, response) => {
        const problem = { status: 404, code: "not_found", title: "There is no such path", hint: "see /docs" }
        const version = { version: "9.9.9", apiVersions: ["v1alpha1"], development: false }
        const isFound = isDaemon && incoming.url?.endsWith("/version") === true
        response.writeHead(isFound ? 200 : 404, { "content-type": "application/json" })
        response.end(JSON.stringify(isFound ? version : problem))
      })
    for (const [isDaemon, code, told] of [
      [true, 0, /process +UP[\s\S]*readiness +UNKNOWN +.*server\.metrics_addr/u],
      [false, 1, /process +DOWN +There is no such path/u]
    ] as const) {
      const server = elsewhere(isDaemon)
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
      try {
        const address = server.address()
        const port = typeof address === "object" && address !== null ? address.port : 0
        const status = await home.run(["server", "status", "--server", `http://127.0.0.1:${port}`])
        assert.match(status.out, told)
        assert.strictEqual(status.code, code)
      } finally {
        server.closeAllConnections()
        server.close()
      }
    }
  })
})

describe("a hostile reason", () => {
  it("is inert wherever it is shown, and whole for programs", async () => {
    // Beyond what a daemon lets in: it may be older, or not be one.
    const reason = "\u001b]0;x\u0007\u001b[31mred\u202etxt.exe\u200b\nsecond\tline\u009b2J"
    const id = await ask("admin")
    const original: Readonly<Record<string, unknown>> = JSON.parse(
      (await as("alice", ["status", id, "-o", "json"])).out
    )
    const liar = createServer((request, response) => {
      response.setHeader("content-type", "application/json")
      const one = {
        ...original,
        reason,
        role: reason,
        missing: [reason],
        findings: [{ policy: reason, says: reason, reasons: [reason] }]
      }
      response.end(JSON.stringify(request.url?.includes(id) === true ? one : { items: [one], nextCursor: null }))
    })
    await new Promise<void>((listening) => liar.listen(0, "127.0.0.1", listening))
    const address = liar.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    try {
      for (const args of [
        ["status"],
        ["status", id],
        ["approve", id],
        ["status", id, "-o", "json"],
        ["status", "-o", "yaml"]
      ]) {
        const { err, out } = await as("bob", [...args, "--server", `http://127.0.0.1:${port}`], { columns: 200 })
        assert.include(out + err, "red")
        assert.notMatch((out + err).replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u, args.join(" "))
      }
      const list = await as("bob", ["status", "--server", `http://127.0.0.1:${port}`])
      assert.lengthOf(list.out.trimEnd().split("\n"), 2)
      const json = await as("bob", ["status", id, "-o", "json", "--server", `http://127.0.0.1:${port}`])
      const read: { readonly reason: string } = JSON.parse(json.out)
      assert.strictEqual(read.reason, reason)
    } finally {
      liar.close()
      liar.closeAllConnections()
    }
  })
})

describe("a terminal", () => {
  it("has colours, unless it does not want them", async () => {
    const seen = (options: Options) =>
      as("alice", ["status", "--limit", "1"], options).then(({ out }) => out.includes("\u001b["))
    assert.isTrue(await seen({ tty: true }))
    assert.isFalse(await seen({ tty: false }))
    assert.isFalse(await seen({ tty: true, env: { NO_COLOR: "1" } }))
    assert.isFalse(await seen({ tty: true, env: { TERM: "dumb" } }))
  })
})
