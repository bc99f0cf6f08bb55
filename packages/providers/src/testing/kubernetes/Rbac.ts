/**
 * Authorization as the API server does it with `--authorization-mode=RBAC`, and its guard against escalation.
 *
 * 1. Rules add up; there is no denying (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#api-overview).
 * 2. A rule with resourceNames says nothing about creating, and nothing about lists: such requests name no object
 *    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources).
 * 3. Who makes a binding needs the verb `bind` on its role, or every permission of the role; who makes a role needs
 *    `escalate`, or every permission in it
 *    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
 * 4. `system:masters` may everything; everybody signed in may ask what they may do
 *    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings).
 */
import type { Kept } from "./Objects.ts"

export interface Caller {
  readonly name: string
  readonly groups: ReadonlyArray<string>
}

export interface Attributes {
  readonly verb: string
  readonly group: string
  /** With its subresource: `serviceaccounts/token`. */
  readonly resource: string
  readonly namespace: string | null
  /** Empty where the request names no object. */
  readonly name: string
}

export interface Rule {
  readonly verbs: ReadonlyArray<string>
  readonly apiGroups: ReadonlyArray<string>
  readonly resources: ReadonlyArray<string>
  readonly resourceNames: ReadonlyArray<string>
  readonly nonResourceURLs: ReadonlyArray<string>
}

/** The objects that authorization looks at. */
export interface Picture {
  readonly roles: ReadonlyArray<Kept>
  readonly clusterRoles: ReadonlyArray<Kept>
  readonly roleBindings: ReadonlyArray<Kept>
  readonly clusterRoleBindings: ReadonlyArray<Kept>
}

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined
const textOf = (value: unknown, field: string): string => String(fieldOf(value, field) ?? "")
const listOf = (value: unknown, field: string): ReadonlyArray<unknown> => {
  const list = fieldOf(value, field)
  return Array.isArray(list) ? list : []
}
const textsOf = (value: unknown, field: string): ReadonlyArray<string> => listOf(value, field).map(String)

const rulesIn = (role: unknown): ReadonlyArray<Rule> =>
  listOf(role, "rules").map((rule) => ({
    verbs: textsOf(rule, "verbs"),
    apiGroups: textsOf(rule, "apiGroups"),
    resources: textsOf(rule, "resources"),
    resourceNames: textsOf(rule, "resourceNames"),
    nonResourceURLs: textsOf(rule, "nonResourceURLs")
  }))

export interface RoleRef {
  readonly kind: string
  readonly name: string
}

export const roleRefIn = (binding: unknown): RoleRef => {
  const roleRef = fieldOf(binding, "roleRef")
  return { kind: textOf(roleRef, "kind"), name: textOf(roleRef, "name") }
}

/** The rules of a role; undefined when there is no such role. */
export const rulesOf = (
  { clusterRoles, roles }: Picture,
  { kind, name }: RoleRef,
  namespace: string | null
): ReadonlyArray<Rule> | undefined => {
  const role =
    kind === "Role"
      ? roles.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
      : clusterRoles.find(({ metadata }) => metadata.name === name)
  return role === undefined ? undefined : rulesIn(role)
}

const isSubject = (subject: unknown, caller: Caller, namespace: string | undefined): boolean => {
  const name = textOf(subject, "name")
  switch (textOf(subject, "kind")) {
    case "User":
      return name === caller.name
    case "Group":
      return caller.groups.includes(name)
    case "ServiceAccount":
      return caller.name === `system:serviceaccount:${textOf(subject, "namespace") || (namespace ?? "")}:${name}`
    default:
      return false
  }
}

/** Every rule that a caller has: of the whole cluster, and of the namespace. */
export const rulesFor = (picture: Picture, caller: Caller, namespace: string | null): ReadonlyArray<Rule> =>
  [
    ...picture.clusterRoleBindings,
    ...picture.roleBindings.filter(({ metadata }) => namespace !== null && metadata.namespace === namespace)
  ]
    .filter((binding) =>
      listOf(binding, "subjects").some((subject) => isSubject(subject, caller, binding.metadata.namespace))
    )
    .flatMap((binding) => rulesOf(picture, roleRefIn(binding), binding.metadata.namespace ?? null) ?? [])

const has = (list: ReadonlyArray<string>, text: string): boolean => list.includes("*") || list.includes(text)

const hasResource = (resources: ReadonlyArray<string>, resource: string): boolean => {
  const subresource = resource.includes("/") ? `*/${resource.slice(resource.indexOf("/") + 1)}` : null
  return has(resources, resource) || (subresource !== null && resources.includes(subresource))
}

const ruleAllows = (rule: Rule, { group, name, resource, verb }: Attributes): boolean =>
  has(rule.verbs, verb) &&
  has(rule.apiGroups, group) &&
  hasResource(rule.resources, resource) &&
  (rule.resourceNames.length === 0 || (name !== "" && rule.resourceNames.includes(name)))

const masters = "system:masters"
const selfReviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]

export const isMaster = ({ groups }: Caller): boolean => groups.includes(masters)

export const allows = (picture: Picture, caller: Caller, attributes: Attributes): boolean =>
  isMaster(caller) ||
  (attributes.verb === "create" && selfReviews.includes(attributes.resource)) ||
  rulesFor(picture, caller, attributes.namespace).some((rule) => ruleAllows(rule, attributes))

/** The rule with at most one of each: what is covered or not as a whole. */
const atomsOf = (rule: Rule): ReadonlyArray<Rule> =>
  rule.verbs.flatMap((verb) => [
    ...rule.apiGroups.flatMap((group) =>
      rule.resources.flatMap((resource) =>
        (rule.resourceNames.length === 0 ? [null] : rule.resourceNames).map((name) => ({
          verbs: [verb],
          apiGroups: [group],
          resources: [resource],
          resourceNames: name === null ? [] : [name],
          nonResourceURLs: []
        }))
      )
    ),
    ...rule.nonResourceURLs.map((url) => ({
      verbs: [verb],
      apiGroups: [],
      resources: [],
      resourceNames: [],
      nonResourceURLs: [url]
    }))
  ])

const coversUrl = (mine: string, url: string): boolean =>
  mine === "*" || mine === url || (mine.endsWith("*") && url.startsWith(mine.slice(0, -1)))

const covers = (mine: Rule, atom: Rule): boolean => {
  const every = (of: ReadonlyArray<string>, from: ReadonlyArray<string>) => of.every((one) => has(from, one))
  if (atom.nonResourceURLs.length > 0) {
    return (
      every(atom.verbs, mine.verbs) &&
      atom.nonResourceURLs.every((url) => mine.nonResourceURLs.some((one) => coversUrl(one, url)))
    )
  }
  return (
    every(atom.verbs, mine.verbs) &&
    every(atom.apiGroups, mine.apiGroups) &&
    atom.resources.every((resource) => hasResource(mine.resources, resource)) &&
    (mine.resourceNames.length === 0 ||
      (atom.resourceNames.length > 0 && atom.resourceNames.every((name) => mine.resourceNames.includes(name))))
  )
}

/** Which of these rules the caller does not have; empty when nothing would be gained. */
export const notHeld = (
  picture: Picture,
  caller: Caller,
  namespace: string | null,
  rules: ReadonlyArray<Rule>
): ReadonlyArray<Rule> => {
  const mine = rulesFor(picture, caller, namespace)
  return rules.flatMap(atomsOf).filter((atom) => !mine.some((rule) => covers(rule, atom)))
}

export const rulesInBody = rulesIn
