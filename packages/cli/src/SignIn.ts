/**
 * Signing in at an OpenID Connect issuer by the device flow, renewing and ending the sign-in. All of the protocol is
 * `openid-client`'s; loaded only when it is needed.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Configuration, TokenEndpointResponse } from "openid-client"
import type { Failure } from "./Failure.ts"
import { failed, misused, notSignedIn, reasonOf, refused, timedOut } from "./Failure.ts"
import * as ServerUrl from "./ServerUrl.ts"

const openid = Effect.promise(() => import("openid-client"))

export interface Client {
  readonly issuer: string
  readonly clientId: string
}

export interface Tokens {
  readonly accessToken: Redacted.Redacted<string>
  readonly refreshToken: Redacted.Redacted<string> | null
  /** RFC 3339. */
  readonly expiresAt: string
}

/** What a person needs to go on in a browser. */
export interface Device {
  readonly verificationUri: string
  /** The same with the code in it, where the issuer gives one. */
  readonly verificationUriComplete: string | null
  readonly userCode: string
  readonly expiresInSeconds: number
}

/** OAuth's own word for what went wrong, if the issuer said one. */
const oauthError = (error: unknown): { readonly code: string; readonly text: string } | undefined => {
  if (!(error instanceof Error) || !("error" in error) || typeof error.error !== "string") return undefined
  const text = "error_description" in error ? String(error.error_description ?? "") : ""
  return { code: error.error, text: text === "" ? error.error : `${text} (${error.error})` }
}

/** A client's own time-out, as the library names it. */
const isTimeout = (error: unknown): boolean =>
  error instanceof Error && (error.name === "TimeoutError" || ("code" in error && error.code === "OAUTH_TIMEOUT"))

const explain = (issuer: string, error: unknown): string => {
  const oauth = oauthError(error)
  if (oauth !== undefined) return oauth.text
  return isTimeout(error) ? `${issuer} does not answer (timed out)` : reasonOf(error)
}

const discover = Effect.fn("SignIn.discover")(function* (client: Client) {
  const library = yield* openid
  const url = yield* Effect.fromResult(ServerUrl.parseIssuer(client.issuer)).pipe(
    Effect.mapError((why) => misused(why))
  )
  const insecure = url.protocol === "http:" ? [library.allowInsecureRequests] : []
  const configuration = yield* Effect.tryPromise({
    try: () => library.discovery(url, client.clientId, undefined, library.None(), { execute: insecure, timeout: 15 }),
    catch: (error) =>
      failed(
        `cannot read what the issuer ${client.issuer} offers: ${explain(client.issuer, error)}`,
        "check --issuer and the network"
      )
  })
  return { library, configuration }
})

const tokensOf = (response: TokenEndpointResponse, now: number, before: Redacted.Redacted<string> | null): Tokens => ({
  accessToken: Redacted.make(response.access_token),
  // An issuer that does not rotate gives none with a refresh: the old one stays.
  refreshToken: response.refresh_token === undefined ? before : Redacted.make(response.refresh_token),
  expiresAt: new Date(now + (response.expires_in ?? 300) * 1000).toISOString()
})

/** Asks for a code, hands it to `show`, and waits until somebody has entered it. */
export const byDevice = Effect.fn("SignIn.byDevice")(function* <E, R>(
  client: Client,
  parameters: { readonly scope: string; readonly audience: string | null },
  show: (device: Device) => Effect.Effect<void, E, R>
) {
  const { configuration, library } = yield* discover(client)
  if (configuration.serverMetadata().device_authorization_endpoint === undefined) {
    return yield* failed(
      `the issuer ${client.issuer} has no device flow`,
      "allow the grant `urn:ietf:params:oauth:grant-type:device_code` there for this client, or set JITSUDO_TOKEN"
    )
  }
  const device = yield* Effect.tryPromise({
    try: () =>
      library.initiateDeviceAuthorization(configuration, {
        scope: parameters.scope,
        ...(parameters.audience === null ? {} : { audience: parameters.audience })
      }),
    catch: (error) => failed(`the issuer ${client.issuer} gives no code: ${explain(client.issuer, error)}`)
  })
  yield* show({
    verificationUri: device.verification_uri,
    verificationUriComplete: device.verification_uri_complete ?? null,
    userCode: device.user_code,
    expiresInSeconds: device.expires_in
  })
  const response = yield* Effect.tryPromise({
    try: (signal) => library.pollDeviceAuthorizationGrant(configuration, device, {}, { signal }),
    catch: (error): Failure => {
      const code = oauthError(error)?.code
      if (code === "access_denied") return refused("the sign-in was refused in the browser")
      if (code === "expired_token" || (error instanceof Error && "code" in error && error.code === "OAUTH_TIMEOUT")) {
        return timedOut("the code was not entered in time", "run `jitsudo login` again")
      }
      return failed(`the sign-in did not work: ${explain(client.issuer, error)}`)
    }
  })
  return tokensOf(response, yield* Clock.currentTimeMillis, null)
})

/** New tokens for the same sign-in. Fails with exit code 3 when the sign-in is over. */
export const refresh = Effect.fn("SignIn.refresh")(function* (
  client: Client & { readonly audience: string | null },
  refreshToken: Redacted.Redacted<string>
) {
  const { configuration, library } = yield* discover(client)
  const response = yield* Effect.tryPromise({
    try: () =>
      library.refreshTokenGrant(
        configuration,
        Redacted.value(refreshToken),
        client.audience === null ? {} : { audience: client.audience }
      ),
    catch: (error) =>
      oauthError(error)?.code === "invalid_grant"
        ? notSignedIn(`the sign-in at ${client.issuer} is over`, "run `jitsudo login`")
        : failed(`the sign-in cannot be renewed at ${client.issuer}: ${explain(client.issuer, error)}`)
  })
  return tokensOf(response, yield* Clock.currentTimeMillis, refreshToken)
})

/** Tells the issuer that the sign-in is over, where it can be told. False where it cannot. */
export const revoke = Effect.fn("SignIn.revoke")(function* (client: Client, refreshToken: Redacted.Redacted<string>) {
  const { configuration, library } = yield* discover(client)
  if (!canRevoke(configuration)) return false
  yield* Effect.tryPromise({
    try: () =>
      library.tokenRevocation(configuration, Redacted.value(refreshToken), { token_type_hint: "refresh_token" }),
    catch: (error) => failed(`${client.issuer} did not take the sign-in back: ${explain(client.issuer, error)}`)
  })
  return true
})

const canRevoke = (configuration: Configuration): boolean =>
  configuration.serverMetadata().revocation_endpoint !== undefined

export const issuerResult = (text: string): Result.Result<string, string> =>
  Result.map(ServerUrl.parseIssuer(text), (url) => url.href.replace(/\/$/u, ""))
