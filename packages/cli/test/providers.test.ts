/** `server providers`: what can be granted here, and what goes on working after an early end. */
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { user, type User } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let daemon: TestDaemon.TestDaemon
let home: User

beforeEach(async () => {
  daemon = await TestDaemon.start()
  home = user({ JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "alice" })
})
afterEach(async () => {
  home.remove()
  await daemon.close()
})

describe("server providers", () => {
  it("shows them to people, with what early revocation does", async () => {
    const { code, err, out } = await home.run(["server", "providers"])
    assert.deepStrictEqual([code, err], [0, ""])
    const [head = "", row = ""] = out.split("\n")
    assert.match(head, /^NAME +FOR +ENDS BY ITSELF +RECONCILED +EARLY END +WHAT GOES ON *$/u)
    assert.match(row, /^memory +\S+ to \S+ +yes +yes +at once +It stops at once\. *$/u)
  })

  it("gives programs the API's own rows, and scripts the names", async () => {
    const { out } = await home.run(["server", "providers", "--output", "json"])
    const [one] = JSON.parse(out)
    assert.deepStrictEqual(Object.keys(one).toSorted(), [
      "earlyRevocation",
      "inspection",
      "listing",
      "maxDurationSeconds",
      "minDurationSeconds",
      "name",
      "nativeExpiry"
    ])
    assert.strictEqual((await home.run(["server", "providers", "-q"])).out, "memory\n")
  })

  it("is for those who are signed in", async () => {
    const { code } = await home.run(["server", "providers"], { env: { JITSUDO_TOKEN: "nobody-here" } })
    assert.strictEqual(code, 3)
  })
})
