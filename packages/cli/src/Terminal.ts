/**
 * Text on a terminal.
 *
 * 1. What comes from others (reasons, comments, names, policy's and the daemon's words) is inert when shown: control
 *    characters, escape sequences, direction overrides, invisible characters, private use, lone surrogates and towers
 *    of combining marks become visible `\u{...}`.
 * 2. Colours only where somebody looks (a terminal) and has not said no (`NO_COLOR`, `TERM=dumb`).
 */
import * as CliOutput from "effect/cli/CliOutput"
import type { Io } from "./Io.ts"

/** Everything that moves, hides or reorders other text. Emoji's variation selectors (FE0E, FE0F) do not. */
const harm = String.raw`(?!\uFE0E|\uFE0F)[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`
const harmful = new RegExp(harm, "gu")
const harmfulButLineFeed = new RegExp(String.raw`(?!\n)${harm}`, "gu")
const towers = /(\p{M}{4})(\p{M}+)/gu

const shown = (character: string): string => {
  if (character === "\n") return "\\n"
  if (character === "\t") return "\\t"
  if (character === "\r") return "\\r"
  return `\\u{${character.codePointAt(0)?.toString(16) ?? "fffd"}}`
}

/** One line that a terminal shows as it stands. */
export const safe = (text: string): string =>
  text
    .replace(harmful, shown)
    .replace(towers, (_, first: string, rest: string) => first + [...rest].map(shown).join(""))

/** The lines of a text, each safe. */
export const safeLines = (text: string): ReadonlyArray<string> => text.split(/\r?\n/u).map(safe)

/** The same characters in JSON or in a double-quoted YAML scalar, where an escape does not change what is said. */
export const escapeInQuotes = (text: string, long: (hex: string) => string): string =>
  text.replace(harmfulButLineFeed, (character) => {
    const point = character.codePointAt(0) ?? 0xfffd
    return point <= 0xffff ? `\\u${point.toString(16).padStart(4, "0")}` : long(point.toString(16).padStart(8, "0"))
  })

export const isHarmful = (text: string): boolean => text.search(harmful) >= 0

/** Cells of a terminal that a text takes. */
export const width = (text: string): number => CliOutput.displayWidth(text)

/** At most `cells` wide; what is cut ends in an ellipsis. */
export const cut = (text: string, cells: number): string => {
  if (width(text) <= cells) return text
  let kept = ""
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (width(kept + segment) > cells - 1) break
    kept += segment
  }
  return `${kept}…`
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const
export type Style = keyof typeof codes
export type Paint = (text: string, style: Style | undefined) => string

const plain: Paint = (text) => text
const coloured: Paint = (text, style) => (style === undefined ? text : `\u001b[${codes[style]}m${text}\u001b[0m`)

export const paintFor = (io: Io["Service"], stream: "stdout" | "stderr"): Paint => {
  const refused = (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb"
  return io.isTty[stream] && !refused ? coloured : plain
}
