/** What a compiled policy says about itself: its entry points and the built-ins that it wants from the host. */
import { exportedFunction } from "./WasmExports.ts"

export interface PolicyExports {
  /** Path to the id that `evaluate` takes. */
  readonly entrypoints: Readonly<Record<string, number>>
  /** Names, sorted. */
  readonly builtins: ReadonlyArray<string>
}

const unexpected = (): never => {
  throw new Error("the policy ran when it was only asked what it holds")
}

const decoder = new TextDecoder()

const ids = (text: string): Record<string, number> => {
  const parsed: unknown = JSON.parse(text)
  if (typeof parsed !== "object" || parsed === null) throw new Error(`not an object of ids: ${text}`)
  return Object.fromEntries(Object.entries(parsed).map(([name, id]) => [name, Number(id)]))
}

/** @throws Error if the bytes are not a policy compiled by OPA */
export const readPolicyExports = (wasm: Uint8Array<ArrayBuffer>): PolicyExports => {
  const memory = new WebAssembly.Memory({ initial: 5 })
  const names = [
    "opa_abort",
    "opa_println",
    "opa_builtin0",
    "opa_builtin1",
    "opa_builtin2",
    "opa_builtin3",
    "opa_builtin4"
  ]
  const env = { memory, ...Object.fromEntries(names.map((name) => [name, unexpected])) }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env })
  const dump = exportedFunction(exports, "opa_json_dump")
  const read = (name: string): Record<string, number> => {
    const start = Number(dump(Number(exportedFunction(exports, name)())))
    const bytes = new Uint8Array(memory.buffer, start)
    return ids(decoder.decode(bytes.subarray(0, bytes.indexOf(0))))
  }
  return { entrypoints: read("entrypoints"), builtins: Object.keys(read("builtins")).sort() }
}
