/**
 * A daemon sleeps between reading a grant's neighbours and writing the role's revocation list, past its lease. Meanwhile
 * another ends this grant and a neighbour. When the first wakes it writes the list that it knew: the neighbour's session
 * would be let through again. Another ending, with the neighbours of then, puts the list right.
 *
 * Against the wire server, which enforces the list that it is given.
 */
import { AwsWire } from "@jitsudo/providers/testing"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { expect, it } from "vitest"
import type { Fault } from "../../src/testing/Drill.ts"
import { onPostgres, postgresUrl } from "../store/Suites.ts"
import * as Daemons from "./Daemons.ts"
import * as Judge from "./Judge.ts"
import * as TestPolicy from "./TestPolicy.ts"

const account = "111122223333"
const daemonKeys = { accessKeyId: "AKIAJITSUDODAEMON000", secretAccessKey: "wire-server-secret-of-the-daemon" }

const sleepOver = (sabotage?: Fault) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped({
      now: Date.now,
      identities: [
        {
          ...daemonKeys,
          arn: `arn:aws:iam::${account}:user/jitsudod`,
          actions: ["sts:AssumeRole", "iam:PutRolePolicy"]
        }
      ],
      roles: [{ arn: `arn:aws:iam::${account}:role/jitsudo-reader` }]
    })
    const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
    const admin = PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 })
    const aws = {
      region: "us-east-1",
      role_arn_template: "arn:aws:iam::{scope}:role/jitsudo-{role}",
      accounts: [account],
      roles: ["reader"],
      endpoint_url: wire.url
    }
    const place = yield* Daemons.makePlace(
      { url: appUrl, pool_size: 3 },
      { providers: { aws } },
      { AWS_ACCESS_KEY_ID: daemonKeys.accessKeyId, AWS_SECRET_ACCESS_KEY: daemonKeys.secretAccessKey }
    )
    const faulty = sabotage === undefined ? {} : { sabotage }
    const sleeper = yield* place.start({
      passive: true,
      stops: [{ point: "end.before_call", nth: 1, how: "stop" }],
      ...faulty
    })
    yield* TestPolicy.install(place, sleeper, appUrl)
    const alice = yield* Effect.promise(() => place.people.token(TestPolicy.requester))
    const ask = { provider: "aws", role: "reader", resourceScope: account, durationSeconds: 900 }
    const create = Effect.map(Daemons.answered(sleeper.api, alice, "POST", "/requests", ask), ({ body, status }) => {
      expect(body["state"], `${status} ${JSON.stringify(body)} ${sleeper.log()}`).toBe("ACTIVE")
      return String(body["id"])
    })
    const revoke = (daemon: Daemons.Daemon, id: string) =>
      Daemons.call(daemon.api, alice, "POST", `/requests/${id}/revoke`, {})
    const first = yield* create
    const neighbour = yield* create
    expect(wire.liveSessions().length).toBe(2)

    const caller = yield* Effect.forkScoped(revoke(sleeper, first))
    yield* sleeper.paused
    const survivor = yield* place.start(faulty)
    const becomesRevoked = (id: string) =>
      Daemons.until(
        `${id} in state REVOKED`,
        Effect.map(Daemons.answered(survivor.api, alice, "GET", `/requests/${id}`), ({ body }) =>
          body["state"] === "REVOKED" ? true : undefined
        )
      )
    yield* becomesRevoked(first)
    yield* revoke(survivor, neighbour)
    yield* becomesRevoked(neighbour)
    expect(wire.liveSessions()).toEqual([])

    sleeper.child.kill("SIGCONT")
    yield* Fiber.join(caller)
    yield* Effect.provide(Judge.quiet(), admin)
    const writes = wire.calls().filter((call) => call.operation === "iam:PutRolePolicy" && call.outcome === "ok").length
    return { alive: wire.liveSessions().map((session) => session.sessionName), neighbour, writes }
  }).pipe(Effect.scoped, Effect.runPromise)

/** For machines that are busy with something else, in milliseconds. */
const bound = 120_000

onPostgres("an ending that wakes behind a newer one", () => {
  it.concurrent(
    "leaves no session of a neighbour alive",
    async () => {
      const { alive, writes } = await sleepOver()
      // Two by the one who took over, the late one, and the one that puts it right.
      expect(writes).toBe(4)
      expect(alive).toEqual([])
    },
    bound
  )

  for (const fault of ["sweeps-dropped", "leases-unguarded"] as const) {
    it.concurrent(
      `sees it in a build with the fault ${fault}`,
      async () => {
        const { alive, neighbour, writes } = await sleepOver(fault)
        expect(writes).toBe(3)
        expect(alive).toEqual([`jitsudo-${neighbour}`])
      },
      bound
    )
  }
})
