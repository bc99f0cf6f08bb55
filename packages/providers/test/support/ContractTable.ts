/**
 * The contract suite over lanes, as a table: what holds, what a platform declares that it cannot offer, what is violated.
 *
 * What stands in it was run. The sentences come from the suite, the gaps from the lanes.
 */
import type { Provider } from "@jitsudo/core"
import { ProviderContract } from "@jitsudo/providers/testing"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Lane } from "./Lane.ts"

export type Cell =
  | { readonly is: "holds" }
  | { readonly is: "gap"; readonly why: string }
  | { readonly is: "violated"; readonly how: string }

export interface Column {
  readonly lane: string
  /** By sentence, for each of `ProviderContract.names`. */
  readonly cells: ReadonlyMap<string, Cell>
}

/** A case that does not end is no case that holds. */
const longest = "120 seconds"

/** The contract on one lane; `mutate` is for providers that are wrong on purpose. */
export const columnOf = (
  { gaps, make, name }: Lane,
  mutate: (sound: Provider.Provider) => Provider.Provider = (sound) => sound
): Effect.Effect<Column> =>
  Effect.gen(function* () {
    const suite = ProviderContract.suite({
      make: Effect.map(make, ({ fixture }) => ({ ...fixture, provider: mutate(fixture.provider) })),
      gaps
    })
    const cells = new Map<string, Cell>(suite.gaps.map((gap) => [gap.name, { is: "gap", why: gap.why }]))
    for (const one of suite.cases) {
      const exit = yield* Effect.exit(Effect.timeout(one.run, longest))
      cells.set(
        one.name,
        Exit.isSuccess(exit)
          ? { is: "holds" }
          : {
              is: "violated",
              how: Cause.prettyErrors(exit.cause)
                .map(({ message }) => (message.startsWith(one.name) ? message : `${one.name}: ${message}`))
                .join("; ")
            }
      )
    }
    return { lane: name, cells }
  })

/** The table as text, with a legend of lanes and gaps, and every violation. */
export const render = (columns: ReadonlyArray<Column>): string => {
  const reasons: Array<string> = []
  const noteOf = (why: string): string => {
    if (!reasons.includes(why)) reasons.push(why)
    return `g${reasons.indexOf(why) + 1}`
  }
  const shown = (cell: Cell | undefined): string => {
    if (cell === undefined) return "??"
    return cell.is === "holds" ? "ok" : cell.is === "gap" ? noteOf(cell.why) : "XX"
  }
  const widest = Math.max(...ProviderContract.names.map((name) => name.length))
  const line = (first: string, cells: ReadonlyArray<string>) =>
    `${first.padEnd(widest)}  ${cells.map((cell) => cell.padEnd(3)).join(" ")}`.trimEnd()
  const rows = ProviderContract.names.map((name) =>
    line(
      name,
      columns.map(({ cells }) => shown(cells.get(name)))
    )
  )
  return [
    line(
      "sentence of the contract",
      columns.map((_, index) => String(index + 1))
    ),
    ...rows,
    "",
    ...columns.map(({ lane }, index) => `${index + 1}  ${lane}`),
    "",
    "ok  holds",
    ...reasons.map((why, index) => `g${index + 1}  declared gap: ${why}`),
    ...violationsOf(columns).map(({ how, lane }) => `XX  ${lane}: ${how}`)
  ].join("\n")
}

export interface Violation {
  readonly lane: string
  readonly sentence: string
  readonly how: string
}

/** Every sentence that a lane does not keep, or says nothing about. */
export const violationsOf = (columns: ReadonlyArray<Column>): ReadonlyArray<Violation> =>
  columns.flatMap(({ cells, lane }) =>
    ProviderContract.names.flatMap((sentence) => {
      const cell = cells.get(sentence)
      if (cell === undefined) return [{ lane, sentence, how: `${sentence}: neither run nor declared a gap` }]
      return cell.is === "violated" ? [{ lane, sentence, how: cell.how }] : []
    })
  )

/** Sentences that were run, over all lanes. */
export const heldOrViolated = (columns: ReadonlyArray<Column>): number =>
  columns.reduce((sum, { cells }) => sum + [...cells.values()].filter((cell) => cell.is !== "gap").length, 0)
