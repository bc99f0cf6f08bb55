/**
 * From bytes to what a handler takes: every field at fault at once, without echoing what was sent.
 *
 * 1. Only JSON in UTF-8 is read; no other content type, no compression, no bytes that are not UTF-8.
 * 2. Nesting is bounded, and a name may stand once in an object.
 * 3. A problem names a field and a rule; a value never appears in it, nor in the log.
 *
 * It runs inside of authentication: a stranger's body is not read.
 */
import { Api, Problems } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiError from "effect/http-api/HttpApiError"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as SchemaIssue from "effect/SchemaIssue"
import { CorrelationId } from "./CorrelationId.ts"
import { isTooDeep, mostLevels, repeatedNames } from "./JsonText.ts"

/** Most problems in one answer. */
const mostProblems = 50

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) =>
    issue._tag === "MissingKey"
      ? "is required"
      : issue._tag === "UnexpectedKey"
        ? "is not a field of this request"
        : SchemaIssue.defaultLeafHook(issue)
})

const segment = (part: PropertyKey | { readonly key: PropertyKey }): string =>
  String(typeof part === "object" ? part.key : part).slice(0, 64)

/** A rule in our words. Messages of the schema library end in the value where it reports one: a caller knows it. */
const ruleOf = (message: string): string =>
  message
    .replace(/, got .*$/su, "")
    .replace(/^Expected /u, "must be ")
    .slice(0, 200)

const problemsOf = (kind: string, issue: SchemaIssue.Issue): ReadonlyArray<typeof Problems.FieldProblem.Type> =>
  formatIssues(issue)
    .issues.slice(0, mostProblems)
    .map(({ message, path = [] }) => {
      const field = path.map(segment).join(".")
      if (field !== "") return { field, message: ruleOf(message) }
      return { message: kind === "Payload" ? "the body must be a JSON object" : ruleOf(message) }
    })

const invalid = (where: string, problems: ReadonlyArray<typeof Problems.FieldProblem.Type>) =>
  new Problems.BadRequest({
    code: "invalid_input",
    detail: `${problems.length} problem(s) in the ${where}`,
    hint: "correct the named fields and ask again; /docs shows the shapes",
    problems: [...problems]
  })

const malformed = (detail: string) =>
  new Problems.BadRequest({ code: "malformed", detail, hint: "send one JSON object in UTF-8" })

const unsupported = (detail: string) =>
  new Problems.UnsupportedMediaType({ code: "unsupported_media_type", detail, hint: "send `application/json`" })

const decoder = new TextDecoder("utf-8", { fatal: true })

/** Why a body's declared form cannot be read. */
const formProblem = (headers: HttpServerRequest.HttpServerRequest["headers"]) => {
  const [type = "", ...parameters] = (headers["content-type"] ?? "application/json").toLowerCase().split(";")
  if (type.trim() !== "application/json") return unsupported("the content type is not application/json")
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith("charset="))
  if (charset !== undefined && !/^charset="?utf-?8"?$/u.test(charset)) return unsupported("the charset is not UTF-8")
  const encoding = headers["content-encoding"] ?? "identity"
  return encoding === "identity" ? undefined : unsupported("compressed bodies are not read")
}

const readFailure = (error: HttpServerError.HttpServerError) =>
  error.reason._tag === "RequestParseError" && error.reason.reason === "BodyTooLarge"
    ? new Problems.TooLarge({ code: "too_large", detail: "the body is too large", hint: "send less at once" })
    : malformed("the body ended early")

/** The body as text that is safe to parse; an empty one counts as an object without members. */
const readBody = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const form = formProblem(request.headers)
  if (form !== undefined) return yield* form
  const bytes = yield* Effect.mapError(request.arrayBuffer, readFailure)
  const text = yield* Effect.try({ try: () => decoder.decode(bytes), catch: () => malformed("the body is not UTF-8") })
  if (text.trim() === "") return "{}"
  if (isTooDeep(text)) return yield* malformed(`the body is nested more than ${mostLevels} levels deep`)
  yield* Effect.try({
    try: (): unknown => JSON.parse(text),
    catch: () => malformed("the body is not well-formed JSON")
  })
  const repeated = repeatedNames(text, mostProblems)
  if (repeated.length > 0) {
    return yield* invalid(
      "payload",
      repeated.map((field) => ({ field, message: "stands more than once" }))
    )
  }
  return text
})

/** The same request with a body that was read and looked at. */
const withText = (request: HttpServerRequest.HttpServerRequest, text: string): HttpServerRequest.HttpServerRequest =>
  Object.create(request, { text: { value: Effect.succeed(text) } })

const checked = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  endpoint: HttpApiEndpoint.Top
): Effect.Effect<
  A,
  E | Problems.BadRequest | Problems.TooLarge | Problems.UnsupportedMediaType,
  R | HttpServerRequest.HttpServerRequest
> =>
  endpoint.payload.size === 0
    ? effect
    : Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const text = yield* readBody(request)
        return yield* Effect.provideService(effect, HttpServerRequest.HttpServerRequest, withText(request, text))
      })

/** An answer of ours that does not fit its own shape: a bug. Its text could hold what the answer holds, so it is not logged. */
const unencodable = Effect.fnUntraced(function* (error: HttpApiError.HttpApiSchemaError, endpoint: string) {
  const fields = problemsOf(error.kind, error.cause.issue).map((problem) => problem.field ?? "")
  yield* Effect.logError("an answer could not be encoded").pipe(Effect.annotateLogs({ endpoint, fields }))
  return yield* new Problems.InternalError({
    code: "internal",
    hint: "quote the correlation id to the operator",
    correlationId: yield* CorrelationId
  })
})

export const layer: Layer.Layer<Api.Decoding> = Layer.succeed(
  Api.Decoding,
  Api.Decoding.of((httpEffect, { endpoint, group }) =>
    Effect.catchIf(
      checked(httpEffect, endpoint),
      (error) => HttpApiError.HttpApiSchemaError.is(error),
      (error): Effect.Effect<never, Problems.BadRequest | Problems.InternalError> =>
        error.kind === "Body" || error.kind === "ResponseHeaders"
          ? unencodable(error, `${group.identifier}.${endpoint.identifier}`)
          : Effect.fail(invalid(error.kind.toLowerCase(), problemsOf(error.kind, error.cause.issue)))
    )
  )
)
