/**
 * Microsoft Graph v1.0, as far as somebody is looked up: users by filter, and users, groups and service principals by
 * object id (https://learn.microsoft.com/graph/api/user-list, .../user-get, .../group-get, .../serviceprincipal-get).
 *
 * 1. Each path needs one application permission, the least that the vendor's page names.
 * 2. Text is compared without case, as the directory does.
 * 3. `$select` and `$top` are honoured; what is not understood is refused.
 */
import * as Filter from "./Filter.ts"
import { Refusal } from "./Refusal.ts"
import type { WireClient } from "./Tokens.ts"

export interface WirePrincipal {
  readonly id: string
  readonly type: "User" | "Group" | "ServicePrincipal"
  readonly userPrincipalName?: string
  readonly mail?: string
  /** ARM does not know it yet: what was just created takes a while to reach every region. */
  readonly unreplicated?: boolean
}

const kinds = {
  users: { type: "User", permission: "User.Read.All" },
  groups: { type: "Group", permission: "GroupMember.Read.All" },
  servicePrincipals: { type: "ServicePrincipal", permission: "Application.Read.All" }
} as const

type Kind = keyof typeof kinds

const isKind = (text: string | undefined): text is Kind => text !== undefined && Object.hasOwn(kinds, text)

const parts = (path: string): { readonly kind: Kind; readonly id: string | null } | null => {
  const [version, kind, id, more] = path.split("/").slice(1)
  return version === "v1.0" && isKind(kind) && more === undefined ? { kind, id: id ?? null } : null
}

/** The permission that a path takes: what calls are named after. */
export const permissionOf = (path: string): string => {
  const found = parts(path)
  return found === null ? "unknown" : kinds[found.kind].permission
}

export const perform = (
  path: string,
  query: URLSearchParams,
  caller: WireClient,
  principals: ReadonlyArray<WirePrincipal>
): object => {
  const found = parts(path)
  if (found === null) throw new Refusal(400, "BadRequest", `Resource not found for the segment '${path}'.`)
  const { permission, type } = kinds[found.kind]
  if (!caller.graph.includes(permission)) {
    throw new Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
  }
  for (const key of query.keys()) {
    if (!["$filter", "$select", "$top"].includes(key)) {
      throw new Refusal(400, "BadRequest", `The query parameter ${key} is not supported.`)
    }
  }
  const select = (query.get("$select") ?? "id").split(",")
  const shown = (one: WirePrincipal): object =>
    Object.fromEntries(
      select.map((field) => {
        const value: unknown = Reflect.get(one, field)
        return [field, value ?? null]
      })
    )
  const ofKind = principals.filter((one) => one.type === type)
  const { id } = found
  if (id !== null) {
    const wanted = decodeURIComponent(id).toLowerCase()
    const one = ofKind.find((principal) => principal.id === wanted)
    if (one === undefined) {
      throw new Refusal(404, "Request_ResourceNotFound", `Resource '${wanted}' does not exist.`)
    }
    return shown(one)
  }
  const top = query.get("$top") ?? "100"
  if (!/^[1-9]\d{0,2}$/u.test(top)) throw new Refusal(400, "BadRequest", "Invalid page size.")
  const filter = query.get("$filter")
  const wanted = filter === null ? null : Filter.comparisons(filter, ["mail", "userPrincipalName"])
  const matches = ofKind.filter(
    (one) =>
      wanted === null ||
      wanted.some(({ property, value }) => {
        const has: unknown = Reflect.get(one, property)
        return typeof has === "string" && has.toLowerCase() === value.toLowerCase()
      })
  )
  return { value: matches.slice(0, Number(top)).map(shown) }
}
