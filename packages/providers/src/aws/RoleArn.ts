/**
 * Roles by name and account, and the templates that turn what was asked for into an ARN.
 *
 * Role names are letters, digits and `_+=,.@-`, at most 64
 * (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html), accounts 12 digits. Neither has room for a
 * path, a placeholder, a wildcard or a look-alike.
 */

const scopePlace = "{scope}"
const rolePlace = "{role}"
const prefix = /^arn:aws(-[a-z]+)*:iam::\{scope\}:role\/([\w+=,.@-]+\/)*/u

export const isAccount = (text: string): boolean => /^\d{12}$/u.test(text)

export const isRoleName = (text: string): boolean => /^[\w+=,.@-]{1,64}$/u.test(text)

/** `arn:aws:iam::{scope}:role/[path/][prefix]{role}`. */
export const isRoleTemplate = (template: string): boolean => {
  const name = template.replace(prefix, "")
  return name !== template && /^[\w+=,.@-]*\{role\}$/u.test(name)
}

/** `arn:aws:iam::{scope}:role/[path/]name`. */
export const isRevokerTemplate = (template: string): boolean => {
  const found = prefix.exec(template)
  const name = found === null ? "" : template.slice(found[0].length)
  return isRoleName(name)
}

/** The ARN for an account and a role that were found sound. */
export const expand = (template: string, account: string, role: string): string =>
  template.split(scopePlace).join(account).split(rolePlace).join(role)

/** A role's name: what stands behind the last `/`. */
export const nameIn = (arn: string): string => arn.slice(arn.lastIndexOf("/") + 1)

/** Whether a whole name matches a pattern with `*` and `?`. */
export const matches = (pattern: string, name: string): boolean => {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/gu, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  return new RegExp(`^${source}$`, "u").test(name)
}
