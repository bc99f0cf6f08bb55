import { assert, it } from "@effect/vitest"
import { Time } from "@jitsudo/core"
import { Clock, Effect } from "effect"
import { elevate, engine, person } from "../src/main.ts"

it.live("Ben approves what Ada asked, and Ada gets credentials", () =>
  Effect.gen(function* () {
    const now = Time.make(yield* Clock.currentTimeMillis)
    const credentials = yield* elevate(person("ada", ["engineers"], now), person("ben", ["leads"], now))
    assert.isAbove(Object.keys(credentials.values).length, 0)
    assert.isAbove(credentials.notAfter, now)
  }).pipe(Effect.provide(engine))
)

it.live("who is not an engineer gets nothing", () =>
  Effect.gen(function* () {
    const now = Time.make(yield* Clock.currentTimeMillis)
    const refused = yield* Effect.flip(elevate(person("mallory", ["guests"], now), person("ben", ["leads"], now)))
    assert.strictEqual(refused._tag === "Refused" ? refused.code : refused._tag, "not_eligible")
  }).pipe(Effect.provide(engine))
)
