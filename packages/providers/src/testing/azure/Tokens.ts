/**
 * Entra ID's token endpoint, for client credentials with a secret or with a federated assertion
 * (https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
 *
 * A token is for one API and one client, and lasts an hour by the wall clock: the SDK renews by its own clock, which
 * nobody here can move.
 */
import { randomBytes } from "node:crypto"
import { Refusal } from "./Refusal.ts"

/** An application with a service principal in the tenant. */
export interface WireClient {
  readonly clientId: string
  /** Of its service principal. */
  readonly objectId: string
  readonly clientSecret?: string
  /** The assertion that a federated credential of it accepts. */
  readonly federatedToken?: string
  /** Actions of its role assignments in Azure, with wildcards: `Microsoft.Authorization/roleAssignments/write`. */
  readonly actions: ReadonlyArray<string>
  /** Where these are assigned; the root when absent. */
  readonly scopes?: ReadonlyArray<string>
  /** Application permissions of Graph: `User.Read.All`. */
  readonly graph: ReadonlyArray<string>
  /** A condition on its role assignments: the only roles and types of principals that it may assign. */
  readonly delegation?: { readonly roles: ReadonlyArray<string>; readonly principalTypes: ReadonlyArray<string> }
}

export type Api = "arm" | "graph"

export interface Tokens {
  readonly openIdConfiguration: (tenant: string) => object
  readonly token: (tenant: string, form: URLSearchParams) => object
  /** The client that a request's `Authorization` speaks for. */
  readonly callerOf: (authorization: string | undefined, api: Api) => WireClient
}

const lifetimeMillis = 3_599_000

export const make = (options: {
  readonly tenantId: string
  readonly clients: ReadonlyArray<WireClient>
  readonly wall: () => number
  readonly endpoints: () => { readonly login: string; readonly arm: string; readonly graph: string }
}): Tokens => {
  const issued = new Map<string, { readonly client: WireClient; readonly api: Api; readonly until: number }>()

  const ofTenant = (tenant: string): void => {
    if (tenant.toLowerCase() !== options.tenantId) {
      throw new Refusal(400, "invalid_request", `AADSTS90002: Tenant '${tenant}' not found.`)
    }
  }

  const clientOf = (form: URLSearchParams): WireClient => {
    const client = options.clients.find(({ clientId }) => clientId === form.get("client_id"))
    if (client === undefined) {
      throw new Refusal(400, "unauthorized_client", "AADSTS700016: Application was not found in the directory.")
    }
    const secret = form.get("client_secret")
    if (secret !== null) {
      if (secret !== client.clientSecret) {
        throw new Refusal(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
      }
      return client
    }
    if (form.get("client_assertion_type") !== "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
      throw new Refusal(400, "invalid_request", "AADSTS900144: The body must contain: 'client_assertion_type'.")
    }
    if (client.federatedToken === undefined || form.get("client_assertion") !== client.federatedToken) {
      throw new Refusal(401, "invalid_client", "AADSTS700213: No matching federated identity record found.")
    }
    return client
  }

  return {
    openIdConfiguration: (tenant) => {
      ofTenant(tenant)
      const base = `${options.endpoints().login}/${tenant}`
      return {
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
        response_types_supported: ["code"],
        subject_types_supported: ["pairwise"],
        id_token_signing_alg_values_supported: ["RS256"]
      }
    },
    token: (tenant, form) => {
      ofTenant(tenant)
      if (form.get("grant_type") !== "client_credentials") {
        throw new Refusal(400, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
      }
      const client = clientOf(form)
      const { arm, graph } = options.endpoints()
      // MSAL adds its own scopes to the one that was asked for.
      const asked = (form.get("scope") ?? "").split(" ").filter((scope) => scope.endsWith("/.default"))
      const api = asked.includes(`${arm}/.default`) ? "arm" : asked.includes(`${graph}/.default`) ? "graph" : null
      if (api === null || asked.length !== 1) {
        throw new Refusal(400, "invalid_scope", "AADSTS70011: The provided value for 'scope' is not valid.")
      }
      const token = randomBytes(48).toString("base64url")
      issued.set(token, { client, api, until: options.wall() + lifetimeMillis })
      return { token_type: "Bearer", expires_in: 3599, ext_expires_in: 3599, access_token: token }
    },
    callerOf: (authorization, api) => {
      const [scheme, token = ""] = (authorization ?? "").split(" ")
      const found = scheme === "Bearer" ? issued.get(token) : undefined
      if (found === undefined) {
        throw new Refusal(401, "InvalidAuthenticationToken", "The access token is invalid.")
      }
      if (found.until <= options.wall()) {
        throw new Refusal(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.")
      }
      if (found.api !== api) {
        throw new Refusal(
          401,
          "InvalidAuthenticationTokenAudience",
          "The access token has been obtained for wrong audience."
        )
      }
      return found.client
    }
  }
}
