/**
 * What the provider `gcp` sends is what Google's discovery documents describe: method, path, and every field of every
 * body. The documents are an excerpt (`fixtures/gcp-discovery.json`) of what google-api-python-client carries; it is no
 * package for Node, so the excerpt stands here.
 */
import { assert, it } from "@effect/vitest"
import { Time } from "@jitsudo/core"
import { GcpWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import {
  alice,
  custom,
  folder,
  impersonate,
  impersonating,
  leastPrivilege,
  organization,
  project,
  providerOf,
  reader,
  wireOptions
} from "./support/GcpFixture.ts"

interface Field {
  readonly type?: string
  readonly format?: string
  readonly $ref?: string
  readonly enum?: ReadonlyArray<string>
  readonly items?: Field
}
type Fields = Readonly<Record<string, Field>>
interface Method {
  readonly id: string
  readonly httpMethod: string
  readonly flatPath: string
  readonly request: string | null
}
interface Document {
  readonly methods: Readonly<Record<string, Method>>
  readonly schemas: Readonly<Record<string, Fields>>
}

const file = readFileSync(new URL("./fixtures/gcp-discovery.json", import.meta.url), "utf8")
const { source, ...documents }: { source: string } & Record<string, Document> = JSON.parse(file)

const formats: Readonly<Record<string, RegExp>> = {
  byte: /^[A-Za-z0-9+/]+={0,2}$/u,
  "google-duration": /^\d+(?:\.\d{1,9})?s$/u,
  "google-fieldmask": /^[\w.,]+$/u
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is wrong with a value, in words. */
const faultsIn = (value: unknown, field: Field, { schemas }: Document, at: string): ReadonlyArray<string> => {
  const document = { schemas, methods: {} }
  if (field.$ref !== undefined) {
    const fields = schemas[field.$ref]
    if (fields === undefined || !isObject(value)) return [`${at} is no ${field.$ref}`]
    return Object.entries(value).flatMap(([key, inner]) => {
      const known = fields[key]
      return known === undefined ? [`${at}.${key} is unknown`] : faultsIn(inner, known, document, `${at}.${key}`)
    })
  }
  switch (field.type) {
    case "array":
      if (!Array.isArray(value)) return [`${at} is no list`]
      return value.flatMap((one, index) => faultsIn(one, field.items ?? {}, document, `${at}[${index}]`))
    case "string": {
      if (typeof value !== "string") return [`${at} is no text`]
      const form = formats[field.format ?? ""]
      if (form !== undefined && !form.test(value)) return [`${at} is no ${field.format}`]
      return field.enum === undefined || field.enum.includes(value) ? [] : [`${at} is none of its values`]
    }
    case "integer":
      return Number.isInteger(value) ? [] : [`${at} is no integer`]
    default:
      return [`${at} has a type that is not checked: ${field.type}`]
  }
}

const pathOf = (method: Method): RegExp =>
  new RegExp(`^/${method.flatPath.replace(/[.]/gu, "\\.").replace(/\{\w+\}/gu, "[^/:]+")}$`, "u")

/** What is wrong with a request, and the method that it is. */
const judged = ({ body, method, operation, target }: GcpWire.SentRequest) => {
  const { pathname, searchParams } = new URL(target, "http://127.0.0.1")
  for (const document of Object.values(documents)) {
    for (const known of Object.values(document.methods)) {
      if (known.httpMethod !== method || !pathOf(known).test(decodeURIComponent(pathname))) continue
      const query = [...searchParams.keys()].filter((key) => key !== "$alt" && key !== "alt")
      const faults = query.map((key) => `?${key} is unknown`)
      if (known.request === null) return { id: known.id, faults: body === "" ? faults : [...faults, "a body"] }
      // The token endpoint's body is a form and has secrets: the server looks at it.
      if (operation === "sts.token") return { id: known.id, faults }
      return {
        id: known.id,
        faults: [...faults, ...faultsIn(JSON.parse(body), { $ref: known.request }, document, "body")]
      }
    }
  }
  return { id: "none", faults: [`${method} ${pathname} is no method of the documents`] }
}

it.live("every request is one that Google's discovery documents describe", () =>
  Effect.gen(function* () {
    const kinds = ["projects", "folders", "organizations"]
    const permissions = kinds.flatMap((kind) => leastPrivilege.map((one) => one.replace("projects", kind)))
    const wire = yield* GcpWire.scoped(wireOptions([...permissions, ...impersonating, "iam.roles.get"]))
    const resources = [project, folder, organization]
    const roles = ["roles/storage.*", custom]
    for (const fields of [
      { resources, roles },
      { ...impersonate, resources, roles }
    ]) {
      const provider = yield* providerOf(wire, fields)
      for (const [index, [role, resourceScope]] of [
        [reader, project],
        [custom, project],
        [reader, folder],
        [reader, organization]
      ].entries()) {
        const canonical = { role: role ?? "", resourceScope: resourceScope ?? "", durationSeconds: 600 }
        const { facts: checked } = yield* provider.check(canonical, alice)
        const now = Time.make(wire.now())
        const request = {
          ...{ requestId: `req_${String(index).padStart(26, "0")}`, grantee: alice, canonical, checked, now },
          ...{ installation: "prod-eu", reason: "INC-1", metadata: {}, neighbours: [] }
        }
        const { notAfter, reference } = yield* provider.grant(request)
        yield* provider.list()
        yield* provider.end({ ...request, reference, notAfter, why: "early" })
      }
    }
    const found = wire
      .requests()
      .filter(({ operation }) => operation !== "subject token")
      .map(judged)
    assert.deepStrictEqual(
      found.flatMap(({ faults }) => faults),
      []
    )
    assert.deepStrictEqual(
      [...new Set(found.map(({ id }) => id))].toSorted(),
      [
        ...kinds.flatMap((kind) =>
          ["getIamPolicy", "setIamPolicy", "testIamPermissions"].map((verb) => `cloudresourcemanager.${kind}.${verb}`)
        ),
        "iam.projects.roles.get",
        "iam.roles.get",
        "iamcredentials.projects.serviceAccounts.generateAccessToken",
        "sts.token"
      ].toSorted()
    )
    assert.include(source, "Apache License 2.0")
  })
)

it.each([
  [
    "a field that Google does not know",
    "/v3/projects/p:setIamPolicy",
    '{"policy":{"binding":[]}}',
    "body.policy.binding is unknown"
  ],
  [
    "a list that is none",
    "/v3/projects/p:setIamPolicy",
    '{"policy":{"bindings":{}}}',
    "body.policy.bindings is no list"
  ],
  [
    "an etag that is no base64",
    "/v3/projects/p:setIamPolicy",
    '{"policy":{"etag":"é"}}',
    "body.policy.etag is no byte"
  ],
  ["a version in words", "/v3/folders/1:getIamPolicy", '{"options":{"requestedPolicyVersion":"3"}}', "is no integer"],
  [
    "a lifetime in numbers",
    "/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
    '{"lifetime":"3600"}',
    "is no google-duration"
  ],
  ["another path", "/v3/projects/p:grantIamPolicy", "{}", "is no method of the documents"],
  ["another query", "/v3/projects/p:getIamPolicy?force=true", "{}", "?force is unknown"]
])("%s would be seen", (_, target, body, fault) => {
  const { faults } = judged({ operation: "x", method: "POST", target, body })
  assert.strictEqual(faults.length, 1)
  assert.include(faults[0] ?? "", fault)
})

it("the SDK knows every field of a policy's bindings, so that writing back what was read loses nothing", () => {
  interface Node {
    readonly fields?: Readonly<Record<string, unknown>>
    readonly nested?: Readonly<Record<string, Node>>
  }
  const file = createRequire(import.meta.url).resolve("@google-cloud/resource-manager/build/protos/protos.json")
  const root: Node = JSON.parse(readFileSync(file, "utf8"))
  const fieldsOf = (...path: ReadonlyArray<string>): ReadonlyArray<string> =>
    Object.keys(path.reduce<Node | undefined>((node, name) => node?.nested?.[name], root)?.fields ?? {})
  const schemas = documents["cloudresourcemanager.v3"]?.schemas ?? {}
  for (const [schema, path] of [
    ["Policy", ["google", "iam", "v1", "Policy"]],
    ["Binding", ["google", "iam", "v1", "Binding"]],
    ["Expr", ["google", "type", "Expr"]]
  ] as const) {
    const known = Object.keys(schemas[schema] ?? {})
    assert.isAbove(known.length, 2)
    assert.includeMembers([...fieldsOf(...path)], known)
  }
})
