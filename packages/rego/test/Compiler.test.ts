/** The compiler's answers: what is compiled, what is refused and how it is said. */
import { describe, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as OpaWasm from "@open-policy-agent/opa-wasm"
import { createRequire } from "node:module"
import { allowedBuiltinNames, hostBuiltinNames, nativeBuiltinNames } from "../src/Capabilities.ts"
import { Compiler, type RegoModule } from "../src/Compiler.ts"
import { hostBuiltins } from "../src/HostBuiltins.ts"

// Its types promise named exports that Node does not find in it.
const opaWasm: typeof OpaWasm = createRequire(import.meta.url)("@open-policy-agent/opa-wasm")

const approval: RegoModule = {
  file: "approval.rego",
  source: `package jitsudo.approval

import data.jitsudo.lib.roles

default approver_tier := "human"

approver_tier := "auto" if roles.is_reader(input.request.role)

allow if "sre" in input.user.groups

deny contains sprintf("%s is not for you", [input.request.role]) if input.request.role == "root"

needs_human if approver_tier == "human"
`
}
const roles: RegoModule = {
  file: "lib/roles.rego",
  source: `package jitsudo.lib.roles

is_reader(role) if startswith(role, "read")
`
}
const modules = [approval, roles]
const only = (source: string): ReadonlyArray<RegoModule> => [{ file: "p.rego", source }]

const diagnosticsOf = (source: string) =>
  Compiler.use((compiler) => compiler.check(only(source))).pipe(
    Effect.flip,
    Effect.map((error) => (error._tag === "CompileError" ? error.diagnostics : []))
  )

layer(Compiler.layer, { excludeTestServices: true, timeout: "60 seconds" })("Compiler", (it) => {
  describe("compile", () => {
    it.effect("gives Wasm that opa-wasm evaluates, with its entry points", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const compiled = yield* compiler.compile({
          modules,
          entrypoints: ["jitsudo/approval/approver_tier", "jitsudo/approval/allow"]
        })
        const policy = opaWasm.loadPolicySync(compiled.wasm)
        const input = { user: { groups: ["sre"] }, request: { role: "reader" } }
        expect(compiled.entrypoints).toEqual({ "jitsudo/approval/allow": 1, "jitsudo/approval/approver_tier": 0 })
        expect(policy.evaluate(input, compiled.entrypoints["jitsudo/approval/approver_tier"])).toEqual([
          { result: "auto" }
        ])
        expect(policy.evaluate(input, "jitsudo/approval/allow")).toEqual([{ result: true }])
        expect(policy.evaluate({ request: { role: "root" } }, 0)).toEqual([{ result: "human" }])
        expect(compiled.builtins).toEqual([])
      })
    )

    it.effect("names the built-ins that the host must bring", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const { builtins } = yield* compiler.compile({ modules, entrypoints: ["jitsudo/approval/deny"] })
        expect(builtins).toEqual(["sprintf"])
      })
    )

    it.effect("gives the same bytes for the same sources, in whatever order they come", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const entrypoints = ["jitsudo/approval/approver_tier"]
        const first = yield* compiler.compile({ modules, entrypoints })
        const second = yield* compiler.compile({ modules: modules.toReversed(), entrypoints })
        expect(Buffer.from(first.wasm).equals(Buffer.from(second.wasm))).toBe(true)
      })
    )

    it.effect("without a default, tells apart what a rule said from what nobody said", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const entrypoints = ["jitsudo/approval/approver_tier", "jitsudo/approval/needs_human"]
        for (const name of ["approver_tier", "jitsudo/approval/approver_tier"]) {
          const compiled = yield* compiler.compile({ modules, entrypoints, dropDefaults: [name] })
          const policy = opaWasm.loadPolicySync(compiled.wasm)
          expect(policy.evaluate({ request: { role: "reader" } }, 0)).toEqual([{ result: "auto" }])
          expect(policy.evaluate({ request: { role: "root" } }, 0)).toEqual([])
          expect(policy.evaluate({ request: { role: "root" } }, 1)).toEqual([])
        }
        const elsewhere = yield* compiler.compile({
          modules,
          entrypoints,
          dropDefaults: ["jitsudo/other/approver_tier"]
        })
        expect(opaWasm.loadPolicySync(elsewhere.wasm).evaluate({ request: { role: "root" } }, 0)).toEqual([
          { result: "human" }
        ])
      })
    )

    it.effect("compiles a policy whose only rule is a default that is dropped", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const compiled = yield* compiler.compile({
          modules: only(`package p\n\ndefault tier := "human"\n`),
          entrypoints: ["p/tier"],
          dropDefaults: ["p/tier"]
        })
        expect(opaWasm.loadPolicySync(compiled.wasm).evaluate({}, "p/tier")).toEqual([])
      })
    )

    it.effect("refuses an entry point that no rule answers, and none at all", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const unknown = yield* Effect.flip(compiler.compile({ modules, entrypoints: ["jitsudo/approval/nope"] }))
        expect(unknown.message).toContain(`"jitsudo/approval/nope" does not refer to a rule`)
        const none = yield* Effect.flip(compiler.compile({ modules, entrypoints: [] }))
        expect(none.message).toContain("at least one entrypoint")
      })
    )
  })

  describe("check", () => {
    it.effect("accepts a sound policy", () => Compiler.use((compiler) => compiler.check(modules)))

    it.effect("says where each mistake is, in order", () =>
      Effect.gen(function* () {
        const source = `package p\n\nallow if {\n  x == 1\n}\n\ncount_of := count(1)\n\n  tier := unknown_function(2)\n`
        expect(yield* diagnosticsOf(source)).toMatchObject([
          { file: "p.rego", row: 9, col: 11, code: "rego_type_error", message: "undefined function unknown_function" }
        ])
        expect(yield* diagnosticsOf(source.replace("unknown_function(2)", "3"))).toMatchObject([
          { file: "p.rego", row: 4, col: 3, code: "rego_unsafe_var_error", message: "var x is unsafe" }
        ])
        expect(yield* diagnosticsOf(`package p\n\ncount_of := count(1)\n`)).toMatchObject([
          { file: "p.rego", row: 3, col: 13, code: "rego_type_error" }
        ])
        expect(yield* diagnosticsOf("package p\n\nallow if ]\n")).toMatchObject([
          { file: "p.rego", row: 3, col: 10, code: "rego_parse_error" }
        ])
      })
    )

    it.effect("reports the mistakes of every file", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const error = yield* Effect.flip(
          compiler.check([
            { file: "b.rego", source: "package b\nx := ]" },
            { file: "a.rego", source: "package a\nx := }" },
            { file: "a.rego", source: "package a" }
          ])
        )
        const files = error._tag === "CompileError" ? error.diagnostics.map((d) => d.file) : []
        expect([...new Set(files)]).toEqual(["a.rego", "b.rego"])
        expect(error.message).toContain("a.rego:1:1: file a.rego is given twice")
      })
    )

    it.effect("refuses Rego v0 with OPA's message and how to convert it", () =>
      Effect.gen(function* () {
        const [first] = yield* diagnosticsOf("package p\n\nallow {\n  input.x\n}\n")
        expect(first).toMatchObject({ file: "p.rego", row: 3, code: "rego_parse_error" })
        expect(first?.message.split("\n")).toEqual([
          "`if` keyword is required before rule body",
          "This file is in Rego v0 syntax: convert it with `opa fmt --write --v0-v1 p.rego`, or write `if` before each rule body and `contains` in each rule that makes a set."
        ])
        const [broken] = yield* diagnosticsOf("package p\n\nallow if ]\n")
        expect(broken?.message).not.toContain("v0")
      })
    )

    it.effect("refuses Rego v2, which nothing here has been tested with", () =>
      Effect.gen(function* () {
        const [first] = yield* diagnosticsOf("package p\n\nimport rego.v2\n\nallow if true\n")
        expect(first?.message).toContain("rego.v2")
        expect(first?.message).not.toContain("v0")
      })
    )

    it.effect.each([
      ["http.send", `http.send({"method": "get", "url": "https://a.test"})`, "no network"],
      ["net.lookup_ip_addr", `net.lookup_ip_addr("a.test")`, "no network"],
      ["opa.runtime", `opa.runtime()`, "environment"],
      ["rand.intn", `rand.intn("seed", 10)`, "replayed"],
      ["uuid.rfc4122", `uuid.rfc4122("k")`, "replayed"],
      ["uuid.parse", `uuid.parse("k")`, "replayed"],
      ["rego.parse_module", `rego.parse_module("a", "package a")`, "policies do not read policies"],
      ["rego.metadata.rule", `rego.metadata.rule()`, "policies do not read policies"],
      ["trace", `trace("x")`, "print"],
      ["io.jwt.decode", `io.jwt.decode("t")`, "list"],
      ["crypto.sha256", `crypto.sha256("t")`, "list"],
      ["json.match_schema", `json.match_schema({}, {})`, "list"],
      ["json.is_valid", `json.is_valid("{}")`, "interpreter"],
      ["json.marshal", `json.marshal({})`, "interpreter"],
      ["json.unmarshal", `json.unmarshal("{}")`, "interpreter"],
      ["regex.replace", `regex.replace("a", "b", "c")`, "list"],
      ["yaml.unmarshal", `yaml.unmarshal("a")`, "list"],
      ["units.parse", `units.parse("1K")`, "list"],
      ["graphql.is_valid", `graphql.is_valid("a", "b")`, "list"],
      ["any", `any([true])`, "list"]
    ] as const)("refuses %s by name", ([name, call, reason]) =>
      Effect.gen(function* () {
        const found = yield* diagnosticsOf(`package p\n\nx := ${call}\n`)
        expect(found).toMatchObject([{ file: "p.rego", row: 3, col: 6, builtin: name }])
        expect(found[0]?.message).toMatch(`built-in ${name} is not allowed in jitsudo policies: `)
        expect(found[0]?.message).toContain(reason)
      })
    )

    it.effect("refuses a built-in that is only mocked", () =>
      Effect.gen(function* () {
        const found = yield* diagnosticsOf(`package p\n\nf(_) := 1\n\nx if count([]) == 0 with http.send as f\n`)
        expect(found).toMatchObject([{ row: 5, col: 26, builtin: "http.send" }])
        expect(found[0]?.message).toContain("built-in http.send is not allowed")
      })
    )

    it.effect("leaves a policy its own functions, whatever they are called", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        yield* compiler.check([
          { file: "a.rego", source: "package a\n\nimport data.lib.http\n\nallow if http.send({})\n" },
          { file: "b.rego", source: "package lib.http\n\nsend(_) := true\n" }
        ])
      })
    )
  })

  describe("capabilities", () => {
    /** Arguments wanted, where it is not one. */
    const arity: Record<string, number> = {
      ...Object.fromEntries(
        [
          "plus minus mul div rem equal neq lt lte gt gte and or array.concat bits.and bits.or bits.xor bits.lsh bits.rsh"
        ]
          .flatMap((names) => names.split(" "))
          .map((name) => [name, 2])
      ),
      "array.slice": 3,
      "net.cidr_contains": 2,
      "net.cidr_intersects": 2,
      "glob.match": 3,
      "graph.reachable": 2,
      "json.filter": 2,
      "json.remove": 2,
      "object.filter": 2,
      "object.get": 3,
      "object.remove": 2,
      "object.union": 2,
      concat: 2,
      contains: 2,
      endswith: 2,
      format_int: 2,
      indexof: 2,
      replace: 3,
      split: 2,
      startswith: 2,
      "strings.replace_n": 2,
      substring: 3,
      trim: 2,
      trim_left: 2,
      trim_prefix: 2,
      trim_right: 2,
      trim_suffix: 2,
      "numbers.range": 2,
      "regex.find_all_string_submatch_n": 3,
      "regex.match": 2,
      sprintf: 2,
      "time.now_ns": 0,
      "time.parse_ns": 2,
      "time.add_date": 4,
      "time.diff": 2,
      "semver.compare": 2
    }
    const syntax: Record<string, string> = {
      walk: "walk(input.a, [_, 0])",
      "internal.member_2": "input.a in input.b",
      "internal.member_3": "input.a, input.b in input.c",
      "internal.template_string": '$"{input.a}" != ""'
    }
    const uses = (names: ReadonlyArray<string>) =>
      only(
        ["package p", ""]
          .concat(
            names.map((name, index) => {
              const args = ["a", "b", "c", "d"].slice(0, arity[name] ?? 1).map((arg) => `input.${arg}`)
              return `used contains ${index} if ${syntax[name] ?? `${name}(${args.join(", ")}) != 0`}`
            })
          )
          .join("\n")
      )
    const wanted = (names: ReadonlyArray<string>) =>
      Compiler.use((compiler) => compiler.compile({ modules: uses(names), entrypoints: ["p/used"] })).pipe(
        Effect.map(({ builtins }) => builtins)
      )

    it.effect("no built-in listed as native is asked of the host", () =>
      Effect.gen(function* () {
        expect(yield* wanted(nativeBuiltinNames)).toEqual([])
      })
    )

    it.effect("each built-in listed for the host is asked of it, and it has it", () =>
      Effect.gen(function* () {
        expect(yield* wanted(hostBuiltinNames)).toEqual([...hostBuiltinNames].sort())
        expect(hostBuiltinNames.filter((name) => !hostBuiltins.has(name))).toEqual([])
      })
    )

    it("name nothing twice", () => {
      expect(new Set(allowedBuiltinNames).size).toBe(allowedBuiltinNames.length)
    })
  })

  describe("format", () => {
    it.effect("writes as `opa fmt` does, and leaves what is so written", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const once = yield* compiler.format("p.rego", "package p\n# why\nallow   if {  input.x\n input.y == [1,2] }\n")
        expect(once).toBe("package p\n\n# why\nallow if {\n\tinput.x\n\tinput.y == [1, 2]\n}\n")
        expect(yield* compiler.format("p.rego", once)).toBe(once)
      })
    )

    it.effect("refuses what it cannot read, with the position", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const error = yield* Effect.flip(compiler.format("p.rego", "package p\nallow { true }\n"))
        expect(error.message).toMatch(/^p\.rego:2:1: `if` keyword is required/)
      })
    )
  })

  describe("test", () => {
    const tests: RegoModule = {
      file: "approval_test.rego",
      source: `package jitsudo.approval_test

import data.jitsudo.approval

test_reader if approval.approver_tier == "auto" with input as {"request": {"role": "reader"}}

test_wrong if { print("tier", approval.approver_tier); approval.approver_tier == "auto" }

todo_test_later if false

test_time if time.now_ns() == 1700000000000000001

test_conflict if conflict

conflict := true if true

conflict := false if true
`
    }

    it.effect("tells which rules pass, fail, are skipped or have no answer", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const results = yield* compiler.test([...modules, tests], { nowNs: 1700000000000000001n })
        expect(results.map((result) => [result.name, result.outcome, result.row])).toEqual([
          ["test_reader", "pass", 5],
          ["test_wrong", "fail", 7],
          ["todo_test_later", "skip", 9],
          ["test_time", "pass", 11],
          ["test_conflict", "error", 13]
        ])
        expect(results[1]).toMatchObject({
          package: "data.jitsudo.approval_test",
          file: "approval_test.rego",
          output: "tier human\n"
        })
        expect(results[4]?.output).toContain("eval_conflict_error")
      })
    )

    it.effect("holds tests to the same built-ins", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const error = yield* Effect.flip(compiler.test(only("package p_test\n\ntest_x if http.send({})\n")))
        expect(error.message).toContain("built-in http.send is not allowed")
      })
    )
  })

  describe("interpret", () => {
    const value = (query: string, input?: unknown, dropDefaults: ReadonlyArray<string> = []) =>
      Compiler.use((compiler) => compiler.interpret({ modules, query, input, dropDefaults })).pipe(
        Effect.map(({ solutions }) => solutions.map(({ values }) => values))
      )

    it.effect("evaluates a query, and an undefined one has no solution", () =>
      Effect.gen(function* () {
        const query = "data.jitsudo.approval.approver_tier"
        expect(yield* value(query, { request: { role: "reader" } })).toEqual([["auto"]])
        expect(yield* value(query)).toEqual([["human"]])
        expect(yield* value(query, null, ["approver_tier"])).toEqual([])
        expect(yield* value("data.jitsudo.approval.deny", { request: { role: "root" } })).toEqual([
          [["root is not for you"]]
        ])
      })
    )

    it.effect("sees the clock that it is given, to the nanosecond", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const query = 'time.now_ns(); [y, m, d] := time.date([time.now_ns(), "Europe/Berlin"])'
        const { solutions } = yield* compiler.interpret({ modules: [], query, nowNs: 1704063600000000001n })
        expect(solutions).toMatchObject([{ json: ["1704063600000000001", "true"], bindings: { y: 2024, m: 1, d: 1 } }])
      })
    )

    it.effect("shows what print wrote, and each step if asked", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const request = {
          modules: only(`package p\n\nallow if { print("seen", input.x); input.x == 1 }\n`),
          query: "data.p.allow"
        }
        const quiet = yield* compiler.interpret({ ...request, input: { x: 1 } })
        expect(quiet).toMatchObject({ output: "seen 1\n", trace: "" })
        const traced = yield* compiler.interpret({ ...request, input: { x: 1 }, trace: true })
        expect(traced.trace).toContain("Enter data.p.allow")
      })
    )

    it.effect("fails when a rule has two values", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const failed = yield* Effect.flip(
          compiler.interpret({ modules: only("package p\n\nx := 1 if true\n\nx := 2 if true\n"), query: "data.p.x" })
        )
        expect(failed).toMatchObject({
          _tag: "EvaluationFailed",
          diagnostics: [{ file: "p.rego", code: "eval_conflict_error" }]
        })
      })
    )

    it.effect("refuses a query that calls what policies may not call", () =>
      Effect.gen(function* () {
        expect((yield* Effect.flip(value("opa.runtime()"))).message).toContain("built-in opa.runtime is not allowed")
      })
    )
  })

  describe("inspect", () => {
    it.effect("lists packages, imports, rules, constants and what is known of types", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const [first, second] = yield* compiler.inspect(modules)
        expect(first).toMatchObject({
          file: "approval.rego",
          package: "jitsudo.approval",
          imports: [{ path: "data.jitsudo.lib.roles" }]
        })
        expect(first?.rules).toEqual([
          {
            name: "approver_tier",
            kind: "complete",
            row: 5,
            default: true,
            constant: { value: "human" },
            type: { kinds: ["string"] }
          },
          {
            name: "approver_tier",
            kind: "complete",
            row: 7,
            default: false,
            constant: { value: "auto" },
            type: { kinds: ["string"] }
          },
          {
            name: "allow",
            kind: "complete",
            row: 9,
            default: false,
            constant: { value: true },
            type: { kinds: ["boolean"] }
          },
          { name: "deny", kind: "set", row: 11, default: false, type: { kinds: ["set"], of: ["string"] } },
          {
            name: "needs_human",
            kind: "complete",
            row: 13,
            default: false,
            constant: { value: true },
            type: { kinds: ["boolean"] }
          }
        ])
        expect(second?.rules).toMatchObject([{ name: "is_reader", kind: "function", type: { kinds: ["boolean"] } }])
      })
    )

    it.effect("knows unions, else, members, and that the input can be anything", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        const [module] = yield* compiler.inspect(
          only(
            `package p\n\nx := "a" if input.a else := 1 if input.b else := null\n\ny := input.y\n\nz := [1, "a"]\n\no[k] := 1 if some k in input.k\n`
          )
        )
        expect(module?.rules).toMatchObject([
          { name: "x", constant: { value: "a" }, type: { kinds: ["null", "number", "string"] } },
          { name: "x", constant: { value: 1 } },
          { name: "x", constant: { value: null } },
          { name: "y", type: { kinds: ["any"] } },
          { name: "z", constant: { value: [1, "a"] }, type: { kinds: ["array"], of: ["number", "string"] } },
          { name: "o", kind: "object", type: { kinds: ["object"] } }
        ])
        expect(module?.rules[3]).not.toHaveProperty("constant")
      })
    )
  })
})
