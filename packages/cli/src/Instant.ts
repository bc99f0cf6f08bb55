/** Points in time on the command line and on the screen. */
import * as Result from "effect/Result"
import * as Length from "./Length.ts"

const rfc3339 = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})?)?$/u

/** RFC 3339, a day (its start, in UTC), or how long ago (`24h`, `7d`). Gives RFC 3339 in UTC, or what is wrong. */
export const parse = (text: string, now: number): Result.Result<string, string> => {
  const ago = Length.parse(text)
  if (Result.isSuccess(ago)) return Result.succeed(new Date(now - ago.success * 1000).toISOString())
  const wrong = Result.fail(
    `how long ago (24h, 7d) or a point in time (2026-01-31T09:00:00Z), not ${JSON.stringify(text)}`
  )
  if (!rfc3339.test(text)) return wrong
  const upper = text.toUpperCase().replace(" ", "T")
  // A point in time without a zone is in UTC, whatever this machine's zone.
  const zoned = upper.length === 10 || /(?:Z|[+-]\d{2}:\d{2})$/u.test(upper.slice(10)) ? upper : `${upper}Z`
  const at = new Date(zoned)
  return Number.isNaN(at.getTime()) ? wrong : Result.succeed(at.toISOString())
}

/** Seconds from `now` to it; negative when it is over. */
export const secondsUntil = (instant: string, now: number): number => Math.round((Date.parse(instant) - now) / 1000)

/** `in 3h2m`, `5m ago`, or `now`. */
export const relative = (instant: string, now: number): string => {
  const left = secondsUntil(instant, now)
  if (left === 0) return "now"
  return left > 0 ? `in ${Length.glance(left)}` : `${Length.glance(-left)} ago`
}

/** For people: to the second, with how far away. */
export const show = (instant: string, now: number): string =>
  `${instant.replace(/\.\d+Z$/u, "Z")} (${relative(instant, now)})`
