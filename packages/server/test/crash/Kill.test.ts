/**
 * The daemon is killed (SIGKILL) at every numbered step of a grant and of its ending, inside the provider's call, and
 * before and after the commits between them. Another process takes over when the lease ends, and every request comes to
 * the state that the platform's truth demands.
 *
 * The same judge, on a daemon with a fault on purpose, must find something bad.
 */
import { CrashPoints } from "@jitsudo/core"
import type { MockFault } from "@jitsudo/providers/mock"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import type { Fault } from "../../src/testing/Drill.ts"
import { onPostgres, postgresUrl } from "../store/Suites.ts"
import * as Daemons from "./Daemons.ts"
import * as Judge from "./Judge.ts"
import * as TestPolicy from "./TestPolicy.ts"

/** What the daemon does when it is killed. */
type Phase = "grant" | "end" | "approve"

interface Case {
  readonly name: string
  readonly phase: Phase
  /** A place of `Drill.Stop`, or a fault of the platform's control file. */
  readonly point?: string
  readonly fault?: Pick<MockFault, "operation" | "kind">
}

const commits: ReadonlyArray<readonly [Phase, string]> = [
  ["grant", "request.auto_approved"],
  ["grant", "grant.started"],
  ["grant", "grant.issued"],
  ["approve", "request.approved"],
  ["end", "grant.ending"],
  ["end", "grant.revoked"]
]

const cases: ReadonlyArray<Case> = [
  ...CrashPoints.crashPoints.map((point) => ({
    name: point,
    point,
    phase: point.startsWith("grant") ? ("grant" as const) : ("end" as const)
  })),
  ...(["grant", "end"] as const).flatMap((phase) =>
    (["killBefore", "killAfter"] as const).map((kind) => ({
      name: `${phase}.${kind}`,
      phase,
      fault: { operation: phase, kind }
    }))
  ),
  ...commits.flatMap(([phase, action]) =>
    ["before", "after"].map((when) => ({ name: `${when}-${action}`, phase, point: `commit.${when}:${action}` }))
  )
]

const ask = (phase: Phase, name: string) => ({
  provider: "mock",
  role: phase === "approve" ? `admin-${name}` : `read-${name}`,
  resourceScope: "project/checkout",
  durationSeconds: 3600
})

/** What is left to do when a victim is dead: its client asks again, elsewhere. */
type Recovery = (survivor: Daemons.Daemon) => Effect.Effect<void, Daemons.NeverCame>

/**
 * Kills a victim in one case. Nobody else works meanwhile: `steward` and victim do only what their callers cause, so
 * that it is the victim who does it.
 */
const strike = Effect.fnUntraced(function* (
  place: Daemons.Place,
  steward: Daemons.Daemon,
  one: Case,
  sabotage?: Fault
) {
  const victim = yield* place.start(
    {
      passive: true,
      ...(sabotage === undefined ? {} : { sabotage }),
      ...(one.point === undefined ? {} : { stops: [{ point: one.point, nth: 1, how: "kill" as const }] })
    },
    one.fault === undefined ? [] : [one.fault]
  )
  const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
  const bob = yield* Effect.promise(() => place.people.token(TestPolicy.approver))
  const key = { "idempotency-key": one.name.replaceAll(":", "-") }
  const create = (daemon: Daemons.Daemon) =>
    Daemons.call(daemon.api, alice, "POST", "/requests", ask(one.phase, one.name), key)
  const made = (daemon: Daemons.Daemon) =>
    Effect.map(create(daemon), (answer) => {
      expect(answer?.status, `${one.name}: ${JSON.stringify(answer?.body)}`).toBe(201)
      return { id: String(answer?.body["id"]), digest: String(answer?.body["digest"]), state: answer?.body["state"] }
    })
  const becomes = (survivor: Daemons.Daemon, id: string, wanted: string) =>
    Daemons.until(
      `${one.name}: ${id} in state ${wanted}`,
      Effect.map(Daemons.answered(survivor.api, alice, "GET", `/requests/${id}`), (answer) =>
        answer.body["state"] === wanted ? true : undefined
      )
    )
  const died = Effect.map(victim.ended, (how) => expect(how, `${one.name}: ${victim.log()}`).toBe("SIGKILL"))

  if (one.phase === "grant") {
    yield* create(victim)
    yield* died
    // The client heard nothing, so it asks again under the same key: one request, whatever was committed.
    const recover: Recovery = (survivor) => Effect.flatMap(made(survivor), ({ id }) => becomes(survivor, id, "ACTIVE"))
    return recover
  }
  if (one.phase === "approve") {
    const { digest, id } = yield* made(steward)
    const approve = (daemon: Daemons.Daemon) =>
      Daemons.call(daemon.api, bob, "POST", `/requests/${id}/approve`, { digest })
    yield* approve(victim)
    yield* died
    const recover: Recovery = (survivor) =>
      Effect.flatMap(approve(survivor), (again) => {
        expect([200, 409]).toContain(again?.status)
        return becomes(survivor, id, "ACTIVE")
      })
    return recover
  }
  const { id, state } = yield* made(victim)
  expect(state).toBe("ACTIVE")
  const revoke = (daemon: Daemons.Daemon) => Daemons.call(daemon.api, alice, "POST", `/requests/${id}/revoke`, {})
  yield* revoke(victim)
  yield* died
  const recover: Recovery = (survivor) => Effect.andThen(revoke(survivor), becomes(survivor, id, "REVOKED"))
  return recover
}, Effect.scoped)

