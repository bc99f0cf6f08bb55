/**
 * A local server that speaks Entra ID's token endpoint, Microsoft Graph and ARM's authorization API as the official SDKs
 * hear them, and enforces what they enforce.
 *
 * 1. It speaks TLS with a certificate of its own (`certificate`): Microsoft's sign-in library accepts nothing else. The
 *    three services are three paths of one server, `/login`, `/graph` and `/arm`, each with its own audience.
 * 2. Callers have the tokens that it issued; each does what its permissions, scopes and conditions allow and nothing
 *    else, so that a test shows which are enough.
 * 3. Names, filters, conflicts, limits and PIM's rules are as strict as the vendor documents; each rule names its page
 *    (`azure/Rbac.ts`, `azure/PimApi.ts`, `azure/Graph.ts`, `azure/Tokens.ts`).
 * 4. Lists run behind writes by as many calls as `setLag` says; what is granted counts at once.
 * 5. Its truth can be looked at, its clock moved, and faults asked for, from within and over `/_wire/...`.
 *
 * It listens on the loopback interface only and holds no real secret.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Graph from "./azure/Graph.ts"
import * as Lagged from "./azure/Lagged.ts"
import * as PimApi from "./azure/PimApi.ts"
import * as Rbac from "./azure/Rbac.ts"
import { notAuthorized, Refusal } from "./azure/Refusal.ts"
import * as SelfSigned from "./azure/SelfSigned.ts"
import * as Tokens from "./azure/Tokens.ts"
import * as World from "./azure/World.ts"
import * as WireServer from "./WireServer.ts"

export type { WirePrincipal } from "./azure/Graph.ts"
export type { WireClient } from "./azure/Tokens.ts"
export type { Asked, Assigned, Pim, WireRole } from "./azure/World.ts"

export interface WireOptions {
  /** Wall clock, epoch milliseconds. `advance` adds to it; tokens go by it alone. */
  readonly now: () => number
  readonly tenantId: string
  readonly clients: ReadonlyArray<Tokens.WireClient>
  readonly principals: ReadonlyArray<Graph.WirePrincipal>
  readonly roles: ReadonlyArray<World.WireRole>
  /** Scopes that exist, as ARM paths: subscriptions, resource groups, resources, management groups. */
  readonly scopes: ReadonlyArray<string>
  readonly pim?: Partial<World.Pim>
  /** Role assignments that a subscription has room for; Azure's 4,000 when absent. */
  readonly assignmentLimit?: number
}

/** A request as it came, and its answer, for comparing with the vendor's model. */
export interface Exchange {
  readonly operation: string
  readonly method: string
  readonly target: string
  readonly body: string
  readonly status: number
  readonly answer: string
}

/** An assignment that somebody else makes. */
export interface Stranger {
  readonly scope: string
  readonly roleId: string
  readonly principalId: string
  readonly description?: string
}

export interface AzureWire extends WireServer.WireServer {
  /** PEM: what a client has to trust. */
  readonly certificate: string
  readonly tenantId: string
  readonly endpoints: { readonly login: string; readonly graph: string; readonly arm: string }
  /** Role assignments and active schedules that count now. */
  readonly assignments: () => ReadonlyArray<World.Assigned>
  readonly scheduleRequests: () => ReadonlyArray<World.Asked>
  readonly exchanges: () => ReadonlyArray<Exchange>
  /** Somebody assigns a role, by role assignment. Gives its name. */
  readonly assign: (by: Stranger) => string
  /** Somebody writes another description, or another condition, on an assignment. */
  readonly describe: (name: string, description: string | null, condition?: string) => void
  /** Somebody removes an assignment. */
  readonly unassign: (name: string) => void
  readonly lock: (scope: string) => void
  readonly unlock: (scope: string) => void
  readonly removeScope: (scope: string) => void
  readonly addPrincipal: (principal: Graph.WirePrincipal) => void
  readonly setPim: (pim: Partial<World.Pim>) => void
  /** Lists are given in pages of so many. */
  readonly setPageSize: (size: number) => void
  /** Lists run behind writes by so many further calls to ARM. */
  readonly setLag: (calls: number) => void
}

const provider = "/providers/microsoft.authorization/"

type Type = "roleAssignments" | "roleDefinitions" | "roleAssignmentScheduleRequests" | "roleAssignmentSchedules"

