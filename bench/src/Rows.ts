/**
 * The rows of the benchmark table: what was measured, beside the floor of the same run and the target of the
 * performance plan.
 *
 * A row that misses its target is short. That is a finding, not a failure: a bench fails only when it breaks or when
 * what it measured was wrong (a broken log, a lost entry, an error), and then it throws.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { cpus, loadavg, totalmem } from "node:os"
import { join } from "node:path"

export interface Row {
  /** Number of the row in the plan's table of targets; `-` for a number without a target there. */
  readonly row: string
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What it is compared with: measured in the same run, in the same unit. */
  readonly floor: { readonly name: string; readonly value: number } | null
  /** Value by floor. */
  readonly ratio: number | null
  /** As the plan says it; empty where there is none. */
  readonly target: string
  readonly short: boolean
}

export interface Target {
  readonly text: string
  readonly met: boolean
}

export const row = (of: {
  readonly row: number | "-"
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly floor?: { readonly name: string; readonly value: number }
  readonly target?: (row: { readonly value: number; readonly ratio: number }) => Target
}): Row => {
  const ratio = of.floor === undefined ? Number.NaN : of.value / of.floor.value
  const target = of.target?.({ value: of.value, ratio })
  return {
    row: String(of.row),
    name: of.name,
    value: of.value,
    unit: of.unit,
    floor: of.floor ?? null,
    ratio: of.floor === undefined ? null : ratio,
    target: target?.text ?? "",
    short: target !== undefined && !target.met
  }
}

/** At least so many times the floor. */
export const ratioAtLeast =
  (times: number) =>
  ({ ratio }: { readonly ratio: number }): Target => ({ text: `>= ${times} x`, met: ratio >= times })

/** At most so many times the floor. */
export const ratioAtMost =
  (times: number) =>
  ({ ratio }: { readonly ratio: number }): Target => ({ text: `<= ${times} x`, met: ratio <= times })

export const atLeast =
  (least: number) =>
  ({ value }: { readonly value: number }): Target => ({ text: `>= ${shown(least)}`, met: value >= least })

export const atMost =
  (most: number) =>
  ({ value }: { readonly value: number }): Target => ({ text: `<= ${shown(most)}`, met: value <= most })

/** Three significant digits, thousands in groups. */
export const shown = (value: number): string =>
  Math.abs(value) >= 100
    ? Math.round(value).toLocaleString("en-US")
    : Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 })

const head = ["row", "measured", "value", "floor", "ratio", "target", ""] as const

const cells = (one: Row): ReadonlyArray<string> => [
  one.row,
  one.name,
  `${shown(one.value)} ${one.unit}`,
  one.floor === null ? "" : `${shown(one.floor.value)} ${one.floor.name}`,
  one.ratio === null ? "" : one.ratio.toPrecision(3),
  one.target,
  one.short ? "SHORT" : ""
]

const numeric = new Set([0, 2, 4])

/** The rows as text in columns. */
export const table = (rows: ReadonlyArray<Row>): string => {
  const lines = [[...head], ...rows.map(cells)]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) =>
          numeric.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
        )
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

const results = join(import.meta.dirname, "../results")

/**
 * Prints the rows of a bench and keeps them in `bench/results/NAME.json`. `notes` are sentences that belong to the
 * numbers (what was left out and why, what was checked), `details` whatever else was measured.
 */
export const report = (
  bench: string,
  rows: ReadonlyArray<Row>,
  more: { readonly notes?: ReadonlyArray<string>; readonly details?: unknown } = {}
): void => {
  const notes = more.notes ?? []
  console.log(table(rows))
  for (const note of notes) console.log(`  ${note}`)
  mkdirSync(results, { recursive: true })
  const machine = {
    processors: cpus().length,
    processor: cpus()[0]?.model ?? "unknown",
    memoryBytes: totalmem(),
    /** Of the last minute, this bench included. */
    loadAverage: loadavg()[0] ?? 0,
    platform: `${process.platform}-${process.arch}`,
    node: process.version
  }
  const content = { bench, measuredAt: new Date().toISOString(), machine, rows, notes, details: more.details ?? null }
  writeFileSync(join(results, `${bench}.json`), `${JSON.stringify(content, null, 2)}\n`)
}
