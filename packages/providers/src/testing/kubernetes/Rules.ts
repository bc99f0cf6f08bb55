/**
 * What is wrong with an object that somebody wants to make, as the API server's validation says it.
 *
 * 1. Names: path segments for RBAC, DNS subdomains for accounts, DNS labels for namespaces
 *    (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
 * 2. Labels and annotations: qualified names as keys, 63 characters of the label alphabet as values, 256 KiB of
 *    annotations (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set,
 *    https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/).
 * 3. Subjects and roleRef: groups, kinds and namespaces as RBAC has them
 *    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects).
 */
import type { Kind } from "./Objects.ts"
import type { Cause } from "./Status.ts"

const rbacGroup = "rbac.authorization.k8s.io"
const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/u
const dnsSubdomain = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/u
const labelValue = /^(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?$/u

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Reflect.get(value, field) : undefined

const cause = (field: string, message: string, reason = "FieldValueInvalid"): Cause => ({ field, message, reason })

const isPathSegment = (name: string): boolean => name !== "." && name !== ".." && !/[/%]/u.test(name)

const isQualifiedName = (key: string): boolean => {
  const [prefix, ...rest] = key.includes("/") ? key.split("/") : [null, key]
  const name = rest.join("/")
  return (prefix === null || dnsSubdomain.test(prefix ?? "")) && name !== "" && labelValue.test(name)
}

const whyNotName = (kind: Kind, name: string): ReadonlyArray<Cause> => {
  if (name === "")
    return [cause("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")]
  const isName =
    kind.group === rbacGroup
      ? isPathSegment(name)
      : kind.kind === "Namespace"
        ? dnsLabel.test(name)
        : dnsSubdomain.test(name)
  return isName ? [] : [cause("metadata.name", "Invalid value")]
}

const entries = (value: unknown): ReadonlyArray<readonly [string, unknown]> =>
  typeof value === "object" && value !== null ? Object.entries(value) : []

const whyNotMetadata = (metadata: unknown): ReadonlyArray<Cause> => {
  const annotations = entries(fieldOf(metadata, "annotations"))
  const size = annotations.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)),
    0
  )
  return [
    ...entries(fieldOf(metadata, "labels")).flatMap(([key, value]) => [
      ...(isQualifiedName(key) ? [] : [cause("metadata.labels", `Invalid value: "${key}"`)]),
      ...(labelValue.test(String(value)) ? [] : [cause("metadata.labels", `Invalid value: "${String(value)}"`)])
    ]),
    // Keys of annotations may have any case in their prefix.
    ...annotations.flatMap(([key]) =>
      isQualifiedName(key.toLowerCase()) ? [] : [cause("metadata.annotations", `Invalid value: "${key}"`)]
    ),
    ...(size > 262_144
      ? [cause("metadata.annotations", "Too long: may not be more than 262144 bytes", "FieldValueTooLong")]
      : [])
  ]
}

const whyNotSubject = (subject: unknown, at: string, isNamespaced: boolean): ReadonlyArray<Cause> => {
  const [kind, name, group, namespace] = ["kind", "name", "apiGroup", "namespace"].map((field) =>
    String(fieldOf(subject, field) ?? "")
  )
  const causes = name === "" ? [cause(`${at}.name`, "Required value", "FieldValueRequired")] : []
  switch (kind) {
    case "ServiceAccount":
      if (name !== undefined && name !== "" && !dnsSubdomain.test(name))
        causes.push(cause(`${at}.name`, "Invalid value"))
      if (group !== "") causes.push(cause(`${at}.apiGroup`, "Unsupported value", "FieldValueNotSupported"))
      if (!isNamespaced && namespace === "")
        causes.push(cause(`${at}.namespace`, "Required value", "FieldValueRequired"))
      return causes
    case "User":
    case "Group":
      return group === "" || group === rbacGroup
        ? causes
        : [...causes, cause(`${at}.apiGroup`, "Unsupported value", "FieldValueNotSupported")]
    default:
      return [...causes, cause(`${at}.kind`, "Unsupported value", "FieldValueNotSupported")]
  }
}

const whyNotBinding = (kind: Kind, body: unknown): ReadonlyArray<Cause> => {
  const roleRef = fieldOf(body, "roleRef")
  const [group, of, name] = ["apiGroup", "kind", "name"].map((field) => String(fieldOf(roleRef, field) ?? ""))
  const allowed = kind.kind === "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"]
  const subjects = fieldOf(body, "subjects")
  return [
    ...(group === rbacGroup ? [] : [cause("roleRef.apiGroup", "Unsupported value", "FieldValueNotSupported")]),
    ...(allowed.includes(of ?? "") ? [] : [cause("roleRef.kind", "Unsupported value", "FieldValueNotSupported")]),
    ...(name !== undefined && name !== "" && isPathSegment(name) ? [] : [cause("roleRef.name", "Invalid value")]),
    ...(Array.isArray(subjects) ? subjects : []).flatMap((subject: unknown, index) =>
      whyNotSubject(subject, `subjects[${index}]`, kind.namespaced)
    )
  ]
}

/** Everything that is wrong with it; empty when nothing is. */
export const whyNot = (kind: Kind, body: unknown): ReadonlyArray<Cause> => {
  const metadata = fieldOf(body, "metadata")
  return [
    ...whyNotName(kind, String(fieldOf(metadata, "name") ?? "")),
    ...whyNotMetadata(metadata),
    ...(kind.kind === "RoleBinding" || kind.kind === "ClusterRoleBinding" ? whyNotBinding(kind, body) : [])
  ]
}
