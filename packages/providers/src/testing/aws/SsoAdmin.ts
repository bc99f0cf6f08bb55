/**
 * SSO-Admin: permission sets, their assignments, and the status of what changes those.
 *
 * Patterns and errors: https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html and
 * the pages beside it. Which resources an action is allowed on:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html
 */
import type { Assignment, Assignments, Operation } from "./Assignments.ts"
import type { Caller } from "./Callers.ts"
import type { WireUser } from "./IdentityStore.ts"
import { Refusal } from "./Refusal.ts"
import type { Xml } from "./WireXml.ts"

export interface WirePermissionSet {
  readonly name: string
  readonly arn: string
  /** ISO 8601; default an hour. */
  readonly sessionDuration?: string
}

export interface WireIdentityCenter {
  readonly instanceArn: string
  readonly identityStoreId: string
  readonly permissionSets: ReadonlyArray<WirePermissionSet>
  readonly users: ReadonlyArray<WireUser>
  /** Accounts of the organisation. */
  readonly accounts: ReadonlyArray<string>
}

export interface Pages {
  /** Entries of a page, unless the caller asks for fewer. */
  size: number
}

type Body = Readonly<Record<string, unknown>>

const instancePattern = /^arn:aws(-[a-z]{1,5}){0,3}:sso:::instance\/(sso)?ins-[a-zA-Z0-9-.]{16}$/u
const permissionSetPattern =
  /^arn:aws(-[a-z]{1,5}){0,3}:sso:::permissionSet\/(sso)?ins-[a-zA-Z0-9-.]{16}\/ps-[a-zA-Z0-9-./]{16}$/u
const principalPattern = /^([0-9a-f]{10}-)?[A-Fa-f0-9]{8}(-[A-Fa-f0-9]{4}){3}-[A-Fa-f0-9]{12}$/u
const requestPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u

const invalid = (field: string): Refusal =>
  new Refusal("ValidationException", 400, `1 validation error detected: ${field}`)

const text = (body: Body, field: string, pattern: RegExp): string => {
  const value = body[field]
  if (typeof value !== "string" || !pattern.test(value)) throw invalid(field)
  return value
}

const missing = (what: string): Refusal => new Refusal("ResourceNotFoundException", 404, `${what} not found`)

