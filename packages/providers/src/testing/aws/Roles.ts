/**
 * The roles of the wire server's accounts, and what their inline policies deny.
 *
 * 1. A denial in a role's inline policies is evaluated on every call of a session.
 * 2. What is evaluated runs behind what was written by the configured lag: IAM is eventually consistent
 *    (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
 */
import { randomBytes } from "node:crypto"
import { Refusal } from "./Refusal.ts"
import * as WirePolicy from "./WirePolicy.ts"

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
  /** In place of `actions`: a policy as JSON, evaluated with resources. */
  readonly policy?: string
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

export interface Role {
  readonly spec: WireRole
  readonly roleId: string
  readonly name: string
  readonly account: string
  /** What `spec.policy` says. */
  readonly allowed: WirePolicy.Policy | null
  readonly policies: Map<string, { readonly document: string; readonly parsed: WirePolicy.Policy }>
  /** What is evaluated; runs behind `policies` by the lag. */
  effective: ReadonlyArray<WirePolicy.Policy>
  pending: { readonly policies: ReadonlyArray<WirePolicy.Policy>; after: number } | null
}

export interface Roles {
  readonly all: () => ReadonlyArray<Role>
  readonly at: (arn: string) => Role | undefined
  /** A role of this account, by its name: IAM has no other way to ask. */
  readonly named: (name: string, account: string) => Role | undefined
  readonly remove: (arn: string) => void
  /** Replaces an inline policy, as strict as IAM about syntax and size. */
  readonly putPolicy: (role: Role, name: string, document: string) => void
  readonly deletePolicy: (role: Role, name: string) => void
  readonly isDenied: (role: Role, session: WireSession, action: string) => boolean
  /** One more call has been evaluated: a pending policy comes nearer. */
  readonly settle: (role: Role) => void
  /** A policy takes effect only after so many further calls of sessions. */
  readonly setLag: (calls: number) => void
}

const arnPattern = /^arn:aws[a-z-]*:iam::(\d{12}):(role|user)\/([\w+=,.@/-]+)$/u

/** Account and name in the ARN of a role or user. */
export const partsOf = (arn: string): { readonly account: string; readonly name: string } => {
  const found = arnPattern.exec(arn)
  if (found === null) throw new Error(`not the ARN of a role or user: ${arn}`)
  const [, account = "", , path = ""] = found
  return { account, name: path.slice(path.lastIndexOf("/") + 1) }
}

const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

/** An id as IAM makes them: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
export const idOf = (prefix: string): string => prefix + [...randomBytes(16)].map((byte) => base32[byte % 32]).join("")

export const make = (specs: ReadonlyArray<WireRole>): Roles => {
  let lag = 0
  const roles = new Map<string, Role>(
    specs.map((spec) => {
      const { account, name } = partsOf(spec.arn)
      const role: Role = {
        spec,
        allowed: spec.policy === undefined ? null : WirePolicy.parseIdentity(spec.policy),
        roleId: idOf("AROA"),
        name,
        account,
        policies: new Map(),
        effective: [],
        pending: null
      }
      return [spec.arn, role]
    })
  )

  const changed = (role: Role): void => {
    const policies = [...role.policies.values()].map(({ parsed }) => parsed)
    if (lag === 0) {
      role.effective = policies
      role.pending = null
    } else role.pending = { policies, after: lag }
  }

  return {
    all: () => [...roles.values()],
    at: (arn) => roles.get(arn),
    named: (name, account) => [...roles.values()].find((one) => one.name === name && one.account === account),
    remove: (arn) => {
      roles.delete(arn)
    },
    putPolicy: (role, name, document) => {
      const parsed = (() => {
        try {
          return WirePolicy.parse(document)
        } catch (wrong) {
          const told = wrong instanceof Error ? wrong.message.slice(0, 200) : "syntax"
          throw new Refusal("MalformedPolicyDocument", 400, told)
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
      changed(role)
    },
    deletePolicy: (role, name) => {
      role.policies.delete(name)
      changed(role)
    },
    isDenied: (role, session, action) =>
      role.effective.some((policy) =>
        WirePolicy.denies(policy, action, { userid: session.userid, tokenIssueTime: session.issuedAt })
      ),
    settle: (role) => {
      if (role.pending === null) return
      role.pending.after -= 1
      if (role.pending.after > 0) return
      role.effective = role.pending.policies
      role.pending = null
    },
    setLag: (calls) => {
      lag = calls
    }
  }
}
