/**
 * The world that OPA's compiler runs in: a clock that stands still, an error stream that is kept, nothing else.
 *
 * 1. No file, argument, environment variable or socket: such calls answer "not supported".
 * 2. The wall clock is the time that the caller gave, so `time.now_ns` is pinned and a call can be repeated.
 * 3. What Go takes for randomness is constant, for the same reason; nothing that needs secrecy runs in there.
 *
 * Node's own `node:wasi` is not used: it warns that it is experimental, and gives more than is needed.
 */

const success = 0
const notSupported = 52
const badDescriptor = 8
const clockEvent = 0
const wallClock = 0

/** Enough to say why Go gave up. */
const keptErrorText = 16_384

export interface Wasi {
  readonly imports: WebAssembly.Imports
  /** Must be called before the module runs. */
  readonly attach: (memory: WebAssembly.Memory) => void
  readonly setWallClock: (nowNs: bigint) => void
}

/** Answers every function that the module imports. */
export const makeWasi = (module: WebAssembly.Module): Wasi => {
  let memory: WebAssembly.Memory | undefined
  let wallNs = 0n
  let errorText = ""
  const bytes = (offset: number, length: number): Uint8Array => {
    if (memory === undefined) throw new Error("the compiler called out before it had memory")
    return new Uint8Array(memory.buffer, offset, length)
  }
  const view = (offset: number, length: number): DataView => {
    const part = bytes(offset, length)
    return new DataView(part.buffer, part.byteOffset, part.byteLength)
  }
  const noStrings = (count: number, size: number): number => {
    view(count, 4).setUint32(0, 0, true)
    view(size, 4).setUint32(0, 0, true)
    return success
  }
  const functions: Readonly<Record<string, (...args: Array<number>) => number>> = {
    args_sizes_get: noStrings,
    args_get: () => success,
    environ_sizes_get: noStrings,
    environ_get: () => success,
    sched_yield: () => success,
    // How a program finds the folders it was given: there is none.
    fd_prestat_get: () => badDescriptor,
    clock_time_get: (clock = wallClock, _precision, out = 0) => {
      view(out, 8).setBigUint64(0, clock === wallClock ? wallNs : process.hrtime.bigint(), true)
      return success
    },
    random_get: (offset = 0, length = 0) => {
      bytes(offset, length).forEach((_, index, part) => void (part[index] = index & 0xff))
      return success
    },
    fd_write: (_descriptor, vectors = 0, count = 0, written = 0) => {
      let total = 0
      for (let index = 0; index < count; index++) {
        const vector = view(vectors + 8 * index, 8)
        const part = bytes(vector.getUint32(0, true), vector.getUint32(4, true))
        if (errorText.length < keptErrorText) errorText += new TextDecoder().decode(part)
        total += part.length
      }
      view(written, 4).setUint32(0, total, true)
      return success
    },
    poll_oneoff: (subscriptions = 0, events = 0, count = 0, happened = 0) => {
      // Go waits for its own timers only. It may be told that time is up too early, and then looks at the clock.
      for (let index = 0; index < count; index++) {
        const from = view(subscriptions + 48 * index, 48)
        const to = view(events + 32 * index, 32)
        to.setBigUint64(0, from.getBigUint64(0, true), true)
        to.setUint16(8, from.getUint8(8) === clockEvent ? success : notSupported, true)
        to.setUint8(10, from.getUint8(8))
      }
      view(happened, 4).setUint32(0, count, true)
      return success
    },
    proc_exit: (code) => {
      throw new Error(`OPA's compiler ended with code ${code}: ${errorText.trim()}`)
    }
  }
  const imports: Record<string, Record<string, (...args: Array<number>) => number>> = {}
  for (const wanted of WebAssembly.Module.imports(module)) {
    const group = (imports[wanted.module] ??= {})
    group[wanted.name] = functions[wanted.name] ?? (() => notSupported)
  }
  return {
    imports,
    attach: (given) => {
      memory = given
    },
    setWallClock: (nowNs) => {
      wallNs = nowNs
    }
  }
}
