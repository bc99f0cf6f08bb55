/** The life of the compiler's thread: idle, bound, interrupted, crashed, shared, and never in anybody's way. */
import { describe, expect, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { brotliDecompressSync } from "node:zlib"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { rolldown } from "rolldown"
import { Compiler, type RegoModule } from "../src/Compiler.ts"
import { loadOpaModule } from "../src/OpaModule.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const artefact = new URL("../compiler/opa.wasm.br", import.meta.url)
const policy: ReadonlyArray<RegoModule> = [{ file: "p.rego", source: "package p\n\nallow if input.x == 1\n" }]
const compile = Compiler.use((compiler) => compiler.compile({ modules: policy, entrypoints: ["p/allow"] }))
const isLoaded = Compiler.use((compiler) => compiler.isLoaded)

/** Ten nested loops over a thousand numbers: longer than anybody waits. */
const endless: ReadonlyArray<RegoModule> = [
  {
    file: "endless_test.rego",
    source: `package endless_test

n := numbers.range(1, 1000)

test_never if {
${Array.from({ length: 10 }, (_, index) => `  some a${index} in n`).join("\n")}
  a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 < 0
}
`
  }
]
const runEndless = Compiler.use((compiler) => compiler.test(endless))

/** Real time, because the other thread knows no other: enough to be in the middle of `runEndless`. */
const untilBusy = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 200)))

/** How often the event loop came round while the effect ran. */
const turnsDuring = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    yield* effect.pipe(Effect.ensuring(Effect.sync(() => clearInterval(timer))))
    return turns
  })

