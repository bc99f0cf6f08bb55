/**
 * A local server that speaks the parts of Google Cloud that the provider `gcp` uses, and refuses what Google refuses.
 *
 * 1. Callers are known by tokens: exchanged for a subject token, signed by a service account's key, or issued by
 *    `generateAccessToken` (`gcp/Tokens.ts`).
 * 2. The daemon's identity does what its permissions allow and nothing else; `mayModify` limits the roles whose grants
 *    it may change, as the condition on `iam.googleapis.com/modifiedGrantsByRole` does
 *    (https://cloud.google.com/iam/docs/setting-limits-on-granting-roles). Everybody else has what the policies give.
 * 3. Policies are as strict as the vendor documents (`gcp/AllowPolicy.ts`): version 3 for conditions, etags, roles,
 *    members, limits. A write without an etag replaces everything, as Google warns.
 * 4. `setLag` lets reads of a policy run behind its writes, `setSpread` lets permissions run behind it
 *    (https://cloud.google.com/iam/docs/access-change-propagation).
 * 5. Every request is kept (`requests`), so that a test can compare it with the vendor's discovery documents.
 *
 * Operations: Resource Manager v3 getIamPolicy, setIamPolicy and testIamPermissions on projects, folders and
 * organisations; IAM v1 roles.get; IAM Credentials v1 generateAccessToken; STS v1 token. It holds no real secret.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as AllowPolicy from "./gcp/AllowPolicy.ts"
import { answerOf, invalid, Refusal } from "./gcp/Refusal.ts"
import * as Tokens from "./gcp/Tokens.ts"
import * as WireServer from "./WireServer.ts"

export type { Binding, Condition, Policy } from "./gcp/AllowPolicy.ts"

/** A service account that the daemon may be. */
export interface WireIdentity {
  readonly email: string
  /** `resourcemanager.projects.setIamPolicy`, ... on every resource. */
  readonly permissions: ReadonlyArray<string>
  /** Roles whose grants it may change, `*` for any run of characters; all when absent. */
  readonly mayModify?: ReadonlyArray<string>
  /** PEM, of a key that it signs its own tokens with. */
  readonly publicKey?: string
}

export interface WireResource {
  /** `projects/shop-prod`, `folders/1`, `organizations/2`. */
  readonly name: string
  /** What stands above it, whose grants hold here too. */
  readonly parent?: string
  readonly bindings?: ReadonlyArray<AllowPolicy.Binding>
  readonly auditConfigs?: ReadonlyArray<object>
}

export interface WireRole {
  readonly name: string
  readonly permissions: ReadonlyArray<string>
  readonly stage?: string
  readonly deleted?: boolean
  /** Kinds of resources that it can be granted on; all when absent. */
  readonly grantableOn?: ReadonlyArray<"projects" | "folders" | "organizations">
}

export interface WireAccount {
  readonly email: string
  /** 3600, or up to 43200 where an organisation policy allows it. */
  readonly maxTokenSeconds?: number
}

export interface WireOptions {
  /** Wall clock, epoch milliseconds; `advance` adds to it. */
  readonly now: () => number
  readonly identities: ReadonlyArray<WireIdentity>
  readonly resources: ReadonlyArray<WireResource>
  readonly roles: ReadonlyArray<WireRole>
  readonly accounts?: ReadonlyArray<WireAccount>
  /** Members that exist; all of a sound form when absent. */
  readonly members?: ReadonlyArray<string>
}

/** A request as it was sent, without its credentials. */
export interface SentRequest {
  readonly operation: string
  readonly method: string
  readonly target: string
  readonly body: string
}

