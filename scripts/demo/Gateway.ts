/**
 * Something between the CLI and the daemon that does not do as it should: only sabotage puts it there. It passes
 * everything on but for its mischief. On the loopback interface only.
 */
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"

export interface Call {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Mischief {
  /** What is passed on instead of a call. */
  readonly onCall?: (call: Call) => Call
  /** What is answered instead of an answer. Streams of events pass as they are. */
  readonly onAnswer?: (call: Call, answer: Answer) => Answer
}

export interface Gateway {
  readonly url: string
  readonly close: () => Promise<void>
}

const ofConnection = new Set([
  "connection",
  "keep-alive",
  "host",
  "content-length",
  "transfer-encoding",
  "accept-encoding"
])

const headersOf = (entries: Iterable<readonly [string, string]>): Record<string, string> =>
  Object.fromEntries([...entries].filter(([name]) => !ofConnection.has(name.toLowerCase())))

const callOf = (request: IncomingMessage): Call => ({
  method: request.method ?? "GET",
  target: request.url ?? "/",
  headers: headersOf(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? "")
    ])
  )
})

const pass = async (upstream: string, mischief: Mischief, request: IncomingMessage, response: ServerResponse) => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  const call = callOf(request)
  const { headers, method, target } = mischief.onCall?.(call) ?? call
  const gone = new AbortController()
  response.once("close", () => gone.abort())
  const answered = await fetch(new URL(target, upstream), {
    method,
    headers,
    redirect: "manual",
    signal: gone.signal,
    ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) })
  })
  if (answered.headers.get("content-type")?.startsWith("text/event-stream") === true && answered.body !== null) {
    response.writeHead(answered.status, headersOf(answered.headers))
    // Whoever follows events goes away when they have seen enough.
    await pipeline(Readable.from(answered.body), response).catch(() => response.destroy())
    return
  }
  const answer = { status: answered.status, headers: headersOf(answered.headers), body: await answered.text() }
  const given = mischief.onAnswer?.(call, answer) ?? answer
  response.writeHead(given.status, given.headers).end(given.body)
}

export const start = async (upstream: string, mischief: Mischief): Promise<Gateway> => {
  const server = createServer((request, response) => {
    pass(upstream, mischief, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(502, { "content-type": "text/plain" })
      response.end(error instanceof Error ? error.message : "failed")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the gateway has no port")
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
