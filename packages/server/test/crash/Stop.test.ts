/**
 * A daemon is stopped (SIGSTOP) before and after each call to the platform, for longer than its lease lasts. Another
 * process does its work; then it wakes and goes on where it was, believing that it is still its own. What the platform
 * holds and what we say must agree in the end: nothing lives that is not ACTIVE, nothing is ACTIVE that does not live.
 */
import type { MockFault } from "@jitsudo/providers/mock"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import type { Fault, Stop } from "../../src/testing/Drill.ts"
import { onPostgres, postgresUrl } from "../store/Suites.ts"
import * as Daemons from "./Daemons.ts"
import * as Judge from "./Judge.ts"
import * as TestPolicy from "./TestPolicy.ts"

interface Case {
  readonly name: string
  readonly phase: "grant" | "end"
  readonly stops?: ReadonlyArray<Stop>
  readonly fault?: Pick<MockFault, "operation" | "kind">
  /** The requester gives the grant back while its daemon sleeps: the late call brings it to life again. */
  readonly givenBack?: boolean
  /** It dies before it can say what it did: only reconciliation finds it. */
  readonly dies?: boolean
}

const at = (point: string): Pick<Case, "name" | "stops"> => ({ name: point, stops: [{ point, nth: 1, how: "stop" }] })

const cases: ReadonlyArray<Case> = [
  ...["grant.claimed", "grant.started", "grant.before_call", "grant.after_call", "grant.recorded"].map((point) => ({
    ...at(point),
    phase: "grant" as const
  })),
  ...["end.claimed", "end.before_call", "end.after_call", "end.recorded"].map((point) => ({
    ...at(point),
    phase: "end" as const
  })),
  ...(["grant", "end"] as const).flatMap((operation) =>
    (["stopBefore", "stopAfter"] as const).map((kind) => ({
      name: `${operation}.${kind}`,
      phase: operation,
      fault: { operation, kind }
    }))
  ),
  { ...at("grant.before_call"), name: "grant.before_call-given-back", phase: "grant", givenBack: true },
  { ...at("grant.after_call"), name: "grant.after_call-given-back", phase: "grant", givenBack: true },
  {
    name: "grant.stopBefore-given-back",
    phase: "grant",
    fault: { operation: "grant", kind: "stopBefore" },
    givenBack: true
  },
  {
    name: "grant.before_call-given-back-and-dies",
    phase: "grant",
    stops: [
      { point: "grant.before_call", nth: 1, how: "stop" },
      { point: "grant.after_call", nth: 1, how: "kill" }
    ],
    givenBack: true,
    dies: true
  }
]

/** Stops a sleeper in one case. Gives what makes the survivor do its work, and what wakes it. */
const strike = Effect.fnUntraced(function* (place: Daemons.Place, one: Case, sabotage?: Fault) {
  const sleeper = yield* place.start(
    {
      passive: true,
      ...(sabotage === undefined ? {} : { sabotage }),
      ...(one.stops === undefined ? {} : { stops: one.stops })
    },
    one.fault === undefined ? [] : [one.fault]
  )
  const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
  const ask = { provider: "mock", role: `read-${one.name}`, resourceScope: "project/checkout", durationSeconds: 3600 }
  const create = (daemon: Daemons.Daemon) =>
    Daemons.call(daemon.api, alice, "POST", "/requests", ask, { "idempotency-key": one.name })
  const revoke = (daemon: Daemons.Daemon, id: string) =>
    Daemons.call(daemon.api, alice, "POST", `/requests/${id}/revoke`, {})
  const becomes = (daemon: Daemons.Daemon, id: string, wanted: string) =>
    Daemons.until(
      `${one.name}: ${id} in state ${wanted}`,
      Effect.map(Daemons.answered(daemon.api, alice, "GET", `/requests/${id}`), ({ body }) =>
        body["state"] === wanted ? true : undefined
      )
    )
  let id = ""
  if (one.phase === "end") {
    const made = yield* create(sleeper)
    expect(made?.body["state"], `${one.name}: ${sleeper.log()}`).toBe("ACTIVE")
    id = String(made?.body["id"])
  }
  const caller = yield* Effect.forkScoped(one.phase === "grant" ? create(sleeper) : revoke(sleeper, id))
  yield* sleeper.paused

  const takenOver = Effect.fnUntraced(function* (survivor: Daemons.Daemon) {
    if (one.phase === "end") return yield* becomes(survivor, id, "REVOKED")
    const again = yield* create(survivor)
    id = String(again?.body["id"])
    yield* becomes(survivor, id, "ACTIVE")
    if (one.givenBack !== true) return
    yield* revoke(survivor, id)
    yield* becomes(survivor, id, "REVOKED")
  })
  const woken = Effect.gen(function* () {
    sleeper.child.kill("SIGCONT")
    const answer = yield* Fiber.join(caller)
    if (one.dies === true) expect(yield* sleeper.ended).toBe("SIGKILL")
    else expect(answer?.status, `${one.name}: ${sleeper.log()}`).toBeLessThan(300)
    return id
  })
  return { name: one.name, takenOver, woken }
})

