/** A refusal in the words of ARM, Graph or Entra ID: a status, a code, a message. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.name = "Refusal"
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** https://learn.microsoft.com/azure/role-based-access-control/troubleshooting */
export const notAuthorized = (objectId: string, action: string, scope: string): Refusal =>
  new Refusal(
    403,
    "AuthorizationFailed",
    `The client '${objectId}' with object id '${objectId}' does not have authorization to perform action '${action}' over scope '${scope}' or the scope is invalid.`
  )
