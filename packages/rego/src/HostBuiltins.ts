/**
 * The built-in functions that OPA's Wasm leaves to its host: a closed list.
 *
 * 1. Whatever is not on `hostBuiltins` and not native to OPA's Wasm is refused when a policy is applied, so that none
 *    can be missing at evaluation.
 * 2. Each gives what OPA's interpreter gives (`test/HostBuiltins.test.ts` compares them); what is an error there is
 *    undefined here.
 * 3. `time.now_ns` is the clock of the evaluation, not of the process: a decision can be replayed.
 * 4. None of them reads anything but its arguments: no network, no environment, no randomness.
 *
 * Arguments come as exact values (`RegoValue.ts`) and results go back as JSON text, because nanoseconds since the
 * epoch are beyond what a JavaScript number can hold.
 */
import { type Argument, sprintf } from "./GoFormat.ts"
import * as GoTime from "./GoTime.ts"
import { type RegoValue, show } from "./RegoValue.ts"
import * as SemVer from "./SemVer.ts"
import * as TimeZone from "./TimeZone.ts"

/** Facts of one evaluation. */
export interface EvaluationClock {
  /** Nanoseconds since the Unix epoch. */
  readonly nowNs: bigint
}

/** Gives the result as JSON text, or undefined. */
export type HostBuiltin = (values: ReadonlyArray<RegoValue>, clock: EvaluationClock) => string | undefined

const stringOf = (value: RegoValue | undefined): string | undefined =>
  value?.type === "string" ? value.value : undefined

const float = /[.eE]/

/** An integer, also when it is written as `1.0` or `1e3`; undefined for any other number. */
const integerOf = (value: RegoValue | undefined): bigint | undefined => {
  if (value?.type !== "number") return undefined
  if (!float.test(value.text)) return BigInt(value.text)
  const [mantissa = "", power = "0"] = value.text.toLowerCase().split("e")
  const [whole = "", fraction = ""] = mantissa.split(".")
  const exponent = Number(power) - fraction.length
  const digits = whole + fraction
  if (/^-?0*$/.test(digits)) return 0n
  if (exponent > 400) return undefined
  if (exponent >= 0) return BigInt(digits + "0".repeat(exponent))
  const kept = digits.slice(0, exponent)
  return /^0*$/.test(digits.slice(exponent)) ? BigInt(kept === "" || kept === "-" ? "0" : kept) : undefined
}

/** An integer of 64 bits that is written as one, as Go's `strconv` wants it. */
const intOf = (value: RegoValue | undefined): number | undefined => {
  const integer = integerOf(value)
  // Beyond a million years, months or days no date is left that fits a timestamp.
  if (integer === undefined || integer > 1_000_000_000n || integer < -1_000_000_000n) return undefined
  return Number(integer)
}

interface Moment {
  readonly instant: GoTime.Instant
  readonly zone: TimeZone.TimeZone
  readonly layout: string
}

/** `ns`, or `[ns, zone, layout]`. */
const momentOf = (value: RegoValue | undefined): Moment | undefined => {
  const parts = value?.type === "array" ? value.items : value === undefined ? [] : [value]
  const nanos = integerOf(parts[0])
  const instant = nanos === undefined ? undefined : GoTime.fromNanos(nanos)
  const name = parts[1] === undefined ? "" : stringOf(parts[1])
  const zone = name === undefined ? undefined : TimeZone.named(name)
  const layout = parts[2] === undefined ? "" : stringOf(parts[2])
  if (instant === undefined || zone === undefined || layout === undefined) return undefined
  return { instant, zone, layout }
}

const civilOf = (value: RegoValue | undefined): GoTime.Civil | undefined => {
  const moment = momentOf(value)
  return moment === undefined ? undefined : GoTime.civil(moment.instant, moment.zone)
}

const nanosText = (instant: GoTime.Instant | undefined): string | undefined =>
  instant === undefined ? undefined : GoTime.toNanos(instant)?.toString()

