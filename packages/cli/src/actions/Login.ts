/** `login`, `logout`, `whoami`. */
import type { Dto } from "@jitsudo/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ContextsFile from "../Contexts.ts"
import type { ContextEntry } from "../Contexts.ts"
import * as Credentials from "../Credentials.ts"
import * as Daemon from "../Daemon.ts"
import { failed, misused } from "../Failure.ts"
import * as FileLock from "../FileLock.ts"
import * as Instant from "../Instant.ts"
import { Io } from "../Io.ts"
import * as LiveLine from "../LiveLine.ts"
import * as Length from "../Length.ts"
import { answer, say, warn } from "../Output.ts"
import { places } from "../Places.ts"
import * as PrivateFiles from "../PrivateFiles.ts"
import * as Session from "../Session.ts"
import * as SignIn from "../SignIn.ts"
import * as ServerUrl from "../ServerUrl.ts"
import { facts } from "../Table.ts"
import { paintFor, safe } from "../Terminal.ts"
import { dirname } from "node:path"

type WhoAmI = typeof Dto.WhoAmI.Type

const me = (who: WhoAmI) => (who.email === null ? who.identity : who.email)

const roles = (who: WhoAmI): string =>
  [who.kind, ...(who.admin ? ["administrator"] : []), ...(who.auditor ? ["auditor"] : [])].join(", ")

/** The server and the context that a sign-in is for; the context may come into being with it. */
const destination = Effect.gen(function* () {
  const { context, server } = yield* Session.named
  const contexts = yield* ContextsFile.load
  const exists = context !== undefined && Object.hasOwn(contexts.named, context)
  if (context !== undefined && !exists) {
    yield* ContextsFile.checkName(context)
    // A new name for the server that is in use anyway.
    const url = server ?? (contexts.current === undefined ? undefined : contexts.named[contexts.current]?.server)
    if (url === undefined)
      return yield* misused(`there is no context ${JSON.stringify(context)}`, "name its server: --server URL")
    const origin = yield* Effect.fromResult(ServerUrl.parse(url)).pipe(Effect.mapError((why) => misused(why)))
    return { server: origin, context, tls: {} }
  }
  const target = yield* Session.target()
  return { ...target, context: target.context ?? ContextsFile.nameFor(target.server, contexts) }
})

export interface LoginInput {
  readonly issuer: Option.Option<string>
  readonly clientId: Option.Option<string>
  readonly scope: Option.Option<string>
}

/** Where to sign in: what the daemon tells everybody, or what was said here. */
const signInConfig = Effect.fn("login.signInConfig")(function* (target: Session.Target, input: LoginInput) {
  const issuer = Option.getOrUndefined(input.issuer)
  const clientId = Option.getOrUndefined(input.clientId)
  const scope = Option.getOrUndefined(input.scope)
  const fallbackScope = "openid email groups offline_access"
  if (issuer !== undefined && clientId !== undefined) {
    return { issuer, clientId, audience: null, scope: scope ?? fallbackScope }
  }
  const daemon = yield* Daemon.anonymous(target)
  const { issuers } = yield* daemon.call((client) => client.signIn({}))
  const matching = issuer === undefined ? issuers : issuers.filter((one) => one.issuer === issuer)
  const names = issuers.map((one) => one.issuer)
  const [one, another] = matching
  if (one === undefined) {
    return yield* issuer === undefined
      ? failed(`${target.server} names no issuer to sign in at`, "name one: --issuer URL --client-id ID")
      : misused(
          `${target.server} does not know the issuer ${issuer}`,
          `it knows: ${names.join(", ")}; or add --client-id`
        )
  }
  if (another !== undefined) {
    return yield* misused(`${target.server} knows several issuers`, "choose one with --issuer", names)
  }
  return {
    issuer: one.issuer,
    clientId: clientId ?? one.clientId,
    audience: one.audience,
    scope: scope ?? (one.scopes.length > 0 ? one.scopes.join(" ") : fallbackScope)
  }
})

