/** Instants: whole milliseconds of the years 1970 to 9999, and nothing else. */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import * as Times from "../src/Time.ts"

const latest = Date.UTC(10000, 0) - 1

describe("an instant", () => {
  it.each([0, 1, Date.UTC(2026, 1, 28, 23, 59, 59, 999), latest])("can be %d", (millis) => {
    expect(Times.make(millis)).toBe(millis)
    expect(Exit.isSuccess(Schema.decodeUnknownExit(Times.Stored)(millis))).toBe(true)
  })

  it.each([-1, 0.5, latest + 1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "cannot be %d, made or stored",
    (millis) => {
      expect(() => Times.make(millis)).toThrow(RangeError)
      expect(Exit.isSuccess(Schema.decodeUnknownExit(Times.Stored)(millis))).toBe(false)
    }
  )

  it.each(["1", null, undefined, new Date(0), 10n])("is not stored as %s", (value) => {
    expect(Exit.isSuccess(Schema.decodeUnknownExit(Times.Stored)(value))).toBe(false)
  })
})

describe("later and earlier", () => {
  const noon = Times.make(Date.UTC(2026, 0, 5, 12))

  it("are counted in whole milliseconds, and end with the year 9999", () => {
    expect(Times.plusSeconds(noon, 1.5)).toBe(noon + 1500)
    expect(Times.plusSeconds(noon, -1)).toBe(noon - 1000)
    expect(Times.plusMillis(noon, 0.4)).toBe(noon)
    expect(Times.plusSeconds(noon, 1e15)).toBe(latest)
  })

  it("do not reach back before 1970", () => {
    expect(() => Times.plusSeconds(Times.make(0), -1)).toThrow(RangeError)
    expect(() => Times.plusSeconds(noon, Number.NaN)).toThrow(RangeError)
  })

  it("lie whole seconds apart, rounded down", () => {
    expect(Times.secondsBetween(noon, Times.plusMillis(noon, 1999))).toBe(1)
    expect(Times.secondsBetween(noon, Times.plusMillis(noon, -1))).toBe(-1)
    expect(Times.secondsBetween(noon, noon)).toBe(0)
  })

  it("are told by min and max", () => {
    const later = Times.plusMillis(noon, 1)
    expect([Times.min(noon, later), Times.min(later, noon), Times.max(noon, later), Times.max(later, noon)]).toEqual([
      noon,
      noon,
      later,
      later
    ])
  })
})

describe("RFC 3339", () => {
  it("has six fractional digits in entries and three elsewhere, in UTC", () => {
    const time = Times.make(Date.UTC(2026, 1, 3, 4, 5, 6, 7))
    expect(Times.toRfc3339Micros(time)).toBe("2026-02-03T04:05:06.007000Z")
    expect(Times.toRfc3339(time)).toBe("2026-02-03T04:05:06.007Z")
  })

  it("has a year of four digits, from the first instant to the last", () => {
    expect(Times.toRfc3339Micros(Times.make(0))).toBe("1970-01-01T00:00:00.000000Z")
    expect(Times.toRfc3339Micros(Times.make(latest))).toBe("9999-12-31T23:59:59.999000Z")
  })

  it("sorts as text as it sorts in time", () => {
    const times = [0, 9, 10, 999, 1000, 1e12, latest].map((millis) => Times.toRfc3339Micros(Times.make(millis)))
    expect([...times].sort()).toEqual(times)
  })
})
