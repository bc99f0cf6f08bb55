/**
 * Fifty clients approve, deny, revoke and cancel the same requests at once, over HTTP: at one daemon, and at three on
 * one database. Each request has exactly one outcome, a quorum is counted by party, the platform granted once what was
 * granted, and the log is whole and says what the clients were told.
 *
 * The same judge, on daemons that overwrite a lost race, must find something bad.
 */
import { readJournal } from "@jitsudo/providers/mock"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { expect, it } from "vitest"
import type { Fault } from "../../src/testing/Drill.ts"
import * as Daemons from "../crash/Daemons.ts"
import * as Judge from "../crash/Judge.ts"
import type { Someone } from "../crash/SignedPeople.ts"
import * as TestPolicy from "../crash/TestPolicy.ts"
import { full, onPostgres, postgresUrl } from "../store/Suites.ts"

type Verb = "approve" | "deny" | "revoke" | "cancel"

interface Client {
  readonly who: Someone
  readonly verbs: ReadonlyArray<Verb>
}

const lead = (number: number, issuer: 0 | 1 = 0): Someone => ({
  // A second account of the same person: another issuer and subject, the same verified address.
  subject: `lead-${number}${issuer === 0 ? "" : "-again"}`,
  email: `lead-${number}@example.test`,
  groups: ["sre-leads"],
  issuer
})

/** The requester at the other issuer, where they lead: nobody of their own party decides. */
const aliceWhoLeads: Someone = { subject: "alice-leads", email: "alice@example.test", groups: ["sre-leads"], issuer: 1 }

const clients: ReadonlyArray<Client> = [
  ...Array.from({ length: 4 }, () => ({ who: TestPolicy.requester, verbs: ["cancel"] as const })),
  ...Array.from({ length: 2 }, () => ({ who: TestPolicy.requester, verbs: ["revoke"] as const })),
  ...Array.from({ length: 8 }, (_, number) => ({ who: lead(20 + number), verbs: ["deny", "approve"] as const })),
  ...Array.from({ length: 16 }, (_, number) => ({ who: lead(number), verbs: ["approve"] as const })),
  ...Array.from({ length: 12 }, (_, number) => ({ who: lead(number, 1), verbs: ["approve"] as const })),
  ...Array.from({ length: 2 }, () => ({ who: aliceWhoLeads, verbs: ["approve"] as const })),
  ...Array.from({ length: 6 }, () => ({ who: TestPolicy.admin, verbs: ["revoke"] as const }))
]

/**
 * Which verbs meet on a request: a quarter of the requests only gets approvals, so that enough are granted, and another
 * is given back as soon as it is decided, while it is being granted.
 */
const meeting: ReadonlyArray<ReadonlyArray<Verb>> = [
  ["approve"],
  ["approve", "deny"],
  ["approve", "revoke"],
  ["approve", "deny", "revoke", "cancel"]
]

interface Told {
  readonly verb: Verb
  readonly subject: string
  readonly id: string
  readonly status: number
  readonly code: string
}

const bodyOf = (verb: Verb, digest: string) => (verb === "approve" || verb === "deny" ? { digest } : {})

/** One act of one client, again where the daemon says that too many were at it at once. */
const act = Effect.fnUntraced(function* (api: string, token: string, verb: Verb, id: string, digest: string) {
  for (let tries = 1; ; tries++) {
    const answer = yield* Daemons.answered(api, token, "POST", `/requests/${id}/${verb}`, bodyOf(verb, digest))
    if (answer.status !== 503 || answer.body["code"] !== "contention" || tries === 20) return answer
  }
})

const decided = (api: string, token: string, id: string) =>
  Daemons.until(
    `a decision on ${id}`,
    Effect.map(Daemons.answered(api, token, "GET", `/requests/${id}`), ({ body }) =>
      body["state"] === "PENDING" ? undefined : true
    ),
    120
  )

