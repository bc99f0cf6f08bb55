/**
 * AWS's own model of its services, as far as the SDK's packages carry it: every operation's input, output and errors,
 * with their members, types and which are required. Lengths and patterns are not in it.
 *
 * A structure is `[3, namespace, name, traits, members, types, how many of the first are required]`, an operation
 * `[9, namespace, name, traits, input, output]`, an error `[-3, ...]` like a structure
 * (`StaticSchema` of `@smithy/types`).
 */
import * as Iam from "@aws-sdk/client-iam"
import * as IdentityStore from "@aws-sdk/client-identitystore"
import * as SsoAdmin from "@aws-sdk/client-sso-admin"
import * as Sts from "@aws-sdk/client-sts"

const services: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  sts: Sts,
  iam: Iam,
  sso: SsoAdmin,
  identitystore: IdentityStore
}

/** `query` writes every value as text. */
export type Protocol = "query" | "json"

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

/** A type behind a function, a pair with traits, or itself. */
const resolved = (type: unknown): unknown => {
  if (typeof type === "function") return resolved(Reflect.apply(type, undefined, []))
  return isList(type) && type.length === 2 ? resolved(type[0]) : type
}

interface Structure {
  readonly name: string
  readonly members: ReadonlyMap<string, unknown>
  readonly required: ReadonlyArray<string>
}

/** A structure or union; undefined for everything else. */
const structureOf = (type: unknown): Structure | undefined => {
  const found = resolved(type)
  if (!isList(found)) return undefined
  const [kind, , name, , members, types, required = 0] = found
  if ((kind !== 3 && kind !== 4 && kind !== -3) || !isList(members) || !isList(types)) return undefined
  return {
    name: String(name),
    members: new Map(members.map((member, index) => [String(member), types[index]])),
    required: members.slice(0, Number(required)).map(String)
  }
}

/** What a list is a list of; undefined for what is none. */
const itemOf = (type: unknown): { readonly item: unknown } | undefined => {
  const found = resolved(type)
  if (typeof found === "number") return found >= 64 && found < 128 ? { item: found - 64 } : undefined
  return isList(found) && found[0] === 1 ? { item: found[4] } : undefined
}

/** A simple type that is a shape of its own (with a trait, say) stands for the type in it. */
const simpleOf = (type: unknown): unknown => {
  const found = resolved(type)
  return isList(found) && found[0] === 0 ? simpleOf(found[4]) : found
}

const whyNotSimple = (type: unknown, value: unknown, protocol: Protocol): string | null => {
  const simple = simpleOf(type)
  const isText = typeof value === "string"
  const isNumber = typeof value === "number" && Number.isFinite(value)
  switch (simple) {
    case 0:
      return isText ? null : "is no text"
    case 1:
    case 4:
      return isNumber || (protocol === "query" && isText) ? null : "is no number"
    case 2:
      return typeof value === "boolean" || (protocol === "query" && isText) ? null : "is no truth value"
    case 15:
      return null
    default:
      return `has a type that is not understood: ${JSON.stringify(simple)}`
  }
}

/** What of a value is not as the model says, in words. */
export const faultsIn = (type: unknown, value: unknown, protocol: Protocol, path = ""): ReadonlyArray<string> => {
  const list = itemOf(type)
  if (list !== undefined) {
    if (!isList(value)) return [`${path} is no list`]
    return value.flatMap((one, index) => faultsIn(list.item, one, protocol, `${path}[${index}]`))
  }
  const structure = structureOf(type)
  if (structure === undefined) {
    const why = whyNotSimple(type, value, protocol)
    return why === null ? [] : [`${path} ${why}`]
  }
  if (typeof value !== "object" || value === null || isList(value)) return [`${path} is no ${structure.name}`]
  const given = new Map<string, unknown>(Object.entries(value).filter(([, inner]) => inner !== undefined))
  return [
    ...structure.required.filter((member) => !given.has(member)).map((member) => `${path}.${member} is missing`),
    ...[...given].flatMap(([member, inner]) => {
      const of = structure.members.get(member)
      return structure.members.has(member)
        ? faultsIn(of, inner, protocol, `${path}.${member}`)
        : [`${path}.${member} is no member of ${structure.name}`]
    })
  ]
}

/** A form of the query protocol as the value that it spells: `Tags.member.1.Key`. */
export const valueOfForm = (form: URLSearchParams): unknown => {
  const root: Record<string, unknown> = {}
  for (const [key, text] of form) {
    if (key === "Action" || key === "Version") continue
    const parts = key.split(".")
    let here: Record<string, unknown> = root
    parts.slice(0, -1).forEach((part) => {
      const next = here[part]
      const inner: Record<string, unknown> =
        typeof next === "object" && next !== null ? Object.fromEntries(Object.entries(next)) : {}
      here[part] = inner
      here = inner
    })
    here[parts.at(-1) ?? ""] = text
  }
  const lists = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value
    const member: unknown = Reflect.get(value, "member")
    if (typeof member === "object" && member !== null) return Object.values(member).map(lists)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, lists(inner)]))
  }
  return lists(root)
}

export interface Operation {
  readonly input: unknown
  readonly output: unknown
}

/** An operation by the permission that it needs: `sts:AssumeRole`. */
export const operationOf = (permission: string): Operation | undefined => {
  const [service = "", name = ""] = permission.split(":")
  const found = services[service]?.[`${name}$`]
  return isList(found) && found[0] === 9 ? { input: found[4], output: found[5] } : undefined
}

/** The codes of the errors of a service, as it sends them. */
export const errorsOf = (service: string): ReadonlySet<string> =>
  new Set(
    Object.values(services[service] ?? {}).flatMap((shape) => {
      if (!isList(shape) || shape[0] !== -3) return []
      const traits: unknown = shape[3]
      const query: unknown = typeof traits === "object" && traits !== null ? Reflect.get(traits, "awsQueryError") : null
      return isList(query) ? [String(query[0])] : [String(shape[2])]
    })
  )
