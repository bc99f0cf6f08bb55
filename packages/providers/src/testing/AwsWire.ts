/**
 * A local server that speaks STS and IAM as the official SDK hears them, and enforces what they enforce.
 *
 * 1. Requests are signed (Signature Version 4) with keys that it knows; temporary keys need their token and their time.
 * 2. An identity does what its actions allow and nothing else, so that a test shows which permissions are enough.
 * 3. Names, durations, tags, quotas and trust are as strict as the vendor documents; each rule names its page.
 * 4. A denial in a role's inline policies is evaluated on every call of a session, `GetCallerIdentity` apart, which AWS
 *    never denies (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html). The call that shows a
 *    denial is `iam:ListRoles`, which any session here may make until it is denied.
 * 5. Its truth can be looked at, its clock moved, and faults asked for, from within and over `/_wire/...`.
 *
 * Operations: sts AssumeRole, GetCallerIdentity; iam GetRole, ListRoles, PutRolePolicy, GetRolePolicy, DeleteRolePolicy,
 * ListRolePolicies. It listens on the loopback interface only and holds no real secret.
 */
import { randomBytes, randomUUID } from "node:crypto"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as SigV4 from "./SigV4.ts"
import * as WirePolicy from "./WirePolicy.ts"
import * as WireXml from "./WireXml.ts"

/** A long-lived identity: the daemon's own. */
export interface WireIdentity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly arn: string
  /** `sts:AssumeRole`, `iam:PutRolePolicy`, ... with wildcards. */
  readonly actions: ReadonlyArray<string>
}

export interface WireRole {
  readonly arn: string
  /** Default 3600: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html */
  readonly maxSessionSeconds?: number
  /** The trust policy's condition on `sts:ExternalId`. */
  readonly externalId?: string
  /** ARNs of identities and roles that the trust policy names; anybody who may ask, when absent. */
  readonly trusts?: ReadonlyArray<string>
  /** What the trust policy allows; default all of `sts:AssumeRole`, `sts:TagSession`, `sts:SetSourceIdentity`. */
  readonly trustActions?: ReadonlyArray<string>
  /** What its sessions may do; default everything that this server can do. */
  readonly actions?: ReadonlyArray<string>
}

export interface WireOptions {
  /** Wall clock, epoch milliseconds: signatures are made by it. `advance` adds to it. */
  readonly now: () => number
  readonly identities: ReadonlyArray<WireIdentity>
  readonly roles: ReadonlyArray<WireRole>
}

/** A session as the server issued it, without its secrets. */
export interface WireSession {
  readonly accessKeyId: string
  readonly roleArn: string
  readonly sessionName: string
  readonly userid: string
  /** Whole seconds, epoch milliseconds. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly tags: Readonly<{ [key: string]: string }>
  readonly sourceIdentity: string | null
  /** Assumed by another session. */
  readonly chained: boolean
}

export interface WireCall {
  readonly at: number
  /** `sts:AssumeRole` */
  readonly action: string
  /** ARN of the caller, when the signature named one. */
  readonly caller: string | null
  /** `ok` or the code of the refusal. */
  readonly outcome: string
  /** The role that it was about. */
  readonly role: string | null
}

export type WireFault =
  /** https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html */
  | { readonly kind: "throttle" }
  /** 503 before anything happened. */
  | { readonly kind: "unavailable" }
  /** Performed, then the socket is destroyed. */
  | { readonly kind: "loseAnswer" }
  /** 409 ConcurrentModification, before anything happened. */
  | { readonly kind: "conflict" }
  | { readonly kind: "deny" }
  | { readonly kind: "latency"; readonly millis: number }

interface Hold {
  readonly kind: "hold"
  readonly reached: PromiseWithResolvers<void>
  readonly gate: PromiseWithResolvers<void>
}