const crowd = (options: {
  readonly daemons: number
  readonly requests: number
  readonly share: number
  readonly sabotage?: Fault
}) =>
  Effect.gen(function* () {
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    const place = yield* Daemons.makePlace({ url: appUrl, pool_size: 8 })
    const drill = { settings: {}, ...(options.sabotage === undefined ? {} : { sabotage: options.sabotage }) }
    const daemons = yield* Effect.forEach(Array.from({ length: options.daemons }), () => place.start(drill), {
      concurrency: 2
    })
    const apis = daemons.map((daemon) => daemon.api)
    const apiOf = (number: number) => apis[number % apis.length] ?? ""
    const [first] = daemons
    if (first === undefined) return yield* Effect.die(new Error("there is no daemon"))
    yield* TestPolicy.install(place, first, appUrl)

    const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
    const asked = yield* Effect.forEach(
      Array.from({ length: options.requests }, (_, number) => number),
      (number) =>
        Effect.map(
          Daemons.answered(apiOf(number), alice, "POST", "/requests", {
            provider: "mock",
            role: number % 2 === 0 ? "two-admin" : "admin",
            resourceScope: `project/${number}`,
            durationSeconds: 3600
          }),
          ({ body, status }) => {
            expect(status, JSON.stringify(body)).toBe(201)
            return { number, id: String(body["id"]), digest: String(body["digest"]) }
          }
        ),
      { concurrency: 8 }
    )
    // What needs nobody comes back granted, whichever daemon is asked: the others let it do its own work.
    const atOnce = yield* Effect.forEach(
      Array.from({ length: 12 }, (_, number) => number),
      (number) =>
        Effect.map(
          Daemons.answered(apiOf(number), alice, "POST", "/requests", {
            provider: "mock",
            role: "read-logs",
            resourceScope: `project/${number}`,
            durationSeconds: 3600
          }),
          ({ body }) => body["state"]
        )
    )
    const tokens = yield* Effect.promise(() => Promise.all(clients.map(({ who }) => place.people.token(who))))

    // All clients walk the same way, so that they meet.
    const told = yield* Effect.forEach(
      clients,
      ({ verbs, who }, client) =>
        Effect.forEach(
          asked.filter(({ number }) => (number + client) % options.share === 0),
          Effect.fnUntraced(function* ({ digest, id, number }) {
            const allowed = meeting[Math.floor(number / 2) % meeting.length] ?? []
            const verb = verbs.filter((one) => allowed.includes(one))[number % 3 === 0 ? 1 : 0] ?? verbs[0]
            if (verb === undefined || !allowed.includes(verb)) {
              // It has nothing to do here, and keeps pace.
              yield* Daemons.answered(apiOf(client), tokens[client] ?? "", "GET", `/requests/${id}`)
              return []
            }
            if (verb === "revoke" && !allowed.includes("cancel"))
              yield* decided(apiOf(client), tokens[client] ?? "", id)
            const answer = yield* act(apiOf(client), tokens[client] ?? "", verb, id, digest)
            const code = String(answer.body["code"] ?? "")
            return [{ verb, subject: who.subject, id, status: answer.status, code } satisfies Told]
          })
        ),
      { concurrency: "unbounded" }
    ).pipe(Effect.map((all) => all.flat(2)))

    // A broken build may never come to rest.
    if (options.sabotage === undefined) yield* Effect.provide(Judge.quiet({ sweeps: false }), admin)
    const found = yield* Effect.provide(Judge.judge(place.files.state), admin)
    const [database] = yield* SqlClient.SqlClient.use(
      (sql) => sql<{ deadlocks: bigint }>`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
    ).pipe(Effect.provide(admin))
    const grants = readJournal(place.files.journal).filter(
      (one) => one.operation === "grant" && one.phase === "performed"
    ).length
    return {
      ...found,
      told,
      logs: daemons.map((daemon) => daemon.log()).join(""),
      atOnce: atOnce.filter((state) => state === "ACTIVE").length,
      grants,
      deadlocks: Number(database?.deadlocks ?? 0),
      bad: [...found.bad, ...contradictions(found, told)]
    }
  }).pipe(Effect.scoped, Effect.runPromise)

const emailOf = (by: unknown): string => String((by as { readonly email: string }).email)

/** Quorum by party, nobody on their own request, and what clients were told is what the log says. */
const contradictions = (found: Judge.Findings, told: ReadonlyArray<Told>): ReadonlyArray<string> => {
  const bad: Array<string> = []
  for (const entry of found.entries.filter((one) => one.action === "request.approved")) {
    const parties = new Set((entry.details["approvals"] as ReadonlyArray<unknown>).map(emailOf))
    const quorum = entry.role?.startsWith("two") === true ? 2 : 1
    if (parties.size < quorum) bad.push(`${entry.requestId} was approved by ${parties.size} of ${quorum} parties`)
    if (parties.has("alice@example.test")) bad.push(`${entry.requestId} was approved by its requester`)
  }
  const said = (verb: Verb, action: string) => {
    const by = (subject: string, id: string | null) => `${subject} ${verb} ${id}`
    const successes = told
      .filter((one) => one.verb === verb && one.status === 200)
      .map((one) => by(one.subject, one.id))
    const recorded = found.entries
      .filter((entry) => entry.action === action)
      .map((entry) => by(entry.actor.subject, entry.requestId))
    const [a, b] = [successes.toSorted(), recorded.toSorted()]
    if (JSON.stringify(a) !== JSON.stringify(b)) bad.push(`${a.length} were told of ${verb}, the log has ${b.length}`)
  }
  said("approve", "request.approval_recorded")
  said("deny", "request.denied")
  return bad
}

const summary = ({ atOnce, bad, deadlocks, grants, requests, told }: Awaited<ReturnType<typeof crowd>>) => {
  const states = Object.entries(Object.groupBy(requests, (request) => request.state))
    .map(([state, some]) => `${some?.length} ${state}`)
    .join(", ")
  const answers = Object.entries(Object.groupBy(told, (one) => `${one.status} ${one.code}`.trim()))
    .map(([answer, some]) => `${some?.length} ${answer}`)
    .join(", ")
  return `${told.length} acts on ${requests.length} requests (${states}; ${answers}), ${grants} grants, ${atOnce} of 12 at once, ${deadlocks} deadlocks, ${bad.length} bad`
}

/** For machines that are busy with something else, in milliseconds. */
const bound = 300_000
const size = full ? { requests: 200, share: 1 } : { requests: 40, share: 4 }

onPostgres("fifty clients on the same requests", () => {
  for (const daemons of [1, 3]) {
    it(
      `at ${daemons === 1 ? "one daemon" : `${daemons} daemons`}`,
      async () => {
        expect(clients.length).toBe(50)
        const result = await crowd({ daemons, ...size })
        console.log(summary(result))
        expect(result.bad).toEqual([])
        expect(result.deadlocks).toBe(0)
        const undocumented = result.told.filter((one) => ![200, 403, 409].includes(one.status))
        expect(undocumented, result.logs.slice(0, 20_000)).toEqual([])
        // The platform was asked once for each grant, also for one that was revoked while it was asked.
        expect(result.grants).toBe(result.truth.length)
        expect(result.truth.every((grant) => grant.lives === 1)).toBe(true)
        // The work was real: every outcome came about, and races were lost.
        const outcomes = new Set(result.requests.map((request) => request.state))
        for (const state of ["ACTIVE", "REJECTED", "CANCELLED", "REVOKED"] as const) expect(outcomes).toContain(state)
        expect(result.truth.length).toBeGreaterThan(size.requests / 4)
        expect(result.told.length).toBeGreaterThan(size.requests * 5)
        expect(result.told.filter((one) => one.status === 409).length).toBeGreaterThan(size.requests)
      },
      bound
    )
  }

  it(
    "sees it when a lost race is overwritten",
    async () => {
      const result = await crowd({ daemons: 2, requests: 16, share: 2, sabotage: "races-overwritten" })
      console.log(`races that are overwritten: ${summary(result)}`)
      expect(result.bad.filter((one) => /outcomes|steps in the log|were told/u.test(one)).length).toBeGreaterThan(0)
    },
    bound
  )
})
