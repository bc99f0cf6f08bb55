/**
 * The daemon's own log: one line per event on standard error, JSON or text, never a secret.
 *
 * 1. `Redacted` values never show; beyond that, everything that looks like a credential is cut out (`Redaction`).
 * 2. Text from outside never begins a line of its own, and never reaches a terminal as a control sequence.
 * 3. A line is bounded, whatever is logged.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import { redact, scrub } from "./Redaction.ts"

const jsonLine = Logger.make<unknown, void>((options) => {
  const { annotations, cause, level, message, timestamp } = Logger.formatStructured.log(options)
  const own = { time: timestamp, level, message: scrub(message) }
  const line = {
    ...own,
    ...Object(scrub(annotations)),
    ...own,
    ...(cause === undefined ? {} : { cause: redact(cause) })
  }
  process.stderr.write(`${JSON.stringify(line)}\n`)
})

/** Controls, and the separators that some viewers take for the end of a line, as escapes. */
const visible = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const textLine = Logger.make<unknown, void>((options) => {
  const { annotations, cause, level, message, timestamp } = Logger.formatStructured.log(options)
  const said = scrub(message)
  const text = typeof said === "string" ? said : JSON.stringify(said)
  const facts = Object.entries(Object(scrub(annotations))).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const line = visible([timestamp, level, text, ...facts].join(" "))
  // A cause has lines of its own; none of them can be taken for an event.
  const lines =
    cause === undefined
      ? []
      : redact(cause)
          .split(/\r?\n/u)
          .map((one) => `    | ${visible(one)}`)
  process.stderr.write(`${[line, ...lines].join("\n")}\n`)
})

const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

export const layer = (options: {
  readonly level: "debug" | "info" | "warn" | "error"
  readonly format: "json" | "text"
}): Layer.Layer<never> =>
  Layer.merge(
    Logger.layer([options.format === "json" ? jsonLine : textLine]),
    Layer.succeed(References.MinimumLogLevel, levels[options.level])
  )
