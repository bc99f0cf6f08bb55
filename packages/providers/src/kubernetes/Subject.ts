/**
 * Whom a right is bound to: a user or a group by a template, or an account of its own.
 *
 * 1. A template is filled in one pass: what a requester is called is never read as a placeholder.
 * 2. Names of the system (`system:...`) are nobody's: a requester who could be called `system:masters` would be
 *    everything (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects).
 * 3. What is not there cannot be filled in: a requester without a verified address has no `{email}`.
 */
import type { Provider } from "@jitsudo/core"

/** As a binding has it. */
export interface Subject {
  readonly kind: "User" | "Group" | "ServiceAccount"
  readonly name: string
  /** Of a ServiceAccount; null otherwise. */
  readonly namespace: string | null
}

const placeholder = /\{(?:email|subject|issuer)\}/gu
const system = /^system:/iu

export const isTemplate = (template: string): boolean =>
  /\{(?:email|subject)\}/u.test(template) &&
  !/[{}]/u.test(template.replace(placeholder, "")) &&
  !system.test(template) &&
  !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(template)

/** The name that a template gives a requester; null when it gives none that Kubernetes may be told. */
export const expand = (template: string, { email, issuer, subject }: Provider.Grantee): string | null => {
  const values: Readonly<Record<string, string | null>> = { "{email}": email, "{subject}": subject, "{issuer}": issuer }
  const found = template.match(placeholder) ?? []
  if (found.some((one) => (values[one] ?? "") === "")) return null
  const name = template.replace(placeholder, (one) => values[one] ?? "")
  const isName =
    name.length <= 512 &&
    name.isWellFormed() &&
    name.trim() === name &&
    !system.test(name) &&
    !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)
  return isName ? name : null
}

export const isSame = (one: Subject, other: Subject): boolean =>
  one.kind === other.kind && one.name === other.name && one.namespace === other.namespace
