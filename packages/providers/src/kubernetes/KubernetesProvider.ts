/**
 * The provider `kubernetes`: a binding for each grant, and the end of exactly that binding.
 *
 * 1. Each grant has a RoleBinding or ClusterRoleBinding of its own, named after the request. Grants of one right to one
 *    person stand beside each other, and the last one that goes takes the right along.
 * 2. A repeated grant takes what it finds for its own only if it says the same: request, subject and role. It never
 *    changes an object, and what it finds keeps its end.
 * 3. An end deletes what carries the request's mark, by uid: another object of the same name is left alone. It confirms
 *    when the API server says that nothing of it is there; what a finalizer still holds goes on granting, and is not over.
 * 4. In the mode `service_account` the right is bound to an account made for this request, and the program gets a
 *    kubeconfig with a token of its own. Deleting the account ends all of its tokens.
 *
 * What it cannot do: have Kubernetes end a binding by itself, or close streams that are already open.
 */
import { AskCheck, Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Clusters from "./Clusters.ts"
import * as KubernetesCalls from "./KubernetesCalls.ts"
import { KubernetesConfig, territory, whyNotConfig } from "./KubernetesConfig.ts"
import * as KubernetesError from "./KubernetesError.ts"
import * as KubernetesSdk from "./KubernetesSdk.ts"
import * as Listing from "./Listing.ts"
import * as Mark from "./Mark.ts"
import * as Ownership from "./Ownership.ts"
import * as Permissions from "./Permissions.ts"
import * as Subject from "./Subject.ts"
import * as Target from "./Target.ts"

const name = "kubernetes"

/** The shortest life of a token: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/ */
const shortestToken = 600

/** How far the database's clock and a cluster's may be apart before a token's end counts as another. */
const clockDifferenceSeconds = 30

export interface Options {
  /** How the client is loaded; the installed package when absent. */
  readonly load?: KubernetesSdk.Loader
}

const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  effect: "none" | "unknown" = "none"
): Provider.ProviderError =>
  new Provider.ProviderError({ provider: name, reason, retryable: false, effect, message, hint })

/** What a grant leaves for its end: where the account is, whatever the configuration says by then. */
const Reference = Schema.Struct({
  binding: Schema.Struct({ uid: Schema.String.check(Schema.isMaxLength(64)) }),
  serviceAccount: Schema.NullOr(
    Schema.Struct({ namespace: Schema.String.check(Schema.isPattern(Target.dnsLabel)), uid: Schema.String })
  )
})
const readReference = Schema.decodeUnknownResult(Reference)

