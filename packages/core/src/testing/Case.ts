/**
 * One sentence of a contract, runnable.
 *
 * Plain data, so that a test runner, an operator's check of a sandbox account and the mutants test share it.
 */
import type * as Effect from "effect/Effect"
import type { ContractViolation } from "./ContractViolation.ts"

export interface Case {
  /** A sentence about behaviour, unique in its contract. */
  readonly name: string
  /** Succeeds when the implementation keeps the sentence. A defect is a bug of the implementation or of the case. */
  readonly run: Effect.Effect<void, ContractViolation>
}

/** A case that an implementation declares it cannot meet. It is printed, never dropped in silence. */
export interface DeclaredGap {
  readonly name: string
  readonly why: string
}
