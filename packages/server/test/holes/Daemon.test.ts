/** Holes that only the daemon as it is put together can leave open (docs/spec/closed-holes.md). */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Config from "../../src/Config.ts"
import * as ConfiguredProviders from "../../src/ConfiguredProviders.ts"
import type { Who } from "../http/support/TestIssuer.ts"
import { freshDirectory, start, type Started } from "./support/StartedDaemon.ts"

const api = "/api/v1alpha1"

const ask = { provider: "mock", role: "admin", resourceScope: "demo", durationSeconds: 600, reason: "INC-1" }

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const policy = (more: Readonly<Record<string, unknown>> = {}) => ({
  name: "engineers",
  type: "eligibility",
  files: [{ path: "policy.rego", source: `package jitsudo.eligibility\n\nallow if "sre" in input.requester.groups\n` }],
  ...more
})

describe("a daemon on a new database", () => {
  let daemon: Started
  let metricsPort: number
  beforeAll(async () => {
    metricsPort = await freePort()
    daemon = await start({
      server: { http_addr: "127.0.0.1:0", drain_timeout: "1s", metrics_addr: `127.0.0.1:${metricsPort}` },
      auth: { max_age: "10m", admin_groups: ["jitsudo-admins", "sre-leads"] },
      limits: { max_pending_per_principal: 2 }
    })
  })
  afterAll(() => daemon.stop())

  const entries = async (action: string) => {
    const { json } = await daemon.call("GET", `${api}/audit?action=${action}&limit=100`, "dora")
    return json["items"] as ReadonlyArray<{ readonly payload: string }>
  }

  it("has no policy of its own, so nobody may ask for anything", async () => {
    const listed = await daemon.call("GET", `${api}/policies`, "carol")
    expect(listed.json).toMatchObject({ revision: 0, policies: [] })
    for (const breakGlass of [false, true]) {
      const refused = await daemon.call("POST", `${api}/requests`, "alice", { ...ask, breakGlass })
      expect([refused.status, refused.json["code"]]).toEqual([403, "not_eligible"])
    }
    expect(await entries("request.refused")).toHaveLength(2)
  })

  it("asks for the sign-in that auth.max_age wants, before it does anything", async () => {
    const old = await daemon.issuer.token("carol", { auth_time: Math.floor(Date.now() / 1000) - 3600 })
    const none = await daemon.issuer.token("carol", { auth_time: undefined })
    for (const token of [old, none]) {
      const refused = await daemon.call(
        "POST",
        `${api}/locks`,
        null,
        { target: { kind: "everything" }, reason: "x" },
        token
      )
      expect([refused.status, refused.json["code"]]).toEqual([401, "sign_in_again"])
      expect(refused.headers.get("www-authenticate")).toContain('max_age="600"')
    }
    expect((await daemon.call("GET", `${api}/locks`, "carol")).text).not.toContain("lck_")
    const fresh = await daemon.call("POST", `${api}/locks`, "carol", { target: { kind: "everything" }, reason: "x" })
    expect(fresh.status).toBe(201)
    const { id } = fresh.json as { readonly id: string }
    expect((await daemon.call("DELETE", `${api}/locks/${id}`, "carol")).status).toBe(204)
  })

  it("takes the people of every group in auth.admin_groups for administrators, and no agent", async () => {
    const statuses = async (who: Who) => (await daemon.call("GET", `${api}/policies`, who)).status
    expect([await statuses("carol"), await statuses("bob"), await statuses("alice")]).toEqual([200, 200, 403])
    const agent = await daemon.issuer.token({ subject: "ci", email: null, groups: ["sre-leads"], client: "ci" })
    expect((await daemon.call("GET", `${api}/policies`, null, undefined, agent)).status).toBe(403)
  })

  it("serves what it counts on server.metrics_addr, and there alone", async () => {
    const elsewhere = `http://127.0.0.1:${metricsPort}`
    const metrics = await (await fetch(`${elsewhere}/metrics`)).text()
    for (const name of [
      'jitsudo_jobs{kind="end",state="ready"} 0',
      "jitsudo_endings_needing_attention",
      "jitsudo_requests_live",
      "jitsudo_audit_head",
      "jitsudo_policy_revision",
      "jitsudo_http_requests_total"
    ]) {
      expect(metrics).toContain(name)
    }
    expect((await fetch(`${elsewhere}/readyz`)).status).toBe(200)
    for (const path of ["/metrics", "/readyz", "/healthz"])
      expect((await daemon.call("GET", path, null)).status).toBe(404)
  })

  it("writes down who changed policy, and keeps what a change does not say", async () => {
    const refused = await daemon.call("POST", `${api}/policies`, "alice", { policies: [policy()] })
    expect([refused.status, refused.json["code"]]).toEqual([403, "not_admin"])
    const untyped = await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy({ type: undefined })] })
    expect(untyped.status).toBe(400)
    expect(untyped.text).toContain("type")
    expect((await daemon.call("GET", `${api}/policies`, "carol")).json["revision"]).toBe(0)

    const applied = await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy()] })
    expect([applied.status, applied.text]).toEqual([200, expect.stringContaining('"revision":1')])
    const disabled = await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy({ enabled: false })] })
    expect(disabled.json["revision"]).toBe(2)
    // Neither a new description nor the same source again says anything about `enabled`.
    await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy({ description: "who may ask" })] })
    const stored = await daemon.call("GET", `${api}/policies/engineers`, "dora")
    expect(stored.json).toMatchObject({ enabled: false, updatedBy: expect.anything() })
    expect(stored.text).toContain("carol@example.test")
    const late = await daemon.call("POST", `${api}/policies`, "carol", {
      policies: [policy({ enabled: true })],
      expectRevision: 1
    })
    expect([late.status, late.json["code"]]).toEqual([409, "changed_meanwhile"])
    await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy({ enabled: true })], expectRevision: 3 })
    await daemon.call("DELETE", `${api}/policies/engineers`, "carol")
    await daemon.call("POST", `${api}/policies`, "carol", { policies: [policy({ enabled: true })] })

    const changes = [...(await entries("policy.applied")), ...(await entries("policy.deleted"))]
    expect(changes).toHaveLength(6)
    for (const entry of changes) expect(entry.payload).toContain("carol@example.test")
    expect(await entries("policy.refused")).toHaveLength(2)
  })

  it("takes no more than limits.max_pending_per_principal undecided requests of one person", async () => {
    for (let n = 0; n < 2; n++) {
      const taken = await daemon.call("POST", `${api}/requests`, "alice", ask)
      expect([taken.status, taken.json["state"]]).toEqual([201, "PENDING"])
    }
    const refused = await daemon.call("POST", `${api}/requests`, "alice", ask)
    expect([refused.status, refused.json["code"]]).toEqual([409, "too_many_pending"])
    expect((await daemon.call("POST", `${api}/requests`, "anna", ask)).status).toBe(201)
    const [mine] = (await daemon.call("GET", `${api}/requests`, "alice")).json["items"] as ReadonlyArray<{ id: string }>
    await daemon.call("POST", `${api}/requests/${mine?.id}/cancel`, "alice", {})
    expect((await daemon.call("POST", `${api}/requests`, "alice", ask)).status).toBe(201)
  })
})

