/**
 * Scopes of Azure Resource Manager as they are asked for, granted and listed in the configuration.
 *
 * 1. A scope has one spelling here: a full ARM path in lower case, because ARM ids are compared without case
 *    (https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules). A bare subscription id
 *    means the subscription.
 * 2. Segments are ASCII and none is `.` or `..`: what was asked for cannot climb out of what is allowed.
 * 3. An entry of the allow-list allows exactly itself, or with a trailing `/*` everything below itself. `/` (the tenant's
 *    root) and management groups are reached only when they are listed themselves.
 */

/** Whether it is a GUID in ARM's usual form. */
export const isGuid = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/iu.test(text)

// Letters, digits and what resource names may have; never only dots, never a dot at the end.
const isName = (text: string | undefined): boolean => text !== undefined && /^[\w()~.-]*[\w()~-]$/u.test(text)
const isNamespace = (text: string | undefined): boolean => text !== undefined && /^[a-z0-9]+(\.[a-z0-9]+)*$/u.test(text)

/** `providers/<namespace>` and pairs of type and name, as often as a resource has them. */
const isResource = (segments: ReadonlyArray<string>): boolean => {
  let at = 0
  while (at < segments.length) {
    if (segments[at] === "providers") {
      if (!isNamespace(segments[at + 1])) return false
      at += 2
    } else if (at === 0) return false
    if (segments[at] === "providers" || !isName(segments[at]) || !isName(segments[at + 1])) return false
    at += 2
  }
  return true
}

const isScope = (path: string): boolean => {
  if (path === "/") return true
  const [root, first, second, ...rest] = path.split("/")
  if (root !== "") return false
  if (first === "subscriptions") {
    if (second === undefined || !isGuid(second)) return false
    return rest[0] === "resourcegroups" ? isName(rest[1]) && isResource(rest.slice(2)) : isResource(rest)
  }
  return (
    first === "providers" &&
    second === "microsoft.management" &&
    rest[0] === "managementgroups" &&
    isName(rest[1]) &&
    rest.length === 2
  )
}

/** The one spelling of a scope; null when it is none. */
export const canonical = (asked: string): string | null => {
  // Only ASCII is folded: a Kelvin sign is not a k.
  if (/[^\x20-\x7e]/u.test(asked)) return null
  const scope = (isGuid(asked) ? `/subscriptions/${asked}` : asked).toLowerCase()
  return isScope(scope) ? scope : null
}

/** The subscription that a scope lies in; null for management groups and the root. */
export const subscriptionOf = (scope: string): string | null => /^\/subscriptions\/([^/]+)/u.exec(scope)?.[1] ?? null

/** An entry of the allow-list. */
export interface Entry {
  readonly scope: string
  /** Everything below the scope, and not the scope itself. */
  readonly below: boolean
}

/** An entry as it stands in the configuration; null when it is none. */
export const entryOf = (written: string): Entry | null => {
  const below = written.endsWith("/*")
  const scope = canonical(below ? written.slice(0, -2) : written)
  // What is below a management group, or the root, does not show in a path.
  return scope === null || (below && subscriptionOf(scope) === null) ? null : { scope, below }
}

/** Whether an entry allows a canonical scope. */
export const allows = (entry: Entry, scope: string): boolean =>
  entry.below ? scope.startsWith(`${entry.scope}/`) : scope === entry.scope
