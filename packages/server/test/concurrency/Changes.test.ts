/**
 * Approvals at three daemons race with changes of policy, of locks, of trust and of the approvers' groups. In the log,
 * no decision stands behind the change that made what it was decided on obsolete: the entries are read in order, and
 * each decision is compared with what was in force at its place.
 *
 * The same comparison, on daemons that do not guard what they decided on, must find decisions that are stale.
 */
import { PolicyAdmin } from "@jitsudo/core"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import type { Fault } from "../../src/testing/Drill.ts"
import * as Daemons from "../crash/Daemons.ts"
import * as Judge from "../crash/Judge.ts"
import type { Someone } from "../crash/SignedPeople.ts"
import * as TestPolicy from "../crash/TestPolicy.ts"
import { full, onPostgres, postgresUrl } from "../store/Suites.ts"

const leads: ReadonlyArray<Someone> = Array.from({ length: 6 }, (_, number) => ({
  subject: `lead-${number}`,
  groups: ["sre-leads"]
}))

/** Many, because policy sees all active grants of a requester, and its input is bounded. */
const askers: ReadonlyArray<Someone> = Array.from({ length: 20 }, (_, number) => ({
  subject: `sre-${number}`,
  groups: ["sre"]
}))

/** Scopes that are locked now and then. */
const lockable = (number: number): boolean => number % 3 === 0
const scopeOf = (number: number): string => (lockable(number) ? `race/lockable-${number}` : `race/open-${number}`)

interface InForce {
  revision: number
  readonly locks: Map<string, string>
  readonly groups: Map<string, ReadonlyArray<string>>
}

interface Who {
  readonly issuer: string
  readonly subject: string
}

const keyOf = ({ issuer, subject }: Who): string => `${issuer}#${subject}`
const details = <A>(entry: Judge.Entry): A => entry.details as A

const change = (inForce: InForce, entry: Judge.Entry): boolean => {
  switch (entry.action) {
    case "policy.applied":
      inForce.revision = details<{ readonly revision: number }>(entry).revision
      return true
    case "lock.created": {
      const { lock, target } = details<{ readonly lock: string; readonly target: { readonly resourceScope: string } }>(
        entry
      )
      inForce.locks.set(lock, target.resourceScope)
      return true
    }
    case "lock.released":
      return inForce.locks.delete(details<{ readonly lock: string }>(entry).lock)
    case "principal.changed": {
      const { after } = details<{ readonly after: Who & { readonly groups: ReadonlyArray<string> } }>(entry)
      inForce.groups.set(keyOf(after), after.groups)
      return true
    }
    default:
      return entry.action === "principal.trust_changed"
  }
}

const whyStale = (inForce: InForce, entry: Judge.Entry): string | undefined => {
  const { approvals = [], policyRevision } = details<{
    readonly approvals?: ReadonlyArray<Who>
    readonly policyRevision: number
  }>(entry)
  if (policyRevision !== inForce.revision) return `policy ${policyRevision}, not ${inForce.revision}`
  const scope = entry.resourceScope ?? ""
  if ([...inForce.locks.values()].some((locked) => scope.startsWith(locked.slice(0, -1)))) return "it was locked"
  const deciders = entry.action === "request.approved" ? approvals : [entry.actor]
  const outsider = deciders.find((who) => inForce.groups.get(keyOf(who))?.includes("sre-leads") !== true)
  return outsider === undefined ? undefined : `${outsider.subject} was no approver`
}

/** The decisions that do not agree with what was in force where they stand, and how much was decided and changed. */
const staleIn = (entries: ReadonlyArray<Judge.Entry>) => {
  const inForce: InForce = { revision: 0, locks: new Map(), groups: new Map() }
  const stale: Array<string> = []
  let decided = 0
  let changes = 0
  for (const entry of entries) {
    if (change(inForce, entry)) changes += decided > 0 ? 1 : 0
    else if (entry.action === "request.approval_recorded" || entry.action === "request.approved") {
      if (entry.action === "request.approved") decided += 1
      const why = whyStale(inForce, entry)
      if (why !== undefined) stale.push(`${entry.seq} ${entry.action} ${entry.requestId}: ${why}`)
    }
  }
  return { stale, decided, changes }
}