export interface GcpWire extends WireServer.WireServer {
  /** The policy as it really is. */
  readonly policy: (resource: string) => AllowPolicy.Policy
  /** What somebody else does to a policy, at once and unconditionally. */
  readonly edit: (
    resource: string,
    change: (bindings: ReadonlyArray<AllowPolicy.Binding>) => ReadonlyArray<AllowPolicy.Binding>
  ) => void
  /** Whether a member could use a permission now, as far as Google has spread the policies. */
  readonly allows: (member: string, permission: string, resource: string) => boolean
  readonly tokens: () => ReadonlyArray<Tokens.Issued>
  readonly requests: () => ReadonlyArray<SentRequest>
  /** Each write from now on is not shown by the next so many reads of its policy. */
  readonly setLag: (calls: number) => void
  /** Each write from now on takes effect after so many further questions about permissions on its resource. */
  readonly setSpread: (calls: number) => void
  /** Credentials of an identity, as a workload's environment describes them (an external account). */
  readonly credentials: (email: string) => {
    readonly type: "external_account"
    readonly audience: string
    readonly subject_token_type: string
    readonly token_url: string
    readonly credential_source: { readonly url: string }
  }
}

/** A value whose readers run behind its writes by a number of reads. */
interface Lagging<A> {
  value: A
  shown: { readonly value: A; left: number } | null
}

const readOf = <A>(lagging: Lagging<A>): A => {
  const { shown } = lagging
  if (shown === null) return lagging.value
  shown.left -= 1
  if (shown.left === 0) lagging.shown = null
  return shown.value
}

const write = <A>(lagging: Lagging<A>, value: A, lag: number): void => {
  lagging.shown = lag === 0 ? null : { value: lagging.shown?.value ?? lagging.value, left: lag }
  lagging.value = value
}

interface Resource {
  readonly spec: WireResource
  readonly policy: Lagging<AllowPolicy.Policy>
  readonly effective: Lagging<ReadonlyArray<AllowPolicy.Binding>>
}

const policyVerb = /^\/v3\/((projects|folders|organizations)\/[^/:]+):(getIamPolicy|setIamPolicy|testIamPermissions)$/u
const roleGet = /^\/v1\/((?:(?:projects|organizations)\/[^/]+\/)?roles\/[^/]+)$/u
const tokenOf = /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+):generateAccessToken$/u

const pathOf = (target: string): string => decodeURIComponent(new URL(target, "http://127.0.0.1").pathname)

const operationOf = ({ method, target }: WireServer.WireRequest): string => {
  const path = pathOf(target)
  const [, , kind, verb] = policyVerb.exec(path) ?? []
  if (kind !== undefined && method === "POST") return `resourcemanager.${kind}.${verb}`
  if (roleGet.test(path) && method === "GET") return "iam.roles.get"
  if (tokenOf.test(path) && method === "POST") return "iam.serviceAccounts.getAccessToken"
  if (path === "/v1/token" && method === "POST") return "sts.token"
  return path.startsWith("/subject-token/") && method === "GET" ? "subject token" : "unknown"
}

