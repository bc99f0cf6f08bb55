/** JSON over kept connections with Node's own client: the load should take as little of the machine as it can. */
import * as Effect from "effect/Effect"
import { Agent, request } from "node:http"

export interface Answer {
  readonly status: number
  readonly text: string
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 })

const exchange = (method: "GET" | "POST", url: string, token: string | undefined, body: string | undefined) =>
  new Promise<Answer>((resolve, reject) => {
    const headers: Record<string, string | number> = { accept: "application/json" }
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`
    if (body !== undefined) {
      headers["content-type"] = "application/json"
      headers["content-length"] = Buffer.byteLength(body)
    }
    const call = request(url, { method, agent, headers }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (part: string) => (text += part))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }))
      response.on("error", reject)
    })
    call.on("error", reject)
    call.end(body)
  })

export const get = (url: string, token?: string): Effect.Effect<Answer> =>
  Effect.promise(() => exchange("GET", url, token, undefined))

export const post = (url: string, body: unknown, token?: string): Effect.Effect<Answer> =>
  Effect.promise(() => exchange("POST", url, token, JSON.stringify(body)))