const types: Readonly<Record<Type, string>> = {
  roleAssignments: Rbac.apiVersion,
  roleDefinitions: Rbac.apiVersion,
  roleAssignmentScheduleRequests: PimApi.apiVersion,
  roleAssignmentSchedules: PimApi.apiVersion
}

const isType = (text: string): text is Type => Object.hasOwn(types, text)

interface ArmPath {
  readonly scope: string
  readonly type: Type
  readonly name: string | null
}

const armPathOf = (path: string): ArmPath | null => {
  const at = path.toLowerCase().lastIndexOf(provider)
  if (at === -1) return null
  const [type = "", name, more] = path.slice(at + provider.length).split("/")
  const scope = path.slice(0, at).toLowerCase()
  // An empty segment is a segment: `//providers/...` is not the root.
  if (!isType(type) || more !== undefined || name === "" || scope === "/") return null
  return { scope: scope === "" ? "/" : scope, type, name: name ?? null }
}

const verbs: Readonly<Record<string, string>> = { PUT: "write", DELETE: "delete", GET: "read" }

/** What somebody does with a right: https://learn.microsoft.com/rest/api/resources/resource-groups/list */
const groupsAction = "Microsoft.Resources/subscriptions/resourceGroups/read"
const groupsPath = /^(\/subscriptions\/[^/]+)\/resourcegroups$/u

type Api = "login" | "graph" | "arm"

const apiOf = (
  target: string
): { readonly api: Api | null; readonly path: string; readonly query: URLSearchParams } => {
  const [whole = "", search = ""] = target.split("?")
  const [, first = ""] = whole.split("/")
  const api = first === "login" || first === "graph" || first === "arm" ? first : null
  return { api, path: api === null ? whole : whole.slice(api.length + 1), query: new URLSearchParams(search) }
}

