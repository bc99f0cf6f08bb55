import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Compiler } from "../src/Compiler.ts"
import type { Evaluation, LoadablePolicy } from "../src/Evaluation.ts"
import { Pool, type PoolOptions } from "../src/Pool.ts"

const compiled = Effect.fnUntraced(function* (name: string, body: string) {
  const compiler = yield* Compiler
  const { wasm } = yield* compiler.compile({
    modules: [{ file: `${name}.rego`, source: `package jitsudo.eligibility\n\n${body}\n` }],
    entrypoints: ["jitsudo/eligibility/reason"]
  })
  return { name, type: "eligibility", all: new WebAssembly.Module(wasm), tier: null } satisfies LoadablePolicy
})

/** Says what the input says. */
const echo = compiled("echo", `reason := input.id`)
/** Never ends for an input that asks for it, and needs no memory on the way. */
const endless = compiled(
  "endless",
  `n := numbers.range(1, 3000)
reason := "ended" if {
  input.slow
  count([1 | some a in n; some b in n; some c in n; a > b; b > c; c > a]) == 0
}`
)
/** Needs more memory than it may have, for an input that asks for it. */
const greedy = compiled(
  "greedy",
  `reason := sprintf("%d", [count({x | input.big; some i in numbers.range(1, 200000); x := sprintf("%d", [i])})])`
)

const bytes = (input: unknown): ArrayBuffer => new TextEncoder().encode(JSON.stringify(input)).buffer

const withPool = <A>(
  options: PoolOptions,
  policies: ReadonlyArray<LoadablePolicy>,
  use: (ask: (input: unknown) => Promise<Evaluation>, pool: Pool) => Promise<A>
) =>
  Effect.promise(async () => {
    const pool = new Pool({ size: 1, ...options })
    try {
      await pool.load("set", policies)
      return await use((input) => pool.evaluate("set", "request", bytes(input), 0n), pool)
    } finally {
      await pool.close()
    }
  })

/** What the policy of that name gave as its reason. */
const said = (evaluation: Evaluation, policy: string): unknown => {
  const rule = "answers" in evaluation && evaluation.answers.find((one) => one.policy === policy)?.rules["reason"]
  return rule !== false && rule?.state === "value" ? rule.value : rule
}

layer(Compiler.layer, { excludeTestServices: true, timeout: "60 seconds" })("the pool", (it) => {
  it.effect("answers each of many inputs with its own", () =>
    Effect.gen(function* () {
      const answers = yield* withPool({ size: 2 }, [yield* echo], (ask) =>
        Promise.all(Array.from({ length: 200 }, (_, i) => ask({ id: `r${i}` })))
      )
      assert.deepStrictEqual(
        answers.map((one) => said(one, "echo")),
        Array.from({ length: 200 }, (_, i) => `r${i}`)
      )
    })
  )

  it.effect("cuts what is over budget, names the policy, and evaluates what waited behind it on the spare", () =>
    Effect.gen(function* () {
      const cut: Array<string> = []
      const policies = [yield* echo, yield* endless]
      yield* withPool(
        { budgetMillis: 100, onOverBudget: (policy, set) => cut.push(`${set}/${policy}`) },
        policies,
        async (ask) => {
          for (const round of [1, 2]) {
            const [slow, ...behind] = await Promise.all([
              ask({ id: "slow", slow: true }),
              ...["a", "b", "c"].map((id) => ask({ id }))
            ])
            assert.deepStrictEqual(slow, {
              failure: { policy: "endless", reason: "budget", message: "it took longer than its budget of 100 ms" }
            })
            assert.deepStrictEqual(
              behind.map((one) => said(one, "echo")),
              ["a", "b", "c"]
            )
            assert.strictEqual(cut.length, round)
          }
        }
      )
      assert.deepStrictEqual(cut, ["set/endless", "set/endless"])
    })
  )

  it.effect("leaves the event loop free while a policy runs away", () =>
    Effect.gen(function* () {
      const turns = yield* withPool({ budgetMillis: 150 }, [yield* endless], async (ask) => {
        let count = 0
        let ended = false
        const turn = () => {
          count++
          if (!ended) setImmediate(turn)
        }
        setImmediate(turn)
        await ask({ id: "slow", slow: true })
        ended = true
        return count
      })
      // On the event loop itself there would have been at most two.
      assert.isAbove(turns, 20)
    })
  )

  it.effect("a policy that needs more memory than it may have fails, and its instance is renewed", () =>
    Effect.gen(function* () {
      yield* withPool({ budgetMillis: 20_000, maximumPages: 24 }, [yield* greedy], async (ask) => {
        assert.propertyVal(said(await ask({ id: "1", big: true }), "greedy"), "state", "failed")
        assert.strictEqual(said(await ask({ id: "2" }), "greedy"), "0")
      })
    })
  )

  it.effect("a set that is not loaded is refused, and so is one that cannot be", () =>
    Effect.gen(function* () {
      const policy = yield* echo
      // A module, but none of OPA's: it has no functions at all.
      const empty = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))
      yield* withPool({}, [policy], async (ask, pool) => {
        const message = await pool.evaluate("other", "request", bytes({}), 0n).then(
          () => "answered",
          (error: Error) => error.message
        )
        assert.include(message, "not loaded")
        const broken = await pool.load("broken", [policy, { ...policy, name: "hollow", all: empty }]).then(
          () => "loaded",
          (error: Error) => error.message
        )
        assert.include(broken, "hollow")
        assert.strictEqual(said(await ask({ id: "still" }), "echo"), "still")
      })
    })
  )

  it.effect("threads that never start end in a refusal, not in a loop", () =>
    Effect.promise(async () => {
      const pool = new Pool({ size: 1, worker: new URL("data:text/javascript,throw new Error('no such part')") })
      const message = await pool.load("set", []).then(
        () => "loaded",
        (error: Error) => error.message
      )
      assert.notStrictEqual(message, "loaded")
      let refusal = ""
      while (!refusal.includes("do not start")) {
        refusal = await pool.evaluate("set", "request", bytes({}), 0n).then(
          (evaluation) => JSON.stringify(evaluation),
          (error: Error) => error.message
        )
        await new Promise((next) => setImmediate(next))
      }
      assert.include(refusal, "no such part")
      await pool.close()
    })
  )
})
