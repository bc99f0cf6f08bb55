/** `policy check`, `fmt` and `test`: OPA's own compiler, without a daemon. */
import * as Effect from "effect/Effect"
import { writeFile } from "node:fs/promises"
import type { Compiler as RegoCompiler } from "@jitsudo/rego/compiler"
import { Ended, exits, failed, reasonOf } from "../Failure.ts"
import type { Failure } from "../Failure.ts"
import { Io } from "../Io.ts"
import { answerList, say } from "../Output.ts"
import * as PolicyFiles from "../PolicyFiles.ts"

/** Loaded when it is used: it is far larger than all the rest. */
const withCompiler = <A, E, R>(use: (compiler: RegoCompiler["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { Compiler } = yield* Effect.promise(() => import("@jitsudo/rego/compiler"))
    // Bundled, this program is one file elsewhere; the compiled compiler stays where its package has it.
    const artefact = new URL("../compiler/opa.wasm.br", import.meta.resolve("@jitsudo/rego/compiler"))
    return yield* Effect.flatMap(Compiler, use).pipe(Effect.provide(Compiler.layerWith({ artefact })))
  })

const located = (d: { readonly file: string; readonly row: number; readonly col: number; readonly message: string }) =>
  d.file === "" ? d.message : `${d.file}:${d.row}:${d.col}: ${d.message}`

interface RegoTrouble {
  readonly _tag: "CompileError" | "CompilerCrashed"
  readonly message: string
  readonly diagnostics?: ReadonlyArray<{
    readonly file: string
    readonly row: number
    readonly col: number
    readonly message: string
  }>
}

const asFailure =
  (what: string) =>
  (error: RegoTrouble): Failure =>
    failed(what, undefined, error.diagnostics?.map(located) ?? [error.message])

const modulesOf = (policy: PolicyFolder, withTests: boolean) =>
  policy.files
    .filter(({ path }) => withTests || !PolicyFiles.isTest(path))
    .map(({ found, source }) => ({ file: found, source }))
type PolicyFolder = PolicyFiles.PolicyFolder

/** Each policy as it is compiled: by itself, with all libraries. */
const units = (policies: ReadonlyArray<PolicyFolder>) => {
  const libraries = policies.filter(({ type }) => type === "library")
  return policies.map((policy) => ({
    policy,
    modules: [
      ...modulesOf(policy, true),
      ...libraries.filter((one) => one !== policy).flatMap((one) => modulesOf(one, false))
    ]
  }))
}

export const check = Effect.fn("policy.check")(function* (paths: ReadonlyArray<string>) {
  const all = units(yield* PolicyFiles.collect(paths))
  const faults = yield* withCompiler((compiler) =>
    Effect.forEach(all, ({ modules, policy }) =>
      compiler.check(modules).pipe(
        Effect.as<ReadonlyArray<string>>([]),
        Effect.catch((error: RegoTrouble) => Effect.succeed(asFailure(policy.name)(error).details ?? [error.message]))
      )
    )
  )
  const details = [...new Set(faults.flat())]
  if (details.length > 0)
    return yield* failed(`${details.length} ${details.length === 1 ? "fault" : "faults"}`, undefined, details)
  yield* say(`${all.length} ${all.length === 1 ? "policy is" : "policies are"} sound`)
})

export interface FormatInput {
  readonly paths: ReadonlyArray<string>
  readonly write: boolean
  readonly check: boolean
}

export const format = Effect.fn("policy.fmt")(function* (input: FormatInput) {
  const io = yield* Io
  const files = yield* PolicyFiles.everyFile(input.paths)
  const formatted = yield* withCompiler((compiler) =>
    Effect.forEach(files, (file) =>
      Effect.map(compiler.format(file.found, file.source), (source) => ({ file, source })).pipe(
        Effect.mapError(asFailure(`${file.found} cannot be formatted`))
      )
    )
  )
  const changed = formatted.filter(({ file, source }) => file.source !== source)
  if (input.check) {
    yield* io.out(changed.map(({ file }) => `${file.found}\n`).join(""))
    if (changed.length > 0) return yield* new Ended({ exit: exits.error })
    return yield* say("all are formatted")
  }
  if (!input.write) return yield* io.out(formatted.map(({ source }) => source).join(""))
  for (const { file, source } of changed) {
    yield* Effect.tryPromise({
      try: () => writeFile(file.found, source),
      catch: (error) => failed(`cannot write ${file.found}: ${reasonOf(error)}`)
    })
    yield* io.out(`${file.found}\n`)
  }
})

export const test = Effect.fn("policy.test")(function* (paths: ReadonlyArray<string>) {
  const all = units(yield* PolicyFiles.collect(paths))
  const results = yield* withCompiler((compiler) =>
    Effect.forEach(all, ({ modules, policy }) =>
      Effect.map(compiler.test(modules), (ran) => ran.map((one) => ({ policy: policy.name, ...one }))).pipe(
        Effect.mapError(asFailure(`${policy.name} does not compile`))
      )
    )
  )
  const ran = results.flat()
  yield* answerList(ran, {
    id: ({ name }) => name,
    columns: () => [
      { title: "POLICY", cell: ({ policy }) => policy },
      { title: "TEST", cell: ({ name }) => name },
      {
        title: "RESULT",
        cell: ({ outcome }) => ({
          text: outcome,
          style: outcome === "pass" ? "green" : outcome === "skip" ? "yellow" : "red"
        })
      },
      { title: "WHERE", cell: ({ file, row }) => `${file}:${row}`, flexible: true },
      { title: "OUTPUT", cell: ({ outcome, output }) => (outcome === "pass" ? "" : output.trim()) }
    ],
    none: "there are no tests"
  })
  const bad = ran.filter(({ outcome }) => outcome === "fail" || outcome === "error")
  yield* say(`${ran.length} tests, ${bad.length} failed`)
  if (bad.length > 0) return yield* new Ended({ exit: exits.error })
})
