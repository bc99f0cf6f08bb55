/** What no store takes, whatever it holds, and that everything else passes. */
import { describe, expect, it } from "vitest"
import type { Step, Write } from "../src/Step.ts"
import { whyMalformed, whyNotStorable } from "../src/StepShape.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"

const { ana, ben, monday, pending } = Fixtures

const step = (more: Partial<Step>): Step => ({
  id: Fixtures.id("stp", 1),
  now: monday,
  guards: [],
  writes: [],
  entries: [],
  jobs: [],
  ...more
})

const use = (route: string): Write => ({
  kind: "idempotency",
  principal: Fixtures.keyFor(ana),
  route,
  key: "k",
  bodyHash: "b",
  requestId: pending().id
})

const principal = (expect: number, version: number): Write => ({
  kind: "principal",
  expect,
  next: { ...ana, version }
})

const policies = (expect: number, ...ids: ReadonlyArray<number>): Write => ({
  kind: "policies",
  expect,
  hash: "a".repeat(64),
  policies: ids.map((n) => Fixtures.policy(`p${n}`, { id: Fixtures.id("pol", n % 10) }))
})

describe("a step is well formed", () => {
  const job = Fixtures.job("j", monday)
  it.each<readonly [string, Partial<Step>]>([
    ["with nothing in it", {}],
    ["that inserts", { writes: [{ kind: "request", expect: 0, next: pending() }, principal(0, 1)] }],
    ["that replaces", { writes: [principal(7, 8)] }],
    ["that writes two principals", { writes: [principal(1, 2), { kind: "principal", expect: 0, next: ben }] }],
    [
      "that settles a job twice and moves it",
      {
        writes: [
          { kind: "settle", jobId: "j" },
          { kind: "settle", jobId: "j" },
          { kind: "reschedule", jobId: "j", runAt: monday }
        ]
      }
    ],
    ["that replaces a job", { writes: [{ kind: "settle", jobId: "j" }], jobs: [job] }],
    ["that uses one key on two routes", { writes: [use("a"), use("b")] }],
    ["with a job after one that it queues", { jobs: [job, { ...job, id: "k", after: "j" }] }],
    ["with strange text", { jobs: [{ ...job, payload: { "😀": "ä\u0001\u2028\ufffe" } }] }]
  ])("%s", (_, more) => {
    expect(whyMalformed(step(more))).toBeNull()
  })
})

describe("a step is malformed", () => {
  const twice = (write: Write): Partial<Step> => ({ writes: [write, write] })
  it.each<readonly [string, Partial<Step>]>([
    ["the step has no id", { id: "" }],
    ["a request has no id", { writes: [{ kind: "request", expect: 0, next: pending({ id: "" }) }] }],
    ["a lock has no id", { writes: [{ kind: "lock", lock: Fixtures.lock({ kind: "everything" }, { id: "" }) }] }],
    ["from version 1 to 3, not to 2", { writes: [principal(1, 3)] }],
    ["from version 1 to 1, not to 2", { writes: [principal(1, 1)] }],
    ["from version 2 to 1, not to 3", { writes: [principal(2, 1)] }],
    ["expects version -1", { writes: [principal(-1, 0)] }],
    ["expects version 0.5", { writes: [principal(0.5, 1.5)] }],
    ["expects version NaN", { writes: [policies(Number.NaN)] }],
    ["writes request", twice({ kind: "request", expect: 0, next: pending() })],
    ["writes principal", twice(principal(0, 1))],
    ["writes lock", twice({ kind: "unlock", id: "lck" })],
    [
      "writes lock",
      {
        writes: [
          { kind: "lock", lock: Fixtures.locks.mock },
          { kind: "unlock", id: Fixtures.locks.mock.id }
        ]
      }
    ],
    ["writes policies", { writes: [policies(0), policies(1)] }],
    ["writes credentials", twice({ kind: "credentials", requestId: "req", sealed: null })],
    ["writes idempotency key k", twice(use("a"))],
    ["writes the due time of job j", twice({ kind: "reschedule", jobId: "j", runAt: monday })],
    ["two policies are called p1", { writes: [policies(0, 1, 1)] }],
    ["two policies have the id", { writes: [policies(0, 1, 11)] }],
    [
      "jobs[0].payload.list[1].text contains U+0000",
      {
        jobs: [Fixtures.job("j", monday, { payload: { list: [1, { text: "\u0000" }] } })]
      }
    ],
    ["the guard policy is 0.5", { guards: [{ kind: "policy", revision: 0.5 }] }],
    ["the guard request is NaN", { guards: [{ kind: "request", id: "req", version: Number.NaN }] }],
    ["the guard lease is Infinity", { guards: [{ kind: "lease", jobId: "j", lease: Number.POSITIVE_INFINITY }] }],
    ["entries[0].payload contains a lone surrogate", { entries: [{ id: "ent", payload: "\udc00", texts: [] }] }],
    ["a name in jobs[0].payload contains U+0000", { jobs: [Fixtures.job("j", monday, { payload: { "\u0000": 1 } })] }],
    [
      "jobs[0].payload.n is Infinity",
      { jobs: [Fixtures.job("j", monday, { payload: { n: Number.POSITIVE_INFINITY } })] }
    ]
  ])("%s", (why, more) => {
    expect(whyMalformed(step(more))).toContain(why)
  })
})

describe("a value cannot be stored", () => {
  it.each([
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["bytes", new Uint8Array(1)],
    ["undefined", undefined],
    ["a function", () => 1],
    ["a big integer", 1n],
    ["a symbol", Symbol("s")],
    ["not a number", Number.NaN]
  ])("that is %s", (_, value) => {
    expect(whyNotStorable({ value })).toContain("value is")
    expect(whyNotStorable([null, [value]])).toContain("[1][0] is")
  })
})
