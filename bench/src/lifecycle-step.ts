/**
 * What the rules cost without any database: `decide` and `apply` alone, and a whole step (read, decide, write state,
 * link and hash the entries) through `Transitions` on the in-memory store.
 *
 * Floor: one SHA-256 of 500 bytes, about what one audit entry must cost whatever is around it.
 */
import { ChainHasher as NodeHasher } from "@jitsudo/audit"
import { ChainHasher, Elevation, Event, Ids, Settings, Store, Time, Transitions } from "@jitsudo/core"
import { MemoryStore } from "@jitsudo/core/memory"
import { Fixtures } from "@jitsudo/core/testing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { hash, randomBytes } from "node:crypto"
import { closedLoop, hotLoop, summary } from "./Load.ts"
import { acting, person } from "./People.ts"
import { report, row } from "./Rows.ts"

const turns = 5
const millis = 400

const now = Time.make(Date.now())
const ana = acting(person("ana", ["sre"], now))
const ben = acting(person("ben", ["sre-leads"], now))
const random = (size: number) => randomBytes(size)
const facts: Elevation.Facts = { now, locks: { revision: 0, active: [] }, settings: Settings.defaults }

const answers: Elevation.PolicyAnswers = {
  revision: 0,
  hash: "0".repeat(64),
  eligibility: { allowed: true, reasons: [], maxTotalSeconds: null, blockOnOpenReview: false, findings: [] },
  routing: {
    tier: "human",
    stages: [{ policy: "sre", groups: ["sre-leads"], users: [], quorum: 1 }],
    openQuorum: 1,
    findings: [{ policy: "sre", says: "human", reasons: [] }]
  },
  heldSeconds: 0
}
const admission = { allowed: true, denied: false, reasons: [], findings: [] }

const submit = (id: string): Elevation.Submit => ({
  type: "Submit",
  id,
  by: ana,
  asked: Fixtures.asked,
  roleAsked: Fixtures.asked.role,
  digest: Fixtures.digest,
  checked: {},
  labels: { facts_ok: true },
  channel: "cli",
  sourceIp: "192.0.2.7",
  extends: null,
  openReviews: 0,
  answers
})

const approve: Elevation.Approve = {
  type: "Approve",
  by: ben,
  comment: "as agreed",
  digest: Fixtures.digest,
  admission,
  requester: ana,
  earlier: [],
  answers
}

const asked = Event.apply(
  undefined,
  Result.getOrThrow(Elevation.decide(undefined, submit(Ids.make("req", now, random)), facts)).events,
  now
)

const decided = (before: typeof asked | undefined, command: Elevation.Command) => {
  const { events } = Result.getOrThrow(Elevation.decide(before, command, facts))
  return Event.apply(before, events, now)
}

if (decided(asked, approve).state !== "APPROVED") throw new Error("the approval that is measured does not approve")

const text = "x".repeat(500)
const hashes = hotLoop(turns, millis, () => hash("sha256", text))
const command = submit(asked.id)
const asking = hotLoop(turns, millis, () => decided(undefined, command))
const approving = hotLoop(turns, millis, () => decided(asked, approve))

const whole = Effect.gen(function* () {
  const transitions = yield* Transitions.Transitions
  const store = yield* Store.Store
  const { now: first } = yield* store.facts({})
  const key = { issuer: ana.principal.issuer, subject: ana.principal.subject }
  yield* transitions.commit({
    now: first,
    writes: [{ kind: "principal", expect: 0, next: ana.principal }],
    records: []
  })
  const step = () =>
    transitions.run({
      query: { principals: [key] },
      resourceKey: () => "mock:project/checkout",
      prepare: (read) =>
        Effect.succeed({
          command: submit(Ids.make("req", read.now, random)),
          rests: { policy: true, principals: true, locks: true }
        })
    })
  yield* closedLoop(1, millis, step)
  return summary(yield* Effect.all(Array.from({ length: turns }, () => closedLoop(1, millis, step))))
})

const wholeOver = (hasher: Layer.Layer<ChainHasher.ChainHasher>) => {
  const store = Layer.provide(MemoryStore.layerNoDeps, hasher)
  const engine = Layer.provideMerge(Transitions.layer, Layer.merge(store, Settings.layer()))
  return Effect.runPromise(whole.pipe(Effect.provide(engine)))
}
const anywhere = await wholeOver(ChainHasher.layer)
const onNode = await wholeOver(NodeHasher.layer)

const floor = { name: "SHA-256 of 500 B/s", value: hashes }
report(
  "lifecycle-step",
  [
    row({ row: "-", name: "decide + apply, asking", value: asking, unit: "/s", floor }),
    row({ row: "-", name: "decide + apply, approving", value: approving, unit: "/s", floor }),
    row({ row: "-", name: "step in memory, 2 entries, WebCrypto", value: anywhere.perSecond, unit: "/s", floor }),
    row({ row: "-", name: "step in memory, 2 entries, Node's hash", value: onNode.perSecond, unit: "/s", floor })
  ],
  { details: { anywhere, onNode } }
)
