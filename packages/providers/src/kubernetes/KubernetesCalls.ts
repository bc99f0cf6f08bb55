/**
 * The calls to the API servers, each with its limit of time and its errors in the port's words.
 *
 * 1. Each is one request and is tried once. The engine tries again, later.
 * 2. What is found is given as this provider speaks of it (`Found`); the client's classes stay here.
 * 3. The client makes a connection for every call; one is kept per cluster and renewed every minute, so that renewed
 *    certificates of the daemon count.
 */
import type {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  RbacAuthorizationV1Api,
  RequestContext,
  V1ClusterRoleBinding,
  V1ObjectMeta,
  V1RoleBinding,
  V1ServiceAccount
} from "@kubernetes/client-node"
import { Provider, Time } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Connection } from "./Clusters.ts"
import type { KubernetesConfig } from "./KubernetesConfig.ts"
import * as KubernetesError from "./KubernetesError.ts"
import type { KubernetesSdk } from "./KubernetesSdk.ts"
import type * as Mark from "./Mark.ts"
import type { Subject } from "./Subject.ts"
import type { Target } from "./Target.ts"

export type Kind = "RoleBinding" | "ClusterRoleBinding" | "ServiceAccount"

/** Where one object is. `namespace` is null for what belongs to the whole cluster. */
export interface Place {
  readonly cluster: string
  readonly kind: Kind
  readonly namespace: string | null
  readonly name: string
}

/** An object as the API server shows it. */
export interface Found extends Mark.Marks {
  readonly name: string
  readonly namespace: string | null
  readonly uid: string
  /** What keeps it from being deleted. */
  readonly finalizers: ReadonlyArray<string>
  readonly isDeleting: boolean
  /** Of a binding: whom it binds. */
  readonly subjects: ReadonlyArray<Subject>
  /** Of a binding: what to. */
  readonly role: Target["role"] | null
}

/** What a binding is to say. */
export interface Binding {
  readonly role: Target["role"]
  readonly subject: Subject
}

/** One question of `may`, as a SelfSubjectAccessReview asks it. */
export interface Access {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
}

type Call<A> = Effect.Effect<A, Provider.ProviderError>

export interface KubernetesCalls {
  /** Null: there is none. */
  readonly read: (place: Place) => Call<Found | null>
  /** `exists`: something of that name is there already; nothing was changed. */
  readonly createBinding: (place: Place, metadata: Mark.Metadata, binding: Binding) => Call<Found | "exists">
  readonly createAccount: (place: Place, metadata: Mark.Metadata) => Call<Found | "exists">
  /** Deletes exactly the object with this uid. `changed`: another has its name by now. */
  readonly remove: (place: Place, uid: string) => Call<"accepted" | "gone" | "changed">
  /** Everything of a kind that has the managed label; accounts in their namespace. */
  readonly list: (cluster: string, kind: Kind) => Call<ReadonlyArray<Found>>
  /** A token for an account, for at least 600 s. */
  readonly token: (
    place: Place,
    lifeSeconds: number
  ) => Call<{ readonly token: string; readonly expiresAt: Time.Time | null }>
  readonly roleExists: (target: Target) => Call<boolean>
  readonly namespaceState: (cluster: string, namespace: string) => Call<"there" | "missing" | "terminating">
  readonly may: (cluster: string, access: Access) => Call<boolean>
  /** The daemon's own name in a cluster. */
  readonly whoAmI: (cluster: string) => Call<string>
}

const group = "rbac.authorization.k8s.io"
const plural: Readonly<Record<Kind, string>> = {
  RoleBinding: `rolebindings.${group}`,
  ClusterRoleBinding: `clusterrolebindings.${group}`,
  ServiceAccount: "serviceaccounts"
}

/** One page of a list; https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks */
const pageSize = 500
/** How often a list is begun again when its continue token has become too old. */
const restarts = 3
const renewConnectionMillis = 60_000

interface Apis {
  readonly core: CoreV1Api
  readonly rbac: RbacAuthorizationV1Api
  readonly authorization: AuthorizationV1Api
  readonly authentication: AuthenticationV1Api
}

type Dispatcher = NonNullable<ReturnType<RequestContext["getDispatcher"]>>
type Options = NonNullable<Parameters<CoreV1Api["readNamespace"]>[1]>

const marksOf = (metadata: V1ObjectMeta | undefined) => ({
  name: metadata?.name ?? "",
  namespace: metadata?.namespace ?? null,
  uid: metadata?.uid ?? "",
  labels: metadata?.labels ?? {},
  annotations: metadata?.annotations ?? {},
  finalizers: metadata?.finalizers ?? [],
  isDeleting: metadata?.deletionTimestamp !== undefined
})

