/**
 * The daemon's own identity, and how every request of this provider leaves: signed in, once, and cut off when the call
 * is.
 *
 * 1. Signing in comes first and apart: when it fails, nothing of what was asked for has been sent (`SignInFailed`).
 * 2. A 401 is answered by signing in anew, once: Google performed nothing. There is no other repetition.
 * 3. The generated clients know no AbortSignal; the signal of the call that runs (`callWith`) reaches their requests
 *    through the asynchronous context.
 */
import { AsyncLocalStorage } from "node:async_hooks"
import type { GoogleAuth, GoogleAuthOptions } from "google-auth-library"
import type { GcpConfig } from "./GcpConfig.ts"
import type { GcpSdk } from "./GcpSdk.ts"

/** The daemon could not sign in: the request that needed it was not sent. */
export class SignInFailed extends Error {
  override readonly cause: unknown
  constructor(cause: unknown) {
    super("signing in to Google failed")
    this.name = "SignInFailed"
    this.cause = cause
  }
}

/** What Google's libraries take as credentials in JSON. */
export type OwnCredentials = NonNullable<GoogleAuthOptions["credentials"]>

const scope = "https://www.googleapis.com/auth/cloud-platform"

const calls = new AsyncLocalStorage<AbortSignal>()

/**
 * The library would look for a project of its own, with Application Default Credentials by asking Resource Manager for
 * one that the daemon may not read. Nothing here uses it; requests name their resources.
 */
const projectId = "unused"

/** Run what sends requests so that they end when the signal says so. */
export const callWith = <A>(signal: AbortSignal, run: () => Promise<A>): Promise<A> => calls.run(signal, run)

const sourceOf = (config: GcpConfig, own: OwnCredentials | undefined): GoogleAuthOptions => {
  if (own !== undefined) return { credentials: own }
  if (config.credentials === "application_default") return {}
  return {
    keyFilename:
      "service_account_key" in config.credentials
        ? config.credentials.service_account_key
        : config.credentials.external_account
  }
}

const statusOf = (thrown: unknown): unknown =>
  thrown instanceof Error && "status" in thrown ? thrown.status : undefined

export interface Auth {
  /** Sends signed-in requests. */
  readonly google: GoogleAuth
  /** Signs in, or finds that it still is; fails with `SignInFailed`. Gives the universe that the identity lives in. */
  readonly signIn: () => Promise<{ readonly universeDomain: string }>
}

/** One signed-in sender for all clients of a provider. */
export const make = (sdk: GcpSdk["auth"], config: GcpConfig, own: OwnCredentials | undefined): Auth => {
  type Fetch = Parameters<GoogleAuth["fetch"]>

  class SignedIn extends sdk.GoogleAuth {
    override async fetch<T>(...args: Fetch) {
      const client = await this.signedIn()
      const signal = calls.getStore()
      const cut = signal === undefined ? {} : { signal }
      const [input, init] = args
      const send = () =>
        typeof input === "string" || input instanceof URL || input instanceof Request
          ? client.fetch<T>(input, { ...init, ...cut })
          : client.fetch<T>({ ...input, ...cut })
      try {
        return await send()
      } catch (thrown) {
        if (statusOf(thrown) !== 401) throw thrown
        client.setCredentials({ ...client.credentials, expiry_date: 1 })
        await this.signedIn()
        return await send()
      }
    }

    /** The client with a token in hand. */
    async signedIn() {
      try {
        const client = await this.getClient()
        await client.getRequestHeaders()
        return client
      } catch (thrown) {
        throw new SignInFailed(thrown)
      }
    }
  }

  const google = new SignedIn({ ...sourceOf(config, own), projectId, scopes: [scope] })
  // A service account with a key signs its own tokens (https://google.aip.dev/auth/4111), as the generated clients do.
  google.useJWTAccessWithScope = true
  return { google, signIn: () => google.signedIn() }
}
