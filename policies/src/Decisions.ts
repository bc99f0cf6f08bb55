/**
 * What the sets decide, as a table that a person can review: each principal x role x action, at a pinned time.
 *
 * A change of policy shows as a change of `golden/decisions.txt`.
 */
import { Policy, PolicyFacts, type Principal, Time } from "@jitsudo/core"
import { ServedPolicies } from "@jitsudo/rego"
import * as Effect from "effect/Effect"
import { draftsOf, now, prepare, type SetName } from "./Sets.ts"

type Actor = PolicyFacts.InputParts["user"]

const person = (subject: string, groups: ReadonlyArray<string>, more: Partial<Principal.Principal> = {}): Actor => ({
  principal: {
    issuer: "https://idp.example.test",
    subject,
    version: 1,
    email: `${subject}@example.com`,
    groups,
    groupsReadAt: now,
    kind: "human",
    owner: null,
    trustTier: 0,
    trustNotes: "",
    openReviews: 0,
    authTime: Time.plusSeconds(now, -300),
    amr: ["pwd"],
    firstSeenAt: now,
    ...more
  },
  party: [`key:https://idp.example.test#${subject}`]
})

const alice = person("alice", ["sre"])

/** A row is about a principal who asks for a role. */
interface Row {
  readonly who: Actor
  readonly role: string
  readonly scope: string
  readonly seconds: number
  readonly reason: string
  readonly labels: Readonly<Record<string, string | boolean>>
  readonly at: Time.Time
}

interface Table {
  readonly set: SetName
  readonly principals: ReadonlyArray<Actor>
  readonly requests: ReadonlyArray<Partial<Omit<Row, "who">> & Pick<Row, "role">>
  /** Who is asked about as approver of the first principal's request. */
  readonly deciders: ReadonlyArray<Actor>
}

const bob = person("bob", ["sre-leads"])
const carol = person("carol", ["jitsudo-admins"])
const erin = person("erin", ["engineering"])
const dave = person("dave", ["developers"])
const agent = person("reviewer", ["agents"], { kind: "agent", email: null })

const saturday = Time.make(Date.parse("2026-01-17T10:00:00Z"))

const tables: ReadonlyArray<Table> = [
  {
    set: "starter",
    principals: [alice, bob, carol, dave, agent],
    requests: [
      { role: "reader" },
      { role: "reader", seconds: 7200 },
      { role: "reader", reason: "" },
      { role: "readwrite" },
      { role: "deployer" },
      { role: "deployer", labels: { ticket_open: true } },
      { role: "deployer", labels: { ticket_open: true }, seconds: 1800 },
      { role: "prod-admin" },
      { role: "prod-admin", seconds: 7200 },
      { role: "prod-admin", labels: { ticket_open: true } }
    ],
    deciders: [alice, bob, carol, dave, agent]
  },
  {
    set: "examples/business-hours",
    principals: [erin, dave],
    requests: [{ role: "prod-admin" }, { role: "prod-admin", at: saturday }, { role: "reader", at: saturday }],
    deciders: [person("olga", ["on-call-leads"]), bob]
  },
  {
    set: "examples/two-stage-approval",
    principals: [erin, dave],
    requests: [
      { role: "db-admin" },
      { role: "db-admin", labels: { owner_group: "payments" } },
      { role: "db-admin", labels: { owner_group: "payments", blast_radius: "high" } }
    ],
    deciders: [
      person("pat", ["payments"]),
      person("sam", ["security"]),
      person("sue", ["security"], { amr: ["pwd", "mfa"] }),
      person("ciso", [], { amr: ["mfa"], authTime: Time.plusSeconds(now, -3600) })
    ]
  }
]

const nameOf = (actor: Actor): string => actor.principal.subject

const inputOf = (action: Policy.PolicyAction, row: Row, user: Actor): Policy.PolicyInput =>
  PolicyFacts.inputOf({
    action,
    now: row.at,
    user,
    requester: row.who,
    request: {
      id: "req_golden",
      asked: {
        provider: "aws",
        role: row.role,
        resourceScope: row.scope,
        durationSeconds: row.seconds,
        reason: row.reason,
        metadata: {},
        breakGlass: action === "break_glass"
      },
      roleAsked: row.role,
      createdAt: row.at,
      labels: row.labels,
      channel: "cli",
      sourceIp: "",
      decisions: []
    },
    activeGrants: [],
    heldSeconds: 0,
    ...(action === "ai_approve" ? { review: { confidence: 0.9, risk: "low", model: "m" } } : {})
  })

