/**
 * Policy from a directory: whoever sees that it differs from what is stored imports it as a new revision,
 * compare-and-set on the one that it replaces. What cannot be applied is logged and changes nothing.
 */
import { ElevationError, type Policy, PolicyAdmin, Principal, Transitions, type PolicySet } from "@jitsudo/core"
import { PolicyFiles } from "@jitsudo/rego"
import { Compiler } from "@jitsudo/rego/compiler"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdir, readFile } from "node:fs/promises"
import { join, relative, sep } from "node:path"
import { prepareFor } from "./Authoring.ts"

/** Every `.rego` file below a directory, with its path relative to it. */
export const filesIn = (
  directory: string
): Effect.Effect<ReadonlyArray<PolicySet.PolicyFile>, ElevationError.Unavailable> =>
  Effect.tryPromise({
    try: async () => {
      const entries = await readdir(directory, { recursive: true, withFileTypes: true })
      const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".rego"))
      return Promise.all(
        files.map(async (entry) => {
          const path = join(entry.parentPath, entry.name)
          return { path: relative(directory, path).split(sep).join("/"), source: await readFile(path, "utf8") }
        })
      )
    },
    catch: () =>
      new ElevationError.Unavailable({
        what: "policy",
        message: `the policy directory ${directory} cannot be read`,
        retryAfterSeconds: 5
      })
  })

const by = { ...Principal.system, email: null }

/** Import once. Nothing happens when what is stored is what the directory says. */
export const importNow = Effect.fn("DirectorySource.importNow")(function* (
  directory: string
): Effect.fn.Return<
  { readonly revision: Policy.PolicyRevision; readonly changes: ReadonlyArray<PolicyAdmin.PolicyChange> },
  ElevationError.ElevationError,
  PolicyAdmin.PolicyAdmin | Transitions.Transitions | Compiler
> {
  const admin = yield* PolicyAdmin.PolicyAdmin
  const transitions = yield* Transitions.Transitions
  const { drafts, unknown } = PolicyFiles.draftsOf(yield* filesIn(directory))
  const [first] = unknown
  if (first !== undefined) {
    return yield* ElevationError.decline(
      "policy_rejected",
      `${directory}/${first.name}: its package ${JSON.stringify(first.package)} is none that policies have`,
      "policies are in jitsudo.eligibility, jitsudo.approval, jitsudo.breakglass or below jitsudo.lib"
    )
  }
  const current = yield* admin.current
  const { now } = yield* transitions.facts({})
  const prepared = yield* prepareFor(drafts, current.policies, now, by)
  for (const warning of prepared.warnings) yield* Effect.logWarning(warning)
  return yield* admin.replace(null, current.revision.number, prepared.policies)
})

/** Import at the start, which fails if it cannot, and then every few seconds. */
export const layer = (
  directory: string
): Layer.Layer<never, ElevationError.ElevationError, PolicyAdmin.PolicyAdmin | Transitions.Transitions> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      yield* importNow(directory)
      yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.sleep("5 seconds"),
            Effect.catch(importNow(directory), (error) => Effect.logWarning(`policy directory: ${error.message}`))
          )
        )
      )
    })
  ).pipe(Layer.provide(Compiler.layer))
