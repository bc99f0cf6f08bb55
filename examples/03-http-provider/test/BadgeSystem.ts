/** The badge system of the tests: doors, grants that end by its own clock, and faults on demand. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { text } from "node:stream/consumers"

export interface Grant {
  readonly id: string
  readonly door: string
  readonly who: string
  readonly until: number
  readonly installation: string | null
}

type Fault = "trouble" | "busy" | "lost" | { readonly reached: () => void; readonly gate: Promise<void> }

export interface BadgeSystem {
  readonly url: string
  readonly now: () => number
  readonly advance: (seconds: number) => void
  /** Doors that are open to somebody now. */
  readonly open: () => ReadonlyArray<Grant>
  /** What the next call of this method meets. */
  readonly faults: Readonly<Record<"PUT" | "DELETE", Array<Fault>>>
  readonly close: () => Promise<void>
}

export const token = "badge-system-token"
const doors = ["cellar", "attic"]

const listening = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the badge system does not listen")
  return `http://127.0.0.1:${address.port}`
}

export const start = async (): Promise<BadgeSystem> => {
  const grants = new Map<string, Grant>()
  const faults: BadgeSystem["faults"] = { PUT: [], DELETE: [] }
  let ahead = 0
  const now = () => Date.now() + ahead
  const alive = () => [...grants.values()].filter(({ until }) => now() < until)

  const perform = async (request: IncomingMessage): Promise<readonly [status: number, answer?: unknown]> => {
    const [, what = "", id = ""] = (request.url ?? "").split("/").map(decodeURIComponent)
    if (request.headers.authorization !== `Bearer ${token}`) return [401]
    if (what === "doors") return doors.includes(id) ? [200, {}] : [404]
    if (what === "grants" && request.method === "GET" && id === "") return [200, alive()]
    const grant = alive().find((one) => one.id === id)
    if (request.method === "GET") return grant === undefined ? [404] : [200, grant]
    if (request.method === "DELETE") return grants.delete(id) ? [204] : [404]
    const asked: Omit<Grant, "id"> = JSON.parse(await text(request))
    if (!grants.has(id)) grants.set(id, { id, ...asked })
    return [200, grants.get(id)]
  }

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "" } = request
    const fault = method === "PUT" || method === "DELETE" ? faults[method].shift() : undefined
    if (fault === "trouble" || fault === "busy") {
      response.writeHead(fault === "busy" ? 429 : 503).end()
      return
    }
    const [status, body] = await perform(request)
    if (fault === "lost") {
      request.socket.destroy()
      return
    }
    if (fault !== undefined) {
      fault.reached()
      await fault.gate
    }
    response.writeHead(status, { "content-type": "application/json" })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end())
  })
  const url = await listening(server)
  return {
    url,
    now,
    advance: (seconds) => {
      ahead += seconds * 1000
    },
    open: alive,
    faults,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
