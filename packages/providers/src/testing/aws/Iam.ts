/**
 * IAM: roles of the caller's account and their inline policies.
 *
 * Which resources an action is allowed on:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
 */
import type { Caller } from "./Callers.ts"
import { denied, invalid, Refusal } from "./Refusal.ts"
import type { Role, Roles } from "./Roles.ts"
import type { Xml } from "./WireXml.ts"

const described = (role: Role): Xml => ({
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

const foundPolicy = (role: Role, name: string): string => {
  const found = role.policies.get(name)
  if (found === undefined) {
    throw new Refusal("NoSuchEntity", 404, `The role policy with name ${name} cannot be found.`)
  }
  return found.document
}

export const make = (roles: Roles) => {
  /** The role that the form names, if this caller may do this to it. */
  const roleFor = (operation: string, form: URLSearchParams, caller: Caller): Role => {
    const name = form.get("RoleName") ?? ""
    const arn = `arn:aws:iam::${caller.account}:role/${name}`
    const role = roles.named(name, caller.account)
    if (!caller.may(operation, [role?.spec.arn ?? arn])) throw denied(caller.arn, `${operation} on resource: ${arn}`)
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html (RoleName)
    if (!/^[\w+=,.@-]{1,64}$/u.test(name)) throw invalid("The specified value for roleName is invalid.")
    if (role === undefined) throw new Refusal("NoSuchEntity", 404, `The role with name ${name} cannot be found.`)
    return role
  }

  return (operation: string, form: URLSearchParams, caller: Caller): Xml | null => {
    switch (operation) {
      case "iam:ListRoles":
        if (!caller.may(operation, ["*"])) throw denied(caller.arn, operation)
        return {
          Roles: roles
            .all()
            .filter(({ account }) => account === caller.account)
            .map(described),
          IsTruncated: "false"
        }
      case "iam:GetRole":
        return { Role: described(roleFor(operation, form, caller)) }
      case "iam:PutRolePolicy":
        roles.putPolicy(roleFor(operation, form, caller), policyName(form), form.get("PolicyDocument") ?? "")
        return null
      case "iam:GetRolePolicy": {
        const role = roleFor(operation, form, caller)
        const name = policyName(form)
        return { RoleName: role.name, PolicyName: name, PolicyDocument: encodeURIComponent(foundPolicy(role, name)) }
      }
      case "iam:DeleteRolePolicy": {
        const role = roleFor(operation, form, caller)
        foundPolicy(role, policyName(form))
        roles.deletePolicy(role, policyName(form))
        return null
      }
      case "iam:SimulatePrincipalPolicy": {
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        const source = form.get("PolicySourceArn") ?? ""
        if (!caller.may(operation, [source])) throw denied(caller.arn, `${operation} on resource: ${source}`)
        // Here only the caller's own policies are known.
        if (source !== caller.arn) throw new Refusal("NoSuchEntity", 404, `The entity ${source} cannot be found.`)
        const action = form.get("ActionNames.member.1") ?? ""
        const resource = form.get("ResourceArns.member.1") ?? "*"
        return {
          EvaluationResults: [
            {
              EvalActionName: action,
              EvalResourceName: resource,
              EvalDecision: caller.may(action, [resource]) ? "allowed" : "implicitDeny"
            }
          ],
          IsTruncated: "false"
        }
      }
      case "iam:ListRolePolicies":
        return { PolicyNames: [...roleFor(operation, form, caller).policies.keys()], IsTruncated: "false" }
      default:
        throw new Refusal("InvalidAction", 400, `Could not find operation ${operation}`)
    }
  }
}
