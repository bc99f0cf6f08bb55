/**
 * Everything in the clusters that carries our mark, for reconciliation.
 *
 * 1. What only has the label is not ours: the name must be the one that follows from the request's id.
 * 2. A binding and its account are one; an account without a binding can do nothing, and is ours to take away as well.
 * 3. A cluster that cannot be listed fails the whole list: what is missing from half a list would look as if it was gone.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { Found, KubernetesCalls } from "./KubernetesCalls.ts"
import * as Mark from "./Mark.ts"
import * as Target from "./Target.ts"

interface Options {
  /** Whether accounts are looked for, too. */
  readonly accounts: boolean
  readonly resourceKey: Provider.Provider["resourceKey"]
}

/** A found object as `list` gives it; null when it is not what jitsudo would have made. */
const taggedOf = (
  found: Found,
  canonical: Pick<Provider.Canonical, "role" | "resourceScope">,
  account: Found | null,
  { resourceKey }: Options
): Provider.Tagged | null => {
  const requestId = Mark.requestIn(found)
  if (requestId === null || Target.fromCanonical(canonical) === null) return null
  const whole = { ...canonical, durationSeconds: 0 }
  // An account in another namespace than today's configuration has: the binding says which.
  const bound = found.subjects.find(
    ({ kind, name: of }) => kind === "ServiceAccount" && of === Mark.accountName(requestId)
  )
  const home = account?.namespace ?? bound?.namespace ?? null
  return {
    requestId,
    resourceKey: resourceKey(whole, { issuer: "", subject: "", email: null }),
    reference: {
      binding: { uid: found.role === null ? "" : found.uid },
      serviceAccount: home === null ? null : { namespace: home, uid: account?.uid ?? "" }
    },
    notAfter: Mark.expiryIn(found),
    installation: Mark.installationIn(found),
    canonical: whole
  }
}

const listIn = (
  calls: KubernetesCalls,
  cluster: string,
  options: Options
): Effect.Effect<ReadonlyArray<Provider.Tagged>, Provider.ProviderError> =>
  Effect.gen(function* () {
    const bindings = [
      ...(yield* calls.list(cluster, "RoleBinding")),
      ...(yield* calls.list(cluster, "ClusterRoleBinding"))
    ].filter((found) => found.name === Mark.bindingName(Mark.requestIn(found) ?? ""))
    const accounts = new Map(
      (options.accounts ? yield* calls.list(cluster, "ServiceAccount") : [])
        .filter((found) => found.name === Mark.accountName(Mark.requestIn(found) ?? ""))
        .map((found) => [found.name, found] as const)
    )
    const bound = bindings.flatMap((found) => {
      if (found.role === null) return []
      const role = Target.roleText(found.role)
      const account = accounts.get(Mark.accountName(Mark.requestIn(found) ?? "")) ?? null
      accounts.delete(account?.name ?? "")
      return taggedOf(found, { role, resourceScope: `${cluster}/${found.namespace ?? "*"}` }, account, options) ?? []
    })
    const left = [...accounts.values()].flatMap((found) => {
      const ask = Mark.askIn(found)
      return ask.resourceScope.startsWith(`${cluster}/`) ? (taggedOf(found, ask, found, options) ?? []) : []
    })
    return [...bound, ...left]
  })

/** What was found in all of these clusters. */
export const everything = (
  calls: KubernetesCalls,
  clusters: ReadonlyArray<string>,
  options: Options
): Effect.Effect<ReadonlyArray<Provider.Tagged>, Provider.ProviderError> =>
  Effect.map(
    Effect.forEach(clusters, (cluster) => listIn(calls, cluster, options)),
    (found) => found.flat()
  )
