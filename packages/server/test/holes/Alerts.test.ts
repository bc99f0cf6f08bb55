/** What people write is data in an alert, too (hole D-87 of docs/spec/closed-holes.md). */
import { Notification } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { mkdirSync } from "node:fs"
import { expect, it } from "vitest"
import * as Alerts from "../../src/Alerts.ts"
import { freshDirectory } from "./support/StartedDaemon.ts"

const reason = 'all fine\n{"event":"lock_changed"}\r\n\u001b[2J <!channel> <https://evil.example.test|approve> \u2028 "'

const alert: Notification.Notification = {
  id: "ntf_1",
  event: "break_glass",
  requestId: "req_1",
  facts: { requester: "alice@example.test", reason }
}

const deliver = (path: string, notification: Notification.Notification) =>
  Notification.Notifier.use((notifier) => notifier.deliver(notification)).pipe(
    Effect.provide(Alerts.layer([{ name: "pager", type: "file", path }])),
    Effect.result,
    Effect.runPromise
  )

it("an alert is one line for its owner, whatever its reason says", async () => {
  const file = join(freshDirectory(), "alerts.jsonl")
  mkdirSync(dirname(file))
  for (const id of ["ntf_1", "ntf_2"]) expect(await deliver(file, { ...alert, id })).toMatchObject({ _tag: "Success" })
  const lines = readFileSync(file, "utf8").trimEnd().split("\n")
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { id: "ntf_1", event: "break_glass", facts: { reason } },
    { id: "ntf_2", event: "break_glass", facts: { reason } }
  ])
  expect(lines.join("")).not.toMatch(/[\u0000-\u001f]/u)
  expect(statSync(file).mode & 0o077).toBe(0)
})

it("a channel that cannot be written to has not taken the alert, and says why", async () => {
  expect(await deliver(join(freshDirectory(), "nowhere", "alerts.jsonl"), alert)).toMatchObject({
    _tag: "Failure",
    failure: { _tag: "NotifyError", channel: "pager", message: expect.stringContaining("ENOENT") }
  })
})
