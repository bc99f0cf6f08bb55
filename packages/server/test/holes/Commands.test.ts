/** `jitsudod` as a program: what it says when it does not start, and how it ends (holes D-90 and D-94). */
import { Signer, VerifierKey } from "@jitsudo/audit"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach, describe, expect, it } from "vitest"
import * as DevLogin from "../../src/testing/DevLogin.ts"
import { freshDirectory } from "./support/StartedDaemon.ts"

const program = fileURLToPath(new URL("../../src/bin.ts", import.meta.url))

const children: Array<ChildProcess> = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill("SIGKILL")
    await once(child, "exit")
  }
})

const jitsudod = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) => {
  const child = spawn(process.execPath, ["--conditions=@jitsudo/source", program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"] ?? "", ...env }
  })
  children.push(child)
  const said = { out: "", err: "" }
  child.stdout.on("data", (chunk: Buffer) => (said.out += chunk.toString("utf8")))
  child.stderr.on("data", (chunk: Buffer) => (said.err += chunk.toString("utf8")))
  const ended = once(child, "close").then(([code]: ReadonlyArray<unknown>) => code)
  return { child, said, ended }
}

describe("audit key generate", () => {
  it("makes a private key that only its owner reads, says the public one, and overwrites nothing", async () => {
    const directory = freshDirectory()
    mkdirSync(directory)
    const file = join(directory, "audit.key")
    const args = ["audit", "key", "generate", "--origin", "log.example.test/jitsudo", "--out", file]
    const made = jitsudod(args)
    expect([await made.ended, made.said.err]).toEqual([0, ""])
    const text = readFileSync(file, "utf8")
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { key } = await Effect.runPromise(Signer.parse(Redacted.make(text)))
    expect(made.said.out).toBe(`${VerifierKey.format(key)}\n`)
    expect(key.name).toBe("log.example.test/jitsudo")

    const again = jitsudod(args)
    expect([await again.ended, again.said.out]).toEqual([1, ""])
    expect(again.said.err).toContain("EEXIST")
    expect(readFileSync(file, "utf8")).toBe(text)
    const spaced = jitsudod([...args.slice(0, 4), "a name", "--out", join(directory, "other.key")])
    expect([await spaced.ended, spaced.said.out]).toEqual([2, ""])
  })
})

describe("a command that cannot be run", () => {
  it("ends with 2 and the mistake on standard error", async () => {
    const { ended, said } = jitsudod(["serve", "--confg", "x.yaml"])
    expect([await ended, said.out]).toEqual([2, ""])
    expect(said.err).toContain("--confg")
  })

  it("ends with 1 and every fault of its configuration, and no secret", async () => {
    const directory = freshDirectory()
    mkdirSync(directory)
    const file = join(directory, "jitsudod.yaml")
    const text = JSON.stringify({ database: { url: "postgres://jitsudo:hush-hush@db.example.test/x" }, surplus: 1 })
    writeFileSync(file, text)
    for (const args of [["serve"], ["config", "check"]]) {
      const { ended, said } = jitsudod([...args, "--config", file])
      expect(await ended).toBe(1)
      for (const fault of ["surplus", "auth.issuers", "sealing.keys"]) expect(said.err).toContain(fault)
      expect(said.err + said.out).not.toContain("hush-hush")
    }
    // Nothing writes to a configuration.
    expect(readFileSync(file, "utf8")).toBe(text)
  })
})

describe("the keys of the configuration", () => {
  it("are listed with meaning, default and variable, those of every built-in provider too", async () => {
    const { ended, said } = jitsudod(["config", "keys"])
    expect([await ended, said.err]).toEqual([0, ""])
    expect(said.out).toContain('server.http_addr: address, default "127.0.0.1:8080"  JITSUDOD_HTTP_ADDR\n    Where')
    for (const name of ["aws", "azure", "gcp", "kubernetes", "mock"]) expect(said.out).toContain(`\nproviders.${name}.`)
    expect(said.out).toContain("JITSUDOD_DATABASE_URL (or JITSUDOD_DATABASE_URL_FILE)")
  })
})

describe("a daemon that is told to stop", () => {
  it("lets a request finish, and a second signal ends it at once", { timeout: 120_000 }, async () => {
    const directory = freshDirectory()
    const { child, ended, said } = jitsudod(["dev", "--quiet", "--data-dir", directory], {
      JITSUDOD_HTTP_ADDR: "127.0.0.1:0",
      JITSUDOD_DEV_ISSUER_ADDR: "127.0.0.1:0",
      JITSUDOD_LOG_LEVEL: "error"
    })
    await expect.poll(() => said.out, { timeout: 60_000 }).toContain("\n")
    const { api, issuer }: { readonly api: string; readonly issuer: string } = JSON.parse(said.out)
    const { accessToken } = await Effect.runPromise(DevLogin.tokenFor({ issuer, person: "alice" }))
    const before = (await (await fetch(`${api}/metrics`)).text()).match(/in_flight (\d+)/u)?.[1]
    expect(before).toBeDefined()
    // Half a request: the daemon waits for the rest of it.
    const socket = connect(Number(new URL(api).port), "127.0.0.1")
    socket.on("error", () => undefined)
    socket.write(
      `POST /api/v1alpha1/requests HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${Redacted.value(accessToken)}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`
    )
    await expect
      .poll(async () => (await (await fetch(`${api}/metrics`)).text()).match(/in_flight (\d+)/u)?.[1], {
        timeout: 20_000
      })
      .toBe("2")
    child.kill("SIGTERM")
    await expect
      .poll(
        () =>
          fetch(`${api}/healthz`).then(
            () => "taken",
            () => "refused"
          ),
        { timeout: 20_000 }
      )
      .toBe("refused")
    expect(child.exitCode).toBeNull()
    // Signals within a second of the first count as the same one: it is sent again until it is another.
    await expect.poll(() => child.kill("SIGTERM") && child.exitCode, { timeout: 15_000, interval: 200 }).not.toBeNull()
    expect(await ended).toBe(130)
    socket.destroy()
  })
})
