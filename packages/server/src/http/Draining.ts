/** Whether the daemon is on its way out: readiness says so, and streams end, so that nobody waits for them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"

export class Draining extends Context.Service<
  Draining,
  {
    readonly begin: Effect.Effect<void>
    /** Waits for it. */
    readonly begun: Effect.Effect<void>
    readonly hasBegun: () => boolean
  }
>()("@jitsudo/server/Draining") {}

export const layer: Layer.Layer<Draining> = Layer.sync(Draining, () => {
  const latch = Latch.makeUnsafe(false)
  let draining = false
  return Draining.of({
    begin: Effect.andThen(
      Effect.sync(() => {
        draining = true
      }),
      latch.open
    ),
    begun: latch.await,
    hasBegun: () => draining
  })
})
