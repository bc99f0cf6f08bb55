/** `audit receipt`, `audit checkpoint`, `audit keys`: what is taken along proves the log without a daemon. */
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let daemon: TestDaemon.TestDaemon
let carol: User
/** Somebody without a daemon and without a sign-in. */
let outsider: User
let requestId = ""

beforeAll(async () => {
  daemon = await TestDaemon.start()
  const alice = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "alice" })
  const asked = await alice.run("request --provider memory --role reader --scope x --reason INC-1 --quiet".split(" "))
  requestId = asked.out.trim()
  alice.remove()
})
afterAll(() => daemon.close())
beforeEach(() => {
  carol = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "carol" })
  outsider = user()
})
afterEach(() => {
  carol.remove()
  outsider.remove()
})

const taken = async () => {
  const file = join(carol.home, "story.tlog-proof")
  const written = await carol.run(["audit", "receipt", requestId, "--file", file])
  assert.deepStrictEqual([written.code, written.out], [0, ""])
  const keys = await carol.run(["audit", "keys"])
  assert.strictEqual(keys.code, 0)
  return { file, key: keys.out.trim(), text: readFileSync(file, "utf8"), said: written.err }
}

describe("audit receipt", () => {
  it("takes along one for each entry of a request, and anybody checks them offline", async () => {
    const { file, key, said, text } = await taken()
    assert.strictEqual(statSync(file).mode & 0o777, 0o600)
    const count = text.split("c2sp.org/tlog-proof@v1\n").length - 1
    assert.isAtLeast(count, 3)
    assert.include(said, `wrote ${count} receipts to ${file}`)
    const checked = await outsider.run(["audit", "receipt", "verify", file, "--key", key])
    assert.deepStrictEqual([checked.code, checked.err], [0, ""])
    assert.strictEqual(checked.out.match(/ yes +is in the log log\.example\.test\/jitsudo/gu)?.length, count)
    const json = await outsider.run(["audit", "receipt", "verify", file, "--key", key, "--output", "json"])
    const found: ReadonlyArray<{ seq: number; payload: string; proved: boolean }> = JSON.parse(json.out)
    assert.isTrue(found.every(({ payload, proved }) => proved && payload.includes(requestId)))
  })

  it("gives one entry's alone, on standard output, and none of another request", async () => {
    const { key, text } = await taken()
    const [first = ""] = text.split(/(?<=\n)(?=c2sp)/u)
    const seq = Number(/^index (\d+)$/mu.exec(first)?.[1]) + 1
    const one = await carol.run(["audit", "receipt", requestId, "--seq", String(seq)])
    assert.strictEqual(one.code, 0)
    const file = join(carol.home, "one.tlog-proof")
    writeFileSync(file, one.out)
    assert.strictEqual((await outsider.run(["audit", "receipt", "verify", file, "--key", key])).code, 0)
    const none = await carol.run(["audit", "receipt", requestId, "--seq", "100000"])
    assert.deepStrictEqual([none.code, none.out], [1, ""])
    assert.include(none.err, `entry 100000 is not about ${requestId}`)
  })

  it("says 1 for what does not prove its entry, and which", async () => {
    const { file, key, text } = await taken()
    const others = [
      // Another entry at this place, a root that was not signed, and one good receipt beside a bad one.
      text.replace(/^index (\d+)$/mu, (_, index: string) => `index ${Number(index) + 1}`),
      text.replace(/^(log\.example\.test\/jitsudo\n\d+\n)./mu, (_, before: string) => `${before}x`),
      `${text}${text.replace(/^extra \S+$/mu, "extra e30=")}`
    ]
    for (const bent of others) {
      assert.notStrictEqual(bent, text)
      writeFileSync(file, bent)
      const checked = await outsider.run(["audit", "receipt", "verify", file, "--key", key])
      assert.strictEqual(checked.code, 1, checked.err)
      assert.include(checked.out, " NO ")
    }
    writeFileSync(file, text)
    const foreign = await carol.run(["audit", "receipt", "verify", file, "--key", anotherKey])
    assert.deepStrictEqual([foreign.code, foreign.out.includes(" yes ")], [1, false])
  })

  it("says 2 for what cannot be checked", async () => {
    const { file, key } = await taken()
    writeFileSync(join(carol.home, "empty"), "")
    for (const args of [
      [join(carol.home, "nowhere"), "--key", key],
      [join(carol.home, "empty"), "--key", key],
      [file, "--key", "no-key"],
      [file]
    ]) {
      const checked = await outsider.run(["audit", "receipt", "verify", ...args])
      assert.deepStrictEqual([args.slice(1), checked.code, checked.out], [args.slice(1), 2, ""])
    }
  })

  it("keeps nothing when the daemon does not give what it proves", async () => {
    const file = join(carol.home, "none.tlog-proof")
    const unknown = await carol.run(["audit", "receipt", "req_01J00000000000000000000000", "--file", file])
    assert.strictEqual(unknown.code, 1)
    assert.isFalse(existsSync(file))
  })
})

/** The key of the examples in c2sp.org/signed-note: somebody else's. */
const anotherKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

describe("audit checkpoint", () => {
  it("is the signed note as it stands", async () => {
    const shown = await carol.run(["audit", "checkpoint"])
    assert.strictEqual(shown.code, 0)
    assert.match(shown.out, /^log\.example\.test\/jitsudo\n\d+\n\S{44}\n\n\u2014 log\.example\.test\/jitsudo \S+\n$/u)
    const json = await carol.run(["audit", "checkpoint", "--output", "json"])
    assert.match(JSON.parse(json.out).note, /^log\.example\.test\/jitsudo\n/u)
  })
})
