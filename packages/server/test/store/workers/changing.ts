/**
 * Changes what decisions are made on, in turn policy, locks and a principal, until it is told to stop (its input ends);
 * each change's entry says the revision that it made. Argument: target.
 */
import { Principal, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { entry, newId, stepAt } from "../Steps.ts"
import { say, storeAt } from "./Connection.ts"

const [target = ""] = process.argv.slice(2)
const decider = { issuer: "https://login.example", subject: "ben" }
const stop = { asked: false }
process.stdin.on("end", () => (stop.asked = true)).resume()

const change = (round: number) =>
  Effect.gen(function* () {
    const store = yield* Store.Store
    const facts = yield* store.facts({ principals: [decider] })
    const { locks, now, policy } = facts
    const ben = facts.principals.get(Principal.keyOf(decider))
    if (ben === undefined) return yield* Effect.die("nobody to change")
    const by = { ...decider, email: null }
    switch (round % 3) {
      case 0:
        return stepAt(now, {
          writes: [{ kind: "policies", expect: policy.number, hash: "a".repeat(64), policies: [] }],
          entries: [yield* entry(now, { action: "policy.applied", details: { policy: policy.number + 1 } })]
        })
      case 1:
        return stepAt(now, {
          guards: [{ kind: "locks", revision: locks.revision }],
          writes: [
            {
              kind: "lock",
              lock: { id: newId("lck"), target: { kind: "provider", provider: "other" }, reason: "", by, since: now }
            }
          ],
          entries: [yield* entry(now, { action: "lock.created", details: { locks: locks.revision + 1 } })]
        })
      default:
        return stepAt(now, {
          writes: [{ kind: "principal", expect: ben.version, next: { ...ben, version: ben.version + 1 } }],
          entries: [yield* entry(now, { action: "principal.changed", details: { principal: ben.version + 1 } })]
        })
    }
  })

const main = Effect.gen(function* () {
  const store = yield* Store.Store
  yield* say("ready")
  for (let round = 0; !stop.asked; round++) {
    yield* store.commit(yield* change(round))
    yield* say("changed")
  }
  yield* say("done")
})

Effect.runPromise(Effect.provide(main, storeAt(target))).then(
  () => process.exit(0),
  (failure: unknown) => {
    process.stderr.write(`${String(failure)}\n`)
    process.exit(1)
  }
)