describe("a daemon does not start", () => {
  it(
    "on a database that was used for development, nor on an address that is in use",
    { timeout: 120_000 },
    async () => {
      const database = { data_dir: freshDirectory() }
      const development = await start({ database }, { development: true })
      await development.stop()
      await expect(start({ database })).rejects.toThrow(/made by `jitsudod dev`/u)

      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
      const { port } = other.address() as AddressInfo
      try {
        const server = { http_addr: `127.0.0.1:${port}` }
        await expect(start({ database, server }, { development: true })).rejects.toThrow(/is the address in use/u)
      } finally {
        await new Promise((resolve) => other.close(resolve))
      }
    }
  )

  it("without a provider that is configured and cannot be made", async () => {
    const made = (accounts: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const config = yield* Config.load({
          env: {},
          purpose: "providers",
          base: {
            providers: { aws: { role_arn_template: "arn:aws:iam::{scope}:role/{role}", accounts, roles: ["read*"] } }
          }
        })
        return yield* Layer.build(ConfiguredProviders.layer(config.providers))
      }).pipe(Effect.scoped, Effect.result, Effect.runPromise)
    // In the second account it could grant and never revoke.
    expect(await made(["123456789012", "210987654321"])).toMatchObject({
      _tag: "Failure",
      failure: { _tag: "ProviderConfigError", provider: "aws" }
    })
    expect(await made(["123456789012"])).toMatchObject({ _tag: "Success" })
  })
})
