/**
 * What a contract case says when an implementation breaks it.
 *
 * `expected` is a sentence of the contract, `found` what the implementation did instead. Neither carries a secret.
 */
import * as Data from "effect/Data"

export class ContractViolation extends Data.TaggedError("ContractViolation")<{
  /** The name of the case that objects. */
  readonly contract: string
  readonly expected: string
  readonly found: string
}> {
  override get message(): string {
    return `${this.contract}: expected ${this.expected}; found ${this.found}`
  }
}
