/**
 * What the development issuer keeps in the data directory: its signing key, the keys of its cookies and the agent's
 * secret, each readable by its owner alone, so that tokens survive a restart. Codes, sessions and refresh tokens are
 * kept in memory: after a restart, sign in again when the access token ends.
 */
import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { exportJWK, generateKeyPair } from "jose"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** The development issuer cannot start. */
export class DevIssuerFailed extends Data.TaggedError("DevIssuerFailed")<{ readonly message: string }> {}

const State = Schema.Struct({
  version: Schema.Literal(1),
  signingKey: Schema.Struct({
    kty: Schema.Literal("EC"),
    crv: Schema.Literal("P-256"),
    x: Schema.NonEmptyString,
    y: Schema.NonEmptyString,
    d: Schema.NonEmptyString,
    kid: Schema.NonEmptyString
  }),
  cookieKey: Schema.NonEmptyString
})

export interface DevState {
  readonly signingKey: (typeof State.Type)["signingKey"]
  readonly cookieKey: string
  readonly agentSecret: Redacted.Redacted<string>
  /** Where the agent's secret stands, for programs that take it from a file. */
  readonly agentSecretFile: string
}

const random = () => randomBytes(32).toString("base64url")

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const describe = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unreadable"

/** The content of a private file; made, if it is not there yet, so that nobody ever sees half of it. */
const keep = (file: string, make: () => Promise<string>) =>
  Effect.tryPromise({
    try: async () => {
      try {
        const content = readFileSync(file, "utf8")
        chmodSync(file, 0o600)
        return content
      } catch (error) {
        if (!isAbsent(error)) throw error
      }
      const content = await make()
      const draft = `${file}.${process.pid}.tmp`
      writeFileSync(draft, content, { mode: 0o600 })
      renameSync(draft, file)
      return content
    },
    catch: (error) =>
      new DevIssuerFailed({
        message: `the development issuer cannot read or write ${file} (${describe(error)}): check its owner`
      })
  })

const newState = async (): Promise<string> => {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true })
  const jwk = await exportJWK(privateKey)
  return `${JSON.stringify({ version: 1, signingKey: { ...jwk, kid: random().slice(0, 12) }, cookieKey: random() }, null, 2)}\n`
}

/** Reads what a data directory keeps for the issuer, or begins it. */
export const open = Effect.fn("DevState.open")(function* (dataDir: string) {
  yield* Effect.try({
    try: () => mkdirSync(dataDir, { recursive: true, mode: 0o700 }),
    catch: (error) =>
      new DevIssuerFailed({
        message: `the development issuer cannot make the directory ${dataDir} (${describe(error)})`
      })
  })
  const file = join(dataDir, "dev-issuer.json")
  const text = yield* keep(file, newState)
  const state = yield* Schema.decodeEffect(Schema.fromJsonString(State))(text).pipe(
    Effect.mapError(
      () =>
        new DevIssuerFailed({
          message: `${file} does not hold the development issuer's keys: delete it to make new ones, and sign in again`
        })
    )
  )
  const agentSecretFile = join(dataDir, "dev-agent.secret")
  const secret = (yield* keep(agentSecretFile, async () => `${random()}\n`)).trim()
  if (!/^[\w-]{20,}$/u.test(secret)) {
    return yield* new DevIssuerFailed({
      message: `${agentSecretFile} does not hold a secret: delete it to make a new one`
    })
  }
  return {
    signingKey: state.signingKey,
    cookieKey: state.cookieKey,
    agentSecret: Redacted.make(secret, { label: "agent secret" }),
    agentSecretFile
  } satisfies DevState
})
