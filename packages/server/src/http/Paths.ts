/** Which methods a path of the API has: the difference between 404 and 405. */
import { Api } from "@jitsudo/client"
import * as HttpApi from "effect/http-api/HttpApi"

interface Known {
  readonly pattern: RegExp
  readonly method: string
}

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/gu, "\\$&")

const known: ReadonlyArray<Known> = (() => {
  const found: Array<Known> = []
  HttpApi.reflect(Api.Api, {
    onGroup: () => undefined,
    onEndpoint: ({ endpoint }) => {
      const parts = endpoint.path.split("/").filter((part) => part !== "")
      const pattern = parts.map((part) => (part.startsWith(":") ? "[^/]+" : escape(part))).join("/")
      found.push({ method: endpoint.method, pattern: new RegExp(`^/${pattern}/?$`, "u") })
    }
  })
  for (const path of ["docs", "metrics", "openapi\\.json"]) {
    found.push({ method: "GET", pattern: new RegExp(`^/${path}$`, "u") })
  }
  return found
})()

/** In alphabetical order; empty for a path that is not there. `path` has no query. */
export const methodsOf = (path: string): ReadonlyArray<string> =>
  [...new Set(known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort()
