/**
 * The daemon's own log: one line per event on standard error, JSON or text, never a secret.
 *
 * `Redacted` values never show. Beyond that, everything that looks like a credential is cut out of every line, because
 * a fault's text can come from anywhere: bearer tokens, JWTs, keys in URLs and in `NAME=value` form.
 */
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as References from "effect/References"

const patterns: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*/gu, "[token]"],
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/giu, "$1 [token]"],
  [/(\/\/[^/@\s"']*:)[^/@\s"']+@/gu, "$1[secret]@"],
  [/\b([A-Z0-9_]*(?:SECRET|TOKEN|PASSWORD|ACCESS_KEY)[A-Z0-9_]*["']?\s*[=:]\s*["']?)[^\s"',}]+/gu, "$1[secret]"],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/gu, "[key]"]
]

/** A line without anything that looks like a credential. */
export const redact = (line: string): string =>
  patterns.reduce((text, [pattern, by]) => text.replace(pattern, by), line)

/** What a JSON log may not hold as it stands: line breaks are escaped by JSON, other controls by JSON too. */
const jsonLine = Logger.make<unknown, void>((options) => {
  const { annotations, cause, level, message, timestamp } = Logger.formatStructured.log(options)
  const line = JSON.stringify({
    time: timestamp,
    level,
    message,
    ...annotations,
    ...(cause === undefined ? {} : { cause })
  })
  process.stderr.write(`${redact(line)}\n`)
})

const textLine = Logger.make<unknown, void>((options) => {
  const { annotations, cause, level, message, timestamp } = Logger.formatStructured.log(options)
  const facts = Object.entries(annotations).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const text = typeof message === "string" ? message : JSON.stringify(message)
  // Text from outside must not be able to begin a line of its own.
  const line = [timestamp, level, text, ...facts].join(" ").replace(/[\r\n]+/gu, "\\n")
  process.stderr.write(`${redact(line)}\n${cause === undefined ? "" : `${redact(cause)}\n`}`)
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
