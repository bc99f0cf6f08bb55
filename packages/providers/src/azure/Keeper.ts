/**
 * How rights are kept in Azure: as role assignments, or as schedules of Privileged Identity Management.
 *
 * Both keep the same promises: a grant adds its mark to the one assignment that Azure has for a right, an end takes it
 * away, and the last one takes the assignment away. What is not ours is neither changed nor removed.
 */
import type { Provider, Time } from "@jitsudo/core"
import type * as Effect from "effect/Effect"
import type * as Holders from "./Holders.ts"
import type * as Mark from "./Mark.ts"
import type * as Right from "./Right.ts"

type Call<A> = Effect.Effect<A, Provider.ProviderError>

export interface Ending extends Holders.Asking {
  readonly notAfter: Time.Time
}

/** A mark that was found. */
export interface Listed {
  readonly right: Right.Right
  readonly holder: Mark.Holder
  readonly key: string | null
  /** The name of the assignment that carries it. */
  readonly assignment: string
}

export interface Keeper {
  readonly grant: (
    request: Holders.Asking,
    right: Right.Right,
    own: Mark.Holder,
    key: string
  ) => Call<{ readonly until: Time.Time; readonly assignment: string }>
  readonly end: (request: Ending, right: Right.Right, reference: Right.Reference | null) => Call<Provider.Ended>
  readonly inspect: (request: Ending, right: Right.Right, reference: Right.Reference | null) => Call<Provider.Liveness>
  /** Every mark at the scopes that may be asked for, once. */
  readonly list: Call<ReadonlyArray<Listed>>
  /** Somebody has the right by an assignment that is not ours. */
  readonly isStanding: (right: Right.Right) => Call<boolean>
}
