/**
 * Time zones exactly as OPA's interpreter knows them: offsets, abbreviations, history and the rules for the future.
 *
 * Not `Intl`: it has no abbreviations as Go prints them, accepts names that Go refuses, and its data changes with the
 * version of Node, so that a decision could not be replayed. The data is Go's own (`TimeZoneData.ts`).
 */
import { brotliDecompressSync } from "node:zlib"
import { packed } from "./TimeZoneData.ts"

interface Kind {
  readonly name: string
  /** Seconds east of UTC. */
  readonly offset: number
  readonly dst: boolean
}

/** What holds at an instant, and from when to when. */
export interface Period extends Kind {
  readonly start: number
  readonly end: number
}

export interface TimeZone {
  /** The period at an instant, in seconds since the Unix epoch. */
  readonly at: (second: number) => Period
}

const forever: Period = { name: "UTC", offset: 0, dst: false, start: -Infinity, end: Infinity }

export const utc: TimeZone = { at: () => forever }

const day = 86_400

export const isLeap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** Days from 1970-01-01 to a date; months and days beyond their range carry over. */
export const daysFromCivil = (year: number, month: number, dayOfMonth: number): number => {
  const months = year * 12 + month - 1
  const y = Math.floor(months / 12)
  const m = months - y * 12
  const shifted = m < 2 ? y - 1 : y
  const era = Math.floor(shifted / 400)
  const ofEra = shifted - era * 400
  const ofYear = Math.floor((153 * ((m + 10) % 12) + 2) / 5)
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear + dayOfMonth - 719_469
}

/** The civil date of a day counted from 1970-01-01. */
export const civilFromDays = (
  days: number
): { readonly year: number; readonly month: number; readonly day: number; readonly dayOfYear: number } => {
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const ofEra = shifted - era * 146_097
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365
  )
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const m = Math.floor((5 * ofYear + 2) / 153)
  const month = m < 10 ? m + 3 : m - 9
  const civilYear = year + era * 400 + (month <= 2 ? 1 : 0)
  return {
    year: civilYear,
    month,
    day: ofYear - Math.floor((153 * m + 2) / 5) + 1,
    dayOfYear: days - daysFromCivil(civilYear, 1, 1) + 1
  }
}

interface Rule {
  readonly kind: "julian" | "day" | "month"
  readonly month: number
  readonly week: number
  readonly day: number
  readonly time: number
}

interface Future {
  readonly standard: Kind
  readonly summer: { readonly kind: Kind; readonly from: Rule; readonly to: Rule } | undefined
}

const clock = /^([+-]?)(\d+)(?::(\d+))?(?::(\d+))?$/

const seconds = (text: string): number => {
  const [, sign, hours, minutes, rest] = clock.exec(text) ?? []
  const total = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(rest ?? 0)
  return sign === "-" ? -total : total
}

const ruleOf = (text: string): Rule => {
  const [date = "", time] = text.split("/")
  const at = time === undefined ? 7200 : seconds(time)
  if (date.startsWith("M")) {
    const [month = 0, week = 0, weekday = 0] = date.slice(1).split(".").map(Number)
    return { kind: "month", month, week, day: weekday, time: at }
  }
  if (date.startsWith("J")) return { kind: "julian", month: 0, week: 0, day: Number(date.slice(1)), time: at }
  return { kind: "day", month: 0, week: 0, day: Number(date), time: at }
}

const footer = /^(<[^>]+>|[A-Za-z]{3,})([+-]?[\d:]+)(?:(<[^>]+>|[A-Za-z]{3,})([+-]?[\d:]+)?)?(?:,([^,]+),([^,]+))?$/

const futureOf = (text: string): Future | undefined => {
  const [, standard, offset, summer, summerOffset, from = "M3.2.0", to = "M11.1.0"] = footer.exec(text) ?? []
  if (standard === undefined || offset === undefined) return undefined
  const plain = (name: string) => (name.startsWith("<") ? name.slice(1, -1) : name)
  const base = -seconds(offset)
  return {
    standard: { name: plain(standard), offset: base, dst: false },
    summer:
      summer === undefined
        ? undefined
        : {
            kind: {
              name: plain(summer),
              offset: summerOffset === undefined ? base + 3600 : -seconds(summerOffset),
              dst: true
            },
            from: ruleOf(from),
            to: ruleOf(to)
          }
  }
}