const race = (options: { readonly approvals: number; readonly daemons: number; readonly sabotage?: Fault }) =>
  Effect.gen(function* () {
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    const place = yield* Daemons.makePlace({ url: appUrl, pool_size: 8 })
    const drill = { settings: {}, ...(options.sabotage === undefined ? {} : { sabotage: options.sabotage }) }
    const daemons = yield* Effect.forEach(Array.from({ length: options.daemons }), () => place.start(drill), {
      concurrency: 2
    })
    const apiOf = (number: number) => daemons[number % daemons.length]?.api ?? ""
    const [first] = daemons
    if (first === undefined) return yield* Effect.die(new Error("there is no daemon"))
    yield* TestPolicy.install(place, first, appUrl)
    const { token } = place.people
    const requesters = yield* Effect.promise(() => Promise.all(askers.map((who) => token(who))))
    const carol = yield* Effect.promise(() => token(TestPolicy.admin))
    // Older than what is said about them later, so that it takes nothing back.
    const before = Math.floor(Date.now() / 1000) - 60
    const tokens = yield* Effect.promise(() => Promise.all(leads.map((lead) => token(lead, before))))
    yield* Effect.forEach(tokens, (one) => Daemons.answered(apiOf(0), one, "GET", "/principals/me"))

    const asked = yield* Effect.forEach(
      Array.from({ length: options.approvals }, (_, number) => number),
      (number) =>
        Effect.map(
          Daemons.answered(apiOf(number), requesters[number % requesters.length] ?? "", "POST", "/requests", {
            provider: "mock",
            role: "admin",
            resourceScope: scopeOf(number),
            durationSeconds: 3600
          }),
          ({ body, status }) => {
            expect(status, JSON.stringify(body)).toBe(201)
            return { number, id: String(body["id"]), digest: String(body["digest"]) }
          }
        ),
      { concurrency: 12 }
    )

    const said = new Map<string, number>()
    let approved = 0
    /** Until it is taken: what a change forbids for a moment is tried again. */
    const approve = Effect.fnUntraced(function* ({ digest, id, number }: (typeof asked)[number]) {
      let last = ""
      for (let tries = 0; tries < 500; tries++) {
        const at = number + tries
        const path = `/requests/${id}/approve`
        const { body, status } = yield* Daemons.answered(apiOf(at), tokens[at % tokens.length] ?? "", "POST", path, {
          digest
        })
        const answer = `${status} ${String(body["code"] ?? "")}`.trim()
        said.set(answer, (said.get(answer) ?? 0) + 1)
        last = JSON.stringify(body)
        if (status === 200) {
          approved += 1
          return
        }
        yield* Effect.sleep("25 millis")
      }
      const logs = daemons.map((daemon) => daemon.log().slice(-4_000)).join("\n")
      return yield* Effect.die(new Error(`${id} was never approved: ${JSON.stringify([...said])} ${last}\n${logs}`))
    })

    let over = false
    let round = 0
    /** One more decision, so that changes and decisions take turns; or a while, where a change holds them all up. */
    const oneMore = Effect.suspend(() => {
      const seen = approved
      return Daemons.until(
        "another approval",
        Effect.sync(() => (over || approved > seen ? true : undefined)),
        0.3
      ).pipe(Effect.ignore)
    })
    const groupsOf = (lead: Someone, groups: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        // A group of its own makes each sign-in another: the daemon remembers those that it has seen for a while.
        const one = yield* Effect.promise(() => token({ ...lead, groups: [...groups, `round-${++round}`] }))
        yield* Daemons.answered(apiOf(round), one, "GET", "/principals/me")
      })
    const churn = Effect.gen(function* () {
      const policies = yield* PolicyAdmin.PolicyAdmin
      for (let turn = 0; !over; turn++) {
        const lead = leads[turn % leads.length]
        if (lead === undefined) return yield* Effect.die(new Error("there are no leads"))
        yield* groupsOf(lead, [])
        yield* oneMore
        const { policies: set, revision } = yield* policies.current
        yield* policies.replace(
          null,
          revision.number,
          set.map((policy) => ({ ...policy, description: `turn ${turn}` }))
        )
        yield* oneMore
        const target = { kind: "role", provider: "mock", role: "*", resourceScope: "race/lockable-*" }
        const lock = yield* Daemons.answered(apiOf(turn), carol, "POST", "/locks", { target, reason: `turn ${turn}` })
        expect(lock.status, JSON.stringify(lock.body)).toBe(201)
        yield* oneMore
        const identity = encodeURIComponent(`${place.people.issuers[0]}#${lead.subject}`)
        yield* Daemons.answered(apiOf(turn), carol, "PUT", `/principals/${identity}/trust-tier`, {
          trustTier: turn % 5
        })
        yield* groupsOf(lead, lead.groups)
        yield* oneMore
        yield* Daemons.answered(apiOf(turn + 1), carol, "DELETE", `/locks/${String(lock.body["id"])}`)
        yield* oneMore
      }
    })

    const churning = yield* Effect.forkScoped(Effect.provide(churn, TestPolicy.administration(appUrl)))
    yield* Effect.forEach(asked, approve, { concurrency: 12, discard: true })
    over = true
    yield* Fiber.join(churning)
    if (options.sabotage === undefined) yield* Effect.provide(Judge.quiet({ sweeps: false }), admin)
    const found = yield* Effect.provide(Judge.judge(place.files.state), admin)
    return { ...found, ...staleIn(found.entries), said }
  }).pipe(Effect.scoped, Effect.runPromise)

const summary = ({ bad, changes, decided, said, stale }: Awaited<ReturnType<typeof race>>) =>
  `${decided} decided, ${changes} changes among them, ${stale.length} stale, ${bad.length} bad; answers: ${[...said].map(([answer, times]) => `${times} ${answer}`).join(", ")}`

/** For machines that are busy with something else, in milliseconds. */
const bound = full ? 600_000 : 300_000
const approvals = full ? 2_000 : 200

onPostgres("approvals race with changes of what they rest on", () => {
  it(
    `${approvals} approvals at three daemons`,
    async () => {
      const result = await race({ approvals, daemons: 3 })
      console.log(summary(result))
      expect(result.stale).toEqual([])
      expect(result.bad).toEqual([])
      expect(result.decided).toBe(approvals)
      // The race took place, and every kind of change stood in somebody's way.
      expect(result.changes).toBeGreaterThan(approvals / 10)
      expect(result.said.get("403 locked") ?? 0).toBeGreaterThan(0)
      const undocumented = [...result.said.keys()].filter(
        (answer) => !/^(200|403 .+|404 not_found|409 .+|503 contention)$/u.test(answer)
      )
      expect(undocumented).toEqual([])
    },
    bound
  )

  it(
    "sees it when nothing is guarded",
    async () => {
      const result = await race({ approvals: 100, daemons: 2, sabotage: "facts-unguarded" })
      console.log(`facts that are not guarded: ${summary(result)}`)
      expect(result.stale.length).toBeGreaterThan(0)
    },
    bound
  )
})