const refusals: Readonly<Record<WireServer.Refused, (api: Api) => Refusal>> = {
  // https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
  throttle: () => new Refusal(429, "TooManyRequests", "The request is being throttled.", { "retry-after": "7" }),
  unavailable: () => new Refusal(503, "ServiceUnavailable", "The service is unavailable."),
  conflict: () => new Refusal(409, "Conflict", "Another operation is in progress."),
  deny: (api) =>
    api === "graph"
      ? new Refusal(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
      : new Refusal(403, "AuthorizationFailed", "The client does not have authorization to perform the action.")
}

/** Start a server with this tenant. */
export const start = async (options: WireOptions): Promise<AzureWire> => {
  const clock = WireServer.clockFrom(options.now)
  const tenantId = options.tenantId.toLowerCase()
  const principals = [...options.principals]
  const scopes = new Set(["/", ...options.scopes.map((scope) => scope.toLowerCase())])
  const locked = new Set<string>()
  const exchanges: Array<Exchange> = []
  let pim: World.Pim = {
    licensed: true,
    longestSeconds: 86_400 * 180,
    keepsFiveMinutes: true,
    pendingCalls: 1,
    nextFails: null,
    ...options.pim
  }
  let armCalls = 0
  let lag = 0
  let pageSize: number | null = null
  let base = ""
  const endpoints = () => ({ login: `${base}/login`, graph: `${base}/graph`, arm: `${base}/arm` })
  const tokens = Tokens.make({ tenantId, clients: options.clients, wall: options.now, endpoints })
  const lagged = <V>() =>
    Lagged.make<V>(
      () => armCalls,
      () => lag
    )
  const world: World.World = {
    now: clock.now,
    call: () => armCalls,
    roles: options.roles,
    principals: () => principals,
    scopeExists: (scope) => scopes.has(scope),
    isLocked: (scope) => [...locked].some((one) => World.isAtOrBelow(scope, one)),
    assignmentLimit: options.assignmentLimit ?? 4000,
    assignments: lagged<World.Assigned>(),
    requests: lagged<World.Asked>(),
    pim: () => pim
  }

  const paged = (all: ReadonlyArray<object>, path: string, query: URLSearchParams): Rbac.Done => {
    const from = Number(query.get("$skipToken") ?? "0")
    if (!Number.isSafeInteger(from) || from < 0)
      throw new Refusal(400, "InvalidSkipToken", "The skip token is invalid.")
    const to = from + (pageSize ?? all.length)
    const next = new URLSearchParams(query)
    next.set("$skipToken", String(to))
    return {
      status: 200,
      body: {
        value: all.slice(from, to),
        ...(to < all.length ? { nextLink: `${endpoints().arm}${path}?${next.toString()}` } : {})
      }
    }
  }

  const existingScope = (scope: string): void => {
    if (world.scopeExists(scope)) return
    // https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found
    const code = scope.includes("/resourcegroups/")
      ? /\/resourcegroups\/[^/]+$/u.test(scope)
        ? "ResourceGroupNotFound"
        : "ResourceNotFound"
      : scope.startsWith("/subscriptions/")
        ? "SubscriptionNotFound"
        : "ManagementGroupNotFound"
    throw new Refusal(404, code, `The scope '${scope}' could not be found.`)
  }

  const groupsIn = (subscription: string, caller: Tokens.WireClient): Rbac.Done => {
    if (!World.may(world, caller, groupsAction, subscription)) {
      throw notAuthorized(caller.objectId, groupsAction, subscription)
    }
    const all = [...scopes].filter((scope) => scope.startsWith(`${subscription}/resourcegroups/`))
    return { status: 200, body: { value: all.map((id) => ({ id, name: id.slice(id.lastIndexOf("/") + 1) })) } }
  }

  const arm = (
    request: WireServer.WireRequest,
    path: string,
    query: URLSearchParams,
    caller: Tokens.WireClient
  ): Rbac.Done => {
    const subscription = groupsPath.exec(path.toLowerCase())?.[1]
    if (subscription !== undefined && request.method === "GET") return groupsIn(subscription, caller)
    const found = armPathOf(path)
    const verb = verbs[request.method]
    if (found === null || verb === undefined) {
      throw new Refusal(404, "InvalidResourceType", "The resource type could not be found.")
    }
    const { name, scope, type } = found
    const version = query.get("api-version")
    if (version === null)
      throw new Refusal(400, "MissingApiVersionParameter", "The api-version query parameter is required.")
    if (version !== types[type]) {
      throw new Refusal(400, "InvalidApiVersionParameter", `The api-version '${version}' is not known here.`)
    }
    const action = `Microsoft.Authorization/${type}/${verb}`
    if (!World.may(world, caller, action, scope)) throw notAuthorized(caller.objectId, action, scope)
    existingScope(scope)
    if (request.method === "PUT" && !/^application\/json\b/u.test(request.headers["content-type"] ?? "")) {
      throw new Refusal(415, "UnsupportedMediaType", "The content media type is not supported.")
    }
    const filter = query.get("$filter")
    const asked = { method: request.method, scope, name, body: request.body, filter }
    const done = ((): Rbac.Done | ReadonlyArray<object> => {
      switch (type) {
        case "roleAssignments":
          return Rbac.assignments(world, caller, asked)
        case "roleDefinitions":
          return Rbac.definitions(world, scope, name, filter)
        case "roleAssignmentScheduleRequests":
          return PimApi.requests(world, caller, asked)
        case "roleAssignmentSchedules":
          return PimApi.schedules(world, scope, name, filter)
      }
    })()
    if (!("status" in done)) return paged(done, path, query)
    if (request.method === "PUT" && pim.nextFails !== null) pim = { ...pim, nextFails: null }
    return done
  }

  const login = (request: WireServer.WireRequest, path: string): object => {
    const [, tenant = "", ...rest] = path.split("/")
    switch (`${request.method} ${rest.join("/")}`) {
      case "GET v2.0/.well-known/openid-configuration":
        return tokens.openIdConfiguration(tenant)
      case "POST oauth2/v2.0/token":
        return tokens.token(tenant, new URLSearchParams(request.body))
      default:
        throw new Refusal(404, "not_found", `There is no ${path}.`)
    }
  }

  const worded = (api: Api | null, { code, headers, message, status }: Refusal): WireServer.WireAnswer =>
    api === "login"
      ? WireServer.json(
          status,
          { error: code, error_description: message, error_codes: [], correlation_id: "" },
          headers
        )
      : WireServer.json(status, { error: { code, message } }, headers)

  const dialect: WireServer.Dialect = {
    operationOf: ({ method, target }) => {
      const { api, path } = apiOf(target)
      if (api === "login") return path.endsWith("/token") ? "token" : "openid-configuration"
      if (api === "graph") return Graph.permissionOf(path)
      if (groupsPath.test(path.toLowerCase())) return groupsAction
      const found = armPathOf(path)
      return found === null ? "unknown" : `Microsoft.Authorization/${found.type}/${verbs[method] ?? "unknown"}`
    },
    perform: (request, operation, refused) => {
      const { api, path, query } = apiOf(request.target)
      const about = api === "arm" ? (armPathOf(path)?.scope ?? null) : path
      let caller: string | null = null
      const answered = (answer: WireServer.WireAnswer, outcome: string): WireServer.Performed => {
        if (api !== "login") {
          exchanges.push({
            operation,
            method: request.method,
            target: request.target,
            body: request.body,
            status: answer.status,
            answer: answer.body
          })
        }
        return { answer, caller, outcome, about }
      }
      try {
        if (api === null) throw new Refusal(404, "NotFound", `There is no ${path}.`)
        if (api === "login") {
          if (refused !== null) throw refusals[refused](api)
          return answered(WireServer.json(200, login(request, path)), "ok")
        }
        const client = tokens.callerOf(request.headers.authorization, api)
        caller = client.clientId
        if (api === "arm") armCalls += 1
        if (refused !== null) throw refusals[refused](api)
        if (api === "graph") {
          if (request.method !== "GET")
            throw new Refusal(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
          return answered(WireServer.json(200, Graph.perform(path, query, client, principals)), "ok")
        }
        const { body, status } = arm(request, path, query, client)
        return answered(body === null ? { status, headers: {}, body: "" } : WireServer.json(status, body), "ok")
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown
        return answered(worded(api, thrown), thrown.code)
      }
    },
    state: () => ({ assignments: alive(), requests: world.requests.all() }),
    setLag: (calls) => {
      lag = calls
    }
  }

  const alive = (): ReadonlyArray<World.Assigned> =>
    world.assignments.all().filter((one) => World.isAlive(one, clock.now()))

  const held = (name: string): World.Assigned => {
    const found = world.assignments.get(name)
    if (found === undefined) throw new Error(`the wire server has no assignment ${name}`)
    return found
  }

  const tls = SelfSigned.make("jitsudo's Azure wire server")
  const server = await WireServer.start({ clock, dialect, tls })
  base = server.url

  return {
    ...server,
    certificate: tls.cert,
    tenantId,
    endpoints: endpoints(),
    assignments: alive,
    scheduleRequests: world.requests.all,
    exchanges: () => [...exchanges],
    assign: ({ description, principalId, roleId, scope }) => {
      const schedule = World.newSchedule(clock.now())
      const principal = principals.find(({ id }) => id === principalId)
      world.assignments.set(schedule.name, {
        name: schedule.name,
        scope: scope.toLowerCase(),
        roleId,
        principalId,
        principalType: principal?.type ?? "User",
        description: description ?? null,
        condition: null,
        conditionVersion: null,
        createdAt: clock.now(),
        updatedAt: clock.now(),
        createdBy: "somebody-else",
        schedule
      })
      return schedule.name
    },
    describe: (name, description, condition) =>
      world.assignments.set(name, {
        ...held(name),
        description,
        ...(condition === undefined ? {} : { condition, conditionVersion: "2.0" })
      }),
    unassign: (name) => world.assignments.remove(held(name).name),
    lock: (scope) => {
      locked.add(scope.toLowerCase())
    },
    unlock: (scope) => {
      locked.delete(scope.toLowerCase())
    },
    removeScope: (scope) => {
      scopes.delete(scope.toLowerCase())
      for (const one of world.assignments.all()) {
        if (World.isAtOrBelow(one.scope, scope.toLowerCase())) world.assignments.remove(one.name)
      }
    },
    addPrincipal: (principal) => {
      const at = principals.findIndex(({ id }) => id === principal.id)
      if (at === -1) principals.push(principal)
      else principals[at] = principal
    },
    setPim: (changed) => {
      pim = { ...pim, ...changed }
    },
    setPageSize: (size) => {
      pageSize = size
    },
    setLag: (calls) => {
      lag = calls
    }
  }
}

/** A server for as long as the scope is open. */
export const scoped = (options: WireOptions): Effect.Effect<AzureWire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (wire) => Effect.promise(wire.close)
  )
