/** `jitsudod provider check` and `provider list`: nothing is written, and scripts have an exit code to go by. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Config from "../src/Config.ts"
import * as ProviderCheck from "../src/ProviderCheck.ts"

let directory = ""
let file = ""
let state = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "jitsudo-check-"))
  file = join(directory, "jitsudod.yaml")
  state = join(directory, "state.jsonl")
  writeFileSync(file, JSON.stringify({ providers: { mock: { roles: ["reader"], state_file: state } } }))
})
afterAll(() => rmSync(directory, { recursive: true }))

const configOf = (providers: unknown) =>
  Effect.runPromise(Config.load({ env: {}, base: { providers }, purpose: "providers" }))

const check = async (providers: unknown, question: Partial<ProviderCheck.Question> = {}) =>
  Effect.runPromise(
    ProviderCheck.check(await configOf(providers), { name: "mock", right: null, grantee: null, ...question })
  )

const jitsudod = async (...args: ReadonlyArray<string>) => {
  const program = fileURLToPath(new URL("../src/bin.ts", import.meta.url))
  const child = spawn(process.execPath, ["--conditions=@jitsudo/source", program, "provider", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "" }
  })
  let out = ""
  let err = ""
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")))
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")))
  const [code]: ReadonlyArray<unknown> = await once(child, "close")
  return { code, out, err }
}

const reader = { role: "reader", scope: "demo", durationSeconds: null }

describe("provider check", () => {
  it("asks for an hour as far as it is granted, and leaves nothing at the platform", async () => {
    const report = await check({ mock: { max_duration_seconds: 1800, state_file: state } }, { right: reader })
    expect(report).toMatchObject({ provider: "mock", plugin: "mock", ok: true })
    expect(report.findings.map(({ ok, what }) => [what, ok])).toEqual([
      ["configuration", true],
      ["parse", true],
      ["check of reader on demo", true],
      ["list of what carries jitsudo's mark", true],
      ["inspect of a grant that never was", true]
    ])
    expect(existsSync(state)).toBe(false)
  })

  it("finds a role that the platform does not have", async () => {
    const report = await check({ mock: { roles: ["reader"] } }, { right: { ...reader, role: "writer" } })
    expect(report.ok).toBe(false)
    expect(report.findings.find(({ ok }) => ok === false)).toMatchObject({
      what: "check of writer on demo",
      hint: /RoleNotFound.*`providers\.mock\.roles`/u
    })
  })

  it("calls a provider that cannot be made a finding, and says of a second one where its keys are", async () => {
    const aws = { accounts: ["123456789012", "210987654321"], roles: ["x"], account_id: "123456789012" }
    const report = await check({ "aws-lab": { plugin: "aws", config: aws } }, { name: "aws-lab" })
    expect(report.findings).toMatchObject([
      { what: "configuration", ok: false, hint: /^providers\.aws-lab\.config\.revoker_role_arn_template: /u }
    ])
  })

  it("knows no provider that is not configured", async () => {
    const wrong = await Effect.runPromise(
      Effect.flip(ProviderCheck.check(await configOf({ mock: {} }), { name: "mack", right: null, grantee: null }))
    )
    expect(wrong.message).toBe("no provider mack is configured; there are: mock")
  })

  it("shows people what to do, and no control characters of a platform", () => {
    const text = ProviderCheck.text({
      provider: "x",
      plugin: "x",
      ok: false,
      findings: [
        { what: "credentials", ok: true, missing: null, hint: "signed in as \u001b[31mroot" },
        { what: "iam:PutRolePolicy", ok: false, missing: "iam:PutRolePolicy", hint: "Allow it." },
        { what: "sts:AssumeRole", ok: null, missing: null, hint: "" }
      ]
    })
    expect(text).toBe(
      [
        "ok  credentials        signed in as  [31mroot",
        "NO  iam:PutRolePolicy  missing: iam:PutRolePolicy; Allow it.",
        "?   sts:AssumeRole"
      ].join("\n")
    )
  })

  it("ends with 0, 6, 1 and 2, and speaks JSON", { timeout: 120_000 }, async () => {
    const config = ["--config", file]
    const [good, wrong, unknown, usage] = await Promise.all([
      jitsudod("check", "mock", ...config, "--role", "reader", "--scope", "demo", "-o", "json"),
      jitsudod("check", "mock", ...config, "--role", "writer", "--scope", "demo", "--duration", "5m"),
      jitsudod("check", "aws", ...config),
      jitsudod("check", "mock", ...config, "--duration", "soon")
    ])
    expect([good.code, good.err]).toEqual([0, ""])
    expect(JSON.parse(good.out)).toMatchObject({ provider: "mock", ok: true })
    expect(wrong.code).toBe(6)
    expect(wrong.out).toMatch(/^NO {2}check of writer on demo +RoleNotFound/mu)
    expect(wrong.err).toContain("1 of 4 must be put right")
    expect([unknown.code, unknown.out]).toEqual([1, ""])
    expect(unknown.err).toContain("there are: mock")
    expect(usage.code).toBe(2)
  })
})

describe("provider list", () => {
  it("says what is configured and whether it can be made", async () => {
    const aws = { accounts: ["123456789012", "210987654321"], roles: ["x"], account_id: "123456789012" }
    const rows = await Effect.runPromise(ProviderCheck.list(await configOf({ mock: {}, aws })))
    expect(rows).toMatchObject([
      { name: "mock", plugin: "mock", path: "providers.mock", problem: null, capabilities: { listing: true } },
      { name: "aws", problem: /revoker_role_arn_template/u, capabilities: null }
    ])
    const [head = "", first = ""] = ProviderCheck.listText(rows).split("\n")
    expect([head.split(/ +/u), first.split(/ +/u)]).toEqual([
      ["NAME", "PLUGIN", "AT", "STATE"],
      ["mock", "mock", "providers.mock", "ok"]
    ])
  })

  it("says what to do where nothing is configured", () => {
    expect(ProviderCheck.listText([])).toContain("add a section under `providers`")
  })
})
