/** Instants on the wire: RFC 3339 with a zone, nothing that a parser would have to guess. */
import * as Schema from "effect/Schema"

const pattern =
  /^(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/u

/** Whether a text names one instant since 1970. The 30th of February does not, and neither does a time without a zone. */
export const isTimestamp = (text: string): boolean => {
  const found = pattern.exec(text)
  if (found === null) return false
  const [, year, month, day] = found
  const daysInMonth = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  return Number(day) <= daysInMonth && Date.parse(text) >= 0
}

/** RFC 3339. What the daemon writes is UTC with milliseconds; what it reads may have any zone. */
export const Timestamp = Schema.String.annotate({ format: "date-time", description: "RFC 3339" }).check(
  Schema.makeFilter((text: string) => isTimestamp(text) || "must be a time in RFC 3339, such as 2026-01-31T08:00:00Z")
)
