/**
 * IdentityStore: users by a unique attribute.
 *
 * `GetUserId` is exact: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
 * Which resources an action is allowed on:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentitystore.html
 */
import type { Caller } from "./Callers.ts"
import { Refusal } from "./Refusal.ts"
import type { Xml } from "./WireXml.ts"

export interface WireUser {
  /** A GUID, or ten hexadecimal digits and a GUID. */
  readonly userId: string
  readonly userName: string
  readonly email?: string
}

type Body = Readonly<Record<string, unknown>>

const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined

export const make = (identityStoreId: string, users: ReadonlyArray<WireUser>) => {
  const getUserId = (body: Body, caller: Caller): Xml => {
    const resource = `arn:aws:identitystore::${caller.account}:identitystore/${identityStoreId}`
    if (!caller.may("identitystore:GetUserId", [resource, "arn:aws:identitystore:::user/*"])) {
      throw new Refusal("AccessDeniedException", 403, `User: ${caller.arn} is not authorized: identitystore:GetUserId`)
    }
    const attribute = fieldOf(body["AlternateIdentifier"], "UniqueAttribute")
    const [path, value] = [fieldOf(attribute, "AttributePath"), fieldOf(attribute, "AttributeValue")]
    if (typeof body["IdentityStoreId"] !== "string" || (path !== "userName" && path !== "emails.value")) {
      throw new Refusal("ValidationException", 400, "1 validation error detected: alternateIdentifier")
    }
    // A user name has 1 to 128 characters: https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_User.html
    if (typeof value !== "string" || value.length < 1 || value.length > 128 || /[\p{Cc}\p{Z}]/u.test(value)) {
      throw new Refusal("ValidationException", 400, "1 validation error detected: attributeValue")
    }
    const user = users.find((one) => (path === "userName" ? one.userName : one.email) === value)
    if (body["IdentityStoreId"] !== identityStoreId || user === undefined) {
      throw new Refusal("ResourceNotFoundException", 404, "USER not found.")
    }
    return { IdentityStoreId: identityStoreId, UserId: user.userId }
  }

  return (operation: string, body: Body, caller: Caller): Xml => {
    if (operation === "identitystore:GetUserId") return getUserId(body, caller)
    throw new Refusal("UnknownOperationException", 400, `Could not find operation ${operation}`)
  }
}
