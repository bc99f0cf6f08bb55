/**
 * One compiled policy, ready to be asked: an instance of OPA's Wasm with our host built-ins.
 *
 * 1. ABI 1.2 or later: older modules are refused (they would take a slow path that leaks between evaluations).
 * 2. Memory has a maximum. What needs more fails, and the caller renews the instance.
 * 3. Whatever goes wrong is a thrown `EvaluationFailed` with the reason as text; it never becomes an answer.
 *
 * `@open-policy-agent/opa-wasm` drives the instance; the imports are ours, because the SDK's own `sprintf` and
 * `json.is_valid` take precedence over custom ones and differ from OPA's, and because it passes arguments as JSON,
 * which rounds nanosecond timestamps and hides sets.
 */
import * as sdk from "@open-policy-agent/opa-wasm"
import { type EvaluationClock, hostBuiltins } from "./HostBuiltins.ts"
import { parse } from "./RegoValue.ts"

/** The SDK's types name the class as an export; at run time it is a member of the default one. */
const { LoadedPolicy }: { readonly LoadedPolicy: typeof sdk.LoadedPolicy } = Reflect.get(sdk, "default")

/** 64 KiB pages: 320 kB at the start, 32 MB at most. */
export const defaultMaximumPages = 512
const initialPages = 5

export class EvaluationFailed extends Error {
  /** `policy`: the policy contradicts itself on this input. `module`: the instance cannot be used (again). */
  readonly blame: "policy" | "module"

  constructor(message: string, blame: "policy" | "module") {
    super(message)
    this.blame = blame
  }
}

interface Exports {
  readonly malloc: (size: number) => number
  readonly parseJson: (address: number, size: number) => number
  readonly dumpValue: (address: number) => number
  readonly abi: readonly [number, number]
}

const functionOf = (exports: WebAssembly.Exports, name: string): ((...values: ReadonlyArray<number>) => number) => {
  const found = exports[name]
  if (typeof found !== "function") throw new EvaluationFailed(`the module has no function ${name}`, "module")
  return (...values) => Number(found(...values))
}

const globalOf = (exports: WebAssembly.Exports, name: string): number => {
  const found = exports[name]
  return found instanceof WebAssembly.Global ? Number(found.value) : -1
}

const exportsOf = (exports: WebAssembly.Exports): Exports => ({
  malloc: functionOf(exports, "opa_malloc"),
  parseJson: functionOf(exports, "opa_json_parse"),
  dumpValue: functionOf(exports, "opa_value_dump"),
  abi: [globalOf(exports, "opa_wasm_abi_version"), globalOf(exports, "opa_wasm_abi_minor_version")]
})

const messageOf = (thrown: unknown): string => {
  if (typeof thrown === "string") return thrown
  if (thrown instanceof Error) return thrown.message
  if (typeof thrown === "object" && thrown !== null && "message" in thrown) return String(thrown.message)
  return "evaluation failed"
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export interface PolicyModule {
  /** The names of the entry points, `jitsudo/eligibility/allow`. */
  readonly entrypoints: ReadonlyArray<string>
  /** The value of an entry point; `{ defined: false }` when it is undefined. `input` is JSON in UTF-8. */
  readonly evaluate: (
    entrypoint: string,
    input: ArrayBuffer,
    clock: EvaluationClock
  ) => { readonly defined: false } | { readonly defined: true; readonly value: unknown }
  /** How much memory it holds; it never gives any back. */
  readonly memoryBytes: () => number
}

/** Instantiate a module. Throws `EvaluationFailed`. */
export const instantiate = (module: WebAssembly.Module, maximumPages = defaultMaximumPages): PolicyModule => {
  let memory: WebAssembly.Memory
  let exports: Exports
  let names: Readonly<Record<string, string>> = {}
  let clock: EvaluationClock = { nowNs: 0n }

  const textAt = (address: number): string => {
    const bytes = new Uint8Array(memory.buffer)
    return decoder.decode(bytes.subarray(address, bytes.indexOf(0, address)))
  }
  const call = (id: number, addresses: ReadonlyArray<number>): number => {
    const name = names[id] ?? `number ${id}`
    const builtin = hostBuiltins.get(name)
    if (builtin === undefined) throw new EvaluationFailed(`built-in function ${name} is not available`, "module")
    const result = builtin(
      addresses.map((address) => parse(textAt(exports.dumpValue(address)))),
      clock
    )
    if (result === undefined) return 0
    const bytes = encoder.encode(result)
    const address = exports.malloc(bytes.length)
    new Uint8Array(memory.buffer).set(bytes, address)
    return exports.parseJson(address, bytes.length)
  }
  const refuse = (thrown: unknown): EvaluationFailed => {
    if (thrown instanceof EvaluationFailed) return thrown
    return new EvaluationFailed(messageOf(thrown), "module")
  }

  let policy: sdk.LoadedPolicy
  try {
    memory = new WebAssembly.Memory({ initial: initialPages, maximum: maximumPages })
    const instance = new WebAssembly.Instance(module, {
      env: {
        memory,
        opa_abort: (address: number) => {
          throw new EvaluationFailed(textAt(address), "policy")
        },
        // `print` is erased when a policy is compiled; a module that prints all the same prints nowhere.
        opa_println: () => {},
        opa_builtin0: (id: number) => call(id, []),
        opa_builtin1: (id: number, _: number, ...addresses: Array<number>) => call(id, addresses),
        opa_builtin2: (id: number, _: number, ...addresses: Array<number>) => call(id, addresses),
        opa_builtin3: (id: number, _: number, ...addresses: Array<number>) => call(id, addresses),
        opa_builtin4: (id: number, _: number, ...addresses: Array<number>) => call(id, addresses)
      }
    })
    exports = exportsOf(instance.exports)
    const [major, minor] = exports.abi
    if (major !== 1 || minor < 2)
      throw new EvaluationFailed(`OPA's ABI ${major}.${minor} is not 1.2 or later`, "module")
    const needed: Record<string, number> = JSON.parse(
      textAt(functionOf(instance.exports, "opa_json_dump")(functionOf(instance.exports, "builtins")()))
    )
    names = Object.fromEntries(Object.entries(needed).map(([name, id]) => [id, name]))
    const missing = Object.keys(needed).filter((name) => !hostBuiltins.has(name))
    if (missing.length > 0)
      throw new EvaluationFailed(`built-in functions are not available: ${missing.join(", ")}`, "module")
    policy = new LoadedPolicy({ instance, module }, memory, minor)
  } catch (thrown) {
    throw refuse(thrown)
  }

  const entrypoints = Object.keys(policy.entrypoints)
  const evaluate: PolicyModule["evaluate"] = (entrypoint, input, now) => {
    clock = now
    let result: unknown
    try {
      result = policy.evaluate(input, entrypoint)
    } catch (thrown) {
      throw refuse(thrown)
    }
    if (!Array.isArray(result) || result.length > 1) throw new EvaluationFailed("OPA gave no result set", "module")
    if (result.length === 0) return { defined: false }
    const [first]: ReadonlyArray<unknown> = result
    if (typeof first !== "object" || first === null || !("result" in first)) {
      throw new EvaluationFailed("OPA gave no result", "module")
    }
    return { defined: true, value: first.result }
  }
  if (entrypoints.length === 0) throw new EvaluationFailed("the module has no entry point", "module")
  return { entrypoints, evaluate, memoryBytes: () => memory.buffer.byteLength }
}
