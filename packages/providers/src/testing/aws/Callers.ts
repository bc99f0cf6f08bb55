/**
 * Who calls the wire server, by the signature of the request, and what they may do.
 *
 * 1. Requests are signed (Signature Version 4) with keys that the server knows; temporary keys need their token and
 *    their time.
 * 2. An identity does what its actions or its policy allow and nothing else, so that a test shows which permissions are
 *    enough. Where it has a policy document, resources count, too.
 */
import { Refusal } from "./Refusal.ts"
import type { Roles, WireSession } from "./Roles.ts"
import { partsOf } from "./Roles.ts"
import * as SigV4 from "./SigV4.ts"
import * as WirePolicy from "./WirePolicy.ts"

/** A long-lived identity: the daemon's own. */
export interface WireIdentity {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly arn: string
  /** `sts:AssumeRole`, `iam:PutRolePolicy`, ... with wildcards, on every resource. */
  readonly actions?: ReadonlyArray<string>
  /** An identity policy as JSON, evaluated with resources. */
  readonly policy?: string
}

/** A session with the secrets that sign for it. */
export interface Held extends WireSession {
  readonly secretAccessKey: string
  readonly sessionToken: string
}

export interface Caller {
  readonly arn: string
  readonly account: string
  readonly userid: string
  readonly session: Held | null
  /** Whether it may do this on every one of these resources. */
  readonly may: (action: string, resources: ReadonlyArray<string>) => boolean
}

/** What STS keeps of the sessions that it issued, by access key. */
export type Sessions = Map<string, Held>

/** Whether a list of actions with wildcards names this one. */
export const named = (actions: ReadonlyArray<string>, action: string): boolean =>
  actions.some((pattern) => WirePolicy.isLike(pattern, action))

export interface World {
  readonly now: () => number
  readonly identities: ReadonlyArray<WireIdentity>
  readonly roles: Roles
  readonly sessions: Sessions
}

/** How requests of these identities and sessions are told apart; refuses what is not signed well. */
export const make = ({ identities, now, roles, sessions }: World) => {
  const policies = new Map(
    identities.flatMap(({ accessKeyId, policy }) =>
      policy === undefined ? [] : [[accessKeyId, WirePolicy.parseIdentity(policy)] as const]
    )
  )

  const ofIdentity = (identity: WireIdentity): Caller => {
    const { account, name } = partsOf(identity.arn)
    const policy = policies.get(identity.accessKeyId)
    return {
      arn: identity.arn,
      account,
      userid: `AIDA${name}`,
      session: null,
      may: (action, resources) =>
        named(identity.actions ?? [], action) ||
        (policy !== undefined && resources.every((resource) => WirePolicy.allows(policy, action, resource)))
    }
  }

  const ofSession = (session: Held): Caller => {
    if (now() >= session.expiresAt) {
      throw new Refusal("ExpiredToken", 403, "The security token included in the request is expired")
    }
    const role = roles.at(session.roleArn)
    if (role === undefined) throw new Refusal("InvalidClientTokenId", 403, "The security token is invalid.")
    return {
      arn: `arn:aws:sts::${role.account}:assumed-role/${role.name}/${session.sessionName}`,
      account: role.account,
      userid: session.userid,
      session,
      may: (action, resources) => {
        const refused = roles.isDenied(role, session, action)
        roles.settle(role)
        const { allowed, spec } = role
        if (refused) return false
        return allowed === null
          ? named(spec.actions ?? ["*"], action)
          : resources.every((resource) => WirePolicy.allows(allowed, action, resource))
      }
    }
  }

  return (request: SigV4.SignedRequest, signature: SigV4.Signature | null): Caller => {
    if (signature === null) throw new Refusal("MissingAuthenticationToken", 403, "Request is missing a signature")
    const identity = identities.find((one) => one.accessKeyId === signature.accessKeyId)
    const session = sessions.get(signature.accessKeyId)
    const secret = identity?.secretAccessKey ?? session?.secretAccessKey
    const token = request.headers["x-amz-security-token"]
    if (secret === undefined || (session !== undefined && token !== session.sessionToken)) {
      throw new Refusal("InvalidClientTokenId", 403, "The security token included in the request is invalid.")
    }
    if (!SigV4.holds(request, signature, secret)) {
      throw new Refusal("SignatureDoesNotMatch", 403, "The request signature we calculated does not match.")
    }
    if (session !== undefined) return ofSession(session)
    if (identity === undefined) throw new Error("a secret without an owner")
    return ofIdentity(identity)
  }
}
