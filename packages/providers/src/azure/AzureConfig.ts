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
  requester: Schema.NonEmptyString.pipe(
    Schema.annotateKey({ description: "The requester's verified e-mail address; with `issuer`, their subject there." })
  ),
  issuer: Schema.optionalKey(Schema.NonEmptyString).pipe(
    Schema.annotateKey({ description: "Who issued the subject: a subject means nothing anywhere else." })
  ),
  object_id: guid.pipe(
    Schema.annotateKey({ description: "The object id of a user, group or service principal in the tenant." })
  ),
  type: Schema.Literals(["user", "group", "service_principal"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user" as const)),
    Schema.annotateKey({ description: "Whether that is a user, a group or a service principal." })
  )
})

export const AzureConfig = Schema.Struct({
  tenant_id: guid.pipe(Schema.annotateKey({ description: "The Entra ID tenant: its GUID." })),
  credentials: Schema.Literals(["default", "workload_identity", "managed_identity", "client_secret"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("default" as const)),
    Schema.annotateKey({
      description:
        "Where the daemon's own identity comes from; `default` is the SDK's chain (environment, workload, managed)."
    })
  ),
  client_id: Schema.optionalKey(guid).pipe(
    Schema.annotateKey({ description: "The application (client) id of the daemon's identity." })
  ),
  client_secret: Schema.optionalKey(Schema.RedactedFromValue(Schema.NonEmptyString, { label: "client_secret" })).pipe(
    Schema.annotateKey({ description: "The secret of that application; only with `credentials: client_secret`." })
  ),
  federated_token_path: Schema.optionalKey(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description:
        "Only with `credentials: workload_identity`: where the federated token is; `AZURE_FEDERATED_TOKEN_FILE` when absent."
    })
  ),
  scopes: Schema.NonEmptyArray(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description:
        "Scopes that may be asked for: subscription ids and ARM paths, each alone or with `/*` for all below."
    })
  ),
  roles: Schema.NonEmptyArray(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description: "Roles that may be asked for: exact names with `*` and `?`, or definitions' GUIDs."
    })
  ),
  pim: Schema.Boolean.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(false)),
    Schema.annotateKey({
      description: "Grant through Privileged Identity Management, so that Azure ends it by itself."
    })
  ),
  lookup: Schema.Literals(["upn", "mail", "object_id"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("upn" as const)),
    Schema.annotateKey({
      description:
        "How the requester is found in the directory: their e-mail as `upn` or `mail`, or their subject as `object_id`."
    })
  ),
  object_id_issuer: Schema.optionalKey(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description: "Whose subjects are object ids, with `lookup: object_id`; the tenant's own issuers when absent."
    })
  ),
  object_types: Schema.NonEmptyArray(Schema.Literals(["user", "group", "service_principal"])).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(["user" as const])),
    Schema.annotateKey({
      description: "What an object id may belong to, with `lookup: object_id`; each adds a permission of Graph."
    })
  ),
  principals: Schema.Array(Principal).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed([])),
    Schema.annotateKey({
      description: "Requesters who get their rights under another identity: an admin account, a team's group, an agent."
    })
  ),
  max_duration_seconds: seconds(300, 2_592_000, 28_800).pipe(
    Schema.annotateKey({ description: "The longest grant that may be asked for." })
  ),
  cloud: Schema.Literals(["public", "usgov", "china"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("public" as const)),
    Schema.annotateKey({ description: "Which of Azure's clouds the tenant is in." })
  ),
  endpoints: Schema.optionalKey(
    Schema.Struct({
      login: endpoint.pipe(
        Schema.annotateKey({ description: "Entra ID's authority, where people and programs sign in." })
      ),
      graph: endpoint.pipe(Schema.annotateKey({ description: "Microsoft Graph, where people are found." })),
      arm: endpoint.pipe(Schema.annotateKey({ description: "Azure Resource Manager." }))
    })
  ).pipe(Schema.annotateKey({ description: "Other endpoints than the cloud's: a private link, a test." })),
  timeout_seconds: seconds(1, 120, 10).pipe(
    Schema.annotateKey({ description: "Longest time for one call of this provider." })
  ),
  settle_seconds: seconds(1, 120, 15).pipe(
    Schema.annotateKey({ description: "Longest time to wait for PIM to carry out what it accepted." })
  )
})
export type AzureConfig = typeof AzureConfig.Type

/** What two sections must not have in common: a subscription, or a scope above all of them. */
export const territory = ({ scopes, tenant_id: tenant }: AzureConfig): ReadonlyArray<string> => [
  ...new Set(
    scopes.map((written) => {
      const scope = ArmScope.entryOf(written)?.scope ?? written
      return `${ArmScope.subscriptionOf(scope) ?? scope} in the tenant ${tenant}`
    })
  )
]

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

/** Who may say that a subject is an object id of the tenant (https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference, `iss`). */
export const objectIdIssuersOf = (config: AzureConfig): ReadonlyArray<string> =>
  config.object_id_issuer === undefined
    ? [`${endpointsOf(config).login}/${config.tenant_id}/v2.0`, `https://sts.windows.net/${config.tenant_id}/`]
    : [config.object_id_issuer]

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
  if (config.object_id_issuer !== undefined && config.lookup !== "object_id") {
    return wrong("object_id_issuer", `has no effect with lookup: ${config.lookup}; it goes with object_id`)
  }
  const nameless = config.principals.find(({ issuer, requester }) => issuer === undefined && !requester.includes("@"))
  if (nameless !== undefined) {
    return wrong(
      "principals",
      `${nameless.requester} is no e-mail address; a subject needs the \`issuer\` that it is of`
    )
  }
  const twice = config.principals.find(
    ({ issuer, requester }, index) =>
      config.principals.findIndex((one) => one.requester === requester && one.issuer === issuer) !== index
  )
  if (twice !== undefined) return wrong("principals", `${twice.requester} is listed twice`)
  const doubtful = config.roles.find((written) => written !== written.trim())
  return doubtful === undefined ? null : wrong("roles", `${AzureRole.canonical(doubtful.trim())} has spaces around it`)
}
