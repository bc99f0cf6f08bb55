/**
 * STS: sessions of roles.
 *
 * 1. Names, durations, tags and trust are as strict as the vendor documents.
 * 2. `GetCallerIdentity` is never denied
 *    (https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html).
 */
import { randomBytes } from "node:crypto"
import { type Caller, type Held, named, type Sessions } from "./Callers.ts"
import { denied, invalid, Refusal } from "./Refusal.ts"
import { idOf, type Roles } from "./Roles.ts"
import type { Xml } from "./WireXml.ts"

export interface Options {
  readonly now: () => number
  readonly roles: Roles
  readonly sessions: Sessions
}

const iso = (millis: number): string => new Date(millis).toISOString().replace(/\.\d{3}Z$/u, "Z")

/** `Tags.member.1.Key=...` */
const tagsIn = (form: URLSearchParams): ReadonlyArray<readonly [string, string]> => {
  const tags: Array<readonly [string, string]> = []
  for (let index = 1; form.has(`Tags.member.${index}.Key`); index += 1) {
    tags.push([form.get(`Tags.member.${index}.Key`) ?? "", form.get(`Tags.member.${index}.Value`) ?? ""])
  }
  return tags
}

export const make = ({ now, roles, sessions }: Options) => {
  const assumeRole = (form: URLSearchParams, caller: Caller): Xml => {
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
    const role = roles.at(arn)
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
        named(role.spec.trustActions ?? ["sts:*"], action) &&
        (role.spec.externalId === undefined || role.spec.externalId === form.get("ExternalId"))
      if (!caller.may(action, [arn]) || !trusted) throw denied(caller.arn, `${action} on resource: ${arn}`)
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

  return (operation: string, form: URLSearchParams, caller: Caller): Xml => {
    switch (operation) {
      case "sts:GetCallerIdentity":
        return { UserId: caller.userid, Account: caller.account, Arn: caller.arn }
      case "sts:AssumeRole":
        return assumeRole(form, caller)
      default:
        throw new Refusal("InvalidAction", 400, `Could not find operation ${operation}`)
    }
  }
}
