/**
 * Which daemon, and as whom.
 *
 * 1. The server: `--server`, else JITSUDO_SERVER, else the context's.
 * 2. The token: `--token-file` or JITSUDO_TOKEN_FILE, else JITSUDO_TOKEN, else the sign-in of the context.
 * 3. The context: `--context` or JITSUDO_CONTEXT, else the one whose server this is, else the current one. A sign-in is
 *    used for the server that it was made for and no other.
 * 4. A token about to expire is renewed first. Only one process renews at a time, and the others take what it got:
 *    issuers that rotate refresh tokens end a sign-in whose old token comes twice.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { readFile } from "node:fs/promises"
import { dirname } from "node:path"
import type { ContextEntry, Contexts, TlsFiles } from "./Contexts.ts"
import * as ContextsFile from "./Contexts.ts"
import * as Credentials from "./Credentials.ts"
import type { Failure } from "./Failure.ts"
import { failed, misused, notSignedIn, reasonOf } from "./Failure.ts"
import * as FileLock from "./FileLock.ts"
import { Invocation } from "./Invocation.ts"
import { Io } from "./Io.ts"
import { places } from "./Places.ts"
import * as PrivateFiles from "./PrivateFiles.ts"
import * as ServerUrl from "./ServerUrl.ts"

/** A token with less left than this is renewed before it is used. */
const marginMillis = 30_000

export interface Target {
  readonly server: string
  /** The context in use; undefined where a server was named that has none. */
  readonly context: string | undefined
  readonly tls: TlsFiles
}

export interface Session extends Target {
  readonly token: Effect.Effect<Redacted.Redacted<string>, Failure>
  /** A new token although the old one seems good, because the daemon says that it is not; null where there is no way. */
  readonly renew: Effect.Effect<Redacted.Redacted<string>, Failure> | null
}

const set = (value: string | undefined): string | undefined => (value === undefined || value === "" ? undefined : value)

const parsed = (text: string, where: string) =>
  Effect.fromResult(ServerUrl.parse(text)).pipe(Effect.mapError((why) => misused(`${where}: ${why}`)))

/** The context of a name, or why there is none. */
const contextOf = (contexts: Contexts, name: string): Effect.Effect<ContextEntry, Failure> => {
  const found = Object.hasOwn(contexts.named, name) ? contexts.named[name] : undefined
  const known = Object.keys(contexts.named)
  return found === undefined
    ? Effect.fail(
        misused(
          `there is no context ${JSON.stringify(name)}`,
          known.length === 0 ? "`jitsudo login --server URL` makes one" : `there are: ${known.join(", ")}`
        )
      )
    : Effect.succeed(found)
}

/** The context for a server: the current one if it fits, else the first that does. */
const contextFor = (contexts: Contexts, server: string): string | undefined => {
  const fits = (name: string) => contexts.named[name]?.server === server
  const { current } = contexts
  return current !== undefined && fits(current) ? current : Object.keys(contexts.named).find(fits)
}

export const named = Effect.gen(function* () {
  const { env } = yield* Io
  const invocation = yield* Invocation
  return {
    server: set(invocation.server) ?? set(env["JITSUDO_SERVER"]),
    context: set(invocation.context) ?? set(env["JITSUDO_CONTEXT"])
  }
})

const noServer = misused(
  "no server is named",
  "use --server https://jitsudo.example.com, set JITSUDO_SERVER, or run `jitsudo login --server URL` once"
)

/** Where the command goes. */
export const target = Effect.fn("Session.target")(function* () {
  const { context: contextName, server: serverText } = yield* named
  const contexts = yield* ContextsFile.load
  const server = serverText === undefined ? undefined : yield* parsed(serverText, "the server")
  const name = contextName ?? (server === undefined ? contexts.current : contextFor(contexts, server))
  if (name === undefined) {
    return server === undefined ? yield* noServer : ({ server, context: undefined, tls: {} } satisfies Target)
  }
  const context = yield* contextOf(contexts, name)
  const own = yield* parsed(context.server, `the server of context ${name}`)
  const chosen: Target = {
    server: server ?? own,
    context: name,
    tls: server === undefined || server === own ? (context.tls ?? {}) : {}
  }
  return chosen
})

