/**
 * A local server that speaks the Kubernetes API as the official client hears it, and enforces what an API server with
 * `--authorization-mode=RBAC` enforces.
 *
 * 1. Callers sign in with the tokens that it was given or has issued; a token of a ServiceAccount counts until its end,
 *    and only while that very account exists.
 * 2. Permissions are those of the Roles and bindings that it holds (`kubernetes/Rbac.ts`): its own objects decide, so that
 *    a binding that a provider makes is a right at once, and the daemon needs its own.
 * 3. Bodies are checked against the client's model of the API (`kubernetes/Model.ts`), then by the rules of validation
 *    (`kubernetes/Rules.ts`). Unlike an API server, it refuses a body with unknown fields instead of dropping them.
 * 4. Making bindings and roles is guarded against escalation; deletion keeps preconditions and finalizers; lists have
 *    pages that become too old.
 * 5. `setLag`: authorization sees changed bindings and roles only after so many further calls, as informers lag
 *    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/). Reads do not: they are consistent
 *    (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list).
 *
 * Operations: namespaces, serviceaccounts, roles, clusterroles, rolebindings and clusterrolebindings: get, list, create,
 * delete; serviceaccounts/token: create; selfsubjectaccessreviews and selfsubjectreviews: create. It holds no real secret.
 */
import { randomBytes } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Model from "./kubernetes/Model.ts"
import * as Objects from "./kubernetes/Objects.ts"
import * as Rbac from "./kubernetes/Rbac.ts"
import * as Route from "./kubernetes/Route.ts"
import * as Rules from "./kubernetes/Rules.ts"
import * as Status from "./kubernetes/Status.ts"
import * as WireServer from "./WireServer.ts"

/** Somebody with a token of their own: the daemon, a requester. */
export interface WireUser {
  readonly name: string
  readonly token: string
  readonly groups?: ReadonlyArray<string>
}

/** An object as a manifest has it. */
export interface Manifest {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly finalizers?: ReadonlyArray<string>
  }
  readonly [field: string]: unknown
}

export interface WireOptions {
  /** Wall clock, epoch milliseconds. `advance` adds to it. */
  readonly now: () => number
  readonly users: ReadonlyArray<WireUser>
  /** What is there at the beginning, put there by nobody who would need a permission. */
  readonly objects: ReadonlyArray<Manifest>
}

/** A binding that somebody can use now. */
export interface WireRight {
  readonly binding: Objects.Kept
  readonly subjects: ReadonlyArray<{ readonly kind: string; readonly name: string }>
}

export interface KubernetesWire extends WireServer.WireServer {
  /** Puts objects there, whoever may. */
  readonly apply: (...manifests: ReadonlyArray<Manifest>) => void
  readonly get: (kind: string, namespace: string | null, name: string) => Objects.Kept | undefined
  /** Every object of a kind. */
  readonly all: (kind: string) => ReadonlyArray<Objects.Kept>
  /** Somebody else changes an object; one that is marked for deletion goes with its last finalizer. */
  readonly edit: (
    kind: string,
    namespace: string | null,
    name: string,
    change: (before: Objects.Kept) => Objects.Kept
  ) => void
  readonly remove: (kind: string, namespace: string | null, name: string) => void
  /** Bindings with this label whose subject can be somebody: a ServiceAccount must exist. */
  readonly rights: (label: string) => ReadonlyArray<WireRight>
  /** Whether a caller may do this now, as authorization sees it. */
  readonly allows: (caller: Rbac.Caller, attributes: Rbac.Attributes) => boolean
  /** Continue tokens that were given until now are too old. */
  readonly compact: () => void
  readonly setLag: (calls: number) => void
}

interface IssuedToken {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly expiresAt: number
}

const kindNamed = (kind: string): Objects.Kind => {
  const found = Objects.kinds.find((one) => one.kind === kind)
  if (found === undefined) throw new Error(`the wire server has no kind ${kind}`)
  return found
}

