/**
 * Changing policy: administrators replace the whole set, compare-and-set on the revision that they looked at. What is
 * put here was compiled and checked before (`@jitsudo/rego`); nothing is compiled on a request's path.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Access from "./Access.ts"
import { stringify } from "./Canonical.ts"
import { refuse, Unavailable, type ElevationError } from "./ElevationError.ts"
import type { PolicyRevision } from "./Policy.ts"
import type { PolicySource } from "./PolicySet.ts"
import { system, type PrincipalKey } from "./Principal.ts"
import * as Records from "./Records.ts"
import { Settings } from "./Settings.ts"
import { sha256Hex } from "./Sha256.ts"
import { Store } from "./Store.ts"
import { actorIn, storeTrouble, Transitions } from "./Transitions.ts"

/** How the set differs from the one before. */
export interface PolicyChange {
  readonly name: string
  readonly change: "added" | "changed" | "deleted"
  readonly before: string | null
  readonly after: string | null
}

export const changesBetween = (
  before: ReadonlyArray<PolicySource>,
  after: ReadonlyArray<PolicySource>
): ReadonlyArray<PolicyChange> => {
  const old = new Map(before.map((policy) => [policy.name, policy]))
  const now = new Map(after.map((policy) => [policy.name, policy]))
  const added = after.flatMap((policy): ReadonlyArray<PolicyChange> => {
    const was = old.get(policy.name)
    if (was === undefined) return [{ name: policy.name, change: "added", before: null, after: policy.hash }]
    const same =
      was.hash === policy.hash &&
      was.enabled === policy.enabled &&
      was.type === policy.type &&
      was.description === policy.description
    return same ? [] : [{ name: policy.name, change: "changed", before: was.hash, after: policy.hash }]
  })
  const deleted = before.flatMap((policy): ReadonlyArray<PolicyChange> =>
    now.has(policy.name) ? [] : [{ name: policy.name, change: "deleted", before: policy.hash, after: null }]
  )
  return [...added, ...deleted]
}

export class PolicyAdmin extends Context.Service<
  PolicyAdmin,
  {
    /** Human administrators only; anybody else is refused and recorded. */
    readonly mayChange: (by: PrincipalKey) => Effect.Effect<void, ElevationError>
    /**
     * Replace revision `expect` by this set. `by` null is the host itself (a directory of policies, `dev`).
     * `Refused changed_meanwhile` when another revision is current.
     */
    readonly replace: (
      by: PrincipalKey | null,
      expect: number,
      policies: ReadonlyArray<PolicySource>
    ) => Effect.Effect<
      { readonly revision: PolicyRevision; readonly changes: ReadonlyArray<PolicyChange> },
      ElevationError
    >
    readonly current: Effect.Effect<
      { readonly revision: PolicyRevision; readonly policies: ReadonlyArray<PolicySource> },
      ElevationError
    >
  }
>()("@jitsudo/core/PolicyAdmin") {}

const make = Effect.gen(function* () {
  const store = yield* Store
  const settings = yield* Settings
  const transitions = yield* Transitions

  const mayChange: PolicyAdmin["Service"]["mayChange"] = Effect.fn("PolicyAdmin.mayChange")(function* (by) {
    const facts = yield* transitions.facts({ principals: [by] })
    const who = actorIn(facts, by)
    if (who !== undefined && Access.isAdmin(who.principal, settings)) return
    const refusal = Access.adminRefusal("policy")
    yield* Effect.catchTag(
      transitions.commit({
        now: facts.now,
        records: [
          Records.plain(
            who === undefined ? { ...by, email: null, kind: "human" } : Records.actorOf(who.principal),
            "policy.refused",
            "refused",
            Records.refusalDetails(refusal)
          )
        ]
      }),
      "StepConflict",
      (conflict) => Effect.die(conflict)
    )
    return yield* refusal
  })

  const replace: PolicyAdmin["Service"]["replace"] = Effect.fn("PolicyAdmin.replace")(function* (by, expect, policies) {
    if (by !== null) yield* mayChange(by)
    const facts = yield* transitions.facts({ principals: by === null ? [] : [by] })
    const before = yield* Effect.mapError(store.policies(), storeTrouble)
    const moved = refuse(
      "changed_meanwhile",
      `policy is at revision ${before.revision.number}, not ${expect}`,
      "look at what changed, then apply again"
    )
    if (before.revision.number !== expect) return yield* moved
    const changes = changesBetween(before.policies, policies)
    if (changes.length === 0) return { revision: before.revision, changes }
    const hash = yield* sha256Hex(
      stringify(
        [...policies]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((policy) => ({ name: policy.name, type: policy.type, enabled: policy.enabled, hash: policy.hash }))
      )
    )
    const who = by === null ? undefined : actorIn(facts, by)
    const actor =
      who === undefined ? { ...system, email: null, kind: "system" as const } : Records.actorOf(who.principal)
    const next = expect + 1
    yield* transitions
      .commit({
        now: facts.now,
        guards:
          who === undefined || by === null ? [] : [{ kind: "principal", key: by, version: who.principal.version }],
        writes: [{ kind: "policies", expect, hash, policies }],
        records: changes.map((change) =>
          Records.plain(actor, change.change === "deleted" ? "policy.deleted" : "policy.applied", "success", {
            policy: change.name,
            change: change.change,
            before: change.before,
            after: change.after,
            enabled: policies.find((policy) => policy.name === change.name)?.enabled ?? false,
            revision: next,
            revisionHash: hash
          })
        ),
        jobs: [
          {
            id: `policy:${next}:notify`,
            kind: "notify",
            requestId: null,
            serialKey: null,
            runAt: facts.now,
            after: null,
            payload: {
              event: "policy_changed",
              facts: {
                revision: next,
                by: actor.email ?? actor.subject,
                changes: changes.map((change) => ({ ...change }))
              }
            }
          }
        ]
      })
      .pipe(
        Effect.catchTag("StepConflict", (conflict) =>
          Effect.fail(
            conflict.conflict.kind === "policy"
              ? moved
              : new Unavailable({
                  what: "contention",
                  message: `the ${conflict.conflict.kind} moved`,
                  retryAfterSeconds: 1
                })
          )
        )
      )
    return { revision: { number: next, hash }, changes }
  })

  return PolicyAdmin.of({ mayChange, replace, current: Effect.mapError(store.policies(), storeTrouble) })
})

export const layer: Layer.Layer<PolicyAdmin, never, Store | Settings | Transitions> = Layer.effect(PolicyAdmin, make)
