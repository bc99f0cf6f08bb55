/** OPA's compiler as a function from JSON to JSON. Synchronous and single-threaded: it belongs in a worker. */
import { readFileSync } from "node:fs"
import { brotliDecompressSync } from "node:zlib"
import { makeWasi } from "./Wasi.ts"
import { exportedFunction, exportedMemory } from "./WasmExports.ts"

export interface OpaModule {
  /**
   * @param nowNs the only time that the call sees, in nanoseconds since the epoch
   * @throws Error when the module trapped; it must not be called again then
   */
  readonly call: (request: string, nowNs: bigint) => string
}

/** Reads the compressed module, about 36 MB when unpacked, and starts it. */
export const loadOpaModule = (artefact: URL): OpaModule => {
  const module = new WebAssembly.Module(new Uint8Array(brotliDecompressSync(readFileSync(artefact))))
  const wasi = makeWasi(module)
  const { exports } = new WebAssembly.Instance(module, wasi.imports)
  const memory = exportedMemory(exports)
  wasi.attach(memory)
  exportedFunction(exports, "_initialize")()
  const alloc = exportedFunction(exports, "alloc")
  const handle = exportedFunction(exports, "handle")
  return {
    call: (request, nowNs) => {
      wasi.setWallClock(nowNs)
      const sent = new TextEncoder().encode(request)
      const offset = Number(alloc(sent.length))
      // Memory may have grown, which replaces its buffer: it is looked up anew each time.
      new Uint8Array(memory.buffer, offset, sent.length).set(sent)
      const packed = handle()
      if (typeof packed !== "bigint") throw new Error("OPA's compiler gave no answer")
      const answer = BigInt.asUintN(64, packed)
      return new TextDecoder().decode(
        new Uint8Array(memory.buffer, Number(answer >> 32n), Number(answer & 0xffffffffn))
      )
    }
  }
}
