/**
 * Roles as an allow policy names them: `roles/storage.admin`, `projects/P/roles/R`, `organizations/O/roles/R`.
 *
 * 1. A name without a prefix is a predefined role's. There is one canonical name for each role.
 * 2. The legacy basic roles (owner, editor, viewer) cannot stand under a condition and so cannot be granted for a time:
 *    https://cloud.google.com/iam/docs/conditions-overview#bindings
 * 3. A project's own role is granted on that project only, an organisation's on that organisation and below it
 *    (https://cloud.google.com/iam/docs/roles-overview#custom): the part that the names tell is checked here.
 */

const predefined = /^roles\/[A-Za-z][A-Za-z0-9_.]{1,126}$/u
/** https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles/create */
const custom = /^(?:projects\/[a-z][a-z0-9-]{4,28}[a-z0-9]|organizations\/[1-9]\d{0,18})\/roles\/[A-Za-z0-9_.]{3,64}$/u

const basic: ReadonlySet<string> = new Set(["roles/owner", "roles/editor", "roles/viewer"])

/** A role's one name, or null. */
export const canonical = (text: string): string | null => {
  const name = text.includes("/") ? text : `roles/${text}`
  return predefined.test(name) || custom.test(name) ? name : null
}

/** One of the three roles that Google accepts no condition on. */
export const isBasic = (name: string): boolean => basic.has(name)

export const isCustom = (name: string): boolean => custom.test(name)

/** Where a custom role is defined: `projects/P`; null for a predefined one. */
export const homeOf = (name: string): string | null => (isCustom(name) ? name.slice(0, name.indexOf("/roles/")) : null)

/** Why this role can never be granted on this resource, as far as their names tell; null when nothing speaks against it. */
export const whyNotOn = (role: string, resource: string): string | null => {
  const home = homeOf(role)
  if (home === null || home === resource) return null
  if (home.startsWith("projects/")) return "a project's own role can be granted on that project only"
  return resource.startsWith("organizations/") ? "an organisation's own role cannot be granted on another one" : null
}

/** A pattern of the configuration: a canonical name with `*` for any run of characters, matched as a whole. */
export const isPattern = (pattern: string): boolean =>
  /^(?:roles\/|projects\/[a-z0-9-]+\/roles\/|organizations\/\d+\/roles\/)[A-Za-z0-9_.*]+$/u.test(pattern)

export const matches = (pattern: string, role: string): boolean =>
  new RegExp(`^${pattern.replace(/[.]/gu, "\\.").replaceAll("*", "[^/]*")}$`, "u").test(role)
