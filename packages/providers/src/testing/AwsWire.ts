/**
 * A local server that speaks STS, IAM, SSO-Admin and IdentityStore as the official SDK hears them, and enforces what
 * they enforce.
 *
 * 1. Who calls, and what they may do: `aws/Callers.ts`.
 * 2. Each service is a file of `aws/`, as strict as the vendor documents; each rule names its page.
 * 3. A denial in a role's inline policies is evaluated on every call of a session, `GetCallerIdentity` apart, which AWS
 *    never denies. The call that shows a denial is `iam:ListRoles`, which any session here may make until it is denied.
 * 4. Its truth can be looked at, its clock moved, and faults asked for, from within and over `/_wire/...`
 *    (`WireServer.ts`).
 *
 * Operations: sts AssumeRole, GetCallerIdentity; iam GetRole, ListRoles, PutRolePolicy, GetRolePolicy, DeleteRolePolicy,
 * ListRolePolicies, SimulatePrincipalPolicy; sso CreateAccountAssignment, DeleteAccountAssignment, the statuses of both,
 * ListAccountAssignments, ListPermissionSets, DescribePermissionSet; identitystore GetUserId. It listens on the loopback
 * interface only and holds no real secret.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Assignments from "./aws/Assignments.ts"
import * as Callers from "./aws/Callers.ts"
import * as Iam from "./aws/Iam.ts"
import * as IdentityStore from "./aws/IdentityStore.ts"
import * as Protocol from "./aws/Protocol.ts"
import { Refusal } from "./aws/Refusal.ts"
import * as Roles from "./aws/Roles.ts"
import * as SigV4 from "./aws/SigV4.ts"
import * as SsoAdmin from "./aws/SsoAdmin.ts"
import * as Sts from "./aws/Sts.ts"
import type { Xml } from "./aws/WireXml.ts"
import * as WireServer from "./WireServer.ts"

export type { Assignment } from "./aws/Assignments.ts"
export type { WireIdentity } from "./aws/Callers.ts"
export type { WireRole, WireSession } from "./aws/Roles.ts"
export type { WireIdentityCenter } from "./aws/SsoAdmin.ts"
export type { WireCall, WireFault } from "./WireServer.ts"

export interface WireOptions {
  /** Wall clock, epoch milliseconds: signatures are made by it. `advance` adds to it. */
  readonly now: () => number
  readonly identities: ReadonlyArray<Callers.WireIdentity>
  readonly roles: ReadonlyArray<Roles.WireRole>
  /** An instance of IAM Identity Center; none when absent. */
  readonly identityCenter?: SsoAdmin.WireIdentityCenter
  /** Hears each request that was performed or refused, and its answer: for checks against the vendor's model. */
  readonly hear?: (exchange: WireExchange) => void
}

/** One request as it was read, and its answer. */
export interface WireExchange {
  readonly operation: string
  readonly input: Protocol.Input
  /** The answer before it was put into the protocol's words; null for a refusal, and where there is nothing to say. */
  readonly output: Xml | null
  /** The code of a refusal. */
  readonly refusal: string | null
}

export interface AwsWire extends WireServer.WireServer {
  readonly sessions: () => ReadonlyArray<Roles.WireSession>
  /** Sessions whose next call would be let through. */
  readonly liveSessions: () => ReadonlyArray<Roles.WireSession>
  /** Inline policies of a role by name. */
  readonly policies: (roleArn: string) => Readonly<{ [name: string]: string }>
  /** Puts a policy that somebody else manages on a role. */
  readonly putPolicy: (roleArn: string, name: string, document: string) => void
  readonly removeRole: (roleArn: string) => void
  /** What is written takes effect only after so many further calls. */
  readonly setLag: (calls: number) => void
  /** Assignments of permission sets: the truth, and what can be done to it. */
  readonly assignments: Pick<Assignments.Assignments, "all" | "operations" | "put" | "remove" | "setLooks" | "failNext">
  /** Entries of a page of SSO-Admin, at most. */
  readonly setPageSize: (size: number) => void
}

