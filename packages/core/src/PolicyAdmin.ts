/**
 * Changing policy: administrators replace the whole set, compare-and-set on the revision that they looked at. What is
 * put here was compiled and checked before (`@jitsudo/rego`); nothing is compiled on a request's path.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Access from "./Access.ts"
import { stringify } from "./Canonical.ts"
import { decline, refuse, Unavailable, type ElevationError, type Refused } from "./ElevationError.ts"
import type { PolicyRevision } from "./Policy.ts"
import type { PolicySource } from "./PolicySet.ts"
import type { PrincipalKey } from "./Principal.ts"
import * as Records from "./Records.ts"
import { lockedRefusal, lockOnActor } from "./rules/Standing.ts"
import { Settings } from "./Settings.ts"
import { sha256Hex } from "./Sha256.ts"
import { Store, type StepConflict, type StoredFacts } from "./Store.ts"
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

const retries = 8

const make = Effect.gen(function* () {
  const store = yield* Store
  const settings = yield* Settings
  const transitions = yield* Transitions

  /** Refused, with an entry that says so. */
  const refused = (facts: StoredFacts, by: PrincipalKey | null, refusal: Refused) => {
    const who = by === null ? undefined : actorIn(facts, by)
    const actor =
      by === null
        ? Records.systemActor
        : who === undefined
          ? { ...by, email: null, kind: "human" as const }
          : Records.actorOf(who.principal)
    return Effect.andThen(
      transitions.state(
        [Records.plain(actor, "policy.refused", "refused", Records.refusalDetails(refusal))],
        facts.now
      ),
      Effect.fail(refusal)
    )
  }

  /** An administrator, and not locked. */
  const admin = Effect.fnUntraced(function* (facts: StoredFacts, by: PrincipalKey) {
    const who = actorIn(facts, by)
    if (who === undefined || !Access.isAdmin(who.principal, settings)) {
      return yield* refused(facts, by, Access.adminRefusal("policy"))
    }
    const lock = lockOnActor(who, { now: facts.now, locks: facts.locks, settings })
    return lock === undefined ? who : yield* refused(facts, by, lockedRefusal(lock))
  })

  const again = <A>(attempt: Effect.Effect<A, ElevationError | StepConflict>): Effect.Effect<A, ElevationError> =>
    attempt.pipe(
      Effect.retry({ times: retries, while: (error) => error._tag === "StepConflict" }),
      Effect.catchTag("StepConflict", (conflict) =>
        Effect.fail(
          new Unavailable({
            what: "contention",
            message: `the ${conflict.conflict.kind} keeps changing; policy is as it was`,
            retryAfterSeconds: 1
          })
        )
      )
    )

  const mayChange: PolicyAdmin["Service"]["mayChange"] = Effect.fn("PolicyAdmin.mayChange")((by) =>
    again(Effect.asVoid(Effect.flatMap(transitions.facts({ principals: [by] }), (facts) => admin(facts, by))))
  )

  const replaceOnce = Effect.fnUntraced(function* (
    by: PrincipalKey | null,
    expect: number,
    policies: ReadonlyArray<PolicySource>
  ) {
    const facts = yield* transitions.facts({ principals: by === null ? [] : [by] })
    const who = by === null ? undefined : yield* admin(facts, by)
    const twice = policies.find((one, index) => policies.findIndex((other) => other.name === one.name) !== index)
    if (twice !== undefined) {
      return yield* decline(
        "policy_rejected",
        `two policies are called ${JSON.stringify(twice.name)}`,
        "give one of them another name"
      )
    }
    const before = yield* Effect.mapError(store.policies(), storeTrouble)
    if (before.revision.number !== expect) {
      const moved = refuse(
        "changed_meanwhile",
        `policy is at revision ${before.revision.number}, not ${expect}`,
        "look at what changed, then apply again"
      )
      return yield* refused(facts, by, moved)
    }
    const changes = changesBetween(before.policies, policies)
    if (changes.length === 0) return { revision: before.revision, changes }
    const hash = yield* sha256Hex(
      stringify(
        [...policies]
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map((policy) => ({ name: policy.name, type: policy.type, enabled: policy.enabled, hash: policy.hash }))
      )
    )
    const actor = who === undefined ? Records.systemActor : Records.actorOf(who.principal)
    const next = expect + 1
    yield* transitions.commit({
      now: facts.now,
      guards:
        who === undefined || by === null
          ? []
          : [
              { kind: "principal", key: by, version: who.principal.version },
              { kind: "locks", revision: facts.locks.revision }
            ],
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
    return { revision: { number: next, hash }, changes }
  })

  const replace: PolicyAdmin["Service"]["replace"] = Effect.fn("PolicyAdmin.replace")((by, expect, policies) =>
    again(replaceOnce(by, expect, policies))
  )

  return PolicyAdmin.of({ mayChange, replace, current: Effect.mapError(store.policies(), storeTrouble) })
})

export const layer: Layer.Layer<PolicyAdmin, never, Store | Settings | Transitions> = Layer.effect(PolicyAdmin, make)
