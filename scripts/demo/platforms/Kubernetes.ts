/** Kubernetes: an account made for each request, bound to the role; its kubeconfig is the program's alone. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Called, denying, leaking, type Platform, type Right } from "./Platform.ts"

interface Wire {
  readonly url: string
  /** The daemon's. */
  readonly token: string
  readonly namespaces: ReadonlyArray<string>
  readonly roles: ReadonlyArray<string>
  readonly serviceAccountNamespace: string
}

interface Kept {
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly roleRef?: { readonly name: string }
  readonly subjects?: ReadonlyArray<{ readonly kind: string; readonly name: string; readonly namespace?: string }>
}

interface State {
  readonly objects: Readonly<Record<string, ReadonlyArray<Kept>>>
}

/** The program's kubeconfig, by the official client. */
const own = async () => {
  const { CoreV1Api, KubeConfig } = await import("@kubernetes/client-node")
  const config = new KubeConfig()
  config.loadFromDefault()
  return {
    token: config.getCurrentUser()?.token,
    namespace: config.getContextObject(config.currentContext)?.namespace ?? "",
    core: config.makeApiClient(CoreV1Api)
  }
}

const call = async (): Promise<Called> => {
  const { core, namespace } = await own()
  try {
    const { items } = await core.listNamespacedServiceAccount({ namespace })
    return { allowed: true, shown: `${items.length} accounts in ${namespace}` }
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error
    const { code } = error
    return { allowed: false, refused: code === 401 || code === 403, shown: `status ${code}` }
  }
}

/** A binding binds somebody only while its account is there. */
const rightsIn = (state: string): ReadonlyArray<Right> => {
  const { objects }: State = JSON.parse(state)
  const isThere = (name: string, namespace: string | undefined): boolean =>
    objects["serviceaccounts"]?.some(({ metadata }) => metadata.name === name && metadata.namespace === namespace) ===
    true
  return [...(objects["rolebindings"] ?? []), ...(objects["clusterrolebindings"] ?? [])].flatMap((binding) => {
    const { labels, name, namespace } = binding.metadata
    const request = labels?.["jitsudo.dev/request-id"]
    if (request === undefined) return []
    const live = binding.subjects?.some((one) => isThere(one.name, one.namespace)) === true
    return [{ request, live, shown: `${name} of ${binding.roleRef?.name} in ${namespace}` }]
  })
}

const rbac = "rbac.authorization.k8s.io"

export const platform: Platform = {
  name: "kubernetes",
  title: "Kubernetes",
  right: { one: "role binding", several: "role bindings" },
  server: "kubernetes-wire-main.ts",
  placeOf: (line, directory) => {
    const { namespaces, roles, serviceAccountNamespace, token, url }: Wire = JSON.parse(line)
    const [here = "", there = ""] = namespaces
    const file = join(directory, "kubernetes-token")
    writeFileSync(file, token, { mode: 0o600 })
    return {
      url,
      shown: "cluster main",
      section: {
        clusters: { main: { server: url, token_file: file } },
        namespaces,
        roles,
        mode: "service_account",
        service_account_namespace: serviceAccountNamespace
      },
      daemon: {},
      alice: {},
      asks: {
        first: { role: "edit", scope: `main/${here}` },
        second: { role: "edit", scope: `main/${here}` },
        emergency: { role: "edit", scope: `main/${there}` }
      }
    }
  },
  does: "list the accounts of the namespace",
  secrets: {
    where: ["the token in KUBECONFIG"],
    here: async () => [(await own()).token],
    files: ["KUBECONFIG"],
    plain: []
  },
  call,
  rightsIn,
  sabotages: {
    6: {
      what: "the cluster does not let the daemon bind a role",
      wire: [denying(`${rbac}/rolebindings:create`)]
    },
    7: leaking,
    8: {
      what: "the cluster does not let the daemon delete what it made",
      wireBeforeEnd: [denying(`${rbac}/rolebindings:delete`), denying("core/serviceaccounts:delete")]
    }
  }
}
