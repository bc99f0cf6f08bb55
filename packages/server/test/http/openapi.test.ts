/** The description of the API: what is checked in is what is served, and says what a client needs. */
import { Api } from "@jitsudo/client"
import * as OpenApi from "effect/http-api/OpenApi"
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defined } from "./support/Endpoints.ts"
import { startWorld, type World } from "./support/World.ts"

interface Operation {
  readonly summary?: string
  readonly operationId: string
  readonly security?: ReadonlyArray<object>
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
}

const file: Description = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"))
const operations = Object.values(file.paths).flatMap((path) => Object.values(path))

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

describe("openapi.json", () => {
  it("is what the definition gives (npm run openapi -w packages/server)", () => {
    expect(JSON.parse(JSON.stringify(OpenApi.fromApi(Api.Api)))).toEqual(file)
  })

  it("is what the daemon serves", async () => {
    const answer = await world.call("GET", "/openapi.json")
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"])
    expect(answer.json).toEqual(file)
  })

  it("has every endpoint, each with a summary, an id and its problems", () => {
    expect(operations).toHaveLength(defined().length)
    expect(new Set(operations.map((one) => one.operationId)).size).toBe(operations.length)
    for (const { operationId, responses, security, summary } of operations) {
      expect([operationId, (summary ?? "").length > 8]).toEqual([operationId, true])
      if ((security ?? []).length === 0) continue
      for (const status of ["400", "401", "403", "404", "429", "500", "503"]) {
        expect([operationId, status, Object.keys(responses[status]?.content ?? {})]).toEqual([
          operationId,
          status,
          ["application/problem+json"]
        ])
      }
    }
  })

  it("closes what is sent and leaves open what is answered, so that answers may grow", () => {
    const schema = (name: string) => file.components.schemas[name] ?? {}
    expect(schema("CreateRequest")["additionalProperties"]).toBe(false)
    expect(schema("ApplyPolicies")["additionalProperties"]).toBe(false)
    expect(schema("ElevationRequest")["additionalProperties"]).toBeUndefined()
    expect(schema("AuditEntry")["additionalProperties"]).toBeUndefined()
    expect(JSON.stringify(file)).not.toContain("x-effect")
  })
})

describe("/docs", () => {
  it("is a page that loads nothing from elsewhere", async () => {
    const answer = await world.call("GET", "/docs")
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/html"])
    expect(answer.headers.get("content-security-policy")).toContain("connect-src 'self'")
    expect(answer.text).not.toMatch(/<script[^>]+src=/u)
    expect(answer.text).not.toMatch(/<link[^>]+href=["']http/u)
  })
})
