/**
 * The embedded database dies with the daemon. One daemon after the other is killed (SIGKILL) in the middle of a grant or
 * of an ending, and the next, on the same directory, brings everything to where the platform's truth demands.
 */
import type { MockFault } from "@jitsudo/providers/mock"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import type { Fault } from "../../src/testing/Drill.ts"
import * as Pglite from "../../src/store/Pglite.ts"
import { full } from "../store/Suites.ts"
import * as Daemons from "./Daemons.ts"
import * as Judge from "./Judge.ts"
import * as TestPolicy from "./TestPolicy.ts"

interface Case {
  readonly name: string
  /** `expire`: the grant ends by its time, and the daemon dies by its own scheduler. */
  readonly phase: "grant" | "expire"
  readonly point?: string
  readonly fault?: Pick<MockFault, "operation" | "kind">
}

const point = (phase: Case["phase"], name: string): Case => ({ name: name.replace(":", "-"), phase, point: name })
const fault = (phase: Case["phase"], operation: "grant" | "end", kind: MockFault["kind"]): Case => ({
  name: `${operation}.${kind}`,
  phase,
  fault: { operation, kind }
})

// Grants and endings in turn: what one left undone does not pass the place where the next one dies.
const all: ReadonlyArray<Case> = [
  point("grant", "grant.after_call"),
  point("expire", "end.after_call"),
  point("grant", "commit.after:grant.started"),
  point("expire", "end.before_call"),
  fault("grant", "grant", "killBefore"),
  fault("expire", "end", "killAfter"),
  point("grant", "grant.started"),
  point("expire", "commit.before:grant.expired"),
  point("grant", "commit.after:grant.issued"),
  point("expire", "commit.after:grant.ending"),
  fault("grant", "grant", "killAfter"),
  fault("expire", "end", "killBefore")
]
const cases = full ? all : all.slice(0, 3)

const chain = (some: ReadonlyArray<Case>, sabotage?: Fault) =>
  Effect.gen(function* () {
    const directory = join(inject("scratch"), `embedded-${randomBytes(6).toString("hex")}`)
    const place = yield* Daemons.makePlace({ data_dir: directory })
    const faulty = sabotage === undefined ? {} : { sabotage }
    const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
    const carol = yield* Effect.promise(() => place.people.token(TestPolicy.admin))
    const create = (daemon: Daemons.Daemon, one: Case) =>
      Daemons.call(
        daemon.api,
        alice,
        "POST",
        "/requests",
        {
          provider: "mock",
          role: `read-${one.name}`,
          resourceScope: "project/checkout",
          durationSeconds: one.phase === "expire" ? 1 : 3600
        },
        { "idempotency-key": one.name }
      )
    /** The client asks again under its key, and waits for what must come. */
    const recover = Effect.fnUntraced(function* (daemon: Daemons.Daemon, one: Case) {
      const wanted = one.phase === "expire" ? "EXPIRED" : "ACTIVE"
      const again = yield* create(daemon, one)
      const id = String(again?.body["id"])
      yield* Daemons.until(
        `${one.name}: ${id} in state ${wanted}`,
        Effect.map(Daemons.answered(daemon.api, alice, "GET", `/requests/${id}`), ({ body }) =>
          body["state"] === wanted ? true : undefined
        )
      )
      return id
    })

    let before: Case | undefined
    for (const one of some) {
      const daemon = yield* place.start(
        {
          ...faulty,
          ...(one.point === undefined ? {} : { stops: [{ point: one.point, nth: 1, how: "kill" as const }] })
        },
        one.fault === undefined ? [] : [one.fault]
      )
      if (before === undefined) yield* TestPolicy.apply(place, daemon)
      else yield* recover(daemon, before)
      yield* create(daemon, one)
      expect(yield* daemon.ended, `${one.name}: ${daemon.log()}`).toBe("SIGKILL")
      before = one
    }

    const last = yield* place.start(faulty)
    const ids = yield* Effect.forEach(some, (one) => recover(last, one))
    let repeated = 0
    for (const id of ids) {
      const { body } = yield* Daemons.answered(last.api, alice, "POST", `/requests/${id}/revoke`, {})
      if (Number((body["grant"] as { readonly attempts: number } | null)?.attempts) > 1) repeated += 1
    }
    // A grant that was tried twice is ended twice: that is the last work there is.
    yield* Daemons.until(
      `${repeated} second endings`,
      Effect.map(Daemons.answered(last.api, carol, "GET", "/audit?action=grant.closed&limit=500"), ({ body }) =>
        (body["items"] as ReadonlyArray<unknown>).length >= repeated ? true : undefined
      )
    )
    last.child.kill("SIGTERM")
    yield* last.ended
    const found = yield* Effect.provide(Judge.judge(place.files.state), Pglite.layer({ directory }))
    return { ...found, repeated }
  }).pipe(Effect.scoped, Effect.runPromise)

/** For machines that are busy with something else, in milliseconds. */
const bound = 240_000

describe("kill -9 on the embedded database", () => {
  it(
    `${cases.length} kills, one daemon after the other`,
    async () => {
      const { bad, entries, repeated, requests, truth } = await chain(cases)
      console.log(`${cases.length} kills, ${requests.length} requests, ${repeated} repeated, ${entries.length} entries`)
      expect(bad).toEqual([])
      expect(requests.length).toBe(cases.length)
      expect(truth.length).toBe(cases.length)
      expect(repeated).toBeGreaterThan(0)
    },
    bound
  )

  // The judge is the same as on PostgreSQL, where every run shows that it sees.
  if (full) {
    it(
      "sees it when the platform grants anew at each attempt",
      async () => {
        const { bad } = await chain(all.slice(0, 1), "grants-not-idempotent")
        console.log(`grants that are not idempotent: ${bad.length} bad`)
        expect(bad.length).toBeGreaterThan(0)
      },
      bound
    )
  }
})
