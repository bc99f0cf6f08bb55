/**
 * What every wire server has in common: it listens on the loopback interface, has a clock that can be moved, records
 * its calls, and does what a test asks for instead of, or after, what it was told.
 *
 * 1. A `Dialect` says everything that is particular to a vendor: how an operation is named, what it does, and how a
 *    refusal is worded. It acts synchronously, so that each request sees one state.
 * 2. Faults are queued by operation, or wait for the n-th call; each answers for one call. `unavailable`, `throttle`, `conflict` and `deny` refuse
 *    before anything happened; `loseAnswer` performs and then breaks the connection; `hold` performs and answers when
 *    it is released; `latency` waits before anything happens.
 * 3. Other processes ask over `/_wire/state`, `/_wire/faults`, `/_wire/advance` and `/_wire/lag`.
 *
 * It holds no real secret and is for tests, demos and drills only.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { setTimeout as sleep } from "node:timers/promises"

export interface WireRequest {
  readonly method: string
  /** Path and query, as they were sent. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Before anything happened, in the vendor's own words. */
export type Refused = "throttle" | "unavailable" | "conflict" | "deny"

export type WireFault =
  | { readonly kind: Refused }
  /** Performed, then the connection is broken. */
  | { readonly kind: "loseAnswer" }
  | { readonly kind: "latency"; readonly millis: number }

export interface WireCall {
  readonly at: number
  /** As the vendor's permissions and documents call it: `sts:AssumeRole`. */
  readonly operation: string
  /** Who called, where the request says; `null` otherwise. */
  readonly caller: string | null
  /** `ok`, or the code of the refusal. */
  readonly outcome: string
  /** What it was about: a role, a scope, an object's name. */
  readonly about: string | null
}

/** What became of a request. */
export interface Performed {
  readonly answer: WireAnswer
  readonly caller: string | null
  readonly outcome: string
  readonly about: string | null
}

export interface Dialect {
  readonly operationOf: (request: WireRequest) => string
  /** `refused`: answer so, if the request would have got as far as being performed. */
  readonly perform: (request: WireRequest, operation: string, refused: Refused | null) => Performed
  /** The truth, as plain JSON, for tests in other processes. Without secrets. */
  readonly state: () => object
  /** Reads lag behind writes by so many further calls, where the vendor is eventually consistent. */
  readonly setLag?: (calls: number) => void
}

export interface Clock {
  /** The server's time, epoch milliseconds: the given clock plus what was advanced. */
  readonly now: () => number
  readonly advance: (seconds: number) => void
}

export interface WireServer extends Clock {
  readonly url: string
  readonly calls: () => ReadonlyArray<WireCall>
  /** The next call of `operation` that has no fault yet gets this one. */
  readonly inject: (operation: string, ...faults: ReadonlyArray<WireFault>) => void
  /** The n-th call from now on, of whichever operation, gets this one (0 is the next): for matrices of faults. */
  readonly injectAt: (call: number, fault: WireFault) => void
  /** Faults and holds of `operation` that no call has met are none any more. */
  readonly forgetFaults: (operation: string) => void
  /** The next call of `operation` is performed, and answered at the release. */
  readonly hold: (operation: string) => { readonly reached: Promise<void>; readonly release: () => void }
  readonly close: () => Promise<void>
}

/** A clock for a dialect and its server. */
export const clockFrom = (wall: () => number): Clock => {
  let offset = 0
  return {
    now: () => wall() + offset,
    advance: (seconds) => {
      offset += seconds * 1000
    }
  }
}

export interface Options {
  readonly clock: Clock
  readonly dialect: Dialect
  /** PEM; the server then speaks TLS, as some SDKs insist. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Largest body in bytes; default 1 MiB. */
  readonly maxBodyBytes?: number
}

interface Hold {
  readonly kind: "hold"
  readonly reached: PromiseWithResolvers<void>
  readonly gate: PromiseWithResolvers<void>
}

const isRefused = (kind: string): kind is Refused =>
  kind === "throttle" || kind === "unavailable" || kind === "conflict" || kind === "deny"

class TooLarge extends Error {}

