/**
 * Bad input for every endpoint, made from the list of endpoints: what must be refused, and what may be taken but must then
 * mean exactly itself. `findings` tries all of it on a world and says where that world falls short.
 */
import { request as rawRequest } from "node:http"
import { AuditChain, Job, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { endpoints, type Endpoint, type Target } from "./Endpoints.ts"
import type { World } from "./World.ts"

/** One call that must be refused. */
export interface Case {
  readonly endpoint: string
  readonly name: string
  readonly method: string
  readonly path: string
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  /** The answer names it, or something above or below it. */
  readonly field?: string
  /** Other statuses than 400 and 404 that are as good. */
  readonly also?: ReadonlyArray<number>
  /** What must not come back. */
  readonly hostile?: string
}

const mebibyte = "A".repeat(1024 * 1024)

/** Text that nobody may store, whatever the field. */
const unspeakable = [
  ["a NUL", "x\u0000y"],
  ["a lone surrogate", "x\ud800y"],
  ["300,000 characters", "B".repeat(300_000)],
  ["a mebibyte", mebibyte]
] as const

const wrongTypes: ReadonlyArray<readonly [string, unknown]> = [
  ["null", null],
  ["a number", 5],
  ["a text", "5"],
  ["a flag", true],
  ["a list", [1]],
  ["an object", { $ne: "" }],
  ["an empty list", []]
]

const badNumbers: ReadonlyArray<readonly [string, string]> = [
  ["zero", "0"],
  ["minus one", "-1"],
  ["a fraction", "1.5"],
  ["1e308", "1e308"],
  ["beyond every number", "1e999"],
  ["beyond exact integers", "9007199254740993"],
  ["minus zero", "-0"]
]

const typeOf = (value: unknown): string => (Array.isArray(value) ? "list" : value === null ? "null" : typeof value)

type Path = ReadonlyArray<string>

/** Every member of a body and what stands there, from the outside in. */
const members = (value: unknown, path: Path = []): ReadonlyArray<readonly [Path, unknown]> =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([name, member]) => [
        [[...path, name], member] as const,
        ...members(member, [...path, name])
      ])

/** A copy with the member at `path` replaced, or left out. */
const changed = (value: unknown, path: Path, by: { readonly to: unknown } | "left out"): unknown => {
  const [name = "", ...rest] = path
  if (Array.isArray(value)) {
    const copy: Array<unknown> = [...value]
    copy[Number(name)] = rest.length === 0 && by !== "left out" ? by.to : changed(copy[Number(name)], rest, by)
    return copy
  }
  const entries = Object.entries(value as object).flatMap(([key, member]) => {
    if (key !== name) return [[key, member] as const]
    if (rest.length > 0) return [[key, changed(member, rest, by)] as const]
    return by === "left out" ? [] : [[key, by.to] as const]
  })
  return Object.fromEntries(entries)
}

/** Stands for a number that JSON can say and JavaScript cannot. */
const marker = "@@number@@"
const text = (body: unknown, number?: string): string =>
  JSON.stringify(body).replace(`"${marker}"`, () => number ?? marker)

/** An enumeration: any other text is wrong. */
const closed: ReadonlyArray<string> = ["type", "action", "digest", "kind", "now"]
/** Free JSON: everything is right. */
const open: ReadonlyArray<string> = ["input"]

