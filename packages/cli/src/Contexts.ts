/**
 * Named contexts: which servers there are and how people sign in there. `config.yaml` is for people to edit too, so it
 * holds no secret, and a mistake in it is named.
 *
 *     current: production
 *     contexts:
 *       production:
 *         server: https://jitsudo.example.com
 *         tls: { ca_file: /etc/ssl/our-ca.pem }
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as Yaml from "effect/encoding/Yaml"
import { dirname } from "node:path"
import { failed, misused } from "./Failure.ts"
import * as FileLock from "./FileLock.ts"
import { places } from "./Places.ts"
import * as PrivateFiles from "./PrivateFiles.ts"

/** Names become file names. */
const Name = Schema.String.check(Schema.isPattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/u))

const TlsFiles = Schema.Struct({
  ca_file: Schema.optionalKey(Schema.String),
  cert_file: Schema.optionalKey(Schema.String),
  key_file: Schema.optionalKey(Schema.String)
})
export type TlsFiles = typeof TlsFiles.Type

const ContextEntry = Schema.Struct({ server: Schema.String, tls: Schema.optionalKey(TlsFiles) })
export type ContextEntry = typeof ContextEntry.Type

const Config = Schema.Struct({
  current: Schema.optionalKey(Name),
  contexts: Schema.optionalKey(Schema.Record(Name, ContextEntry))
})

export interface Contexts {
  /** Used when nothing else is said. */
  readonly current: string | undefined
  readonly named: Readonly<Record<string, ContextEntry>>
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const decode = (file: string, text: string) =>
  Effect.gen(function* () {
    const value = yield* Effect.try({
      try: () => Yaml.parse(text),
      catch: (error) => failed(`${file} is not YAML: ${error instanceof Error ? error.message : "it cannot be read"}`)
    })
    return yield* Schema.decodeUnknownEffect(Config, { errors: "all", onExcessProperty: "error" })(value ?? {}).pipe(
      Effect.mapError((error) =>
        failed(
          `${file} is not a configuration of jitsudo`,
          "correct it; `jitsudo login --server URL` writes one",
          formatIssues(error.issue).issues.map(
            ({ message, path }) =>
              `${(path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")}: ${message}`
          )
        )
      )
    )
  })

export const load = Effect.gen(function* () {
  const { config: file } = yield* places
  const text = yield* PrivateFiles.read(file, { secret: false })
  const config = text === null ? {} : yield* decode(file, text)
  const contexts: Contexts = { current: config.current, named: config.contexts ?? {} }
  return contexts
})

/** Reads, changes and writes, so that two changes at once both stay. */
export const change = Effect.fn("Contexts.change")(function* (change: (contexts: Contexts) => Contexts) {
  const { config: file, configLock } = yield* places
  yield* PrivateFiles.ensureDirectory(dirname(file))
  yield* FileLock.exclusively(
    configLock,
    Effect.gen(function* () {
      const { current, named } = change(yield* load)
      const { stringify } = yield* Effect.promise(() => import("yaml"))
      yield* PrivateFiles.write(file, stringify({ ...(current === undefined ? {} : { current }), contexts: named }))
    })
  )
})

export const checkName = (name: string) =>
  Schema.is(Name)(name)
    ? Effect.succeed(name)
    : Effect.fail(
        misused(`${JSON.stringify(name)} cannot name a context`, "use letters, digits, `.`, `_` and `-`, at most 64")
      )

/** A name for the context of a server that has none yet. */
export const nameFor = (server: string, contexts: Contexts): string =>
  Object.keys(contexts.named).length === 0
    ? "default"
    : new URL(server).host.replaceAll(/[^A-Za-z0-9.]+/gu, "-").replace(/^[-.]+/u, "")
