/** Commits steps until it is killed, and says each step's id once it was acknowledged. Arguments: target, writers. */
import { Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { entry, job, newId, pending, stepAt } from "../Steps.ts"
import { say, storeAt } from "./Connection.ts"

const [target = "", writers = "8"] = process.argv.slice(2)

const one = Effect.gen(function* () {
  const store = yield* Store.Store
  const { now } = yield* store.facts({})
  const request = pending(now)
  const step = stepAt(now, {
    writes: [{ kind: "request", expect: 0, next: request }],
    entries: [yield* entry(now, { requestId: request.id }), yield* entry(now, { requestId: request.id })],
    jobs: [job(newId("job"), now, { requestId: request.id })]
  })
  yield* store.commit(step)
  yield* say(step.id)
})

// Whoever started us is gone: so are we.
process.stdin.on("end", () => process.exit(1)).resume()

Effect.runPromise(
  say("ready").pipe(
    Effect.andThen(
      Effect.all(
        Array.from({ length: Number(writers) }, () => Effect.forever(one)),
        { concurrency: "unbounded" }
      )
    ),
    Effect.provide(storeAt(target))
  )
).catch((failure: unknown) => {
  process.stderr.write(`${String(failure)}\n`)
  process.exit(1)
})