const bodyCases = (endpoint: Endpoint, target: Target): ReadonlyArray<Omit<Case, "endpoint" | "method" | "path">> => {
  const valid = endpoint.body?.(target)
  if (valid === undefined) return []
  const optional = endpoint.optional ?? []
  const whole = JSON.stringify(valid)
  const [firstField = "", firstValue] = Object.entries(valid)[0] ?? []
  const again = JSON.stringify(firstValue)
  const wholeCases: ReadonlyArray<Omit<Case, "endpoint" | "method" | "path">> = [
    { name: "no body", body: "", ...(isAllOptional(endpoint, valid) ? { also: [endpoint.status] } : {}) },
    { name: "blanks", body: " \n", ...(isAllOptional(endpoint, valid) ? { also: [endpoint.status] } : {}) },
    { name: "a list", body: `[${whole}]` },
    { name: "a text", body: JSON.stringify(whole) },
    { name: "null", body: "null" },
    { name: "a number", body: "5" },
    { name: "truncated", body: whole.slice(0, -2) },
    { name: "two values", body: `${whole}${whole}` },
    { name: "a trailing comma", body: whole.replace(/\}$/u, ",}") },
    { name: "single quotes", body: whole.replaceAll('"', "'") },
    { name: "a comment", body: `${whole} // harmless` },
    { name: "NaN", body: `{"x":NaN}` },
    { name: "10,000 lists", body: `${"[".repeat(10_000)}${"]".repeat(10_000)}` },
    { name: "10,000 objects", body: `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}` },
    {
      name: "10,000 levels in an unknown field",
      body: whole.replace(/\}$/u, `,"z":${"[".repeat(1e4)}${"]".repeat(1e4)}}`)
    },
    { name: "brackets without end", body: "[".repeat(500_000) },
    { name: "more than a mebibyte", body: `{"x":"${mebibyte}"}`, also: [413], hostile: mebibyte.slice(0, 400) },
    { name: "more than a mebibyte of members", body: `{${'"a":1,'.repeat(200_000)}"b":1}`, also: [413] },
    { name: "100,000 unknown fields", body: `{${Array.from({ length: 60_000 }, (_, n) => `"f${n}":1`).join(",")}}` },
    { name: "bytes that are not UTF-8", body: new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]) },
    { name: "an overlong encoding", body: new Uint8Array([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]) },
    { name: "UTF-16", body: new Uint8Array(Buffer.from(`\ufeff${whole}`, "utf16le")) },
    { name: "a form", body: "a=b", headers: { "content-type": "application/x-www-form-urlencoded" }, also: [415] },
    { name: "XML", body: "<a/>", headers: { "content-type": "application/xml" }, also: [415] },
    { name: "plain text", body: whole, headers: { "content-type": "text/plain" }, also: [415] },
    { name: "parts", body: whole, headers: { "content-type": "multipart/form-data; boundary=x" }, also: [415] },
    {
      name: "another charset",
      body: whole,
      headers: { "content-type": "application/json; charset=utf-16" },
      also: [415]
    },
    { name: "compressed", body: whole, headers: { "content-encoding": "gzip" }, also: [415] },
    {
      name: "a long content type",
      body: whole,
      headers: { "content-type": `x/${"y".repeat(4000)}` },
      also: [415],
      hostile: "y".repeat(400)
    },
    { name: "an unknown field", body: whole.replace(/\}$/u, ',"surprise":1}'), field: "surprise" },
    { name: "a prototype", body: whole.replace(/\}$/u, ',"__proto__":{"admin":true}}'), field: "__proto__" },
    { name: "a constructor", body: whole.replace(/\}$/u, ',"constructor":{"prototype":{}}}'), field: "constructor" },
    {
      name: "a field twice",
      body: whole.replace(/\}$/u, `,${JSON.stringify(firstField)}:${again}}`),
      field: firstField
    },
    {
      name: "a field twice, once in escapes",
      body: whole.replace(
        /\}$/u,
        `,"\\u${firstField.charCodeAt(0).toString(16).padStart(4, "0")}${firstField.slice(1)}":${again}}`
      ),
      field: firstField
    },
    {
      name: "fields in another case",
      body: JSON.stringify({ [firstField.toUpperCase()]: 1 }),
      field: firstField.toUpperCase()
    }
  ]
  const memberCases = members(valid).flatMap(([path, value]) => {
    const field = path.join(".")
    const last = path.at(-1) ?? ""
    if (open.includes(last)) {
      const nested = text(changed(valid, path, { to: marker }), `${"[".repeat(1e4)}${"]".repeat(1e4)}`)
      return [{ name: `${field} nested 10,000 levels deep`, body: nested }]
    }
    const isItem = /^\d+$/u.test(last)
    const missing =
      optional.includes(field) || isItem
        ? []
        : [{ name: `${field} missing`, body: text(changed(valid, path, "left out")), field }]
    const types = wrongTypes
      .filter(([, wrong]) => typeOf(wrong) !== typeOf(value))
      // An empty list has nothing wrong in it.
      .filter(([, wrong]) => !(Array.isArray(value) && Array.isArray(wrong)))
      .map(([name, wrong]) => ({ name: `${field} is ${name}`, body: text(changed(valid, path, { to: wrong })), field }))
    const numbers =
      typeof value !== "number"
        ? []
        : badNumbers
            // Nobody trusted is a tier.
            .filter(([, number]) => !(last === "trustTier" && (number === "0" || number === "-0")))
            .map(([name, number]) => ({
              name: `${field} is ${name}`,
              body: text(changed(valid, path, { to: marker }), number),
              field
            }))
    const texts =
      typeof value !== "string"
        ? []
        : [
            ...unspeakable.map(([name, hostile]) => ({
              name: `${field} with ${name}`,
              body: text(changed(valid, path, { to: hostile })),
              field,
              also: [413],
              ...(hostile.length > 400 ? { hostile: hostile.slice(0, 400) } : {})
            })),
            ...(closed.includes(last)
              ? [
                  { name: `${field} is another word`, body: text(changed(valid, path, { to: "else" })), field },
                  { name: `${field} is empty`, body: text(changed(valid, path, { to: "" })), field }
                ]
              : [])
          ]
    return [...missing, ...types, ...numbers, ...texts]
  })
  const meaningCases = (meaningless[endpoint.name] ?? []).map(([field, wrong], index) => ({
    name: `${field} is meaningless (${index + 1})`,
    body: text({ ...valid, ...wrong }),
    field
  }))
  return [...wholeCases, ...memberCases, ...meaningCases]
}

