/**
 * Roles as they are asked for: a role's exact name, or the GUID of its definition.
 *
 * 1. A definition's full ARM id and its GUID in any case are one canonical form: the GUID in lower case. A name stays as
 *    it is written; whether Azure has exactly this name is looked up in `check`.
 * 2. A pattern of the allow-list speaks of names only. A GUID is allowed where it is listed itself, so that `*` cannot
 *    be walked around by number.
 */
import * as ArmScope from "./ArmScope.ts"

const definitionId =
  /^(?:\/subscriptions\/[0-9a-f-]{36})?\/providers\/microsoft\.authorization\/roledefinitions\/([0-9a-f-]{36})$/iu

/** The GUID at the end of a definition's ARM id, in lower case; null when there is none. */
export const guidIn = (id: string): string | null => {
  const found = /([^/]+)$/u.exec(id)?.[1]
  return found !== undefined && ArmScope.isGuid(found) ? found.toLowerCase() : null
}

/** The one spelling of what was asked for. */
export const canonical = (asked: string): string => {
  if (ArmScope.isGuid(asked)) return asked.toLowerCase()
  const found = definitionId.exec(asked)?.[1]
  return found !== undefined && ArmScope.isGuid(found) ? found.toLowerCase() : asked
}

/** Whether an entry of the allow-list (a name with `*` and `?`, a GUID, a definition's id) allows a canonical role. */
export const allows = (entry: string, role: string): boolean => {
  const written = canonical(entry)
  if (ArmScope.isGuid(role) || ArmScope.isGuid(written)) return written === role
  const source = written
    .replace(/[.+^${}()|[\]\\]/gu, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  return new RegExp(`^${source}$`, "u").test(role)
}