const matches = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.replace(/[.]/gu, "\\.").replaceAll("*", ".*")}$`, "u").test(text)

const jsonOf = (body: string): object => {
  try {
    const parsed: unknown = JSON.parse(body === "" ? "{}" : body)
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed
  } catch {
    throw invalid("Invalid JSON payload received.")
  }
  throw invalid("Invalid JSON payload received.")
}

const refusals: { readonly [refused in WireServer.Refused]: () => Refusal } = {
  throttle: () => new Refusal("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Write requests'."),
  unavailable: () => new Refusal("UNAVAILABLE", "The service is currently unavailable."),
  conflict: () =>
    new Refusal(
      "ABORTED",
      "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
    ),
  deny: () => new Refusal("PERMISSION_DENIED", "The caller does not have permission")
}

/** Start a server with these identities, resources, roles and accounts. */
export const start = async (options: WireOptions): Promise<GcpWire> => {
  const clock = WireServer.clockFrom(options.now)
  const tokens = Tokens.make(clock.now, options.identities)
  const sent: Array<SentRequest> = []
  let [lag, spread, writes] = [0, 0, 0]

  /** Like Google's: base64, another one after each write. */
  const nextEtag = (): string => {
    writes += 1
    return createHash("sha256").update(`policy ${writes}`).digest().subarray(0, 8).toString("base64")
  }

  const resources = new Map<string, Resource>(
    options.resources.map((spec) => {
      const bindings = AllowPolicy.bindingsIn({ bindings: spec.bindings ?? [] })
      const policy = { version: 1, etag: nextEtag(), bindings, auditConfigs: spec.auditConfigs ?? [] }
      return [spec.name, { spec, policy: { value: policy, shown: null }, effective: { value: bindings, shown: null } }]
    })
  )

  const at = (name: string): Resource => {
    const resource = resources.get(name)
    if (resource === undefined) throw new Error(`the wire server has no resource ${name}`)
    return resource
  }

  const put = (resource: Resource, bindings: ReadonlyArray<AllowPolicy.Binding>): AllowPolicy.Policy => {
    const version = bindings.some(({ condition }) => condition !== undefined) ? 3 : 1
    const policy = { ...resource.policy.value, version, etag: nextEtag(), bindings }
    write(resource.policy, policy, lag)
    write(resource.effective, bindings, spread)
    return policy
  }

  const roleNamed = (role: string): WireRole | undefined =>
    options.roles.find(({ deleted, name }) => name === role && deleted !== true)

  const isGrantable = (role: string, resource: string): boolean => {
    const [kind = ""] = resource.split("/")
    const home = /^((?:projects|organizations)\/[^/]+)\/roles\//u.exec(role)?.[1]
    const known = roleNamed(role)
    if (known === undefined) return /^roles\/(?:owner|editor|viewer)$/u.test(role)
    if (home?.startsWith("projects/") === true && home !== resource) return false
    return known.grantableOn === undefined || known.grantableOn.some((one) => one === kind)
  }

  const gives = (resource: Resource, member: string, permission: string): boolean => {
    const own = readOf(resource.effective).some(
      (binding) =>
        binding.members.includes(member) &&
        AllowPolicy.holds(binding, clock.now()) &&
        roleNamed(binding.role)?.permissions.some((pattern) => matches(pattern, permission)) === true
    )
    const { parent } = resource.spec
    return own || (parent !== undefined && gives(at(parent), member, permission))
  }

  const identityOf = (member: string): WireIdentity | undefined =>
    options.identities.find(({ email }) => `serviceAccount:${email}` === member)

  const may = (member: string, permission: string, resource: Resource | undefined): boolean =>
    identityOf(member)?.permissions.includes(permission) === true ||
    (resource !== undefined && gives(resource, member, permission))

  /** Google does not tell what is forbidden from what does not exist. */
  const demand = (member: string, permission: string, resource: Resource | undefined): Resource => {
    if (resource === undefined || !may(member, permission, resource)) throw refusals.deny()
    return resource
  }

  const getIamPolicy = (body: object, resource: Resource): object => {
    const version: unknown = Reflect.get(Object(Reflect.get(body, "options")), "requestedPolicyVersion") ?? 1
    // https://cloud.google.com/resource-manager/reference/rest/Shared.Types/GetPolicyOptions
    if (version !== 0 && version !== 1 && version !== 3) throw invalid("Invalid requested policy version.")
    return AllowPolicy.asVersion(readOf(resource.policy), version)
  }

  const setIamPolicy = (body: object, resource: Resource, member: string): object => {
    const asked: unknown = Reflect.get(body, "policy")
    const stray = Object.keys(body).find((key) => key !== "policy" && key !== "updateMask")
    if (stray !== undefined) throw invalid(`Invalid JSON payload received. Unknown name "${stray}"`)
    const bindings = AllowPolicy.bindingsIn(asked)
    const version: unknown = Reflect.get(Object(asked), "version") ?? 0
    const etag: unknown = Reflect.get(Object(asked), "etag")
    const before = resource.policy.value
    if (version !== 0 && version !== 1 && version !== 3) throw invalid("Invalid policy version.")
    // https://cloud.google.com/resource-manager/reference/rest/Shared.Types/Policy: etag
    if (etag !== undefined && etag !== "" && etag !== before.etag) throw refusals.conflict()
    const isConditional = (all: ReadonlyArray<AllowPolicy.Binding>) => all.some((one) => one.condition !== undefined)
    if (version !== 3 && (isConditional(bindings) || (etag !== undefined && isConditional(before.bindings)))) {
      throw invalid("A policy with conditions must be written in version 3.")
    }
    AllowPolicy.refuseUnsound(resource.spec.name, before.bindings, bindings, {
      now: clock.now(),
      isGrantable,
      knows: (one) => options.members?.includes(one) ?? true
    })
    const limit = identityOf(member)?.mayModify
    const touched = AllowPolicy.modifiedRoles(before.bindings, bindings)
    if (limit !== undefined && !touched.every((role) => limit.some((pattern) => matches(pattern, role)))) {
      throw refusals.deny()
    }
    // The default mask is "bindings, etag": audit configurations stay as they are.
    return AllowPolicy.asVersion(put(resource, bindings), 3)
  }

  const testIamPermissions = (body: object, resource: Resource | undefined, member: string): object => {
    const asked: unknown = Reflect.get(body, "permissions")
    const permissions = Array.isArray(asked) ? asked.map(String) : []
    // https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions: no wildcards
    if (permissions.length === 0 || permissions.some((one) => one.includes("*"))) throw invalid("Invalid permissions.")
    if (resource === undefined) throw refusals.deny()
    return { permissions: permissions.filter((one) => may(member, one, resource)) }
  }

  const getRole = (role: string, member: string): object => {
    const found = options.roles.find(({ name }) => name === role)
    // Predefined roles are for everybody; custom ones are asked for with iam.roles.get where they are defined.
    if (!role.startsWith("roles/") && !may(member, "iam.roles.get", undefined)) throw refusals.deny()
    if (found === undefined) throw new Refusal("NOT_FOUND", `The role named ${role} was not found.`)
    return {
      name: role,
      title: role,
      includedPermissions: found.permissions,
      stage: found.stage ?? "GA",
      ...(found.deleted === true ? { deleted: true } : {})
    }
  }

  /** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
  const generateAccessToken = (body: object, project: string, email: string, member: string): object => {
    const account = options.accounts?.find((one) => one.email === email)
    if (project !== "-") throw invalid("The project must be -.")
    if (!may(member, "iam.serviceAccounts.getAccessToken", undefined)) throw refusals.deny()
    if (account === undefined) throw new Refusal("NOT_FOUND", "Not found; Gaia id not found for email.")
    const scope: unknown = Reflect.get(body, "scope")
    if (!Array.isArray(scope) || scope.length === 0) throw invalid("scope is required.")
    const lifetime = /^(\d+)s$/u.exec(String(Reflect.get(body, "lifetime") ?? "3600s"))?.[1]
    const seconds = Number(lifetime)
    if (lifetime === undefined || seconds < 1 || seconds > (account.maxTokenSeconds ?? 3600)) {
      throw invalid("The access token lifetime cannot exceed the maximum.")
    }
    const { expiresAt, token } = tokens.issue(`serviceAccount:${email}`, seconds, true)
    return { accessToken: token, expireTime: new Date(expiresAt).toISOString() }
  }

  interface Outcome {
    readonly answer: WireServer.WireAnswer
    readonly about: string
    readonly caller: string | null
  }

  const signInOf = (request: WireServer.WireRequest, path: string): Outcome => {
    if (path.startsWith("/subject-token/")) {
      const email = path.slice("/subject-token/".length)
      const answer = { status: 200, headers: { "content-type": "text/plain" }, body: tokens.subjectOf(email) }
      return { answer, about: email, caller: null }
    }
    const { email, seconds, token } = tokens.exchange(new URLSearchParams(request.body))
    const body = {
      access_token: token,
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: seconds
    }
    return { answer: WireServer.json(200, body), about: email, caller: email }
  }

  const answerTo = (request: WireServer.WireRequest, operation: string, refuse: () => void): Outcome => {
    const path = pathOf(request.target)
    if (operation === "sts.token" || operation === "subject token") {
      refuse()
      return signInOf(request, path)
    }
    const caller = tokens.memberOf(request.headers.authorization)
    const done = (about: string, body: object): Outcome => ({ answer: WireServer.json(200, body), about, caller })
    const body = jsonOf(request.body)
    const [, name = "", , verb] = policyVerb.exec(path) ?? []
    if (verb !== undefined) {
      const found = resources.get(name)
      if (verb === "testIamPermissions") {
        refuse()
        return done(name, testIamPermissions(body, found, caller))
      }
      const resource = demand(caller, operation, found)
      refuse()
      return done(name, verb === "getIamPolicy" ? getIamPolicy(body, resource) : setIamPolicy(body, resource, caller))
    }
    refuse()
    const role = roleGet.exec(path)?.[1]
    if (operation === "iam.roles.get" && role !== undefined) return done(role, getRole(role, caller))
    const [, project, email] = tokenOf.exec(path) ?? []
    if (project !== undefined && email !== undefined) {
      return done(email, generateAccessToken(body, project, email, caller))
    }
    throw new Refusal("NOT_FOUND", "Method not found.")
  }

  /** The token endpoint words refusals as OAuth does: https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
  const oauthAnswer = (refusal: Refusal): WireServer.WireAnswer =>
    refusal.status === "INVALID_ARGUMENT" || refusal.status === "PERMISSION_DENIED"
      ? WireServer.json(400, { error: "invalid_grant", error_description: refusal.message })
      : answerOf(refusal)

  const dialect: WireServer.Dialect = {
    operationOf,
    perform: (request, operation, refused) => {
      const { body, method, target } = request
      sent.push({ operation, method, target, body: operation === "sts.token" ? "" : body })
      try {
        const outcome = answerTo(request, operation, () => {
          if (refused !== null) throw refusals[refused]()
        })
        return { ...outcome, outcome: "ok" }
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown
        const answer = operation === "sts.token" ? oauthAnswer(thrown) : answerOf(thrown)
        return { answer, caller: null, outcome: thrown.status, about: pathOf(target) }
      }
    },
    state: () => ({
      policies: Object.fromEntries([...resources].map(([name, { policy }]) => [name, policy.value])),
      // Conditional bindings, and whether they give anything now.
      bindings: [...resources].flatMap(([resource, { policy }]) =>
        policy.value.bindings.flatMap((binding) =>
          binding.condition === undefined
            ? []
            : [
                {
                  resource,
                  role: binding.role,
                  members: binding.members,
                  title: binding.condition.title,
                  live: AllowPolicy.holds(binding, clock.now())
                }
              ]
        )
      ),
      tokens: tokens.issued()
    }),
    setLag: (calls) => {
      lag = calls
      spread = calls
    }
  }

  const server = await WireServer.start({ clock, dialect })

  return {
    ...server,
    policy: (resource) => at(resource).policy.value,
    edit: (name, change) => {
      const resource = at(name)
      put(resource, change(resource.policy.value.bindings))
    },
    allows: (member, permission, resource) => gives(at(resource), member, permission),
    tokens: tokens.issued,
    requests: () => [...sent],
    setLag: (calls) => {
      lag = calls
    },
    setSpread: (calls) => {
      spread = calls
    },
    credentials: (email) => ({
      type: "external_account",
      audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/wire/providers/wire",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${server.url}/v1/token`,
      credential_source: { url: `${server.url}/subject-token/${email}` }
    })
  }
}

/** A server for the length of a scope. */
export const scoped = (options: WireOptions): Effect.Effect<GcpWire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (wire) => Effect.promise(wire.close)
  )
