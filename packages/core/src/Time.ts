/**
 * Instants in the domain.
 *
 * A `Time` is plain data (milliseconds since the Unix epoch, read from the database's clock), because requests,
 * steps and jobs are stored, compared and hashed as JSON. Edges turn it into RFC 3339; nothing in core reads a
 * process's clock.
 */
import type * as Brand from "effect/Brand"
import * as Schema from "effect/Schema"

/** Milliseconds since the Unix epoch, UTC, by the database's clock. */
export type Time = number & Brand.Brand<"Time">

/** The largest instant that RFC 3339 with a four-digit year can express. */
const latest = 253_402_300_799_999

/** A `Time` from a number of milliseconds; anything but a whole number in the years 1970-9999 is a defect. */
export const make = (epochMillis: number): Time => {
  if (!Number.isSafeInteger(epochMillis) || epochMillis < 0 || epochMillis > latest) {
    throw new RangeError(`not an instant: ${epochMillis}`)
  }
  return epochMillis as Time
}

/** `time` plus a number of milliseconds. */
export const plusMillis = (time: Time, millis: number): Time => make(Math.min(Math.round(time + millis), latest))

/** `time` plus a number of seconds. */
export const plusSeconds = (time: Time, seconds: number): Time => plusMillis(time, seconds * 1000)

/** Whole seconds from `from` to `to`, rounded down; negative when `to` is earlier. */
export const secondsBetween = (from: Time, to: Time): number => Math.floor((to - from) / 1000)

export const min = (a: Time, b: Time): Time => (a < b ? a : b)

export const max = (a: Time, b: Time): Time => (a > b ? a : b)

/** RFC 3339 in UTC with six fractional digits: the form that audit entries carry. */
export const toRfc3339Micros = (time: Time): string => new Date(time).toISOString().replace("Z", "000Z")

/** RFC 3339 in UTC with three fractional digits: the form that the API and policies see. */
export const toRfc3339 = (time: Time): string => new Date(time).toISOString()

/** Schema of a `Time` as it is stored: a number. */
export const Stored: Schema.Codec<Time, number> = Schema.Int.check(
  Schema.isBetween({ minimum: 0, maximum: latest })
).pipe(Schema.brand("Time"))