const readTokenFile = (file: string): Effect.Effect<Redacted.Redacted<string>, Failure> =>
  Effect.tryPromise({
    try: async () => Redacted.make((await readFile(file, "utf8")).trim()),
    catch: (error) => failed(`cannot read the token file ${file}: ${reasonOf(error)}`)
  })

const isFresh = (credentials: Credentials.Credentials, now: number): boolean =>
  Date.parse(credentials.expiresAt) - now > marginMillis

/** Renews under the lock, unless another process did since `stale` was read. */
const renewed = Effect.fn("Session.renewed")(function* (context: string, stale: Credentials.Credentials) {
  const where = yield* places
  const file = where.credentialsLock(context)
  yield* PrivateFiles.ensureDirectory(dirname(file))
  return yield* FileLock.exclusively(
    file,
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const current = (yield* Credentials.load(context)) ?? stale
      const changed =
        current.expiresAt !== stale.expiresAt ||
        Redacted.value(current.accessToken) !== Redacted.value(stale.accessToken)
      if (changed && isFresh(current, now)) return current
      if (current.refreshToken === null) return yield* over(current)
      const { refresh } = yield* Effect.promise(() => import("./SignIn.ts"))
      const tokens = yield* refresh(current, current.refreshToken)
      const next: Credentials.Credentials = { ...current, ...tokens }
      // Interrupted here, the rotated token would be lost and the sign-in with it.
      yield* Credentials.save(context, next)
      return next
    }).pipe(Effect.uninterruptible)
  )
})

const over = (credentials: Credentials.Credentials): Failure =>
  notSignedIn(`the sign-in at ${credentials.server} has expired`, "run `jitsudo login`")

/** How a command of this invocation speaks to the daemon. */
export const open = Effect.fn("Session.open")(function* () {
  const io = yield* Io
  const invocation = yield* Invocation
  const services = yield* Effect.context<Io>()
  const where = yield* target()

  const tokenFile = set(invocation.tokenFile) ?? set(io.env["JITSUDO_TOKEN_FILE"])
  if (tokenFile !== undefined) {
    const session: Session = { ...where, token: readTokenFile(tokenFile), renew: null }
    return session
  }
  const token = set(io.env["JITSUDO_TOKEN"])
  if (token !== undefined) {
    const session: Session = { ...where, token: Effect.succeed(Redacted.make(token.trim())), renew: null }
    return session
  }

  const nobody = notSignedIn(`nobody is signed in at ${where.server}`, `run \`jitsudo login --server ${where.server}\``)
  const { context } = where
  if (context === undefined) return yield* nobody
  const stored = Effect.gen(function* () {
    const credentials = yield* Credentials.load(context)
    if (credentials === null) return yield* nobody
    if (credentials.server !== where.server) {
      return yield* notSignedIn(
        `the sign-in of context ${context} is for ${credentials.server}, not for ${where.server}`,
        `run \`jitsudo login --server ${where.server}\``
      )
    }
    return credentials
  })
  yield* stored

  const current = Effect.gen(function* () {
    const credentials = yield* stored
    const now = yield* Clock.currentTimeMillis
    if (isFresh(credentials, now)) return credentials.accessToken
    const usable = Date.parse(credentials.expiresAt) > now
    if (credentials.refreshToken === null) return usable ? credentials.accessToken : yield* over(credentials)
    return yield* Effect.map(renewed(context, credentials), ({ accessToken }) => accessToken).pipe(
      // What still holds is used while the issuer cannot be reached.
      Effect.catchTag("Failure", (failure) => (usable ? Effect.succeed(credentials.accessToken) : Effect.fail(failure)))
    )
  })
  const forced = Effect.flatMap(stored, (credentials) =>
    Effect.map(renewed(context, credentials), ({ accessToken }) => accessToken)
  )
  const session: Session = {
    ...where,
    token: Effect.provideContext(current, services),
    renew: Effect.provideContext(forced, services)
  }
  return session
})