const models: Readonly<Record<string, string>> = {
  Namespace: "V1Namespace",
  ServiceAccount: "V1ServiceAccount",
  Role: "V1Role",
  ClusterRole: "V1ClusterRole",
  RoleBinding: "V1RoleBinding",
  ClusterRoleBinding: "V1ClusterRoleBinding"
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const fieldOf = (value: unknown, field: string): unknown => (isRecord(value) ? value[field] : undefined)

const metadataIn = (body: Record<string, unknown>): Partial<Objects.Meta> & { readonly name: string } => {
  const metadata = fieldOf(body, "metadata")
  return isRecord(metadata) ? { ...metadata, name: String(metadata["name"] ?? "") } : { name: "" }
}

const bodyOf = (request: WireServer.WireRequest): Record<string, unknown> => {
  if (!/^application\/json\b/u.test(request.headers["content-type"] ?? "")) {
    throw new Status.Refusal(415, "UnsupportedMediaType", "the body of the request was in an unknown format")
  }
  try {
    const body: unknown = JSON.parse(request.body)
    if (isRecord(body)) return body
  } catch {
    throw Status.badRequest("the object provided is unrecognized (must be of type JSON)")
  }
  throw Status.badRequest("the object provided is unrecognized (must be an object)")
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors (equality and existence) */
const selects = (selector: string | null): ((one: Objects.Kept) => boolean) => {
  const terms = (selector ?? "").split(",").filter((term) => term !== "")
  const tests = terms.map((term) => {
    const [, key, operator = "", value = ""] = /^([\w./-]+)(?:(==|=|!=)([\w.-]*))?$/u.exec(term) ?? []
    if (key === undefined) throw Status.badRequest(`unable to parse requirement: ${term}`)
    return (labels: Readonly<Record<string, string>>): boolean =>
      operator === "" ? key in labels : operator === "!=" ? labels[key] !== value : labels[key] === value
  })
  return ({ metadata }) => tests.every((test) => test(metadata.labels ?? {}))
}

/** Start a server with these users and objects. */
export const start = async (options: WireOptions): Promise<KubernetesWire> => {
  const clock = WireServer.clockFrom(options.now)
  const model = await Model.load()
  const objects = Objects.make(clock.now)
  const tokens = new Map<string, IssuedToken>()

  const picture = (): Rbac.Picture => ({
    roles: objects.all("roles"),
    clusterRoles: objects.all("clusterroles"),
    roleBindings: objects.all("rolebindings"),
    clusterRoleBindings: objects.all("clusterrolebindings")
  })
  let lag = 0
  let effective = picture()
  const pending: Array<{ readonly picture: Rbac.Picture; after: number }> = []

  const changed = (): void => {
    if (lag === 0 && pending.length === 0) effective = picture()
    else pending.push({ picture: picture(), after: lag })
  }
  /** One more call has been answered: what is pending comes nearer. */
  const settle = (): void => {
    for (const one of pending) one.after -= 1
    while ((pending[0]?.after ?? 1) <= 0) effective = pending.shift()?.picture ?? effective
  }

  const apply: KubernetesWire["apply"] = (...manifests) => {
    for (const manifest of manifests) {
      const kind = kindNamed(manifest.kind)
      const wrong = [...model.whyNot(models[kind.kind] ?? "", manifest), ...Rules.whyNot(kind, manifest)]
      if (wrong.length > 0) throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${JSON.stringify(wrong)}`)
      objects.create(kind, kind.namespaced ? (manifest.metadata.namespace ?? "default") : null, manifest, false)
    }
    changed()
  }

  const callerOf = (request: WireServer.WireRequest): Rbac.Caller => {
    const token = /^Bearer (\S+)$/u.exec(request.headers.authorization ?? "")?.[1]
    if (token === undefined) throw Status.unauthorized()
    const user = options.users.find((one) => one.token === token)
    if (user !== undefined) return { name: user.name, groups: [...(user.groups ?? []), "system:authenticated"] }
    const issued = tokens.get(token)
    if (issued === undefined || clock.now() >= issued.expiresAt) throw Status.unauthorized()
    // https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
    const account = objects.get(kindNamed("ServiceAccount"), issued.namespace, issued.name)
    if (account?.metadata.uid !== issued.uid) throw Status.unauthorized()
    return {
      name: `system:serviceaccount:${issued.namespace}:${issued.name}`,
      groups: ["system:serviceaccounts", `system:serviceaccounts:${issued.namespace}`, "system:authenticated"]
    }
  }

  const aboutOf = ({ group, name, resource }: Route.Route): Status.About => ({ group, resource, name })

  const authorize = (route: Route.Route, caller: Rbac.Caller): void => {
    const { group, name, namespace, resource, verb } = route
    const isAllowed = Rbac.allows(effective, caller, { verb, group, resource, namespace, name })
    settle()
    if (isAllowed) return
    const where = namespace === null ? "at the cluster scope" : `in the namespace "${namespace}"`
    throw Status.forbidden(
      aboutOf(route),
      `User "${caller.name}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`
    )
  }

  /** Nothing is made in a namespace that is not there, or is on its way out. */
  const admit = (namespace: string, about: Status.About): void => {
    const found = objects.get(kindNamed("Namespace"), null, namespace)
    if (found === undefined) throw Status.notFound({ group: "", resource: "namespaces", name: namespace })
    if (fieldOf(found["status"], "phase") === "Terminating" || found.metadata.deletionTimestamp !== undefined) {
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`
      throw Status.forbidden(about, why, [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${namespace} is being terminated`,
          field: "metadata.namespace"
        }
      ])
    }
  }

  const guard = (
    kind: Objects.Kind,
    namespace: string | null,
    caller: Rbac.Caller,
    body: Record<string, unknown>,
    about: Status.About
  ): void => {
    if (kind.group !== "rbac.authorization.k8s.io" || Rbac.isMaster(caller)) return
    const { group } = kind
    const isBinding = kind.kind === "RoleBinding" || kind.kind === "ClusterRoleBinding"
    const roleRef = Rbac.roleRefIn(body)
    const resource = isBinding ? (roleRef.kind === "Role" ? "roles" : "clusterroles") : kind.resource
    const name = isBinding ? roleRef.name : about.name
    const verb = isBinding ? "bind" : "escalate"
    if (Rbac.allows(effective, caller, { verb, group, resource, namespace, name })) return
    const rules = isBinding ? Rbac.rulesOf(effective, roleRef, namespace) : Rbac.rulesInBody(body)
    if (rules === undefined) throw Status.notFound({ group, resource, name })
    const missing = Rbac.notHeld(effective, caller, namespace, rules)
    if (missing.length > 0) {
      throw Status.forbidden(
        about,
        `user "${caller.name}" is attempting to grant RBAC permissions not currently held:\n${missing.map((rule) => JSON.stringify(rule)).join("\n")}`
      )
    }
  }

  const create = (
    route: Route.Route,
    kind: Objects.Kind,
    caller: Rbac.Caller,
    body: Record<string, unknown>
  ): WireServer.WireAnswer => {
    const dryRun = route.query.getAll("dryRun")
    if (dryRun.some((value) => value !== "All")) throw Status.badRequest("dryRun: Unsupported value")
    const metadata = metadataIn(body)
    const about = { ...aboutOf(route), name: metadata.name }
    if (body["kind"] !== kind.kind || body["apiVersion"] !== Objects.apiVersionOf(kind)) {
      throw Status.badRequest("the API version and kind in the data do not match the expected ones")
    }
    const unknown = model.whyNot(models[kind.kind] ?? "", body)
    if (unknown.length > 0)
      throw Status.badRequest(`strict decoding error: ${unknown.map(({ message }) => message).join(", ")}`)
    if (metadata.namespace !== undefined && metadata.namespace !== route.namespace) {
      throw Status.badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
    if (route.namespace !== null) admit(route.namespace, about)
    guard(kind, route.namespace, caller, body, about)
    const causes = Rules.whyNot(kind, body)
    if (causes.length > 0) throw Status.invalid(about, causes)
    const made = objects.create(kind, route.namespace, { ...body, metadata }, dryRun.length > 0)
    if (dryRun.length === 0) changed()
    return WireServer.json(201, made)
  }

  const remove = (route: Route.Route, kind: Objects.Kind, body: Record<string, unknown>): WireServer.WireAnswer => {
    const unknown = model.whyNot("V1DeleteOptions", body)
    if (unknown.length > 0)
      throw Status.badRequest(`strict decoding error: ${unknown.map(({ message }) => message).join(", ")}`)
    const preconditions = fieldOf(body, "preconditions")
    const [uid, resourceVersion] = [fieldOf(preconditions, "uid"), fieldOf(preconditions, "resourceVersion")]
    const namespace = kind.namespaced ? route.namespace : null
    const before = objects.get(kind, namespace, route.name)
    const left = objects.remove(kind, namespace, route.name, {
      ...(typeof uid === "string" ? { uid } : {}),
      ...(typeof resourceVersion === "string" ? { resourceVersion } : {})
    })
    changed()
    if (left !== null) return WireServer.json(200, left)
    // Accounts are given back as they were; RBAC's objects are not.
    if (kind.kind === "ServiceAccount") return WireServer.json(200, before)
    const details = { name: route.name, group: kind.group, kind: kind.resource, uid: before?.metadata.uid }
    return WireServer.json(200, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details })
  }

  const list = (route: Route.Route, kind: Objects.Kind): WireServer.WireAnswer => {
    const limit = Number(route.query.get("limit") ?? "0")
    if (!Number.isSafeInteger(limit) || limit < 0) throw Status.badRequest("limit must be a whole number")
    const page = objects.page(
      kind,
      kind.namespaced ? route.namespace : null,
      selects(route.query.get("labelSelector")),
      limit,
      route.query.get("continue")
    )
    return WireServer.json(200, {
      kind: `${kind.kind}List`,
      apiVersion: Objects.apiVersionOf(kind),
      metadata: {
        resourceVersion: page.resourceVersion,
        ...(page.next === null ? {} : { continue: page.next, remainingItemCount: page.remaining })
      },
      items: page.items.map(({ apiVersion: _, kind: __, ...one }) => one)
    })
  }

  /** https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/ */
  const issue = (route: Route.Route, body: Record<string, unknown>): WireServer.WireAnswer => {
    const about = aboutOf(route)
    const unknown = model.whyNot("AuthenticationV1TokenRequest", body)
    if (unknown.length > 0)
      throw Status.badRequest(`strict decoding error: ${unknown.map(({ message }) => message).join(", ")}`)
    const account = objects.get(kindNamed("ServiceAccount"), route.namespace, route.name)
    if (account === undefined) throw Status.notFound({ group: "", resource: "serviceaccounts", name: route.name })
    const seconds = Number(fieldOf(body["spec"], "expirationSeconds") ?? 3600)
    if (seconds < 600 || seconds > 2 ** 32) {
      const why =
        seconds < 600
          ? "may not specify a duration less than 10 minutes"
          : "may not specify a duration larger than 2^32 seconds"
      throw Status.invalid(about, [{ reason: "FieldValueInvalid", field: "spec.expirationSeconds", message: why }])
    }
    const token = `wire.${randomBytes(32).toString("base64url")}.${randomBytes(16).toString("base64url")}`
    const expiresAt = (Math.floor(clock.now() / 1000) + seconds) * 1000
    tokens.set(token, { namespace: route.namespace ?? "", name: route.name, uid: account.metadata.uid, expiresAt })
    return WireServer.json(201, {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name: route.name, namespace: route.namespace },
      spec: { audiences: ["https://kubernetes.default.svc"], expirationSeconds: seconds },
      status: { token, expirationTimestamp: Objects.rfc3339(expiresAt) }
    })
  }

  const review = (route: Route.Route, caller: Rbac.Caller, body: Record<string, unknown>): WireServer.WireAnswer => {
    const isAccess = route.resource === "selfsubjectaccessreviews"
    const unknown = model.whyNot(isAccess ? "V1SelfSubjectAccessReview" : "V1SelfSubjectReview", body)
    if (unknown.length > 0)
      throw Status.badRequest(`strict decoding error: ${unknown.map(({ message }) => message).join(", ")}`)
    if (!isAccess) {
      return WireServer.json(201, { ...body, status: { userInfo: { username: caller.name, groups: caller.groups } } })
    }
    const asked = fieldOf(body["spec"], "resourceAttributes")
    if (!isRecord(asked)) {
      throw Status.badRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    }
    const text = (field: string): string => String(asked[field] ?? "")
    const allowed = Rbac.allows(effective, caller, {
      verb: text("verb"),
      group: text("group"),
      resource: text("subresource") === "" ? text("resource") : `${text("resource")}/${text("subresource")}`,
      namespace: text("namespace") === "" ? null : text("namespace"),
      name: text("name")
    })
    return WireServer.json(201, { ...body, metadata: {}, status: { allowed } })
  }

  const answer = (route: Route.Route, caller: Rbac.Caller, request: WireServer.WireRequest): WireServer.WireAnswer => {
    const { kind, name, verb } = route
    if (kind === null) return review(route, caller, bodyOf(request))
    if (route.resource === "serviceaccounts/token") return issue(route, bodyOf(request))
    switch (verb) {
      case "list":
        return list(route, kind)
      case "get": {
        const found = objects.get(kind, kind.namespaced ? route.namespace : null, name)
        if (found === undefined) throw Status.notFound(aboutOf(route))
        return WireServer.json(200, found)
      }
      case "create":
        return create(route, kind, caller, bodyOf(request))
      case "delete":
        return remove(route, kind, request.body === "" ? {} : bodyOf(request))
    }
  }

  const refusalBy = (refused: WireServer.Refused, about: Status.About): Status.Refusal => {
    switch (refused) {
      case "throttle":
        return Status.tooMany()
      case "unavailable":
        return Status.unavailable()
      case "conflict":
        return Status.conflict(about, "the object has been modified; please apply your changes to the latest version")
      case "deny":
        return Status.forbidden(about, "it was asked for in a test")
    }
  }

  const perform: WireServer.Dialect["perform"] = (request, _operation, refused) => {
    const route = Route.routeOf(request)
    let caller: Rbac.Caller | null = null
    const about = route === null ? null : `${route.namespace === null ? "" : `${route.namespace}/`}${route.name}`
    try {
      caller = callerOf(request)
      if (route === null) throw new Status.Refusal(404, "NotFound", "the server could not find the requested resource")
      if (refused !== null) throw refusalBy(refused, aboutOf(route))
      authorize(route, caller)
      return { answer: answer(route, caller, request), caller: caller.name, outcome: "ok", about }
    } catch (thrown) {
      if (!(thrown instanceof Status.Refusal)) throw thrown
      return { answer: Status.answerOf(thrown), caller: caller?.name ?? null, outcome: thrown.reason, about }
    }
  }

  const rights: KubernetesWire["rights"] = (label) =>
    [...objects.all("rolebindings"), ...objects.all("clusterrolebindings")]
      .filter(({ metadata }) => metadata.labels?.[label] === "true")
      .flatMap((binding) => {
        const listed = binding["subjects"]
        const subjects = (Array.isArray(listed) ? listed : []).flatMap((subject: unknown) => {
          const [kind, name] = [String(fieldOf(subject, "kind")), String(fieldOf(subject, "name"))]
          const home = String(fieldOf(subject, "namespace") ?? binding.metadata.namespace ?? "")
          const isSomebody =
            kind !== "ServiceAccount" || objects.get(kindNamed("ServiceAccount"), home, name) !== undefined
          return isSomebody ? [{ kind, name }] : []
        })
        return subjects.length === 0 ? [] : [{ binding, subjects }]
      })

  apply(...options.objects)
  const dialect: WireServer.Dialect = {
    operationOf: (request) => Route.operationOf(Route.routeOf(request)),
    perform,
    state: () => ({
      objects: Object.fromEntries(Objects.kinds.map(({ resource }) => [resource, objects.all(resource)])),
      // Tokens are not shown, only whose they are.
      tokens: [...tokens.values()]
    }),
    setLag: (calls) => {
      lag = calls
    }
  }
  const server = await WireServer.start({ clock, dialect })
  const within = (kind: Objects.Kind, namespace: string | null): string | null => (kind.namespaced ? namespace : null)

  return {
    ...server,
    apply,
    get: (kind, namespace, name) => objects.get(kindNamed(kind), within(kindNamed(kind), namespace), name),
    all: (kind) => objects.all(kindNamed(kind).resource),
    edit: (kind, namespace, name, change) => {
      objects.edit(kindNamed(kind), within(kindNamed(kind), namespace), name, change)
      changed()
    },
    remove: (kind, namespace, name) => {
      objects.remove(kindNamed(kind), within(kindNamed(kind), namespace), name, {})
      changed()
    },
    rights,
    allows: (caller, attributes) =>
      Rbac.allows(effective, { ...caller, groups: [...caller.groups, "system:authenticated"] }, attributes),
    compact: objects.compact,
    setLag: (calls) => {
      lag = calls
    }
  }
}

/** A server for as long as the scope is open. */
export const scoped = (options: WireOptions): Effect.Effect<KubernetesWire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (wire) => Effect.promise(wire.close)
  )