/** What has the right shape, and is refused for what it says. */
const meaningless: Readonly<Record<string, ReadonlyArray<readonly [string, Readonly<Record<string, unknown>>]>>> = {
  "requests.create": [
    ["provider", { provider: "nowhere" }],
    ["provider", { provider: "memory\u202e" }],
    ["role", { role: "admin\u001b[2J" }],
    ["role", { role: "ad\u200bmin" }],
    ["role", { role: "admin\nroot" }],
    ["resourceScope", { resourceScope: "a\u009bb" }],
    ["durationSeconds", { durationSeconds: 10_000_000 }],
    ["metadata", { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, "v"])) }],
    ["metadata", { metadata: { "a key": "v" } }],
    ["metadata", { metadata: { ["k".repeat(65)]: "v" } }],
    ["metadata", { metadata: JSON.parse('{"__proto__":"v"}') }],
    ["metadata.ticket", { metadata: { ticket: "two\nlines" } }]
  ],
  "requests.extend": [["durationSeconds", { durationSeconds: 10_000_000 }]],
  "policies.apply": [
    [
      "policies.0.files.0",
      { policies: [{ name: "p", type: "eligibility", files: [{ path: "p.rego", source: "broken" }] }] }
    ]
  ],
  "principals.setTrustTier": [["trustTier", { trustTier: 5 }]],
  "locks.create": [
    ["reason", { reason: " " }],
    ["target", { target: { kind: "provider", provider: "" } }],
    ["target", { target: { kind: "everybody" } }]
  ]
}

const isAllOptional = (endpoint: Endpoint, valid: object): boolean =>
  Object.keys(valid).every((name) => endpoint.optional?.includes(name) === true)

