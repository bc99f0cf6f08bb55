import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Compiler, type RegoModule } from "../src/Compiler.ts"
import { EvaluationFailed, instantiate } from "../src/PolicyModule.ts"
import { packageOf, ruleTypes } from "../src/Rules.ts"
import { parityCases, type ParityCase } from "./Parity.cases.ts"

/** What a rule came to: a value as canonical text, nothing, or a failure. */
type Answer = string

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one
  )

const sets = new Set(["deny", "approvers"])
const normal = (rule: string, value: unknown): string =>
  canonical(sets.has(rule) && Array.isArray(value) ? [...value].map(canonical).sort() : value)

const nowNs = (input: unknown): bigint => {
  const context: unknown = typeof input === "object" && input !== null && "context" in input ? input.context : undefined
  const ns: unknown = typeof context === "object" && context !== null && "now_ns" in context ? context.now_ns : 0
  return BigInt(typeof ns === "number" ? ns : 0)
}

const modulesOf = (one: ParityCase): ReadonlyArray<RegoModule> => [
  { file: "policy.rego", source: one.source },
  ...(one.libraries ?? [])
]

const rulesOf = (one: ParityCase): ReadonlyArray<string> =>
  Object.keys(ruleTypes[one.type]).filter((rule) => new RegExp(`^(?:default )?${rule}\\b`, "mu").test(one.source))

const inWasm = Effect.fnUntraced(function* (one: ParityCase) {
  const compiler = yield* Compiler
  const prefix = packageOf[one.type].replaceAll(".", "/")
  const rules = rulesOf(one)
  const { wasm } = yield* compiler.compile({
    modules: modulesOf(one),
    entrypoints: rules.map((rule) => `${prefix}/${rule}`)
  })
  const module = new WebAssembly.Module(wasm)
  return one.inputs.map((input) =>
    rules.map((rule): Answer => {
      // As the daemon gives it: canonical.
      const bytes = new TextEncoder().encode(canonical(input))
      try {
        const answer = instantiate(module).evaluate(`${prefix}/${rule}`, bytes.buffer, { nowNs: nowNs(input) })
        return answer.defined ? normal(rule, answer.value) : "undefined"
      } catch (error) {
        if (error instanceof EvaluationFailed) return "failed"
        throw error
      }
    })
  )
})

const inOpa = Effect.fnUntraced(function* (one: ParityCase) {
  const compiler = yield* Compiler
  const rules = rulesOf(one)
  const ask = (input: unknown, query: string) =>
    Effect.result(compiler.interpret({ modules: modulesOf(one), query, input, nowNs: nowNs(input) }))
  return yield* Effect.forEach(one.inputs, (input) =>
    Effect.gen(function* () {
      // All rules in one query; a conflict in one of them fails it, then each is asked alone.
      const all = yield* ask(
        input,
        `[${rules.map((rule) => `[v | v := data.${packageOf[one.type]}.${rule}]`).join(", ")}]`
      )
      if (Result.isSuccess(all)) {
        const values = all.success.solutions[0]?.values[0]
        return rules.map((rule, index): Answer => {
          const found: unknown = Array.isArray(values) ? values[index] : undefined
          return Array.isArray(found) && found.length > 0 ? normal(rule, found[0]) : "undefined"
        })
      }
      return yield* Effect.forEach(rules, (rule) =>
        Effect.map(ask(input, `data.${packageOf[one.type]}.${rule}`), (alone): Answer => {
          if (Result.isFailure(alone)) return "failed"
          const [solution] = alone.success.solutions
          return solution === undefined ? "undefined" : normal(rule, solution.values[0])
        })
      )
    })
  )
})

layer(Compiler.layer, { excludeTestServices: true, timeout: "2 minutes" })("Wasm and OPA's interpreter", (it) => {
  let compared = 0
  let policies = 0

  describe("give the same answers", () => {
    for (const one of parityCases) {
      it.effect(one.name, () =>
        Effect.gen(function* () {
          const wasm = yield* inWasm(one)
          assert.deepStrictEqual(wasm, yield* inOpa(one))
          policies++
          compared += wasm.flat().length
        })
      )
    }
  })

  it.effect("a policy that answers otherwise would be seen", () =>
    Effect.gen(function* () {
      const [first] = parityCases
      assert.isDefined(first)
      const broken = { ...first, source: first.source.replace('"sre" in', 'not "sre" in') }
      assert.notDeepEqual(yield* inWasm(broken), yield* inOpa(first))
    })
  )

  it.effect("it was enough work to mean something", () =>
    Effect.sync(() => {
      process.stdout.write(`parity: ${policies} policies, ${compared} answers compared\n`)
      assert.isAtLeast(policies, 60)
      assert.isAtLeast(compared, 180)
    })
  )
})
