/** Tables and lists of facts for people. Cells are made inert here, so that nobody forgets. */
import type { Paint, Style } from "./Terminal.ts"
import { cut, safe, safeLines, width } from "./Terminal.ts"

export interface Cell {
  readonly text: string
  readonly style?: Style | undefined
}

export interface Column<A> {
  readonly title: string
  readonly cell: (row: A) => string | Cell
  /** May be cut where the terminal is too narrow; the widest give first. */
  readonly flexible?: boolean
}

const cellOf = (cell: string | Cell): Cell =>
  typeof cell === "string" ? { text: safe(cell) } : { text: safe(cell.text), style: cell.style }

const gap = "  "
const narrowest = 8

/** Widths that fit, if they can. */
const fit = (widths: ReadonlyArray<number>, flexible: ReadonlyArray<boolean>, columns: number): Array<number> => {
  const fitted = [...widths]
  const total = () => fitted.reduce((sum, one) => sum + one, gap.length * (fitted.length - 1))
  while (total() > columns) {
    const widest = fitted.reduce(
      (best, one, index) =>
        flexible[index] === true && one > narrowest && (best < 0 || one > (fitted[best] ?? 0)) ? index : best,
      -1
    )
    const before = fitted[widest]
    if (before === undefined) break
    fitted[widest] = before - 1
  }
  return fitted
}

/** Rows under titles, aligned by what they look like. Cut to `columns` if given. */
export const table = <A>(
  columns: ReadonlyArray<Column<A>>,
  rows: ReadonlyArray<A>,
  options: { readonly paint: Paint; readonly columns: number | undefined }
): string => {
  const lines = [columns.map(({ title }): Cell => ({ text: title, style: "bold" }))].concat(
    rows.map((row) => columns.map(({ cell }) => cellOf(cell(row))))
  )
  const natural = columns.map((_, index) => Math.max(...lines.map((line) => width(line[index]?.text ?? ""))))
  const widths =
    options.columns === undefined
      ? natural
      : fit(
          natural,
          columns.map(({ flexible }) => flexible === true),
          options.columns
        )
  return lines
    .map((line) =>
      line
        .map(({ text, style }, index) => {
          const cells = widths[index] ?? 0
          const fitted = cut(text, cells)
          const isLast = index === line.length - 1
          return options.paint(fitted, style) + (isLast ? "" : " ".repeat(Math.max(0, cells - width(fitted))))
        })
        .join(gap)
        .trimEnd()
    )
    .map((line) => `${line}\n`)
    .join("")
}

/** A fact with a name; several lines keep their breaks, indented. Undefined facts are left out. */
export type Fact = readonly [name: string, value: string | Cell | undefined]

export const facts = (all: ReadonlyArray<Fact>, paint: Paint): string => {
  const present = all.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]))
  const widest = Math.max(0, ...present.map(({ name }) => width(name)))
  return present
    .map(({ name, value }) => {
      const { style, text } = typeof value === "string" ? { text: value, style: undefined } : value
      const label = paint(name, "dim") + " ".repeat(widest - width(name))
      const lines = safeLines(text).map((line) => paint(line, style))
      return `${label}${gap}${lines.join(`\n${" ".repeat(widest)}${gap}`)}`.trimEnd() + "\n"
    })
    .join("")
}
