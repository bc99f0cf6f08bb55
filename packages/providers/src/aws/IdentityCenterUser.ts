/**
 * Whom a requester is in IAM Identity Center, by the configured template.
 *
 * 1. What the template makes is compared letter for letter. Anything that no user can be called makes nobody.
 * 2. The key of a person is the same for every spelling that AWS might take for one user.
 */
import type { Provider } from "@jitsudo/core"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"

type Template = Pick<IdentityCenterConfig, "user_template">

const filled = ({ user_template: template }: Template, { email, subject }: Provider.Grantee): string | null => {
  const value = template.includes("{email}") ? email : subject
  return value === null || value === "" ? null : template.replace(/\{(email|subject)\}/u, () => value)
}

/** The attribute's value to look for, or null for nobody. */
export const valueOf = (config: Template, grantee: Provider.Grantee): string | null => {
  const value = filled(config, grantee)
  // https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_User.html (UserName)
  return value !== null && /^[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}$/u.test(value) && value.isWellFormed() ? value : null
}

/** What names the person in a resource key. */
export const keyOf = (config: Template, grantee: Provider.Grantee): string =>
  valueOf(config, grantee)?.toLowerCase() ?? `nobody:${grantee.issuer}:${grantee.subject}`.toWellFormed()
