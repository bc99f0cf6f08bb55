/**
 * From sources to a set that can be stored: everything is checked and compiled here, once, when policy is applied.
 *
 * 1. Each policy is compiled on its own with all libraries, disabled ones too, so that enabling one later cannot fail
 *    and deleting a library that somebody needs is refused.
 * 2. A policy's own tests (`*_test.rego` among its files) pass.
 * 3. What would be inert or ambiguous is refused: another package, no rule that is read, a default tier that is not
 *    `human`, a rule of a type that can never be right.
 * 4. What is refused is refused as a whole; diagnostics name file, row and column.
 */
import type { PolicySet } from "@jitsudo/core"
import { Canonical, Ids, Sha256, type Time } from "@jitsudo/core"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { CompileError } from "./Compiler.ts"
import {
  Compiler,
  type CompilerCrashed,
  type InspectedModule,
  type InspectedRule,
  type RegoModule
} from "./Compiler.ts"
import {
  entrypointOf,
  libraryPackage,
  packageOf,
  ruleTypes,
  rulesRead,
  tierDefault,
  tierRule,
  type DecidingType,
  type RuleType
} from "./Rules.ts"

export interface Draft {
  readonly name: string
  readonly type: PolicySet.PolicyType
  readonly description: string
  readonly enabled: boolean
  readonly files: ReadonlyArray<PolicySet.PolicyFile>
}

export interface PolicyProblem {
  readonly policy: string
  /** `file:row:col`, as far as it is known. */
  readonly at: string
  readonly message: string
}

/** Nothing was compiled into anything that can be stored. */
export class PolicyRejected extends Data.TaggedError("PolicyRejected")<{
  readonly problems: ReadonlyArray<PolicyProblem>
}> {
  override get message(): string {
    return this.problems.map((one) => `${one.policy}${one.at === "" ? "" : ` ${one.at}`}: ${one.message}`).join("\n")
  }
}

export interface Prepared {
  readonly policies: ReadonlyArray<PolicySet.PolicySource>
  readonly warnings: ReadonlyArray<string>
}