/** Names that lead elsewhere, or nowhere. */
const names: ReadonlyArray<readonly [string, string]> = [
  ["upwards", "..%2f..%2f..%2fetc%2fpasswd"],
  ["upwards, plain", ".."],
  ["an encoded slash", "a%2fb"],
  ["a backslash", "..%5c..%5cwindows"],
  ["a NUL", "req_%00"],
  ["bad UTF-8", "%ff%fe"],
  ["half an escape", "%e0%a4"],
  ["SQL", "%27%20OR%201%3D1%20--"],
  ["more SQL", "%27%3B%20DROP%20TABLE%20requests%3B--"],
  ["a shell", "%24%28id%29"],
  ["markup", "%3Cscript%3Ealert%281%29%3C%2Fscript%3E"],
  ["a prototype", "__proto__"],
  ["a constructor", "constructor"],
  ["another id's form", "pol_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  ["lower case", "req_01arz3ndektsv4rrffq69g5fav"],
  ["nobody's id", "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  ["blanks", "%20%20"],
  ["a line feed", "req_%0a"],
  ["5,000 characters", "x".repeat(5000)],
  ["a long escape", "%41".repeat(2000)],
  ["a lone surrogate", "%ed%a0%80"],
  ["a star", "*"],
  ["a null", "null"]
]

const casesOf = async (world: World, endpoint: Endpoint): Promise<ReadonlyArray<Case>> => {
  const target = await endpoint.target(world)
  const common = { endpoint: endpoint.name, method: endpoint.method }
  const path = endpoint.path(target)
  const valid = endpoint.body?.(target)
  const body = valid === undefined ? {} : { body: JSON.stringify(valid) }
  const placeholder = "@@id@@"
  const named = endpoint.named === true ? endpoint.path({ ...target, id: placeholder }) : undefined
  const paths = (named === undefined ? [] : names).map(([name, id]) => ({
    ...common,
    ...body,
    name: `named by ${name}`,
    path: (named ?? "").replace(encodeURIComponent(placeholder), id).replace(placeholder, id),
    also: [405]
  }))
  const queries = Object.entries(endpoint.query ?? {}).flatMap(([name, values]) => [
    ...values.map((value) => ({
      ...common,
      name: `${name}=${JSON.stringify(value.slice(0, 40))}`,
      path: `${path}?${new URLSearchParams({ [name]: value }).toString()}`,
      field: name
    })),
    { ...common, name: `${name} as an object`, path: `${path}?${name}[a]=1`, field: `${name}[a]` },
    ...(name === "limit" ? [{ ...common, name: "limit twice", path: `${path}?limit=1&limit=2`, field: "limit" }] : [])
  ])
  const unknownQuery =
    endpoint.query === undefined
      ? []
      : [
          { ...common, name: "an unknown parameter", path: `${path}?statee=PENDING`, field: "statee" },
          { ...common, name: "a prototype as parameter", path: `${path}?__proto__=1`, field: "__proto__" },
          { ...common, name: "a parameter that cannot be decoded", path: `${path}?%ff=%ff` }
        ]
  const headers = ["requests.create", "requests.extend"].includes(endpoint.name)
    ? ["", "a b", "\u00e9", "k".repeat(256), "a,b c"].map((key) => ({
        ...common,
        ...body,
        name: `Idempotency-Key ${JSON.stringify(key.slice(0, 20))}`,
        path,
        headers: { "idempotency-key": key },
        field: "idempotency-key"
      }))
    : []
  const bodies = bodyCases(endpoint, target).map((one) => ({ ...common, path, ...one }))
  return [...bodies, ...paths, ...queries, ...unknownQuery, ...headers]
}

/** What is stored, as one short text that changes when anything of it does. */
const fingerprint = (world: World): Promise<{ readonly stored: string; readonly head: number }> =>
  world.run(
    Effect.gen(function* () {
      const store = yield* Store.Store
      const requests = yield* store.requests({ filter: {}, limit: 500 })
      const stored = [
        requests.items.map((request) => [request.id, request.version]),
        (yield* store.principals({ limit: 500 })).items.map((one) => [one.subject, one.version]),
        (yield* store.locks).revision,
        (yield* store.policies()).revision.number,
        yield* (yield* Job.Jobs).counts,
        world.platform.grants().length
      ]
      return { stored: JSON.stringify(stored), head: (yield* (yield* AuditChain.AuditChain).head).seq }
    })
  )

/** What was appended after `head`, and is no refusal. */
const unexpectedEntries = (world: World, head: number): Promise<ReadonlyArray<string>> =>
  world.run(
    Effect.gen(function* () {
      const chain = yield* AuditChain.AuditChain
      const entries = yield* chain.read({ from: head + 1, limit: 500, order: "oldest" })
      return entries
        .filter((entry) => !/"outcome":"refused"/u.test(entry.payload) || entry.payload.length > 4096)
        .map((entry) => entry.payload.slice(0, 200))
    })
  )

interface Reply {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Without `fetch`, which tidies paths and headers before they are sent. */
const send = (world: World, token: string, one: Case): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const body = one.body === undefined ? undefined : Buffer.from(one.body)
    const request = rawRequest(
      {
        host: "127.0.0.1",
        port: world.port,
        method: one.method,
        path: one.path,
        agent: false,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json", "content-length": body.length }),
          ...one.headers
        }
      },
      (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          // A stream of events would go on: its beginning is enough to know that the call was taken.
          if (response.headers["content-type"]?.startsWith("text/event-stream") === true) request.destroy()
        })
        response.on("error", reject)
        response.on("close", () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers["content-type"] ?? "",
            text: Buffer.concat(chunks).toString("utf8")
          })
        )
      }
    )
    request.on("error", (error) => resolve({ status: 0, type: "", text: error.message }))
    request.end(body)
  })

