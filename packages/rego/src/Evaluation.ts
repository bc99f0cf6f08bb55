/** What policies answered to one input, before the answers are combined. */
import type { DecidingType } from "./Rules.ts"

/** The value of one rule. */
export type RuleAnswer =
  | { readonly state: "value"; readonly value: unknown }
  | { readonly state: "undefined" }
  /** A conflict, a crash, a missing module: the policy denies. */
  | { readonly state: "failed"; readonly message: string }

export interface PolicyAnswer {
  readonly policy: string
  readonly type: DecidingType
  /** The rules that were read; rules that the policy does not have are undefined. */
  readonly rules: Readonly<Record<string, RuleAnswer>>
}

/** Why there are no answers: everything is denied. `policy` is the one that was running, where there was one. */
export interface EvaluationFailure {
  readonly policy: string | null
  readonly reason: "budget" | "crash" | "input"
  readonly message: string
}

export type Evaluation = { readonly answers: ReadonlyArray<PolicyAnswer> } | { readonly failure: EvaluationFailure }

/** A policy as the workers load it. */
export interface LoadablePolicy {
  readonly name: string
  readonly type: DecidingType
  /** The policy as written; absent when it has no rule that is read. */
  readonly all: WebAssembly.Module | null
  /** The compilation without the default tier. */
  readonly tier: WebAssembly.Module | null
}