const foundBinding = ({ metadata, roleRef, subjects }: V1RoleBinding | V1ClusterRoleBinding): Found => ({
  ...marksOf(metadata),
  subjects: (subjects ?? []).flatMap(({ kind, name, namespace }) =>
    kind === "User" || kind === "Group" || kind === "ServiceAccount"
      ? [{ kind, name, namespace: kind === "ServiceAccount" ? (namespace ?? null) : null }]
      : []
  ),
  role: roleRef.kind === "ClusterRole" || roleRef.kind === "Role" ? { kind: roleRef.kind, name: roleRef.name } : null
})

const foundAccount = ({ metadata }: V1ServiceAccount): Found => ({ ...marksOf(metadata), subjects: [], role: null })

const bodyOf = (kind: string, metadata: Mark.Metadata, { role, subject }: Binding) => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata,
  roleRef: { apiGroup: group, kind: role.kind, name: role.name },
  subjects: [
    subject.kind === "ServiceAccount"
      ? {
          kind: subject.kind,
          name: subject.name,
          ...(subject.namespace === null ? {} : { namespace: subject.namespace })
        }
      : { kind: subject.kind, name: subject.name, apiGroup: group }
  ]
})

export const make = (
  sdk: KubernetesSdk,
  config: KubernetesConfig,
  connections: ReadonlyMap<string, Connection>
): KubernetesCalls => {
  const clients = new Map<string, Apis>()
  for (const [name, { kubeConfig }] of connections) {
    clients.set(name, {
      core: kubeConfig.makeApiClient(sdk.CoreV1Api),
      rbac: kubeConfig.makeApiClient(sdk.RbacAuthorizationV1Api),
      authorization: kubeConfig.makeApiClient(sdk.AuthorizationV1Api),
      authentication: kubeConfig.makeApiClient(sdk.AuthenticationV1Api)
    })
  }
  const kept = new Map<string, { readonly dispatcher: Dispatcher; readonly since: number }>()

  /** One kept connection per cluster; gives the one that it took the place of. */
  const reuse = (cluster: string, context: RequestContext, now: number): Dispatcher | undefined => {
    const fresh = context.getDispatcher()
    const before = kept.get(cluster)
    if (fresh === undefined) return undefined
    if (before !== undefined && now - before.since < renewConnectionMillis) {
      context.setDispatcher(before.dispatcher)
      return undefined
    }
    kept.set(cluster, { dispatcher: fresh, since: now })
    return before?.dispatcher
  }

  /** It finishes what it has begun; nobody waits for that. */
  const close = (dispatcher: Dispatcher | undefined): Effect.Effect<void> =>
    dispatcher === undefined
      ? Effect.void
      : Effect.asVoid(
          Effect.forkDetach(
            Effect.ignore(
              Effect.tryPromise(() => dispatcher.close()),
              { log: true }
            )
          )
        )

  const clientOf = (cluster: string, doing: KubernetesError.Doing): Call<Apis> => {
    const apis = clients.get(cluster)
    return apis === undefined
      ? Effect.fail(
          new Provider.ProviderError({
            provider: "kubernetes",
            reason: "ProviderUnavailable",
            retryable: true,
            effect: "none",
            message: "jitsudo does not know this cluster any more",
            hint: `Put ${cluster} back into \`providers.kubernetes.clusters\` until its grants have ended (${doing.verb} on ${doing.resource}).`
          })
        )
      : Effect.succeed(apis)
  }

  /** A request; what it throws as the port's error, but what `expected` knows as an answer. */
  const call = <A, B = never>(
    doing: KubernetesError.Doing,
    run: (apis: Apis, options: Options) => Promise<A>,
    expected: (answer: KubernetesError.Answer) => B | undefined = () => undefined
  ): Call<A | B> =>
    Effect.gen(function* () {
      const apis = yield* clientOf(doing.cluster, doing)
      const now = yield* Clock.currentTimeMillis
      let sent = false
      let replaced: Dispatcher | undefined
      const optionsFor = (signal: AbortSignal): Options => ({
        middlewareMergeStrategy: "append",
        middleware: [
          {
            pre: (context) => {
              context.setSignal(signal)
              replaced = reuse(doing.cluster, context, now)
              sent = true
              return new sdk.Observable(Promise.resolve(context))
            },
            post: (context) => new sdk.Observable(Promise.resolve(context))
          }
        ]
      })
      return yield* Effect.tryPromise({
        try: (signal): Promise<A | B> =>
          run(apis, optionsFor(signal)).catch((thrown: unknown) => {
            const known = expected(KubernetesError.read(thrown))
            if (known !== undefined) return known
            throw thrown
          }),
        catch: (thrown) => KubernetesError.fromSdk(thrown, doing, sent)
      }).pipe(
        Effect.timeoutOrElse({
          duration: config.timeout_seconds * 1000,
          orElse: () => Effect.fail(KubernetesError.outOfTime(config.timeout_seconds, doing))
        }),
        Effect.ensuring(Effect.suspend(() => close(replaced)))
      )
    })

  /** A call that changes nothing, whatever becomes of it. */
  const reading = <A>(effect: Call<A>): Call<A> =>
    Effect.catchTag(effect, "ProviderError", (error) => Effect.fail(KubernetesError.withoutEffect(error)))

  const doingTo = (verb: string, { cluster, kind, name, namespace }: Place): KubernetesError.Doing => ({
    cluster,
    verb,
    resource: plural[kind],
    on: namespace === null ? name : `${namespace}/${name}`
  })

  const isMissing = ({ about, status }: KubernetesError.Answer) =>
    // A namespace that is gone took everything in it along.
    status === 404 && about !== "" ? null : undefined

  const read: KubernetesCalls["read"] = (place) =>
    reading(
      call(
        doingTo("get", place),
        ({ core, rbac }, options): Promise<Found> => {
          const { kind, name } = place
          const namespace = place.namespace ?? ""
          switch (kind) {
            case "RoleBinding":
              return rbac.readNamespacedRoleBinding({ name, namespace }, options).then(foundBinding)
            case "ClusterRoleBinding":
              return rbac.readClusterRoleBinding({ name }, options).then(foundBinding)
            case "ServiceAccount":
              return core.readNamespacedServiceAccount({ name, namespace }, options).then(foundAccount)
          }
        },
        isMissing
      )
    )

  const exists = ({ reason, status }: KubernetesError.Answer) =>
    status === 409 && reason === "AlreadyExists" ? ("exists" as const) : undefined

  const createBinding: KubernetesCalls["createBinding"] = (place, metadata, binding) => {
    const body = bodyOf(place.kind, metadata, binding)
    const also = `It is the ${binding.role.kind} ${binding.role.name}: the verb bind on ${binding.role.kind === "Role" ? "roles" : "clusterroles"}.${group} with this name in resourceNames.`
    return call(
      { ...doingTo("create", place), also },
      ({ rbac }, options): Promise<Found> =>
        place.kind === "RoleBinding"
          ? rbac.createNamespacedRoleBinding({ namespace: place.namespace ?? "", body }, options).then(foundBinding)
          : rbac.createClusterRoleBinding({ body }, options).then(foundBinding),
      exists
    )
  }

  const createAccount: KubernetesCalls["createAccount"] = (place, metadata) =>
    call(
      doingTo("create", place),
      ({ core }, options) =>
        core
          .createNamespacedServiceAccount(
            {
              namespace: place.namespace ?? "",
              // No pod is to run as it: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
              body: { apiVersion: "v1", kind: "ServiceAccount", metadata, automountServiceAccountToken: false }
            },
            options
          )
          .then(foundAccount),
      exists
    )

  const remove: KubernetesCalls["remove"] = (place, uid) => {
    const { kind, name } = place
    const namespace = place.namespace ?? ""
    // https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-deletion (preconditions)
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid } }
    return call(
      doingTo("delete", place),
      ({ core, rbac }, options): Promise<"accepted"> => {
        const deleted: Promise<unknown> =
          kind === "RoleBinding"
            ? rbac.deleteNamespacedRoleBinding({ name, namespace, body }, options)
            : kind === "ClusterRoleBinding"
              ? rbac.deleteClusterRoleBinding({ name, body }, options)
              : core.deleteNamespacedServiceAccount({ name, namespace, body }, options)
        return deleted.then(() => "accepted" as const)
      },
      ({ about, reason, status }) => {
        if (status === 404 && about !== "") return "gone" as const
        return status === 409 && reason === "Conflict" ? ("changed" as const) : undefined
      }
    )
  }

  interface Page {
    readonly items: ReadonlyArray<Found>
    readonly next: string | undefined
  }

  const page = (cluster: string, kind: Kind, next: string | undefined): Call<Page | "tooOld"> =>
    reading(
      call(
        { cluster, verb: "list", resource: plural[kind], on: "" },
        ({ core, rbac }, options): Promise<Page> => {
          const query = {
            labelSelector: `${config.managed_label}=true`,
            limit: pageSize,
            ...(next === undefined ? {} : { _continue: next })
          }
          const more = (metadata: { readonly _continue?: string } | undefined) => metadata?._continue || undefined
          switch (kind) {
            case "RoleBinding":
              return rbac
                .listRoleBindingForAllNamespaces(query, options)
                .then(({ items, metadata }) => ({ items: items.map(foundBinding), next: more(metadata) }))
            case "ClusterRoleBinding":
              return rbac
                .listClusterRoleBinding(query, options)
                .then(({ items, metadata }) => ({ items: items.map(foundBinding), next: more(metadata) }))
            case "ServiceAccount":
              return core
                .listNamespacedServiceAccount({ namespace: config.service_account_namespace ?? "", ...query }, options)
                .then(({ items, metadata }) => ({ items: items.map(foundAccount), next: more(metadata) }))
          }
        },
        ({ status }) => (status === 410 ? ("tooOld" as const) : undefined)
      )
    )

  const list: KubernetesCalls["list"] = (cluster, kind) =>
    Effect.gen(function* () {
      for (let begun = 0; begun <= restarts; begun += 1) {
        const all: Array<Found> = []
        let next: string | undefined
        do {
          const found: Page | "tooOld" = yield* page(cluster, kind, next)
          if (found === "tooOld") break
          all.push(...found.items)
          next = found.next
          if (next === undefined) return all
        } while (next !== undefined)
      }
      return yield* new Provider.ProviderError({
        provider: "kubernetes",
        reason: "ProviderUnavailable",
        retryable: true,
        effect: "none",
        message: "the cluster changes faster than it can be listed",
        hint: `The continue tokens of ${plural[kind]} in ${cluster} became too old ${restarts + 1} times.`
      })
    })

  const token: KubernetesCalls["token"] = (place, lifeSeconds) => {
    const doing = { ...doingTo("create", place), resource: "serviceaccounts/token" }
    return Effect.flatMap(
      call(doing, ({ core }, options) =>
        core.createNamespacedServiceAccountToken(
          {
            name: place.name,
            namespace: place.namespace ?? "",
            body: {
              apiVersion: "authentication.k8s.io/v1",
              kind: "TokenRequest",
              // No audience: that of the API server itself.
              spec: { audiences: [], expirationSeconds: Math.max(600, lifeSeconds) }
            }
          },
          options
        )
      ),
      ({ status }) => {
        const issued = status?.token ?? ""
        const expires = status?.expirationTimestamp?.getTime()
        return issued === ""
          ? Effect.fail(KubernetesError.fromSdk(new Error("no token"), doing, true))
          : Effect.succeed({
              token: issued,
              expiresAt: expires !== undefined && Number.isSafeInteger(expires) ? Time.make(expires) : null
            })
      }
    )
  }

  const roleExists: KubernetesCalls["roleExists"] = ({ cluster, namespace, role: { kind, name } }) =>
    reading(
      call(
        {
          cluster,
          verb: "get",
          resource: kind === "Role" ? `roles.${group}` : `clusterroles.${group}`,
          on: kind === "Role" ? `${namespace}/${name}` : name
        },
        ({ rbac }, options): Promise<boolean> =>
          (kind === "Role"
            ? rbac.readNamespacedRole({ name, namespace: namespace ?? "" }, options)
            : rbac.readClusterRole({ name }, options)
          ).then(() => true),
        ({ about, status }) => (status === 404 && about !== "" ? false : undefined)
      )
    )

  const namespaceState: KubernetesCalls["namespaceState"] = (cluster, namespace) =>
    reading(
      call(
        { cluster, verb: "get", resource: "namespaces", on: namespace },
        ({ core }, options) =>
          core
            .readNamespace({ name: namespace }, options)
            .then(({ metadata, status }) =>
              status?.phase === "Terminating" || metadata?.deletionTimestamp !== undefined ? "terminating" : "there"
            ),
        ({ about, status }) => (status === 404 && about !== "" ? ("missing" as const) : undefined)
      )
    )

  const may: KubernetesCalls["may"] = (cluster, access) =>
    reading(
      call(
        { cluster, verb: "create", resource: "selfsubjectaccessreviews.authorization.k8s.io", on: "" },
        ({ authorization }, options) =>
          authorization
            .createSelfSubjectAccessReview(
              {
                body: {
                  apiVersion: "authorization.k8s.io/v1",
                  kind: "SelfSubjectAccessReview",
                  spec: { resourceAttributes: access }
                }
              },
              options
            )
            .then(({ status }) => status?.allowed === true)
      )
    )

  const whoAmI: KubernetesCalls["whoAmI"] = (cluster) =>
    reading(
      call(
        { cluster, verb: "create", resource: "selfsubjectreviews.authentication.k8s.io", on: "" },
        ({ authentication }, options) =>
          authentication
            .createSelfSubjectReview(
              { body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" } },
              options
            )
            .then(({ status }) => status?.userInfo?.username ?? "")
      )
    )

  return { read, createBinding, createAccount, remove, list, token, roleExists, namespaceState, may, whoAmI }
}