export interface AwsWire {
  readonly url: string
  /** The server's time: `now` plus what was advanced. */
  readonly now: () => number
  readonly advance: (seconds: number) => void
  readonly sessions: () => ReadonlyArray<WireSession>
  /** Sessions whose next call would be let through. */
  readonly liveSessions: () => ReadonlyArray<WireSession>
  /** Inline policies of a role by name. */
  readonly policies: (roleArn: string) => Readonly<{ [name: string]: string }>
  /** Puts a policy that somebody else manages on a role. */
  readonly putPolicy: (roleArn: string, name: string, document: string) => void
  readonly removeRole: (roleArn: string) => void
  readonly calls: () => ReadonlyArray<WireCall>
  /** The next call of `action` (`sts:AssumeRole`) that has no fault yet gets this one. */
  readonly inject: (action: string, ...faults: ReadonlyArray<WireFault>) => void
  /** The next call of `action` is performed and answered at the release. */
  readonly hold: (action: string) => { readonly reached: Promise<void>; readonly release: () => void }
  /** A policy takes effect only after so many further calls of sessions (IAM is eventually consistent). */
  readonly setConsistencyDelay: (calls: number) => void
  readonly close: () => Promise<void>
}

interface Role {
  readonly spec: WireRole
  readonly roleId: string
  readonly name: string
  readonly account: string
  readonly policies: Map<string, { readonly document: string; readonly parsed: WirePolicy.Policy }>
  /** What is evaluated; runs behind `policies` by the consistency delay. */
  effective: ReadonlyArray<WirePolicy.Policy>
  pending: { readonly policies: ReadonlyArray<WirePolicy.Policy>; after: number } | null
}

interface Held extends WireSession {
  readonly secretAccessKey: string
  readonly sessionToken: string
}

interface Caller {
  readonly arn: string
  readonly account: string
  readonly userid: string
  readonly session: Held | null
  readonly may: (action: string) => boolean
}

class Refusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string) {
    super(message)
    this.name = "Refusal"
    this.code = code
    this.status = status
  }
}

const arnPattern = /^arn:aws[a-z-]*:iam::(\d{12}):(role|user)\/([\w+=,.@/-]+)$/u

