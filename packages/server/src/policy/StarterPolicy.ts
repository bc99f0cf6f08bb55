/** What `dev` begins with: the starter pack that ships compiled, so that nothing is compiled at a first start. */
import type { ElevationError, PolicySet } from "@jitsudo/core"
import { Principal, Time } from "@jitsudo/core"
import { Starter } from "@jitsudo/rego"
import * as Effect from "effect/Effect"

export const load: Effect.Effect<ReadonlyArray<PolicySet.PolicySource>, ElevationError.Unavailable> = Effect.map(
  Effect.clockWith((clock) => clock.currentTimeMillis),
  (millis) => Starter.policies({ now: Time.make(millis), by: { ...Principal.system, email: null } })
)
