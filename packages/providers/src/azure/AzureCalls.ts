/**
 * The calls to Azure, each with its limit of time and its errors in the port's words.
 *
 * 1. The SDKs try once: their own repetitions are off, because the engine repeats, later and knowingly. Redirects are
 *    not followed either: a token goes only where it was meant to.
 * 2. What only reads promises `effect: "none"`, whatever becomes of it.
 * 3. Text goes into filters as OData literals and into URLs encoded, names into paths only when they are GUIDs.
 */
import type {
  RoleAssignment,
  RoleAssignmentCreateParameters,
  RoleAssignmentSchedule,
  RoleAssignmentScheduleRequest,
  RoleDefinition
} from "@azure/arm-authorization"
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as AzureCredential from "./AzureCredential.ts"
import { type AzureConfig, endpointsOf } from "./AzureConfig.ts"
import * as AzureError from "./AzureError.ts"
import type { AzureSdk } from "./AzureSdk.ts"
import * as OData from "./OData.ts"

type Call<A> = Effect.Effect<A, Provider.ProviderError>

/** The three kinds of identity that a role can be assigned to. */
export type PrincipalKind = "user" | "group" | "service_principal"

/** What the directory says of an identity. */
export interface Found {
  readonly id: string
  readonly mail: string | null
  readonly userPrincipalName: string | null
}

export interface AzureCalls {
  readonly usersWith: (attribute: "mail" | "userPrincipalName", value: string) => Call<ReadonlyArray<Found>>
  /** Null: there is none of this kind with this object id. */
  readonly principal: (kind: PrincipalKind, objectId: string) => Call<Found | null>
  readonly definitionsNamed: (scope: string, roleName: string) => Call<ReadonlyArray<RoleDefinition>>
  /** Null: there is none. */
  readonly definition: (scope: string, guid: string) => Call<RoleDefinition | null>
  /** At, above and below the scope. */
  readonly assignments: (scope: string, filter?: string) => Call<ReadonlyArray<RoleAssignment>>
  /** Null: there is none of this name. */
  readonly assignment: (scope: string, name: string) => Call<RoleAssignment | null>
  /** `exists`: the role is assigned under another name. */
  readonly putAssignment: (
    scope: string,
    name: string,
    parameters: RoleAssignmentCreateParameters
  ) => Call<RoleAssignment | "exists">
  /** False: there was none of this name. */
  readonly deleteAssignment: (scope: string, name: string) => Call<boolean>
  readonly schedules: (scope: string, filter?: string) => Call<ReadonlyArray<RoleAssignmentSchedule>>
  readonly schedule: (scope: string, name: string) => Call<RoleAssignmentSchedule | null>
  readonly scheduleRequests: (scope: string, filter?: string) => Call<ReadonlyArray<RoleAssignmentScheduleRequest>>
  readonly scheduleRequest: (scope: string, name: string) => Call<RoleAssignmentScheduleRequest | null>
  /** `exists`: the role is assigned already. `absent`: there is no assignment to change. */
  readonly putScheduleRequest: (
    scope: string,
    name: string,
    parameters: RoleAssignmentScheduleRequest
  ) => Call<RoleAssignmentScheduleRequest | "exists" | "absent">
  /** Whether Entra ID gives the daemon a token for ARM and for Graph. */
  readonly signIn: (api: "arm" | "graph") => Call<void>
}

/** What is asked for of users, groups and service principals. */
const fields: Readonly<Record<PrincipalKind, readonly [path: string, select: string, permission: string]>> = {
  user: ["/users", "id,mail,userPrincipalName", "User.Read.All"],
  group: ["/groups", "id,mail", "GroupMember.Read.All"],
  service_principal: ["/servicePrincipals", "id", "Application.Read.All"]
}

const textIn = (value: object, field: string): string | null => {
  const found: unknown = field in value ? Reflect.get(value, field) : undefined
  return typeof found === "string" ? found : null
}

const foundIn = (answer: unknown): Found | null => {
  if (typeof answer !== "object" || answer === null) return null
  const id = textIn(answer, "id")
  return id === null
    ? null
    : { id, mail: textIn(answer, "mail"), userPrincipalName: textIn(answer, "userPrincipalName") }
}

/** ARM wants the scope without its first slash. */
const pathOf = (scope: string): string => scope.slice(1)