const yes = (verdict: Policy.Eligibility): string =>
  verdict.allowed ? "yes" : `no (${verdict.reasons.length === 0 ? "no policy allows it" : verdict.reasons.join("; ")})`

const routed = ({ openQuorum, stages, tier }: Policy.RoutingVerdict): string => {
  if (tier === "auto") return "auto"
  const named = stages.map((stage) => `${stage.quorum} of ${[...stage.groups, ...stage.users].join(", ") || "nobody"}`)
  return `${tier}: ${named.length === 0 ? `${openQuorum} whom policy admits` : named.join(" and ")}`
}

const isNamed = (decider: Actor, verdict: Policy.RoutingVerdict): boolean =>
  verdict.stages.some(
    (stage) =>
      stage.groups.some((group) => decider.principal.groups.includes(group)) ||
      stage.users.includes(decider.principal.email ?? "")
  )

const questionOf = (row: Row): string =>
  [
    row.role,
    `${row.seconds / 60} min`,
    row.at === now ? "" : new Date(row.at).toISOString().slice(0, 16),
    row.reason === "" ? "no reason" : "",
    ...Object.entries(row.labels).map(([label, value]) => `${label}=${value}`)
  ]
    .filter((part) => part !== "")
    .join(", ")

/** `yes: alice, bob` and `no (why): carol`: who gets the same answer stands together. */
const grouped = (
  label: string,
  answers: ReadonlyArray<readonly [answer: string, who: Actor]>
): ReadonlyArray<string> => {
  const groups = new Map<string, Array<string>>()
  for (const [answer, who] of answers) groups.set(answer, [...(groups.get(answer) ?? []), nameOf(who)])
  return [...groups].map(
    ([answer, names], index) => `    ${(index === 0 ? label : "").padEnd(13)}${answer}: ${names.join(", ")}`
  )
}

const linesOf = Effect.fnUntraced(function* (table: Table) {
  const policy = yield* Policy.Policy
  const lines: Array<string> = []
  const [first] = table.principals
  if (first === undefined) return lines
  for (const given of table.requests) {
    const rowOf = (who: Actor): Row => ({
      scope: "123456789012",
      seconds: 3600,
      reason: "INC-4711: disk is full",
      labels: {},
      at: now,
      ...given,
      who
    })
    const row = rowOf(first)
    const ask = (action: "request" | "break_glass") =>
      Effect.forEach(table.principals, (who) =>
        Effect.map(policy.eligibility(1, inputOf(action, rowOf(who), who)), (verdict) => [yes(verdict), who] as const)
      )
    const routing = yield* policy.routing(1, inputOf("route", row, first))
    const decide = Effect.fnUntraced(function* (decider: Actor) {
      const action = decider.principal.kind === "agent" ? "ai_approve" : "approve"
      const admission = yield* policy.admission(1, inputOf(action, row, decider))
      const answer = admission.denied
        ? `no (${admission.reasons.join("; ")})`
        : action === "approve" && isNamed(decider, routing)
          ? "yes, named"
          : admission.allowed
            ? "yes, admitted"
            : "no"
      return [answer, decider] as const
    })
    lines.push(
      "",
      `  ${questionOf(row)}`,
      ...grouped("asks", yield* ask("request")),
      `    ${"decided by".padEnd(13)}${routed(routing)}`,
      ...grouped("decides", yield* Effect.forEach(table.deciders, decide)),
      ...grouped("breaks glass", yield* ask("break_glass"))
    )
  }
  return lines
})

/** The whole table. Compiles the sets. */
export const decisions = Effect.gen(function* () {
  const lines: Array<string> = [
    "What the policies in this folder decide. Written by `npm run golden -w policies`; review it like code.",
    `Unless a line says otherwise it is ${new Date(now).toISOString().slice(0, 16)}Z, the reason is "INC-4711: disk is full".`,
    "`decided by` and `decides` are about the request of whoever is asked about first.",
    "Separation of duties, locks and limits of providers are not policy's and come on top."
  ]
  for (const table of tables) {
    const { policies } = yield* prepare(draftsOf(table.set))
    lines.push("", `${table.set}`)
    lines.push(
      ...(yield* Effect.provide(
        linesOf(table),
        ServedPolicies.layer({ size: 1, budgetMillis: 5_000, load: () => Effect.succeed(policies) })
      ))
    )
  }
  return `${lines.join("\n")}\n`
})

export const goldenFile = new URL("../golden/decisions.txt", import.meta.url)
