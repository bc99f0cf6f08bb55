/** Programs run to their end, one after the other, as a shell would: how long each took. */
import { spawnSync } from "node:child_process"
import { median } from "./Load.ts"

export interface Command {
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
}

/** Milliseconds that Node took with these arguments. A program that does not end well is an error. */
export const once = ({ args, env = {} }: Command): number => {
  const start = performance.now()
  const { error, status, stderr } = spawnSync(process.execPath, args, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    encoding: "utf8"
  })
  const millis = performance.now() - start
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr.slice(0, 2_000)}`)
  return millis
}

export const nothing: Command = { args: ["-e", "0"] }

/** Medians over `turns` turns in which every command runs once; one turn before that does not count. */
export const inTurns = <Name extends string>(
  turns: number,
  commands: Readonly<Record<Name, Command>>
): ((name: Name) => number) => {
  const times = new Map<Name, Array<number>>()
  for (const name in commands) {
    once(commands[name])
    times.set(name, [])
  }
  for (let turn = 0; turn < turns; turn++) {
    for (const [name, measured] of times) measured.push(once(commands[name]))
  }
  return (name) => median(times.get(name) ?? [])
}
