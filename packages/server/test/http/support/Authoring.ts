/**
 * Policy authoring without a compiler: what the API's tests need of it. It keeps the port's contract (administrators only,
 * one new revision for each change, `policy_rejected` with every problem) and takes any source but one that says `broken`.
 */
import { createHash } from "node:crypto"
import { ElevationError, Ids, PolicyAdmin, type PolicySet, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PolicyAuthoring } from "../../../src/policy/PolicyAuthoring.ts"

export const layer = Layer.effect(
  PolicyAuthoring,
  Effect.gen(function* () {
    const admin = yield* PolicyAdmin.PolicyAdmin
    const store = yield* Store.Store
    const random = yield* Ids.RandomBytes

    const apply: PolicyAuthoring["Service"]["apply"] = Effect.fnUntraced(function* (by, drafts, options) {
      yield* admin.mayChange(by)
      const problems = drafts.flatMap((draft, index) =>
        draft.files.flatMap((file, at) =>
          file.source.includes("broken")
            ? [{ field: `policies.${index}.files.${at}`, message: `${file.path}:1: does not compile` }]
            : []
        )
      )
      if (problems.length > 0) {
        return yield* ElevationError.decline("policy_rejected", "the policies do not compile", "correct them", {
          problems
        })
      }
      const before = yield* admin.current
      const facts = yield* Effect.orDie(store.facts({}))
      const changed = drafts.map((draft): PolicySet.PolicySource => {
        const old = before.policies.find((policy) => policy.name === draft.name)
        return {
          id: old?.id ?? Ids.make("pol", facts.now, random),
          name: draft.name,
          type: draft.type,
          description: draft.description ?? "",
          enabled: draft.enabled ?? true,
          files: draft.files,
          hash: createHash("sha256").update(JSON.stringify(draft.files)).digest("hex"),
          compiled: [],
          updatedAt: facts.now,
          updatedBy: { ...by, email: null }
        }
      })
      const kept = options.replaceAll
        ? []
        : before.policies.filter((policy) => !changed.some((one) => one.name === policy.name))
      const applied = yield* admin.replace(by, options.expectRevision ?? before.revision.number, [...kept, ...changed])
      return {
        revision: applied.revision.number,
        hash: applied.revision.hash,
        changes: [...applied.changes],
        warnings: []
      }
    })

    return PolicyAuthoring.of({
      apply,
      remove: Effect.fnUntraced(function* (by, name) {
        const before = yield* admin.current
        const applied = yield* admin.replace(
          by,
          before.revision.number,
          before.policies.filter((policy) => policy.name !== name)
        )
        return {
          revision: applied.revision.number,
          hash: applied.revision.hash,
          changes: [...applied.changes],
          warnings: []
        }
      }),
      evaluate: () =>
        Effect.succeed({ allowed: true, tier: "human", reasons: [], stages: [], openQuorum: 1, findings: [] })
    })
  })
)
