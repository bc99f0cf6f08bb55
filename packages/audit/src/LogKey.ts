/**
 * The public keys of a log, and for which checkpoints each of them speaks.
 *
 * A log changes its key at a size: the old one signs up to it, the new one from it on (both may sign the checkpoint at
 * that size, so that nobody is left without a key in between). A checkpoint has a size and no time, so a range of sizes
 * is what anybody can check: who steals a retired key can still make checkpoints of old sizes, which a checkpoint seen
 * before contradicts, but none of the log's growth.
 *
 * Text form, one key a line, for configuration and for handing out:
 *
 *     log.example.com/audit+3f8a1c02+AcOd... -4096
 *     log.example.com/audit+b7710e55+AVsK... 4096-
 *     # from the first size on, without an end
 *     log.example.com/audit+1d20c3a4+ARpc...
 */
import * as Result from "effect/Result"
import type { VerifierKey } from "./VerifierKey.ts"
import * as Key from "./VerifierKey.ts"

export interface LogKey {
  readonly key: VerifierKey
  /** The smallest and largest tree that it speaks for, both included; `to` absent: no end yet. */
  readonly from: number
  readonly to?: number
}

export const covers = ({ from, to }: LogKey, size: number): boolean => size >= from && (to === undefined || size <= to)

export const rangeText = ({ from, to }: LogKey): string => `${from}-${to ?? ""}`

const lineForm = /^(\S+)(?:[ \t]+(\d{1,15})?-(\d{1,15})?)?$/u

const parseLine = (line: string): Result.Result<LogKey, Key.KeyRefused> => {
  const [, text, from, to] = lineForm.exec(line) ?? []
  if (text === undefined) {
    return Result.fail(
      new Key.KeyRefused({ message: "a log key is a public key and, if it was rotated, sizes FROM-TO" })
    )
  }
  return Result.flatMap(Key.parse(text), (key) => {
    const range = { from: Number(from ?? 0), ...(to === undefined ? {} : { to: Number(to) }) }
    if (key.type !== Key.noteType) {
      return Result.fail(
        new Key.KeyRefused({ message: `${key.name}+${key.id} is a witness's key, which no log signs with` })
      )
    }
    return range.to !== undefined && range.to < range.from
      ? Result.fail(
          new Key.KeyRefused({ message: `${key.name}+${key.id} speaks for no size: ${range.from}-${range.to}` })
        )
      : Result.succeed({ key, ...range })
  })
}

/** The keys of a text, one a line; `#` begins a remark. At least one, or it is refused. */
export const parse = (text: string): Result.Result<ReadonlyArray<LogKey>, Key.KeyRefused> => {
  const lines = text.split("\n").map((line) => line.trim())
  const keys: Array<LogKey> = []
  for (const line of lines) {
    if (line === "" || line.startsWith("#")) continue
    const key = parseLine(line)
    if (Result.isFailure(key)) return Result.fail(key.failure)
    keys.push(key.success)
  }
  return keys.length === 0 ? Result.fail(new Key.KeyRefused({ message: "no key at all" })) : Result.succeed(keys)
}

export const format = (of: LogKey): string =>
  `${Key.format(of.key)}${of.from === 0 && of.to === undefined ? "" : ` ${rangeText(of)}`}`
