/**
 * Instants, layouts and durations as Go's `time` package has them, which is what Rego's `time.*` means.
 *
 * An instant is whole seconds since the Unix epoch plus nanoseconds; nanosecond timestamps are `bigint`, because they
 * are beyond what a double can hold. What Go refuses is `undefined` here, as it is in OPA.
 */
import { civilFromDays, daysFromCivil, isLeap, type TimeZone, utc } from "./TimeZone.ts"

export interface Instant {
  /** Seconds since the Unix epoch, rounded down. */
  readonly second: number
  /** 0 to 999,999,999. */
  readonly nano: number
}

const billion = 1_000_000_000n
const most = 2n ** 63n - 1n
const least = -(2n ** 63n)

/** The instant of a timestamp in nanoseconds; undefined outside of 64 bits. */
export const fromNanos = (nanos: bigint): Instant | undefined => {
  if (nanos > most || nanos < least) return undefined
  const second = nanos >= 0n ? nanos / billion : -((-nanos + billion - 1n) / billion)
  return { second: Number(second), nano: Number(nanos - second * billion) }
}

/** The timestamp in nanoseconds; undefined where it does not fit 64 bits (before 1677, after 2262). */
export const toNanos = ({ nano, second }: Instant): bigint | undefined => {
  if (!Number.isSafeInteger(second)) return undefined
  const nanos = BigInt(second) * billion + BigInt(nano)
  return nanos > most || nanos < least ? undefined : nanos
}

/** The civil time of an instant in a zone. */
export interface Civil {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly dayOfYear: number
  /** 0 is Sunday. */
  readonly weekday: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nano: number
  readonly zone: string
  readonly offset: number
}

export const civil = ({ nano, second }: Instant, zone: TimeZone): Civil => {
  const { name, offset } = zone.at(second)
  const local = second + offset
  const days = Math.floor(local / 86_400)
  const rest = local - days * 86_400
  return {
    ...civilFromDays(days),
    weekday: (((days + 4) % 7) + 7) % 7,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    nano,
    zone: name,
    offset
  }
}

/** The instant of a civil time in a zone; fields beyond their range carry over. A time in a gap is moved as Go does. */
export const instantOf = (
  fields: Pick<Civil, "year" | "month" | "day" | "hour" | "minute" | "second" | "nano">,
  zone: TimeZone
): Instant => {
  const local =
    daysFromCivil(fields.year, fields.month, 1) * 86_400 +
    (fields.day - 1) * 86_400 +
    fields.hour * 3600 +
    fields.minute * 60 +
    fields.second
  const { end, offset: first, start } = zone.at(local)
  const guess = local - first
  const offset = first !== 0 && (guess < start || guess >= end) ? zone.at(guess).offset : first
  return { second: local - offset, nano: fields.nano }
}

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December"
]

export const weekdayName = (weekday: number): string => weekdays[weekday] ?? ""

/** Names that `time.format` and `time.parse_ns` take in place of a layout. */
const namedLayouts: Readonly<Record<string, string>> = {
  ANSIC: "Mon Jan _2 15:04:05 2006",
  UnixDate: "Mon Jan _2 15:04:05 MST 2006",
  RubyDate: "Mon Jan 02 15:04:05 -0700 2006",
  RFC822: "02 Jan 06 15:04 MST",
  RFC822Z: "02 Jan 06 15:04 -0700",
  RFC850: "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123: "Mon, 02 Jan 2006 15:04:05 MST",
  RFC1123Z: "Mon, 02 Jan 2006 15:04:05 -0700",
  RFC3339: "2006-01-02T15:04:05Z07:00",
  RFC3339Nano: "2006-01-02T15:04:05.999999999Z07:00"
}

export const layoutOf = (given: string): string =>
  Object.hasOwn(namedLayouts, given) ? (namedLayouts[given] ?? given) : given

/** One element of a layout, by the text that stands for it in Go's reference time. */
interface Element {
  readonly text: string
  /** Empty for a literal. */
  readonly code: string
  /** Of a fraction of a second. */
  readonly digits: number
}

const zones = [
  "Z07:00:00",
  "-07:00:00",
  "Z070000",
  "-070000",
  "Z07:00",
  "-07:00",
  "Z0700",
  "-0700",
  "Z07",
  "-07"
] as const

const numeric = ["2006", "002", "01", "02", "03", "04", "05", "06", "15", "1", "2", "3", "4", "5"]