describe("the compiler's thread", () => {
  it.effect("is started by the first call, and ended when it has been idle", () =>
    Effect.gen(function* () {
      expect(yield* isLoaded).toBe(false)
      yield* compile
      expect(yield* isLoaded).toBe(true)
      yield* TestClock.adjust("29 seconds")
      yield* compile
      yield* TestClock.adjust("29 seconds")
      expect(yield* isLoaded).toBe(true)
      yield* TestClock.adjust("2 seconds")
      expect(yield* isLoaded).toBe(false)
      yield* compile
      expect(yield* isLoaded).toBe(true)
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.live("leaves the event loop free, which the same call in this thread does not", () =>
    Effect.gen(function* () {
      const tenTimes = Effect.repeat(compile, { times: 9 })
      const free = yield* turnsDuring(tenTimes)
      const opa = loadOpaModule(artefact)
      const request = JSON.stringify({ op: "check", builtins: ["equal", "eq"], modules: policy })
      const blocked = yield* turnsDuring(
        Effect.sync(() => {
          for (let index = 0; index < 10; index++) opa.call(request, 0n)
        })
      )
      expect(blocked).toBeLessThanOrEqual(1)
      expect(free).toBeGreaterThan(10 * Math.max(blocked, 1))
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.effect("is ended when a call exceeds its bound, and the next call gets another", () =>
    Effect.gen(function* () {
      yield* compile
      const fiber = yield* Effect.forkChild(Effect.flip(runEndless), { startImmediately: true })
      yield* untilBusy
      yield* TestClock.adjust("19 seconds")
      expect(yield* isLoaded).toBe(true)
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "CompilerCrashed", reason: "timeout" })
      expect(yield* isLoaded).toBe(false)
      yield* compile
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.live("is ended when its caller is interrupted, and the next call gets another", () =>
    Effect.gen(function* () {
      yield* compile
      const fiber = yield* Effect.forkChild(runEndless, { startImmediately: true })
      yield* untilBusy
      yield* Fiber.interrupt(fiber)
      expect(yield* isLoaded).toBe(false)
      yield* compile
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.live("survives a source that breaks the module, and says that it did", () =>
    Effect.gen(function* () {
      const depth = 100_000
      const deep = [{ file: "deep.rego", source: `package p\n\nx := ${"[".repeat(depth)}${"]".repeat(depth)}\n` }]
      const error = yield* Effect.flip(Compiler.use((compiler) => compiler.check(deep)))
      expect(["CompilerCrashed", "CompileError"]).toContain(error._tag)
      yield* compile
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.live("says so when there is no compiler where it was told to look", () =>
    Effect.gen(function* () {
      const crashed = yield* Effect.flip(compile)
      expect(crashed).toMatchObject({ _tag: "CompilerCrashed", reason: "crash" })
      expect(crashed.message).toContain("absent.wasm.br")
      expect(yield* isLoaded).toBe(false)
    }).pipe(Effect.provide(Compiler.layerWith({ artefact: new URL("absent.wasm.br", artefact) })))
  )

  it.live("answers each of many callers, one refused and one interrupted among them", () =>
    Effect.gen(function* () {
      const compiler = yield* Compiler
      const named = (index: number) =>
        compiler.format(`${index}.rego`, `package p${index}`).pipe(Effect.map((text) => text.trim()))
      const refused = Effect.forkChild(Effect.flip(compiler.format("bad.rego", "package")))
      const waiting = yield* Effect.forkChild(Effect.andThen(Effect.yieldNow, runEndless))
      const bad = yield* refused
      const all = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          named,
          { concurrency: "unbounded" }
        )
      )
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(waiting)
      expect(yield* Fiber.join(all)).toEqual(Array.from({ length: 20 }, (_, index) => `package p${index}`))
      expect((yield* Fiber.join(bad))._tag).toBe("CompileError")
    }).pipe(Effect.provide(Compiler.layer))
  )

  it.live("ends with the layer", () =>
    Effect.gen(function* () {
      const compiler = yield* Effect.scoped(
        Effect.gen(function* () {
          const context = yield* Layer.build(Compiler.layer)
          yield* Effect.provide(compile, context)
          expect(yield* Effect.provide(isLoaded, context)).toBe(true)
          return Context.get(context, Compiler)
        })
      )
      expect(yield* compiler.isLoaded).toBe(false)
    })
  )

  it.live("runs bundled to one JavaScript file", () =>
    Effect.gen(function* () {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "jitsudo-worker-"))
      yield* Effect.promise(async () => {
        const bundle = await rolldown({ input: path.join(root, "src/compiler-worker.ts"), platform: "node" })
        await bundle.write({ file: path.join(folder, "worker.mjs"), minify: true })
        await bundle.close()
      })
      const worker = pathToFileURL(path.join(folder, "worker.mjs"))
      const compiled = yield* compile.pipe(Effect.provide(Compiler.layerWith({ worker, artefact })))
      expect(compiled.entrypoints).toEqual({ "p/allow": 0 })
      fs.rmSync(folder, { recursive: true })
    })
  )
})

describe("the compiler's artefact", () => {
  const committed = fs.readFileSync(new URL("opa.wasm.sha256", artefact), "utf8")

  it("is the one that the checksum names", () => {
    const wasm = brotliDecompressSync(fs.readFileSync(artefact))
    expect(`${createHash("sha256").update(wasm).digest("hex")}  opa.wasm\n`).toBe(committed)
  })

  it("comes with the licence of every part", () => {
    const notice = fs.readFileSync(new URL("NOTICE", artefact), "utf8")
    for (const part of ["github.com/open-policy-agent/opa v1.", "Go standard library", "libmpdec", "RE2"])
      expect(notice).toContain(`- ${part}`)
  })

  it("is what the Go program gives, byte for byte", ({ skip }) => {
    if (process.env["JITSUDO_TEST_FULL"] !== "1") return skip("only in test:full")
    const pinned = /^go (\S+)$/m.exec(fs.readFileSync(path.join(root, "go/go.mod"), "utf8"))?.[1]
    const found = spawnSync("go", ["env", "GOVERSION"], { encoding: "utf8", cwd: os.tmpdir() }).stdout?.trim()
    if (found !== `go${pinned}`) return skip(`needs Go ${pinned}, here is ${found ?? "none"}`)
    const built = spawnSync(process.execPath, ["scripts/build-compiler.mjs", "--verify"], {
      cwd: root,
      encoding: "utf8"
    })
    expect(built.stderr).toBe("")
    expect(built.stdout).toContain(committed.trim())
  }, 600_000)
})