const bodyOf = async (request: IncomingMessage, most: number): Promise<string> => {
  const chunks: Array<Buffer> = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > most) throw new TooLarge(`a body of more than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** An answer with a JSON body. */
export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): WireAnswer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: JSON.stringify(body)
})

export const start = async ({ clock, dialect, maxBodyBytes = 1_048_576, tls }: Options): Promise<WireServer> => {
  const calls: Array<WireCall> = []
  const faults = new Map<string, Array<WireFault | Hold>>()
  const numbered = new Map<number, WireFault>()
  let heardCalls = 0

  const queue = (operation: string, ...more: ReadonlyArray<WireFault | Hold>): void => {
    faults.set(operation, [...(faults.get(operation) ?? []), ...more])
  }

  const send = (response: ServerResponse, { body, headers, status }: WireAnswer): void => {
    response.writeHead(status, headers).end(body)
  }

  const serve = async (request: WireRequest, response: ServerResponse): Promise<void> => {
    const operation = dialect.operationOf(request)
    const number = heardCalls++
    const fault = numbered.get(number) ?? faults.get(operation)?.shift()
    if (fault?.kind === "latency") await sleep(fault.millis)
    const refused = fault !== undefined && isRefused(fault.kind) ? fault.kind : null
    const { about, answer, caller, outcome } = dialect.perform(request, operation, refused)
    calls.push({ at: clock.now(), operation, caller, outcome, about })
    if (fault?.kind === "hold") {
      fault.reached.resolve()
      await fault.gate.promise
    }
    if (fault?.kind === "loseAnswer") response.destroy()
    else send(response, answer)
  }

  /** The server's own door, for tests in other processes. */
  const control = (request: WireRequest): WireAnswer => {
    switch (`${request.method} ${request.target}`) {
      case "GET /_wire/state":
        return json(200, { now: clock.now(), ...dialect.state(), calls })
      case "POST /_wire/faults": {
        const asked: { operation: string; fault: WireFault; times?: number } = JSON.parse(request.body)
        for (let count = 0; count < (asked.times ?? 1); count += 1) queue(asked.operation, asked.fault)
        return json(200, {})
      }
      case "POST /_wire/advance": {
        const { seconds }: { seconds: number } = JSON.parse(request.body)
        clock.advance(seconds)
        return json(200, { now: clock.now() })
      }
      case "POST /_wire/lag": {
        const { calls: count }: { calls: number } = JSON.parse(request.body)
        dialect.setLag?.(count)
        return json(dialect.setLag === undefined ? 404 : 200, {})
      }
      default:
        return json(404, { error: "there is no such control" })
    }
  }

  const heard = (incoming: IncomingMessage, response: ServerResponse): void => {
    bodyOf(incoming, maxBodyBytes)
      .then((body) => {
        const request = { method: incoming.method ?? "", target: incoming.url ?? "/", headers: incoming.headers, body }
        return request.target.startsWith("/_wire/") ? send(response, control(request)) : serve(request, response)
      })
      .catch((thrown: unknown) => {
        const told = thrown instanceof Error ? (thrown.stack ?? thrown.message) : "failed"
        if (!response.headersSent) {
          response.writeHead(thrown instanceof TooLarge ? 413 : 500, { "content-type": "text/plain" })
        }
        response.end(told)
      })
  }

  const server = tls === undefined ? createServer(heard) : createTlsServer(tls, heard)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the wire server has no port")

  return {
    ...clock,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${address.port}`,
    calls: () => [...calls],
    inject: queue,
    injectAt: (call, fault) => {
      numbered.set(heardCalls + call, fault)
    },
    forgetFaults: (operation) => {
      faults.delete(operation)
    },
    hold: (operation) => {
      const hold: Hold = {
        kind: "hold",
        reached: Promise.withResolvers<void>(),
        gate: Promise.withResolvers<void>()
      }
      queue(operation, hold)
      return { reached: hold.reached.promise, release: hold.gate.resolve }
    },
    close: () =>
      new Promise<void>((resolve, reject) => {
        server.close((failure) => (failure === undefined ? resolve() : reject(failure)))
        server.closeAllConnections()
      })
  }
}
