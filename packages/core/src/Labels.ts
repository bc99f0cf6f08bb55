/**
 * What the operator says about a target: labels for policies. Never from what a requester writes.
 *
 * `facts_ok` is always present; false means that a source could not be read, and the tier is then at least `human`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JsonObject } from "./Json.ts"
import { globMatches } from "./Lock.ts"
import type { PrincipalKey } from "./Principal.ts"

export interface LabelTarget {
  readonly provider: string
  readonly role: string
  readonly resourceScope: string
  readonly requester: PrincipalKey
  /** The ticket that the requester named (`metadata.ticket`), or empty: a key to look facts up by, not a fact. */
  readonly ticket: string
}

/** A row of the static table: `*` matches any run of characters; later rows win over earlier ones. */
export interface LabelRow {
  readonly provider: string
  readonly role: string
  readonly resourceScope: string
  /** Only for requests that name this ticket; absent: for all. */
  readonly ticket?: string
  readonly labels: JsonObject
}

export class Labels extends Context.Service<
  Labels,
  { readonly of: (target: LabelTarget) => Effect.Effect<JsonObject> }
>()("@jitsudo/core/Labels") {}

export const fromTable = (rows: ReadonlyArray<LabelRow>, target: LabelTarget): JsonObject => {
  let labels: JsonObject = {}
  for (const row of rows) {
    const applies =
      globMatches(row.provider, target.provider) &&
      globMatches(row.role, target.role) &&
      globMatches(row.resourceScope, target.resourceScope) &&
      (row.ticket === undefined || (target.ticket !== "" && globMatches(row.ticket, target.ticket)))
    if (applies) labels = { ...labels, ...row.labels }
  }
  return { ...labels, facts_ok: true }
}

export const layerTable = (rows: ReadonlyArray<LabelRow>): Layer.Layer<Labels> =>
  Layer.succeed(Labels, Labels.of({ of: (target) => Effect.succeed(fromTable(rows, target)) }))