const difference = (earlier: GoTime.Civil, later: GoTime.Civil): ReadonlyArray<number> => {
  let year = later.year - earlier.year
  let month = later.month - earlier.month
  let day = later.day - earlier.day
  let hour = later.hour - earlier.hour
  let minute = later.minute - earlier.minute
  let second = later.second - earlier.second
  if (second < 0) {
    second += 60
    minute--
  }
  if (minute < 0) {
    minute += 60
    hour--
  }
  if (hour < 0) {
    hour += 24
    day--
  }
  if (day < 0) {
    day +=
      TimeZone.daysFromCivil(earlier.year, earlier.month + 1, 1) -
      TimeZone.daysFromCivil(earlier.year, earlier.month, 1)
    month--
  }
  if (month < 0) {
    month += 12
    year--
  }
  return [year, month, day, hour, minute, second]
}

const isAfter = (a: GoTime.Instant, b: GoTime.Instant): boolean =>
  a.second > b.second || (a.second === b.second && a.nano > b.nano)

const argumentOf = (value: RegoValue): Argument => {
  if (value.type === "string") return { type: "string", value: value.value }
  if (value.type !== "number") return { type: "string", value: show(value) }
  if (float.test(value.text)) {
    const number = Number(value.text)
    return Number.isFinite(number) ? { type: "float64", value: number } : { type: "string", value: value.text }
  }
  const integer = BigInt(value.text)
  return { type: BigInt.asIntN(64, integer) === integer ? "int64" : "*big.Int", value: integer }
}

const format: HostBuiltin = ([layout, values]) => {
  const text = stringOf(layout)
  if (text === undefined || values?.type !== "array") return undefined
  return JSON.stringify(sprintf(text, values.items.map(argumentOf)))
}

const table: Readonly<Record<string, HostBuiltin>> = {
  sprintf: format,
  "semver.is_valid": ([version]) => {
    const text = stringOf(version)
    return String(text !== undefined && SemVer.parse(text) !== undefined)
  },
  "semver.compare": ([left, right]) => {
    const [a, b] = [stringOf(left), stringOf(right)].map((text) =>
      text === undefined ? undefined : SemVer.parse(text)
    )
    return a === undefined || b === undefined ? undefined : String(SemVer.compare(a, b))
  },
  "time.now_ns": (_, clock) => clock.nowNs.toString(),
  "time.parse_rfc3339_ns": ([text]) => {
    const value = stringOf(text)
    return value === undefined ? undefined : nanosText(GoTime.parse(GoTime.layoutOf("RFC3339"), value))
  },
  "time.parse_ns": ([layout, text]) => {
    const [pattern, value] = [stringOf(layout), stringOf(text)]
    if (pattern === undefined || value === undefined) return undefined
    return nanosText(GoTime.parse(GoTime.layoutOf(pattern), value))
  },
  "time.parse_duration_ns": ([text]) => {
    const value = stringOf(text)
    return value === undefined ? undefined : GoTime.parseDuration(value)?.toString()
  },
  "time.format": ([value]) => {
    const moment = momentOf(value)
    if (moment === undefined) return undefined
    const layout = moment.layout === "" ? "RFC3339Nano" : moment.layout
    return JSON.stringify(GoTime.format(moment.instant, moment.zone, GoTime.layoutOf(layout)))
  },
  "time.clock": ([value]) => {
    const at = civilOf(value)
    return at === undefined ? undefined : JSON.stringify([at.hour, at.minute, at.second])
  },
  "time.date": ([value]) => {
    const at = civilOf(value)
    return at === undefined ? undefined : JSON.stringify([at.year, at.month, at.day])
  },
  "time.weekday": ([value]) => {
    const at = civilOf(value)
    return at === undefined ? undefined : JSON.stringify(GoTime.weekdayName(at.weekday))
  },
  "time.add_date": ([value, years, months, days]) => {
    const moment = momentOf(value)
    const [y, m, d] = [intOf(years), intOf(months), intOf(days)]
    if (moment === undefined || y === undefined || m === undefined || d === undefined) return undefined
    const at = GoTime.civil(moment.instant, moment.zone)
    return nanosText(GoTime.instantOf({ ...at, year: at.year + y, month: at.month + m, day: at.day + d }, moment.zone))
  },
  "time.diff": ([left, right]) => {
    const [a, b] = [momentOf(left), momentOf(right)]
    if (a === undefined || b === undefined) return undefined
    const [first, last] = [GoTime.civil(a.instant, a.zone), GoTime.civil(b.instant, a.zone)]
    return JSON.stringify(isAfter(a.instant, b.instant) ? difference(last, first) : difference(first, last))
  }
}

/** By name. */
export const hostBuiltins: ReadonlyMap<string, HostBuiltin> = new Map(Object.entries(table))
