/**
 * The two ways in which AWS's services are spoken to here, told apart by the request.
 *
 * 1. STS and IAM speak the query protocol: a form in, XML out
 *    (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html).
 * 2. SSO-Admin and IdentityStore speak AWS JSON 1.1: the target header names the operation, JSON in and out
 *    (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
 */
import type { Refused, WireAnswer, WireRequest } from "../WireServer.ts"
import type { Caller } from "./Callers.ts"
import { denied, Refusal } from "./Refusal.ts"
import * as SigV4 from "./SigV4.ts"
import * as WireXml from "./WireXml.ts"

/** What a request says, in its protocol. */
export type Input =
  | { readonly protocol: "query"; readonly form: URLSearchParams }
  | { readonly protocol: "json"; readonly body: Readonly<Record<string, unknown>> }

export interface Spoken {
  /** As permissions name it: `sts:AssumeRole`, `sso:CreateAccountAssignment`. */
  readonly operation: string
  readonly input: Input
  readonly answer: (result: WireXml.Xml | null) => WireAnswer
  readonly refuse: (refusal: Refusal) => WireAnswer
  /** What a test asked for, in the service's words. */
  readonly refusalFor: (refused: Refused, caller: Caller) => Refusal
}

/** By the first part of the target header: the service's prefix in permissions. */
const targets: Readonly<Record<string, string>> = {
  SWBExternalService: "sso",
  AWSIdentityStore: "identitystore"
}

const query = (request: WireRequest, requestId: string): Spoken => {
  const form = new URLSearchParams(request.body)
  const service: WireXml.Service = SigV4.read(request)?.service === "iam" ? "iam" : "sts"
  const name = form.get("Action") ?? ""
  const operation = `${service}:${name}`
  const headers = { "content-type": "text/xml", "x-amzn-requestid": requestId }
  return {
    operation,
    input: { protocol: "query", form },
    answer: (result) => ({ status: 200, headers, body: WireXml.answer(service, name, result, requestId) }),
    refuse: ({ code, message, status }) => ({
      status,
      headers,
      body: WireXml.refusal(service, code, message, status, requestId)
    }),
    refusalFor: (refused, caller) => {
      switch (refused) {
        // https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
        case "throttle":
          return new Refusal("Throttling", 400, "Rate exceeded")
        case "unavailable":
          return new Refusal("ServiceUnavailable", 503, "Service is unavailable")
        // STS changes nothing that calls could conflict on, and has no error for it.
        case "conflict":
          return service === "sts"
            ? new Refusal("Throttling", 400, "Rate exceeded")
            : new Refusal("ConcurrentModification", 409, "The request was rejected because of a concurrent change")
        case "deny":
          return denied(caller.arn, operation)
      }
    }
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const json = (request: WireRequest, target: string, requestId: string): Spoken => {
  const [prefix = "", name = ""] = target.split(".", 2)
  const operation = `${targets[prefix] ?? "unknown"}:${name}`
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": requestId }
  const parsed: unknown = request.body === "" ? {} : JSON.parse(request.body)
  if (!isRecord(parsed)) throw new Error(`${operation} was sent something that is no object`)
  return {
    operation,
    input: { protocol: "json", body: parsed },
    answer: (result) => ({ status: 200, headers, body: JSON.stringify(result ?? {}) }),
    // The services' models name a status for each error, and the protocol sends 400 for those of the client.
    refuse: ({ code, message, status }) => ({
      status: status < 500 ? 400 : status,
      headers,
      body: JSON.stringify({ __type: code, Message: message })
    }),
    refusalFor: (refused, caller) => {
      switch (refused) {
        case "throttle":
          return new Refusal("ThrottlingException", 400, "Rate exceeded")
        case "unavailable":
          return new Refusal("InternalServerException", 500, "The request processing has failed")
        case "conflict":
          return new Refusal("ConflictException", 400, "There is a conflicting operation in progress")
        case "deny":
          return new Refusal("AccessDeniedException", 400, `User: ${caller.arn} is not authorized: ${operation}`)
      }
    }
  }
}

export const read = (request: WireRequest, requestId: string): Spoken => {
  const target = request.headers["x-amz-target"]
  return typeof target === "string" ? json(request, target, requestId) : query(request, requestId)
}
