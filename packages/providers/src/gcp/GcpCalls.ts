/**
 * The calls to Google, each with its limit of time, one try, and its errors in the port's words.
 *
 * 1. Policies go through the official client of Resource Manager v3 over REST. Its own repetitions are off: a repeated
 *    `setIamPolicy` after a lost answer would only meet its own change as a conflict.
 * 2. A policy is always read and written in version 3: in any other, Google hides conditions
 *    (https://cloud.google.com/iam/docs/policies#versions). Bindings and etag are all that is written.
 * 3. Looking a role up and issuing an access token have no client of Google's for Node that fits (ADR 28): they are one
 *    request each, sent by the library that signs in.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { Binding } from "./ConditionalBinding.ts"
import * as GcpAuth from "./GcpAuth.ts"
import type { GcpConfig } from "./GcpConfig.ts"
import * as GcpError from "./GcpError.ts"
import type { GcpSdk, PolicyClient, SdkPolicy } from "./GcpSdk.ts"
import type { Policy } from "./PolicyEdit.ts"
import * as ResourceName from "./ResourceName.ts"

/** A role as Google describes it. */
export interface RoleFacts {
  readonly deleted: boolean
  /** `GA`, `BETA`, `DISABLED`, ... */
  readonly stage: string
}

/** An access token. Secret. */
export interface Token {
  readonly accessToken: string
  /** Epoch milliseconds, by Google's clock. */
  readonly expiresAt: number
}

export interface GcpCalls {
  readonly getPolicy: (resource: string) => Effect.Effect<Policy, Provider.ProviderError>
  /** Replaces the bindings, if nobody was faster; gives the etag after it. `conflict` when somebody was. */
  readonly setPolicy: (resource: string, policy: Policy) => Effect.Effect<string | Conflict, Provider.ProviderError>
  /** Which of these permissions the daemon has. */
  readonly testPermissions: (
    resource: string,
    permissions: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<string>, Provider.ProviderError>
  readonly getRole: (role: string) => Effect.Effect<RoleFacts, Provider.ProviderError>
  readonly accessToken: (
    account: string,
    seconds: number,
    scopes: ReadonlyArray<string>
  ) => Effect.Effect<Token, Provider.ProviderError>
  /** Signs in and does nothing. */
  readonly signIn: Effect.Effect<void, Provider.ProviderError>
}

/** Somebody changed the policy in between; nothing was written. */
export interface Conflict {
  readonly conflict: Provider.ProviderError
}

type SdkCondition = NonNullable<NonNullable<SdkPolicy["bindings"]>[number]["condition"]>

const hosts = {
  resource_manager: "https://cloudresourcemanager.googleapis.com",
  iam: "https://iam.googleapis.com",
  iam_credentials: "https://iamcredentials.googleapis.com"
} as const

const once = { retry: { retryCodes: [] } }

const conditionOf = ({ description, expression, location, title }: SdkCondition) => ({
  expression: expression ?? "",
  title: title ?? "",
  ...(description == null || description === "" ? {} : { description }),
  ...(location == null || location === "" ? {} : { location })
})

const bindingsOf = ({ bindings }: SdkPolicy): ReadonlyArray<Binding> =>
  (bindings ?? []).map(({ condition, members, role }) => ({
    role: role ?? "",
    members: members ?? [],
    ...(condition == null ? {} : { condition: conditionOf(condition) })
  }))

const etagOf = ({ etag }: SdkPolicy): string =>
  etag == null ? "" : typeof etag === "string" ? etag : Buffer.from(etag).toString("base64")

const without = (field: string): Error => new Error(`the answer has no ${field}`)

export const make = (sdk: GcpSdk, config: GcpConfig, own: GcpAuth.OwnCredentials | undefined): GcpCalls => {
  const auth = GcpAuth.make(sdk.auth, config, own)
  const { resource_manager: manager, ...others } = { ...hosts, ...config.endpoints }
  const { hostname, port, protocol } = new URL(manager)
  // google-gax declares `auth` by a class of its own version of the library: the same methods, another type.
  const signedIn: object = { auth: auth.google }
  const clients = new Map<ResourceName.Kind, PolicyClient>()
  const classes = {
    projects: sdk.resourceManager.ProjectsClient,
    folders: sdk.resourceManager.FoldersClient,
    organizations: sdk.resourceManager.OrganizationsClient
  }

  /**
   * The client for a resource. Signing in comes first: a client that cannot get a token at its first call stays broken
   * and leaves a rejection that nobody handles, which ends a Node process.
   */
  const clientFor = async (resource: string): Promise<PolicyClient> => {
    const { universeDomain } = await auth.signIn()
    const kind = ResourceName.kindOf(resource)
    const known = clients.get(kind)
    if (known !== undefined) return known
    const client = new classes[kind]({
      ...signedIn,
      universeDomain,
      fallback: "rest",
      apiEndpoint: hostname,
      protocol: protocol.replace(":", ""),
      port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port)
    })
    clients.set(kind, client)
    return client
  }

