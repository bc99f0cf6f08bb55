/** Google Cloud: a role under a condition that ends it, for an account of Alice's own whose token the program gets. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Ask, type Called, denying, leaking, type Platform, type Right } from "./Platform.ts"

interface Wire {
  readonly url: string
  readonly resources: ReadonlyArray<string>
  /** The daemon's identity, as a workload's environment describes it. */
  readonly credentials: object
}

interface State {
  readonly now: number
  readonly policies: Readonly<
    Record<
      string,
      {
        readonly bindings: ReadonlyArray<{
          readonly role: string
          readonly members: ReadonlyArray<string>
          readonly condition?: { readonly title: string; readonly expression: string }
        }>
      }
    >
  >
}

/** What only who has the role may do. */
const permissionOf: Readonly<Record<string, string>> = {
  "roles/storage.admin": "storage.objects.delete",
  "roles/compute.instanceAdmin.v1": "compute.instances.reset"
}

const variable = "CLOUDSDK_AUTH_ACCESS_TOKEN"

/** Where Alice's own tools look for Google. */
const endpoint = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER"

/** https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions, with the token handed out. */
const call = async ({ role, scope }: Ask): Promise<Called> => {
  const asked = permissionOf[role] ?? ""
  const answer = await fetch(`${process.env[endpoint]}/v3/${scope}:testIamPermissions`, {
    method: "POST",
    headers: { authorization: `Bearer ${process.env[variable]}`, "content-type": "application/json" },
    body: JSON.stringify({ permissions: [asked] })
  })
  const { permissions = [] }: { readonly permissions?: ReadonlyArray<string> } = JSON.parse(await answer.text())
  return answer.ok && permissions.includes(asked)
    ? { allowed: true, shown: `${asked} on ${scope}` }
    : { allowed: false, refused: answer.ok || answer.status === 403, shown: `no ${asked} on ${scope}` }
}

const rightsIn = (state: string): ReadonlyArray<Right> => {
  const { now, policies }: State = JSON.parse(state)
  return Object.entries(policies).flatMap(([resource, { bindings }]) =>
    bindings.flatMap(({ condition, members, role: bound }) => {
      const request = /^jitsudo-(req_\w{26})$/u.exec(condition?.title ?? "")?.[1]
      if (request === undefined) return []
      const end = /^request\.time < timestamp\("([^"]+)"\)$/u.exec(condition?.expression ?? "")?.[1] ?? ""
      return [
        { request, live: now < Date.parse(end), shown: `${bound} on ${resource} for ${members.join()} until ${end}` }
      ]
    })
  )
}

const write = "resourcemanager.projects.setIamPolicy"

export const platform: Platform = {
  name: "gcp",
  title: "Google Cloud",
  right: { one: "conditional binding", several: "conditional bindings" },
  server: "gcp-wire-main.ts",
  placeOf: (line, directory) => {
    const { credentials, resources, url }: Wire = JSON.parse(line)
    const [scope = ""] = resources
    const file = join(directory, "gcp-workload.json")
    writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 })
    return {
      url,
      shown: scope,
      section: {
        credentials: { external_account: file },
        resources,
        roles: Object.keys(permissionOf),
        members: [
          { email_domain: "example.test", member: "serviceAccount:jit-{local}@jitsudo-home.iam.gserviceaccount.com" }
        ],
        impersonate: {},
        endpoints: { resource_manager: url, iam: url, iam_credentials: url }
      },
      daemon: {},
      alice: { [endpoint]: url },
      asks: {
        first: { role: "roles/storage.admin", scope },
        // Of one role on one project a person's grants overlap: the end of one would take nothing from her.
        second: { role: "roles/compute.instanceAdmin.v1", scope },
        emergency: { role: "roles/storage.admin", scope }
      }
    }
  },
  does: "do what the role allows (testIamPermissions)",
  secrets: {
    where: [variable],
    here: async () => [process.env[variable]],
    files: [],
    plain: []
  },
  call,
  rightsIn,
  sabotages: {
    6: {
      what: "Google does not let the daemon write the project's policy",
      wire: [denying(write)]
    },
    7: leaking,
    8: {
      what: "Google lets the daemon write the project's policy no more once it has granted",
      wireBeforeEnd: [denying(write)]
    }
  }
}
