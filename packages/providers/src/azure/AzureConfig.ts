/**
 * The `providers.azure` section of the daemon's configuration.
 *
 * 1. Scopes and roles that jitsudo may touch are listed; nothing is allowed by leaving it out.
 * 2. Every key has an effect, and a key that does not go with the others is refused: a secret with another kind of
 *    credentials, a private cloud's endpoint without TLS.
 * 3. With `pim` Azure itself ends what it grants (Privileged Identity Management, which needs Entra ID P2 or Entra ID
 *    Governance). Without, jitsudo takes the role assignment away when its time is over.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ArmScope from "./ArmScope.ts"
import * as AzureRole from "./AzureRole.ts"

const guid = Schema.String.check(Schema.makeFilter((text) => ArmScope.isGuid(text) || "must be a GUID"))
const seconds = (minimum: number, maximum: number, fallback: number) =>
  Schema.Int.check(Schema.isBetween({ minimum, maximum })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(fallback))
  )
const endpoint = Schema.String.check(Schema.isPattern(/^https:\/\/[^\s/?#@]+(\/[\w.-]+)*$/u))

/** What somebody's requests are granted to, when it is not the user that their e-mail address names. */
const Principal = Schema.Struct({
  /** The requester's verified e-mail address, or their subject at the issuer. */
  requester: Schema.NonEmptyString,
  /** The object id of a user, group or service principal in the tenant. */
  object_id: guid,
  type: Schema.Literals(["user", "group", "service_principal"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user" as const))
  )
})

export const AzureConfig = Schema.Struct({
  /** The Entra ID tenant: its GUID. */
  tenant_id: guid,
  /** Where the daemon's own identity comes from; `default` is the SDK's chain (environment, workload, managed). */
  credentials: Schema.Literals(["default", "workload_identity", "managed_identity", "client_secret"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("default" as const))
  ),
  /** The application (client) id of the daemon's identity. */
  client_id: Schema.optionalKey(guid),
  /** Only with `client_secret`. */
  client_secret: Schema.optionalKey(Schema.RedactedFromValue(Schema.NonEmptyString, { label: "client_secret" })),
  /** Only with `workload_identity`: where the federated token is; `AZURE_FEDERATED_TOKEN_FILE` when absent. */
  federated_token_path: Schema.optionalKey(Schema.NonEmptyString),
  /** Scopes that may be asked for: subscription ids and ARM paths, each alone or with `/*` for all below. */
  scopes: Schema.NonEmptyArray(Schema.NonEmptyString),
  /** Roles that may be asked for: exact names with `*` and `?`, or definitions' GUIDs. */
  roles: Schema.NonEmptyArray(Schema.NonEmptyString),
  /** Grant through Privileged Identity Management, so that Azure ends it by itself. */
  pim: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false))),
  /** How the requester is found in the directory: their e-mail as `upn` or `mail`, or their subject as `object_id`. */
  lookup: Schema.Literals(["upn", "mail", "object_id"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("upn" as const))
  ),
  /** What an object id may belong to, with `lookup: object_id`; each adds a permission of Graph. */
  object_types: Schema.NonEmptyArray(Schema.Literals(["user", "group", "service_principal"])).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(["user" as const]))
  ),
  /** Requesters who get their rights under another identity: an admin account, a team's group, an agent. */
  principals: Schema.Array(Principal).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([]))),
  /** The longest grant that may be asked for. */
  max_duration_seconds: seconds(300, 2_592_000, 28_800),
  cloud: Schema.Literals(["public", "usgov", "china"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("public" as const))
  ),
  /** Other endpoints than the cloud's: a private link, a test. */
  endpoints: Schema.optionalKey(
    Schema.Struct({
      /** Entra ID's authority. */
      login: endpoint,
      graph: endpoint,
      arm: endpoint
    })
  ),
  /** Longest time for one call of this provider. */
  timeout_seconds: seconds(1, 120, 10),
  /** Longest time to wait for PIM to carry out what it accepted. */
  settle_seconds: seconds(1, 120, 15)
})
export type AzureConfig = typeof AzureConfig.Type

export interface Endpoints {
  readonly login: string
  readonly graph: string
  readonly arm: string
}

/** https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud */
const clouds: Readonly<Record<AzureConfig["cloud"], Endpoints>> = {
  public: {
    login: "https://login.microsoftonline.com",
    graph: "https://graph.microsoft.com",
    arm: "https://management.azure.com"
  },
  usgov: {
    login: "https://login.microsoftonline.us",
    graph: "https://graph.microsoft.us",
    arm: "https://management.usgovcloudapi.net"
  },
  china: {
    login: "https://login.chinacloudapi.cn",
    graph: "https://microsoftgraph.chinacloudapi.cn",
    arm: "https://management.chinacloudapi.cn"
  }
}

export const endpointsOf = (config: AzureConfig): Endpoints => config.endpoints ?? clouds[config.cloud]

const wrong = (key: string, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "azure", key, message })

/** What the schema cannot say; null when the configuration is sound. */
export const whyNotConfig = (config: AzureConfig): ProviderPlugin.ProviderConfigError | null => {
  const badScope = config.scopes.find((written) => ArmScope.entryOf(written) === null)
  if (badScope !== undefined) {
    return wrong(
      "scopes",
      `${badScope} is no scope: give a subscription's id or an ARM path (/subscriptions/<id>/resourceGroups/<name>), with /* for all below; / and management groups only by themselves`
    )
  }
  const secret = config.credentials === "client_secret"
  if (secret && (config.client_id === undefined || config.client_secret === undefined)) {
    return wrong(
      config.client_id === undefined ? "client_id" : "client_secret",
      "is needed with credentials: client_secret"
    )
  }
  if (!secret && config.client_secret !== undefined) {
    return wrong("client_secret", `has no effect with credentials: ${config.credentials}; remove it or change that`)
  }
  if (config.federated_token_path !== undefined && config.credentials !== "workload_identity") {
    return wrong(
      "federated_token_path",
      `has no effect with credentials: ${config.credentials}; it goes with workload_identity`
    )
  }
  if (config.endpoints !== undefined && config.cloud !== "public") {
    return wrong("cloud", "has no effect beside `endpoints`; remove one of them")
  }
  const twice = config.principals.find(
    ({ requester }, index) => config.principals.findIndex((one) => one.requester === requester) !== index
  )
  if (twice !== undefined) return wrong("principals", `${twice.requester} is listed twice`)
  const doubtful = config.roles.find((written) => written !== written.trim())
  return doubtful === undefined ? null : wrong("roles", `${AzureRole.canonical(doubtful.trim())} has spaces around it`)
}