export interface PrepareOptions {
  /** Policies that are stored: an unchanged one keeps its id, author, time and what it compiled to. */
  readonly before: ReadonlyArray<PolicySet.PolicySource>
  readonly now: Time.Time
  readonly by: PolicySet.PolicySource["updatedBy"]
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/u
const pathPattern = /^[A-Za-z0-9_-][A-Za-z0-9_./-]{0,255}\.rego$/u
const maximumSource = 256 * 1024
const maximumPolicies = 200
const maximumFiles = 50

const isTest = (path: string): boolean => path.endsWith("_test.rego")

const fileName = (policy: string, path: string): string => `${policy}/${path}`

const modulesOf = (draft: Draft, tests: boolean): ReadonlyArray<RegoModule> =>
  draft.files
    .filter((file) => tests || !isTest(file.path))
    .map((file) => ({ file: fileName(draft.name, file.path), source: file.source }))

const shapeProblems = (drafts: ReadonlyArray<Draft>): ReadonlyArray<PolicyProblem> => {
  const problems: Array<PolicyProblem> = []
  const seen = new Set<string>()
  const wrong = (policy: string, message: string) => problems.push({ policy: policy.slice(0, 64), at: "", message })
  if (drafts.length > maximumPolicies) wrong("policies", `at most ${maximumPolicies} policies`)
  for (const draft of drafts) {
    if (!namePattern.test(draft.name))
      wrong(
        draft.name,
        "a name has 1-64 lower-case letters, digits, `.`, `_` or `-`, and begins with a letter or digit"
      )
    if (seen.has(draft.name)) wrong(draft.name, "two policies have this name")
    seen.add(draft.name)
    if (draft.files.filter((file) => !isTest(file.path)).length === 0) wrong(draft.name, "it has no file but tests")
    if (draft.files.length > maximumFiles) wrong(draft.name, `at most ${maximumFiles} files`)
    const paths = new Set<string>()
    for (const file of draft.files) {
      if (!pathPattern.test(file.path) || file.path.split("/").includes(".."))
        wrong(draft.name, `${JSON.stringify(file.path.slice(0, 64))} is not a path that ends in .rego`)
      if (paths.has(file.path)) wrong(draft.name, `${file.path} is there twice`)
      paths.add(file.path)
      if (file.source.length > maximumSource)
        wrong(draft.name, `${file.path} is larger than ${maximumSource / 1024} KiB`)
      if (!file.source.isWellFormed() || file.source.includes("\u0000")) wrong(draft.name, `${file.path} is not text`)
    }
  }
  return problems
}

/** Whether values of this static type can ever be what the rule must be. */
const canBe = (rule: InspectedRule, type: RuleType): boolean => {
  const { kinds, of } = rule.type
  if (kinds.includes("any") || kinds.length === 0) return true
  switch (type) {
    case "boolean":
    case "number":
    case "string":
      return kinds.includes(type)
    case "set of strings":
      return (
        (kinds.includes("set") || kinds.includes("array")) &&
        (of === undefined || of.length === 0 || of.includes("any") || of.includes("string"))
      )
  }
}

const ruleProblems = (
  draft: Draft,
  type: DecidingType,
  modules: ReadonlyArray<InspectedModule>
): ReadonlyArray<PolicyProblem> => {
  const problems: Array<PolicyProblem> = []
  const own = packageOf[type]
  let read = 0
  for (const module of modules) {
    if (module.package !== own) {
      problems.push({
        policy: draft.name,
        at: module.file,
        message: `its package is ${module.package}; a policy of type ${type} is in package ${own}`
      })
      continue
    }
    for (const rule of module.rules) {
      const wanted = ruleTypes[type][rule.name]
      if (wanted === undefined) continue
      read++
      const at = `${module.file}:${rule.row}`
      if (rule.kind === "function")
        problems.push({ policy: draft.name, at, message: `${rule.name} must be a rule, not a function` })
      else if (!canBe(rule, wanted))
        problems.push({ policy: draft.name, at, message: `${rule.name} must be a ${wanted}` })
      if (type === "approval" && rule.name === tierRule && rule.default && rule.constant?.value !== tierDefault) {
        problems.push({
          policy: draft.name,
          at,
          message: `the default of ${tierRule} can only be "${tierDefault}" (it means: no opinion)`
        })
      }
    }
  }
  if (read === 0 && problems.length === 0) {
    problems.push({
      policy: draft.name,
      at: "",
      message: `it has none of the rules that are read: ${Object.keys(ruleTypes[type]).join(", ")}`
    })
  }
  return problems
}

const libraryProblems = (draft: Draft, modules: ReadonlyArray<InspectedModule>): ReadonlyArray<PolicyProblem> =>
  modules
    .filter((module) => !module.package.startsWith(`${libraryPackage}.`))
    .map((module) => ({
      policy: draft.name,
      at: module.file,
      message: `its package is ${module.package}; a library is in a package below ${libraryPackage}`
    }))

/** Rules that exist, among those that are read for this type. */
const existing = (type: DecidingType, modules: ReadonlyArray<InspectedModule>): ReadonlyArray<string> => {
  const there = new Set(modules.flatMap((module) => module.rules.map((rule) => rule.name)))
  const read = new Set(Object.values(rulesRead).flatMap((byType) => byType[type] ?? []))
  return [...read].filter((rule) => there.has(rule)).sort()
}

const alwaysTrue = (modules: ReadonlyArray<InspectedModule>, name: string): boolean =>
  modules.some((module) =>
    module.rules.some((rule) => rule.name === name && rule.default && rule.constant?.value === true)
  )

const diagnosed =
  (policy: string) =>
  (error: CompileError): PolicyRejected =>
    new PolicyRejected({
      problems: error.diagnostics.map((one) => ({
        policy,
        at: one.file === "" ? "" : `${one.file}:${one.row}:${one.col}`,
        message: one.message
      }))
    })

/** SHA-256 over what a policy is: its type and its files, in order of their paths. */
export const hashOf = (draft: Pick<Draft, "type" | "files">): Effect.Effect<string> =>
  Sha256.sha256Hex(
    Canonical.stringify({
      type: draft.type,
      files: [...draft.files]
        .sort((a, b) => (a.path < b.path ? -1 : 1))
        .map((file) => ({ path: file.path, source: file.source }))
    })
  )

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64")

/** Check and compile a whole set. */
export const prepare = Effect.fn("Prepare.prepare")(function* (
  drafts: ReadonlyArray<Draft>,
  options: PrepareOptions
): Effect.fn.Return<Prepared, PolicyRejected | CompilerCrashed, Compiler> {
  const shape = shapeProblems(drafts)
  if (shape.length > 0) return yield* new PolicyRejected({ problems: shape })
  const compiler = yield* Compiler
  const random = yield* Ids.RandomBytes
  const libraries = drafts.filter((draft) => draft.type === "library")
  const shared = libraries.flatMap((library) => modulesOf(library, false))
  const librariesHash = yield* Sha256.sha256Hex(Canonical.stringify(shared.map((one) => [one.file, one.source])))
  const warnings: Array<string> = []
  const problems: Array<PolicyProblem> = []
  const before = new Map(options.before.map((policy) => [policy.name, policy]))
  const librariesBefore = yield* Sha256.sha256Hex(
    Canonical.stringify(
      options.before
        .filter((policy) => policy.type === "library")
        .flatMap((policy) => modulesOf(policy, false).map((one) => [one.file, one.source]))
    )
  )

  const one = Effect.fnUntraced(function* (draft: Draft) {
    const own = modulesOf(draft, false)
    const others =
      draft.type === "library" ? shared.filter((module) => !own.some((mine) => mine.file === module.file)) : shared
    const hash = yield* hashOf(draft)
    const old = before.get(draft.name)
    const same = old !== undefined && old.hash === hash && old.type === draft.type && librariesHash === librariesBefore
    const described = old !== undefined && old.enabled === draft.enabled && old.description === draft.description
    if (same && described) return old

    const compiled = same ? old.compiled : yield* compileOne(draft, own, others)
    return {
      id: old?.id ?? Ids.make("pol", options.now, random),
      name: draft.name,
      type: draft.type,
      description: draft.description,
      enabled: draft.enabled,
      files: draft.files,
      hash,
      compiled,
      updatedAt: options.now,
      updatedBy: options.by
    } satisfies PolicySet.PolicySource
  })

  const compileOne = Effect.fnUntraced(function* (
    draft: Draft,
    own: ReadonlyArray<RegoModule>,
    others: ReadonlyArray<RegoModule>
  ) {
    const rejected = diagnosed(draft.name)
    const all = yield* Effect.catchTag(compiler.inspect([...own, ...others]), "CompileError", (error) =>
      Effect.fail(rejected(error))
    )
    const inspected = all.filter((module) => own.some((mine) => mine.file === module.file))
    const wrong =
      draft.type === "library" ? libraryProblems(draft, inspected) : ruleProblems(draft, draft.type, inspected)
    if (wrong.length > 0) return yield* new PolicyRejected({ problems: wrong })

    const tests = draft.files.some((file) => isTest(file.path))
    if (tests) {
      const results = yield* Effect.catchTag(
        compiler.test([...modulesOf(draft, true), ...others]),
        "CompileError",
        (error) => Effect.fail(rejected(error))
      )
      const failed = results.filter((result) => result.outcome === "fail" || result.outcome === "error")
      if (failed.length > 0) {
        return yield* new PolicyRejected({
          problems: failed.map((result) => ({
            policy: draft.name,
            at: `${result.file}:${result.row}`,
            message: `its test ${result.name} ${result.outcome === "fail" ? "fails" : "breaks"}${result.output === "" ? "" : `: ${result.output.trim().slice(0, 500)}`}`
          }))
        })
      }
    }
    if (draft.type === "library") {
      yield* Effect.catchTag(compiler.check([...own, ...others]), "CompileError", (error) =>
        Effect.fail(rejected(error))
      )
      return []
    }
    const type = draft.type
    if (draft.enabled && type !== "approval" && alwaysTrue(inspected, "allow")) {
      warnings.push(
        `policy ${draft.name} allows everything by default: other policies of type ${type} can then only deny`
      )
    }
    const rules = existing(type, inspected)
    const compile = (entrypoints: ReadonlyArray<string>, dropDefaults: ReadonlyArray<string>) =>
      Effect.catchTag(
        compiler.compile({
          modules: [...own, ...others],
          entrypoints,
          ...(dropDefaults.length === 0 ? {} : { dropDefaults })
        }),
        "CompileError",
        (error) => Effect.fail(rejected(error))
      )
    const written = rules.filter((rule) => rule !== tierRule).map((rule) => entrypointOf(type, rule))
    const compiled: Array<PolicySet.CompiledModule> = []
    if (written.length > 0) {
      const { entrypoints, wasm } = yield* compile(written, [])
      compiled.push({ variant: "all", entrypoints: Object.keys(entrypoints).sort(), wasm: base64(wasm) })
    }
    if (rules.includes(tierRule)) {
      const path = entrypointOf(type, tierRule)
      const { entrypoints, wasm } = yield* compile([path], [path])
      compiled.push({ variant: "tier", entrypoints: Object.keys(entrypoints).sort(), wasm: base64(wasm) })
    }
    return compiled
  })

  const policies: Array<PolicySet.PolicySource> = []
  for (const draft of drafts) {
    const made = yield* Effect.catchTag(one(draft), "PolicyRejected", (rejected) => {
      problems.push(...rejected.problems)
      return Effect.void
    })
    if (made !== undefined) policies.push(made)
  }
  if (problems.length > 0) return yield* new PolicyRejected({ problems })
  return { policies, warnings }
})
