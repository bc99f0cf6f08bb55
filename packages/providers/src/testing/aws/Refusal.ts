/**
 * A refusal in AWS's words: a code, a status and a message. Thrown by operations, worded by the protocol that was
 * spoken.
 */
export class Refusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, status: number, message: string) {
    super(message)
    this.name = "Refusal"
    this.code = code
    this.status = status
  }
}

/** A value that STS or IAM does not take: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html */
export const invalid = (message: string): Refusal => new Refusal("ValidationError", 400, message)

/** STS and IAM do not let this caller do it. */
export const denied = (caller: string, action: string): Refusal =>
  new Refusal("AccessDenied", 403, `User: ${caller} is not authorized to perform: ${action}`)
