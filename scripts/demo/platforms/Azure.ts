/** Azure: a role assignment for Alice herself. Nothing is handed out: she is signed in there as she always is. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Ask, type Called, denying, type Platform, type Right } from "./Platform.ts"

interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly objectId: string
}

interface Wire extends Omit<Client, "objectId"> {
  readonly url: string
  readonly certificate: string
  readonly endpoints: { readonly login: string; readonly graph: string; readonly arm: string }
  readonly tenantId: string
  readonly people: ReadonlyArray<Client>
  readonly scopes: ReadonlyArray<string>
}

interface State {
  readonly assignments: ReadonlyArray<{
    readonly scope: string
    readonly principalId: string
    readonly description: string | null
  }>
}

/** Where Alice's own tools look for Azure Resource Manager. */
const resourceManager = "AZURE_RESOURCE_MANAGER"

/** By the official SDKs, as Alice in the tenant that the program was told of. */
const call = async ({ scope }: Ask): Promise<Called> => {
  const { EnvironmentCredential } = await import("@azure/identity")
  const { AuthorizationManagementClient } = await import("@azure/arm-authorization")
  const endpoint = process.env[resourceManager] ?? ""
  const retryOptions = { maxRetries: 0 }
  const signedIn = new EnvironmentCredential({ disableInstanceDiscovery: true, retryOptions })
  const azure = new AuthorizationManagementClient(signedIn, process.env["AZURE_SUBSCRIPTION_ID"] ?? "", {
    endpoint,
    $host: endpoint,
    credentialScopes: `${endpoint}/.default`,
    retryOptions
  })
  try {
    let count = 0
    // The SDK puts a slash before the scope.
    for await (const _ of azure.roleAssignments.listForScope(scope.slice(1))) count += 1
    return { allowed: true, shown: `${count} role assignments at ${scope}` }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const status = "statusCode" in error ? error.statusCode : undefined
    return { allowed: false, refused: status === 403, shown: `${error.name}, status ${String(status)}` }
  }
}

const rightsIn = (state: string): ReadonlyArray<Right> => {
  const { assignments }: State = JSON.parse(state)
  return assignments.flatMap(({ description, principalId, scope }) =>
    [...(description ?? "").matchAll(/\bjitsudo:(req_\w{26})\b/gu)].map(([, request = ""]) => ({
      request,
      live: true,
      shown: `one of ${principalId} at ${scope}`
    }))
  )
}

const assignments = "Microsoft.Authorization/roleAssignments"

export const platform: Platform = {
  name: "azure",
  title: "Azure",
  right: { one: "role assignment", several: "role assignments" },
  server: "azure-wire-main.ts",
  placeOf: (line, directory) => {
    const { certificate, clientId, clientSecret, endpoints, people, scopes, tenantId, url }: Wire = JSON.parse(line)
    const [alice] = people
    const [payments = "", shop = ""] = scopes.filter((scope) => scope.includes("/resourcegroups/"))
    const authorities = join(directory, "azure-certificate.pem")
    writeFileSync(authorities, certificate, { mode: 0o600 })
    return {
      url,
      shown: `tenant ${tenantId}`,
      section: {
        tenant_id: tenantId,
        scopes: [payments, shop],
        roles: ["Contributor"],
        principals: [{ requester: "alice@example.test", object_id: alice?.objectId }],
        endpoints
      },
      daemon: {
        AZURE_TENANT_ID: tenantId,
        AZURE_CLIENT_ID: clientId,
        AZURE_CLIENT_SECRET: clientSecret,
        NODE_EXTRA_CA_CERTS: authorities
      },
      alice: {
        AZURE_CLIENT_ID: alice?.clientId ?? "",
        AZURE_CLIENT_SECRET: alice?.clientSecret ?? "",
        AZURE_AUTHORITY_HOST: endpoints.login,
        [resourceManager]: endpoints.arm,
        NODE_EXTRA_CA_CERTS: authorities
      },
      asks: {
        first: { role: "Contributor", scope: payments },
        // Two grants of one role at one scope are one assignment, which lasts until the later one ends.
        second: { role: "Contributor", scope: shop },
        emergency: { role: "Contributor", scope: payments }
      }
    }
  },
  does: "read at that scope (roleAssignments/read)",
  secrets: { where: [], here: async () => [], files: [], plain: ["AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"] },
  call,
  rightsIn,
  sabotages: {
    6: {
      what: "Azure does not let the daemon assign a role",
      wire: [denying(`${assignments}/write`)]
    },
    7: {
      what: "Alice's own sign-in at Azure is none any more",
      own: { AZURE_CLIENT_SECRET: "none" }
    },
    8: {
      what: "Azure does not let the daemon remove an assignment",
      wireBeforeEnd: [denying(`${assignments}/delete`)]
    }
  }
}