const elementAt = (layout: string, at: number): { readonly code: string; readonly length: number } | undefined => {
  const has = (text: string) => layout.startsWith(text, at)
  const lowerAfter = (length: number) => /^[a-z]/.test(layout.slice(at + length))
  if (has("January")) return { code: "January", length: 7 }
  if (has("Jan") && !lowerAfter(3)) return { code: "Jan", length: 3 }
  if (has("Monday")) return { code: "Monday", length: 6 }
  if (has("Mon") && !lowerAfter(3)) return { code: "Mon", length: 3 }
  if (has("MST")) return { code: "MST", length: 3 }
  if (has("PM")) return { code: "PM", length: 2 }
  if (has("pm")) return { code: "pm", length: 2 }
  if (has("_2") && !has("_2006")) return { code: "_2", length: 2 }
  if (has("__2")) return { code: "__2", length: 3 }
  for (const zone of zones) if (has(zone)) return { code: zone, length: zone.length }
  for (const one of numeric) if (has(one)) return { code: one, length: one.length }
  const fraction = /^[.,](0+|9+)(?![0-9])/.exec(layout.slice(at))
  if (fraction !== null) return { code: fraction[0], length: fraction[0].length }
  return undefined
}

/** A layout as literal texts and elements. */
const elements = (layout: string): ReadonlyArray<Element> => {
  const found: Array<Element> = []
  let literal = ""
  for (let at = 0; at < layout.length;) {
    const element = elementAt(layout, at)
    if (element === undefined) {
      literal += layout[at++]
      continue
    }
    if (literal !== "") found.push({ text: literal, code: "", digits: 0 })
    literal = ""
    found.push({
      text: layout.slice(at, at + element.length),
      code: /^[.,]/.test(element.code) ? element.code.slice(1, 2) : element.code,
      digits: element.length - 1
    })
    at += element.length
  }
  if (literal !== "") found.push({ text: literal, code: "", digits: 0 })
  return found
}

const two = (value: number): string => String(value).padStart(2, "0")

const longYear = (year: number): string => (year < 0 ? "-" : "") + String(Math.abs(year)).padStart(4, "0")

const offsetText = (offset: number, code: string): string => {
  if (offset === 0 && code.startsWith("Z")) return "Z"
  const whole = Math.trunc(offset / 60)
  const colon = code.includes(":") ? ":" : ""
  const minutes = Math.abs(whole)
  let text = (whole < 0 ? "-" : "+") + two(Math.floor(minutes / 60))
  if (code.length > 3) text += colon + two(minutes % 60)
  if (code.length >= 7) text += colon + two((whole < 0 ? -offset : offset) % 60)
  return text
}

/** Go's `Time.Format`. */
export const format = (instant: Instant, zone: TimeZone, layout: string): string => {
  const at = civil(instant, zone)
  const hour12 = at.hour % 12 === 0 ? 12 : at.hour % 12
  return elements(layout)
    .map((element) => {
      switch (element.code) {
        case "":
          return element.text
        case "2006":
          return longYear(at.year)
        case "06":
          return two(Math.abs(at.year) % 100)
        case "January":
          return months[at.month - 1] ?? ""
        case "Jan":
          return (months[at.month - 1] ?? "").slice(0, 3)
        case "1":
          return String(at.month)
        case "01":
          return two(at.month)
        case "Monday":
          return weekdayName(at.weekday)
        case "Mon":
          return weekdayName(at.weekday).slice(0, 3)
        case "2":
          return String(at.day)
        case "_2":
          return String(at.day).padStart(2, " ")
        case "02":
          return two(at.day)
        case "__2":
          return String(at.dayOfYear).padStart(3, " ")
        case "002":
          return String(at.dayOfYear).padStart(3, "0")
        case "15":
          return two(at.hour)
        case "3":
          return String(hour12)
        case "03":
          return two(hour12)
        case "4":
          return String(at.minute)
        case "04":
          return two(at.minute)
        case "5":
          return String(at.second)
        case "05":
          return two(at.second)
        case "PM":
          return at.hour >= 12 ? "PM" : "AM"
        case "pm":
          return at.hour >= 12 ? "pm" : "am"
        case "MST":
          return at.zone
        case "0":
        case "9": {
          const separator = element.text.slice(0, 1)
          const digits = String(at.nano).padStart(9, "0").slice(0, element.digits)
          if (element.code === "0") return separator + digits
          const kept = digits.replace(/0+$/, "")
          return kept === "" ? "" : separator + kept
        }
        default:
          return offsetText(at.offset, element.code)
      }
    })
    .join("")
}

