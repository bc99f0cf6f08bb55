/**
 * Everything in a policy that carries our mark and still gives somebody something, as `list` says it.
 */
import type { Provider, Time } from "@jitsudo/core"
import { markOf, ownMembers, titleOf } from "./ConditionalBinding.ts"
import type { Policy } from "./PolicyEdit.ts"

/** Once for each request. A binding in which only strangers are left is not listed. */
export const inPolicy = (
  prefix: string,
  resource: string,
  { bindings }: Policy,
  now: Time.Time
): ReadonlyArray<Provider.Tagged> => {
  const listed = new Map<string, Provider.Tagged>()
  for (const binding of bindings) {
    const mark = markOf(prefix, binding)
    if (mark === null || (mark.notAfter !== null && mark.notAfter <= now)) continue
    const [member] = ownMembers(binding, mark.member)
    if (member === undefined || listed.has(mark.requestId)) continue
    const { role } = binding
    const whose = mark.member ?? member
    listed.set(mark.requestId, {
      requestId: mark.requestId,
      resourceKey: resource,
      reference: { resource, role, member: whose, title: titleOf(prefix, mark.requestId) },
      notAfter: mark.notAfter,
      installation: mark.installation,
      canonical: { role, resourceScope: resource, durationSeconds: 0 },
      checked: { member: whose }
    })
  }
  return [...listed.values()]
}
