/**
 * OPA's own compiler in process: Rego sources in, Wasm, diagnostics, test results and evaluations out.
 *
 * 1. Runs in a thread of its own (`CompilerThread`), so that no call blocks the event loop. Nothing is loaded before the
 *    first call, and nothing at all for a host that brings compiled policy.
 * 2. Every operation is held to `Capabilities`: a policy that one of them accepts calls nothing that evaluation lacks.
 * 3. The only clock is the one given (`nowNs`), so each call can be repeated with the same answer.
 * 4. Rego v1 syntax only.
 *
 * Where the parts are: the thread is `./compiler-worker.ts` (or `.js`) beside this module and the compiler itself
 * `../compiler/opa.wasm.br`, both resolved by `import.meta.url`. A host that bundles this module into one file ships
 * those two as files and names them with `layerWith({ worker, artefact })`; the worker may be bundled by itself.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import { allowedBuiltinNames, hostBuiltinNames, refusal } from "./Capabilities.ts"
import { type CompilerCrashed, makeCompilerThread } from "./CompilerThread.ts"
import * as Answer from "./CompilerAnswer.ts"

export { allowedBuiltinNames, hostBuiltinNames, nativeBuiltinNames } from "./Capabilities.ts"
export { CompilerCrashed } from "./CompilerThread.ts"
export type { Diagnostic, InspectedModule, InspectedRule, RegoType, TestResult } from "./CompilerAnswer.ts"

/** One file of Rego. `file` is only a name, for diagnostics. */
export interface RegoModule {
  readonly file: string
  readonly source: string
}

const listed = (diagnostics: ReadonlyArray<Answer.Diagnostic>): string =>
  diagnostics.map((d) => (d.file === "" ? d.message : `${d.file}:${d.row}:${d.col}: ${d.message}`)).join("\n")

/** The sources are not a policy that can be used. There is at least one diagnostic, sorted by file, row and column. */
export class CompileError extends Data.TaggedError("CompileError")<{
  readonly diagnostics: ReadonlyArray<Answer.Diagnostic>
}> {
  override get message(): string {
    return listed(this.diagnostics)
  }
}

/** A sound policy that has no answer to one input, such as two values for one rule. */
export class EvaluationFailed extends Data.TaggedError("EvaluationFailed")<{
  readonly diagnostics: ReadonlyArray<Answer.Diagnostic>
}> {
  override get message(): string {
    return listed(this.diagnostics)
  }
}

export interface DropDefaults {
  /**
   * Default rules to compile as if they did not apply: `jitsudo/approval/approver_tier`, or `approver_tier` for the rule
   * of that name in every package, libraries included. The rule stays known, so entry points and references to it are
   * sound and undefined until another rule gives it a value. Unknown names change nothing.
   */
  readonly dropDefaults?: ReadonlyArray<string>
}

export interface CompileOptions extends DropDefaults {
  readonly modules: ReadonlyArray<RegoModule>
  /** Paths such as `jitsudo/approval/allow`, at least one, each of a rule or package that exists. */
  readonly entrypoints: ReadonlyArray<string>
}

export interface CompiledPolicy {
  readonly wasm: Uint8Array<ArrayBuffer>
  /** From path to the id that `evaluate` of opa-wasm takes. */
  readonly entrypoints: Readonly<Record<string, number>>
  /** Built-ins that the Wasm asks of its host; each is one of `hostBuiltinNames`. Sorted. */
  readonly builtins: ReadonlyArray<string>
}

export interface PinnedClock {
  /** What `time.now_ns` gives; the present if absent. */
  readonly nowNs?: bigint
}

export interface InterpretOptions extends DropDefaults, PinnedClock {
  readonly modules: ReadonlyArray<RegoModule>
  /** As for `opa eval`: `data.jitsudo.approval.allow`. */
  readonly query: string
  /** JSON; `input` is undefined in the policy if it is absent here. */
  readonly input?: unknown
  /** Whether to record each step of the evaluation. */
  readonly trace?: boolean
}

export interface Interpretation {
  /** No solution: the query is undefined. For a reference such as `data.p.allow` there is at most one, of one value. */
  readonly solutions: ReadonlyArray<{
    /** One for each expression of the query. */
    readonly values: ReadonlyArray<unknown>
    /** The same as JSON text, with numbers that a JavaScript number would round. */
    readonly json: ReadonlyArray<string>
    readonly bindings: Readonly<Record<string, unknown>>
  }>
  /** What `print` wrote. */
  readonly output: string
  /** OPA's account of the evaluation, empty unless asked for. */
  readonly trace: string
}

export interface CompilerOptions {
  /** How long an unused thread lives: 30 seconds. */
  readonly idle?: Duration.Input
  /** How long one call may take, the start of the thread included: 20 seconds. */
  readonly bound?: Duration.Input
  /** The thread's program, if it is not beside this module. */
  readonly worker?: URL
  /** The compressed compiler, if it is not in the package's `compiler` folder. */
  readonly artefact?: URL
}

/** Under `.ts` this module runs from source, and so does the thread. */
const besideThis = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("./compiler-worker.ts", import.meta.url)
    : new URL("./compiler-worker.js", import.meta.url)

