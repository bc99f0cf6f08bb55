/** Typed access to what a WebAssembly instance exports. */

/** An exported function; results come as they are, numbers or bigints. */
export const exportedFunction =
  (exports: WebAssembly.Exports, name: string): ((...args: ReadonlyArray<number>) => unknown) =>
  (...args) => {
    const found = exports[name]
    if (typeof found !== "function") throw new Error(`the Wasm module exports no function ${name}`)
    return Reflect.apply(found, undefined, args)
  }

export const exportedMemory = (exports: WebAssembly.Exports): WebAssembly.Memory => {
  const found = exports["memory"]
  if (!(found instanceof WebAssembly.Memory)) throw new Error("the Wasm module exports no memory")
  return found
}
