/**
 * Decides on facts, again and again: each step guards policy, locks and a principal, and its entry says on which
 * revisions it was decided. Arguments: target, requests to decide (comma separated), how many at once.
 */
import { Principal, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { entry, next, stepAt } from "../Steps.ts"
import { say, storeAt } from "./Connection.ts"

const [target = "", requests = "", writers = "8"] = process.argv.slice(2)
const waiting = requests.split(",")
const decider = { issuer: "https://login.example", subject: "ben" }

const decide = (id: string): Effect.Effect<void, Store.StoreError, Store.Store> =>
  Effect.gen(function* () {
    const store = yield* Store.Store
    const facts = yield* store.facts({ requestId: id, principals: [decider] })
    const { locks, now, policy, request } = facts
    const ben = facts.principals.get(Principal.keyOf(decider))
    if (request === undefined || ben === undefined) return yield* Effect.die("nobody to decide, or nothing")
    const decided = yield* entry(now, {
      action: "request.approved",
      requestId: id,
      details: { policy: policy.number, locks: locks.revision, principal: ben.version }
    })
    yield* store
      .commit(
        stepAt(now, {
          guards: [
            { kind: "policy", revision: policy.number },
            { kind: "locks", revision: locks.revision },
            { kind: "principal", key: decider, version: ben.version }
          ],
          writes: [
            { kind: "request", expect: request.version, next: next(request, { state: "APPROVED", updatedAt: now }) }
          ],
          entries: [decided]
        })
      )
      .pipe(Effect.catchTag("StepConflict", () => decide(id)))
  })

// Whoever started us is gone: so are we.
process.stdin.on("end", () => process.exit(1)).resume()

Effect.runPromise(
  say("ready").pipe(
    Effect.andThen(Effect.forEach(waiting, decide, { concurrency: Number(writers), discard: true })),
    Effect.andThen(say("done")),
    Effect.provide(storeAt(target))
  )
).then(
  () => process.exit(0),
  (failure: unknown) => {
    process.stderr.write(`${String(failure)}\n`)
    process.exit(1)
  }
)