const rbac = "Microsoft.Authorization"
/** Scopes that are gone have taken their assignments with them. */
const goneScopes = new Set(["ResourceGroupNotFound", "ResourceNotFound", "ManagementGroupNotFound"])

export const make = (sdk: AzureSdk, config: AzureConfig): AzureCalls => {
  const endpoints = endpointsOf(config)
  const credential = AzureCredential.make(sdk.identity, config)
  const scopes = { arm: `${endpoints.arm}/.default`, graph: `${endpoints.graph}/.default` }
  // The subscription is a parameter of operations that are not used here.
  const arm = new sdk.authorization.AuthorizationManagementClient(credential, "", {
    endpoint: endpoints.arm,
    $host: endpoints.arm,
    credentialScopes: scopes.arm,
    retryOptions: { maxRetries: 0 },
    redirectOptions: { maxRetries: 0 }
  })
  // The tenant's root is no segment: without it the SDK leaves a path that begins with two slashes.
  arm.pipeline.addPolicy({
    name: "jitsudoRootScope",
    sendRequest: (request, next) => {
      request.url = request.url.replace(`${endpoints.arm}//providers/`, `${endpoints.arm}/providers/`)
      return next(request)
    }
  })
  const authentication = new sdk.graph.AuthenticationHandler({
    getAccessToken: async () => {
      const token = await credential.getToken(scopes.graph)
      if (token === null) throw new Error("the credential gave no token")
      return token.token
    }
  })
  authentication.setNext(new sdk.graph.HTTPMessageHandler())
  const graph = sdk.graph.Client.initWithMiddleware({
    baseUrl: endpoints.graph,
    customHosts: new Set([new URL(endpoints.graph).hostname]),
    middleware: authentication,
    fetchOptions: { redirect: "error" }
  })

  const call = <A>(doing: AzureError.Doing, run: (signal: AbortSignal) => Promise<A>): Call<A> =>
    Effect.tryPromise({ try: run, catch: (thrown) => AzureError.fromSdk(thrown, doing) }).pipe(
      Effect.timeoutOrElse({
        duration: config.timeout_seconds * 1000,
        orElse: () => Effect.fail(AzureError.outOfTime(config.timeout_seconds, doing))
      })
    )

  const reading = <A>(doing: AzureError.Doing, run: (signal: AbortSignal) => Promise<A>): Call<A> =>
    Effect.mapError(call(doing, run), AzureError.withoutEffect)

  /** One, or null where there is none. */
  const oneOrNone = <A>(doing: AzureError.Doing, run: (signal: AbortSignal) => Promise<A>): Call<A | null> =>
    reading(doing, (signal) =>
      run(signal).catch((thrown: unknown) => {
        if (AzureError.statusOf(thrown) === 404) return null
        throw thrown
      })
    )

  /** Every page, each within its time. */
  const all = <A>(
    doing: AzureError.Doing,
    open: (signal: AbortSignal) => AsyncIterableIterator<A>
  ): Call<ReadonlyArray<A>> =>
    Effect.suspend(() => {
      const stop = new AbortController()
      const pages = open(stop.signal)
      return Effect.gen(function* () {
        const items: Array<A> = []
        for (;;) {
          const next = yield* reading(doing, (signal) => {
            signal.addEventListener("abort", () => stop.abort(), { once: true })
            // A scope that is gone holds nothing.
            return pages.next().catch((thrown: unknown): IteratorResult<A> => {
              if (goneScopes.has(AzureError.codeOf(thrown))) return { done: true, value: undefined }
              throw thrown
            })
          })
          if (next.done === true) return items
          items.push(next.value)
        }
      })
    })

  const filtered = (filter: string | undefined, abortSignal: AbortSignal) =>
    filter === undefined ? { abortSignal } : { filter, abortSignal }

  const doing = (what: string, scope: string): AzureError.Doing => ({ action: `${rbac}/${what}`, on: scope })

  return {
    usersWith: (attribute, value) => {
      const [path, select, action] = fields.user
      return reading({ action, on: "users" }, async (signal) => {
        const answer: unknown = await graph
          .api(path)
          // The SDK joins what it is given: it encodes nothing.
          .filter(encodeURIComponent(`${attribute} eq ${OData.literal(value)}`))
          .select(select)
          .top(2)
          .options({ signal })
          .get()
        const list: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "value") : null
        if (!Array.isArray(list)) throw new TypeError("Graph answered without a list")
        return list.flatMap((one) => foundIn(one) ?? [])
      })
    },
    principal: (kind, objectId) => {
      const [path, select, action] = fields[kind]
      return Effect.map(
        oneOrNone({ action, on: kind.replace("_", " ") }, (signal): Promise<unknown> =>
          graph
            .api(`${path}/${encodeURIComponent(objectId)}`)
            .select(select)
            .options({ signal })
            .get()
        ),
        foundIn
      )
    },
    definitionsNamed: (scope, roleName) =>
      all(doing("roleDefinitions/read", scope), (abortSignal) =>
        arm.roleDefinitions.list(pathOf(scope), {
          // The SDK encodes the filters of all lists but that of role assignments.
          filter: `roleName eq ${OData.literal(roleName)}`,
          abortSignal
        })
      ),
    definition: (scope, guid) =>
      oneOrNone(doing("roleDefinitions/read", scope), (abortSignal) =>
        arm.roleDefinitions.get(pathOf(scope), guid, { abortSignal })
      ),
    assignments: (scope, filter) =>
      all(doing("roleAssignments/read", scope), (abortSignal) =>
        arm.roleAssignments.listForScope(
          pathOf(scope),
          filtered(filter === undefined ? undefined : encodeURIComponent(filter), abortSignal)
        )
      ),
    assignment: (scope, name) =>
      oneOrNone(doing("roleAssignments/read", scope), (abortSignal) =>
        arm.roleAssignments.get(pathOf(scope), name, { abortSignal })
      ),
    putAssignment: (scope, name, parameters) =>
      call(doing("roleAssignments/write", scope), (abortSignal) =>
        arm.roleAssignments.create(pathOf(scope), name, parameters, { abortSignal }).catch((thrown: unknown) => {
          if (AzureError.codeOf(thrown) === "RoleAssignmentExists") return "exists" as const
          throw thrown
        })
      ),
    deleteAssignment: (scope, name) =>
      call(doing("roleAssignments/delete", scope), async (abortSignal) => {
        let status = 0
        await arm.roleAssignments
          .delete(pathOf(scope), name, {
            abortSignal,
            onResponse: (answer) => {
              status = answer.status
            }
          })
          .catch((thrown: unknown) => {
            if (!goneScopes.has(AzureError.codeOf(thrown))) throw thrown
          })
        return status === 200
      }),
    schedules: (scope, filter) =>
      all(doing("roleAssignmentSchedules/read", scope), (abortSignal) =>
        arm.roleAssignmentSchedules.listForScope(pathOf(scope), filtered(filter, abortSignal))
      ),
    schedule: (scope, name) =>
      oneOrNone(doing("roleAssignmentSchedules/read", scope), (abortSignal) =>
        arm.roleAssignmentSchedules.get(pathOf(scope), name, { abortSignal })
      ),
    scheduleRequests: (scope, filter) =>
      all(doing("roleAssignmentScheduleRequests/read", scope), (abortSignal) =>
        arm.roleAssignmentScheduleRequests.listForScope(pathOf(scope), filtered(filter, abortSignal))
      ),
    scheduleRequest: (scope, name) =>
      oneOrNone(doing("roleAssignmentScheduleRequests/read", scope), (abortSignal) =>
        arm.roleAssignmentScheduleRequests.get(pathOf(scope), name, { abortSignal })
      ),
    putScheduleRequest: (scope, name, parameters) =>
      call(doing("roleAssignmentScheduleRequests/write", scope), (abortSignal) =>
        arm.roleAssignmentScheduleRequests
          .create(pathOf(scope), name, parameters, { abortSignal })
          .catch((thrown: unknown) => {
            const code = AzureError.codeOf(thrown)
            if (code === "RoleAssignmentExists") return "exists" as const
            if (code === "RoleAssignmentDoesNotExist") return "absent" as const
            throw thrown
          })
      ),
    signIn: (api) =>
      reading({ action: "a token", on: endpoints[api] }, async (abortSignal) => {
        await credential.getToken(scopes[api], { abortSignal })
      })
  }
}