  const call = <A>(doing: GcpError.Doing, run: () => Promise<A>): Effect.Effect<A, Provider.ProviderError> =>
    Effect.tryPromise({
      try: (signal) => GcpAuth.callWith(signal, run),
      catch: (thrown) => GcpError.fromSdk(thrown, doing)
    }).pipe(
      Effect.timeoutOrElse({
        duration: config.timeout_seconds * 1000,
        orElse: () => Effect.fail(GcpError.outOfTime(config.timeout_seconds, doing))
      })
    )

  /** A call that changes nothing, however it ends. */
  const look = <A>(doing: GcpError.Doing, run: () => Promise<A>): Effect.Effect<A, Provider.ProviderError> =>
    Effect.mapError(call(doing, run), GcpError.withoutEffect)

  return {
    getPolicy: (resource) =>
      look({ action: ResourceName.permissionOn(resource, "getIamPolicy"), on: resource }, async () => {
        const client = await clientFor(resource)
        const [policy] = await client.getIamPolicy({ resource, options: { requestedPolicyVersion: 3 } }, once)
        const etag = etagOf(policy)
        // Without it a write would replace whatever somebody else wrote in between.
        if (etag === "") throw without("etag")
        return { etag, bindings: bindingsOf(policy) }
      }),
    setPolicy: (resource, { bindings, etag }) =>
      call({ action: ResourceName.permissionOn(resource, "setIamPolicy"), on: resource }, async () => {
        const policy = {
          version: 3,
          etag: Buffer.from(etag, "base64"),
          bindings: bindings.map(({ condition, members, role }) => ({
            role,
            members: [...members],
            ...(condition === undefined ? {} : { condition })
          }))
        }
        const client = await clientFor(resource)
        const [written] = await client.setIamPolicy({ resource, policy }, once)
        return etagOf(written)
      }).pipe(
        Effect.catchTag("ProviderError", (failure) =>
          failure.reason === "ProviderConflict" ? Effect.succeed({ conflict: failure }) : Effect.fail(failure)
        )
      ),
    testPermissions: (resource, permissions) =>
      look({ action: "testIamPermissions", on: resource }, async () => {
        const client = await clientFor(resource)
        const [answer] = await client.testIamPermissions({ resource, permissions: [...permissions] }, once)
        return answer.permissions ?? []
      }),
    getRole: (role) =>
      look({ action: "iam.roles.get", on: role }, async () => {
        const response = await auth.google.fetch<{ deleted?: boolean; stage?: string }>(`${others.iam}/v1/${role}`, {
          method: "GET"
        })
        return { deleted: response.data.deleted === true, stage: response.data.stage ?? "ALPHA" }
      }),
    accessToken: (account, seconds, scopes) =>
      // A token that nobody got the answer for is nobody's, and its account has no right yet.
      look({ action: "iam.serviceAccounts.getAccessToken", on: account }, async () => {
        const response = await auth.google.fetch<{ accessToken?: string; expireTime?: string }>(
          `${others.iam_credentials}/v1/projects/-/serviceAccounts/${account}:generateAccessToken`,
          {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify({ scope: scopes, lifetime: `${seconds}s` })
          }
        )
        const { accessToken, expireTime } = response.data
        const expiresAt = Date.parse(expireTime ?? "")
        if (accessToken === undefined || Number.isNaN(expiresAt)) throw without("token")
        return { accessToken, expiresAt }
      }),
    signIn: Effect.asVoid(look({ action: "sign in", on: "Google" }, auth.signIn))
  }
}
