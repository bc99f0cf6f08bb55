/**
 * The life of the compiler's thread: started by the first call, ended when idle, killed when it takes too long.
 *
 * 1. One call at a time; callers wait their turn, and the bound counts from when the turn comes.
 * 2. A call that is interrupted, exceeds its bound or crashes takes the thread with it; the next call starts another.
 * 3. An idle thread does not keep the process alive.
 */
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Worker } from "node:worker_threads"

/** To the thread. */
export interface Call {
  readonly id: number
  readonly request: string
  readonly nowNs: bigint
}

/** From the thread. */
export interface Answer {
  readonly id: number
  readonly outcome: unknown
}

/**
 * The compiler itself gave up; nothing is said about the policy.
 * `timeout`: the call exceeded its bound. `crash`: the module or its thread ended, `detail` says how.
 */
export class CompilerCrashed extends Data.TaggedError("CompilerCrashed")<{
  readonly reason: "timeout" | "crash"
  readonly detail: string
}> {
  override get message(): string {
    return `OPA's compiler was ended: ${this.detail}`
  }
}

export interface ThreadOptions {
  readonly worker: URL
  readonly artefact: URL
  readonly idle: Duration.Input
  readonly bound: Duration.Input
}

export interface CompilerThread {
  readonly call: (request: string, nowNs: bigint) => Effect.Effect<unknown, CompilerCrashed>
  readonly isLoaded: Effect.Effect<boolean>
}

export const makeCompilerThread = (options: ThreadOptions): Effect.Effect<CompilerThread, never, Scope.Scope> =>
  Effect.gen(function* () {
    const turn = yield* Semaphore.make(1)
    const idle = yield* FiberHandle.make<void>()
    let worker: Worker | undefined
    let lastId = 0

    const end = Effect.suspend(() => {
      const ending = worker
      worker = undefined
      return ending === undefined ? Effect.void : Effect.promise(() => ending.terminate())
    })
    yield* Effect.addFinalizer(() => end)

    const start = (): Worker => {
      // No environment and no flags of the process: the thread needs neither.
      const started = new Worker(options.worker, {
        workerData: options.artefact.href,
        env: {},
        execArgv: [],
        name: "jitsudo-rego-compiler"
      })
      worker = started
      // Heard between calls too: a thread that dies idle is forgotten instead of taking the process with it.
      const forget = (): void => {
        if (worker === started) worker = undefined
      }
      return started.on("error", forget).on("exit", forget)
    }

    const exchange = (request: string, nowNs: bigint) =>
      Effect.callback<unknown, CompilerCrashed>((resume) => {
        const running = worker ?? start()
        const id = ++lastId
        const settle = (result: Effect.Effect<unknown, CompilerCrashed>): void => {
          running.off("message", onMessage).off("error", onError).off("exit", onExit).unref()
          resume(result)
        }
        const crash = (detail: string): void =>
          settle(Effect.andThen(end, Effect.fail(new CompilerCrashed({ reason: "crash", detail }))))
        const onMessage = (answer: Answer): void => {
          if (answer.id === id) settle(Effect.succeed(answer.outcome))
        }
        const onError = (error: unknown): void => crash(error instanceof Error ? error.message : String(error))
        const onExit = (code: number): void => crash(`its thread ended with code ${code}`)
        running.on("message", onMessage).on("error", onError).on("exit", onExit).ref()
        running.postMessage({ id, request, nowNs } satisfies Call)
        return end
      })

    const endWhenIdle = FiberHandle.run(idle, Effect.andThen(Effect.sleep(options.idle), end))

    return {
      call: (request, nowNs) =>
        FiberHandle.clear(idle).pipe(
          Effect.andThen(exchange(request, nowNs)),
          Effect.timeoutOrElse({
            duration: options.bound,
            orElse: () => Effect.fail(new CompilerCrashed({ reason: "timeout", detail: "it exceeded its time" }))
          }),
          Effect.ensuring(endWhenIdle),
          turn.withPermits(1)
        ),
      isLoaded: Effect.sync(() => worker !== undefined)
    }
  })
