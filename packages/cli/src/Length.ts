/** Lengths of time as people write them: `1h30m`, `45s`, `7d`. */
import * as Result from "effect/Result"

const seconds = { d: 86_400, h: 3600, m: 60, s: 1 } as const

const isUnit = (text: string): text is keyof typeof seconds => Object.hasOwn(seconds, text)

/** Whole seconds above 0, or what is wrong. Numbers need a unit: `90` might be minutes to one and seconds to another. */
export const parse = (text: string): Result.Result<number, string> => {
  const wrong = Result.fail(`a length of time such as 45m, 1h30m or 2d, not ${JSON.stringify(text)}`)
  if (!/^(?:\d{1,9}(?:\.\d{1,6})?[dhms])+$/u.test(text)) return wrong
  let sum = 0
  for (const [, number = "", unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)([dhms])/gu)) {
    sum += isUnit(unit) ? Math.round(Number(number) * seconds[unit] * 1000) : Number.NaN
  }
  return sum > 0 && sum % 1000 === 0
    ? Result.succeed(sum / 1000)
    : Result.fail(`a whole number of seconds above 0, not ${JSON.stringify(text)}`)
}

/** `5400` as `1h30m`. */
export const show = (length: number): string => {
  const whole = Math.max(0, Math.floor(length))
  const parts = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor((whole % 86_400) / 3600), "h"],
    [Math.floor((whole % 3600) / 60), "m"],
    [whole % 60, "s"]
  ] as const
  const text = parts.flatMap(([number, unit]) => (number === 0 ? [] : [`${number}${unit}`])).join("")
  return text === "" ? "0s" : text
}

/** The two largest units, for a glance: `3d4h`, `59m10s`. */
export const glance = (length: number): string => show(length).match(/^(?:\d+[dhms]){1,2}/u)?.[0] ?? "0s"