/** The provider over given calls. */
export const fromCalls = (
  config: KubernetesConfig,
  connections: ReadonlyMap<string, Clusters.Connection>,
  calls: KubernetesCalls.KubernetesCalls
): Provider.Provider => {
  const isOwnAccount = config.mode === "service_account"
  const capabilities: Provider.Capabilities = {
    // A token ends by itself; but whoever may make tokens with it could have made another. The binding stays.
    nativeExpiry: false,
    earlyRevocation: {
      supported: true,
      // Authorizers watch bindings and name no number; seconds are what to count on.
      withinSeconds: 10,
      note: isOwnAccount
        ? "New calls are refused within seconds, and the account and its tokens are gone. Streams that are open already (exec, logs -f, port-forward, watch) go on until they are closed."
        : "New calls are refused within seconds. Streams that are open already (exec, logs -f, port-forward, watch) go on until they are closed."
    },
    listing: true,
    inspection: true,
    minDurationSeconds: isOwnAccount ? shortestToken : 60,
    maxDurationSeconds: config.max_duration_seconds
  }
  const allowed: Target.Allowed = {
    clusters: Object.keys(config.clusters),
    defaultCluster: config.default_cluster,
    defaultNamespace: config.default_namespace,
    namespaces: config.namespaces,
    roles: config.roles,
    clusterWideRoles: config.cluster_wide_roles
  }

  const parse: Provider.Provider["parse"] = (ask) =>
    Result.flatMap(AskCheck.check(name, capabilities, ask), ({ durationSeconds }) =>
      Result.mapBoth(Target.parse(ask, allowed), {
        onSuccess: (target) => ({
          role: Target.roleText(target.role),
          resourceScope: Target.scopeText(target),
          durationSeconds
        }),
        onFailure: ({ hint, message, reason }) => refuse(reason, message, hint)
      })
    )

  const resourceKey: Provider.Provider["resourceKey"] = ({ resourceScope, role }) => `${resourceScope} ${role}`

  const targetOf = (canonical: Provider.Canonical): Effect.Effect<Target.Target, Provider.ProviderError> => {
    const target = Target.fromCanonical(canonical)
    return target === null
      ? Effect.fail(refuse("InvalidScope", "the scope is none of Kubernetes", "It is not what `parse` once gave."))
      : Effect.succeed(target)
  }

  const requestIdOf = ({ requestId }: { readonly requestId: string }): Effect.Effect<string, Provider.ProviderError> =>
    Mark.isRequestId(requestId)
      ? Effect.succeed(requestId)
      : Effect.fail(refuse("InvalidReference", "the request's id cannot name an object", "Ids are req_ and a ULID."))

  const bindingPlace = ({ cluster, namespace }: Target.Target, requestId: string): KubernetesCalls.Place => ({
    cluster,
    kind: namespace === null ? "ClusterRoleBinding" : "RoleBinding",
    namespace,
    name: Mark.bindingName(requestId)
  })

  const accountPlace = (cluster: string, namespace: string, requestId: string): KubernetesCalls.Place => ({
    cluster,
    kind: "ServiceAccount",
    namespace,
    name: Mark.accountName(requestId)
  })

  /** Whom a grant of this configuration binds; null when the requester has no name there. */
  const subjectOf = (requestId: string, grantee: Provider.Grantee): Subject.Subject | null => {
    if (config.service_account_namespace !== undefined) {
      return { kind: "ServiceAccount", name: Mark.accountName(requestId), namespace: config.service_account_namespace }
    }
    const kind = config.group_template === undefined ? "User" : "Group"
    const expanded = Subject.expand(config.user_template ?? config.group_template ?? "", grantee)
    return expanded === null ? null : { kind, name: expanded, namespace: null }
  }

  const nameless = refuse(
    "PrincipalNotFound",
    "the requester has no name in this cluster",
    "`providers.kubernetes.user_template` (or group_template) gives none, or one of the system's, for this requester."
  )

  const check: Provider.Provider["check"] = (canonical, grantee) =>
    Effect.gen(function* () {
      const target = yield* targetOf(canonical)
      if (subjectOf("", grantee) === null) return yield* nameless
      if (target.namespace !== null) {
        const state = yield* calls.namespaceState(target.cluster, target.namespace)
        if (state === "missing") {
          return yield* refuse(
            "InvalidScope",
            "this namespace does not exist in the cluster",
            "Create it, or ask for another."
          )
        }
        if (state === "terminating") {
          return yield* refuse("InvalidScope", "this namespace is being deleted", "Nothing can be made in it any more.")
        }
      }
      if (!(yield* calls.roleExists(target))) {
        return yield* refuse(
          "RoleNotFound",
          "this role does not exist in the cluster",
          `There is no ${target.role.kind} ${target.role.name} where it was looked for; create it, or ask for another.`
        )
      }
      return { maxDurationSeconds: config.max_duration_seconds, facts: {} }
    })

  const environment = (target: Target.Target): Record<string, string> => ({
    JITSUDO_K8S_CLUSTER: target.cluster,
    JITSUDO_K8S_NAMESPACE: target.namespace ?? "*",
    JITSUDO_K8S_ROLE: Target.roleText(target.role)
  })

  const grant: Provider.Provider["grant"] = (request) =>
    Effect.gen(function* () {
      const requestId = yield* requestIdOf(request)
      const target = yield* targetOf(request.canonical)
      const subject = subjectOf(requestId, request.grantee)
      if (subject === null) return yield* nameless
      const { durationSeconds } = request.canonical
      const asked = Time.plusSeconds(request.now, durationSeconds)
      // The database that says what time it is may be another than at the first attempt.
      const latest = Time.plusSeconds(asked, clockDifferenceSeconds)
      const bindingAt = bindingPlace(target, requestId)
      const binding = { role: target.role, subject }

      // 1. The account, where there is one. 2. The binding. 3. The token. What fails after a step that had an effect
      // leaves something to take back, and says so.
      const accountAt =
        config.service_account_namespace === undefined
          ? null
          : accountPlace(target.cluster, config.service_account_namespace, requestId)
      const account =
        accountAt === null
          ? null
          : yield* Effect.flatMap(
              calls.createAccount(accountAt, Mark.metadataOf(request, accountAt, asked, config.managed_label)),
              (made) => (made === "exists" ? Ownership.sameAs(calls, accountAt, requestId, null) : Effect.succeed(made))
            )
      const made = yield* calls
        .createBinding(bindingAt, Mark.metadataOf(request, bindingAt, asked, config.managed_label), binding)
        .pipe(
          Effect.flatMap((created) =>
            created === "exists" ? Ownership.sameAs(calls, bindingAt, requestId, binding) : Effect.succeed(created)
          ),
          Effect.mapError((error) => (account === null ? error : KubernetesError.afterEffect(error)))
        )
      const expiresAt = Mark.expiryIn(made)
      if (expiresAt === null || expiresAt <= request.now || expiresAt > latest) {
        return yield* refuse(
          "ProviderConflict",
          "it was granted before, and its end is not the one that was approved",
          `The annotation jitsudo.dev/expires-at of ${bindingAt.name} in ${target.cluster} is missing, over, or was moved.`,
          "unknown"
        )
      }
      const reference = {
        binding: { kind: bindingAt.kind, namespace: bindingAt.namespace, name: bindingAt.name, uid: made.uid },
        cluster: target.cluster,
        serviceAccount:
          account === null || accountAt === null
            ? null
            : { namespace: accountAt.namespace ?? "", name: accountAt.name, uid: account.uid }
      }
      const issuedAt = Time.plusSeconds(expiresAt, -durationSeconds)
      const credentials = environment(target)
      const connection = connections.get(target.cluster)
      if (accountAt === null || connection === undefined) {
        return { issuedAt, notAfter: expiresAt, reference, credentials }
      }
      const issued = yield* Effect.mapError(
        calls.token(accountAt, Time.secondsBetween(request.now, expiresAt)),
        KubernetesError.afterEffect
      )
      const tokenEnd = issued.expiresAt ?? expiresAt
      return {
        issuedAt,
        // The API server may give less than was asked for.
        notAfter: Time.plusSeconds(tokenEnd, clockDifferenceSeconds) < expiresAt ? tokenEnd : expiresAt,
        reference,
        credentials: {
          ...credentials,
          JITSUDO_FILE_KUBECONFIG: Clusters.childKubeconfig(
            connection,
            target.cluster,
            target.namespace,
            accountAt.name,
            issued.token
          )
        }
      }
    })

  const end: Provider.Provider["end"] = (request) =>
    Effect.gen(function* () {
      const requestId = yield* requestIdOf(request)
      const target = yield* targetOf(request.canonical)
      const reference = Result.getOrElse(readReference(request.reference), () => null)
      const subject = subjectOf(requestId, request.grantee)
      const said = [
        yield* Ownership.takeAway(
          calls,
          bindingPlace(target, requestId),
          requestId,
          reference?.binding.uid ?? null,
          subject === null ? null : { role: target.role, subject }
        )
      ]
      // The account may have been made where an earlier configuration said.
      const homes = new Set([reference?.serviceAccount?.namespace, config.service_account_namespace])
      for (const namespace of homes) {
        if (namespace === undefined) continue
        const uid = reference?.serviceAccount?.namespace === namespace ? reference.serviceAccount.uid : null
        said.push(
          yield* Ownership.takeAway(calls, accountPlace(target.cluster, namespace, requestId), requestId, uid, null)
        )
      }
      const note = said.filter((part) => part !== null).join("; ")
      return { note: note === "" ? null : note }
    })

  const inspect: Provider.Provider["inspect"] = (request) =>
    Effect.gen(function* () {
      const requestId = yield* requestIdOf(request)
      const target = yield* targetOf(request.canonical)
      const reference = Result.getOrElse(readReference(request.reference), () => null)
      const isThere = (place: KubernetesCalls.Place, uid: string | undefined) =>
        Effect.map(calls.read(place), (found) => found !== null && (Mark.isOf(found, requestId) || found.uid === uid))
      if (!(yield* isThere(bindingPlace(target, requestId), reference?.binding.uid))) return "ended"
      const home = reference === null ? config.service_account_namespace : reference.serviceAccount?.namespace
      // A binding whose account is gone binds nobody.
      if (home === undefined) return "active"
      const account = accountPlace(target.cluster, home, requestId)
      return (yield* isThere(account, reference?.serviceAccount?.uid)) ? "active" : "ended"
    })

  return {
    name,
    capabilities,
    parse,
    check,
    grant,
    end,
    resourceKey,
    inspect,
    list: () => Listing.everything(calls, allowed.clusters, { accounts: isOwnAccount, resourceKey }),
    diagnose: ({ canonical, grantee }) => {
      const target = canonical === null ? null : Target.fromCanonical(canonical)
      const subject = grantee === null ? null : subjectOf("", grantee)
      return Permissions.diagnose(config, calls, target, grantee === null ? undefined : subject)
    }
  }
}

/** The provider of this configuration; an unusable one is refused with the key at fault. */
export const make = (
  config: KubernetesConfig,
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  Effect.gen(function* () {
    const why = whyNotConfig(config)
    if (why !== null) return yield* why
    const sdk = yield* KubernetesSdk.loadSdk(options.load ?? KubernetesSdk.installed)
    const connections = yield* Clusters.connectAll(sdk, config)
    return fromCalls(config, connections, KubernetesCalls.make(sdk, config, connections))
  })

/** How the daemon loads it. */
export const plugin: ProviderPlugin.ProviderPlugin<KubernetesConfig> = {
  name,
  config: KubernetesConfig,
  make: (config) => make(config),
  territory
}
