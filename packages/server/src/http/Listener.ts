/**
 * Node's server, with bounds on what a slow or malformed client can hold: time for headers, time for the whole request,
 * size of headers, connections. Whoever exceeds one is answered with a problem document and cut off.
 *
 * TLS, where configured; certificates that change on disk are taken over without a restart.
 */
import * as Duration from "effect/Duration"
import * as Http from "node:http"
import * as Https from "node:https"
import { readFileSync } from "node:fs"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"

export interface ListenerOptions {
  readonly headerBytes: number
  /** Longest that a request may take to arrive. */
  readonly timeout: Duration.Duration
  /** Longest that its headers may take; default 10 s. */
  readonly headersTimeout?: Duration.Duration
  readonly concurrent: number
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string }
  /** How often the files are looked at for a change; default 5 s. */
  readonly tlsPollMillis?: number
}

const raw = (status: number, phrase: string, code: string, hint: string): string => {
  const body = JSON.stringify({
    type: `https://jitsudo.dev/problems/${code.replaceAll("_", "-")}`,
    title: phrase,
    status,
    code,
    hint
  })
  return [
    `HTTP/1.1 ${status} ${phrase}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "X-Content-Type-Options: nosniff",
    "Connection: close",
    "",
    body
  ].join("\r\n")
}

const answers: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: raw(
    431,
    "Request Header Fields Too Large",
    "headers_too_large",
    "send fewer or shorter headers"
  ),
  ERR_HTTP_REQUEST_TIMEOUT: raw(408, "Request Timeout", "request_timeout", "send the whole request in time")
}
const malformed = raw(400, "Bad Request", "malformed", "send a well-formed HTTP request")

/** What Node could not parse, or did not want to wait for any longer, never reaches a handler. */
const onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy()
    return
  }
  socket.end(answers[error.code ?? ""] ?? malformed)
  // A client that does not read its answer does not keep the connection either.
  setTimeout(() => socket.destroy(), 1000).unref()
}

const bounded = <S extends Http.Server>(server: S, options: ListenerOptions): S => {
  server.maxConnections = Math.max(1024, options.concurrent * 8)
  server.maxHeadersCount = 100
  server.on("clientError", onClientError)
  return server
}

const settings = (options: ListenerOptions) => {
  // Before the answer's own time is over, so that a slow sender hears why.
  const requestTimeout = Math.max(1, Math.floor(Duration.toMillis(options.timeout) * 0.8))
  const headersTimeout = Math.min(requestTimeout, Duration.toMillis(options.headersTimeout ?? Duration.seconds(10)))
  return {
    maxHeaderSize: options.headerBytes,
    headersTimeout,
    requestTimeout,
    keepAliveTimeout: 15_000,
    // A peer that is gone without a word is noticed, so that its stream ends.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    connectionsCheckingInterval: Math.min(5000, headersTimeout)
  }
}

/** Without TLS, whatever is configured. */
export const createPlain = (options: ListenerOptions): Http.Server =>
  bounded(Http.createServer(settings(options)), options)

interface TlsFiles {
  readonly cert: Buffer
  readonly key: Buffer
  readonly ca?: Buffer
}

const readTls = (tls: NonNullable<ListenerOptions["tls"]>): TlsFiles => ({
  cert: readFileSync(tls.certFile),
  key: readFileSync(tls.keyFile),
  ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) })
})

const sameFiles = (a: TlsFiles, b: TlsFiles): boolean =>
  a.cert.equals(b.cert) && a.key.equals(b.key) && (a.ca === undefined || b.ca?.equals(a.ca) === true)

const why = (error: unknown): string => (error instanceof Error ? error.message : "unknown")

/** Throws what `node:fs` and `node:tls` throw when the files cannot be used. */
const create = (options: ListenerOptions): Http.Server => {
  const { tls } = options
  if (tls === undefined) return createPlain(options)
  let tried = readTls(tls)
  const server = bounded(
    Https.createServer({
      ...settings(options),
      ...tried,
      minVersion: "TLSv1.2",
      ...(tls.caFile === undefined ? {} : { requestCert: true, rejectUnauthorized: true })
    }),
    options
  )
  const renew = () => {
    try {
      const found = readTls(tls)
      if (sameFiles(found, tried)) return
      tried = found
      server.setSecureContext({ ...found, minVersion: "TLSv1.2" })
    } catch (error) {
      // One of them is still being written, or they do not fit yet: the old ones stay until the next look.
      process.emitWarning(`the TLS files that changed cannot be used yet: ${why(error)}`)
    }
  }
  const timer = setInterval(renew, options.tlsPollMillis ?? 5000).unref()
  server.once("close", () => clearInterval(timer))
  return server
}

/** One listener, and how to hurry its end. */
export const make = (
  options: ListenerOptions
): {
  readonly create: () => Http.Server
  /** From now on, a connection without a request is closed: nobody waits until its keep-alive time is over. */
  readonly releaseIdle: () => void
} => {
  let server: Http.Server | undefined
  const sockets = new Set<Socket>()
  return {
    create: () => {
      server = create(options)
      const known = (socket: Socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
      }
      server.on("connection", known).on("secureConnection", known)
      return server
    },
    releaseIdle: () => {
      const closing = server
      if (closing === undefined) return
      const release = () => {
        closing.closeIdleConnections()
        // Node counts a connection on which nothing was ever sent as busy.
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      }
      const timer = setInterval(release, 50)
      closing.once("close", () => clearInterval(timer))
    }
  }
}