/** Skip a literal: a run of spaces matches any run of spaces. */
const skip = (value: string, prefix: string): string | undefined => {
  let rest = value
  let wanted = prefix
  while (wanted !== "") {
    if (wanted.startsWith(" ")) {
      if (rest !== "" && !rest.startsWith(" ")) return undefined
      wanted = wanted.replace(/^ +/, "")
      rest = rest.replace(/^ +/, "")
      continue
    }
    if (rest[0] !== wanted[0]) return undefined
    rest = rest.slice(1)
    wanted = wanted.slice(1)
  }
  return rest
}

const lookup = (
  table: ReadonlyArray<string>,
  value: string
): { readonly index: number; readonly rest: string } | undefined => {
  for (const [index, name] of table.entries()) {
    const head = value.slice(0, name.length)
    if (/^[A-Za-z]+$/.test(head) && head.toLowerCase() === name.toLowerCase()) {
      return { index, rest: value.slice(name.length) }
    }
  }
  return undefined
}

const signedOffset = (value: string): number => {
  const found = /^[+-](\d+)/.exec(value)
  return found === null || BigInt(found[1] ?? "0") > 23n ? 0 : found[0].length
}

const abbreviationLength = (value: string): number | undefined => {
  if (value.length < 3) return undefined
  if (/^(ChST|MeST)/.test(value)) return 4
  if (value.startsWith("GMT")) return 3 + signedOffset(value.slice(3))
  if (/^[+-]/.test(value)) return signedOffset(value) || undefined
  const upper = /^[A-Z]{0,6}/.exec(value)?.[0] ?? ""
  if (upper.length === 5 && upper.endsWith("T")) return 5
  if (upper.length === 4 && (upper.endsWith("T") || upper === "WITA")) return 4
  return upper.length === 3 ? 3 : undefined
}

/** The nanoseconds of `.123` or `,123`; digits beyond nine do not count. */
const fractionOf = (text: string): number => Number(text.slice(1, 10).padEnd(9, "0"))

interface Parsed {
  year: number
  month: number | undefined
  day: number | undefined
  dayOfYear: number | undefined
  hour: number
  minute: number
  second: number
  nano: number
  am: boolean
  pm: boolean
  zulu: boolean
  offset: number | undefined
  abbreviation: string
}

const offsetPattern = (code: string): RegExp => {
  if (code.length === 3) return /^(.)(..)/su
  if (code.endsWith("07:00:00")) return /^(.)(..):(..):(..)/su
  if (code.endsWith("070000")) return /^(.)(..)(..)(..)/su
  return code.includes(":") ? /^(.)(..):(..)/su : /^(.)(..)(..)/su
}

