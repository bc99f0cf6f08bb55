/** `server reconcile`: what is shown, what is done, and with which exit code it ends. */
import { Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as TestDaemon from "./support/TestDaemon.ts"
import { user, type User } from "./support/Cli.ts"

let daemon: TestDaemon.TestDaemon
let home: User

beforeEach(async () => {
  daemon = await TestDaemon.start()
  home = user({ JITSUDO_SERVER: daemon.url })
})
afterEach(async () => {
  home.remove()
  await daemon.close()
})

const reconcile = (who: string, ...args: ReadonlyArray<string>) =>
  home.run(["server", "reconcile", ...args], { env: { JITSUDO_TOKEN: who } })

/** A right with a mark that no request here knows. */
const leave = (requestId: string, installation: string | null) =>
  Effect.runPromise(
    daemon.provider.grant({
      requestId,
      ...(installation === null ? {} : { installation }),
      grantee: { issuer: "https://idp.test", subject: "alice", email: null },
      canonical: { role: "reader", resourceScope: "prod", durationSeconds: 3600 },
      checked: { role: "reader" },
      reason: "",
      metadata: {},
      now: Time.make(Date.now()),
      neighbours: []
    })
  )

const ours = "req_01J00000000000000000000001"
const nobodys = "req_01J00000000000000000000002"
const theirs = "req_01J00000000000000000000003"

describe("server reconcile", () => {
  it("says that nothing differs", async () => {
    assert.deepStrictEqual(await reconcile("carol", "--dry-run"), { code: 0, out: "", err: "nothing differs\n" })
    assert.deepStrictEqual(await reconcile("carol"), { code: 0, out: "", err: "nothing differs\n" })
  })

  it("shows whose each mark is, for people, for programs and for scripts, and changes nothing", async () => {
    await leave(ours, "here")
    await leave(nobodys, null)
    await leave(theirs, "there")
    const shown = await reconcile("carol", "--dry-run")
    assert.strictEqual(shown.code, 6)
    assert.match(shown.out, /memory +orphan +req_01J00000000000000000000001 +here /u)
    assert.match(shown.out, /memory +unclaimed +req_01J00000000000000000000002 /u)
    assert.match(shown.out, /memory +foreign +req_01J00000000000000000000003 +there /u)
    assert.match(shown.err, /1 unclaimed: .*--take-back/u)
    const json: {
      readonly dryRun: boolean
      readonly installation: string
      readonly providers: ReadonlyArray<{ readonly orphans: ReadonlyArray<{ readonly requestId: string }> }>
    } = JSON.parse((await reconcile("carol", "--dry-run", "-o", "json")).out)
    assert.deepStrictEqual([json.dryRun, json.installation], [true, "here"])
    assert.deepStrictEqual(
      json.providers.flatMap((one) => one.orphans.map(({ requestId }) => requestId)),
      [ours]
    )
    assert.strictEqual((await reconcile("carol", "--dry-run", "-q")).out, `${ours}\n${nobodys}\n`)
    assert.strictEqual(daemon.platform.live().length, 3)
  })

  it("acts: orphans wait for their grace period, what is nobody's waits for a word", async () => {
    await leave(ours, "here")
    assert.strictEqual((await reconcile("carol")).code, 0)
    await leave(nobodys, null)
    assert.strictEqual((await reconcile("carol")).code, 6)
    assert.strictEqual(daemon.platform.live().length, 2)
    const given = await reconcile("carol", "--take-back", nobodys, "--take-back", theirs)
    assert.strictEqual(given.code, 6)
    assert.match(given.err, /not taken back, not there or live here: req_01J00000000000000000000003/u)
    assert.deepStrictEqual(
      daemon.platform.live().map((one) => one.requestId),
      [ours]
    )
    assert.strictEqual((await reconcile("carol", "--take-back", ours)).code, 0)
    assert.strictEqual(daemon.platform.live().length, 0)
  })

  it("takes no word for a dry run, and nobody but an administrator", async () => {
    assert.strictEqual((await reconcile("carol", "--dry-run", "--take-back", ours)).code, 2)
    assert.strictEqual((await reconcile("alice", "--dry-run")).code, 4)
    assert.strictEqual((await reconcile("alice")).code, 4)
  })

  it("ends with 1 when a provider could not be compared", async () => {
    daemon.platform.inject("list", { kind: "failBefore" })
    assert.strictEqual((await reconcile("carol", "--dry-run")).code, 1)
  })
})
