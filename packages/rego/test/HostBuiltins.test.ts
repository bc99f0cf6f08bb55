import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Compiler } from "../src/Compiler.ts"
import { hostBuiltinNames } from "../src/Capabilities.ts"
import { hostBuiltins } from "../src/HostBuiltins.ts"
import { instantiate } from "../src/PolicyModule.ts"
import * as Cases from "./builtinCases.ts"

const full = process.env["JITSUDO_TEST_FULL"] === "1"
const generated = 200
const seeds = full ? [1, 2, 3, 4, 5] : [1]
const nowNs = 1_767_261_600_123_456_789n

const inWasm = Effect.fnUntraced(function* (cases: Cases.BuiltinCases) {
  const compiler = yield* Compiler
  const { wasm } = yield* compiler.compile({
    modules: [{ file: "probe.rego", source: Cases.policyOf(cases) }],
    entrypoints: ["probe/answers"]
  })
  const input = new TextEncoder().encode(Cases.inputOf(cases))
  const answer = instantiate(new WebAssembly.Module(wasm), 4096).evaluate("probe/answers", input.buffer, { nowNs })
  return answer.defined ? answer.value : {}
})

/** Rego source may hold no byte-order mark and the like: everything beyond ASCII is escaped. */
const ascii = (json: string): string =>
  json.replace(/[^\x20-\x7e]/gu, (char) =>
    Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")
  )

const inOpa = Effect.fnUntraced(function* (cases: Cases.BuiltinCases) {
  const compiler = yield* Compiler
  // The literal keeps every digit of a number; an input document would have been read by JavaScript first.
  const source = `${Cases.policyOf(cases).replace("some i, c in input", "some i, c in cases")}\ncases := ${ascii(Cases.inputOf(cases))}\n`
  const found = yield* compiler.interpret({
    modules: [{ file: "probe.rego", source }],
    query: "data.probe.answers",
    nowNs
  })
  return found.solutions[0]?.values[0] ?? {}
})

layer(Compiler.layer, { excludeTestServices: true, timeout: "3 minutes" })(
  "host built-ins and OPA's interpreter",
  (it) => {
    it.effect("each name of the closed list has an implementation, and no other", () =>
      Effect.sync(() => assert.deepStrictEqual([...hostBuiltins.keys()].sort(), [...hostBuiltinNames].sort()))
    )

    for (const seed of seeds) {
      for (const cases of Cases.builtinCases(seed, generated)) {
        it.effect(`${cases.name} agrees on ${cases.cases.length} arguments (seed ${seed})`, () =>
          Effect.gen(function* () {
            // `time.now_ns` has no arguments to vary.
            assert.isAtLeast(cases.cases.length, cases.arity === 0 ? 1 : generated)
            const wasm = yield* inWasm(cases)
            const opa = yield* inOpa(cases)
            assert.deepStrictEqual(wasm, opa)
            // Some arguments must have had an answer, or nothing was compared.
            assert.isAbove(Object.keys(opa).length, cases.arity === 0 ? 0 : 20)
          })
        )
      }
    }
  }
)
