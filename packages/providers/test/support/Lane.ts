/**
 * A provider on its platform, as suites run it: the contract, its mutants, the fault matrix and the report.
 *
 * Each cloud exports its lanes from `support/<Cloud>Lanes.ts`: one for each mode or switch that changes what is called.
 */
import type { ProviderContract, ProviderFixture, WireServer } from "@jitsudo/providers/testing"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

export interface Lane {
  /** As reports name it: `azure`, `azure with PIM`. */
  readonly name: string
  /** A platform with nothing in it, and the provider that speaks to it. `wire` is null where the platform is real. */
  readonly make: Effect.Effect<
    { readonly fixture: ProviderFixture; readonly wire: WireServer.WireServer | null },
    never,
    Scope.Scope
  >
  /** What the platform cannot offer, and why. */
  readonly gaps: NonNullable<ProviderContract.Options["gaps"]>
}