/** Start a server with these identities and roles. */
export const start = async (options: WireOptions): Promise<AwsWire> => {
  const clock = WireServer.clockFrom(options.now)
  const roles = Roles.make(options.roles)
  const sessions: Callers.Sessions = new Map()
  const callerOf = Callers.make({ now: clock.now, identities: options.identities, roles, sessions })
  const sts = Sts.make({ now: clock.now, roles, sessions })
  const iam = Iam.make(roles)
  const assignments = Assignments.make(clock.now)
  const pages: SsoAdmin.Pages = { size: 100 }
  const center = options.identityCenter
  const sso = center === undefined ? null : SsoAdmin.make(center, assignments, pages)
  const store = center === undefined ? null : IdentityStore.make(center.identityStoreId, center.users)
  const setLag = (calls: number): void => {
    roles.setLag(calls)
    assignments.setLag(calls)
  }

  const act = ({ input, operation }: Protocol.Spoken, caller: Callers.Caller) => {
    if (input.protocol === "query") {
      return operation.startsWith("iam:") ? iam(operation, input.form, caller) : sts(operation, input.form, caller)
    }
    const service = operation.startsWith("sso:") ? sso : operation.startsWith("identitystore:") ? store : null
    if (service === null) {
      throw new Refusal("UnknownOperationException", 400, `Could not find operation ${operation}`)
    }
    return service(operation, input.body, caller)
  }

  const aboutOf = ({ input }: Protocol.Spoken): string | null => {
    if (input.protocol === "query") return input.form.get("RoleArn") ?? input.form.get("RoleName")
    const about = input.body["PermissionSetArn"]
    return typeof about === "string" ? about : null
  }

  const perform: WireServer.Dialect["perform"] = (request, _, refused) => {
    const spoken = Protocol.read(request, randomUUID())
    const done = (caller: Callers.Caller | null, output: Xml | null, thrown: Refusal | null) => {
      const { input, operation } = spoken
      const refusal = thrown?.code ?? null
      options.hear?.({ operation, input, output, refusal })
      const answer = thrown === null ? spoken.answer(output) : spoken.refuse(thrown)
      return { answer, caller: caller?.arn ?? null, outcome: refusal ?? "ok", about: aboutOf(spoken) }
    }
    let caller: Callers.Caller | null = null
    try {
      caller = callerOf(request, SigV4.read(request))
      if (refused !== null) throw spoken.refusalFor(refused, caller)
      return done(caller, act(spoken, caller), null)
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      return done(caller, null, thrown)
    }
  }

  const isLive = (session: Roles.WireSession): boolean => {
    const role = roles.at(session.roleArn)
    return role !== undefined && clock.now() < session.expiresAt && !roles.isDenied(role, session, "iam:ListRoles")
  }

  const shown = ({ secretAccessKey: _, sessionToken: __, ...session }: Callers.Held): Roles.WireSession => session
  const documentsOf = ({ policies }: Roles.Role): Readonly<{ [name: string]: string }> =>
    Object.fromEntries([...policies].map(([name, { document }]) => [name, document]))
  const roleAt = (arn: string): Roles.Role => {
    const role = roles.at(arn)
    if (role === undefined) throw new Error(`the wire server has no role ${arn}`)
    return role
  }

  const server = await WireServer.start({
    clock,
    dialect: {
      operationOf: (request) => Protocol.read(request, "").operation,
      perform,
      setLag,
      state: () => ({
        assignments: assignments.all(),
        sessions: [...sessions.values()].map((session) => ({ ...shown(session), live: isLive(session) })),
        policies: Object.fromEntries(roles.all().map((role) => [role.spec.arn, documentsOf(role)]))
      })
    }
  })

  return {
    ...server,
    sessions: () => [...sessions.values()].map(shown),
    liveSessions: () => [...sessions.values()].filter(isLive).map(shown),
    policies: (arn) => documentsOf(roleAt(arn)),
    putPolicy: (arn, name, document) => roles.putPolicy(roleAt(arn), name, document),
    removeRole: roles.remove,
    setLag,
    assignments,
    setPageSize: (size) => {
      pages.size = size
    }
  }
}

/** A server for as long as the scope is open. */
export const scoped = (options: WireOptions): Effect.Effect<AwsWire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (wire) => Effect.promise(wire.close)
  )