export const make = (center: WireIdentityCenter, assignments: Assignments, pages: Pages) => {
  const asked = (body: Body, field: string): string => (typeof body[field] === "string" ? body[field] : "")

  const accountArn = (account: string): string => `arn:aws:sso:::account/${account}`

  /** The instance comes first, then what else the action is about. */
  const guard = (operation: string, body: Body, caller: Caller, more: ReadonlyArray<string>): void => {
    if (!caller.may(operation, [asked(body, "InstanceArn"), ...more])) {
      throw new Refusal("AccessDeniedException", 403, `User: ${caller.arn} is not authorized: ${operation}`)
    }
    if (text(body, "InstanceArn", instancePattern) !== center.instanceArn) throw missing("The instance")
  }

  const permissionSetIn = (body: Body): WirePermissionSet => {
    const arn = text(body, "PermissionSetArn", permissionSetPattern)
    const found = center.permissionSets.find((one) => one.arn === arn)
    if (found === undefined) throw missing("PermissionSet")
    return found
  }

  const page = <A>(body: Body, all: ReadonlyArray<A>): { readonly items: ReadonlyArray<A>; readonly next?: string } => {
    const most = body["MaxResults"] ?? 100
    if (typeof most !== "number" || !Number.isInteger(most) || most < 1 || most > 100) throw invalid("MaxResults")
    const from = Number(
      /^at-(\d+)$/u.exec(asked(body, "NextToken"))?.[1] ?? (body["NextToken"] === undefined ? 0 : NaN)
    )
    if (!Number.isSafeInteger(from)) throw invalid("NextToken")
    const until = from + Math.min(most, pages.size)
    return { items: all.slice(from, until), ...(until < all.length ? { next: `at-${until}` } : {}) }
  }

  const assignmentIn = (body: Body): Assignment => {
    const { arn } = permissionSetIn(body)
    const account = text(body, "TargetId", /^\d{12}$/u)
    text(body, "TargetType", /^AWS_ACCOUNT$/u)
    const principalType = text(body, "PrincipalType", /^(USER|GROUP)$/u) === "USER" ? "USER" : "GROUP"
    const principalId = text(body, "PrincipalId", principalPattern)
    if (!center.accounts.includes(account)) throw missing("The account")
    if (principalType === "USER" && !center.users.some(({ userId }) => userId === principalId)) throw missing("USER")
    return { account, permissionSetArn: arn, principalId, principalType }
  }

  const described = (operation: Operation): Xml => ({
    Status: operation.status,
    RequestId: operation.requestId,
    ...(operation.failureReason === null ? {} : { FailureReason: operation.failureReason }),
    TargetId: operation.account,
    TargetType: "AWS_ACCOUNT",
    PermissionSetArn: operation.permissionSetArn,
    PrincipalType: operation.principalType,
    PrincipalId: operation.principalId,
    // Seconds: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    CreatedDate: operation.createdAt / 1000
  })

  const names = {
    create: {
      status: "AccountAssignmentCreationStatus",
      list: "AccountAssignmentsCreationStatus",
      id: "AccountAssignmentCreationRequestId"
    },
    delete: {
      status: "AccountAssignmentDeletionStatus",
      list: "AccountAssignmentsDeletionStatus",
      id: "AccountAssignmentDeletionRequestId"
    }
  } as const

  const change = (kind: Operation["kind"], operation: string, body: Body, caller: Caller): Xml => {
    guard(operation, body, caller, [asked(body, "PermissionSetArn"), accountArn(asked(body, "TargetId"))])
    return { [names[kind].status]: described(assignments.begin(kind, assignmentIn(body))) }
  }

  const status = (kind: Operation["kind"], operation: string, body: Body, caller: Caller): Xml => {
    guard(operation, body, caller, [])
    const found = assignments.look(kind, text(body, names[kind].id, requestPattern))
    if (found === undefined) throw missing("The request")
    return { [names[kind].status]: described(found) }
  }

  const statuses = (kind: Operation["kind"], operation: string, body: Body, caller: Caller): Xml => {
    guard(operation, body, caller, [])
    const filter = body["Filter"]
    const wanted = typeof filter === "object" && filter !== null ? Reflect.get(filter, "Status") : undefined
    const all = assignments.operations(kind).filter((one) => wanted === undefined || one.status === wanted)
    const { items, next } = page(body, all)
    return {
      [names[kind].list]: items.map((one) => ({
        Status: one.status,
        RequestId: one.requestId,
        CreatedDate: one.createdAt / 1000
      })),
      ...(next === undefined ? {} : { NextToken: next })
    }
  }

  return (operation: string, body: Body, caller: Caller): Xml => {
    switch (operation) {
      case "sso:CreateAccountAssignment":
        return change("create", operation, body, caller)
      case "sso:DeleteAccountAssignment":
        return change("delete", operation, body, caller)
      case "sso:DescribeAccountAssignmentCreationStatus":
        return status("create", operation, body, caller)
      case "sso:DescribeAccountAssignmentDeletionStatus":
        return status("delete", operation, body, caller)
      case "sso:ListAccountAssignmentCreationStatus":
        return statuses("create", operation, body, caller)
      case "sso:ListAccountAssignmentDeletionStatus":
        return statuses("delete", operation, body, caller)
      case "sso:ListAccountAssignments": {
        const account = asked(body, "AccountId")
        guard(operation, body, caller, [asked(body, "PermissionSetArn"), accountArn(account)])
        const { arn } = permissionSetIn(body)
        text(body, "AccountId", /^\d{12}$/u)
        const all = assignments.read().filter((one) => one.account === account && one.permissionSetArn === arn)
        const { items, next } = page(body, all)
        return {
          AccountAssignments: items.map(({ principalId, principalType }) => ({
            AccountId: account,
            PermissionSetArn: arn,
            PrincipalType: principalType,
            PrincipalId: principalId
          })),
          ...(next === undefined ? {} : { NextToken: next })
        }
      }
      case "sso:ListPermissionSets": {
        guard(operation, body, caller, [])
        const { items, next } = page(body, center.permissionSets)
        return { PermissionSets: items.map(({ arn }) => arn), ...(next === undefined ? {} : { NextToken: next }) }
      }
      case "sso:DescribePermissionSet": {
        guard(operation, body, caller, [asked(body, "PermissionSetArn")])
        const { arn, name, sessionDuration = "PT1H" } = permissionSetIn(body)
        return {
          PermissionSet: {
            Name: name,
            PermissionSetArn: arn,
            CreatedDate: 1_767_225_600,
            SessionDuration: sessionDuration
          }
        }
      }
      default:
        throw new Refusal("UnknownOperationException", 400, `Could not find operation ${operation}`)
    }
  }
}
