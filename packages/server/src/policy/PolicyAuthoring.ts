/** Writing policy: check, compile and store a set; evaluate what is stored, or drafts, on an input. */
import type { Dto } from "@jitsudo/client"
import type { ElevationError, Principal } from "@jitsudo/core"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

type Draft = typeof Dto.PolicyDraft.Type
type Applied = typeof Dto.AppliedPolicies.Type

export class PolicyAuthoring extends Context.Service<
  PolicyAuthoring,
  {
    /**
     * Check and compile the drafts together with what is stored, and store the result as one new revision.
     * Administrators only. Refused while a directory is the source of policy.
     */
    readonly apply: (
      by: Principal.PrincipalKey,
      drafts: ReadonlyArray<Draft>,
      options: { readonly replaceAll: boolean; readonly expectRevision?: number }
    ) => Effect.Effect<Applied, ElevationError.ElevationError>
    /** Remove one policy by name; what is left must still compile. */
    readonly remove: (by: Principal.PrincipalKey, name: string) => Effect.Effect<Applied, ElevationError.ElevationError>
    readonly evaluate: (
      what: typeof Dto.EvalPolicies.Type
    ) => Effect.Effect<typeof Dto.EvaluatedPolicies.Type, ElevationError.ElevationError>
  }
>()("@jitsudo/server/PolicyAuthoring") {}