/** Read one element off the front of `value`; undefined when it does not fit. */
const readElement = (
  element: Element,
  value: string,
  into: Parsed,
  following: string | undefined
): string | undefined => {
  const take = (pattern: RegExp, store: (digits: number) => boolean): string | undefined => {
    const found = pattern.exec(value)
    if (found === null) return undefined
    return store(Number(found[0])) ? value.slice(found[0].length) : undefined
  }
  const between = (low: number, high: number, store: (n: number) => void) => (n: number) => {
    store(n)
    return n >= low && n <= high
  }
  const oneOrTwo = /^\d\d?/
  const twoDigits = /^\d\d/
  switch (element.code) {
    case "06": {
      const found = /^[+-]?\d+/.exec(value.slice(0, 2))
      if (value.length < 2 || found?.[0].length !== 2) return undefined
      const year = Number(found[0])
      into.year = year >= 69 ? year + 1900 : year + 2000
      return value.slice(2)
    }
    case "2006":
      return take(
        /^\d{4}/,
        between(0, 9999, (n) => (into.year = n))
      )
    case "January":
    case "Jan": {
      const table = element.code === "Jan" ? months.map((name) => name.slice(0, 3)) : months
      const found = lookup(table, value)
      if (found === undefined) return undefined
      into.month = found.index + 1
      return found.rest
    }
    case "1":
      return take(
        oneOrTwo,
        between(1, 12, (n) => (into.month = n))
      )
    case "01":
      return take(
        twoDigits,
        between(1, 12, (n) => (into.month = n))
      )
    case "Monday":
      return lookup(weekdays, value)?.rest
    case "Mon":
      return lookup(
        weekdays.map((name) => name.slice(0, 3)),
        value
      )?.rest
    case "2":
      return take(
        oneOrTwo,
        between(0, 99, (n) => (into.day = n))
      )
    case "_2": {
      const found = /^ ?(\d\d?)/.exec(value)
      if (found === null) return undefined
      into.day = Number(found[1])
      return value.slice(found[0].length)
    }
    case "02":
      return take(
        twoDigits,
        between(0, 99, (n) => (into.day = n))
      )
    case "__2": {
      const found = /^ {0,2}(\d{1,3})/.exec(value)
      if (found === null) return undefined
      into.dayOfYear = Number(found[1])
      return value.slice(found[0].length)
    }
    case "002":
      return take(
        /^\d{3}/,
        between(0, 999, (n) => (into.dayOfYear = n))
      )
    case "15":
      return take(
        oneOrTwo,
        between(0, 23, (n) => (into.hour = n))
      )
    case "3":
      return take(
        oneOrTwo,
        between(0, 12, (n) => (into.hour = n))
      )
    case "03":
      return take(
        twoDigits,
        between(0, 12, (n) => (into.hour = n))
      )
    case "4":
      return take(
        oneOrTwo,
        between(0, 59, (n) => (into.minute = n))
      )
    case "04":
      return take(
        twoDigits,
        between(0, 59, (n) => (into.minute = n))
      )
    case "5":
    case "05": {
      const rest = take(
        element.code === "5" ? oneOrTwo : twoDigits,
        between(0, 59, (n) => (into.second = n))
      )
      const fraction = rest === undefined ? null : /^[.,]\d+/.exec(rest)
      if (rest === undefined || fraction === null || following === "0" || following === "9") return rest
      into.nano = fractionOf(fraction[0])
      return rest.slice(fraction[0].length)
    }
    case "PM":
    case "pm": {
      const half = value.slice(0, 2)
      if (half !== element.code && half !== (element.code === "PM" ? "AM" : "am")) return undefined
      if (half.toLowerCase() === "pm") into.pm = true
      else into.am = true
      return value.slice(2)
    }
    case "MST": {
      if (value.startsWith("UTC")) {
        into.zulu = true
        return value.slice(3)
      }
      const length = abbreviationLength(value)
      if (length === undefined) return undefined
      into.abbreviation = value.slice(0, length)
      return value.slice(length)
    }
    case "0": {
      const found = new RegExp(`^[.,]\\d{${element.digits}}`).exec(value)
      if (found === null) return undefined
      into.nano = fractionOf(found[0])
      return value.slice(found[0].length)
    }
    case "9": {
      const found = /^[.,]\d+/.exec(value)
      if (found === null) return value
      into.nano = fractionOf(found[0])
      return value.slice(found[0].length)
    }
    default: {
      if (element.code.startsWith("Z") && value.startsWith("Z")) {
        into.zulu = true
        return value.slice(1)
      }
      const found = offsetPattern(element.code).exec(value)
      if (found === null) return undefined
      const [all, sign, ...parts] = found
      if ((sign !== "+" && sign !== "-") || parts.some((part) => !/^\d\d$/.test(part))) return undefined
      const [hours = 0, minutes = 0, secs = 0] = parts.map(Number)
      if (hours > 24 || minutes > 60 || secs > 60) return undefined
      const offset = hours * 3600 + minutes * 60 + secs
      // As in Go, one second west counts as no offset.
      into.offset = sign === "+" ? offset : offset === 1 ? undefined : -offset
      return value.slice(all.length)
    }
  }
}

const monthOfYearDay = (
  year: number,
  dayOfYear: number
): { readonly month: number; readonly day: number } | undefined => {
  if (dayOfYear < 1 || dayOfYear > (isLeap(year) ? 366 : 365)) return undefined
  const { day, month } = civilFromDays(daysFromCivil(year, 1, 1) + dayOfYear - 1)
  return { month, day }
}

