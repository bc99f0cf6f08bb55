/**
 * Node's server, with bounds on what a slow or malformed client can hold: time for headers, time for the whole request,
 * size of headers, connections. Whoever exceeds one is answered with a problem document and cut off.
 *
 * TLS, where configured; certificates that change on disk are taken over without a restart.
 */
import * as Duration from "effect/Duration"
import * as Http from "node:http"
import * as Https from "node:https"
import { readFileSync, unwatchFile, watchFile } from "node:fs"
import type { Duplex } from "node:stream"

export interface ListenerOptions {
  readonly headerBytes: number
  /** Longest that a request may take to arrive. */
  readonly timeout: Duration.Duration
  /** Longest that its headers may take; default 10 s. */
  readonly headersTimeout?: Duration.Duration
  readonly concurrent: number
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly caFile?: string }
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
  const requestTimeout = Math.max(1, Duration.toMillis(options.timeout))
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

/** Throws what `node:fs` and `node:tls` throw when the files cannot be used. */
export const create = (options: ListenerOptions): Http.Server => {
  const { tls } = options
  if (tls === undefined) return createPlain(options)
  const files = [tls.certFile, tls.keyFile, ...(tls.caFile === undefined ? [] : [tls.caFile])]
  const identity = () => ({
    minVersion: "TLSv1.2" as const,
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) })
  })
  const server = bounded(
    Https.createServer({
      ...settings(options),
      ...identity(),
      ...(tls.caFile === undefined ? {} : { requestCert: true, rejectUnauthorized: true })
    }),
    options
  )
  const renew = () => {
    try {
      server.setSecureContext(identity())
    } catch (error) {
      // Half-written, or key and certificate do not fit yet: the next change brings the rest.
      process.emitWarning(`the changed TLS files cannot be used: ${error instanceof Error ? error.message : "unknown"}`)
    }
  }
  for (const file of files) watchFile(file, { persistent: false, interval: 5000 }, renew)
  server.on("close", () => {
    for (const file of files) unwatchFile(file, renew)
  })
  return server
}