/** What the person has to do. `--quiet` does not silence it: without it nothing can go on. */
const showDevice = Effect.fn("login.showDevice")(function* (device: SignIn.Device) {
  const io = yield* Io
  const paint = paintFor(io, "stderr")
  const { userCode, verificationUri, verificationUriComplete } = device
  yield* io.err(
    `To sign in, open\n\n    ${paint(safe(verificationUriComplete ?? verificationUri), "cyan")}\n\n` +
      (verificationUriComplete === null ? "and enter the code" : "and check that it shows the code") +
      `\n\n    ${paint(safe(userCode), "bold")}\n\n`
  )
  const line = yield* LiveLine.make
  const until = (yield* Clock.currentTimeMillis) + device.expiresInSeconds * 1000
  yield* line.show((now) => ["waiting for the browser", "", `${Length.glance(Math.max(0, (until - now) / 1000))} left`])
})

export const login = Effect.fn("login")(function* (input: LoginInput) {
  const target = yield* destination
  const { audience, clientId, issuer, scope } = yield* signInConfig(target, input)
  const tokens = yield* Effect.scoped(SignIn.byDevice({ issuer, clientId }, { scope, audience }, showDevice))

  // Nothing is kept that the daemon does not take.
  const daemon = yield* Daemon.withToken(target, tokens.accessToken)
  const who = yield* daemon.call((client) => client.principals.me({}))

  const { context, server } = target
  yield* Credentials.save(context, { server, issuer, clientId, audience, ...tokens })
  const explicit = (yield* Session.named).context !== undefined
  yield* ContextsFile.change(({ current, named }) => {
    const before: ContextEntry | undefined = named[context]
    return {
      current: current === undefined || !explicit ? context : current,
      named: { ...named, [context]: { ...before, server } }
    }
  })
  if (tokens.refreshToken === null) {
    yield* warn(
      `the issuer gave no refresh token: you will have to sign in again ${Instant.relative(tokens.expiresAt, yield* Clock.currentTimeMillis)}`
    )
  }
  yield* answer(
    { ...who, server, context, expiresAt: tokens.expiresAt },
    {
      ids: () => [who.identity],
      text: () => `${safe(`Signed in at ${server} as ${me(who)} (${roles(who)}; context ${context})`)}\n`
    }
  )
})

export const logout = Effect.fn("logout")(function* () {
  const { context, server } = yield* Session.target()
  if (context === undefined) return yield* say(`nobody is signed in at ${server}`)
  const where = yield* places
  const lock = where.credentialsLock(context)
  yield* PrivateFiles.ensureDirectory(dirname(lock))
  const removed = yield* FileLock.exclusively(
    lock,
    Effect.gen(function* () {
      const credentials = yield* Credentials.load(context)
      yield* Credentials.remove(context)
      return credentials
    })
  )
  if (removed === null) return yield* say(`nobody is signed in in context ${context}`)
  if (removed.refreshToken !== null) {
    const told = yield* SignIn.revoke(removed, removed.refreshToken).pipe(
      Effect.catchTag("Failure", (failure) => Effect.as(warn(failure.message), false))
    )
    if (!told) yield* warn(`the issuer ${removed.issuer} was not told; its session there may last`)
  }
  yield* say(`signed out of context ${context}`)
})

export const whoami = Effect.fn("whoami")(function* () {
  const daemon = yield* Daemon.connect()
  const who = yield* daemon.call((client) => client.principals.me({}))
  const { context, server } = daemon
  const stored = context === undefined ? null : yield* Credentials.load(context)
  const isStored = stored !== null && Redacted.value(stored.accessToken) === Redacted.value(yield* daemon.token)
  const expiresAt = isStored ? stored.expiresAt : null
  yield* answer(
    { ...who, server, context: context ?? null, expiresAt },
    {
      ids: () => [who.identity],
      text: (_, { now, paint }) =>
        facts(
          [
            ["Who", me(who)],
            ["Identity", who.identity],
            ["Kind", roles(who)],
            ["Groups", who.groups.length === 0 ? "(none)" : who.groups.join(", ")],
            ["Read", Instant.show(who.groupsReadAt, now)],
            ["Owner", who.owner ?? undefined],
            ["Trust", `tier ${who.trustTier}`],
            ["Reviews", who.openReviews === 0 ? undefined : `${who.openReviews} break-glass to be reviewed`],
            ["Server", server],
            ["Context", context],
            ["Token", expiresAt === null ? undefined : `expires ${Instant.show(expiresAt, now)}, renewed by itself`]
          ],
          paint
        )
    }
  )
})
