/** What the daemon or the way to it answers, as a failure of the command: text, hint and exit code. */
import { Problems } from "@jitsudo/client"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { exits, Failure, failed, misused, reasonOf } from "./Failure.ts"

const exitOf = (status: number): number => {
  if (status === 401) return exits.notSignedIn
  if (status === 403) return exits.refused
  return exits.error
}

/** What a problem document has for people; everything else stays in the document. */
const Shown = Schema.Struct({
  title: Schema.optionalKey(Schema.String),
  status: Schema.Int,
  detail: Schema.optionalKey(Schema.String),
  hint: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.String),
  correlationId: Schema.optionalKey(Schema.String),
  problems: Schema.optionalKey(Schema.Array(Problems.FieldProblem))
})

/** A failure from a problem document; undefined if it is none. */
const fromDocument = (document: Readonly<Record<string, unknown>>): Failure | undefined => {
  if (!Schema.is(Shown)(document)) return undefined
  const { correlationId, detail, hint, problems, state, status, title } = document
  const what = detail ?? title ?? `the daemon answers with status ${status}`
  return new Failure({
    exit: exitOf(status),
    message: state === undefined || what.includes(state) ? what : `${what} (it is ${state})`,
    details: [
      ...(problems ?? []).map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`)),
      ...(correlationId === undefined ? [] : [`the daemon's log has it under ${correlationId}`])
    ].filter((line) => line !== what),
    ...(hint === undefined ? {} : { hint }),
    document
  })
}

const problemClasses = [
  Problems.BadRequest,
  Problems.Unauthenticated,
  Problems.Forbidden,
  Problems.NotFound,
  Problems.Conflict,
  Problems.TooLarge,
  Problems.UnsupportedMediaType,
  Problems.Unprocessable,
  Problems.TooMany,
  Problems.InternalError,
  Problems.BadGateway,
  Problems.ServiceUnavailable
] as const

const isProblem = (error: unknown): error is Problems.Problem => problemClasses.some((one) => error instanceof one)

const documentOf = (problem: Problems.Problem): Readonly<Record<string, unknown>> => {
  const { code, correlationId, detail, hint, instance, problems, state, status, title, type } = problem
  const all = { type, title, status, detail, instance, code, hint, problems, state, correlationId }
  const retry = "retryAfterSeconds" in problem ? { retryAfterSeconds: problem.retryAfterSeconds } : {}
  return Object.fromEntries(Object.entries({ ...all, ...retry }).filter(([, value]) => value !== undefined))
}

/** A body that is a problem document although this status has none in the API: a proxy's, or a limit's. */
export const fromBody = (status: number, body: unknown): Failure =>
  (typeof body === "object" && body !== null ? fromDocument({ status, ...body }) : undefined) ??
  new Failure({
    exit: exitOf(status),
    message: `the server answers with status ${status}, and not as a jitsudo daemon does`,
    hint: "check --server: something else may listen there, or stand in between"
  })

export const isUnauthenticated = (error: unknown): boolean => error instanceof Problems.Unauthenticated

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** What was typed does not fit what the API takes: said here, without asking the daemon. */
export const fromInput = (error: Schema.SchemaError): Failure => {
  const problems = formatIssues(error.issue).issues.map(({ message, path }) => {
    const field = (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
    return field === "" ? message : `${field}: ${message}`
  })
  const [first] = problems
  return problems.length === 1 && first !== undefined
    ? misused(first)
    : misused("what was asked is not valid", undefined, problems)
}

/** Every error that the typed client knows. `HttpClientError`s of a status are read by the caller before. */
export const fromError = (server: string, error: unknown): Failure => {
  if (error instanceof Failure) return error
  if (isProblem(error)) return fromDocument(documentOf(error)) ?? failed(`${server}: ${error.code}`)
  if (HttpClientError.isHttpClientError(error)) {
    const { reason } = error
    if (reason._tag === "TransportError") {
      return failed(
        `cannot reach ${server}: ${reasonOf(reason.cause ?? error)}`,
        "is the daemon running, and is --server right?"
      )
    }
    return failed(
      `the answer of ${server} cannot be read`,
      "check --server: something else may listen there, or this jitsudo may be too old for it"
    )
  }
  if (Schema.isSchemaError(error)) {
    return failed(
      `the answer of ${server} does not have the form that this jitsudo knows`,
      "use the jitsudo of the daemon's version: `jitsudo server version`"
    )
  }
  return failed(`${server}: ${reasonOf(error)}`)
}
