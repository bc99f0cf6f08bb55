/** Policy as plain functions of the input: for tests and for embedders who decide in code. Fails closed on a throw. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Admission, Eligibility, PolicyInput, RoutingVerdict } from "../Policy.ts"
import { Policy } from "../Policy.ts"

export interface Rules {
  /** Undefined members take the value that allows nothing more: see `layer`. */
  readonly eligibility?: (input: PolicyInput) => Partial<Eligibility>
  readonly routing?: (input: PolicyInput) => Partial<RoutingVerdict>
  readonly admission?: (input: PolicyInput) => Partial<Admission>
}

const closed = <A>(evaluate: () => A, otherwise: A): A => {
  try {
    return evaluate()
  } catch {
    // A policy that throws denies.
    return otherwise
  }
}

const noEligibility: Eligibility = {
  allowed: false,
  reasons: ["no policy allows it"],
  maxTotalSeconds: null,
  blockOnOpenReview: false,
  findings: []
}
const noRouting: RoutingVerdict = { tier: "human", stages: [], openQuorum: 1, findings: [] }
const noAdmission: Admission = { allowed: false, denied: false, reasons: [], findings: [] }

/** Without rules everything is denied. */
export const layer = (rules: Rules): Layer.Layer<Policy> =>
  Layer.succeed(
    Policy,
    Policy.of({
      eligibility: (_revision, input) =>
        Effect.sync(() => closed(() => ({ ...noEligibility, ...rules.eligibility?.(input) }), noEligibility)),
      routing: (_revision, input) =>
        Effect.sync(() => closed(() => ({ ...noRouting, ...rules.routing?.(input) }), noRouting)),
      admission: (_revision, input) =>
        Effect.sync(() =>
          closed(() => ({ ...noAdmission, ...rules.admission?.(input) }), { ...noAdmission, denied: true })
        )
    })
  )
