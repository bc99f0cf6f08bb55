/**
 * One call to AWS over its SDK: one try, a limit of time, and its error in the port's words.
 *
 * The SDK's own repetitions are off: a repeat after a lost answer would hide that there are two sessions, and IAM's full
 * quota looks like throttling to the SDK. The engine tries again, later.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { AwsConfig } from "./AwsConfig.ts"
import * as AwsError from "./AwsError.ts"

/** Credentials for the daemon's own identity; the SDK's default chain when absent. */
export interface OwnCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** What every client of the SDK is made with. */
export const clientOptions = (config: AwsConfig) => ({
  region: config.region,
  maxAttempts: 1,
  ...(config.endpoint_url === undefined ? {} : { endpoint: config.endpoint_url }),
  requestHandler: {
    connectionTimeout: Math.min(5, config.timeout_seconds) * 1000,
    requestTimeout: config.timeout_seconds * 1000,
    throwOnRequestTimeout: true
  }
})

/** The daemon's own identity, for a client. */
export const identityOf = (own: OwnCredentials | undefined): { readonly credentials?: OwnCredentials } =>
  own === undefined ? {} : { credentials: own }

export type Call = <A>(
  doing: AwsError.Doing,
  run: (signal: AbortSignal) => Promise<A>
) => Effect.Effect<A, Provider.ProviderError>

export const make =
  (config: AwsConfig): Call =>
  (doing, run) =>
    Effect.tryPromise({ try: (signal) => run(signal), catch: (thrown) => AwsError.fromSdk(thrown, doing) }).pipe(
      Effect.timeoutOrElse({
        duration: config.timeout_seconds * 1000,
        orElse: () => Effect.fail(AwsError.outOfTime(config.timeout_seconds, doing))
      })
    )
