/**
 * What a command answers: a table for people, JSON or YAML for programs, ids alone for scripts (`--quiet`).
 *
 * The answer goes to standard output and nothing else does; everything said about it goes to standard error.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Ended, type Failure, failed, reasonOf } from "./Failure.ts"
import { Invocation } from "./Invocation.ts"
import type { Format } from "./Invocation.ts"
import { Io } from "./Io.ts"
import type { Column } from "./Table.ts"
import { table } from "./Table.ts"
import type { Paint } from "./Terminal.ts"
import { escapeInQuotes, isHarmful, paintFor, safe } from "./Terminal.ts"

export const toJson = (value: unknown): string =>
  // Pairs of surrogates: JSON's escapes have four digits.
  `${escapeInQuotes(JSON.stringify(value, null, 2), (hex) =>
    [...String.fromCodePoint(Number.parseInt(hex, 16)).matchAll(/[\s\S]/g)]
      .map(([unit]) => `\\u${unit.charCodeAt(0).toString(16)}`)
      .join("")
  )}\n`

const toYaml = Effect.fnUntraced(function* (value: unknown) {
  const yaml = yield* Effect.promise(() => import("yaml"))
  const document = new yaml.Document(value, { aliasDuplicateObjects: false })
  yaml.visit(document, {
    Scalar: (_key, node) => {
      // Quoted, so that an escape can stand for what must not reach a terminal.
      if (typeof node.value === "string" && isHarmful(node.value)) node.type = yaml.Scalar.QUOTE_DOUBLE
    }
  })
  return escapeInQuotes(document.toString({ lineWidth: 0 }), (hex) => `\\U${hex}`)
})

/** A value as `format` writes it for programs. */
export const encoded = (value: unknown, format: Exclude<Format, "table">): Effect.Effect<string> =>
  format === "json" ? Effect.sync(() => toJson(value)) : toYaml(value)

/** What the text for people may need. */
export interface Screen {
  readonly paint: Paint
  readonly columns: number | undefined
  readonly now: number
}

export const screen = Effect.gen(function* () {
  const io = yield* Io
  return { paint: paintFor(io, "stdout"), columns: io.columns, now: yield* Clock.currentTimeMillis }
})

/** One answer. `ids` is what `--quiet` leaves of it. */
export const answer = Effect.fn("Output.answer")(function* <A>(
  value: A,
  views: { readonly ids: (value: A) => ReadonlyArray<string>; readonly text: (value: A, screen: Screen) => string }
) {
  const io = yield* Io
  const { format, quiet } = yield* Invocation
  if (format !== "table") return yield* io.out(yield* encoded(value, format))
  if (quiet)
    return yield* io.out(
      views
        .ids(value)
        .map((id) => `${safe(id)}\n`)
        .join("")
    )
  return yield* io.out(views.text(value, yield* screen))
})

/** A list; an empty one is `[]` for programs and a sentence on standard error for people. */
export const answerList = Effect.fn("Output.answerList")(function* <A>(
  rows: ReadonlyArray<A>,
  views: {
    readonly id: (row: A) => string
    readonly columns: (screen: Screen) => ReadonlyArray<Column<A>>
    readonly none: string
    /** What programs get of a row; the row itself if absent. */
    readonly forPrograms?: (row: A) => unknown
  }
) {
  const { format, quiet } = yield* Invocation
  if (rows.length === 0 && format === "table") return quiet ? undefined : yield* say(views.none)
  const { forPrograms } = views
  const value = format === "table" || forPrograms === undefined ? rows : rows.map(forPrograms)
  return yield* answer(value, {
    ids: () => rows.map(views.id),
    text: (_, shown) => table(views.columns(shown), rows, shown)
  })
})

/** A sentence on standard error, unless `--quiet`. It is made inert as a whole. */
export const say = Effect.fn("Output.say")(function* (sentence: string) {
  const io = yield* Io
  const { quiet } = yield* Invocation
  if (!quiet) yield* io.err(`${safe(sentence)}\n`)
})

/** A sentence that `--quiet` does not silence. */
export const warn = Effect.fn("Output.warn")(function* (sentence: string) {
  const io = yield* Io
  yield* io.err(`${paintFor(io, "stderr")("warning:", "yellow")} ${safe(sentence)}\n`)
})

/** How a failure looks: lines for people; with `--output json` the daemon's problem document, or ours of that form. */
export const report = Effect.fn("Output.report")(function* (failure: Failure, format: Format) {
  const io = yield* Io
  if (format === "json") {
    const { details, document, exit, hint, message } = failure
    return yield* io.err(
      toJson({
        ...(document ?? {
          title: message,
          ...(details === undefined ? {} : { problems: details.map((detail) => ({ message: detail })) }),
          ...(hint === undefined ? {} : { hint })
        }),
        exitCode: exit
      })
    )
  }
  const paint = paintFor(io, "stderr")
  const lines = [
    `${paint("error:", "red")} ${safe(failure.message)}`,
    ...(failure.details ?? []).map((detail) => `  - ${safe(detail)}`),
    ...(failure.hint === undefined ? [] : [`${paint("hint:", "cyan")} ${safe(failure.hint)}`])
  ]
  return yield* io.err(lines.map((line) => `${line}\n`).join(""))
})

/** Reports how a command failed and keeps its exit code. A defect is a fault of ours and says so. */
export const reporting = <A, R>(work: Effect.Effect<A, Failure | Ended, R>) =>
  Effect.gen(function* () {
    const { format } = yield* Invocation
    return yield* work.pipe(
      Effect.catchDefect((defect) => {
        const io = Effect.flatMap(Io, ({ env, err }) =>
          (env["JITSUDO_DEBUG"] ?? "") !== "" && defect instanceof Error ? err(`${defect.stack ?? ""}\n`) : Effect.void
        )
        const fault = failed(
          `a fault in jitsudo itself: ${reasonOf(defect)}`,
          "please report it, with what JITSUDO_DEBUG=1 adds"
        )
        return Effect.andThen(io, Effect.fail(fault))
      }),
      Effect.catchTag("Failure", (failure) =>
        Effect.andThen(report(failure, format), Effect.fail(new Ended({ exit: failure.exit })))
      )
    )
  })
