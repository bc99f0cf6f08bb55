/**
 * Durations as operators write them: Go's notation (`4h`, `90s`, `1h30m`, `50ms`), because that is what the
 * configuration files of earlier releases hold.
 *
 * Not taken: bare numbers (of what?), negative durations, and days, which Go does not have either.
 */
import * as Duration from "effect/Duration"

const units: ReadonlyArray<readonly [unit: string, millis: number]> = [
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1]
]

const part = /(\d+(?:\.\d+)?)(ms|h|m|s)/uy

/** The longest that makes sense anywhere in this configuration: ten years. */
const longest = 10 * 365 * 24 * 3_600_000

/** A duration from Go's notation; `undefined` for anything else. */
export const parse = (text: string): Duration.Duration | undefined => {
  if (text === "0") return Duration.zero
  if (text.length === 0 || text.length > 32) return undefined
  part.lastIndex = 0
  let millis = 0
  while (part.lastIndex < text.length) {
    const found = part.exec(text)
    if (found === null) return undefined
    const factor = units.find(([unit]) => unit === found[2])?.[1] ?? 0
    millis += Number(found[1]) * factor
  }
  return millis <= longest ? Duration.millis(millis) : undefined
}

/** The shortest notation of a duration that `parse` reads back: `1h30m`, `90ms`, `0s`. */
export const format = (duration: Duration.Duration): string => {
  let rest = Math.round(Duration.toMillis(duration))
  let text = ""
  for (const [unit, millis] of units) {
    const count = Math.floor(rest / millis)
    rest -= count * millis
    if (count > 0) text += `${count}${unit}`
  }
  return text === "" ? "0s" : text
}