/** All cases on one database; what the judge finds when a survivor has done its work, and when all was given back. */
const killAll = (some: ReadonlyArray<Case>, sabotage?: Fault) =>
  Effect.gen(function* () {
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    const place = yield* Daemons.makePlace({ url: appUrl, pool_size: 3 })
    const faulty = sabotage === undefined ? {} : { sabotage }
    const steward = yield* place.start({ passive: true, ...faulty })
    yield* TestPolicy.install(place, steward, appUrl)
    const left = yield* Effect.forEach(some, (one) => strike(place, steward, one, sabotage), { concurrency: 3 })

    const survivor = yield* place.start(faulty)
    yield* Effect.forEach(left, (recover) => recover(survivor), { concurrency: "unbounded", discard: true })
    const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
    const look = Effect.andThen(Judge.quiet(), Judge.judge(place.files.state)).pipe(Effect.provide(admin))
    const live = yield* look
    yield* Effect.forEach(live.requests, (request) =>
      sabotage === undefined && request.state === "ACTIVE"
        ? handsOut(survivor, alice, request.id, live.truth)
        : Effect.void
    )
    yield* Effect.forEach(
      live.requests,
      (request) => Daemons.answered(survivor.api, alice, "POST", `/requests/${request.id}/revoke`, {}),
      { concurrency: 8, discard: true }
    )
    return { live, over: yield* look }
  }).pipe(Effect.scoped, Effect.runPromise)

/** What was sealed by one process is opened by another, and is what the platform gave. */
const handsOut = Effect.fnUntraced(function* (
  survivor: Daemons.Daemon,
  token: string,
  id: string,
  truth: Judge.Findings["truth"]
) {
  const answer = yield* Daemons.answered(survivor.api, token, "GET", `/requests/${id}/credentials`)
  const grant = truth.find((one) => one.requestId === id)
  expect(JSON.stringify(answer.body)).toContain(`mock-session-token-${grant?.token}`)
})

/** For machines that are busy with something else, in milliseconds. */
const bound = 240_000

const only = (name: string) => cases.filter((one) => one.name === name)

onPostgres("kill -9 at every step of a grant and its ending", () => {
  it.concurrent(
    `${cases.length} kills leave nothing granted that is not ACTIVE, and nothing ACTIVE that is not granted`,
    async () => {
      const { live, over } = await killAll(cases)
      expect(live.bad).toEqual([])
      expect(over.bad).toEqual([])
      // The work was real: one request for each kill, all of them granted, about half of them alive before the end.
      const active = live.requests.filter((request) => request.state === "ACTIVE").length
      console.log(
        `${cases.length} kills, ${live.requests.length} requests, ${active} ACTIVE, ${over.entries.length} entries`
      )
      expect(live.requests.length).toBe(cases.length)
      expect(live.truth.length).toBe(cases.length)
      expect(active).toBe(cases.filter((one) => one.phase !== "end").length)
      expect(over.requests.every((request) => request.state === "REVOKED")).toBe(true)
    },
    bound
  )

  it.concurrent(
    "sees it when the platform grants anew at each attempt",
    async () => {
      const { live, over } = await killAll(only("grant.after_call"), "grants-not-idempotent")
      console.log(`grants that are not idempotent: ${live.bad.length} and ${over.bad.length} bad`)
      expect(live.bad.length).toBeGreaterThan(0)
      expect(over.bad.length).toBeGreaterThan(0)
    },
    bound
  )

  it.concurrent(
    "sees it when steps lose an entry",
    async () => {
      const { live } = await killAll(only("end.after_call"), "entries-dropped")
      console.log(`entries that are dropped: ${live.bad.length} bad`)
      expect(live.bad.length).toBeGreaterThan(0)
    },
    bound
  )
})