interface Said {
  readonly status?: unknown
  readonly code?: unknown
  readonly problems?: ReadonlyArray<{ readonly field?: string; readonly message: string }>
}

const parsed = (reply: Reply): Said | undefined => {
  try {
    return JSON.parse(reply.text) as Said
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const names_ = (said: Said, field: string): boolean =>
  (said.problems ?? []).some(
    ({ field: named = "" }) =>
      named === field || named.startsWith(`${field}.`) || (named !== "" && field.startsWith(`${named}.`))
  )

/** What is wrong with an answer to bad input. */
const objections = (one: Case, reply: Reply): ReadonlyArray<string> => {
  const found: Array<string> = []
  const fine = [400, 404, ...(one.also ?? [])]
  if (!fine.includes(reply.status)) found.push(`answers ${reply.status} ${reply.text.slice(0, 160)}`)
  if (reply.status < 400) return found
  if (reply.type !== "application/problem+json") found.push(`answers with ${reply.type || "no type"}`)
  const said = parsed(reply)
  if (said === undefined || typeof said.code !== "string" || said.status !== reply.status) {
    found.push(`is no problem document: ${reply.text.slice(0, 100)}`)
  } else if (one.field !== undefined && reply.status === 400 && !names_(said, one.field)) {
    found.push(`does not name ${one.field}: ${(JSON.stringify(said.problems) ?? "no problems").slice(0, 200)}`)
  }
  if (reply.text.length > 16_384) found.push(`answers with ${reply.text.length} characters`)
  if (one.hostile !== undefined && reply.text.includes(one.hostile)) found.push("says back what was sent")
  return found
}

export interface Findings {
  readonly cases: number
  readonly found: ReadonlyArray<string>
}

/** Tries everything on this world. `most`: stop after so many findings. */
export const findings = async (
  world: World,
  options: { readonly most?: number; readonly only?: ReadonlyArray<string> } = {}
): Promise<Findings> => {
  const found: Array<string> = []
  const most = options.most ?? 50
  let cases = 0
  for (const endpoint of endpoints) {
    if (options.only !== undefined && !options.only.includes(endpoint.name)) continue
    const token = await world.token(endpoint.as)
    await world.call("GET", "/api/v1alpha1/principals/me", { as: endpoint.as })
    for (const one of await casesOf(world, endpoint)) {
      if (found.length >= most) return { cases, found }
      cases++
      const before = await fingerprint(world)
      const reply = await send(world, token, one)
      const about = `${one.endpoint}, ${one.name}`
      found.push(...objections(one, reply).map((objection) => `${about}: ${objection}`))
      const after = await fingerprint(world)
      if (reply.status >= 400 || reply.status === 0) {
        if (after.stored !== before.stored) found.push(`${about}: leaves something behind`)
        if (after.head !== before.head) {
          for (const entry of await unexpectedEntries(world, before.head)) found.push(`${about}: leaves ${entry}`)
        }
      }
    }
  }
  return { cases, found }
}
