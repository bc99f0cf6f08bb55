/** A request that could not be decoded: every field at fault at once, without echoing what was sent. */
import { Api, Problems } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as SchemaIssue from "effect/SchemaIssue"

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1()

const segment = (part: PropertyKey | { readonly key: PropertyKey }): string => {
  const key = typeof part === "object" ? part.key : part
  return String(key).slice(0, 64)
}

/** The formatter quotes what it found; a caller knows what they sent, and a log need not. */
const withoutValue = (message: string): string => message.replace(/, (?:got|actual) .*$/su, "").slice(0, 200)

export const layer = HttpApiMiddleware.layerSchemaErrorTransform(Api.Decoding, (error) => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") {
    return Effect.andThen(
      Effect.logError("an answer could not be encoded", error),
      Effect.fail(new Problems.InternalError({ code: "internal", hint: "the operator finds it in the daemon's log" }))
    )
  }
  const problems = formatIssues(error.cause.issue)
    .issues.slice(0, 50)
    .map((issue) => {
      const path = (issue.path ?? []).map(segment).join(".")
      return { message: withoutValue(issue.message), ...(path === "" ? {} : { field: path }) }
    })
  return Effect.fail(
    new Problems.BadRequest({
      code: "invalid_input",
      detail: `${problems.length} problem(s) in the ${error.kind.toLowerCase()}`,
      hint: "correct the named fields and ask again; /docs shows the shapes",
      problems
    })
  )
})