const partsOf = (arn: string): { readonly account: string; readonly name: string } => {
  const found = arnPattern.exec(arn)
  if (found === null) throw new Error(`not the ARN of a role or user: ${arn}`)
  const [, account = "", , path = ""] = found
  return { account, name: path.slice(path.lastIndexOf("/") + 1) }
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
const idOf = (prefix: string): string => prefix + [...randomBytes(16)].map((byte) => base32[byte % 32]).join("")

const iso = (millis: number): string => new Date(millis).toISOString().replace(/\.\d{3}Z$/u, "Z")

const allowed = (actions: ReadonlyArray<string>, action: string): boolean =>
  actions.some((pattern) => WirePolicy.isLike(pattern, action))

/** `Tags.member.1.Key=...` */
const tagsIn = (form: URLSearchParams): ReadonlyArray<readonly [string, string]> => {
  const tags: Array<readonly [string, string]> = []
  for (let index = 1; form.has(`Tags.member.${index}.Key`); index += 1) {
    tags.push([form.get(`Tags.member.${index}.Key`) ?? "", form.get(`Tags.member.${index}.Value`) ?? ""])
  }
  return tags
}

const invalid = (message: string): Refusal => new Refusal("ValidationError", 400, message)
const denied = (caller: string, action: string): Refusal =>
  new Refusal("AccessDenied", 403, `User: ${caller} is not authorized to perform: ${action}`)

/** Start a server with these identities and roles. */
export const start = async (options: WireOptions): Promise<AwsWire> => {
  let offset = 0
  let delay = 0
  const now = (): number => options.now() + offset
  const roles = new Map<string, Role>()
  const sessions = new Map<string, Held>()
  const calls: Array<WireCall> = []
  const faults = new Map<string, Array<WireFault | Hold>>()

  for (const spec of options.roles) {
    const { account, name } = partsOf(spec.arn)
    const role = { spec, roleId: idOf("AROA"), name, account, policies: new Map(), effective: [], pending: null }
    roles.set(spec.arn, role)
  }

  const roleAt = (arn: string): Role => {
    const role = roles.get(arn)
    if (role === undefined) throw new Error(`the wire server has no role ${arn}`)
    return role
  }

  /** A role in the account of the caller: IAM has no other. */
  const roleNamed = (form: URLSearchParams, caller: Caller): Role => {
    const name = form.get("RoleName") ?? ""
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html (RoleName)
    if (!/^[\w+=,.@-]{1,64}$/u.test(name)) throw invalid("The specified value for roleName is invalid.")
    const role = [...roles.values()].find((one) => one.name === name && one.account === caller.account)
    if (role === undefined) {
      throw new Refusal("NoSuchEntity", 404, `The role with name ${name} cannot be found.`)
    }
    return role
  }

  const policiesChanged = (role: Role): void => {
    const policies = [...role.policies.values()].map(({ parsed }) => parsed)
    if (delay === 0) {
      role.effective = policies
      role.pending = null
    } else role.pending = { policies, after: delay }
  }

  const isDenied = (role: Role, session: WireSession, action: string): boolean =>
    role.effective.some((policy) =>
      WirePolicy.denies(policy, action, { userid: session.userid, tokenIssueTime: session.issuedAt })
    )

  /** One more call has been evaluated: a pending policy comes nearer. */
  const settle = (role: Role): void => {
    if (role.pending === null) return
    role.pending.after -= 1
    if (role.pending.after > 0) return
    role.effective = role.pending.policies
    role.pending = null
  }

  const isLive = (session: WireSession): boolean => {
    const role = roles.get(session.roleArn)
    return role !== undefined && now() < session.expiresAt && !isDenied(role, session, "iam:ListRoles")
  }

  const callerOf = (request: SigV4.SignedRequest, signature: SigV4.Signature): Caller => {
    const identity = options.identities.find((one) => one.accessKeyId === signature.accessKeyId)
    const session = sessions.get(signature.accessKeyId)
    const secret = identity?.secretAccessKey ?? session?.secretAccessKey
    const token = request.headers["x-amz-security-token"]
    if (secret === undefined || (session !== undefined && token !== session.sessionToken)) {
      throw new Refusal("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
    }
    if (!SigV4.holds(request, signature, secret)) {
      throw new Refusal("SignatureDoesNotMatch", 403, "The request signature we calculated does not match.")
    }
    if (session === undefined) {
      const arn = identity?.arn ?? ""
      const actions = identity?.actions ?? []
      const { account, name } = partsOf(arn)
      return { arn, account, userid: `AIDA${name}`, session: null, may: (action) => allowed(actions, action) }
    }
    if (now() >= session.expiresAt) {
      throw new Refusal("ExpiredToken", 403, "The security token included in the request is expired")
    }
    const role = roles.get(session.roleArn)
    if (role === undefined) throw new Refusal("InvalidClientTokenId", 403, "The security token is invalid.")
    return {
      arn: `arn:aws:sts::${role.account}:assumed-role/${role.name}/${session.sessionName}`,
      account: role.account,
      userid: session.userid,
      session,
      may: (action) => {
        const refused = isDenied(role, session, action)
        settle(role)
        return !refused && allowed(role.spec.actions ?? ["*"], action)
      }
    }
  }

  const assumeRole = (form: URLSearchParams, caller: Caller): WireXml.Xml => {
    const arn = form.get("RoleArn") ?? ""
    const sessionName = form.get("RoleSessionName") ?? ""
    const seconds = Number(form.get("DurationSeconds") ?? "3600")
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    if (!/^[\w+=,.@-]{2,64}$/u.test(sessionName)) throw invalid("1 validation error detected: roleSessionName")
    if (!Number.isInteger(seconds) || seconds < 900 || seconds > 43_200) {
      throw invalid("1 validation error detected: Value at 'durationSeconds' is out of range")
    }
    const tags = tagsIn(form)
    for (const [key, value] of tags) {
      // https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html
      if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u.test(key) || !/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u.test(value)) {
        throw invalid("1 validation error detected: tags")
      }
    }
    const sourceIdentity = form.get("SourceIdentity")
    if (sourceIdentity !== null && !/^[\w+=,.@-]{2,64}$/u.test(sourceIdentity)) {
      throw invalid("1 validation error detected: sourceIdentity")
    }
    const role = roles.get(arn)
    const needed = [
      "sts:AssumeRole",
      ...(tags.length === 0 ? [] : ["sts:TagSession"]),
      ...(sourceIdentity === null ? [] : ["sts:SetSourceIdentity"])
    ]
    // AWS does not tell an unknown role from a forbidden one. Stricter than AWS: identity and trust must both allow,
    // within one account, too (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
    for (const action of needed) {
      const trusted =
        role !== undefined &&
        (role.spec.trusts?.includes(caller.session?.roleArn ?? caller.arn) ?? true) &&
        allowed(role.spec.trustActions ?? ["sts:*"], action) &&
        (role.spec.externalId === undefined || role.spec.externalId === form.get("ExternalId"))
      if (!caller.may(action) || !trusted) throw denied(caller.arn, `${action} on resource: ${arn}`)
    }
    if (role === undefined) throw denied(caller.arn, `sts:AssumeRole on resource: ${arn}`)
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
    if (caller.session !== null && seconds > 3600) {
      throw invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    }
    if (seconds > (role.spec.maxSessionSeconds ?? 3600)) {
      throw invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    }
    const issuedAt = Math.floor(now() / 1000) * 1000
    const session: Held = {
      accessKeyId: idOf("ASIA"),
      secretAccessKey: randomBytes(30).toString("base64"),
      sessionToken: randomBytes(60).toString("base64"),
      roleArn: arn,
      sessionName,
      userid: `${role.roleId}:${sessionName}`,
      issuedAt,
      expiresAt: issuedAt + seconds * 1000,
      tags: Object.fromEntries(tags),
      sourceIdentity,
      chained: caller.session !== null
    }
    sessions.set(session.accessKeyId, session)
    return {
      Credentials: {
        AccessKeyId: session.accessKeyId,
        SecretAccessKey: session.secretAccessKey,
        SessionToken: session.sessionToken,
        Expiration: iso(session.expiresAt)
      },
      AssumedRoleUser: {
        AssumedRoleId: session.userid,
        Arn: `arn:aws:sts::${role.account}:assumed-role/${role.name}/${sessionName}`
      },
      SourceIdentity: sourceIdentity ?? undefined,
      PackedPolicySize: tags.length === 0 ? undefined : 10
    }
  }

  const described = (role: Role): WireXml.Xml => ({
    Path: "/",
    RoleName: role.name,
    RoleId: role.roleId,
    Arn: role.spec.arn,
    CreateDate: "2026-01-01T00:00:00Z",
    AssumeRolePolicyDocument: encodeURIComponent('{"Version":"2012-10-17","Statement":[]}'),
    MaxSessionDuration: role.spec.maxSessionSeconds ?? 3600
  })

  const policyName = (form: URLSearchParams): string => {
    const name = form.get("PolicyName") ?? ""
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html (PolicyName)
    if (!/^[\w+=,.@-]{1,128}$/u.test(name)) throw invalid("The specified value for policyName is invalid.")
    return name
  }

  const putPolicy = (role: Role, name: string, document: string): void => {
    const parsed = (() => {
      try {
        return WirePolicy.parse(document)
      } catch (wrong) {
        throw new Refusal(
          "MalformedPolicyDocument",
          400,
          wrong instanceof Error ? wrong.message.slice(0, 200) : "syntax"
        )
      }
    })()
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html (inline policies of a role)
    const others = [...role.policies].filter(([other]) => other !== name)
    const size = [...others.map(([, one]) => one.document), document].reduce(
      (sum, one) => sum + WirePolicy.sizeOf(one),
      0
    )
    if (size > 10_240) {
      throw new Refusal("LimitExceeded", 409, `Maximum policy size of 10240 bytes exceeded for role ${role.name}`)
    }
    role.policies.set(name, { document, parsed })
    policiesChanged(role)
  }

  const foundPolicy = (role: Role, name: string): string => {
    const found = role.policies.get(name)
    if (found === undefined) {
      throw new Refusal("NoSuchEntity", 404, `The role policy with name ${name} cannot be found.`)
    }
    return found.document
  }

  const perform = (action: string, form: URLSearchParams, caller: Caller): WireXml.Xml | null => {
    if (action === "sts:GetCallerIdentity") {
      return { UserId: caller.userid, Account: caller.account, Arn: caller.arn }
    }
    if (action === "sts:AssumeRole") return assumeRole(form, caller)
    if (!caller.may(action)) throw denied(caller.arn, action)
    switch (action) {
      case "iam:ListRoles":
        return {
          Roles: [...roles.values()].filter(({ account }) => account === caller.account).map(described),
          IsTruncated: "false"
        }
      case "iam:GetRole":
        return { Role: described(roleNamed(form, caller)) }
      case "iam:PutRolePolicy":
        putPolicy(roleNamed(form, caller), policyName(form), form.get("PolicyDocument") ?? "")
        return null
      case "iam:GetRolePolicy": {
        const role = roleNamed(form, caller)
        const name = policyName(form)
        return { RoleName: role.name, PolicyName: name, PolicyDocument: encodeURIComponent(foundPolicy(role, name)) }
      }
      case "iam:DeleteRolePolicy": {
        const role = roleNamed(form, caller)
        foundPolicy(role, policyName(form))
        role.policies.delete(policyName(form))
        policiesChanged(role)
        return null
      }
      case "iam:ListRolePolicies":
        return { PolicyNames: [...roleNamed(form, caller).policies.keys()], IsTruncated: "false" }
      default:
        throw new Refusal("InvalidAction", 400, `Could not find operation ${action}`)
    }
  }

  const refusedBy = (fault: WireFault | Hold | undefined, caller: Caller, action: string): Refusal | null => {
    switch (fault?.kind) {
      case "throttle":
        return new Refusal("Throttling", 400, "Rate exceeded")
      case "unavailable":
        return new Refusal("ServiceUnavailable", 503, "Service is unavailable")
      case "conflict":
        return new Refusal("ConcurrentModification", 409, "The request was rejected because of a concurrent change")
      case "deny":
        return denied(caller.arn, action)
      default:
        return null
    }
  }

  const serve = async (request: SigV4.SignedRequest, response: ServerResponse): Promise<void> => {
    const requestId = randomUUID()
    const form = new URLSearchParams(request.body)
    const signature = SigV4.read(request)
    const service: WireXml.Service = signature?.service === "iam" ? "iam" : "sts"
    const operation = form.get("Action") ?? ""
    const action = `${service}:${operation}`
    const fault = faults.get(action)?.shift()
    let caller: Caller | null = null
    let status = 200
    let outcome = "ok"
    let body: string
    try {
      if (signature === null) throw new Refusal("MissingAuthenticationToken", 403, "Request is missing a signature")
      caller = callerOf(request, signature)
      if (fault?.kind === "latency") await sleep(fault.millis)
      const refused = refusedBy(fault, caller, action)
      if (refused !== null) throw refused
      body = WireXml.answer(service, operation, perform(action, form, caller), requestId)
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      status = thrown.status
      outcome = thrown.code
      body = WireXml.refusal(service, thrown.code, thrown.message, status, requestId)
    }
    calls.push({
      at: now(),
      action,
      caller: caller?.arn ?? null,
      outcome,
      role: form.get("RoleArn") ?? form.get("RoleName")
    })
    if (fault?.kind === "hold") {
      fault.reached.resolve()
      await fault.gate.promise
    }
    if (fault?.kind === "loseAnswer") {
      response.destroy()
      return
    }
    response.writeHead(status, { "content-type": "text/xml", "x-amzn-requestid": requestId }).end(body)
  }

  const inject: AwsWire["inject"] = (action, ...more) => {
    faults.set(action, [...(faults.get(action) ?? []), ...more])
  }

  const shown = ({ secretAccessKey: _, sessionToken: __, ...session }: Held): WireSession => session

  /** The server's own door, for tests in other processes. */
  const control = (request: SigV4.SignedRequest, response: ServerResponse): void => {
    const json = (value: unknown): void => {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value))
    }
    switch (`${request.method} ${request.target}`) {
      case "GET /_wire/state":
        return json({
          now: now(),
          sessions: [...sessions.values()].map((session) => ({ ...shown(session), live: isLive(session) })),
          policies: Object.fromEntries(
            [...roles.values()].map(({ spec, policies }) => [
              spec.arn,
              Object.fromEntries([...policies].map(([name, { document }]) => [name, document]))
            ])
          ),
          calls
        })
      case "POST /_wire/faults": {
        const {
          action,
          fault,
          times = 1
        }: { action: string; fault: WireFault; times?: number } = JSON.parse(request.body)
        for (let count = 0; count < times; count += 1) inject(action, fault)
        return json({})
      }
      case "POST /_wire/advance": {
        const { seconds }: { seconds: number } = JSON.parse(request.body)
        offset += seconds * 1000
        return json({ now: now() })
      }
      case "POST /_wire/consistency": {
        const { calls: count }: { calls: number } = JSON.parse(request.body)
        delay = count
        return json({})
      }
      default:
        response.writeHead(404).end()
    }
  }

  const bodyOf = async (request: IncomingMessage): Promise<string> => {
    const chunks: Array<Buffer> = []
    let size = 0
    for await (const chunk of request) {
      size += chunk.length
      // https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html: a document has at most 131,072.
      if (size > 1_048_576) throw new Refusal("RequestEntityTooLarge", 413, "the body is too long")
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString("utf8")
  }

  const server = createServer((incoming, response) => {
    bodyOf(incoming)
      .then((body) => {
        const request = { method: incoming.method ?? "", target: incoming.url ?? "/", headers: incoming.headers, body }
        return request.target.startsWith("/_wire/") ? control(request, response) : serve(request, response)
      })
      .catch((thrown: unknown) => {
        const told = thrown instanceof Error ? thrown.message : "failed"
        if (!response.headersSent) response.writeHead(500, { "content-type": "text/plain" })
        response.end(told)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the wire server has no port")

  return {
    url: `http://127.0.0.1:${address.port}`,
    now,
    advance: (seconds) => {
      offset += seconds * 1000
    },
    sessions: () => [...sessions.values()].map(shown),
    liveSessions: () => [...sessions.values()].filter(isLive).map(shown),
    policies: (arn) => Object.fromEntries([...roleAt(arn).policies].map(([name, { document }]) => [name, document])),
    putPolicy: (arn, name, document) => putPolicy(roleAt(arn), name, document),
    removeRole: (arn) => {
      roles.delete(arn)
    },
    calls: () => [...calls],
    inject,
    hold: (action) => {
      const hold: Hold = {
        kind: "hold",
        reached: Promise.withResolvers<void>(),
        gate: Promise.withResolvers<void>()
      }
      faults.set(action, [...(faults.get(action) ?? []), hold])
      return { reached: hold.reached.promise, release: hold.gate.resolve }
    },
    setConsistencyDelay: (count) => {
      delay = count
    },
    close: () =>
      new Promise<void>((resolve, reject) => {
        server.close((failure) => (failure === undefined ? resolve() : reject(failure)))
        server.closeAllConnections()
      })
  }
}

/** A server for as long as the scope is open. */
export const scoped = (options: WireOptions): Effect.Effect<AwsWire, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => start(options)),
    (wire) => Effect.promise(wire.close)
  )
