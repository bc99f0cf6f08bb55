/**
 * What the provider contract needs to know about one provider and its platform: its truth, its clock and its faults.
 *
 * What a platform cannot offer is null here and declared, with the reason, in `ProviderContract.suite`.
 */
import type * as Effect from "effect/Effect"
import type { Held } from "../memory/ProviderFaults.ts"
import type { Ask, Grantee, Provider } from "../Provider.ts"
import type { Time } from "../Time.ts"

/** A right that the platform would let through now. */
export interface LiveRight {
  readonly requestId: string
  readonly notAfter: Time
}

/** Faults at the platform's edge, each for the next call that grants or ends. */
export interface PlatformFaults {
  /** Refused, nothing happens. */
  readonly failBefore: (operation: "grant" | "end") => Effect.Effect<void>
  /** Performed, and the answer never arrives. */
  readonly loseAnswer: (operation: "grant" | "end") => Effect.Effect<void>
  /** Refused because there were too many calls; nothing happens. */
  readonly throttle: (operation: "grant" | "end") => Effect.Effect<void>
  /** Performed at once, answered at the release. */
  readonly hold: (operation: "grant" | "end") => Effect.Effect<Held>
}

export interface ProviderFixture {
  readonly provider: Provider
  /** The same provider as another process has it; absent where a process keeps nothing for itself. */
  readonly elsewhere?: Provider
  /** Grantable asks with different resource keys for one grantee. */
  readonly asks: readonly [Ask, Ask, ...ReadonlyArray<Ask>]
  readonly grantee: Grantee
  /** The database's clock and the platform's: one and the same in a test. */
  readonly now: Effect.Effect<Time>
  /** How far `notAfter` may lie beyond `now` plus the duration (a real platform stamps later, and in whole seconds). */
  readonly toleranceSeconds: number
  /** Moves both clocks forward; null where time is real. */
  readonly advance: ((seconds: number) => Effect.Effect<void>) | null
  /** Everything with our mark that the platform would let through now; null where nobody can look. */
  readonly live: Effect.Effect<ReadonlyArray<LiveRight>> | null
  readonly faults: PlatformFaults | null
  /** What is granted from now on is not seen by `list` and `inspect` for a while; null where reads are not used. */
  readonly hide: Effect.Effect<void> | null
  /** From now on the platform answers what `list` asks in pages of at most 5; absent where it knows no pages. */
  readonly smallPages?: Effect.Effect<void>
  /** An ask that `parse` accepts for something that does not exist at the platform. */
  readonly missing: Ask | null
}