const make = Effect.fn("Compiler.make")(function* (options: CompilerOptions) {
  const thread = yield* makeCompilerThread({
    worker: options.worker ?? besideThis(),
    artefact: options.artefact ?? new URL("../compiler/opa.wasm.br", import.meta.url),
    idle: options.idle ?? "30 seconds",
    bound: options.bound ?? "20 seconds"
  })

  const explain = (d: Answer.Diagnostic): Answer.Diagnostic =>
    d.builtin === undefined ? d : { ...d, message: refusal(d.builtin) }

  const ask = <A>(
    op: string,
    result: Schema.Decoder<A>,
    request: object,
    nowNs?: bigint
  ): Effect.Effect<A, CompileError | EvaluationFailed | CompilerCrashed> =>
    Effect.gen(function* () {
      const now = nowNs ?? (yield* Clock.currentTimeNanos)
      const text = JSON.stringify({ op, builtins: allowedBuiltinNames, ...request })
      const outcome = yield* Answer.read(result, yield* thread.call(text, now))
      if (outcome.diagnostics !== undefined)
        return yield* new CompileError({ diagnostics: outcome.diagnostics.map(explain) })
      if (outcome.evaluation !== undefined) return yield* new EvaluationFailed({ diagnostics: outcome.evaluation })
      return outcome.result
    })

  const askPolicy = <A>(op: string, result: Schema.Decoder<A>, request: object, nowNs?: bigint) =>
    ask(op, result, request, nowNs).pipe(Effect.catchTag("EvaluationFailed", Effect.die))

  return Compiler.of({
    compile: Effect.fn("Compiler.compile")(function* (options: CompileOptions) {
      const compiled = yield* askPolicy("compile", Answer.Compiled, options)
      const missing = compiled.builtins.filter((name) => !hostBuiltinNames.includes(name))
      if (missing.length > 0) return yield* Effect.die(new Error(`OPA left unlisted built-ins to us: ${missing}`))
      return compiled
    }),
    check: Effect.fn("Compiler.check")(function* (modules: ReadonlyArray<RegoModule>) {
      yield* askPolicy("check", Answer.Checked, { modules })
    }),
    format: Effect.fn("Compiler.format")(function* (file: string, source: string) {
      const formatted = yield* askPolicy("format", Answer.Formatted, { file, source })
      return formatted.source
    }),
    test: Effect.fn("Compiler.test")((modules: ReadonlyArray<RegoModule>, clock: PinnedClock & DropDefaults = {}) =>
      askPolicy("test", Answer.Tested, { modules, dropDefaults: clock.dropDefaults }, clock.nowNs)
    ),
    interpret: Effect.fn("Compiler.interpret")(function* ({ nowNs, ...request }: InterpretOptions) {
      const { results, ...rest } = yield* ask("interpret", Answer.Interpreted, request, nowNs)
      const solutions = results.map(({ values, bindings }) => ({
        values: values.map((text): unknown => JSON.parse(text)),
        json: values,
        bindings
      }))
      return { ...rest, solutions }
    }),
    inspect: Effect.fn("Compiler.inspect")((modules: ReadonlyArray<RegoModule>) =>
      askPolicy("inspect", Answer.Inspected, { modules })
    ),
    isLoaded: thread.isLoaded
  })
})

/** OPA's compiler. Calls are safe from any number of fibers and answered one after the other. */
export class Compiler extends Context.Service<
  Compiler,
  {
    /** Translates a policy to Wasm. The same sources give the same bytes. */
    readonly compile: (options: CompileOptions) => Effect.Effect<CompiledPolicy, CompileError | CompilerCrashed>
    /** Succeeds if the modules hold together and call nothing that is not allowed. */
    readonly check: (modules: ReadonlyArray<RegoModule>) => Effect.Effect<void, CompileError | CompilerCrashed>
    /** The source as `opa fmt` writes it; formatting twice changes nothing. */
    readonly format: (file: string, source: string) => Effect.Effect<string, CompileError | CompilerCrashed>
    /**
     * Runs every `test_` rule as `opa test` does (in OPA's interpreter), in order of file and row. A test that fails is
     * a result, not an error.
     */
    readonly test: (
      modules: ReadonlyArray<RegoModule>,
      options?: PinnedClock & DropDefaults
    ) => Effect.Effect<ReadonlyArray<Answer.TestResult>, CompileError | CompilerCrashed>
    /** Evaluates a query in OPA's interpreter: the reference for what compiled policy must give. */
    readonly interpret: (
      options: InterpretOptions
    ) => Effect.Effect<Interpretation, CompileError | EvaluationFailed | CompilerCrashed>
    /** What each module defines, in order of file and row, with what is known of types and values before evaluation. */
    readonly inspect: (
      modules: ReadonlyArray<RegoModule>
    ) => Effect.Effect<ReadonlyArray<Answer.InspectedModule>, CompileError | CompilerCrashed>
    /** Whether the thread, and with it the compiler, is in memory. */
    readonly isLoaded: Effect.Effect<boolean>
  }
>()("@jitsudo/rego/Compiler") {
  /** The thread ends with the layer's scope. */
  static readonly layerWith = (options: CompilerOptions): Layer.Layer<Compiler> => Layer.effect(Compiler, make(options))
  static readonly layer: Layer.Layer<Compiler> = Layer.suspend(() => Compiler.layerWith({}))
}
