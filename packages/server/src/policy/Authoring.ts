/** `PolicyAuthoring` over OPA's compiler: check, compile, store; evaluate what is stored or drafts. */
import type { Dto } from "@jitsudo/client"
import type { Time } from "@jitsudo/core"
import { ElevationError, Policy, PolicyAdmin, Principal, type PolicySet, Transitions } from "@jitsudo/core"
import { Pool, Prepare, ServedPolicies } from "@jitsudo/rego"
import { Compiler } from "@jitsudo/rego/compiler"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as InputDocument from "./InputDocument.ts"
import { PolicyAuthoring } from "./PolicyAuthoring.ts"

type Draft = typeof Dto.PolicyDraft.Type

/** What was wrong, for the one who wrote it: every place with its message. */
export const rejected = (error: Prepare.PolicyRejected): ElevationError.Refused =>
  ElevationError.decline(
    "policy_rejected",
    "the policies cannot be applied; nothing was changed",
    "correct them; `jitsudo policy check` and `jitsudo policy test` say the same offline",
    {
      problems: error.problems.map((one) => ({
        field: one.at === "" ? one.policy : one.at,
        message: one.at === "" ? one.message : `${one.policy}: ${one.message}`
      }))
    }
  )

export const compilerTrouble = (): ElevationError.Unavailable =>
  new ElevationError.Unavailable({
    what: "policy",
    message: "the policy compiler took too long or broke on this source",
    retryAfterSeconds: 5
  })

const asDraft = (draft: Draft, before: PolicySet.PolicySource | undefined): Prepare.Draft => ({
  name: draft.name,
  type: draft.type,
  description: draft.description ?? before?.description ?? "",
  enabled: draft.enabled ?? before?.enabled ?? true,
  files: draft.files
})

const stored = (policy: PolicySet.PolicySource): Prepare.Draft => ({
  name: policy.name,
  type: policy.type,
  description: policy.description,
  enabled: policy.enabled,
  files: policy.files
})

/** Prepare drafts against what is stored, as the host or as an administrator. */
export const prepareFor = Effect.fnUntraced(function* (
  drafts: ReadonlyArray<Prepare.Draft>,
  before: ReadonlyArray<PolicySet.PolicySource>,
  now: Time.Time,
  by: Prepare.PrepareOptions["by"]
) {
  return yield* Prepare.prepare(drafts, { before, now, by }).pipe(
    Effect.catchTags({
      PolicyRejected: (error) => Effect.fail(rejected(error)),
      CompilerCrashed: () => Effect.fail(compilerTrouble())
    })
  )
})

