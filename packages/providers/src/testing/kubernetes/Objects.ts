/**
 * The objects of a cluster as etcd has them: versions, uids, pages, preconditions and finalizers.
 *
 * 1. Every change gives the object the cluster's next resourceVersion.
 * 2. A list is a consistent picture of one instant, page by page; its continue token becomes too old when the picture is
 *    compacted (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).
 * 3. What has finalizers is marked for deletion and stays until the last is gone
 *    (https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/).
 */
import { randomUUID } from "node:crypto"
import * as Status from "./Status.ts"

export interface Meta {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: ReadonlyArray<string>
}

export interface Kept {
  readonly metadata: Meta
  readonly [field: string]: unknown
}

export interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly resource: string
  readonly namespaced: boolean
}

const rbac = { group: "rbac.authorization.k8s.io", version: "v1" } as const
const core = { group: "", version: "v1" } as const

export const kinds: ReadonlyArray<Kind> = [
  { ...core, kind: "Namespace", resource: "namespaces", namespaced: false },
  { ...core, kind: "ServiceAccount", resource: "serviceaccounts", namespaced: true },
  { ...rbac, kind: "Role", resource: "roles", namespaced: true },
  { ...rbac, kind: "ClusterRole", resource: "clusterroles", namespaced: false },
  { ...rbac, kind: "RoleBinding", resource: "rolebindings", namespaced: true },
  { ...rbac, kind: "ClusterRoleBinding", resource: "clusterrolebindings", namespaced: false }
]

export const apiVersionOf = ({ group, version }: Kind): string => (group === "" ? version : `${group}/${version}`)

export interface Preconditions {
  readonly uid?: string
  readonly resourceVersion?: string
}

export interface Page {
  readonly items: ReadonlyArray<Kept>
  readonly resourceVersion: string
  readonly next: string | null
  readonly remaining: number
}

export interface Objects {
  readonly get: (kind: Kind, namespace: string | null, name: string) => Kept | undefined
  readonly all: (resource: string) => ReadonlyArray<Kept>
  readonly create: (
    kind: Kind,
    namespace: string | null,
    body: { readonly [field: string]: unknown; readonly metadata: Partial<Meta> & { readonly name: string } },
    dry: boolean
  ) => Kept
  readonly remove: (kind: Kind, namespace: string | null, name: string, preconditions: Preconditions) => Kept | null
  readonly page: (
    kind: Kind,
    namespace: string | null,
    isWanted: (one: Kept) => boolean,
    limit: number,
    token: string | null
  ) => Page
  /** Somebody else changes an object. */
  readonly edit: (kind: Kind, namespace: string | null, name: string, change: (before: Kept) => Kept) => void
  /** Continue tokens that were given until now are too old. */
  readonly compact: () => void
}

const aboutOf = ({ group, resource }: Kind, name: string): Status.About => ({ group, resource, name })

/** Whole seconds, as the API has them. */
export const rfc3339 = (millis: number): string => new Date(millis).toISOString().replace(/\.\d{3}Z$/u, "Z")

export const make = (now: () => number): Objects => {
  const kept = new Map<string, { readonly resource: string; readonly one: Kept }>()
  const pictures = new Map<string, ReadonlyArray<Kept>>()
  let version = 1000

  const keyOf = ({ resource }: Kind, namespace: string | null, name: string): string =>
    `${resource}/${namespace ?? ""}/${name}`
  const next = (): string => String((version += 1))
  const put = (kind: Kind, one: Kept): Kept => {
    kept.set(keyOf(kind, one.metadata.namespace ?? null, one.metadata.name), { resource: kind.resource, one })
    return one
  }
  const all: Objects["all"] = (resource) =>
    [...kept.values()].filter((entry) => entry.resource === resource).map(({ one }) => one)
  const get: Objects["get"] = (kind, namespace, name) => kept.get(keyOf(kind, namespace, name))?.one

  const found = (kind: Kind, namespace: string | null, name: string): Kept => {
    const one = get(kind, namespace, name)
    if (one === undefined) throw Status.notFound(aboutOf(kind, name))
    return one
  }

  return {
    get,
    all,
    create: (kind, namespace, body, dry) => {
      const { name } = body.metadata
      if (get(kind, namespace, name) !== undefined) throw Status.alreadyExists(aboutOf(kind, name))
      const one: Kept = {
        apiVersion: apiVersionOf(kind),
        kind: kind.kind,
        ...body,
        metadata: {
          ...body.metadata,
          ...(namespace === null ? {} : { namespace }),
          uid: randomUUID(),
          resourceVersion: dry ? "" : next(),
          creationTimestamp: rfc3339(now())
        }
      }
      return dry ? one : put(kind, one)
    },
    remove: (kind, namespace, name, preconditions) => {
      const one = found(kind, namespace, name)
      const { finalizers = [], resourceVersion, uid } = one.metadata
      if (preconditions.uid !== undefined && preconditions.uid !== uid) {
        throw Status.conflict(
          aboutOf(kind, name),
          `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${uid}`
        )
      }
      if (preconditions.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
        throw Status.conflict(aboutOf(kind, name), "Precondition failed: ResourceVersion in precondition is another")
      }
      if (finalizers.length > 0) {
        return put(kind, {
          ...one,
          metadata: {
            ...one.metadata,
            deletionTimestamp: one.metadata.deletionTimestamp ?? rfc3339(now()),
            resourceVersion: next()
          }
        })
      }
      kept.delete(keyOf(kind, namespace, name))
      next()
      return null
    },
    page: (kind, namespace, isWanted, limit, token) => {
      const [picture, begin] = token === null ? ["", "0"] : token.split(":")
      if (token !== null && !/^\d+-\d+:\d+$/u.test(token)) throw Status.badRequest("continue key is not valid")
      const before = token === null ? undefined : pictures.get(picture ?? "")
      if (token !== null && before === undefined) throw Status.expired()
      const items =
        before ??
        all(kind.resource)
          .filter((one) => (namespace === null || one.metadata.namespace === namespace) && isWanted(one))
          .toSorted((a, b) =>
            keyOf(kind, a.metadata.namespace ?? null, a.metadata.name) <
            keyOf(kind, b.metadata.namespace ?? null, b.metadata.name)
              ? -1
              : 1
          )
      const from = Number(begin)
      const until = limit === 0 ? items.length : Math.min(from + limit, items.length)
      const name = token === null ? `${version}-${pictures.size}` : (picture ?? "")
      if (until < items.length) pictures.set(name, items)
      return {
        items: items.slice(from, until),
        resourceVersion: String(version),
        next: until < items.length ? `${name}:${until}` : null,
        remaining: items.length - until
      }
    },
    edit: (kind, namespace, name, change) => {
      const after = change(found(kind, namespace, name))
      if (after.metadata.deletionTimestamp !== undefined && (after.metadata.finalizers ?? []).length === 0) {
        kept.delete(keyOf(kind, namespace, name))
        next()
      } else put(kind, { ...after, metadata: { ...after.metadata, resourceVersion: next() } })
    },
    compact: () => pictures.clear()
  }
}
