/**
 * A program in the foreground: our terminal, our standard streams, and extra variables in its environment alone.
 *
 * No shell is between. Signals sent to us reach it; its exit code is ours, 128 + n where signal n ended it, 127 where
 * there is no such program and 126 where it cannot be run, as shells have it.
 */
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { constants } from "node:os"
import { Failure, reasonOf } from "./Failure.ts"

const cannotStart = (program: string, error: unknown): Failure => {
  const code = error instanceof Error && "code" in error ? error.code : ""
  return code === "ENOENT"
    ? new Failure({ exit: 127, message: `${program}: there is no such program`, hint: "check its name and PATH" })
    : new Failure({ exit: 126, message: `${program} cannot be run: ${reasonOf(error)}` })
}

/** Signals that somebody sends to us and means for the program. */
const forwarded = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const
/** Signals that a terminal sends to its whole foreground group, the program included. */
const fromTerminal = ["SIGINT", "SIGQUIT"] as const

/**
 * Runs `program` to its end and gives its exit code. `atTerminal`: a terminal sends Ctrl-C to the program by itself; a
 * second one could do harm (twice is "now" to many), so it is not passed on.
 */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly atTerminal: boolean }
): Effect.Effect<number, Failure> =>
  Effect.callback<number, Failure>((resume) => {
    const signals = [...forwarded, ...fromTerminal]
    const earlier = signals.map((signal) => [signal, process.listeners(signal)] as const)
    let child: ChildProcess | undefined
    const pass = (signal: NodeJS.Signals) => {
      child?.kill(signal)
    }
    const ignore = () => undefined
    const ours = signals.map((signal) => {
      const isTerminals = fromTerminal.some((one) => one === signal)
      return [signal, isTerminals && options.atTerminal ? ignore : pass] as const
    })
    // Ours first and the others away after: a signal in between must not find nobody, which ends a process.
    for (const [signal, listener] of ours) process.on(signal, listener)
    // What was there would interrupt this fiber, and with it the program.
    for (const [signal, listeners] of earlier) for (const listener of listeners) process.off(signal, listener)
    const restore = () => {
      for (const [signal, listeners] of earlier) for (const listener of listeners) process.on(signal, listener)
      for (const [signal, listener] of ours) process.off(signal, listener)
    }
    const fail = (error: unknown) => {
      restore()
      resume(Effect.fail(cannotStart(program, error)))
    }
    try {
      child = spawn(program, [...args], { stdio: "inherit", env })
    } catch (error) {
      fail(error)
      return
    }
    child.once("error", fail)
    child.once("exit", (code, signal) => {
      restore()
      resume(Effect.succeed(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
    })
    return Effect.sync(() => {
      restore()
      child?.kill("SIGTERM")
    })
  })
