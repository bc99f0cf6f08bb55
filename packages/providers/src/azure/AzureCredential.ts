/**
 * The daemon's own identity, as the configuration says where to take it from.
 *
 * The tenant and the authority are always the configured ones. At an authority that is not Microsoft's (a test, a private
 * cloud) the instance is not looked up at Microsoft's public endpoint.
 */
import type { TokenCredential } from "@azure/identity"
import * as Redacted from "effect/Redacted"
import { type AzureConfig, endpointsOf } from "./AzureConfig.ts"
import type { AzureSdk } from "./AzureSdk.ts"

export const make = (identity: AzureSdk["identity"], config: AzureConfig): TokenCredential => {
  const shared = {
    authorityHost: endpointsOf(config).login,
    disableInstanceDiscovery: config.endpoints !== undefined,
    retryOptions: { maxRetries: 0 }
  }
  const clientId = config.client_id
  switch (config.credentials) {
    case "client_secret":
      return new identity.ClientSecretCredential(
        config.tenant_id,
        clientId ?? "",
        config.client_secret === undefined ? "" : Redacted.value(config.client_secret),
        shared
      )
    case "workload_identity":
      return new identity.WorkloadIdentityCredential({
        ...shared,
        tenantId: config.tenant_id,
        ...(clientId === undefined ? {} : { clientId }),
        ...(config.federated_token_path === undefined ? {} : { tokenFilePath: config.federated_token_path })
      })
    case "managed_identity":
      return new identity.ManagedIdentityCredential({ ...shared, ...(clientId === undefined ? {} : { clientId }) })
    case "default":
      return new identity.DefaultAzureCredential({
        ...shared,
        tenantId: config.tenant_id,
        ...(clientId === undefined ? {} : { managedIdentityClientId: clientId, workloadIdentityClientId: clientId })
      })
  }
}