/** Go's `time.Parse`; undefined where Go gives an error. */
export const parse = (layout: string, text: string): Instant | undefined => {
  const into: Parsed = {
    year: 0,
    month: undefined,
    day: undefined,
    dayOfYear: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nano: 0,
    am: false,
    pm: false,
    zulu: false,
    offset: undefined,
    abbreviation: ""
  }
  let value: string | undefined = text
  const all = elements(layout)
  for (const [i, element] of all.entries()) {
    const following = all.slice(i + 1).find((one) => one.code !== "")?.code
    value = element.code === "" ? skip(value, element.text) : readElement(element, value, into, following)
    if (value === undefined) return undefined
  }
  if (value !== "") return undefined
  let { day, hour, month } = into
  if (into.pm && hour < 12) hour += 12
  else if (into.am && hour === 12) hour = 0
  if (into.dayOfYear !== undefined) {
    const date = monthOfYearDay(into.year, into.dayOfYear)
    if (date === undefined) return undefined
    if (month !== undefined && month !== date.month) return undefined
    if (day !== undefined && day !== date.day) return undefined
    month = date.month
    day = date.day
  }
  month ??= 1
  day ??= 1
  const length = daysFromCivil(into.year, month + 1, 1) - daysFromCivil(into.year, month, 1)
  if (day < 1 || day > length) return undefined
  const instant = instantOf({ ...into, month, day, hour }, utc)
  if (into.zulu) return instant
  if (into.offset !== undefined) return { ...instant, second: instant.second - into.offset }
  // An abbreviation names no offset, except for GMT+3 and the like, which Go only labels: the instant stays.
  return instant
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  "\u00b5s": 1000n,
  "\u03bcs": 1000n,
  ms: 1_000_000n,
  s: billion,
  m: 60n * billion,
  h: 3600n * billion
}

const extended: Readonly<Record<string, number>> = { d: 24, w: 7 * 24, y: 365 * 24 }

/** Digits, as many as fit 63 bits, and the power of ten that they stand over. */
const fractionDigits = (digits: string): { readonly value: bigint; readonly scale: number } => {
  let value = 0n
  let scale = 1
  for (const digit of digits) {
    if (value > (2n ** 63n - 1n) / 10n) break
    const next = value * 10n + BigInt(digit)
    if (next > 2n ** 63n) break
    value = next
    scale *= 10
  }
  return { value, scale }
}

const goDuration = (text: string): bigint | undefined => {
  const negative = text.startsWith("-")
  let rest = /^[+-]/.test(text) ? text.slice(1) : text
  if (rest === "0") return 0n
  if (rest === "") return undefined
  const limit = 2n ** 63n
  let total = 0n
  while (rest !== "") {
    const found = /^(\d*)(?:\.(\d*))?([^.\d]+)/su.exec(rest)
    if (found === null) return undefined
    const [all, whole = "", fraction = "", name = ""] = found
    if (whole === "" && fraction === "") return undefined
    const unit = Object.hasOwn(units, name) ? units[name] : undefined
    if (unit === undefined) return undefined
    let value = BigInt(whole === "" ? "0" : whole)
    if (value > limit / unit) return undefined
    value *= unit
    const part = fractionDigits(fraction)
    if (part.value > 0n) {
      value += BigInt(Math.trunc(Number(part.value) * (Number(unit) / part.scale)))
      if (value > limit) return undefined
    }
    total += value
    if (total > limit) return undefined
    rest = rest.slice(all.length)
  }
  if (negative) return -total
  return total > limit - 1n ? undefined : total
}

/** A double in plain decimal notation, shortest form, as `strconv.FormatFloat(v, 'f', -1, 64)` gives it. */
const plain = (value: number): string => {
  const text = String(value)
  if (!text.includes("e")) return text
  const [mantissa = "", exponent = "0"] = text.split("e")
  const [whole = "", fraction = ""] = mantissa.split(".")
  const shift = Number(exponent)
  if (shift < 0) return `0.${"0".repeat(-shift - 1)}${whole}${fraction}`
  return whole + fraction.padEnd(shift, "0")
}

/** Rego's `time.parse_duration_ns`: Go's durations, with days, weeks and years of 24 hours, 7 and 365 days. */
export const parseDuration = (text: string): bigint | undefined => {
  if (!/[dwy]/.test(text)) return goDuration(text)
  const sign = /^[+-]/.exec(text)?.[0] ?? ""
  let rest = text.slice(sign.length)
  let rewritten = sign
  if (rest === "") return undefined
  while (rest !== "") {
    const found = /^([0-9.]+)(ms|us|\u00b5s|ns|[a-z])/u.exec(rest)
    if (found === null) return undefined
    const [all, digits = "", unit = ""] = found
    const hours = extended[unit]
    if (hours === undefined) rewritten += all
    else {
      if (!/^(\d+\.?\d*|\.\d+)$/.test(digits)) return undefined
      const total = Number(digits) * hours
      if (!Number.isFinite(total)) return undefined
      rewritten += `${plain(total)}h`
    }
    rest = rest.slice(all.length)
  }
  return goDuration(rewritten)
}