/** Seconds from the start of the year to the instant at which a rule takes effect. */
const instantOf = (year: number, rule: Rule, offset: number): number => {
  let days = rule.day
  if (rule.kind === "julian") days = rule.day - 1 + (isLeap(year) && rule.day >= 60 ? 1 : 0)
  else if (rule.kind === "month") {
    const first = daysFromCivil(year, rule.month, 1)
    const length = daysFromCivil(year, rule.month + 1, 1) - first
    const weekday = (((first + 4) % 7) + 7) % 7
    let ofMonth = (rule.day - weekday + 7) % 7
    for (let week = 1; week < rule.week && ofMonth + 7 < length; week++) ofMonth += 7
    days = first - daysFromCivil(year, 1, 1) + ofMonth
  }
  return days * day + rule.time - offset
}

const inFuture = (future: Future, lastTransition: number, second: number): Period => {
  const { standard, summer } = future
  if (summer === undefined) return { ...standard, start: lastTransition, end: Infinity }
  const { year } = civilFromDays(Math.floor(second / day))
  const yearStart = daysFromCivil(year, 1, 1) * day
  const from = yearStart + instantOf(year, summer.from, standard.offset)
  const to = yearStart + instantOf(year, summer.to, summer.kind.offset)
  const [first, last, inside, outside] =
    to < from ? [to, from, standard, summer.kind] : [from, to, summer.kind, standard]
  if (second < first) return { ...outside, start: yearStart, end: first }
  if (second >= last) return { ...outside, start: last, end: yearStart + 365 * day }
  return { ...inside, start: first, end: last }
}

const read = (file: Buffer): TimeZone => {
  const [utcCount = 0, stdCount = 0, leaps = 0, times = 0, types = 0, chars = 0] = [20, 24, 28, 32, 36, 40].map((at) =>
    file.readUInt32BE(at)
  )
  const indexes = 44 + times * 8
  const kindsAt = indexes + times
  const namesAt = kindsAt + types * 6
  const kinds = Array.from({ length: types }, (_, i): Kind => {
    const at = kindsAt + i * 6
    const nameAt = namesAt + file.readUInt8(at + 5)
    return {
      offset: file.readInt32BE(at),
      dst: file.readUInt8(at + 4) !== 0,
      name: file.toString("latin1", nameAt, file.indexOf(0, nameAt))
    }
  })
  const transitions = Array.from({ length: times }, (_, i) => ({
    when: Number(file.readBigInt64BE(44 + i * 8)),
    kind: file.readUInt8(indexes + i)
  }))
  if (transitions.length === 0) transitions.push({ when: -Infinity, kind: 0 })
  const future = futureOf(
    file.toString("latin1", namesAt + chars + leaps * 12 + stdCount + utcCount, file.length).trim()
  )

  const firstKind = (): Kind | undefined => {
    if (!transitions.some((one) => one.kind === 0)) return kinds[0]
    const first = transitions[0]?.kind ?? 0
    if (kinds[first]?.dst === true) {
      for (let i = first - 1; i >= 0; i--) if (kinds[i]?.dst === false) return kinds[i]
    }
    return kinds.find((kind) => !kind.dst) ?? kinds[0]
  }

  return {
    at: (second) => {
      const firstWhen = transitions[0]?.when ?? Infinity
      if (second < firstWhen) return { ...(firstKind() ?? forever), start: -Infinity, end: firstWhen }
      let low = 0
      let high = transitions.length
      while (high - low > 1) {
        const middle = (low + high) >> 1
        if (second < (transitions[middle]?.when ?? Infinity)) high = middle
        else low = middle
      }
      const start = transitions[low]?.when ?? -Infinity
      if (low === transitions.length - 1 && future !== undefined) return inFuture(future, start, second)
      const end = transitions[high]?.when ?? Infinity
      return { ...(kinds[transitions[low]?.kind ?? 0] ?? forever), start, end }
    }
  }
}

interface Database {
  readonly index: Readonly<Record<string, readonly [number, number]>>
  readonly blobs: Buffer
}

let database: Database | undefined

const unpack = (): Database => {
  if (database === undefined) {
    const all = brotliDecompressSync(Buffer.from(packed, "base64"))
    const line = all.indexOf(10)
    const index: Database["index"] = JSON.parse(all.toString("utf8", 0, line))
    database = { index, blobs: all.subarray(line + 1) }
  }
  return database
}

const loaded = new Map<string, TimeZone>([
  ["", utc],
  ["UTC", utc],
  // The interpreter runs without a host's zone, so its local zone is UTC.
  ["Local", utc]
])

/** The zone of an IANA name, spelled exactly; undefined when there is none. */
export const named = (name: string): TimeZone | undefined => {
  const known = loaded.get(name)
  if (known !== undefined) return known
  const { blobs, index } = unpack()
  const place = Object.hasOwn(index, name) ? index[name] : undefined
  if (place === undefined) return undefined
  const zone = read(blobs.subarray(place[0], place[0] + place[1]))
  loaded.set(name, zone)
  return zone
}

/** All names. */
export const names = (): ReadonlyArray<string> => Object.keys(unpack().index)
