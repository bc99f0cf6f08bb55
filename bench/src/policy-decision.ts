/**
 * One decision by the starter pack, as the daemon makes it: the input of about 1 kB written as JSON, handed to a worker
 * thread under its budget, all policies of the action evaluated, their answers combined. Everything is loaded before.
 *
 * Floor: writing and reading the same input as JSON.
 */
import { Policy, PolicyFacts, Principal, Time } from "@jitsudo/core"
import { Fixtures } from "@jitsudo/core/testing"
import { ServedPolicies, Starter } from "@jitsudo/rego"
import * as Effect from "effect/Effect"
import { closedLoop, hotLoop, type Load, median, summary, type Summary } from "./Load.ts"
import { acting, person } from "./People.ts"
import { atMost, report, row, type Row } from "./Rows.ts"

const turns = 3
const millis = 1_500

const now = Time.make(Date.now())
const ana = acting(person("ana", ["sre", "engineering", "on-call"], now))

const inputFor = (action: Policy.PolicyAction): Policy.PolicyInput =>
  PolicyFacts.inputOf({
    action,
    now,
    user: ana,
    requester: ana,
    request: {
      id: Fixtures.id("req", 1, now),
      asked: { ...Fixtures.asked, durationSeconds: 1800 },
      roleAsked: Fixtures.asked.role,
      createdAt: now,
      labels: { facts_ok: true, blast_radius: "low" },
      channel: "cli",
      sourceIp: "192.0.2.7",
      decisions: []
    },
    activeGrants: [],
    heldSeconds: 0
  })

const asking = inputFor("request")
const routing = inputFor("route")
const bytes = Buffer.byteLength(JSON.stringify(routing))
if (bytes < 900 || bytes > 1_300) throw new Error(`the input has ${bytes} bytes, which is not about 1 kB`)

const load = () => Effect.succeed(Starter.policies({ now, by: { ...Principal.system, email: null } }))

const measured = Effect.gen(function* () {
  const policy = yield* Policy.Policy
  const eligible = yield* policy.eligibility(1, asking)
  const routed = yield* policy.routing(1, routing)
  if (!eligible.allowed || routed.tier !== "auto") {
    throw new Error(`the starter pack answers ${JSON.stringify({ eligible, routed })}, not an automatic approval`)
  }
  const deciding = { eligibility: policy.eligibility(1, asking), route: policy.routing(1, routing) }
  const loads: Record<keyof typeof deciding, Array<Load>> = { eligibility: [], route: [] }
  const floors: Array<number> = []
  yield* closedLoop(1, millis, () => deciding.route)
  for (let turn = 0; turn < turns; turn++) {
    floors.push(1e6 / hotLoop(1, millis / 5, () => JSON.parse(JSON.stringify(routing))))
    loads.eligibility.push(yield* closedLoop(1, millis, () => deciding.eligibility))
    loads.route.push(yield* closedLoop(1, millis, () => deciding.route))
  }
  const together = summary([yield* closedLoop(32, millis, () => policy.routing(1, routing))])
  return { eligibility: summary(loads.eligibility), route: summary(loads.route), together, json: median(floors) }
}).pipe(Effect.provide(ServedPolicies.layer({ load })))

const { eligibility, json, route, together } = await Effect.runPromise(measured)
const floor = { name: "us JSON", value: json }

const rowsOf = (name: string, of: Summary): ReadonlyArray<Row> => [
  row({ row: 4, name: `decision, ${name}, p50`, value: of.p50 * 1_000, unit: "us", floor, target: atMost(150) }),
  row({ row: 4, name: `decision, ${name}, p99`, value: of.p99 * 1_000, unit: "us", floor, target: atMost(1_500) })
]

report(
  "policy-decision",
  [
    ...rowsOf("may it be asked for", eligibility),
    ...rowsOf("who decides", route),
    row({
      row: "-",
      name: "decisions, who decides, 32 at a time",
      value: together.perSecond,
      unit: "/s",
      floor: { name: "/s one at a time", value: route.perSecond }
    })
  ],
  { notes: [`input of ${bytes} bytes; nothing is compiled on this path`], details: { eligibility, route, together } }
)
