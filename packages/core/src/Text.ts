/**
 * Text from people, agents and models is data: bounded, well formed, without control characters.
 *
 * Escaping is for the place where it is shown; here is only what may be stored at all. Control characters other than
 * line feed and tab are removed: C0, C1, the line and paragraph separators that forge a line of a log, the
 * bidirectional controls that make text read otherwise than it is (Unicode TR36), and the tag characters that a model
 * reads and a person does not see. Lone surrogates and NUL are refused, because they cannot be stored and hashed as they
 * stand.
 */
import type { Problem } from "./ElevationError.ts"

const removable =
  /[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]/gu

/** Limits in UTF-16 code units. */
export const limits = {
  role: 256,
  resourceScope: 512,
  reason: 2048,
  comment: 2048,
  reasoning: 8192,
  risk: 64,
  model: 128,
  metadataKeys: 16,
  metadataKey: 64,
  metadataValue: 256,
  provider: 64,
  idempotencyKey: 255
} as const

/** Text without removable characters, trimmed at both ends. */
export const clean = (text: string): string => text.replace(removable, "").trim()

/** As much of an unchecked text as may be stored: well formed, without NUL, cleaned, at most `max` code units. */
export const kept = (text: string, max: number): string =>
  clean(text.slice(0, max).toWellFormed().replaceAll("\u0000", ""))

/** What is wrong with `text` as `field`, before cleaning. */
export const problemsOf = (
  field: string,
  text: string,
  bounds: {
    readonly max: number
    readonly required?: boolean
    readonly singleLine?: boolean
    /** A single line in which nothing would be removed: for what names something. */
    readonly visible?: boolean
  }
): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  if (text.includes("\u0000")) problems.push({ field, message: "must not contain NUL" })
  if (!text.isWellFormed()) problems.push({ field, message: "must be well-formed Unicode (it has a lone surrogate)" })
  if (text.length > bounds.max) problems.push({ field, message: `must have at most ${bounds.max} characters` })
  if (bounds.required === true && clean(text) === "") problems.push({ field, message: "must not be empty" })
  if (bounds.visible === true && text.replace(removable, "") !== text) {
    problems.push({ field, message: "must not contain control or invisible characters" })
  }
  if ((bounds.singleLine === true || bounds.visible === true) && /[\n\r\t]/u.test(text))
    problems.push({ field, message: "must be a single line" })
  return problems
}
