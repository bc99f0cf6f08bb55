/**
 * What a request is about, from its method and address as the API server reads them
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris).
 */
import type { WireRequest } from "../WireServer.ts"
import { type Kind, kinds } from "./Objects.ts"

export type Verb = "get" | "list" | "create" | "delete"

export interface Route {
  readonly verb: Verb
  readonly group: string
  /** With its subresource: `serviceaccounts/token`. */
  readonly resource: string
  /** Of what is stored; null for what is only asked (reviews). */
  readonly kind: Kind | null
  /** In the address; null: of the whole cluster, or all namespaces. */
  readonly namespace: string | null
  /** Empty where the address names no object. */
  readonly name: string
  readonly query: URLSearchParams
}

const reviews: Readonly<Record<string, ReadonlyArray<string>>> = {
  "authorization.k8s.io": ["selfsubjectaccessreviews"],
  "authentication.k8s.io": ["selfsubjectreviews"]
}

const kindOf = (group: string, resource: string): Kind | undefined =>
  kinds.find((one) => one.group === group && one.resource === resource)

const verbOf = (method: string, name: string): Verb | undefined => {
  switch (method) {
    case "GET":
      return name === "" ? "list" : "get"
    case "POST":
      return "create"
    case "DELETE":
      // Deleting a whole collection is nothing that anybody here needs.
      return name === "" ? undefined : "delete"
    default:
      return undefined
  }
}

const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** Null: there is no such thing here. */
export const routeOf = ({ method, target }: Pick<WireRequest, "method" | "target">): Route | null => {
  const [path = "", search = ""] = target.split("?")
  const parts = path.split("/").slice(1).map(decoded)
  const [group, rest] =
    parts[0] === "api" && parts[1] === "v1"
      ? ["", parts.slice(2)]
      : parts[0] === "apis" && parts[2] === "v1"
        ? [parts[1] ?? "", parts.slice(3)]
        : [null, []]
  if (group === null) return null
  const query = new URLSearchParams(search)
  const [first = "", second = "", third, fourth = "", subresource] = rest

  if (reviews[group]?.includes(first) === true) {
    return method === "POST" && rest.length === 1
      ? { verb: "create", group, resource: first, kind: null, namespace: null, name: "", query }
      : null
  }
  const isWithin = first === "namespaces" && third !== undefined
  const resource = isWithin ? third : first
  const name = isWithin ? fourth : second
  const kind = kindOf(group, resource)
  const verb = verbOf(method, name)
  if (kind === undefined || verb === undefined || rest.includes("..") || rest.includes(".")) return null
  if (isWithin && subresource !== undefined) {
    return kind.kind === "ServiceAccount" && subresource === "token" && rest.length === 5 && method === "POST"
      ? { verb, group, resource: `${resource}/token`, kind, namespace: second, name, query }
      : null
  }
  if (isWithin !== kind.namespaced && !(verb === "list" && kind.namespaced)) return null
  if (verb === "create" && name !== "") return null
  // The address of a namespace is within itself, as far as permissions are concerned.
  const namespace = isWithin ? second : kind.kind === "Namespace" && name !== "" ? name : null
  return { verb, group, resource, kind, namespace, name, query }
}

/** As faults and calls name it: `rbac.authorization.k8s.io/rolebindings:create`, `core/serviceaccounts/token:create`. */
export const operationOf = (route: Route | null): string =>
  route === null ? "unknown" : `${route.group === "" ? "core" : route.group}/${route.resource}:${route.verb}`