export const layer = (options: {
  /** The directory that is the only source of policy, if one is configured. */
  readonly directory: string | undefined
}): Layer.Layer<PolicyAuthoring, never, PolicyAdmin.PolicyAdmin | Policy.Policy | Transitions.Transitions> =>
  Layer.effect(
    PolicyAuthoring,
    Effect.gen(function* () {
      const admin = yield* PolicyAdmin.PolicyAdmin
      const policy = yield* Policy.Policy
      const transitions = yield* Transitions.Transitions
      const compiler = yield* Compiler
      const compiling = Effect.provideService(Compiler, compiler)

      const elsewhere = ElevationError.refuse(
        "policy_managed_elsewhere",
        `policy comes from the directory ${options.directory ?? ""}`,
        "change it there; the daemon takes it over within seconds"
      )

      const change = Effect.fnUntraced(function* (
        by: Principal.PrincipalKey,
        expectRevision: number | undefined,
        next: (before: ReadonlyArray<PolicySet.PolicySource>) => ReadonlyArray<Prepare.Draft>
      ) {
        yield* admin.mayChange(by)
        if (options.directory !== undefined) return yield* elsewhere
        const current = yield* admin.current
        const { now, principals } = yield* transitions.facts({ principals: [by] })
        const author = principals.get(Principal.keyOf(by))
        const prepared = yield* prepareFor(next(current.policies), current.policies, now, {
          issuer: by.issuer,
          subject: by.subject,
          email: author?.email ?? null
        }).pipe(compiling)
        const done = yield* admin.replace(by, expectRevision ?? current.revision.number, prepared.policies)
        return {
          revision: done.revision.number,
          hash: done.revision.hash,
          changes: done.changes.map((one) => ({ ...one })),
          warnings: [...prepared.warnings]
        }
      })

      /** Drafts in a pool of their own, that lives for one evaluation. */
      const onDrafts = (drafts: ReadonlyArray<Draft>, input: Policy.PolicyInput) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { now } = yield* transitions.facts({})
            const prepared = yield* prepareFor(
              drafts.map((draft) => asDraft(draft, undefined)),
              [],
              now,
              { ...Principal.system, email: null }
            ).pipe(compiling)
            const pool = yield* Effect.acquireRelease(
              Effect.sync(() => new Pool.Pool({ size: 1 })),
              (one) => Effect.promise(() => one.close())
            )
            yield* Effect.tryPromise({
              try: () => pool.load("drafts", ServedPolicies.loadable(prepared.policies)),
              catch: compilerTrouble
            })
            return yield* Effect.mapError(ServedPolicies.evaluateIn(pool, "drafts", input), compilerTrouble)
          })
        )

      const evaluate: PolicyAuthoring["Service"]["evaluate"] = Effect.fn("PolicyAuthoring.evaluate")(function* (what) {
        const facts = yield* transitions.facts({})
        const input = yield* InputDocument.complete(what.action, what.input, what.now, facts.now)
        const trouble = (error: Policy.PolicyUnavailable) =>
          new ElevationError.Unavailable({ what: "policy", message: error.message, retryAfterSeconds: 1 })
        const revision = facts.policy.number
        const empty = { allowed: false, tier: null, reasons: [], stages: [], openQuorum: 0, findings: [] }
        const findings = (all: ReadonlyArray<Policy.Finding>) =>
          all.map((one) => ({ ...one, reasons: [...one.reasons] }))
        const drafts = what.drafts
        if (what.action === "route") {
          const verdict =
            drafts === undefined
              ? yield* Effect.mapError(policy.routing(revision, input), trouble)
              : ServedPolicies.verdicts.routing(yield* onDrafts(drafts, input))
          return {
            ...empty,
            allowed: true,
            tier: verdict.tier,
            stages: verdict.stages.map((stage) => ({
              ...stage,
              groups: [...stage.groups],
              users: [...stage.users],
              unmeetable: stage.groups.length + stage.users.length === 0
            })),
            openQuorum: verdict.openQuorum,
            findings: findings(verdict.findings)
          }
        }
        const verdict =
          what.action === "request" || what.action === "break_glass"
            ? drafts === undefined
              ? yield* Effect.mapError(policy.eligibility(revision, input), trouble)
              : ServedPolicies.verdicts.eligibility(input, yield* onDrafts(drafts, input))
            : drafts === undefined
              ? yield* Effect.mapError(policy.admission(revision, input), trouble)
              : ServedPolicies.verdicts.admission(input, yield* onDrafts(drafts, input))
        return {
          ...empty,
          allowed: verdict.allowed,
          reasons: [...verdict.reasons],
          findings: findings(verdict.findings)
        }
      })

      return PolicyAuthoring.of({
        apply: Effect.fn("PolicyAuthoring.apply")((by, drafts, { expectRevision, replaceAll }) =>
          change(by, expectRevision, (before) => {
            const old = new Map(before.map((one) => [one.name, one]))
            const given = drafts.map((draft) => asDraft(draft, old.get(draft.name)))
            const names = new Set(given.map((draft) => draft.name))
            const kept = replaceAll ? [] : before.filter((one) => !names.has(one.name)).map(stored)
            return [...kept, ...given]
          })
        ),
        remove: Effect.fn("PolicyAuthoring.remove")((by, name) =>
          change(by, undefined, (before) => before.filter((one) => one.name !== name).map(stored))
        ),
        evaluate
      })
    })
  ).pipe(Layer.provide(Compiler.layer))
