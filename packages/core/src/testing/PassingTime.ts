/**
 * Letting the store's clock go on in a contract case.
 *
 * Leases end and idempotency keys are forgotten by the store's clock. A case never sleeps: it asks for time to pass.
 * A store whose clock is Effect's takes `layerTestClock`; one over a database gives its own (an offset that the
 * database's now adds, or rows moved back by as much).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { monday } from "./Fixtures.ts"

export class PassingTime extends Context.Service<
  PassingTime,
  {
    /** The store's now is this many seconds later when it returns. */
    readonly pass: (seconds: number) => Effect.Effect<void>
  }
>()("@jitsudo/core/testing/PassingTime") {}

/** For stores on Effect's `Clock`: a `TestClock` that stands at Monday and goes on when it is told to. */
export const layerTestClock: Layer.Layer<PassingTime> = Layer.effect(
  PassingTime,
  Effect.as(TestClock.setTime(monday), { pass: (seconds) => TestClock.adjust(seconds * 1000) })
).pipe(Layer.provideMerge(TestClock.layer()))
