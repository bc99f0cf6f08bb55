/**
 * Text from people, agents and models is data: bounded, well formed, without control characters.
 *
 * Escaping is for the place where it is shown; here is only what may be stored at all. Control characters other than
 * line feed and tab are removed (C0, C1, and the bidirectional controls that make text read otherwise than it is,
 * Unicode TR36); lone surrogates and NUL are refused, because they cannot be stored and hashed as they stand.
 */
import type { Problem } from "./ElevationError.ts"

// oxlint-disable-next-line no-control-regex
const removable = /[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/** Limits in UTF-16 code units. */
export const limits = {
  role: 256,
  resourceScope: 512,
  reason: 2048,
  comment: 2048,
  reasoning: 8192,
  metadataKeys: 16,
  metadataKey: 64,
  metadataValue: 256,
  provider: 64,
  idempotencyKey: 255
} as const

/** Text without removable characters, trimmed at both ends. */
export const clean = (text: string): string => text.replace(removable, "").trim()

/** What is wrong with `text` as `field`, before cleaning. */
export const problemsOf = (
  field: string,
  text: string,
  bounds: { readonly max: number; readonly required?: boolean; readonly singleLine?: boolean }
): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = []
  if (text.includes("\u0000")) problems.push({ field, message: "must not contain NUL" })
  if (!text.isWellFormed()) problems.push({ field, message: "must be well-formed Unicode (it has a lone surrogate)" })
  if (text.length > bounds.max) problems.push({ field, message: `must have at most ${bounds.max} characters` })
  if (bounds.required === true && clean(text) === "") problems.push({ field, message: "must not be empty" })
  if (bounds.singleLine === true && /[\n\r\t]/u.test(text)) problems.push({ field, message: "must be a single line" })
  return problems
}
