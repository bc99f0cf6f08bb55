/** What the Go program answers (`go/protocol.go` and the files of its operations), decoded before it is believed. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CompilerCrashed } from "./CompilerThread.ts"

/** One thing wrong with a policy. `row` and `col` start at 1; `file` is empty if it is about the policy as a whole. */
export const Diagnostic = Schema.Struct({
  file: Schema.String,
  row: Schema.Int,
  col: Schema.Int,
  /** OPA's: `rego_parse_error`, `rego_type_error`, `rego_unsafe_var_error`, `eval_conflict_error`, … */
  code: Schema.String,
  message: Schema.String,
  /** The built-in of OPA that policies may not use, if that is what is wrong. */
  builtin: Schema.optionalKey(Schema.String)
})
export type Diagnostic = typeof Diagnostic.Type

export const Compiled = Schema.Struct({
  wasm: Schema.declare((value): value is Uint8Array<ArrayBuffer> => value instanceof Uint8Array),
  entrypoints: Schema.Record(Schema.String, Schema.Int),
  builtins: Schema.Array(Schema.String)
})

export const Checked = Schema.Struct({ files: Schema.Int })

export const Formatted = Schema.Struct({ source: Schema.String })

export const TestResult = Schema.Struct({
  /** With `data.` in front. */
  package: Schema.String,
  name: Schema.String,
  /** `skip`: the rule is called `todo_test_…`. `error`: it has no answer, `output` ends with why. */
  outcome: Schema.Literals(["pass", "fail", "skip", "error"]),
  durationNs: Schema.Int,
  file: Schema.String,
  row: Schema.Int,
  /** What `print` wrote. */
  output: Schema.String
})
export type TestResult = typeof TestResult.Type

export const Tested = Schema.Array(TestResult)

export const Interpreted = Schema.Struct({
  results: Schema.Array(
    Schema.Struct({ values: Schema.Array(Schema.String), bindings: Schema.Record(Schema.String, Schema.Unknown) })
  ),
  output: Schema.String,
  trace: Schema.String
})

const Kind = Schema.Literals(["any", "null", "boolean", "number", "string", "array", "object", "set"])

/** The kinds that a value can have, `any` if nothing is known; `of` are those of the members of an array or set. */
export const RegoType = Schema.Struct({ kinds: Schema.Array(Kind), of: Schema.optionalKey(Schema.Array(Kind)) })
export type RegoType = typeof RegoType.Type

export const InspectedRule = Schema.Struct({
  name: Schema.String,
  /** `set`: written with `contains`. `object`: written with a variable key. */
  kind: Schema.Literals(["complete", "set", "object", "function"]),
  row: Schema.Int,
  default: Schema.Boolean,
  /** The value that the rule's head gives, if it is the same whatever the input. */
  constant: Schema.optionalKey(Schema.Struct({ value: Schema.Unknown })),
  /** Of all rules of this name together; of a function, its result. */
  type: RegoType
})
export type InspectedRule = typeof InspectedRule.Type

export const InspectedModule = Schema.Struct({
  file: Schema.String,
  /** Without `data.`: `jitsudo.approval`. */
  package: Schema.String,
  imports: Schema.Array(Schema.Struct({ path: Schema.String, alias: Schema.optionalKey(Schema.String) })),
  /** One for each rule as written; each `else` counts as one. */
  rules: Schema.Array(InspectedRule)
})
export type InspectedModule = typeof InspectedModule.Type

export const Inspected = Schema.Array(InspectedModule)

type Outcome<A> =
  | { readonly diagnostics: ReadonlyArray<Diagnostic>; readonly evaluation?: never; readonly result?: never }
  | { readonly evaluation: ReadonlyArray<Diagnostic>; readonly diagnostics?: never; readonly result?: never }
  | { readonly result: A; readonly diagnostics?: never; readonly evaluation?: never }

/** Fails with the program's own account if it gave up; an answer of another form is a defect. */
export const read = <A>(result: Schema.Decoder<A>, answer: unknown): Effect.Effect<Outcome<A>, CompilerCrashed> =>
  Effect.gen(function* () {
    const schema = Schema.Union([
      Schema.Struct({ result }),
      Schema.Struct({ diagnostics: Schema.Array(Diagnostic) }),
      Schema.Struct({ evaluation: Schema.Array(Diagnostic) }),
      Schema.Struct({ fault: Schema.String })
    ])
    const outcome = yield* Effect.orDie(Schema.decodeUnknownEffect(schema)(answer))
    if ("fault" in outcome) return yield* new CompilerCrashed({ reason: "crash", detail: outcome.fault })
    return outcome
  })
