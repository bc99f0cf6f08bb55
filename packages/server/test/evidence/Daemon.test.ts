/** The daemon with a key: checkpoints follow the log by themselves, and what contradicts them is seen from outside. */
import { Checkpoint, LogKey, Receipt, Signer, VerifierKey } from "@jitsudo/audit"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { freshDirectory, start, type Started } from "../holes/support/StartedDaemon.ts"

const origin = "log.example.test/jitsudo"
const directory = freshDirectory()
const stateFile = join(directory, "signed.json")
const alertFile = join(directory, "alerts.ndjson")
const keyFile = join(directory, "audit.key")
let former = ""
let daemon: Started

const sections = () => ({
  database: { data_dir: join(directory, "data") },
  auth: { auditor_groups: ["sre-leads"] },
  alerts: [{ type: "file", path: alertFile }],
  audit: {
    signing_key_file: keyFile,
    state_file: stateFile,
    previous_keys: [{ key: former, to: 3 }]
  }
})

const path = (rest: string) => `/api/v1alpha1/audit/${rest}`

/** Asks until the answer is as wanted; the test's own time-out ends it. */
const until = async <A>(ask: () => Promise<A>, wanted: (answer: A) => boolean): Promise<A> => {
  for (;;) {
    const answer = await ask()
    if (wanted(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const headOf = async (): Promise<number> => Number((await daemon.call("GET", path("head"), "bob")).json["seq"])

beforeAll(async () => {
  mkdirSync(directory, { recursive: true })
  const { privateKey } = await Effect.runPromise(Signer.generate(origin, VerifierKey.noteType))
  writeFileSync(keyFile, `${Redacted.value(privateKey)}\n`, { mode: 0o600 })
  former = VerifierKey.format((await Effect.runPromise(Signer.generate(origin, VerifierKey.noteType))).key)
  daemon = await start(sections())
}, 60_000)
afterAll(() => daemon.stop())

describe("a daemon with a key", () => {
  it("signs what happens, by itself, and serves the keys of before", { timeout: 60_000 }, async () => {
    const keys = Result.getOrThrow(LogKey.parse((await daemon.call("GET", path("keys"), "alice")).text))
    expect(keys.map(({ from, to }) => [from, to])).toEqual([
      [0, undefined],
      [0, 3]
    ])
    expect(
      VerifierKey.format((keys[1] ?? keys[0])?.key ?? { name: "", id: "", type: 1, publicKey: new Uint8Array() })
    ).toBe(former)
    for (const n of [1, 2, 3]) {
      await daemon.call("POST", "/api/v1alpha1/requests", "eve", {
        provider: "mock",
        role: `reader-${n}`,
        resourceScope: "x",
        durationSeconds: 60,
        reason: "INC-1"
      })
    }
    const head = await headOf()
    expect(head).toBeGreaterThan(3)
    const read = () => daemon.call("GET", path("checkpoint"), "alice")
    const signed = await until(read, ({ status, text }) => status === 200 && Number(text.split("\n")[1]) >= head)
    const trusted = await Effect.runPromise(Checkpoint.verify(signed.text, { keys }))
    expect(trusted.origin).toBe(origin)
    const receipt = await daemon.call("GET", path(`receipt/${head}`), "bob")
    const proved = await Effect.runPromise(Receipt.verify(receipt.text, { keys }))
    expect(proved.seq).toBe(head)
    expect(JSON.parse(readFileSync(stateFile, "utf8"))).toMatchObject({ origin })
    expect((await daemon.call("GET", "/readyz", null)).status).toBe(200)
  })

  it(
    "is not ready, alerts and signs nothing when its file knows more than the database",
    { timeout: 60_000 },
    async () => {
      await daemon.stop()
      const state = readFileSync(stateFile, "utf8")
      const ahead = JSON.stringify({ ...JSON.parse(state), size: 1_000_000 })
      writeFileSync(stateFile, ahead)
      daemon = await start(sections())
      const ready = await until(
        () => daemon.call("GET", "/readyz", null),
        ({ status }) => status === 503
      )
      expect(ready.json["checks"]).toContainEqual(expect.objectContaining({ name: "evidence", ok: false }))
      const alerts = await until(
        () => Promise.resolve(readFileSync(alertFile, "utf8")),
        (text) => text.includes("audit_contradicted")
      )
      expect(alerts).toContain("entries that were signed are gone")
      // It is said once, however the log grows meanwhile.
      const before = await headOf()
      const asked = { provider: "mock", role: "reader", resourceScope: "y", durationSeconds: 60, reason: "INC-2" }
      await daemon.call("POST", "/api/v1alpha1/requests", "eve", asked)
      expect(await headOf()).toBeGreaterThan(before)
      const refusals = async () =>
        Number(
          /^jitsudo_audit_signing_ticks_total\{[^}]*outcome="refused"[^}]*\} (\d+)$/mu.exec(
            (await daemon.call("GET", "/metrics", null)).text
          )?.[1]
        )
      const counted = await refusals()
      await until(refusals, (count) => count > counted + 2)
      const metrics = (await daemon.call("GET", "/metrics", null)).text
      expect(metrics).toMatch(/^jitsudo_audit_signing_refused(?:\{[^}]*\})? 1$/mu)
      const checkpoint = await daemon.call("GET", path("checkpoint"), "alice")
      expect(Number(checkpoint.text.split("\n")[1])).toBeLessThan(await headOf())
      expect(readFileSync(stateFile, "utf8")).toBe(ahead)

      // Put right, it goes on by itself, and alerted once.
      writeFileSync(stateFile, state)
      await until(
        () => daemon.call("GET", "/readyz", null),
        ({ status }) => status === 200
      )
      const head = await headOf()
      await until(
        () => daemon.call("GET", path("checkpoint"), "alice"),
        ({ text }) => Number(text.split("\n")[1]) >= head
      )
      expect(readFileSync(alertFile, "utf8").match(/"event":"audit_contradicted"/gu)).toHaveLength(1)
    }
  )
})