const stopAll = (some: ReadonlyArray<Case>, sabotage?: Fault) =>
  Effect.gen(function* () {
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    const place = yield* Daemons.makePlace({ url: appUrl, pool_size: 3 })
    const steward = yield* place.start({ passive: true })
    yield* TestPolicy.install(place, steward, appUrl)
    const sleepers = yield* Effect.forEach(some, (one) => strike(place, one, sabotage), { concurrency: 3 })

    const survivor = yield* place.start({
      ...(sabotage === undefined
        ? { reconcileEveryMillis: 400, settings: { ...Daemons.shortLeases, orphanGraceSeconds: 1 } }
        : { sabotage })
    })
    yield* Effect.forEach(sleepers, (one) => one.takenOver(survivor), { concurrency: "unbounded", discard: true })
    const asleep = yield* Effect.provide(Judge.judge(place.files.state), admin)
    const ids = new Map<string, string>()
    for (const one of sleepers) ids.set(one.name, yield* one.woken)
    yield* Effect.provide(Judge.quiet(), admin)
    const gone = Effect.map(Judge.judge(place.files.state), (found) => (found.bad.length === 0 ? found : undefined))
    // What nobody but reconciliation can know takes as long as its grace.
    const awake =
      sabotage === undefined
        ? yield* Effect.provide(Daemons.until("agreement", gone, 20), admin).pipe(
            Effect.catchTag("NeverCame", () => Effect.provide(Judge.judge(place.files.state), admin))
          )
        : yield* Effect.provide(Judge.judge(place.files.state), admin)
    return { asleep, awake, ids }
  }).pipe(Effect.scoped, Effect.runPromise)

/** For machines that are busy with something else, in milliseconds. */
const bound = 240_000

const named = (...names: ReadonlyArray<string>) => cases.filter((one) => names.includes(one.name))

onPostgres("a daemon that sleeps past its lease", () => {
  it.concurrent(
    `${cases.length} sleepers wake, and the platform and we agree`,
    async () => {
      const { awake, ids } = await stopAll(cases)
      expect(awake.bad).toEqual([])
      const grantOf = (name: string) => awake.truth.find((grant) => grant.requestId === ids.get(name))
      const actionsOf = (name: string) =>
        awake.entries.flatMap((entry) => (entry.requestId === ids.get(name) ? [entry.action] : []))
      const again = awake.truth.filter((grant) => grant.lives > 1).length
      console.log(
        `${cases.length} sleepers, ${awake.requests.length} requests, ${awake.entries.length} entries, ${again} brought to life again by a late call`
      )
      // The late calls were made: what had been given back came to life, and was ended again.
      for (const { name } of cases.filter(
        (one) => one.givenBack === true && !one.name.startsWith("grant.after_call")
      )) {
        expect(grantOf(name)?.lives, name).toBe(2)
      }
      expect(actionsOf("grant.before_call-given-back-and-dies")).toContain("grant.orphan_found")
      // An end that came late is followed by one that knows the neighbours of now.
      for (const name of ["end.before_call", "end.stopBefore", "end.stopAfter", "end.after_call"]) {
        expect(actionsOf(name), name).toContain("grant.closed")
      }
      // Nothing was called under a lost lease that could still be looked at.
      for (const name of ["grant.claimed", "grant.started", "grant.recorded"]) {
        expect(awake.requests.find((request) => request.id === ids.get(name))?.state, name).toBe("ACTIVE")
      }
      expect(awake.requests.length).toBe(cases.length)
    },
    bound
  )

  it.concurrent(
    "sees it when what came late is not ended again",
    async () => {
      const { asleep, awake } = await stopAll(named("grant.before_call-given-back"), "sweeps-dropped")
      console.log(`late grants that are kept: ${awake.bad.length} bad`)
      expect(asleep.bad).toEqual([])
      expect(awake.bad.length).toBeGreaterThan(0)
    },
    bound
  )
})
