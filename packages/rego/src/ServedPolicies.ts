/**
 * Core's `Policy` port over stored revisions: compiled Wasm is loaded from where the host keeps it, and evaluated in
 * worker threads with a budget. OPA's compiler is never reached from here.
 *
 * A call names the revision that its decision rests on. It is answered by exactly that revision, which is loaded if it
 * is not yet, or not at all.
 */
import { Canonical, type Json, Policy, type PolicySet } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import * as Combine from "./Combine.ts"
import type { Evaluation, LoadablePolicy } from "./Evaluation.ts"
import { problemOf } from "./InputSchema.ts"
import { Pool, PoolRefused, type PoolOptions } from "./Pool.ts"

/** Longest input, in bytes of JSON: a policy's memory never shrinks. */
export const maximumInputBytes = 64 * 1024

/** How many revisions are kept loaded: decisions that began before a change still name the one before. */
const keptRevisions = 3

export interface ServedOptions extends PoolOptions {
  /** The policies of a revision, with what they compiled to. */
  readonly load: (
    revision: number
  ) => Effect.Effect<ReadonlyArray<PolicySet.PolicySource>, { readonly message: string }>
}

const moduleOf = (policy: PolicySet.PolicySource, variant: "all" | "tier"): WebAssembly.Module | null => {
  const compiled = policy.compiled.find((one) => one.variant === variant)
  return compiled === undefined ? null : new WebAssembly.Module(Buffer.from(compiled.wasm, "base64"))
}

/** Enabled policies that decide; libraries are part of what they compiled to. */
export const loadable = (policies: ReadonlyArray<PolicySet.PolicySource>): ReadonlyArray<LoadablePolicy> =>
  policies.flatMap((policy) =>
    !policy.enabled || policy.type === "library"
      ? []
      : [{ name: policy.name, type: policy.type, all: moduleOf(policy, "all"), tier: moduleOf(policy, "tier") }]
  )

const encoder = new TextEncoder()

/** The input as JSON in UTF-8; undefined when it is too large. */
const encode = (input: Policy.PolicyInput): ArrayBuffer | undefined => {
  const document: Json.Json = JSON.parse(JSON.stringify(input))
  const bytes = encoder.encode(Canonical.stringify(document))
  return bytes.byteLength > maximumInputBytes ? undefined : bytes.buffer
}

const refused = (message: string): Evaluation => ({ failure: { policy: null, reason: "input", message } })

/** Evaluate a loaded set; a pool that takes no more is trouble, everything else is an answer. */
export const evaluateIn = (
  pool: Pool,
  set: string,
  input: Policy.PolicyInput
): Effect.Effect<Evaluation, Policy.PolicyUnavailable> => {
  const problem = problemOf(input)
  if (problem !== undefined) return Effect.succeed(refused(problem))
  const encoded = encode(input)
  if (encoded === undefined) {
    return Effect.succeed(refused(`what policy would see is larger than ${maximumInputBytes} bytes`))
  }
  // Through text, as policies read it: the double itself is a few nanoseconds off.
  const nowNs = BigInt(JSON.stringify(input.context.now_ns))
  return Effect.tryPromise({
    try: () => pool.evaluate(set, input.action, encoded, nowNs),
    catch: (error) =>
      new Policy.PolicyUnavailable({
        message: error instanceof PoolRefused ? error.message : "policy could not be evaluated"
      })
  })
}

export const verdicts = {
  eligibility: (input: Policy.PolicyInput, evaluation: Evaluation): Policy.Eligibility =>
    Combine.eligibility(
      input.action === "break_glass" ? "break_glass" : "request",
      input.request.duration_seconds,
      evaluation
    ),
  routing: (evaluation: Evaluation): Policy.RoutingVerdict => Combine.routing(evaluation),
  admission: (input: Policy.PolicyInput, evaluation: Evaluation): Policy.Admission =>
    Combine.admission(
      input.action === "deny" || input.action === "ai_approve" || input.action === "revoke" ? input.action : "approve",
      input.user.kind,
      evaluation
    )
}

export const layer = (options: ServedOptions): Layer.Layer<Policy.Policy> =>
  Layer.effect(
    Policy.Policy,
    Effect.gen(function* () {
      const pool = yield* Effect.acquireRelease(
        Effect.sync(() => new Pool(options)),
        (one) => Effect.promise(() => one.close())
      )
      const oneAtATime = yield* Semaphore.make(1)
      /** Loaded revisions, the latest used last. */
      const loaded = new Set<number>()

      const loadNow = (revision: number) =>
        Effect.gen(function* () {
          if (loaded.has(revision)) return
          const policies = yield* Effect.mapError(options.load(revision), (error) => error.message)
          const modules = yield* Effect.try({
            try: () => loadable(policies),
            catch: () => "a compiled policy is not a module"
          })
          yield* Effect.tryPromise({
            try: () => pool.load(String(revision), modules),
            catch: (error) => (error instanceof Error ? error.message : "it cannot be loaded")
          })
          loaded.add(revision)
          for (const old of loaded) {
            if (loaded.size <= keptRevisions) break
            loaded.delete(old)
            pool.unload(String(old))
          }
        }).pipe(
          Effect.mapError(
            (why) => new Policy.PolicyUnavailable({ message: `policy revision ${revision} cannot be served: ${why}` })
          )
        )

      const evaluate = Effect.fnUntraced(function* (revision: number, input: Policy.PolicyInput) {
        if (!loaded.has(revision)) yield* oneAtATime.withPermits(1)(loadNow(revision))
        // The latest used stands last, unless it was unloaded meanwhile.
        if (loaded.delete(revision)) loaded.add(revision)
        return yield* evaluateIn(pool, String(revision), input)
      })

      return Policy.Policy.of({
        eligibility: Effect.fn("Policy.eligibility")((revision, input) =>
          Effect.map(evaluate(revision, input), (evaluation) => verdicts.eligibility(input, evaluation))
        ),
        routing: Effect.fn("Policy.routing")((revision, input) =>
          Effect.map(evaluate(revision, input), verdicts.routing)
        ),
        admission: Effect.fn("Policy.admission")((revision, input) =>
          Effect.map(evaluate(revision, input), (evaluation) => verdicts.admission(input, evaluation))
        )
      })
    })
  )
